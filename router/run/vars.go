package run

import "sync"

// Vars are the variables that outlive a message: $shv, and $var, which in the
// elders is private to a worker process and keeps its value from one message
// to the next. Here $var belongs to the run (see Context), $shv to the daemon.
type Vars struct {
	mu sync.RWMutex
	// mu guards the field below.
	shared map[string]Value
}

// NewVars makes an empty set.
func NewVars() *Vars { return &Vars{shared: make(map[string]Value)} }

// Shared reads $shv(name); a variable never set is the integer 0.
func (v *Vars) Shared(name string) Value {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if x, ok := v.shared[name]; ok {
		return x
	}
	return Int(0)
}

// Has says whether $shv(name) was set.
func (v *Vars) Has(name string) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	_, ok := v.shared[name]
	return ok
}

// SetShared writes $shv(name). As in Kamailio $null leaves an empty text.
func (v *Vars) SetShared(name string, x Value) {
	if x.IsNull() {
		x = Str("")
	}
	x = x.Keep()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.shared[name] = x
}

// EachShared calls f for every shared variable, in no order.
func (v *Vars) EachShared(f func(name string, x Value)) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for n, x := range v.shared {
		f(n, x)
	}
}

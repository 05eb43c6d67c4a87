package rpc

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sort"
	"sync"
)

// Type is what a parameter takes.
type Type uint8

// The parameter types, named after the scan letters of the elders.
const (
	TInt    Type = iota // d, u
	TDouble             // f
	TString             // s, S
	TBool               // b
	TTime               // t
	TStruct             // {
	TAny                // whatever came
)

func (t Type) String() string {
	return [...]string{"int", "double", "string", "boolean", "time", "struct", "any"}[t]
}

// Param declares one parameter of a method.
type Param struct {
	Name     string
	Help     string
	Type     Type
	Optional bool // this and all that follow may be missing
	Convert  bool // text and numbers are converted into each other ('.' of the elders)
	Rest     bool // the last one only: repeats
	Secret   bool // not for the log
}

// Method is one RPC method, served alike by every wire.
type Method struct {
	// Name is group.verb, as in "core.version".
	Name string
	// Help is what system.methodHelp answers: one sentence.
	Help string
	// Params are bound before Handler runs.
	Params []Param
	// List says that the reply is a list of values, not one value: XML-RPC and
	// JSON-RPC shape it so (RET_ARRAY of the elders).
	List bool
	// Reply says what comes back, for people: "struct {now: text, up_since:
	// text, uptime: int}". Empty: nothing comes back. In a List method it is
	// one element.
	Reply string
	// Example is a call as typed into sipcmd, without the method's name; it
	// must bind. Methods without mandatory parameters need none.
	Example string
	// BadParams, when set, replaces the wire's own fault when binding fails
	// (cfg.get answers 500 "Failed to get the parameters" on every wire).
	BadParams *Fault
	// Changes says that the method changes the daemon's state: callers whose
	// role is read-only may not call it, and each call is logged.
	Changes bool
	// Public says that callers without a role may call it too.
	Public bool
	// Handler does the work: it reads the bound parameters from c, adds the
	// reply's values to it, and returns nil, a *Fault, or an error that
	// becomes a fault 500.
	Handler func(ctx context.Context, c *Call) error
}

// Fault is an error that the caller sees: a code and a short text.
type Fault struct {
	Code int
	Text string
}

func (f *Fault) Error() string { return fmt.Sprintf("%d %s", f.Code, f.Text) }

// Faultf makes a Fault.
func Faultf(code int, format string, a ...any) *Fault {
	return &Fault{code, fmt.Sprintf(format, a...)}
}

// AsFault turns any error of a handler into what the caller sees; what is not
// a *Fault becomes 500 with its text.
func AsFault(err error) *Fault {
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	return &Fault{500, err.Error()}
}

// Call is one invocation: bound parameters in, values out.
type Call struct {
	// Method is the one called.
	Method *Method
	// Wire is the transport's name: "binrpc", "fifo", "xmlrpc", "jsonrpc".
	Wire string
	// Peer says who asks, for the log: "unix uid=0 pid=12", "127.0.0.1:4711".
	Peer string
	// Caller is who asks; nil in calls that no wire made.
	Caller *Caller

	args    []Value
	reply   []Value
	after   []func()
	changes []Change
	wire    *Wire
}

// Change is one thing that a call changed, for the log.
type Change struct {
	What          string // "core.debug", "location alice@example.com"
	Before, After string
}

// NewCall makes a Call with parameters that are already bound.
func NewCall(m *Method, wire, peer string, args []Value) *Call {
	return &Call{Method: m, Wire: wire, Peer: peer, args: args}
}

// Len is the number of parameters given (and bound).
func (c *Call) Len() int { return len(c.args) }

// Has says whether parameter i was given.
func (c *Call) Has(i int) bool { return i < len(c.args) }

// Arg is parameter i as bound, nil when it was not given.
func (c *Call) Arg(i int) Value {
	if i < len(c.args) {
		return c.args[i]
	}
	return nil
}

// Int is parameter i as a number, 0 when it was not given.
func (c *Call) Int(i int) int {
	switch v := c.Arg(i).(type) {
	case Int:
		return int(v)
	case Bool:
		if v {
			return 1
		}
	case Time:
		return int(v)
	case Double:
		return int(v)
	}
	return 0
}

// Double is parameter i as a number with fraction.
func (c *Call) Double(i int) float64 {
	switch v := c.Arg(i).(type) {
	case Double:
		return float64(v)
	case Int:
		return float64(v)
	}
	return 0
}

// Str is parameter i as text, "" when it was not given.
func (c *Call) Str(i int) string {
	switch v := c.Arg(i).(type) {
	case String:
		return string(v)
	case Text:
		return string(v)
	case Bytes:
		return string(v)
	}
	return ""
}

// Add appends values to the reply.
func (c *Call) Add(v ...Value) { c.reply = append(c.reply, v...) }

// Printf appends one piece of printed text.
func (c *Call) Printf(format string, a ...any) { c.Add(Text(fmt.Sprintf(format, a...))) }

// Reply is what the handler added, in order.
func (c *Call) Reply() []Value { return c.reply }

// Values is Reply with what an [Each] at the top stands for in its place.
func (c *Call) Values() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		for _, v := range c.reply {
			each, ok := v.(Each)
			if !ok || !c.Method.List {
				if !yield(v) {
					return
				}
				continue
			}
			for v := range each {
				if !yield(v) {
					return
				}
			}
		}
	}
}

// Changed notes what the call changed: the log of the call shows it. A method
// with the flag Changes that notes nothing is logged with its parameters.
func (c *Call) Changed(what, before, after string) {
	c.changes = append(c.changes, Change{what, before, after})
}

// Sub calls another method for the caller of c: on the same wire, with the
// same role and log. The caller of Sub adds the reply it wants to c; what the
// other call deferred runs when c is done.
func (c *Call) Sub(ctx context.Context, reg *Registry, method string, args Args) (*Call, *Fault) {
	w, who := c.wire, c.Caller
	if w == nil {
		w = &Wire{}
	}
	if who == nil {
		who = Trusted(c.Peer)
	}
	sub, fault := w.Dispatch(ctx, reg, who, method, args)
	if sub != nil && sub.Deferred() {
		c.After(sub.Done)
	}
	return sub, fault
}

// After has f run when the reply is on its way to the caller: for methods that
// end the daemon, or the connection they came by.
func (c *Call) After(f func()) { c.after = append(c.after, f) }

// Deferred says that something waits for Done.
func (c *Call) Deferred() bool { return len(c.after) > 0 }

// Done runs what the handler kept for After. The wire calls it once, after it
// wrote the reply.
func (c *Call) Done() {
	for _, f := range c.after {
		f()
	}
	c.after = nil
}

// Registry holds the methods of one daemon. It is safe for concurrent use.
type Registry struct {
	mu sync.RWMutex
	// mu guards the fields below.
	methods map[string]*Method
	next    *Registry
}

// NewRegistry makes an empty registry.
func NewRegistry() *Registry { return &Registry{methods: make(map[string]*Method)} }

// Add registers methods. A name that is taken is an error and adds nothing.
func (r *Registry) Add(ms ...*Method) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range ms {
		if _, taken := r.methods[m.Name]; taken {
			return fmt.Errorf("rpc method %s is registered twice", m.Name)
		}
	}
	for _, m := range ms {
		r.methods[m.Name] = m
	}
	return nil
}

// Follow makes r answer with the methods of next, which follows nobody, from
// now on: wires that were opened with r serve what a reloaded configuration
// offers. r's own methods are forgotten.
func (r *Registry) Follow(next *Registry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.methods, r.next = nil, next
}

// now is the registry that r follows, or r.
func (r *Registry) now() *Registry {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.next != nil {
		return r.next
	}
	return r
}

// Lookup finds a method by name.
func (r *Registry) Lookup(name string) (*Method, bool) {
	r = r.now()
	r.mu.RLock()
	defer r.mu.RUnlock()
	m, ok := r.methods[name]
	return m, ok
}

// Names lists all methods, sorted.
func (r *Registry) Names() []string {
	r = r.now()
	r.mu.RLock()
	defer r.mu.RUnlock()
	names := make([]string, 0, len(r.methods))
	for n := range r.methods {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

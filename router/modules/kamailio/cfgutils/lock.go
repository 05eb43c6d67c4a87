package cfgutils

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
)

const (
	maxLockBits = 31 // what the parameter takes; more than lockBitsUsed counts as that
	// lockBitsUsed bounds the number of locks, as in Kamailio.
	lockBitsUsed = 14
	// maxWait bounds how long a message waits for a lock or pauses: a script
	// that forgets an unlock must not stop the daemon for good.
	maxWait = 30 * time.Second
)

const (
	secondUnit = time.Second
	microUnit  = time.Microsecond
)

// lockSet is an array of locks, each a channel that holds a token while it is
// taken. A lock has no owner: any message may give it back.
type lockSet []chan struct{}

func newLockSet(bits int) lockSet {
	s := make(lockSet, 1<<min(bits, lockBitsUsed))
	for i := range s {
		s[i] = make(chan struct{}, 1)
	}
	return s
}

// of is the lock of a key, whatever the case of its letters. Different keys
// may share one: they are Kamailio's slots.
func (s lockSet) of(key string) chan struct{} {
	return s[pv.CoreHash(strings.ToLower(key), "")&uint32(len(s)-1)]
}

// newLock compiles a function that does something with the lock of a key.
func (u *cfgutils) newLock(do func(c *run.Context, l chan struct{}, key string) bool) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		if u.locks == nil {
			u.host.Log.Warn(`there are no locks, lock, trylock and unlock are false; set modparam("cfgutils", "lock_set_size", 4)`,
				slog.String("module", "cfgutils"))
		}
		return func(c *run.Context) int {
			if u.locks == nil {
				return -1
			}
			key := a.Str(c, 0)
			return code(do(c, u.locks.of(key), key))
		}, nil
	}
}

func (u *cfgutils) tryTake(_ *run.Context, l chan struct{}, _ string) bool {
	select {
	case l <- struct{}{}:
		return true
	default:
		return false
	}
}

// release frees a lock; one that is free stays so.
func (u *cfgutils) release(_ *run.Context, l chan struct{}, _ string) bool {
	select {
	case <-l:
	default:
	}
	return true
}

func (u *cfgutils) take(c *run.Context, l chan struct{}, key string) bool {
	if u.tryTake(c, l, key) {
		return true
	}
	t := time.NewTimer(maxWait)
	defer t.Stop()
	select {
	case l <- struct{}{}:
		return true
	case <-u.done:
	case <-t.C:
		u.host.Log.LogAttrs(context.Background(), slog.LevelError, "no lock within 30 seconds; is an unlock missing, or a lock taken twice?",
			slog.String("module", "cfgutils"), slog.String("key", key), slog.String("route", c.RouteName), slog.Int("line", c.Line))
	}
	return false
}

// newPause compiles sleep and usleep.
func (u *cfgutils) newPause(unit time.Duration) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		return func(c *run.Context) int {
			n := a.Int(c, 0, 0)
			if n <= 0 {
				return 1
			}
			t := time.NewTimer(min(time.Duration(n)*unit, maxWait))
			defer t.Stop()
			select {
			case <-t.C:
			case <-u.done:
			}
			return 1
		}, nil
	}
}

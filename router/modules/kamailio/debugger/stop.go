package debugger

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/rpc"
)

// stopper holds a message at a breakpoint. The daemon goes on meanwhile: one
// message at most is held, the others pass; it is held for a bounded time, and
// when no command came in that time the breakpoints turn themselves off.
type stopper struct {
	d      *debugger
	limit  time.Duration
	active atomic.Bool // on is set or a message is followed
	parse  sync.Mutex  // one variable is compiled at a time

	mu sync.Mutex
	// mu guards the fields below.
	on       bool
	held     *held
	followed uint64 // the number of the message that is stepped through, 0 none
	since    time.Time
}

// held is a message at a breakpoint.
type held struct {
	id     uint64
	action *module.Action
	cmds   chan command
	done   chan struct{} // closed when it goes on
}

// command is what a held message is told; do runs in the message's goroutine.
type command struct {
	do     func(c *run.Context) string
	answer chan string
	leave  bool // go on behind it
	follow bool // and stop at the message's next action
}

func (s *stopper) init(d *debugger, limit time.Duration, on bool) {
	s.d, s.limit, s.on = d, limit, on
	s.active.Store(on)
}

// turn turns breakpoints on or off. Off lets a held message go unless keep.
func (s *stopper) turn(on, keep bool) {
	s.mu.Lock()
	s.on = on
	h := s.held
	if !on && (h == nil || !keep) {
		s.followed = 0
	}
	s.active.Store(s.on || s.followed != 0)
	s.mu.Unlock()
	if !on && !keep && h != nil {
		s.tell(context.Background(), h, command{leave: true})
	}
}

// enter makes c the held message unless another is, or c is not to be stopped.
func (s *stopper) enter(c *run.Context, a *module.Action) *held {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.followed != 0 && s.followed != c.ID && time.Since(s.since) > s.limit {
		s.followed = 0 // it ended without another action
		s.active.Store(s.on)
	}
	if s.held != nil || s.followed != 0 && s.followed != c.ID || s.followed == 0 && !s.on {
		return nil
	}
	s.held = &held{id: c.ID, action: a, cmds: make(chan command), done: make(chan struct{})}
	s.followed = 0
	return s.held
}

// at holds c at an action until it is told to go on.
func (s *stopper) at(c *run.Context, a *module.Action) {
	h := s.enter(c, a)
	if h == nil {
		return
	}
	s.d.write(run.LogLevel(s.d.level), fmt.Sprintf("breakpoint hit: p=[%d] c=[%s] l=%d a=%d n=%s", h.id, a.File, a.Line, a.Type, a.Name))
	timer := time.NewTimer(s.limit)
	defer timer.Stop()
	follow := false
	defer func() { s.leave(h, follow) }()
	for {
		select {
		case cmd := <-h.cmds:
			if cmd.do != nil {
				cmd.answer <- cmd.do(c)
			}
			if cmd.leave {
				follow = cmd.follow
				return
			}
			timer.Reset(s.limit)
		case <-timer.C:
			s.turn(false, true)
			s.d.log.LogAttrs(context.Background(), slog.LevelWarn, "no command came to the breakpoint; breakpoints are off",
				slog.Duration("waited", s.limit), slog.Uint64("message", h.id))
			return
		}
	}
}

// leave ends the hold, also when a command panicked.
func (s *stopper) leave(h *held, follow bool) {
	s.mu.Lock()
	s.held = nil
	if follow {
		s.followed, s.since = h.id, time.Now()
	}
	s.active.Store(s.on || s.followed != 0)
	s.mu.Unlock()
	close(h.done)
}

// ended forgets a message that is followed.
func (s *stopper) ended(c *run.Context) {
	if !s.active.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.followed == c.ID {
		s.followed = 0
		s.active.Store(s.on)
	}
}

// tell gives a held message a command and waits for its answer; "" when it
// went on meanwhile or ctx ended.
func (s *stopper) tell(ctx context.Context, h *held, cmd command) string {
	cmd.answer = make(chan string, 1)
	select {
	case h.cmds <- cmd:
	case <-h.done:
		return ""
	case <-ctx.Done():
		return ""
	}
	if cmd.do == nil {
		return ""
	}
	select {
	case text := <-cmd.answer:
		return text
	case <-h.done:
	case <-ctx.Done():
	}
	select { // both came at once
	case text := <-cmd.answer:
		return text
	default:
		return ""
	}
}

// find is the held message of a number.
func (s *stopper) find(id int) (*held, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == nil || s.held.id != uint64(id) {
		return nil, &rpc.Fault{Code: 500, Text: "No such pid"}
	}
	return s.held, nil
}

func (h *held) where() string {
	return fmt.Sprintf("[%s:%d] a=%d n=%s", h.action.File, h.action.Line, h.action.Type, h.action.Name)
}

// eval compiles a variable; what it answers reads it.
func (s *stopper) eval(text string) (pv.Var, error) {
	s.parse.Lock()
	defer s.parse.Unlock()
	v, n, err := s.d.host.Vars.ParseVar(text, pv.Kamailio)
	if err == nil && n != len(text) {
		err = fmt.Errorf("%q stands behind the variable", text[n:])
	}
	if err != nil {
		return v, rpc.Faultf(500, "invalid pv param: %v", err)
	}
	return v, nil
}

// Serve lets a held message go when the daemon stops.
func (d *debugger) Serve(ctx context.Context) error {
	<-ctx.Done()
	d.stop.turn(false, false)
	return nil
}

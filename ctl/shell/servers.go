package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"sipd/ctl/plain"
	"sipd/ctl/shell/reply"
	"sipd/rpc"
)

// ServersError says which of several servers failed, and how.
type ServersError struct {
	// Servers and Errs belong together.
	Servers []string
	Errs    []error
	// Asked is how many there were.
	Asked int
}

func (e *ServersError) Error() string {
	return fmt.Sprintf("%d of %d servers failed: %s", len(e.Errs), e.Asked, strings.Join(e.Servers, ", "))
}

// Unwrap lets errors.Is and errors.As see each server's error.
func (e *ServersError) Unwrap() []error { return e.Errs }

// all calls a method of all servers at once and prints their replies in the
// order of the servers. As text each has a line with the server before it;
// as data the reply is a list of objects with "server" and "result" or "error".
func (s *Shell) all(ctx context.Context, out io.Writer, form reply.Form, format string, hasFormat bool, method string, args []rpc.Value) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	asText := s.Output == "" || s.Output == reply.AsText
	turns := make([]*turn, len(s.Servers))
	for i, v := range s.Servers {
		t := &turn{to: form, ready: make(chan struct{}), done: make(chan error, 1), stop: ctx.Done()}
		if asText {
			t.to = s.form(out, format, hasFormat)
		} else {
			t.before = func() error { return head(form, v.Address, "result") }
		}
		turns[i] = t
		go func() { t.done <- v.visit(ctx, t, method, args...) }()
	}
	failed := &ServersError{Asked: len(s.Servers)}
	var writing error
	for i, v := range s.Servers {
		t := turns[i]
		if asText && !hasFormat {
			fmt.Fprintf(out, "== %s\n", plain.Clean(v.Address))
		}
		close(t.ready)
		err := s.explain(v, <-t.done)
		switch {
		case asText && err == nil:
			writing = errors.Join(writing, t.to.(reply.Form).End())
		case asText:
			s.Report(err)
		default:
			writing = errors.Join(writing, t.finish(form, v.Address, err))
		}
		if err != nil {
			failed.Servers, failed.Errs = append(failed.Servers, v.Address), append(failed.Errs, err)
		}
		if writing != nil {
			break
		}
	}
	if !asText {
		writing = errors.Join(writing, form.End())
	}
	if writing != nil || len(failed.Errs) == 0 {
		return writing
	}
	return failed
}

// head begins the object of one server.
func head(to reply.Visitor, address, what string) error {
	return errors.Join(to.Open("", false), to.Value("server", rpc.String(address)), to.Open(what, what == "result"))
}

// turn holds the reply of one server back until those before are printed: the
// calls run side by side, and nothing is kept.
type turn struct {
	to      reply.Visitor
	before  func() error // runs at the first piece, or at the end
	ready   chan struct{}
	done    chan error
	stop    <-chan struct{}
	started bool
	depth   int // of what is open in the reply
}

func (t *turn) start() error {
	if t.started {
		return nil
	}
	select {
	case <-t.ready:
	case <-t.stop:
		return context.Canceled
	}
	t.started = true
	if t.before == nil {
		return nil
	}
	return t.before()
}

func (t *turn) Value(name string, v rpc.Value) error {
	if err := t.start(); err != nil {
		return err
	}
	return t.to.Value(name, v)
}

func (t *turn) Open(name string, list bool) error {
	if err := t.start(); err != nil {
		return err
	}
	t.depth++
	return t.to.Open(name, list)
}

func (t *turn) Close() error {
	t.depth--
	return t.to.Close()
}

// finish ends the object of a server whose call ended with err. It runs after
// the call, on the goroutine that prints.
func (t *turn) finish(to reply.Visitor, address string, err error) error {
	var errs []error
	what := "result"
	if err != nil {
		what = "error"
	}
	switch {
	case !t.started:
		errs = append(errs, head(to, address, what))
	case err != nil: // a part of the result is out
		for range t.depth + 1 {
			errs = append(errs, to.Close())
		}
		errs = append(errs, to.Open(what, false))
	}
	if f, ok := errors.AsType[*rpc.Fault](err); ok {
		errs = append(errs, to.Value("code", rpc.Int(f.Code)), to.Value("message", rpc.String(f.Text)))
	} else if err != nil {
		errs = append(errs, to.Value("message", rpc.String(err.Error())))
	}
	return errors.Join(append(errs, to.Close(), to.Close())...)
}

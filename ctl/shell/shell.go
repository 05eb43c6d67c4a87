// Package shell is the engine of sipcmd: it turns words into calls of a
// daemon's RPC methods and replies into text, for one command, a script or a
// person at a terminal. It takes its elders' manners (kamcmd, sercmd) where it
// is asked to. How a daemon is reached is the business of rpc/dial.
package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"sipd/ctl/plain"
	"sipd/ctl/shell/reply"
	"sipd/rpc"
)

// UsageError is a command that was written wrongly: nothing was sent.
type UsageError string

func (e UsageError) Error() string { return string(e) }

// Shell runs commands against one daemon, or several at once. It is for one
// goroutine.
type Shell struct {
	// Persona is whose manners it has.
	Persona *Persona
	// Servers are the daemons, at least one; methods go to all of them, what
	// the shell asks for itself to the first.
	Servers []*Server
	Out     io.Writer
	Err     io.Writer
	// Terminal says that a person reads Out: control characters in replies
	// are escaped.
	Terminal bool
	// Pager is the command that shows replies longer than the screen, "" for
	// none. It is used when Out is a terminal.
	Pager string
	// Output is the form of replies, "" as text.
	Output reply.Output
	// Format, when HasFormat is set, is the format of option -f.
	Format    string
	HasFormat bool
	// Verbose prints what was sent and how long it took to Err; the elders
	// print a dot behind each reply, and from 2 on its octets.
	Verbose int
	// Watch says how command watch repeats.
	Watch Watch
	// Explain makes words for a person of an error that is not the daemon's
	// own; nil for its own words.
	Explain func(*Server, error) error

	quit       bool
	names      *names
	signatures map[string]signature
}

// Close ends the connections.
func (s *Shell) Close() error {
	var errs []error
	for _, v := range s.Servers {
		errs = append(errs, v.close())
	}
	return errors.Join(errs...)
}

// Connect makes the connection of a lone server now, not at the first call:
// better to say at once that there is none.
func (s *Shell) Connect(ctx context.Context) error {
	if len(s.Servers) > 1 {
		return nil
	}
	if err := s.Servers[0].connect(ctx); err != nil {
		return s.explain(s.Servers[0], &ConnectError{err})
	}
	return nil
}

func (s *Shell) explain(v *Server, err error) error {
	if _, isFault := errors.AsType[*rpc.Fault](err); err == nil || isFault || s.Explain == nil {
		return err
	}
	return s.Explain(v, err)
}

// call calls a method of the first server and returns the whole reply.
func (s *Shell) call(ctx context.Context, method string, args ...rpc.Value) ([]rpc.Value, error) {
	v := s.Servers[0]
	if err := v.connect(ctx); err != nil {
		return nil, s.explain(v, &ConnectError{err})
	}
	vals, err := v.client.Call(ctx, method, args...)
	return vals, s.explain(v, v.after(err))
}

// Run runs one command: a command of the shell's own, an alias or a method
// with its arguments. Errors: UsageError, the daemon's *rpc.Fault, that of the
// connection, or *ServersError when several were asked. A reply that cannot be
// written is an error too.
func (s *Shell) Run(ctx context.Context, words []Word) error {
	if len(words) == 0 {
		return nil
	}
	name := words[0].Text
	format, hasFormat := s.Format, s.HasFormat
	if a, ok := s.Persona.alias(name); ok {
		name = a.Method
		if !hasFormat && a.Format != "" {
			format, hasFormat = a.Format, true
		}
	} else if b, ok := s.Persona.builtin(name); ok {
		return b.run(s, ctx, words[1:])
	}
	if s.Persona.Elder {
		return s.elderCall(ctx, name, words[1:], format, hasFormat)
	}
	args, err := s.arguments(ctx, name, words[1:])
	if err != nil {
		return err
	}
	out, done := s.out()
	form := s.form(out, format, hasFormat)
	if len(s.Servers) > 1 {
		return done(s.all(ctx, out, form, format, hasFormat, name, args))
	}
	v := s.Servers[0]
	return done(s.explain(v, s.one(ctx, v, form, name, args)))
}

// one calls a method of one server and prints its reply.
func (s *Shell) one(ctx context.Context, v *Server, form reply.Form, method string, args []rpc.Value) error {
	start := time.Now()
	err := v.visit(ctx, form, method, args...)
	if s.Verbose > 0 {
		fmt.Fprintf(s.Err, "%s: %s %s: %v\n", s.Persona.Name, plain.Clean(v.Address), plain.Clean(method), time.Since(start).Round(time.Microsecond))
	}
	if _, isFault := errors.AsType[*rpc.Fault](err); isFault {
		return err
	}
	return errors.Join(err, form.End()) // what came before the error is shown
}

// form is the form asked for, on out.
func (s *Shell) form(out io.Writer, format string, hasFormat bool) reply.Form {
	if hasFormat && (s.Output == "" || s.Output == reply.AsText) {
		return reply.NewFormat(out, format, s.Terminal)
	}
	return reply.New(s.Output, out, s.Terminal)
}

// print prints values as a reply is printed.
func (s *Shell) print(vals []rpc.Value) error {
	out, done := s.out()
	form := s.form(out, "", false)
	return done(errors.Join(reply.Walk(form, vals...), form.End()))
}

package ctl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sipd/rpc"
	"sipd/rpc/binrpc"
	"sipd/rpc/dial"
)

// tellTime is how long a server may take to answer.
const tellTime = 10 * time.Second

// call is a method with its arguments.
type call struct {
	method string
	args   []rpc.Value
	gone   bool // a fault means that there was nothing to do
}

func (c call) String() string {
	words := []string{c.method}
	for _, v := range c.args {
		words = append(words, fmt.Sprint(v))
	}
	return strings.Join(words, " ")
}

// notLive tells that a change is in the database and a server does not know it.
type notLive struct {
	what     string // what is stored
	failures []failure
}

type failure struct {
	server string
	call   call
	err    error
}

func (e *notLive) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: that is stored, but not live", e.what)
	for _, f := range e.failures {
		fmt.Fprintf(&b, "\n  %s on %s: %v; to finish: sipctl -s %[2]s rpc %[1]s", f.call, f.server, f.err)
	}
	return b.String()
}

// done says what was done and tells the servers that were named, if any.
func (a *App) done(ctx context.Context, method, format string, args ...any) error {
	var calls []call
	if method != "" {
		calls = append(calls, call{method: method})
	}
	return a.doneCalls(ctx, calls, format, args...)
}

func (a *App) doneCalls(ctx context.Context, calls []call, format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	if err := a.say("%s", what); err != nil {
		return err
	}
	if a.opt.dryRun {
		return nil
	}
	return a.tell(ctx, what, calls)
}

// tell calls the methods on every server that the settings name. A server that
// fails does not keep the others from being told.
func (a *App) tell(ctx context.Context, what string, calls []call) error {
	e := &notLive{what: what}
	if len(calls) == 0 {
		return nil
	}
	for _, server := range a.set.servers {
		e.failures = append(e.failures, tellServer(ctx, server, calls)...)
	}
	if e.failures == nil {
		return nil
	}
	return e
}

func tellServer(ctx context.Context, server string, calls []call) []failure {
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	c, err := dial.Dial(ctx, server, dial.Options{Timeout: tellTime})
	if err != nil {
		var out []failure
		for _, x := range calls {
			out = append(out, failure{server, x, err})
		}
		return out
	}
	defer c.Close()
	var out []failure
	for _, x := range calls {
		_, err := c.Call(ctx, x.method, x.args...)
		if _, fault := errors.AsType[*rpc.Fault](err); fault && x.gone {
			continue
		}
		if err != nil {
			out = append(out, failure{server, x, err})
		}
	}
	return out
}

// errConnect tells that no server answers at an address.
type errConnect struct {
	server string
	err    error
}

func (e *errConnect) Error() string {
	return fmt.Sprintf("no server answers at %s: %v; to name another: -s ADDRESS, or SIPCTL_SERVER", e.server, e.err)
}
func (e *errConnect) Unwrap() error { return e.err }

// servers are those of the settings, else the socket that a server usually has
// on this machine.
func (a *App) servers() []string {
	if len(a.set.servers) > 0 {
		return a.set.servers
	}
	usual := usualSockets()
	for _, path := range usual {
		if _, err := os.Stat(path); err == nil {
			return []string{"unixs:" + path}
		}
	}
	return []string{"unixs:" + usual[0]}
}

// usualSockets are where servers have their control socket: ours, Kamailio's,
// SER's.
func usualSockets() []string {
	ours := filepath.Join(first(os.Getenv("SIPD_RUN_DIR"), "/run/sipd"), "sipd_ctl")
	return []string{ours, "/var/run/kamailio/kamailio_ctl", "/tmp/ser_ctl"}
}

// ask calls a method on one server.
func (a *App) ask(ctx context.Context, server, method string, args ...rpc.Value) ([]rpc.Value, error) {
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	c, err := dial.Dial(ctx, server, dial.Options{Timeout: tellTime})
	if errors.Is(err, binrpc.ErrAddress) {
		return nil, err
	}
	if err != nil {
		return nil, &errConnect{server, err}
	}
	defer c.Close()
	vals, err := c.Call(ctx, method, args...)
	if fault, ok := errors.AsType[*rpc.Fault](err); ok {
		return nil, fmt.Errorf("%s on %s: %w", method, server, fault)
	}
	if err != nil {
		return nil, &errConnect{server, err}
	}
	return vals, nil
}

// withServer makes many calls over one connection to a server.
func (a *App) withServer(ctx context.Context, server string, fn func(ask func(call) error) error) error {
	opened, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	c, err := dial.Dial(opened, server, dial.Options{Timeout: tellTime})
	if errors.Is(err, binrpc.ErrAddress) {
		return err
	}
	if err != nil {
		return &errConnect{server, err}
	}
	defer c.Close()
	return fn(func(x call) error {
		ctx, cancel := context.WithTimeout(ctx, tellTime)
		defer cancel()
		_, err := c.Call(ctx, x.method, x.args...)
		if err != nil {
			return fmt.Errorf("%s on %s: %w", x, server, err)
		}
		return nil
	})
}

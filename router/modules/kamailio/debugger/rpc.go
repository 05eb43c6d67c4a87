package debugger

import (
	"context"
	"os"

	"sipd/router/run"
	"sipd/rpc"
)

func (d *debugger) methods() []*rpc.Method {
	id := rpc.Param{Name: "pid", Type: rpc.TInt, Optional: true, Help: "the daemon's process, or the number of a message at a breakpoint"}
	cmd := rpc.Param{Name: "command", Type: rpc.TString}
	mod := rpc.Param{Name: "module", Type: rpc.TString}
	bad := &rpc.Fault{Code: 500, Text: "invalid parameters"}
	return []*rpc.Method{
		{
			Name: "dbg.bp", Help: "Controls breakpoints: on, off, release; of the message at one, by its number: keep, move, next, show, eval, log.",
			Params:    []rpc.Param{cmd, id, {Name: "variable", Type: rpc.TString, Optional: true}},
			BadParams: &rpc.Fault{Code: 500, Text: "Config breakpoint command missing"},
			Reply:     "string", Example: "on", Changes: true, Handler: d.bp,
		},
		{
			Name: "dbg.ls", Help: "Lists what is debugged: the process first, then the message at a breakpoint.", Params: []rpc.Param{id},
			Reply: "struct {entry, pid, set, state, in.pid, in.cmd: int}", Handler: d.ls,
		},
		{
			Name: "dbg.trace", Help: "Turns the trace of the script on or off.", Params: []rpc.Param{cmd, id},
			BadParams: &rpc.Fault{Code: 500, Text: "Config trace command missing"}, Reply: "string", Example: "on", Changes: true, Handler: d.traceCmd,
		},
		{
			Name: "dbg.set_mod_level", Help: "Sets the log level of a module.", Params: []rpc.Param{mod, {Name: "level", Type: rpc.TInt}},
			BadParams: bad, Reply: "string", Example: "tm 3", Changes: true,
			Handler: func(_ context.Context, c *rpc.Call) error { return stored(c, d.logs.setLevel(c.Str(0), c.Int(1))) },
		},
		{
			Name: "dbg.mod_level", Help: "The same as dbg.set_mod_level, by its name of 4.1.", Params: []rpc.Param{mod, {Name: "level", Type: rpc.TInt}},
			BadParams: bad, Reply: "string", Example: "tm 3", Changes: true,
			Handler: func(_ context.Context, c *rpc.Call) error { return stored(c, d.logs.setLevel(c.Str(0), c.Int(1))) },
		},
		{
			Name: "dbg.set_mod_facility", Help: "Sets the syslog facility of a module.", Params: []rpc.Param{mod, {Name: "facility", Type: rpc.TString}},
			BadParams: bad, Reply: "string", Example: "tm LOG_LOCAL1", Changes: true,
			Handler: func(_ context.Context, c *rpc.Call) error { return stored(c, d.logs.setFacility(c.Str(0), c.Str(1))) },
		},
		{
			Name: "dbg.get_mod_level", Help: "Tells the log level of a module.", Params: []rpc.Param{mod}, BadParams: bad, Reply: "int", Example: "tm",
			Handler: func(_ context.Context, c *rpc.Call) error {
				c.Add(rpc.Int(d.logs.level(c.Str(0))))
				return nil
			},
		},
		{
			Name: "dbg.get_mod_facility", Help: "Tells the syslog facility of a module.", Params: []rpc.Param{mod}, BadParams: bad, Reply: "string", Example: "tm",
			Handler: func(_ context.Context, c *rpc.Call) error {
				c.Add(rpc.String(d.logs.facility(c.Str(0))))
				return nil
			},
		},
		{
			Name: "dbg.reset_msgid", Help: "Numbers the messages ($mi) anew from 1.", Reply: "string", Changes: true,
			Handler: func(_ context.Context, c *rpc.Call) error {
				if d.resetID == 0 {
					return &rpc.Fault{Code: 500, Text: "reset_msgid is 0. Set it to 1 to enable."}
				}
				d.anew.Store(true)
				return stored(c, nil)
			},
		},
	}
}

// stored answers as the elders do when something was set.
func stored(c *rpc.Call, err error) error {
	if err == nil {
		c.Add(rpc.String("200 ok"))
	}
	return err
}

// wholeProcess says that a call names no message at a breakpoint. Another
// number than the process's or that message's is a fault.
func (d *debugger) wholeProcess(c *rpc.Call, i int) (bool, error) {
	if !c.Has(i) || c.Int(i) == os.Getpid() {
		return true, nil
	}
	_, err := d.stop.find(c.Int(i))
	return false, err
}

func (d *debugger) traceCmd(_ context.Context, c *rpc.Call) error {
	if _, err := d.wholeProcess(c, 1); err != nil {
		return err
	}
	switch c.Str(0) {
	case "on":
		d.trace.Store(true)
	case "off":
		d.trace.Store(false)
	default:
		return &rpc.Fault{Code: 500, Text: "Unknown trace command"}
	}
	return stored(c, nil)
}

func (d *debugger) bp(ctx context.Context, c *rpc.Call) error {
	whole, err := d.wholeProcess(c, 1)
	if err != nil {
		return err
	}
	switch cmd := c.Str(0); cmd {
	case "on":
		d.stop.turn(true, false)
	case "off":
		d.stop.turn(false, false)
	case "release":
		d.stop.turn(false, true)
	case "keep", "move", "next", "show", "eval", "log":
		if !c.Has(1) {
			return &rpc.Fault{Code: 500, Text: "Missing pid parameter"}
		}
		if whole {
			return &rpc.Fault{Code: 500, Text: "No such pid"}
		}
		return d.toHeld(ctx, c, cmd)
	default:
		return &rpc.Fault{Code: 500, Text: "Unknown inner command"}
	}
	return stored(c, nil)
}

// toHeld does what a message at a breakpoint is told.
func (d *debugger) toHeld(ctx context.Context, c *rpc.Call, cmd string) error {
	h, err := d.stop.find(c.Int(1))
	if err != nil {
		return err
	}
	var order command
	switch cmd {
	case "keep":
		d.stop.turn(false, true)
		return stored(c, nil)
	case "move":
		d.stop.turn(false, true)
		order = command{leave: true}
	case "next":
		order = command{leave: true, follow: true, do: func(*run.Context) string { return "exec " + h.where() }}
	case "show":
		order.do = func(*run.Context) string { return "at bkp " + h.where() }
	default:
		if order.do, err = d.evaluate(c, cmd == "log"); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, d.stop.limit)
	defer cancel()
	text := d.stop.tell(ctx, h, order)
	if text == "" {
		text = "200 ok"
	}
	c.Add(rpc.String(text))
	return nil
}

// evaluate is the commands eval and log.
func (d *debugger) evaluate(c *rpc.Call, toLog bool) (func(*run.Context) string, error) {
	if !c.Has(2) {
		return nil, &rpc.Fault{Code: 500, Text: "pv param missing"}
	}
	name := c.Str(2)
	if len(name) < 2 || len(name) >= 256 { // as long as the elders take
		return nil, &rpc.Fault{Code: 500, Text: "invalid pv param"}
	}
	v, err := d.stop.eval(name)
	if err != nil {
		return nil, err
	}
	return func(m *run.Context) string {
		text := shown(name, v.Get(m))
		if !toLog {
			return text
		}
		d.write(run.LogLevel(d.level), "breakpoint eval: "+text)
		return ""
	}, nil
}

// The bits and states of dbg.ls.
const (
	traceOn   = 1
	stopOn    = 2
	stateWait = 1
)

func (d *debugger) ls(_ context.Context, c *rpc.Call) error {
	whole, err := d.wholeProcess(c, 0)
	if err != nil {
		return err
	}
	d.stop.mu.Lock()
	set := 0
	if d.trace.Load() {
		set |= traceOn
	}
	if d.stop.on {
		set |= stopOn
	}
	h := d.stop.held
	d.stop.mu.Unlock()
	entry := func(n, pid, state int) {
		c.Add(rpc.Struct{
			rpc.M("entry", rpc.Int(n)), rpc.M("pid", rpc.Int(pid)), rpc.M("set", rpc.Int(set)),
			rpc.M("state", rpc.Int(state)), rpc.M("in.pid", rpc.Int(0)), rpc.M("in.cmd", rpc.Int(0)),
		})
	}
	if whole {
		entry(0, os.Getpid(), 0)
	}
	if h != nil && (!c.Has(0) || !whole) {
		entry(1, int(h.id), stateWait)
	}
	return nil
}

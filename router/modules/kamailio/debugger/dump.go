package debugger

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/sip"
)

// What dbg_pv_dump shows, as bits of its mask.
const (
	dumpNull = 1 << iota
	dumpAVPs
	dumpVars
	dumpXAVPs
	dumpOthers
	dumpAll = dumpNull | dumpAVPs | dumpVars | dumpXAVPs | dumpOthers
)

// seen is the variables that the configuration uses.
type seen struct {
	mu sync.Mutex
	// mu guards the field below.
	vars map[string]pv.Var
}

// note keeps a variable without transformations.
func (s *seen) note(v pv.Var) {
	if v.Get == nil || strings.ContainsAny(v.Name, "{[") {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.vars == nil {
		s.vars = make(map[string]pv.Var)
	}
	s.vars[v.Name] = v
}

// each calls f for the variables that the mask asks for, without the lock: one
// that is read may ask a database.
func (s *seen) each(mask int, f func(name string, v pv.Var)) {
	s.mu.Lock()
	vars := maps.Clone(s.vars)
	s.mu.Unlock()
	for name, v := range vars {
		bare := strings.TrimPrefix(strings.TrimPrefix(name, "$"), "(")
		switch {
		case strings.HasPrefix(bare, "var("):
			if mask&dumpVars != 0 {
				f(name, v)
			}
		case strings.HasPrefix(bare, "avp("), strings.HasPrefix(bare, "xavp("):
		case mask&dumpOthers != 0:
			f(name, v)
		}
	}
}

func (d *debugger) newDump(a module.Args) (run.Func, error) {
	level, err := levelArg(a, 1, slog.LevelDebug)
	return func(c *run.Context) int {
		if ctx := context.Background(); d.host.Log.Enabled(ctx, level) {
			d.host.Log.LogAttrs(ctx, level, "dbg_dump_json(): "+d.dump(c, a.Int(c, 0, dumpAll)))
		}
		return 1
	}, err
}

// dump is the variables as JSON: names sorted; an $avp is a list of its
// values, newest first, an $xavp a list of records.
func (d *debugger) dump(c *run.Context, mask int) string {
	out := make(map[string]any)
	d.seen.each(mask, func(name string, v pv.Var) {
		if x := v.Get(c); !x.IsNull() {
			out[name] = plain(x)
		} else if mask&dumpNull != 0 {
			out[name] = nil
		}
	})
	if mask&dumpAVPs != 0 {
		for class := run.AVPFromURI; class <= run.AVPGlobal; class++ {
			c.AVPs.Each(class, func(name run.AVPName, v run.Value, _ uint32) bool {
				key := "$avp(" + avpText(name) + ")"
				list, _ := out[key].([]any)
				out[key] = append(list, plain(v))
				return true
			})
		}
	}
	if mask&dumpXAVPs != 0 {
		for _, name := range c.XAVPs.Names() {
			out["$xavp("+name+")"] = records(c, name)
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(out); err != nil {
		return "{}" // strings and numbers always encode
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func records(c *run.Context, name string) []any {
	var list []any
	for i := range c.XAVPs.Count(name) {
		fields := make(map[string][]any)
		for _, f := range *c.XAVPs.Record(name, i) {
			fields[f.Name] = append(fields[f.Name], plain(f.Value))
		}
		list = append(list, fields)
	}
	return list
}

func avpText(n run.AVPName) string {
	if n.Num {
		return fmt.Sprint(n.N)
	}
	return n.S
}

func plain(v run.Value) any {
	switch {
	case v.IsNull():
		return nil
	case v.IsInt():
		return v.Int()
	}
	return v.Text()
}

// The lines around a message, as the elders print them.
const (
	startLine  = "------------------------- START OF SIP message debug --------------------------\n"
	headerLine = "------------------------------ SIP header diffs -------------------------------\n"
	bodyLine   = "------------------------------- SIP body diffs --------------------------------\n"
	endLine    = "-------------------------- END OF SIP message debug ---------------------------\n"
)

func (d *debugger) newMessage(a module.Args) (run.Func, error) {
	level, err := levelArg(a, 0, slog.LevelError)
	if err != nil {
		return nil, err
	}
	log := d.host.Log
	if a.Has(1) && d.host.LogTo != nil {
		to, err := d.host.LogTo(a[1].Text)
		if err != nil {
			return nil, &module.ArgError{I: 1, Err: err}
		}
		log = to.With(slog.String("module", "debugger"))
	}
	return func(c *run.Context) int {
		ctx := context.Background()
		if !log.Enabled(ctx, level) {
			return 1
		}
		text := fmt.Sprintf("CONFIG LINE %d\n%s", c.Line, d.message(c))
		for line := range strings.Lines(text) { // the log escapes line ends, so that no peer can forge a line
			log.LogAttrs(ctx, level, "dbg_sip_msg(): "+strings.TrimRight(line, "\r\n"))
		}
		return 1
	}, nil
}

// message is the message as it would be sent, and what was changed in it.
func (d *debugger) message(c *run.Context) string {
	m := c.Msg
	now := m.AppendTo(nil, &sip.PrintOptions{RequestURI: c.Main.URI}, &m.Edits)
	header, body := m.Edits.Diff(m)
	return startLine + string(now) + headerLine + header + bodyLine + body + endLine
}

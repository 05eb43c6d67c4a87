package tm

import (
	"fmt"

	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/tm"
)

// selects are @tm.method, @tm.uas.…, @tm.uac.… and @tm.uac[n].….
func (m *mod) selects() []pv.SelectDef {
	return []pv.SelectDef{{Name: "tm", Help: "the transaction: @tm.method @tm.uas.status @tm.uac.count @tm.uac[0].uri …", New: newSelect}}
}

func newSelect(parts []pv.SelectPart) (pv.Getter, error) {
	of := func(f func(*tm.Transaction) run.Value) (pv.Getter, error) {
		return func(c *run.Context) run.Value {
			if t := tm.Of(c); t != nil {
				return f(t)
			}
			return run.Null
		}, nil
	}
	name := func(i int) string {
		if i < len(parts) {
			return parts[i].Name
		}
		return ""
	}
	if len(parts) == 2 && name(1) == "method" {
		return of(func(t *tm.Transaction) run.Value { return run.Str(t.Method()) })
	}
	if len(parts) != 3 {
		return nil, fmt.Errorf("@tm has method, uas.status, uas.local_to_tag, uas.request, uas.response, uac.count, uac.relayed, uac.last_status, uac[n].status, uac[n].uri, uac[n].request, uac[n].response")
	}
	switch n := parts[1].Index; {
	case name(1) == "uas":
		switch name(2) {
		case "status":
			return of(func(t *tm.Transaction) run.Value { return run.Int(t.Status()) })
		case "local_to_tag":
			return of(func(t *tm.Transaction) run.Value { return run.Str(t.LocalTag()) })
		case "request":
			return of(func(t *tm.Transaction) run.Value { return text(t.Request()) })
		case "response":
			return of(func(t *tm.Transaction) run.Value { return text(t.LastReply()) })
		}
	case name(1) == "uac" && !parts[1].HasIndex:
		switch name(2) {
		case "count":
			return of(func(t *tm.Transaction) run.Value { return run.Int(t.Legs()) })
		case "relayed":
			return of(func(t *tm.Transaction) run.Value { _, leg := t.Winner(); return run.Int(leg) })
		case "last_status":
			return of(func(t *tm.Transaction) run.Value { code, _, _ := t.Leg(t.Legs() - 1); return run.Int(code) })
		}
	case name(1) == "uac":
		at := func(t *tm.Transaction) int {
			if n < 0 {
				return t.Legs() + n
			}
			return n
		}
		switch name(2) {
		case "status":
			return of(func(t *tm.Transaction) run.Value { code, _, _ := t.Leg(at(t)); return run.Int(code) })
		case "uri":
			return of(func(t *tm.Transaction) run.Value { _, _, uri := t.Leg(at(t)); return text(uri) })
		case "request":
			return of(func(t *tm.Transaction) run.Value { return text(t.LegRequest(at(t))) })
		case "response":
			return of(func(t *tm.Transaction) run.Value { return text(t.LegReply(at(t))) })
		}
	}
	return nil, fmt.Errorf("@tm.%s has no %s", name(1), name(2))
}

func text(s string) run.Value {
	if s == "" {
		return run.Null
	}
	return run.Str(s)
}

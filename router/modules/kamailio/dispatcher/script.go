package dispatcher

import (
	"context"
	"fmt"
	"math"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

func (d *dispatcher) functions() []module.Function {
	num := func(name string) module.Arg { return module.Arg{Name: name, Type: module.ArgInt} }
	text := func(name string) module.Arg { return module.Arg{Name: name, Type: module.ArgFormat} }
	opt := func(a module.Arg) module.Arg { a.Optional = true; return a }
	const reqs, any = run.RequestRoute | run.FailureRoute, run.AnyRoute
	const replies = run.ReplyRoute | run.CoreReplyRoute
	sel := []module.Arg{num("set"), num("algorithm"), opt(num("limit"))}
	do := func(f func(*run.Context) int) func(module.Args) (run.Func, error) {
		return func(module.Args) (run.Func, error) { return f, nil }
	}
	upd := func(next bool, mode int) func(module.Args) (run.Func, error) {
		return do(func(c *run.Context) int { return d.update(c, next, mode) })
	}
	return []module.Function{
		{Name: "ds_select", Help: "choose destinations, only for ds_set_… and ds_next_…", Args: sel[:2], In: any, New: d.newSelect(toRecords)},
		{Name: "ds_select", Help: "the same, this many at most", Args: []module.Arg{sel[0], sel[1], num("limit")}, In: reqs, New: d.newSelect(toRecords)},
		{Name: "ds_select_dst", Help: "choose a destination as the next hop", Args: sel, In: reqs, New: d.newSelect(toNextHop)},
		{Name: "ds_select_domain", Help: "choose a destination as host and port of the request URI", Args: sel, In: reqs, New: d.newSelect(toRURI)},
		{Name: "ds_select_routes", Help: "choose from several sets: SET=ALGORITHM;…", Args: []module.Arg{text("rules"), text("mode"), opt(num("limit"))}, In: reqs, New: d.newRoutes},
		{Name: "ds_next_dst", Help: "go on to the next destination as the next hop", In: reqs, New: upd(true, toNextHop)},
		{Name: "ds_next_domain", Help: "go on to the next destination as host and port of the request URI", In: reqs, New: upd(true, toRURI)},
		{Name: "ds_set_dst", Help: "take the current destination as the next hop", In: reqs, New: upd(false, toNextHop)},
		{Name: "ds_set_domain", Help: "take the current destination as host and port of the request URI", In: reqs, New: upd(false, toRURI)},
		{Name: "ds_mark_dst", Help: "give the current destination a state: i, ip, a, …", Args: []module.Arg{{Name: "state", Type: module.ArgConst, Optional: true}}, In: reqs | replies, New: d.newMark},
		{Name: "ds_is_from_list", Help: "true when the source, or a URI, is a destination", Args: []module.Arg{opt(num("set")), opt(num("mode")), opt(text("uri"))}, In: any, New: d.newIsFrom},
		{Name: "ds_list_exist", Help: "true when there is such a set", Args: []module.Arg{num("set")}, In: any, New: d.newExists},
		{Name: "ds_list_exists", Help: "true when there is such a set", Args: []module.Arg{num("set")}, In: any, New: d.newExists},
		{Name: "ds_is_active", Help: "true when a set has a destination that is up, or when this one is", Args: []module.Arg{num("set"), opt(text("uri"))}, In: any, New: d.newIsActive},
		{Name: "ds_load_update", Help: "count calls from their answers and ends", In: any, New: do(d.loadUpdate)},
		{Name: "ds_load_unset", Help: "count the call no more", In: any, New: do(d.loadUnset)},
		{Name: "ds_reload", Help: "read the destinations again", In: any, New: do(func(*run.Context) int {
			if d.reload(context.Background()) != nil {
				return -1
			}
			return 1
		})},
	}
}

// newSelect compiles ds_select, ds_select_dst and ds_select_domain.
func (d *dispatcher) newSelect(mode int) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		if err := d.checkAlgorithm(a); err != nil {
			return nil, err
		}
		return func(c *run.Context) int {
			sel := selection{mode: mode, limit: noLimit(a.Int(c, 2, 0))}
			rc := d.choose(c, &sel, a.Int(c, 0, 0), a.Int(c, 1, 0))
			if rc > 0 {
				d.keep(c, &sel)
			}
			return rc
		}, nil
	}
}

// checkAlgorithm refuses constants that cannot work.
func (d *dispatcher) checkAlgorithm(a module.Args) error {
	if !a[1].IsConst {
		return nil
	}
	switch alg := a[1].Const.Int(); {
	case alg < 0 || alg > algLatency:
		return &module.ArgError{I: 1, Err: fmt.Errorf("there is no algorithm %d; they are 0 to %d", alg, algLatency)}
	case alg == algVariable && d.hashFormat == nil:
		return &module.ArgError{I: 1, Err: fmt.Errorf(`algorithm 7 needs what to hash; set modparam("dispatcher", "hash_pvar", "$fU")`)}
	case alg == algLoad && d.calls == nil:
		return &module.ArgError{I: 1, Err: fmt.Errorf(`algorithm 10 needs counts of calls; set modparam("dispatcher", "ds_hash_size", 9)`)}
	}
	return nil
}

// noLimit turns 0 and what is below it into no limit.
func noLimit(n int) int {
	if n <= 0 {
		return math.MaxInt
	}
	return n
}

// newRoutes compiles ds_select_routes.
func (d *dispatcher) newRoutes(a module.Args) (run.Func, error) {
	if a[0].IsConst {
		if _, err := parseRules(a[0].Const.Text()); err != nil {
			return nil, &module.ArgError{I: 0, Err: err}
		}
	}
	if a[1].IsConst {
		if _, err := parseMode(a[1].Const.Text()); err != nil {
			return nil, &module.ArgError{I: 1, Err: err}
		}
	}
	return func(c *run.Context) int {
		rules, err := parseRules(a.Str(c, 0))
		if err != nil {
			return -1
		}
		mode, err := parseMode(a.Str(c, 1))
		if err != nil {
			return -1
		}
		sel := selection{limit: noLimit(a.Int(c, 2, 0))}
		best, last := -1, -1
		for _, r := range rules {
			sel.mode = mode
			if sel.pushed {
				sel.mode = toRecords
			}
			if last = d.choose(c, &sel, r.set, r.alg); last > 0 {
				best = last
			}
		}
		if best < 0 {
			return last
		}
		d.keep(c, &sel)
		return best
	}, nil
}

type rule struct{ set, alg int }

// parseRules reads "1=4;2=0".
func parseRules(s string) (list []rule, err error) {
	var r rule
	n, at := &r.set, 0
	flush := func() {
		list, r, n, at = append(list, r), rule{}, &r.set, 0
	}
	for i := range len(s) {
		switch b := s[i]; {
		case b >= '0' && b <= '9' && *n < 1<<24:
			*n, at = *n*10+int(b-'0'), at+1
		case b == '=' && n == &r.set:
			n = &r.alg
			at++
		case b == ';' && n == &r.alg:
			flush()
		default:
			return nil, fmt.Errorf("%q: want SET=ALGORITHM;SET=ALGORITHM…", s)
		}
	}
	if at > 0 {
		flush()
	}
	return list, nil
}

// parseMode reads what ds_select_routes is to change.
func parseMode(s string) (int, error) {
	if s != "" {
		switch s[0] {
		case '0', 'd', 'D':
			return toNextHop, nil
		case '1', 'r', 'R':
			return toRURI, nil
		case '2', 'x', 'X':
			return toRecords, nil
		}
	}
	return 0, fmt.Errorf("%q: want d (next hop), r (request URI) or x (records only)", s)
}

// newMark compiles ds_mark_dst.
func (d *dispatcher) newMark(a module.Args) (run.Func, error) {
	state := inactive
	if d.probingMode == probeAll {
		state |= probing
	}
	if a.Has(0) {
		var err error
		if state, err = parseState(a[0].Text); err != nil {
			return nil, &module.ArgError{I: 0, Err: err}
		}
	}
	return func(c *run.Context) int { return d.mark(c, state) }, nil
}

func yes(b bool) int {
	if b {
		return 1
	}
	return -1
}

func (d *dispatcher) newExists(a module.Args) (run.Func, error) {
	return func(c *run.Context) int { return yes(d.sets.Load().byID[a.Int(c, 0, 0)] != nil) }, nil
}

func (d *dispatcher) newIsActive(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		s := d.sets.Load().byID[a.Int(c, 0, 0)]
		if s == nil {
			return -1
		}
		uri := a.Str(c, 1)
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, x := range s.dests {
			if !out(x.flags) && (uri == "" || x.uri == uri) {
				return 1
			}
		}
		return -1
	}, nil
}

// Bits of the mode of ds_is_from_list.
const (
	anyPort = 1 << iota
	anyProto
	onlyActive
)

// newIsFrom compiles ds_is_from_list.
func (d *dispatcher) newIsFrom(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		from := place{c.Src().Addr().Unmap(), c.Src().Port(), c.Recv.Proto}
		if uri := a.Str(c, 2); uri != "" {
			u, err := sip.ParseURI(uri)
			if err != nil {
				return -1
			}
			if from, err = d.lookup(context.Background(), u.Host, written(&u)); err != nil {
				return -1
			}
		}
		return d.isFrom(c, from, a.Int(c, 0, -1), a.Int(c, 1, anyProto))
	}, nil
}

// written is the port and the protocol that a URI writes. As in Kamailio one that
// writes no protocol matches no message's, only URIs that write none either.
func written(u *sip.URI) place {
	p := place{port: u.Port, proto: transport.ProtoNone}
	if proto, ok := transport.ParseProto(u.Transport); ok {
		p.proto = proto
	} else if u.Scheme == sip.SIPS {
		p.proto = transport.TLS
	}
	return p
}

func (d *dispatcher) isFrom(c *run.Context, from place, id, mode int) int {
	for _, s := range d.sets.Load().order {
		if id != -1 && s.id != id {
			continue
		}
		for _, x := range s.dests {
			if !d.matches(s, x, from, mode) {
				continue
			}
			if id == -1 && d.setID != nil {
				d.setID(c, run.Int(s.id))
			}
			if d.text != nil && x.attrs.body != "" {
				d.text(c, run.Str(x.attrs.body))
			}
			return 1
		}
	}
	return -1
}

func (d *dispatcher) matches(s *set, x *dest, from place, mode int) bool {
	s.mu.Lock()
	at, flags := x.at, x.flags
	s.mu.Unlock()
	if flags&noLookup != 0 {
		return false
	}
	if d.dnsMode&dnsAlways != 0 {
		var err error
		if at, err = d.lookup(context.Background(), x.host, x.written); err != nil {
			return false
		}
	}
	return at.addr.IsValid() && at.addr == from.addr &&
		(mode&anyPort != 0 || at.port == 0 || at.port == from.port) &&
		(mode&anyProto != 0 || at.proto == from.proto) &&
		(mode&onlyActive == 0 || !out(flags))
}

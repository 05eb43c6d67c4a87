package dispatcher

import (
	"cmp"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"

	"sipd/router/run"
	"sipd/router/sip"
)

// The algorithms, by Kamailio's numbers.
const (
	algRoundRobin = 4
	algAuthUser   = 5
	algRandom     = 6
	algVariable   = 7
	algSerial     = 8
	algWeight     = 9
	algLoad       = 10
	algRelative   = 11
	algParallel   = 12
	algLatency    = 13
)

// What a selection changes.
const (
	toNextHop = iota
	toRURI
	toRecords
)

// selection is one call of ds_select_… on its way through one or more sets.
type selection struct {
	mode    int
	limit   int
	records []record // best first
	pushed  bool
}

// record is a destination as a message remembers it.
type record struct {
	dest *dest
	set  int
	load bool // counted by algorithm 10
}

// choose selects from one set: 1, 2 when a further branch did not fit, -1 when
// there is no destination.
func (d *dispatcher) choose(c *run.Context, sel *selection, id, alg int) int {
	if sel.mode == toNextHop && !d.forceDst && c.Main.DstURI != "" {
		return -1
	}
	s := d.sets.Load().byID[id]
	if s == nil {
		d.warn(c, "no such set of destinations", slog.Int("set", id))
		return -1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if alg == algLatency {
		return d.chooseLatency(c, sel, s)
	}
	first, turn, ok := d.first(c, s, &alg)
	if !ok {
		return -1
	}
	i, ok := d.up(s, first)
	if !ok {
		return -1
	}
	if turn {
		s.last = (i + 1) % len(s.dests)
	}
	if !d.push(c, sel, s.dests[i]) {
		return -1
	}
	if alg == algLoad {
		d.calls.put(c.Msg.CallID(), s.dests[i].attrs.duid, s.id)
		s.dests[i].load++
	}
	if alg == algParallel {
		return d.parallel(c, s, i, sel.mode)
	}
	if d.flags&flagFailover == 0 || !d.keepsRecords() {
		return 1
	}
	return d.remember(c, sel, s, i, alg)
}

// push sends the request to a destination, unless only records are wanted.
func (d *dispatcher) push(c *run.Context, sel *selection, x *dest) bool {
	if sel.mode == toRecords {
		return true
	}
	sel.pushed = true
	return d.sendTo(c, x.uri, x.sock, sel.mode)
}

// first is where an algorithm wants to begin; turn says that it goes round.
func (d *dispatcher) first(c *run.Context, s *set, alg *int) (i int, turn, ok bool) {
	n := len(s.dests)
	if d.useDefault && n != 1 {
		n--
	}
	switch *alg {
	case 0, 1, 2, 3, algAuthUser, algVariable:
		h, found, bad := d.hashOf(c, *alg)
		if bad {
			return 0, false, false
		}
		if found {
			return int(h % uint32(n)), false, true
		}
		return s.last % n, true, true
	case algRoundRobin:
		return s.last % n, true, true
	case algRandom:
		return rand.IntN(n), false, true
	case algWeight:
		i = s.wlist[s.wlast]
		s.wlast = (s.wlast + 1) % 100
	case algRelative:
		i = s.rwlist[s.rwlast]
		s.rwlast = (s.rwlast + 1) % 100
	case algLoad:
		i, ok = d.firstByLoad(c, s, alg)
		return i % n, false, ok
	case algSerial, algParallel:
	default:
		d.warn(c, "no such algorithm: the first destination is used", slog.Int("algorithm", *alg))
	}
	return i % n, false, true
}

// firstByLoad is the destination with the fewest calls. Only INVITEs count, and
// only destinations with a duid: else the first is used and nothing counted.
func (d *dispatcher) firstByLoad(c *run.Context, s *set, alg *int) (int, bool) {
	if c.Msg.Method() != sip.INVITE || !d.keepsRecords() {
		*alg = 0
		return 0, true
	}
	best := -1
	for i, x := range s.dests {
		if !out(x.flags) && !x.full() && (best < 0 || x.load < s.dests[best].load) {
			best = i
		}
	}
	if best < 0 {
		return 0, false
	}
	if s.dests[best].attrs.duid == "" || d.calls == nil {
		d.warn(c, "load is not counted: the destination has no duid, or ds_hash_size is 0", slog.String("dst", s.dests[best].uri))
		*alg = 0
	}
	return best, true
}

func (x *dest) full() bool { return x.attrs.maxload != 0 && x.load >= x.attrs.maxload }

// up is the first destination from i on that is up; the default one is the last
// resort.
func (d *dispatcher) up(s *set, first int) (int, bool) {
	n := len(s.dests)
	if d.useDefault && n != 1 {
		n--
	}
	for k := range n {
		if i := (first + k) % n; !out(s.dests[i].flags) {
			return i, true
		}
	}
	i := len(s.dests) - 1
	return i, d.useDefault && !out(s.dests[i].flags)
}

// remember keeps the destinations for failover: the chosen one, those behind
// it, those before it, the default.
func (d *dispatcher) remember(c *run.Context, sel *selection, s *set, chosen, alg int) int {
	load := alg == algLoad
	add := func(i int) bool {
		x := s.dests[i]
		if load && x.attrs.duid == "" {
			d.warn(c, "a destination has no duid, which algorithm 10 needs", slog.String("dst", x.uri))
			return false
		}
		sel.records = append(sel.records, record{x, s.id, load})
		return true
	}
	if !add(chosen) {
		return -1
	}
	last := len(s.dests) - 1
	for k := 1; k <= last && len(sel.records) < sel.limit; k++ {
		i := (chosen + k) % (last + 1)
		if x := s.dests[i]; out(x.flags) || d.useDefault && i == last || load && x.full() {
			continue
		}
		if !add(i) {
			return -1
		}
	}
	if d.useDefault && chosen != last && len(sel.records) < sel.limit && !add(last) {
		return -1
	}
	return 1
}

// parallel adds the destinations behind the chosen one to the fork set.
func (d *dispatcher) parallel(c *run.Context, s *set, chosen, mode int) int {
	from := chosen + 1
	if mode == toRecords {
		from = chosen
	}
	for _, x := range s.dests[from:] {
		b := run.Branch{URI: c.RURI(), DstURI: x.uri, Sock: x.sock, Q: run.QUnset}
		if mode == toRURI {
			u, err := c.ParsedRURI()
			if err != nil {
				return 2
			}
			b.URI, b.DstURI = x.uri, ""
			if u.User != "" {
				scheme, rest, _ := strings.Cut(x.uri, ":")
				b.URI = scheme + ":" + u.User + "@" + rest
			}
		}
		if !c.AddBranch(b) {
			return 2
		}
	}
	return 1
}

// chooseLatency goes round, and prefers destinations whose priority is not eaten
// up by their latency. The caller holds the set's mu.
func (d *dispatcher) chooseLatency(c *run.Context, sel *selection, s *set) int {
	type ranked struct{ i, priority int }
	var all []ranked
	n := len(s.dests)
	if d.useDefault && n != 1 {
		n--
	}
	for k := range n {
		i := (s.last + k) % n
		x := s.dests[i]
		if out(x.flags) {
			continue
		}
		ms := int(x.latency.estimate)
		if x.attrs.congestion {
			ms = int(x.latency.estimate - x.latency.average)
		}
		p := x.priority
		if ms > p && p > 0 {
			p = max(p-ms/p, 1)
		}
		all = append(all, ranked{i, p})
	}
	slices.SortStableFunc(all, func(a, b ranked) int { return cmp.Compare(b.priority, a.priority) })
	last := len(s.dests) - 1
	if len(all) == 0 {
		if !d.useDefault || out(s.dests[last].flags) {
			return -1
		}
		all = append(all, ranked{i: last})
	}
	s.last = (all[0].i + 1) % len(s.dests)
	if !d.push(c, sel, s.dests[all[0].i]) {
		return -1
	}
	if d.flags&flagFailover == 0 || !d.keepsRecords() {
		return 1
	}
	for _, r := range all {
		if len(sel.records) < sel.limit {
			sel.records = append(sel.records, record{s.dests[r.i], s.id, false})
		}
	}
	if d.useDefault && all[0].i != last && len(sel.records) < sel.limit {
		sel.records = append(sel.records, record{s.dests[last], s.id, false})
	}
	return 1
}

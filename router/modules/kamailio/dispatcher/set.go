package dispatcher

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"sipd/router/transport"
)

// Bits of a destination's state, as in the column flags.
const (
	inactive = 1 << iota
	trying
	disabled
	probing
	noLookup // the name of the host is not looked up

	stateBits = inactive | trying | disabled | probing
)

// out says that a destination in this state gets no requests.
func out(flags int) bool { return flags&(inactive|disabled) != 0 }

// dest is a destination. What may change is guarded by its set's mu.
type dest struct {
	uri      string
	host     string
	written  place // what the URI says; it has no address
	priority int
	attrs    attrs
	hasAttrs bool
	sock     *transport.Socket

	at       place
	flags    int
	count    int // replies or failures in a row
	load     int // calls, algorithm 10
	rweight  int
	latency  latency
	pingedAt time.Time
	seenAt   time.Time // of the address
}

// place is where a destination is, for ds_is_from_list. The address is not valid
// when the name is not looked up, the port 0 and the protocol none when nothing
// tells.
type place struct {
	addr  netip.Addr
	port  uint16
	proto transport.Proto
}

// attrs are the attributes of a destination.
type attrs struct {
	body                                       string
	duid, socket, sockname, pingFrom, outbound string
	weight, rweight, maxload                   int
	congestion                                 bool
}

// set is a group of destinations, the highest priority first.
type set struct {
	id    int
	dests []*dest

	mu sync.Mutex
	// mu guards the fields below and the changing ones of dests.
	last, wlast, rwlast int
	wlist, rwlist       [100]int
}

// list is all sets. It is replaced as a whole.
type list struct {
	byID  map[int]*set
	order []*set // as Kamailio walks through them
	root  *node
}

// node is a node of the balanced tree in which Kamailio keeps sets; it decides
// in which order they are shown and searched.
type node struct {
	set         *set
	left, right *node
	height      int
}

func newList() *list { return &list{byID: make(map[int]*set)} }

// add puts a destination into its set: before those of equal priority, as in
// Kamailio.
func (l *list) add(id int, d *dest) {
	s := l.byID[id]
	if s == nil {
		s = &set{id: id}
		l.byID[id] = s
		l.root = l.root.insert(s)
	}
	i := slices.IndexFunc(s.dests, func(o *dest) bool { return o.priority <= d.priority })
	if i < 0 {
		i = len(s.dests)
	}
	s.dests = slices.Insert(s.dests, i, d)
}

// finish readies the sets for use.
func (l *list) finish() {
	l.order = l.root.walk(nil)
	for _, s := range l.order {
		s.fillWeights()
		s.fillRelative()
	}
}

func (n *node) walk(to []*set) []*set {
	if n == nil {
		return to
	}
	return append(n.right.walk(n.left.walk(to)), n.set)
}

func (n *node) tall() int {
	if n == nil {
		return 0
	}
	return n.height
}

func (n *node) measure() { n.height = 1 + max(n.left.tall(), n.right.tall()) }

func (n *node) insert(s *set) *node {
	if n == nil {
		return &node{set: s, height: 1}
	}
	if s.id > n.set.id {
		n.right = n.right.insert(s)
	} else {
		n.left = n.left.insert(s)
	}
	return n.balance()
}

func (n *node) balance() *node {
	switch d := n.left.tall() - n.right.tall(); {
	case d > 1:
		if n.left.left.tall() < n.left.right.tall() {
			n.left = n.left.rotateLeft()
		}
		return n.rotateRight()
	case d < -1:
		if n.right.right.tall() < n.right.left.tall() {
			n.right = n.right.rotateRight()
		}
		return n.rotateLeft()
	}
	n.measure()
	return n
}

func (n *node) rotateLeft() *node {
	r := n.right
	n.right, r.left = r.left, n
	n.measure()
	r.measure()
	return r
}

func (n *node) rotateRight() *node {
	l := n.left
	n.left, l.right = l.right, n
	n.measure()
	l.measure()
	return l
}

func shuffle(a *[100]int) {
	rand.Shuffle(len(a), func(i, j int) { a[i], a[j] = a[j], a[i] })
}

// fillWeights makes the hundred draws of algorithm 9: the weight is a
// percentage, the last destination gets what is left.
func (s *set) fillWeights() {
	if s.dests[0].attrs.weight == 0 {
		return
	}
	t := 0
	for i, d := range s.dests {
		for k := 0; k < d.attrs.weight && t < 100; k++ {
			s.wlist[t] = i
			t++
		}
	}
	for ; t < 100; t++ {
		s.wlist[t] = len(s.dests) - 1
	}
	shuffle(&s.wlist)
}

// fillRelative makes the hundred draws of algorithm 11 among the destinations
// that are up. The caller holds mu, or has the set alone.
func (s *set) fillRelative() {
	if len(s.dests) < 2 {
		return
	}
	sum := 0
	for _, d := range s.dests {
		if !out(d.flags) {
			sum += d.rweight
		}
	}
	if sum == 0 {
		return
	}
	t := 0
	for i, d := range s.dests {
		if out(d.flags) {
			continue
		}
		for k := 0; k < d.rweight*100/sum && t < 100; k++ {
			s.rwlist[t] = i
			t++
		}
	}
	rest := len(s.dests) - 1
	if t > 0 {
		rest = s.rwlist[t-1]
	}
	for ; t < 100; t++ {
		s.rwlist[t] = rest
	}
	shuffle(&s.rwlist)
}

// setFlags gives a destination a state; the caller holds mu.
func (s *set) setFlags(d *dest, flags int) {
	old := d.flags
	d.flags = flags
	if d.rweight > 0 && out(old) != out(flags) {
		s.fillRelative()
	}
}

// find is the first destination with a URI, in any case of letters.
func (s *set) find(uri string) *dest {
	for _, d := range s.dests {
		if strings.EqualFold(d.uri, uri) {
			return d
		}
	}
	return nil
}

// byDUID is the first destination with a duid.
func (s *set) byDUID(duid string) *dest {
	for _, d := range s.dests {
		if strings.EqualFold(d.attrs.duid, duid) {
			return d
		}
	}
	return nil
}

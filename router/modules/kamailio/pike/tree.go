package pike

import (
	"net/netip"
	"sync"
)

// tree counts the requests of addresses by their octets: an address gets its
// own node only when the prefix that it shares with others has many requests.
// Each first octet is a branch with a mutex of its own.
type tree struct {
	max      int   // requests a unit
	timeout  int64 // seconds a node is kept
	branches [256]branch
}

type branch struct {
	mu sync.Mutex
	// mu guards the tree below.
	root *node
}

// node is an octet of addresses. hits are those that ended here without being
// all of an address, leafHits those of the whole address; [0] is the last
// unit, [1] the present one.
type node struct {
	octet          byte
	leaf, red      bool
	hits, leafHits [2]int
	expires        int64
	kids           []*node
}

const (
	prev = 0
	curr = 1
)

func over(h [2]int, limit int) bool {
	return h[prev] >= limit || h[curr] >= limit || (h[prev]+h[curr])/2 >= limit
}

func (t *tree) hot(n *node) bool { return over(n.leafHits, t.max) }

func (t *tree) warm(n *node) bool { return n.hits[curr] >= t.max/4 }

// verdict is what a request came to.
type verdict int

// The codes of pike_check_req.
const (
	fine    verdict = 1
	blocked verdict = -1 // over the limit, as before
	blocks  verdict = -2 // over the limit from now on
)

// maxHits keeps the counters from overflowing.
const maxHits = 1 << 30

// mark counts a request of an address at a time in seconds.
func (t *tree) mark(addr netip.Addr, now int64) verdict {
	var space [16]byte
	octets := space[:0]
	if addr.Is4() {
		a := addr.As4()
		octets = append(octets, a[:]...)
	} else {
		a := addr.As16()
		octets = append(octets, a[:]...)
	}
	b := &t.branches[octets[0]]
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.root == nil {
		b.root = &node{octet: octets[0], hits: [2]int{0, 1}, expires: now + t.timeout}
		return fine
	}
	n, depth := b.root, 1
	for depth < len(octets) {
		k := n.kid(octets[depth])
		if k == nil {
			break
		}
		n, depth = k, depth+1
	}
	if depth == len(octets) {
		return t.markLeaf(n, now)
	}
	n.hits[curr] = min(n.hits[curr]+1, maxHits)
	if over(n.hits, t.max/4) {
		k := &node{octet: octets[depth], expires: now + t.timeout}
		k.hits[curr] = max(n.hits[curr]-1, 0) // as Kamailio: it inherits
		n.kids = append(n.kids, k)
	} else if t.warm(n) {
		n.expires = now + t.timeout
	}
	return fine
}

func (t *tree) markLeaf(n *node, now int64) verdict {
	n.leaf = true
	n.leafHits[curr] = min(n.leafHits[curr]+1, maxHits)
	n.expires = now + t.timeout
	switch {
	case n.red:
		return blocked
	case t.hot(n):
		n.red = true
		return blocks
	}
	return fine
}

func (n *node) kid(octet byte) *node {
	for _, k := range n.kids {
		if k.octet == octet {
			return k
		}
	}
	return nil
}

// next begins the next unit and forgets what was quiet for long. freed is
// called for each address that is not blocked any more.
func (t *tree) next(now int64, freed func(netip.Addr)) {
	var path [16]byte
	for i := range t.branches {
		b := &t.branches[i]
		b.mu.Lock()
		if b.root != nil && !t.refresh(b.root, path[:0], now, freed) {
			b.root = nil
		}
		b.mu.Unlock()
	}
}

// refresh says whether the node stays.
func (t *tree) refresh(n *node, path []byte, now int64, freed func(netip.Addr)) bool {
	path = append(path, n.octet)
	n.hits = [2]int{n.hits[curr], 0}
	n.leafHits = [2]int{n.leafHits[curr], 0}
	if n.red && !t.hot(n) {
		n.red = false
		freed(address(path))
	}
	had := len(n.kids)
	kept := n.kids[:0]
	for _, k := range n.kids {
		if t.refresh(k, path, now, freed) {
			kept = append(kept, k)
		}
	}
	clear(n.kids[len(kept):])
	n.kids = kept
	if had > 0 && len(kept) == 0 && !n.leaf {
		n.expires = now + t.timeout
	}
	if n.expires > now {
		return true
	}
	n.leaf = false
	return len(kept) > 0
}

func address(path []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(path)
	return a
}

// each calls f for every whole address that is known.
func (t *tree) each(f func(addr netip.Addr, n *node)) {
	for i := range t.branches {
		b := &t.branches[i]
		b.mu.Lock()
		if b.root != nil {
			b.root.each(nil, f)
		}
		b.mu.Unlock()
	}
}

func (n *node) each(path []byte, f func(netip.Addr, *node)) {
	path = append(path[:len(path):len(path)], n.octet)
	if n.leaf {
		f(address(path), n)
	}
	for _, k := range n.kids {
		k.each(path, f)
	}
}

package mtree

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sipd/router/run"
)

const (
	textTree = iota
	weightTree
	numberTree
)

const (
	maxDepth = 64 // octets of a prefix, Kamailio's own
	maxDests = 64 // destinations of one match
)

// tree is the prefixes of one name. It does not change once it is loaded.
type tree struct {
	name    string
	kind    int
	head    *node
	nodes   int
	items   int
	octets  int // of texts, with their ends
	reloads int
	loaded  int64
}

// node has a cell for each character of the list.
type node struct{ cells []cell }

type cell struct {
	values []run.Value // newest first
	dests  []dest
	child  *node
}

type dest struct{ id, weight int }

func (t *tree) node(size int) *node {
	t.nodes++
	return &node{make([]cell, size)}
}

// add puts a value to a prefix. ignore and allow say what becomes of a second one.
func (t *tree) add(chars, prefix, text string, ignore, allow bool) error {
	if prefix == "" || text == "" {
		return nil // passed over, as in Kamailio
	}
	if len(prefix) >= maxDepth {
		return fmt.Errorf("the prefix %q has more than %d characters", prefix, maxDepth-1)
	}
	v := run.Str(text)
	if t.kind == numberTree {
		n, ok := run.ParseInt(text)
		if !ok {
			return fmt.Errorf("the value %q of %s is not a number", text, prefix)
		}
		v = run.Int(n)
	}
	if t.head == nil {
		t.head = t.node(len(chars))
	}
	at := t.head
	for i := 0; ; i++ {
		k := strings.IndexByte(chars, prefix[i])
		if k < 0 {
			return fmt.Errorf("the prefix %q has a character that is not in char_list %q", prefix, chars)
		}
		c := &at.cells[k]
		if i == len(prefix)-1 {
			return t.put(c, prefix, v, ignore, allow)
		}
		if c.child == nil {
			c.child = t.node(len(chars))
		}
		at = c.child
	}
}

func (t *tree) put(c *cell, prefix string, v run.Value, ignore, allow bool) error {
	if len(c.values) > 0 && ignore {
		return nil
	}
	if len(c.values) > 0 && !allow {
		return fmt.Errorf("the prefix %s of %s is there twice; set mt_allow_duplicates or mt_ignore_duplicates", prefix, t.name)
	}
	if v.IsStr() {
		t.items++
		t.octets += len(v.Text()) + 1
	}
	c.values = slices.Insert(c.values, 0, v)
	if t.kind == weightTree {
		c.dests = dests(v.Text())
	}
	return nil
}

// dests reads "1=20;2=30": the last one stands first, as in Kamailio.
func dests(text string) []dest {
	var out []dest
	for part := range strings.SplitSeq(strings.TrimSuffix(text, ";"), ";") {
		id, weight, _ := strings.Cut(strings.TrimSpace(part), "=")
		n, _ := strconv.Atoi(strings.TrimSpace(id))
		w, _ := strconv.Atoi(strings.TrimSpace(weight))
		out = append(out, dest{n, w})
	}
	slices.Reverse(out)
	return out
}

// walk calls f for the cells on the way of a text; it answers how many there
// were, and false when a character is not in the list.
func (t *tree) walk(chars, text string, f func(depth int, c *cell)) (int, bool) {
	at, i := t.head, 0
	for ; at != nil && i < len(text) && i < maxDepth; i++ {
		k := strings.IndexByte(chars, text[i])
		if k < 0 {
			return i, false
		}
		f(i+1, &at.cells[k])
		at = at.cells[k].child
	}
	return i, true
}

// longest is the value of the longest prefix, and how far the way went.
func (t *tree) longest(chars, text string) (v run.Value, depth int) {
	depth, ok := t.walk(chars, text, func(_ int, c *cell) {
		if len(c.values) > 0 {
			v = c.values[0]
		}
	})
	if !ok {
		return run.Null, depth
	}
	return v, depth
}

// weighted are the destinations of all prefixes, heaviest first; of one that is
// there several times the one of the longest prefix. n counts those too.
func (t *tree) weighted(chars, text string) (out []dest, n int) {
	var all []dest
	_, ok := t.walk(chars, text, func(_ int, c *cell) {
		all = append(all, c.dests[:min(len(c.dests), maxDests-len(all))]...)
	})
	if !ok || len(all) == 0 {
		return nil, 0
	}
	for i, d := range all {
		if d.id != 0 && !slices.ContainsFunc(all[i+1:], func(x dest) bool { return x.id == d.id }) {
			out = append(out, d)
		}
	}
	slices.SortStableFunc(out, func(a, b dest) int { return b.weight - a.weight })
	return out, len(all)
}

// each calls f for every prefix in the order of the list of characters.
func (n *node) each(chars, prefix string, f func(prefix string, c *cell)) {
	if n == nil {
		return
	}
	for i := range n.cells {
		p := prefix + chars[i:i+1]
		if len(n.cells[i].values) > 0 {
			f(p, &n.cells[i])
		}
		n.cells[i].child.each(chars, p, f)
	}
}

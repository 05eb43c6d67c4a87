package mi

import (
	"fmt"

	"sipd/rpc"
)

// The commands of the modules that keep tables: domain, dispatcher,
// permissions, htable, mtree, pike, rtpproxy.

// domainNames writes the served domains.
func domainNames(t *Tree, c *rpc.Call) {
	for v := range c.Values() {
		for d := range elements(member(members(v), "domains")) {
			t.Node(0, "", field(members(d), "domain"))
		}
	}
}

// destinations writes the sets of destinations. A destination that is tried
// out, and in use or not, is P.
func destinations(t *Tree, c *rpc.Call) {
	for v := range c.Values() {
		t.Node(0, "SET_NO", field(members(v), "NRSETS"))
		for s := range elements(member(members(v), "RECORDS")) {
			t.Node(0, "SET", field(members(s), "ID"))
			for d := range elements(member(members(s), "TARGETS")) {
				dest := members(d)
				flag := "A"
				switch flags := field(dest, "FLAGS") + "  "; {
				case flags[0] == 'I' || flags[0] == 'D':
					flag = "I"
				case flags[1] == 'P':
					flag = "P"
				}
				t.Node(1, "URI", field(dest, "URI"), "flag", flag, "priority", field(dest, "PRIORITY"),
					"attrs", field(members(member(dest, "ATTRS")), "BODY"))
			}
		}
	}
}

// stateForm is ds_set_state's: a state, of which 0 and I... are out of use and
// all others in use, a set, a destination.
func stateForm(args []string) ([]string, *Reply) {
	switch {
	case len(args) < 3:
		return nil, wrongCount
	case args[0] == "":
		return nil, &Reply{Code: 500, Reason: "bad state value"}
	case !isNumber(args[1]):
		return nil, &Reply{Code: 500, Reason: "bad group value"}
	}
	state := "a"
	switch args[0][0] {
	case '0', 'I', 'i':
		state = "i"
	}
	return []string{state, args[1], args[2]}, nil
}

// addresses writes what address_dump shows: group, address and port.
func addresses(t *Tree, c *rpc.Call) {
	for v := range c.Values() {
		a := members(v)
		item := members(member(a, "item"))
		t.Node(0, "", fmt.Sprintf("%4s <%s, %s, %s> [%s]", field(a, "table"), field(a, "group"), field(item, "ip"), field(item, "port"), field(item, "tag")))
	}
}

// networks writes what subnet_dump shows: group, network, bits and port.
func networks(t *Tree, c *rpc.Call) {
	for v := range c.Values() {
		a := members(v)
		item := members(member(a, "item"))
		t.Node(0, "", fmt.Sprintf("%4s <%s, %s, %s, %s> [%s]", field(a, "id"), field(a, "group"), field(item, "ip"), field(item, "mask"), field(item, "port"), field(item, "tag")))
	}
}

// trusted writes what trusted_dump shows: address, protocol, pattern and tag.
func trusted(t *Tree, c *rpc.Call) {
	shown := func(s rpc.Struct, name string) string {
		if v := text(member(s, name)); v != "" {
			return v
		}
		return "NULL"
	}
	for v := range c.Values() {
		item := members(member(members(v), "item"))
		t.Node(0, "", fmt.Sprintf("%4s <%s, %s, %s, %s>", field(members(v), "table"), field(item, "ip"), field(item, "proto"), shown(item, "pattern"), shown(item, "tag")))
	}
}

var allowed = told(map[string]*Reply{"Denied": {Code: 403, Reason: "Forbidden"}})

// hashTable writes a node for each slot that holds items, and below it those.
func hashTable(t *Tree, c *rpc.Call) {
	for v := range c.Values() {
		t.Node(0, "Entry", field(members(v), "entry"))
		for e := range elements(member(members(v), "slot")) {
			item := members(e)
			t.Node(1, text(member(item, "name")), text(member(item, "value")))
		}
	}
}

var hashFaults = instead(map[string]string{"No such htable": "500 no such hash table", "": "500 ERROR Reloading data"})

// hashForm is that of the commands of hash tables: a name.
func hashForm(args []string) ([]string, *Reply) {
	switch {
	case len(args) < 1:
		return nil, wrongCount
	case args[0] == "":
		return nil, &Reply{Code: 500, Reason: "bad hash table name"}
	}
	return args[:1], nil
}

// prefixes writes the entries of prefix trees.
func prefixes(t *Tree, c *rpc.Call) {
	for v := range c.Values() {
		e := members(v)
		attrs := []string{"TNAME", field(e, "tname"), "TPREFIX", field(e, "tprefix")}
		for value := range elements(member(e, "tvalue")) {
			attrs = append(attrs, "TVALUE", text(value))
		}
		t.Node(0, "MT", "", attrs...)
	}
}

// trees writes figures of prefix trees.
func trees(t *Tree, c *rpc.Call) {
	for v := range c.Values() {
		item := members(member(members(v), "item"))
		t.Node(0, "MT", "", "TNAME", field(members(v), "table"), "MEMSIZE", field(item, "memsize"),
			"NRNODES", field(item, "nrnodes"), "NRITEMS", field(item, "nritems"))
	}
}

// blocked writes the addresses that send too much.
func blocked(t *Tree, c *rpc.Call) {
	for v := range c.Values() {
		for e := range elements(member(members(v), "list")) {
			t.Node(0, "", field(members(e), "ip_addr"))
		}
	}
}

// relays writes the media relays.
func relays(t *Tree, c *rpc.Call) {
	for v := range c.Values() {
		r := members(v)
		t.Node(0, field(r, "url"), "", "set", field(r, "setid"))
		t.Node(1, "index", field(r, "index"))
		t.Node(1, "disabled", field(r, "disabled"))
		t.Node(1, "weight", field(r, "weight"))
		t.Node(1, "recheck_ticks", field(r, "recheck"))
	}
}

// switchForm is the form of a command whose argument i is a number, and which
// reads no argument behind it.
func switchForm(i int) func([]string) ([]string, *Reply) {
	return func(args []string) ([]string, *Reply) {
		if len(args) <= i {
			return nil, wrongCount
		}
		if args[0] == "" || !isAnyNumber(args[i]) {
			return nil, badArgument
		}
		return args[:i+1], nil
	}
}

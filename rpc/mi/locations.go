package mi

import (
	"fmt"
	"strconv"
	"strings"

	"sipd/rpc"
)

// The commands of usrloc.

var locationFaults = instead(map[string]string{
	"Domain table not found": "404 Table not found",
	"Domain missing in AOR":  "400 Domain missing in AOR",
	"AOR not found":          "404 AOR not found",
	"Contact not found":      "404 Contact not found",
})

// addForm is ul_add's: table, AOR, contact, expires, q, path, flags, branch
// flags, methods.
func addForm(args []string) ([]string, *Reply) {
	if len(args) != 9 {
		return nil, wrongCount
	}
	if q, err := strconv.ParseFloat(args[4], 64); err != nil || q < 0 || q > 1 {
		return nil, badArgument
	}
	for _, i := range []int{3, 6, 7, 8} {
		if !isNumber(args[i]) {
			return nil, badArgument
		}
	}
	return args, nil
}

// dumpForm is ul_dump's: "brief", or what is not it.
func dumpForm(args []string) ([]string, *Reply) {
	switch {
	case len(args) > 1:
		return nil, wrongCount
	case len(args) == 1 && strings.EqualFold(args[0], "brief"):
		return []string{"brief"}, nil
	}
	return nil, nil
}

// domains writes the location tables: a node a table, below it its addresses of
// record and their contacts.
func domains(t *Tree, c *rpc.Call) {
	for v := range c.Values() {
		for d := range elements(member(members(v), "Domains")) {
			domain := members(d)
			stats := members(member(domain, "Stats"))
			t.Node(0, "Domain", field(domain, "Domain"), "table", field(domain, "Size"),
				"records", field(stats, "Records"), "max_slot", field(stats, "Max-Slots"))
			for r := range elements(member(domain, "AoRs")) {
				record, detailed := r.(rpc.Struct)
				if !detailed {
					t.Node(1, "AOR", text(r))
					continue
				}
				t.Node(1, "AOR", field(record, "AoR"))
				for contact := range elements(member(record, "Contacts")) {
					t.location(members(contact))
				}
			}
		}
	}
}

// location writes a contact of ul_dump; "Cflag" is the elders' name.
func (t *Tree) location(c rpc.Struct) {
	t.Node(2, "Contact", field(c, "Address"), "Q", preference(c))
	t.Node(3, "Expires", field(c, "Expires"))
	t.Node(3, "Callid", field(c, "Call-ID"))
	t.Node(3, "Cseq", field(c, "CSeq"))
	for _, m := range [][2]string{{"User-agent", "User-Agent"}, {"Received", "Received"}, {"Path", "Path"}} {
		if v := set(c, m[1]); v != "" {
			t.Node(3, m[0], v)
		}
	}
	t.Node(3, "State", field(c, "State"))
	t.Node(3, "Flags", unsigned(c, "Flags"))
	t.Node(3, "Cflag", unsigned(c, "CFlags"))
	if v := set(c, "Socket"); v != "" {
		t.Node(3, "Socket", v)
	}
	t.Node(3, "Methods", unsigned(c, "Methods"))
}

// set is a member that may be "[not set]".
func set(c rpc.Struct, name string) string {
	if v := text(member(c, name)); v != "[not set]" {
		return v
	}
	return ""
}

func bits(c rpc.Struct, name string) uint32 {
	n, _ := member(c, name).(rpc.Int)
	return uint32(n)
}

func unsigned(c rpc.Struct, name string) string {
	return strconv.FormatUint(uint64(bits(c, name)), 10)
}

// preference is q with as many decimals as it has, "" when it is not set.
func preference(c rpc.Struct) string {
	if q, ok := member(c, "Q").(rpc.Double); ok {
		return text(q)
	}
	return ""
}

// valid replaces the reply when no contact is: all have ended.
func valid(c *rpc.Call) *Reply {
	for v := range c.Values() {
		for contact := range elements(member(members(v), "Contacts")) {
			if field(members(contact), "Expires") != "expired" {
				return nil
			}
		}
	}
	return &Reply{Code: 404, Reason: "AOR has no contacts"}
}

// contactLines writes the contacts of an address of record, a line each.
func contactLines(t *Tree, c *rpc.Call) {
	for v := range c.Values() {
		for e := range elements(member(members(v), "Contacts")) {
			contact := members(e)
			expires := field(contact, "Expires")
			switch expires {
			case "expired":
				continue
			case "permanent":
				expires = "0"
			}
			socket := set(contact, "Socket")
			if socket == "" {
				socket = "NULL"
			}
			line := fmt.Sprintf("<%s>;q=%s;expires=%s;flags=0x%X;cflags=0x%X;socket=<%s>;methods=0x%X", field(contact, "Address"),
				preference(contact), expires, bits(contact, "Flags"), bits(contact, "CFlags"), socket, bits(contact, "Methods"))
			for _, m := range [][2]string{{"received", "Received"}, {"user_agent", "User-Agent"}, {"path", "Path"}} {
				if v := set(contact, m[1]); v != "" {
					line += ";" + m[0] + "=<" + v + ">"
				}
			}
			t.Node(0, "Contact", line)
		}
	}
}

package shell

import (
	"slices"
	"strings"
	"testing"

	"sipd/rpc"
)

// TestCompleteValues: tables, keys and values of the live daemon, of what was
// typed before.
func TestCompleteValues(t *testing.T) {
	var asked []string
	f := &fake{answer: func(method string, args []rpc.Value) ([]rpc.Value, error) {
		line := method
		for _, a := range args {
			if s, ok := a.(rpc.String); ok {
				line += " " + string(s)
			}
		}
		asked = append(asked, line)
		domain := func(members ...rpc.Member) []rpc.Value {
			d := append(rpc.Struct{rpc.M("Domain", rpc.String("location"))}, members...)
			return []rpc.Value{rpc.Struct{rpc.M("Domains", rpc.Items{rpc.M("Domain", d)})}}
		}
		switch line {
		case "system.listMethods":
			return []rpc.Value{rpc.String("ul.lookup"), rpc.String("core.ps")}, nil
		case "ul.dump brief ":
			return domain(), nil
		case "ul.dump brief al*":
			return domain(rpc.M("AoRs", rpc.Items{rpc.M("AoR", rpc.String("alice")), rpc.M("AoR", rpc.String("al b"))})), nil
		case "ul.lookup location alice":
			return []rpc.Value{rpc.Struct{rpc.M("Contacts", rpc.Items{rpc.M("Contact", rpc.Struct{rpc.M("Address", rpc.String("sip:alice@192.0.2.1"))})})}}, nil
		case "htable.listTables":
			return []rpc.Value{rpc.Struct{rpc.M("name", rpc.String("a"))}, rpc.Struct{rpc.M("name", rpc.String("b"))}}, nil
		case "cfg.list":
			return []rpc.Value{rpc.String("core: debug")}, nil
		case "cfg.get core debug":
			return []rpc.Value{rpc.Int(3)}, nil
		case "stats.fetch all":
			return []rpc.Value{rpc.Struct{rpc.M("core.rcv_requests", rpc.String("7"))}}, nil
		}
		return nil, &rpc.Fault{Code: 500, Text: "no"}
	}}
	for _, tt := range []struct{ line, want string }{
		{"ul.lookup lo", "location |"},
		{"ul.lookup location al", "'al b' |alice |"},
		{"ul.rm_contact location alice s", "sip:alice@192.0.2.1 |"},
		{"htable.dump ", "a |b |"},
		{"cfg.set_now_int core debug ", "3 |"},
		{"stats.fetch core.", "core.rcv_requests |"},
		{"stats.fetch a", "all |"},
		{"dispatcher.set_state a", "a |ap |"},
		{"system.methodHelp c", "core.ps |"},
		{"watch -n 2 ul.lookup lo", "location |"},
		{"watch ul", "ul.lookup |"},
		{"htable.get a k", ""},
	} {
		s, _, _ := shellOn(f, "sipcmd")
		_, got := s.Complete(t.Context(), tt.line)
		if all := strings.Join(got, "|"); all != strings.TrimSuffix(tt.want, "|") {
			t.Errorf("%q completes to %q, want %q; asked %q", tt.line, all, tt.want, asked)
		}
	}
	// The elders complete what they always did.
	asked = nil
	s, _, _ := shellOn(f, "kamcmd")
	if _, got := s.Complete(t.Context(), "ul.lookup lo"); len(got) > 0 || slices.Contains(asked, "ul.dump brief ") {
		t.Errorf("kamcmd completes to %q and asks %q", got, asked)
	}
}

// TestSignature: where a method's parameters are learnt from.
func TestSignature(t *testing.T) {
	describe := rpc.Struct{
		rpc.M("help", rpc.String("Does it.")), rpc.M("example", rpc.String("a 1")),
		rpc.M("params", rpc.Array{
			rpc.Struct{rpc.M("name", rpc.String("who")), rpc.M("type", rpc.String("string")), rpc.M("help", rpc.String("a user"))},
			rpc.Struct{rpc.M("name", rpc.String("n")), rpc.M("type", rpc.String("int")), rpc.M("optional", rpc.Bool(true)), rpc.M("rest", rpc.Int(1))},
		}),
	}
	for _, tt := range []struct {
		name, method, want string
		answers            map[string]rpc.Value
	}{
		{"described", "m", " who [n...]", map[string]rpc.Value{"system.describe": describe}},
		{"described without parameters", "m", "", map[string]rpc.Value{"system.describe": rpc.Struct{rpc.M("params", rpc.Struct{})}}},
		{"signatures", "m", " text number", map[string]rpc.Value{"system.methodSignature": rpc.Array{
			rpc.Array{rpc.String("array"), rpc.String("string")},
			rpc.Array{rpc.String("array"), rpc.String("string"), rpc.String("int")},
		}}},
		{"one signature", "m", " number", map[string]rpc.Value{"system.methodSignature": rpc.Array{rpc.String("nil"), rpc.String("double")}}},
		{"the table", "ul.lookup", " table aor", nil},
		{"the table, repeated", "stats.fetch", " stat...", nil},
	} {
		f := &fake{answer: func(method string, _ []rpc.Value) ([]rpc.Value, error) {
			if v := tt.answers[method]; v != nil {
				return []rpc.Value{v}, nil
			}
			return nil, &rpc.Fault{Code: 500, Text: "no"}
		}}
		s, _, _ := shellOn(f, "sipcmd")
		g, ok := s.signatureOf(t.Context(), tt.method)
		if !ok || g.usage() != tt.want {
			t.Errorf("%s: %q, %v, want %q", tt.name, g.usage(), ok, tt.want)
		}
	}
	s, _, _ := shellOn(&fake{answer: echo}, "sipcmd")
	if g, ok := s.signatureOf(t.Context(), "no.such"); ok {
		t.Errorf("a method that nobody knows has the signature %q", g.usage())
	}
}

// TestKnown: every line of the table is one that can be read.
func TestKnown(t *testing.T) {
	for line := range strings.Lines(known) {
		method, params, _ := strings.Cut(strings.TrimSpace(line), " ")
		g, ok := lookupKnown(method)
		if !ok || len(g.params) != len(strings.Fields(params)) {
			t.Errorf("%q reads as %+v", line, g)
		}
		for _, p := range g.params {
			if !strings.ContainsRune("sdfa", rune(p.kind)) || p.name == "" {
				t.Errorf("%q: parameter %+v", line, p)
			}
		}
	}
}

package usrloc

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sipd/router/module/moduletest"
	"sipd/router/usrloc"
	"sipd/rpc"
	"sipd/rpc/rpctest"
)

// memory is a rig without a database, with the contacts of the recordings.
func memory(t *testing.T) *moduletest.Rig {
	t.Helper()
	m := New().(*mod)
	r := moduletest.New(t, m)
	r.Param("usrloc", "preload", "location").Start()
	now := time.Now().Unix()
	for i, aor := range []string{"alice", "bob", "bob"} {
		add(t, m, aor, usrloc.Info{
			URI: fmt.Sprintf("sip:%s@127.0.0.1:1608%d", aor, i), CallID: "reg", CSeq: 1, UserAgent: "ua", Socket: "udp:127.0.0.1:16060",
			Expires: now + 3600, Modified: now, Q: 700, Conn: -1, Methods: usrloc.AllMethods, RegID: 1, Instance: "<urn:x>",
		})
	}
	return r
}

// answer shows an answer as the recordings do; streams are walked.
func answer(r *moduletest.Rig, method string, args ...rpc.Value) string {
	vals, err := r.RPCCall(method, args...)
	if err != nil {
		f := rpc.AsFault(err)
		return rpctest.Show([]rpc.Value{rpc.Int(f.Code), rpc.String(f.Text)})
	}
	built, err := rpc.Gather(func(yield func(rpc.Token, error) bool) {
		for tok := range rpc.Tokens(slices.Values(vals)) {
			if !yield(tok, nil) {
				return
			}
		}
	})
	if err != nil {
		return err.Error()
	}
	for i := range built {
		built[i] = plain(built[i])
	}
	return rpctest.Show(built)
}

// plain makes lists with names structures, as BinRPC shows them.
func plain(v rpc.Value) rpc.Value {
	members := func(ms []rpc.Member) rpc.Struct {
		out := make(rpc.Struct, len(ms))
		for i, m := range ms {
			out[i] = rpc.M(m.Name, plain(m.Value))
		}
		return out
	}
	switch v := v.(type) {
	case rpc.Struct:
		return members(v)
	case rpc.Items:
		return members(v)
	}
	return v
}

// TestRecorded makes every recorded call: names, types and order, and the
// faults as they are.
func TestRecorded(t *testing.T) {
	r := memory(t)
	for _, file := range []string{"ul.add.txt", "ul.lookup.txt", "ul.rm.txt", "ul.flush.txt", "ul.db_users.txt", "ul.db_contacts.txt", "ul.db_expired_contacts.txt"} {
		for _, rec := range rpctest.Calls(t, file) {
			if strings.HasPrefix(rec.Decoded, "int 500\nstr 'Not enough parameters") {
				continue // binding is tested where it is done
			}
			got, want := answer(r, rec.Method, rec.Args...), rec.Decoded
			if !rec.Fault {
				got, want = rpctest.Shape(got), rpctest.Shape(want)
			}
			if got != want {
				t.Errorf("%s answers\n%s\nwant\n%s", rec.Title, got, want)
			}
		}
	}
	rec := rpctest.Calls(t, "ul.rm_contact.txt")[1]
	if got := answer(r, rec.Method, rec.Args...); got != rec.Decoded {
		t.Errorf("%s answers\n%s\nwant\n%s", rec.Title, got, rec.Decoded)
	}
}

// TestDumpAsRecorded compares one address of record with two contacts.
func TestDumpAsRecorded(t *testing.T) {
	r := memory(t)
	want, _, _ := strings.Cut(rpctest.Shape(rpctest.Calls(t, "ul.dump.txt")[0].Decoded), "      avp 'Info'\n")
	got, _, _ := strings.Cut(rpctest.Shape(answer(r, "ul.dump")), "      avp 'Info'\n")
	if got != want {
		t.Errorf("ul.dump begins\n%s\nwant\n%s", got, want)
	}
}

func TestDumpSelection(t *testing.T) {
	r := memory(t)
	s := func(v string) rpc.Value { return rpc.String(v) }
	for _, tt := range []struct {
		args []rpc.Value
		want []string
	}{
		{nil, []string{"bob", "alice"}},
		{[]rpc.Value{s("brief")}, []string{"bob", "alice"}},
		{[]rpc.Value{s(""), s("ali*")}, []string{"alice"}},
		{[]rpc.Value{s("brief"), s("o")}, []string{"bob"}},
		{[]rpc.Value{s("brief"), s(""), rpc.Int(1)}, []string{"bob"}},
		{[]rpc.Value{s("brief"), s("nobody")}, nil},
	} {
		vals, err := r.RPCCall("ul.dump", tt.args...)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // ranged over again, a stream starts afresh
			var got []string
			name := ""
			for tok := range rpc.Tokens(slices.Values(vals)) {
				if name == "AoR" {
					got = append(got, string(tok.Value.(rpc.String)))
				}
				name = tok.Name
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("ul.dump %v lists %v, want %v", tt.args, got, tt.want)
			}
		}
	}
}

func TestSERNames(t *testing.T) {
	r := memory(t)
	s := func(v string) rpc.Value { return rpc.String(v) }
	n := func(v int) rpc.Value { return rpc.Int(v) }
	shown := func(uri, q, expires string) string {
		return "struct {\n  avp 'contact'\n  str '" + uri + "'\n  avp 'q'\n  double " + q + "\n  avp 'expires'\n  " + expires +
			"\n  avp 'ua'\n  str 'kamailio SIP Router - RPC Server'\n  avp 'recv'\n  str ''\nstruct }"
	}
	carol := []rpc.Value{s("location"), s("carol")}
	for _, tt := range []struct {
		method string
		args   []rpc.Value
		want   string
	}{
		{"usrloc.stats", nil, "struct {\n  avp 'domain'\n  str 'location'\n  avp 'users'\n  int 2\n  avp 'expired'\n  int 0\nstruct }"},
		{"usrloc.show_contacts", carol, "int 404\nstr 'AOR not found'"},
		{"usrloc.add_contact", append(carol[:2:2], s("sip:c@h"), n(0), rpc.Double(0.5), n(0), n(0)), ""},
		{"usrloc.show_contacts", carol, shown("sip:c@h", "0.5", "str 'never'")},
		{"usrloc.delete_contact", append(carol[:2:2], s("sip:x@h")), "int 404\nstr 'Contact not found'"},
		{"usrloc.delete_contact", append(carol[:2:2], s("sip:c@h")), ""},
		{"usrloc.delete_uid", []rpc.Value{s("location"), s("bob")}, ""},
		{"usrloc.show_contacts", []rpc.Value{s("location"), s("bob")}, "int 404\nstr 'AOR not found'"},
		{"usrloc.show_contacts", []rpc.Value{s("nosuch"), s("bob")}, "int 500\nstr 'Domain table not found'"},
		{"usrloc.flush", nil, ""},
		{"usrloc.dump_file", []rpc.Value{s("/tmp/x")}, "int 500\nstr 'files are not written for callers; use: sipcmd -o json ul.dump >FILE'"},
	} {
		if got := answer(r, tt.method, tt.args...); got != tt.want {
			t.Errorf("%s %v answers\n%s\nwant\n%s", tt.method, tt.args, got, tt.want)
		}
	}
}

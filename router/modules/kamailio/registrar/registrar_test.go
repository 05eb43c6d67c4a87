package registrar

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sipd/router/module/moduletest"
	"sipd/router/modules/kamailio/usrloc"
	"sipd/router/run"
	table "sipd/router/usrloc"
)

// rig is a daemon with usrloc and registrar.
func newRig(t testing.TB, params ...any) *moduletest.Rig {
	t.Helper()
	r := moduletest.New(t, usrloc.New(), New())
	r.At = time.Now()
	for i := 0; i < len(params); i += 3 {
		r.Param(params[i].(string), params[i+1].(string), params[i+2])
	}
	return r
}

var cseq int

// register is a REGISTER with header lines.
func register(user, callID string, lines ...string) string {
	cseq++
	return fmt.Sprintf("REGISTER sip:127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%d\nFrom: <sip:%s@127.0.0.1>;tag=1\nTo: <sip:%s@127.0.0.1>\nCall-ID: %s\nCSeq: %d REGISTER\n%s\n",
		cseq, user, user, callID, cseq, strings.Join(append(lines, "\n"), "\n"))
}

// step is one REGISTER and what comes back, as Kamailio 5.6.3 answered.
type step struct {
	name, user, callID string
	lines              []string
	rc, code           int
	want               []string // lines of the reply
}

func runSteps(t *testing.T, r *moduletest.Rig, flags string, steps []step) {
	t.Helper()
	for _, s := range steps {
		r.Message(register(s.user, s.callID, s.lines...))
		rc := r.Call("save", "location", flags)
		if len(r.Replies) == 0 {
			t.Fatalf("%s: no reply", s.name)
		}
		got := r.Replies[len(r.Replies)-1]
		want := ""
		if len(s.want) > 0 {
			want = strings.Join(s.want, "\r\n") + "\r\n"
		}
		if rc != s.rc || got.Code != s.code || got.Extra != want {
			t.Errorf("%s: code %d, reply %d %s\n%s\nwant code %d, reply %d\n%s", s.name, rc, got.Code, got.Reason, got.Extra, s.rc, s.code, want)
		}
	}
}

const a2a1 = "Contact: <sip:a2@10.0.0.2>;q=0.7;expires=90, <sip:a1@10.0.0.1>;expires=100"

func TestSave(t *testing.T) {
	r := newRig(t, "registrar", "max_contacts", 3)
	runSteps(t, r, "0", []step{
		{"none", "alice", "c1", nil, 4, 200, nil},
		{"add", "alice", "c1", []string{"Contact: <sip:a1@10.0.0.1>"}, 1, 200, []string{"Contact: <sip:a1@10.0.0.1>;expires=3600"}},
		{"refresh", "alice", "c1", []string{"Contact: <sip:a1@10.0.0.1>;expires=100"}, 2, 200, []string{"Contact: <sip:a1@10.0.0.1>;expires=100"}},
		{"q", "alice", "c2", []string{"Contact: <sip:a2@10.0.0.2>;q=0.7;expires=90"}, 1, 200, []string{a2a1}},
		{"bad q", "alice", "c2", []string{"Contact: <sip:a2@10.0.0.2>;q=x"}, -1, 400, []string{a2a1, "P-Registrar-Error: Invalid q param in contact"}},
		{"star without Expires", "alice", "c1", []string{"Contact: *"}, -1, 400, []string{"P-Registrar-Error: * used in contact and expires is not zero"}},
		{"star and another", "alice", "c1", []string{"Contact: *", "Contact: <sip:x@y>", "Expires: 0"}, -1, 400, []string{"P-Registrar-Error: * used in contact and more than 1 contact"}},
		{"broken", "alice", "c1", []string{"Contact: @@@"}, -1, 400, []string{"P-Registrar-Error: Contact parse error"}},
		{"short", "alice", "c1", []string{"Contact: <sip:a1@10.0.0.1>;expires=5"}, 2, 200, []string{"Contact: <sip:a2@10.0.0.2>;q=0.7;expires=90, <sip:a1@10.0.0.1>;expires=60"}},
		{"no number", "alice", "c1", []string{"Contact: <sip:a1@10.0.0.1>;expires=abc", "Expires: 77"}, 2, 200, []string{"Contact: <sip:a2@10.0.0.2>;q=0.7;expires=90, <sip:a1@10.0.0.1>;expires=3600"}},
		{"third", "alice", "c3", []string{"Contact: <sip:a3@10.0.0.3>"}, 1, 200, []string{"Contact: <sip:a2@10.0.0.2>;q=0.7;expires=90, <sip:a1@10.0.0.1>;expires=3600, <sip:a3@10.0.0.3>;expires=3600"}},
		{"too many", "alice", "c4", []string{"Contact: <sip:a4@10.0.0.4>"}, -2, 503, []string{"Contact: <sip:a2@10.0.0.2>;q=0.7;expires=90, <sip:a1@10.0.0.1>;expires=3600, <sip:a3@10.0.0.3>;expires=3600", "P-Registrar-Error: Too many registered contacts"}},
		{"one goes, one comes", "alice", "c3", []string{"Contact: <sip:a4@10.0.0.4>", "Contact: <sip:a3@10.0.0.3>;expires=0"}, 3, 200, []string{"Contact: <sip:a2@10.0.0.2>;q=0.7;expires=90, <sip:a1@10.0.0.1>;expires=3600, <sip:a4@10.0.0.4>;expires=3600"}},
		{"remove unknown", "alice", "c3", []string{"Contact: <sip:zz@10.0.0.3>;expires=0"}, 1, 200, []string{"Contact: <sip:a2@10.0.0.2>;q=0.7;expires=90, <sip:a1@10.0.0.1>;expires=3600, <sip:a4@10.0.0.4>;expires=3600"}},
		{"all", "alice", "zz", []string{"Contact: *", "Expires: 0"}, 3, 200, nil},
		{"all again", "alice", "zz", []string{"Contact: *", "Expires: 0"}, 3, 200, nil},
		{"without brackets", "alice", "c5", []string{"Contact: sip:a@10.0.0.1;x=1"}, 1, 200, []string{"Contact: <sip:a@10.0.0.1>;expires=3600"}},
		{"two in a header", "o1", "p2", []string{"Contact: <sip:x1@h>,<sip:x2@h>"}, 1, 200, []string{"Contact: <sip:x2@h>;expires=3600, <sip:x1@h>;expires=3600"}},
		{"two headers", "o2", "p2", []string{"Contact: <sip:x1@h>", "Contact: <sip:x2@h>"}, 1, 200, []string{"Contact: <sip:x1@h>;expires=3600, <sip:x2@h>;expires=3600"}},
		{"instance", "o3", "p3", []string{`Contact: <sip:i@h>;+sip.instance="<urn:x>";reg-id=1`}, 1, 200, []string{`Contact: <sip:i@h>;expires=3600;+sip.instance="<urn:x>";reg-id=1`}},
		{"instance moves", "o3", "p4", []string{`Contact: <sip:j@h>;+sip.instance="<urn:x>";reg-id=1`}, 2, 200, []string{`Contact: <sip:j@h>;expires=3600;+sip.instance="<urn:x>";reg-id=1`}},
		{"received", "o4", "p4", []string{`Contact: <sip:a2@h>;received="sip:9.9.9.9"`}, 1, 200, []string{`Contact: <sip:a2@h>;expires=3600;received="sip:9.9.9.9"`}},
		{"quoted", "o6", "p6", []string{`Contact: <sip:a2@h>;expires="200"`}, 1, 200, []string{"Contact: <sip:a2@h>;expires=200"}},
		{"outbound", "o5", "p4", []string{"Require: outbound", "Contact: <sip:a2@h>"}, -1, 420, []string{"Unsupported: outbound", "P-Registrar-Error: No support for Outbound on server"}},
		{"long", "o5", "p4", []string{"Contact: <sip:" + strings.Repeat("x", 600) + "@h>"}, -1, 400, []string{"P-Registrar-Error: Contact/received too long"}},
	})
	runSteps(t, r, "0x04", []step{
		{"single", "o2", "p9", []string{"Contact: <sip:y@h>"}, 1, 200, []string{"Contact: <sip:y@h>;expires=3600"}},
	})
	if e, _ := r.Stat.Lookup("usrloc", "location_users"); e.Source.Value() != 6 {
		t.Errorf("%d users, want 6", e.Source.Value())
	}
}

func TestCSeq(t *testing.T) {
	r := newRig(t)
	msg := register("alice", "c1", "Contact: <sip:a@h>;expires=200")
	r.Message(msg)
	r.Call("save", "location")
	r.Message(strings.Replace(msg, "200\n", "300\n", 1))
	if rc := r.Call("save", "location"); rc != 1 || !strings.Contains(r.Replies[1].Extra, "expires=200") {
		t.Errorf("a repetition: %d %q", rc, r.Replies[1].Extra)
	}
	r.Message(strings.Replace(msg, fmt.Sprintf("CSeq: %d", cseq), "CSeq: 0", 1))
	if rc := r.Call("save", "location"); rc != -1 || r.Replies[2].Code != 400 || !strings.Contains(r.Replies[2].Extra, "P-Registrar-Error: Invalid CSeq number") {
		t.Errorf("a lower CSeq: %d %d %q", rc, r.Replies[2].Code, r.Replies[2].Extra)
	}
}

func TestPath(t *testing.T) {
	r := newRig(t, "registrar", "use_path", 1, "registrar", "path_use_received", 1, "registrar", "min_expires_mode", 1, "registrar", "retry_after", 30)
	path := []string{`Path: <sip:proxy@1.1.1.1;lr;received=sip:7.7.7.7:7>`, "Path: <sip:p2;lr>", "Contact: <sip:x@10.0.0.1>"}
	runSteps(t, r, "0", []step{
		{"not supported", "p1", "p1", []string{"Path: <sip:proxy@1.1.1.1;lr>", "Contact: <sip:x@10.0.0.1>"}, -1, 420, []string{"Contact: <sip:x@10.0.0.1>;expires=3600", "Unsupported: path", "Path: <sip:proxy@1.1.1.1;lr>", "P-Registrar-Error: No support for found Path indicated"}},
		{"supported", "p2", "p2", append([]string{"Supported: path"}, path...), 1, 200, []string{`Contact: <sip:x@10.0.0.1>;expires=3600;received="sip:7.7.7.7:7"`, `Path: <sip:proxy@1.1.1.1;lr;received=sip:7.7.7.7:7>,<sip:p2;lr>`}},
		{"not loose", "p3", "p3", []string{"Supported: path", "Path: <sip:proxy@1.1.1.1>", "Contact: <sip:x@h>"}, -1, 400, []string{"P-Registrar-Error: Path parse error"}},
		{"brief", "p3", "p3", []string{"Contact: <sip:x@h>;expires=5"}, -1, 423, []string{"Min-Expires: 60", "P-Registrar-Error: Interval too brief"}},
	})
	r.Message("OPTIONS sip:p2@127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nTo: <sip:p2@h>\n\n")
	if rc := r.Call("lookup", "location"); rc != 1 || r.Ctx.Main.Path != `<sip:proxy@1.1.1.1;lr;received=sip:7.7.7.7:7>,<sip:p2;lr>` || !strings.HasPrefix(r.Ctx.Main.DstURI, "sip:proxy@1.1.1.1;lr") {
		t.Errorf("lookup: %d, %+v", rc, r.Ctx.Main)
	}
}

func TestLookup(t *testing.T) {
	r := newRig(t, "registrar", "received_avp", "$avp(rcv)", "registrar", "method_filtering", 1, "registrar", "xavp_rcd", "rcd")
	add := func(contact, allow string, f func(*run.Context)) {
		c := r.Message(register("lo", contact, "Contact: "+contact, "Allow: "+allow))
		f(c)
		if rc := r.Call("save", "location"); rc != 1 {
			t.Fatalf("save: %d", rc)
		}
	}
	add("<sip:l1@10.0.0.1>;q=0.5", "INVITE", func(*run.Context) { r.SetVar("$avp(rcv)", "sip:1.2.3.4:5060") })
	add("<sip:l2@10.0.0.2>;q=0.8", "INVITE, MESSAGE", func(c *run.Context) { c.Main.Flags = 8 })
	add("<sip:l3@10.0.0.3>", "INVITE", func(*run.Context) {})
	ask := func(method, user string) int {
		r.Message(method + " sip:" + user + "@127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nTo: <sip:lo@h>\n\n")
		return r.Call("lookup", "location")
	}
	if rc := ask("INVITE", "LO"); rc != 1 || r.Ctx.RURI() != "sip:l2@10.0.0.2" || r.Ctx.Main.Flags != 8 || len(r.Ctx.Branches) != 2 || r.Ctx.Main.DstURI != "" {
		t.Errorf("lookup: %d %+v %+v", rc, r.Ctx.Main, r.Ctx.Branches)
	} else if b := r.Ctx.Branches[0]; b.URI != "sip:l1@10.0.0.1" || b.DstURI != "sip:1.2.3.4:5060" || b.Q != 500 || r.Ctx.Branches[1].URI != "sip:l3@10.0.0.3" {
		t.Errorf("branches %+v", r.Ctx.Branches)
	}
	if v := r.Var("$xavp(rcd=>contact)").Text(); v != "sip:l2@10.0.0.2" {
		t.Errorf("$xavp(rcd=>contact) is %q", v)
	}
	if rc := ask("MESSAGE", "lo"); rc != 1 || len(r.Ctx.Branches) != 0 {
		t.Errorf("filtered: %d, %d branches", rc, len(r.Ctx.Branches))
	}
	if rc := ask("SUBSCRIBE", "lo"); rc != -2 {
		t.Errorf("a method that nobody takes: %d", rc)
	}
	if rc := ask("INVITE", "none"); rc != -1 {
		t.Errorf("nobody: %d", rc)
	}
	if rc := r.Call("registered", "location", "sip:lo@x"); rc != 1 {
		t.Errorf("registered: %d", rc)
	}
	if rc := r.Call("reg_fetch_contacts", "location", "sip:lo@x", "p"); rc != 1 {
		t.Errorf("reg_fetch_contacts: %d", rc)
	}
	if n, addr := r.Var("$ulc(p=>count)").Int(), r.Var("$(ulc(p=>addr)[1])").Text(); n != 3 || addr != "sip:l1@10.0.0.1" {
		t.Errorf("$ulc: %d %q", n, addr)
	}
	if rc := r.Call("reg_free_contacts", "p"); rc != 1 || !r.Var("$ulc(p=>count)").IsNull() {
		t.Errorf("reg_free_contacts: %d", rc)
	}
	if rc := r.Call("unregister", "location", "sip:lo@x"); rc != 1 {
		t.Errorf("unregister: %d", rc)
	}
	if rc := r.Call("registered", "location", "sip:lo@x"); rc != -1 {
		t.Errorf("registered after unregister: %d", rc)
	}
}

func TestGRUU(t *testing.T) {
	r := newRig(t)
	r.Message(register("greg", "g1", "Supported: gruu", `Contact: <sip:a3@10.0.0.1>;+sip.instance="<urn:x>"`))
	r.Call("save", "location")
	extra := r.Replies[0].Extra
	if !strings.HasPrefix(extra, `Contact: <sip:a3@10.0.0.1>;expires=3600;pub-gruu="sip:greg@127.0.0.1;gr=urn:x";temp-gruu="sip:uloc-`) || !strings.HasSuffix(extra, fmt.Sprintf(`-%x@127.0.0.1;gr";+sip.instance="<urn:x>"`+"\r\n", table.Hash("greg"))) {
		t.Fatalf("reply %q", extra)
	}
	_, temp, _ := strings.Cut(extra, `temp-gruu="`)
	temp, _, _ = strings.Cut(temp, `"`)
	for _, uri := range []string{temp, "sip:greg@127.0.0.1;gr=urn:x"} {
		r.Message("OPTIONS " + uri + " SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nTo: <sip:lo@h>\n\n")
		if rc := r.Call("lookup", "location"); rc != 1 || r.Ctx.RURI() != "sip:a3@10.0.0.1" {
			t.Errorf("%s: %d %s", uri, rc, r.Ctx.RURI())
		}
	}
}

// TestOwner: aor_avp says whose contacts they are, unless the call does.
func TestOwner(t *testing.T) {
	r := newRig(t, "registrar", "aor_avp", "$avp(owner)")
	for i, tt := range []struct{ owner, uri, want string }{
		{"", "", "to"},
		{"sip:shared@h", "", "shared"},
		{"sip:shared@h", "sip:named@h", "named"},
	} {
		r.Message(register("to", fmt.Sprint("o", i), fmt.Sprintf("Contact: <sip:c%d@h>", i)))
		if tt.owner != "" {
			r.SetVar("$avp(owner)", tt.owner)
		}
		if rc := r.Call("save", "location", "2", tt.uri); rc != 1 {
			t.Errorf("save of %+v: %d", tt, rc)
		}
		if rc := r.Call("registered", "location", "sip:"+tt.want+"@h"); rc != 1 {
			t.Errorf("%+v: %s has no contact", tt, tt.want)
		}
	}
	r.Message("INVITE sip:nobody@h SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nTo: <sip:nobody@h>\n\n")
	if rc := r.Call("lookup", "location"); rc != -1 {
		t.Errorf("lookup without the attribute: %d", rc)
	}
	r.SetVar("$avp(owner)", "sip:shared@h")
	if rc := r.Call("lookup", "location"); rc != 1 || r.Ctx.RURI() != "sip:c1@h" {
		t.Errorf("lookup: %d %s", rc, r.Ctx.RURI())
	}
}

func TestExpired(t *testing.T) {
	loc := usrloc.New()
	r := moduletest.New(t, loc, New())
	r.Message(register("old", "e1", "Contact: <sip:x@h>"))
	r.Call("save", "location")
	got := ""
	r.Block(run.EventRoute, "usrloc:contact-expired", func(c *run.Context) int {
		r.Ctx = c
		got += r.Var("$ulc(exp=>aor)").Text() + " " + r.Var("$ulc(exp=>addr)").Text()
		return 1
	})
	tables := loc.(locations).Locations()
	if err := tables.Lookup("location").Sweep(t.Context(), 1<<32); err != nil || got != "old sip:x@h" {
		t.Errorf("event route saw %q, %v", got, err)
	}
}

func TestRefused(t *testing.T) {
	for _, p := range [][]any{
		{"registrar", "flow_timer", 5},
		{"registrar", "aor_avp", "$ru"},
		{"registrar", "received_avp", "$ru"},
		{"usrloc", "xavp_contact", "x"},
		{"usrloc", "db_mode", 1},
	} {
		r := newRig(t, p...)
		if err := r.TryStart(); err == nil {
			t.Errorf("%v is taken", p)
		}
	}
	if err := moduletest.New(t, New()).TryStart(); err == nil || !strings.Contains(err.Error(), `loadmodule "usrloc.so"`) {
		t.Errorf("without usrloc: %v", err)
	}
}

func BenchmarkSaveNew(b *testing.B) {
	r := newRig(b)
	f, err := r.Compile("save", "location")
	if err != nil {
		b.Fatal(err)
	}
	r.Host.Hooks.Stateless = func(*run.Context, int, string) error { return nil }
	var c *run.Context
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		c = r.Raw(strings.ReplaceAll(register(fmt.Sprintf("user%06d", i), fmt.Sprintf("call-%d@h", i), "Contact: <sip:user@127.0.0.1:5060>", "Expires: 3600", "User-Agent: bench"), "\n", "\r\n"))
		b.StartTimer()
		if f(c) != 1 {
			b.Fatal("not saved")
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	r := newRig(b)
	for i := range 1000 {
		r.Message(register(fmt.Sprintf("user%06d", i), "c", "Contact: <sip:user@127.0.0.1:5060>"))
		r.Call("save", "location")
	}
	f, err := r.Compile("lookup", "location", "sip:user000500@h")
	if err != nil {
		b.Fatal(err)
	}
	c := r.Message(moduletest.Invite)
	b.ReportAllocs()
	for b.Loop() {
		c.Branches = c.Branches[:0]
		if f(c) != 1 {
			b.Fatal("not found")
		}
	}
}

package dispatcher

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/router/module/moduletest"
	"sipd/router/modules/common/db_mysql"
	"sipd/router/modules/common/db_postgres"
	"sipd/router/modules/common/db_sqlite"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/tm"
	"sipd/rpc"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// rig is a module with a list file and parameters, NAME VALUE pairs.
func rig(t *testing.T, text string, params ...any) (*moduletest.Rig, *dispatcher) {
	t.Helper()
	d := New().(*dispatcher)
	r := moduletest.New(t, d)
	path := filepath.Join(t.TempDir(), "dispatcher.list")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r.Param("dispatcher", "list_file", path)
	r.Param("dispatcher", "flags", 2)
	for i := 0; i < len(params); i += 2 {
		r.Param("dispatcher", params[i].(string), params[i+1])
	}
	return r, d
}

func message(ruri, from, to, callID, user string) string {
	m := "INVITE " + ruri + " SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK1\nMax-Forwards: 70\nFrom: <" + from + ">;tag=1\nTo: <" + to + ">\nCall-ID: " + callID + "\nCSeq: 1 INVITE\n"
	if user != "" {
		m += fmt.Sprintf("Proxy-Authorization: Digest username=%q, realm=\"r\", nonce=\"n\", uri=\"sip:x\", response=\"00000000000000000000000000000000\"\n", user)
	}
	return m + "Content-Length: 0\n\n"
}

// TestAsKamailio: testdata/answers.txt is what Kamailio 5.6.3 answered to these
// messages with testdata/dispatcher.list.
func TestAsKamailio(t *testing.T) {
	r, _ := rig(t, moduletest.File(t, "dispatcher.list"), "hash_pvar", "$fU-$rU")
	messages := map[string]string{}
	for _, m := range [][5]string{
		{"sip:bob@example.com", "sip:alice@a.example", "sip:carol@c.example:5070", "call-1@x", ""},
		{"sip:+4930123456@gw.example.net:5070", "sip:2001@10.0.0.1:5060", "sip:dave@d", "a", "alice"},
		{"sip:example.org", "sip:anonymous.invalid", "sip:\xe9t\xe9@caf\xe9.fr", "0123456789abcdef0123456789abcdef@192.0.2.77", "bob@realm"},
	} {
		messages[m[3]] = message(m[0], m[1], m[2], m[3], m[4])
	}
	answers := strings.Split(strings.TrimSpace(moduletest.File(t, "answers.txt")), "\n")
	if len(answers) < 30 {
		t.Fatalf("%d answers", len(answers))
	}
	for _, line := range answers {
		f := strings.Fields(line)
		if f[0] == "0123456789abcdef0123456789abcdef@192.0.2.77" && f[1] == "alg" && f[2] == "2" {
			continue // Kamailio refuses the octets in the host of To
		}
		r.Message(messages[f[0]])
		got := "none"
		switch f[1] {
		case "alg":
			var alg int
			fmt.Sscan(f[2], &alg)
			if r.Call("ds_select_dst", 1, alg) > 0 {
				got = r.Ctx.Main.DstURI
			}
		case "domain":
			r.Call("ds_select_domain", 1, 1)
			got = r.Ctx.RURI()
		case "from":
			uri, mode := "sip:127.0.0.21:5060", 0
			if f[2] == "udp" {
				uri += ";transport=udp"
			} else {
				fmt.Sscan(f[2], &mode)
			}
			got = "no"
			if r.Call("ds_is_from_list", 2, mode, uri) > 0 {
				got = "yes"
			}
		}
		if want := f[len(f)-1]; got != want {
			t.Errorf("%s: got %s", line, got)
		}
	}
	var ids []int
	for _, s := range r.Module("dispatcher").(*dispatcher).sets.Load().order {
		ids = append(ids, s.id)
	}
	if want := []int{1, 3, 5, 4, 2}; !slices.Equal(ids, want) { // as dispatcher.list showed them
		t.Errorf("order of sets %v, want %v", ids, want)
	}
}

// TestHash: what dispatcher.hash of Kamailio 5.6.3 answered.
func TestHash(t *testing.T) {
	for _, tt := range []struct {
		x, y string
		want uint32
	}{{"abc", "", 7167810}, {"", "", 1}, {"0123456789", "", 1761298984}, {"alice", "example.com", 1442294598}} {
		if got := hash(tt.x, tt.y); got != tt.want {
			t.Errorf("hash(%q, %q) = %d, want %d", tt.x, tt.y, got, tt.want)
		}
	}
}

const three = "1 sip:127.0.0.1:1 0 3 duid=a\n1 sip:127.0.0.1:2 0 2 duid=b\n1 sip:127.0.0.1:3 0 1 duid=c\n"

func TestFailover(t *testing.T) {
	for _, old := range []bool{false, true} {
		var params []any
		if old {
			params = []any{"dst_avp", "$avp(dst)", "grp_avp", "$avp(grp)", "cnt_avp", "$avp(cnt)", "attrs_avp", "$avp(attrs)"}
		}
		r, d := rig(t, three, params...)
		var events []string
		dsv, _, err := r.Start().Vars.ParseVar("$dsv(code)", pv.MaxCompat)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"dispatcher:dst-down", "dispatcher:dst-up"} {
			r.Block(run.EventRoute, name, func(c *run.Context) int {
				events = append(events, name+" "+dsv.Get(c).Text())
				return 1
			})
		}
		r.Message(moduletest.Invite)
		if rc := r.Call("ds_select_dst", 1, 8); rc != 1 || r.Ctx.Main.DstURI != "sip:127.0.0.1:1" {
			t.Fatalf("select: %d %s", rc, r.Ctx.Main.DstURI)
		}
		count, top := "$xavp(_dsctx_=>cnt)", "$xavp(_dsdst_=>attrs)"
		if old {
			count, top = "$avp(cnt)", "$avp(attrs)"
		}
		if n, a := r.Var(count).Int(), r.Var(top).Text(); n != 3 || a != "duid=a" {
			t.Errorf("kept %d, attributes %q", n, a)
		}
		if rc := r.Call("ds_mark_dst", "ip"); rc != 1 || d.stateOf(1, "sip:127.0.0.1:1") != inactive|probing {
			t.Errorf("mark: %d, state %d", rc, d.stateOf(1, "sip:127.0.0.1:1"))
		}
		for _, want := range []string{"sip:127.0.0.1:2", "sip:127.0.0.1:3"} {
			if rc := r.Call("ds_next_dst"); rc != 1 || r.Ctx.Main.DstURI != want {
				t.Errorf("next: %d %s, want %s", rc, r.Ctx.Main.DstURI, want)
			}
		}
		if rc := r.Call("ds_next_dst"); rc != -1 {
			t.Errorf("next after the last: %d", rc)
		}
		r.Message(moduletest.Invite)
		if r.Call("ds_select_domain", 1, 8); r.Ctx.RURI() != "sip:bob@127.0.0.1:2" {
			t.Errorf("with the first one down: %s", r.Ctx.RURI())
		}
		d.ponged(d.sets.Load().byID[1], d.sets.Load().byID[1].dests[0], event{200, "OK", true})
		if want := []string{"dispatcher:dst-down 820", "dispatcher:dst-up 200"}; !slices.Equal(events, want) {
			t.Errorf("events %v, want %v", events, want)
		}
	}
}

// TestPing: who is pinged by ds_probing_mode, and with what.
func TestPing(t *testing.T) {
	text := "1 sip:127.0.0.1:1 0 5\n1 sip:127.0.0.1:2 8 4 ping_from=sip:p@x;obproxy=sip:127.0.0.9\n1 sip:127.0.0.1:3 9 3\n1 sip:127.0.0.1:4 12 2\n"
	for mode, want := range []string{"2 3", "1 2 3", "3", "2 3"} {
		r, d := rig(t, text, "ds_probing_mode", mode, "outbound_proxy", "sip:127.0.0.8")
		r.Start()
		var got []string
		d.send = func(q *tm.Request) (*tm.Transaction, error) {
			got = append(got, q.URI[len(q.URI)-1:])
			wantFrom, wantHop := "<sip:dispatcher@localhost>", "sip:127.0.0.8"
			if strings.HasSuffix(q.URI, ":2") {
				wantFrom, wantHop = "<sip:p@x>", "sip:127.0.0.9"
			}
			if q.Method != "OPTIONS" || q.From != wantFrom || q.NextHop != wantHop || q.To != "<"+q.URI+">" {
				t.Errorf("mode %d: %+v", mode, q)
			}
			q.Done(&tm.Response{Code: 200, Reason: "OK"})
			return nil, nil
		}
		d.pingAll(time.Now())
		if s := strings.Join(got, " "); s != want {
			t.Errorf("mode %d pings %s, want %s", mode, s, want)
		}
		if s := letters(d.stateOf(1, "sip:127.0.0.1:3")); s[0] != 'A' {
			t.Errorf("mode %d: %s after an answer", mode, s)
		}
		d.send = func(*tm.Request) (*tm.Transaction, error) { return nil, errors.New("no way") }
		if d.pingAll(time.Now()); mode == 1 && letters(d.stateOf(1, "sip:127.0.0.1:1")) != "IP" {
			t.Errorf("a ping that cannot be sent leaves %s", letters(d.stateOf(1, "sip:127.0.0.1:1")))
		}
	}
}

func TestTable(t *testing.T) {
	moduletest.EachEngine(t, func(t *testing.T, url string, _ *db.DB) {
		d := New().(*dispatcher)
		moduletest.New(t, dbsqlite.New(), dbmysql.New(), dbpostgres.New(), d).
			Param("dispatcher", "db_url", url).Param("dispatcher", "ds_db_extra_attrs", "ping_from=description").Start()
		s := d.sets.Load().byID[1]
		if s == nil || len(s.dests) != 2 {
			t.Fatalf("set 1: %+v", s)
		}
		x := s.dests[0]
		if x.uri != "sip:127.0.0.1:2" || x.flags != probing || x.priority != 7 || x.attrs.body != "duid=b;ping_from=sip:p@x" || s.dests[1].hasAttrs {
			t.Errorf("%+v, then %+v", x, s.dests[1])
		}
	}, "INSERT INTO dispatcher (setid, destination, flags, priority, attrs, description) VALUES "+
		"(1,'sip:127.0.0.1:1',0,0,'',''), (1,'sip:127.0.0.1:2',8,7,'duid=b','sip:p@x'), (2,'sip:[',0,0,'','')")
}

func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		param string
		value any
		want  string
	}{
		{"event_callback", "x", "event_route[dispatcher:dst-down]"},
		{"ds_ping_interval", 5, "tm.so"},
		{"grp_avp", "$avp(g)", "dst_avp"},
		{"dst_avp", "$ru", "want one attribute"},
		{"setid_pvname", "$si", "can be written"},
		{"ds_default_socket", "udp:x:y:z", "PROTOCOL:ADDRESS:PORT"},
	} {
		r, _ := rig(t, three, tt.param, tt.value)
		if err := r.TryStart(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %v: %v, want %q", tt.param, tt.value, err, tt.want)
		}
	}
	r, _ := rig(t, three)
	if err := r.TryParam("dispatcher", "ds_ping_reply_codes", "code=99"); err == nil {
		t.Error("code=99 is taken")
	}
	for alg, want := range map[int]string{7: "hash_pvar", 10: "ds_hash_size", 14: "0 to 13"} {
		if _, err := r.Compile("ds_select_dst", 1, alg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("algorithm %d: %v, want %q", alg, err, want)
		}
	}
	if _, err := r.Compile("ds_mark_dst", "x"); err == nil {
		t.Error("state x is taken")
	}
}

func TestThresholds(t *testing.T) {
	r, d := rig(t, three, "ds_probing_threshold", 3, "ds_inactive_threshold", 2, "ds_probing_mode", 1, "ds_ping_reply_codes", "code=403;class=3")
	r.Start()
	s := d.sets.Load().byID[1]
	for i, step := range []struct {
		code int
		want string
	}{{200, "AP"}, {408, "TP"}, {500, "TP"}, {503, "IP"}, {200, "IP"}, {403, "AP"}, {302, "AP"}, {408, "TP"}, {200, "AP"}, {408, "TP"}} {
		d.ponged(s, s.dests[0], event{code: step.code})
		if got := letters(d.stateOf(1, s.dests[0].uri)); got != step.want {
			t.Errorf("step %d, %d: %s, want %s", i, step.code, got, step.want)
		}
	}
}

func TestWeights(t *testing.T) {
	r, d := rig(t, "1 sip:127.0.0.1:1 0 2 weight=30;rweight=1\n1 sip:127.0.0.1:2 0 1 weight=70;rweight=3\n")
	for _, tt := range []struct{ alg, first int }{{9, 30}, {11, 25}} {
		n := map[string]int{}
		for range 100 {
			r.Message(moduletest.Invite)
			r.Call("ds_select_dst", 1, tt.alg)
			n[r.Ctx.Main.DstURI]++
		}
		if n["sip:127.0.0.1:1"] != tt.first || n["sip:127.0.0.1:2"] != 100-tt.first {
			t.Errorf("algorithm %d: %v", tt.alg, n)
		}
	}
	d.sets.Load().byID[1].assign("sip:127.0.0.1:1", inactive, false)
	r.Message(moduletest.Invite)
	if r.Call("ds_select_dst", 1, 11); r.Ctx.Main.DstURI != "sip:127.0.0.1:2" {
		t.Errorf("with the first one down: %s", r.Ctx.Main.DstURI)
	}
}

func TestRoundRobinDefaultParallelRoutes(t *testing.T) {
	r, d := rig(t, three+"2 sip:127.0.0.1:9\n", "use_default", 1)
	var got []string
	for range 3 {
		r.Message(moduletest.Invite)
		r.Call("ds_select_dst", 1, 4)
		got = append(got, r.Ctx.Main.DstURI)
	}
	if want := []string{"sip:127.0.0.1:1", "sip:127.0.0.1:2", "sip:127.0.0.1:1"}; !slices.Equal(got, want) {
		t.Errorf("in turn: %v", got)
	}
	s := d.sets.Load().byID[1]
	s.assign("sip:127.0.0.1:1", disabled, false)
	s.assign("b", inactive, true)
	r.Message(moduletest.Invite)
	if r.Call("ds_select_dst", 1, 0); r.Ctx.Main.DstURI != "sip:127.0.0.1:3" {
		t.Errorf("last resort: %s", r.Ctx.Main.DstURI)
	}
	s.assign("all", 0, false)
	r.Message(moduletest.Invite)
	if rc := r.Call("ds_select_dst", 1, 12); rc != 1 || len(r.Ctx.Branches) != 2 || r.Ctx.Branches[1].DstURI != "sip:127.0.0.1:3" {
		t.Errorf("parallel: %d %+v", rc, r.Ctx.Branches)
	}
	r.Message(moduletest.Invite)
	if rc := r.Call("ds_select_routes", "7=0;2=4;1=8", "d", 2); rc != 1 || r.Ctx.Main.DstURI != "sip:127.0.0.1:9" || r.Ctx.XAVPs.Count("_dsdst_") != 2 {
		t.Errorf("routes: %d %s %d", rc, r.Ctx.Main.DstURI, r.Ctx.XAVPs.Count("_dsdst_"))
	}
	for _, bad := range []string{"1", "x=1", "1=4;;"} {
		if bad == "1" {
			continue // algorithm 0, as in Kamailio
		}
		if _, err := r.Compile("ds_select_routes", bad, "d"); err == nil {
			t.Errorf("rules %q are taken", bad)
		}
	}
}

func TestCallLoad(t *testing.T) {
	r, d := rig(t, "1 sip:127.0.0.1:1 0 2 duid=a;maxload=1\n1 sip:127.0.0.1:2 0 1 duid=b;maxload=1\n", "ds_hash_size", 4)
	s := func() *set { return d.sets.Load().byID[1] }
	loads := func() string { return fmt.Sprint(s().dests[0].load, s().dests[1].load) }
	invite := func(id string) int {
		r.Message(strings.Replace(moduletest.Invite, "a84b4c76e66710@192.0.2.1", id, 1))
		return r.Call("ds_select_dst", 1, 10)
	}
	if invite("1") != 1 || loads() != "1 0" || r.Call("ds_next_dst") != 1 || loads() != "0 1" {
		t.Fatalf("loads %s after failover", loads())
	}
	if invite("2") != 1 || loads() != "1 1" || invite("3") != -1 {
		t.Fatalf("loads %s when all are full", loads())
	}
	if r.Call("ds_load_unset"); loads() != "1 1" {
		t.Errorf("loads %s: a call that was not counted ended", loads())
	}
	bye := strings.NewReplacer("INVITE", "BYE", "a84b4c76e66710@192.0.2.1", "2").Replace(moduletest.Invite)
	r.Message(bye)
	if r.Call("ds_load_update"); loads() != "0 1" {
		t.Errorf("loads %s after a BYE", loads())
	}
	for _, c := range d.calls.ended(time.Now().Add(3 * time.Hour)) {
		d.release(c)
	}
	if loads() != "0 0" {
		t.Errorf("loads %s when all are over", loads())
	}
}

func TestLatency(t *testing.T) {
	r, d := rig(t, "1 sip:127.0.0.1:1 8 20 latency=100\n1 sip:127.0.0.1:2 8 19 latency=10\n", "ds_ping_latency_stats", 1)
	r.Message(moduletest.Invite)
	if r.Call("ds_select_dst", 1, 13); r.Ctx.Main.DstURI != "sip:127.0.0.1:2" {
		t.Errorf("100 ms take 5 off priority 20: %s", r.Ctx.Main.DstURI)
	}
	var l latency
	for _, ms := range []int{10, 20, 30} {
		l.add(ms, 0.9)
	}
	if l.average != 20 || l.estimate != 20 || l.stdev < 9.9 || l.stdev > 10.1 || l.highest != 30 {
		t.Errorf("%+v", l)
	}
	s := d.sets.Load().byID[1]
	s.measured(s.dests[0], 0, 408, 0.9)
	if s.dests[0].latency.timeouts != 1 {
		t.Errorf("timeouts %d", s.dests[0].latency.timeouts)
	}
}

func TestRPC(t *testing.T) {
	r, d := rig(t, "1 sip:127.0.0.1:16090 0 5 duid=a;weight=50\n1 sip:127.0.0.1:16091 0 10 duid=b\n2 sip:127.0.0.1:16092;transport=tcp 8\n", "reload_delta", 0)
	v, err := r.RPCCall("dispatcher.list")
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprint(v)
	want := "[[{NRSETS 2} {RECORDS [{SET [{ID 2} {TARGETS [{DEST [{URI sip:127.0.0.1:16092;transport=tcp} {FLAGS AP} {PRIORITY 0}]}]}]} " +
		"{SET [{ID 1} {TARGETS [{DEST [{URI sip:127.0.0.1:16091} {FLAGS AX} {PRIORITY 10} {ATTRS [{BODY duid=b} {DUID b} {MAXLOAD 0} {WEIGHT 0} {RWEIGHT 0} {SOCKET {}} {SOCKNAME {}} {OBPROXY {}}]}]} " +
		"{DEST [{URI sip:127.0.0.1:16090} {FLAGS AX} {PRIORITY 5} {ATTRS [{BODY duid=a;weight=50} {DUID a} {MAXLOAD 0} {WEIGHT 50} {RWEIGHT 0} {SOCKET {}} {SOCKNAME {}} {OBPROXY {}}]}]}]}]}]}]]"
	if text != want {
		t.Errorf("list:\n%s\nwant\n%s", text, want)
	}
	for _, tt := range []struct {
		method string
		args   []rpc.Value
		want   string
	}{
		{"set_state", []rpc.Value{rpc.String("ip"), rpc.Int(1), rpc.String("sip:127.0.0.1:16090")}, "[Ok. Dispatcher state updated.]"},
		{"set_state", []rpc.Value{rpc.String("zz"), rpc.Int(1), rpc.String("sip:127.0.0.1:16090")}, "500 Unknown State Value"},
		{"set_state", []rpc.Value{rpc.String("ip"), rpc.Int(9), rpc.String("sip:127.0.0.1:16090")}, "500 State Update Failed"},
		{"set_duid_state", []rpc.Value{rpc.String("d"), rpc.Int(1), rpc.String("b")}, "[Ok. Dispatcher state updated.]"},
		{"ping_active", nil, "[[{OldPingState 1}]]"},
		{"ping_active", []rpc.Value{rpc.Int(0)}, "[[{NewPingState 0} {OldPingState 1}]]"},
		{"hash", []rpc.Value{rpc.Int(16), rpc.String("abc")}, "[[{hashid 7167810} {slot 2}]]"},
		{"add", []rpc.Value{rpc.Int(3), rpc.String("sip:127.0.0.1:16093")}, "[Ok. Dispatcher destination added.]"},
	} {
		v, err := r.RPCCall("dispatcher."+tt.method, tt.args...)
		got := fmt.Sprint(v)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s %v: %s, want %s", tt.method, tt.args, got, tt.want)
		}
	}
	if d.stateOf(1, "sip:127.0.0.1:16090") != inactive|probing || d.stateOf(1, "sip:127.0.0.1:16091") != disabled {
		t.Error("adding a destination changed the state of others")
	}
	if r.Message(moduletest.Invite); r.Call("ds_list_exists", 3) != 1 || r.Call("ds_is_active", 1) != -1 {
		t.Error("set 3 is not there, or set 1 is up")
	}
	if _, err := r.RPCCall("dispatcher.remove", rpc.Int(3), rpc.String("sip:127.0.0.1:16093")); err != nil || r.Call("ds_list_exists", 3) != -1 {
		t.Errorf("remove: %v", err)
	}
}

// TestReload: a broken list leaves the old one in use; changes come not faster
// than reload_delta.
func TestReload(t *testing.T) {
	r, d := rig(t, three, "reload_delta", 60)
	r.Message(moduletest.Invite)
	if err := os.WriteFile(d.file, []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if rc := r.Call("ds_reload"); rc != -1 || r.Call("ds_list_exists", 1) != 1 {
		t.Errorf("reload of a broken list: %d", rc)
	}
	if !strings.Contains(r.Log(), "dispatcher.list:1") {
		t.Errorf("the log does not name the line: %s", r.Log())
	}
	if _, err := r.RPCCall("dispatcher.reload"); err == nil || err.Error() != "500 Ongoing reload" {
		t.Errorf("second reload: %v", err)
	}
}

func TestParseLine(t *testing.T) {
	for _, tt := range []struct {
		line string
		want row
		ok   bool
		bad  bool
	}{
		{line: " # nothing"},
		{line: ""},
		{line: "1 sip:a", want: row{set: 1, uri: "sip:a"}, ok: true},
		{line: "1 sip:a#x", want: row{set: 1, uri: "sip:a"}, ok: true},
		{line: "2\tsip:a 8 5 duid=x;weight=3 # y", want: row{set: 2, uri: "sip:a", flags: 8, priority: 5, attrs: "duid=x;weight=3"}, ok: true},
		{line: "1", bad: true},
		{line: "1 # sip:a", bad: true},
		{line: "x sip:a", bad: true},
		{line: "1 sip:a b", bad: true},
	} {
		got, ok, err := parseLine(tt.line)
		if ok != tt.ok || (err != nil) != tt.bad || ok && got != tt.want {
			t.Errorf("parseLine(%q) = %+v, %v, %v", tt.line, got, ok, err)
		}
	}
}

func FuzzList(f *testing.F) {
	f.Add("2\tsip:a 8 5 duid=x;weight=3 # y")
	f.Fuzz(func(t *testing.T, line string) {
		r, ok, err := parseLine(line)
		if ok && (err != nil || r.set < 0 || r.flags < 0 || r.priority < 0) {
			t.Errorf("%q: %+v, %v", line, r, err)
		}
		var x dest
		x.readAttrs(r.attrs)
		if w := x.attrs.weight; w < 0 || w > 100 {
			t.Errorf("%q: weight %d", line, w)
		}
	})
}

func BenchmarkSelect(b *testing.B) {
	d := New().(*dispatcher)
	r := moduletest.New(b, d)
	path := filepath.Join(b.TempDir(), "l")
	if err := os.WriteFile(path, []byte(three), 0o600); err != nil {
		b.Fatal(err)
	}
	r.Param("dispatcher", "list_file", path)
	r.Message(moduletest.Invite)
	f, err := r.Compile("ds_select_dst", 1, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		f(r.Ctx)
	}
}

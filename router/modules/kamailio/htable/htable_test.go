package htable_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/router/livetest"
	"sipd/router/module/moduletest"
	dbmysql "sipd/router/modules/common/db_mysql"
	dbpostgres "sipd/router/modules/common/db_postgres"
	dbsqlite "sipd/router/modules/common/db_sqlite"
	"sipd/router/modules/kamailio/htable"
	"sipd/router/run"
	"sipd/rpc"
	"sipd/rpc/rpctest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// TestScript: what a script reads is the same as with the elder.
func TestScript(t *testing.T) {
	const head = `
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "htable.so"
modparam("htable", "htable", "a=>size=4;autoexpire=7200;")
modparam("htable", "htable", "b=>size=4;initval=5;")
request_route {
`
	lines := []string{
		`$var(r) = "none:" + $sht(a=>x);`,
		`$sht(a=>x) = "text"; $var(r) = $sht(a=>x);`,
		`$sht(a=>x) = 7; $var(r) = $sht(a=>x) + 1;`,
		`$sht(a=>$ci) = "id"; $var(r) = $sht(a=>one);`,
		`$sht(a=>y) = 1; $sht(a=>y) = $null; if ($sht(a=>y) == $null) $var(r) = "gone"; else $var(r) = "there";`,
		`$var(r) = $sht(b=>none);`,
		`$var(r) = $shtinc(b=>n);`,
		`$var(x) = $shtinc(b=>m); $var(x) = $shtinc(b=>m); $var(r) = $shtdec(b=>m);`,
		`if ($shtinc(a=>none) == $null) $var(r) = "null"; else $var(r) = "number";`,
		`$sht(a=>e) = 1; if ($shtex(a=>e) > 7100 && $shtex(a=>e) <= 7200) $var(r) = "expires";`,
		`$sht(a=>e) = 1; $shtex(a=>e) = 10; if ($shtex(a=>e) <= 10) $var(r) = "soon";`,
		`$sht(a=>k1) = 1; $sht(a=>k2) = 2; $sht(a=>z) = 3; sht_rm_name_re("a=>^k"); if ($sht(a=>k1) == $null && $sht(a=>k2) == $null && $sht(a=>z) != $null) $var(r) = "matched";`,
		`sht_reset("a"); $sht(a=>k1) = "abc"; $sht(a=>k2) = "abd"; $sht(a=>z) = "x"; $var(r) = $shtcn(a=>~~^k) + $shtcv(a=>~~^ab);`,
		`sht_reset("a"); $sht(a=>k1) = "abc"; $var(r) = "" + $shtcn(a=>k1) + $shtcn(a=>k) + $shtcn(a=>==k) + $shtcn(a=>==k1) + $shtcn(a=>~%1) + $shtcn(a=>%~k) + $shtcn(a=>~%k) + $shtcn(a=>%~1) + $shtcn(a=>**) + $shtcv(a=>==abc) + $shtcv(a=>x);`,
		`sht_reset("a"); $sht(a=>k1) = "v"; sht_iterator_start("i", "a"); while (sht_iterator_next("i")) { $var(r) = $shtitkey(i) + "=" + $shtitval(i); } sht_iterator_end("i");`,
		`sht_lock("a=>x"); $sht(a=>x) = 1; sht_unlock("a=>x"); $var(r) = $sht(a=>x);`,
	}
	want := []string{
		"none:", "text", "8", "id", "gone", "5", "6", "6", "null", "expires", "soon", "matched", "4", "11011100110", "k1=v", "1",
	}
	var b strings.Builder
	b.WriteString(head)
	for i, l := range lines {
		fmt.Fprintf(&b, "if ($rU == \"t%d\") { $var(r) = \"?\"; %s }\n", i, l)
	}
	b.WriteString("sl_send_reply(\"299\", \"r=$var(r)\");\n}\n")
	livetest.Each(t, b.String(), func(t *testing.T, d *livetest.Daemon) {
		p := d.Peer(t)
		for i := range lines {
			p.Send(fmt.Sprintf("OPTIONS sip:t%d@ADDR SIP/2.0\nVia: SIP/2.0/UDP ME;branch=z9hG4bK%d\nFrom: <sip:a@b>;tag=1\nTo: <sip:a@b>\nCall-ID: one\nCSeq: %d OPTIONS\nMax-Forwards: 9\n", i, i, i+1))
			m := p.Want("SIP/2.0 299 r=")
			_, got, _ := strings.Cut(m, "r=")
			got, _, _ = strings.Cut(got, "\r")
			if got != want[i] {
				t.Errorf("%s\ngot  %q\nwant %q", lines[i], got, want[i])
			}
		}
	})
}

func rig(t testing.TB, url string, defs ...string) *moduletest.Rig {
	r := moduletest.New(t, dbsqlite.New(), dbmysql.New(), dbpostgres.New(), htable.New()).Param("htable", "db_url", url)
	for _, d := range defs {
		r.Param("htable", "htable", d)
	}
	return r
}

func call(t testing.TB, r *moduletest.Rig, name string, args ...any) string {
	t.Helper()
	var vals []rpc.Value
	for _, a := range args {
		switch a := a.(type) {
		case int:
			vals = append(vals, rpc.Int(a))
		case string:
			vals = append(vals, rpc.String(a))
		}
	}
	got, err := r.RPCCall(name, vals...)
	if err != nil {
		return err.Error()
	}
	if len(got) == 1 {
		if text, ok := got[0].(rpc.Text); ok {
			return "str '" + string(text) + "'"
		}
	}
	return strings.Join(strings.Fields(rpctest.Show(got)), " ")
}

func TestRPC(t *testing.T) {
	r := rig(t, "", "a=>size=4;autoexpire=7200;", "b=>size=4;").Start()
	r.Message(moduletest.Invite)
	for _, tt := range []struct {
		name string
		args []any
		want string
	}{
		{"htable.sets", []any{"b", "alice", "wonder"}, "str 'Ok. Key set to new value.'"},
		{"htable.get", []any{"b", "alice"}, "struct { avp 'item' struct { avp 'name' str 'alice' avp 'value' str 'wonder' avp 'flags' int 2 avp 'expire' str 'NEVER' struct } struct }"},
		{"htable.get", []any{"b", "nosuch"}, "500 Key name doesn't exist in htable."},
		{"htable.get", []any{"nosuch", "x"}, "500 No such htable"},
		{"htable.seti", []any{"a", "k2", 42}, "str 'Ok. Key set to new value.'"},
		{"htable.setxs", []any{"a", "k3", "v3", 100}, "str 'Ok. Key set to new value.'"},
		{"htable.setxi", []any{"a", "s:7", 3, 100}, "str 'Ok. Key set to new value.'"},
		{"htable.setex", []any{"a", "k2", 100}, "str 'Ok'"},
		{"htable.setex", []any{"a", "none", 100}, "500 Failed to set expire for the item"},
		{"htable.delete", []any{"a", "k3"}, "str 'Ok. Key deleted.'"},
		{"htable.delete", []any{"a", "k3"}, "404 Key not found in htable."},
		{"htable.listTables", nil, "struct { avp 'name' str 'b' avp 'dbtable' str '' avp 'dbmode' int 0 avp 'expire' int 0 avp 'updateexpire' int 1 avp 'size' int 16 avp 'dmqreplicate' int 0 struct } struct { avp 'name' str 'a' avp 'dbtable' str '' avp 'dbmode' int 0 avp 'expire' int 7200 avp 'updateexpire' int 1 avp 'size' int 16 avp 'dmqreplicate' int 0 struct }"},
		{"htable.stats", nil, "struct { avp 'name' str 'b' avp 'slots' int 16 avp 'all' int 1 avp 'min' int 0 avp 'max' int 1 struct } struct { avp 'name' str 'a' avp 'slots' int 16 avp 'all' int 2 avp 'min' int 0 avp 'max' int 1 struct }"},
		{"htable.flush", []any{"a"}, "str 'Ok. Htable flushed.'"},
		{"htable.dump", []any{"a"}, ""},
		{"htable.reload", []any{"a"}, "500 No htable db_url"},
		{"htable.store", []any{"a"}, "500 No htable db_url"},
	} {
		if got := call(t, r, tt.name, tt.args...); got != tt.want {
			t.Errorf("%s %v\ngot  %s\nwant %s", tt.name, tt.args, got, tt.want)
		}
	}
	if got := call(t, r, "htable.dump", "b"); !strings.Contains(got, "avp 'size' int 1 avp 'slot' struct { struct { avp 'name' str 'alice' avp 'value' str 'wonder' avp 'type' str 'str' struct } struct } struct }") {
		t.Errorf("dump: %s", got)
	}
}

// createTable makes the table, which a plain database does not have.
const createTable = "CREATE TABLE htable (key_name VARCHAR(256) NOT NULL, key_type INTEGER NOT NULL, value_type INTEGER NOT NULL, key_value VARCHAR(512) NOT NULL, expires INTEGER NOT NULL DEFAULT 0)"

func TestDatabase(t *testing.T) {
	moduletest.EachEngine(t, func(t *testing.T, url string, d *db.DB) {
		r := rig(t, url, "a=>size=4;autoexpire=100;dbtable=htable;dbmode=1;", "c=>dbtable=subscriber;cols='username,domain,ha1';coldelim=';';colnull='-';").Param("htable", "db_expires", 1)
		r.Message(moduletest.Invite)
		for name, want := range map[string]string{
			"$sht(a=>alice)": "x", "$sht(a=>n)": "42", "$sht(a=>l[0])": "one", "$sht(a=>l[1])": "two", "$sht(a=>l::size)": "2", "$sht(a=>old)": "", "$sht(c=>bob)": "b.test;h",
		} {
			if got := r.Var(name).Text(); got != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
		if !r.Var("$sht(a=>n)").IsInt() || r.Var("$shtex(a=>n)").Int() != 0 {
			t.Errorf("n: %v, ends in %d", r.Var("$sht(a=>n)"), r.Var("$shtex(a=>n)").Int())
		}
		r.SetVar("$sht(a=>n)", 43)
		r.SetVar("$sht(a=>new)", "it's")
		if got := call(t, r, "htable.store", "a"); got != "str 'Ok. Htable successfully stored to DB.'" {
			t.Fatal(got)
		}
		var value string
		if err := d.Writer().QueryRow("SELECT key_value FROM htable WHERE key_name = 'new' AND value_type = 0 AND expires > 1000").Scan(&value); err != nil || value != "it's" {
			t.Errorf("stored %q, %v", value, err)
		}
		moduletest.Exec(t, d, "UPDATE htable SET key_value = '44' WHERE key_name = 'n'", "DELETE FROM htable WHERE key_name = 'new'")
		if got := call(t, r, "htable.reload", "a"); got != "str 'Ok. Htable reloaded.'" {
			t.Fatal(got)
		}
		if n, gone := r.Var("$sht(a=>n)").Int(), r.Var("$sht(a=>new)").IsNull(); n != 44 || !gone {
			t.Errorf("after the reload: n %d, new gone %v", n, gone)
		}
		if got := call(t, r, "htable.store", "c"); got != "500 a table with cols is not written" {
			t.Errorf("store c: %s", got)
		}
	}, createTable, "INSERT INTO htable (key_name, key_type, value_type, key_value, expires) VALUES ('alice', 0, 0, 'x', 0), ('n', 0, 1, '42', 0), ('l', 1, 0, 'one', 0), ('l', 1, 0, 'two', 0), ('old', 0, 0, 'x', 1000)",
		"INSERT INTO subscriber (username, domain, ha1) VALUES ('bob', 'b.test', 'h')")
}

// TestRestart: dbmode 1 keeps a table over a restart.
func TestRestart(t *testing.T) {
	url, _ := moduletest.Tables(t, db.SQLite, createTable)
	t.Run("write", func(t *testing.T) {
		r := rig(t, url, "a=>dbtable=htable;dbmode=1;")
		r.Message(moduletest.Invite)
		r.SetVar("$sht(a=>k)", 9)
	})
	r := rig(t, url, "a=>dbtable=htable;dbmode=1;")
	r.Message(moduletest.Invite)
	if got := r.Var("$sht(a=>k)"); !got.IsInt() || got.Int() != 9 {
		t.Errorf("k = %v", got)
	}
}

func TestFunctions(t *testing.T) {
	r := rig(t, "", "a=>size=4;", "b=>initval=1;")
	r.Message(moduletest.Invite)
	for _, tt := range []struct {
		name string
		args []any
		want int
	}{
		{"sht_setxs", []any{"a", "$fU", "v", 100}, 1},
		{"sht_setxi", []any{"a", "num", 5, 0}, 1},
		{"sht_inc", []any{"a", "num"}, 1},
		{"sht_dec", []any{"a", "alice"}, -1},
		{"sht_is_null", []any{"a", "none"}, 1},
		{"sht_is_null", []any{"a", "num"}, -2},
		{"sht_is_null", []any{"b", "num"}, -1},
		{"sht_match_name", []any{"a", "sw", "ali"}, 1},
		{"sht_has_name", []any{"a", "re", "^x"}, -1},
		{"sht_has_str_value", []any{"a", "eq", "v"}, 1},
		{"sht_match_str_value", []any{"a", "eq", "6"}, -1},
		{"sht_rm_value", []any{"a", "in", "v"}, 1},
		{"sht_has_name", []any{"a", "eq", "alice"}, -1},
		{"sht_rm", []any{"a", "num"}, 1},
		{"sht_has_name", []any{"a", "ne", "x"}, -1},
		{"sht_reset", []any{"$var(nowhere)"}, -1},
		{"sht_unlock", []any{"a=>x"}, -1},
		{"sht_iterator_next", []any{"i"}, -1},
		{"sht_iterator_start", []any{"i", "a"}, 1},
		{"sht_iterator_rm", []any{"i"}, -1},
		{"sht_iterator_end", []any{"i"}, 1},
		{"sht_iterator_end", []any{"i"}, -1},
	} {
		if rc := r.Call(tt.name, tt.args...); rc != tt.want {
			t.Errorf("%s%v = %d, want %d", tt.name, tt.args, rc, tt.want)
		}
	}
	r.SetVar("$sht(a=>1)", "x")
	r.SetVar("$sht(a=>2)", "y")
	r.Call("sht_iterator_start", "i", "a")
	r.Call("sht_iterator_next", "i")
	r.Call("sht_iterator_sets", "i", "z$fU")
	if got := r.Var("$shtitval(i)").Text(); got != "zalice" {
		t.Errorf("sht_iterator_sets: %q", got)
	}
	if rc := r.Call("sht_iterator_rm", "i"); rc != 1 {
		t.Errorf("first: %d", rc)
	}
	if rc := r.Call("sht_iterator_rm", "i"); rc != -2 {
		t.Errorf("last: %d", rc)
	}
}

// TestLocks: counting under sht_lock loses nothing, and a forgotten lock is
// free when its run ends.
func TestLocks(t *testing.T) {
	r := rig(t, "", "a=>size=4;").Start()
	r.Message(moduletest.Invite)
	lock, err := r.Compile("sht_lock", "a=>n")
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := r.Compile("sht_unlock", "a=>n")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			c := &run.Context{}
			c.Reset(r.Env)
			for i := range 100 {
				if lock(c) != 1 {
					t.Error("not locked")
					return
				}
				n++
				if i%10 == 9 { // forgotten
					r.Host.Hooks.PostScript[0](c)
				} else {
					unlock(c)
				}
			}
		})
	}
	wg.Wait()
	if n != 800 {
		t.Errorf("counted %d", n)
	}
}

func TestRefusals(t *testing.T) {
	for def, want := range map[string]string{
		"a":                          "want NAME=>",
		"a=>size=x;":                 "size wants a number",
		"a=>nonsense=1;":             `unknown attribute "nonsense"`,
		"a=>dmqreplicate=1;":         "not offered",
		"a=>dbtable=x;":              "dbtable needs a database",
		"a=>cols='x';":               "cols wants",
		"a=>coldelim=';;';dbtable=x": "coldelim is one character",
	} {
		if err := rig(t, "", def).TryStart(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", def, err, want)
		}
	}
	if err := rig(t, "", "a=>", "a=>").TryStart(); err == nil || !strings.Contains(err.Error(), "defined twice") {
		t.Errorf("twice: %v", err)
	}
	if err := rig(t, "").Param("htable", "enable_dmq", 1).TryStart(); err == nil || !strings.Contains(err.Error(), "no module dmq") {
		t.Errorf("enable_dmq: %v", err)
	}
	r := rig(t, "", "abc=>")
	for _, bad := range []string{"sht_rm_name_re(abd=>x)", "sht_lock(abc)"} {
		name, arg, _ := strings.Cut(strings.TrimSuffix(bad, ")"), "(")
		if _, err := r.Compile(name, arg); err == nil {
			t.Errorf("%s compiles", bad)
		}
	}
	if _, err := r.Compile("sht_reset", "abd"); err == nil || !strings.Contains(err.Error(), `did you mean "abc"?`) {
		t.Errorf("misspelt table: %v", err)
	}
}

// TestEvents: the event routes run, with the item that ended.
func TestEvents(t *testing.T) {
	d := livetest.Start(t, `
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "htable.so"
modparam("htable", "htable", "a=>autoexpire=1;")
modparam("htable", "timer_interval", 1)
request_route { exit; }
event_route[htable:mod-init] { $sht(a=>k) = "v"; xlog("L_NOTICE", "started\n"); }
event_route[htable:expired:a] { xlog("L_NOTICE", "ended: $shtrecord(key)=$shtrecord(value)\n"); }
`)
	d.WantLog(t, "started")
	d.WantLog(t, "ended: k=v")
}

func BenchmarkGet(b *testing.B) {
	r := rig(b, "", "a=>size=8;")
	r.Message(moduletest.Invite)
	r.SetVar("$sht(a=>192.0.2.1)", 1)
	v, _, err := r.Vars.ParseVar("$sht(a=>$si)", 0)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		v.Get(r.Ctx)
	}
}

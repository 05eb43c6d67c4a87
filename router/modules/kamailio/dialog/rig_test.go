package dialog_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sipd/router/module/moduletest"
	"sipd/router/modules/common/tm"
	"sipd/router/modules/kamailio/dialog"
	"sipd/router/modules/kamailio/rr"
	"sipd/rpc"
)

func rig(t *testing.T) *moduletest.Rig {
	return moduletest.New(t, tm.New(), rr.New(), dialog.New()).Param("dialog", "profiles_with_value", "caller")
}

// TestRefused: what is not offered is refused when the configuration is checked.
func TestRefused(t *testing.T) {
	for _, tt := range []struct {
		name  string
		value any
		want  string
	}{
		{"db_mode", 1, `put loadmodule "db_mysql.so" before`},
		{"enable_dmq", 1, "dmq"},
		{"track_cseq_updates", 1, "no module uac"},
		{"ka_interval", 10, "30 seconds or more"},
		{"ruri_pvar", "$nosuch(", "ruri_pvar"},
		{"hash_size", 1000, "power of two"},
		{"event_callback", "f", "event_route"},
		{"timeout_avp", "$var(x)", "attribute"},
		{"profiles_no_value", "caller", "with and without"},
		{"dlg_extra_hdrs", "X-A: 1", "header lines"},
		{"rr_param", "a;b", "URI parameter"},
	} {
		if err := rig(t).Param("dialog", tt.name, tt.value).TryStart(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %v: %v, want a refusal with %q", tt.name, tt.value, err, tt.want)
		}
	}
	r := rig(t).Start()
	for _, call := range [][]any{
		{"set_dlg_profile", "calller", "x"},
		{"dlg_bye", "both"},
		{"dlg_setflag", 32},
		{"dlg_set_property", "ka"},
		{"dlg_refer", "both", "sip:a@b"},
		{"dlg_bridge", "bob", "sip:a@b", ""},
		{"dlg_remote_profile", "del", "caller", "x", "1", 0},
		{"dlg_db_load_callid", "x"},
		{"dlg_db_load_extra"},
		{"set_dlg_profile", "caller"},
		{"dlg_set_timeout", 0},
	} {
		if _, err := r.Compile(call[0].(string), call[1:]...); err == nil {
			t.Errorf("%v is taken", call)
		}
	}
}

// TestRPC: the members and faults are those of Kamailio 5.6.3.
func TestRPC(t *testing.T) {
	r := rig(t).Start()
	r.Message(moduletest.Invite)
	if rc := r.Call("dlg_manage"); rc != 1 {
		t.Fatalf("dlg_manage = %d", rc)
	}
	r.Call("set_dlg_profile", "caller", "$fU")
	got, err := r.RPCCall("dlg.list")
	if err != nil || len(got) != 1 {
		t.Fatalf("dlg.list = %v, %v", got, err)
	}
	var names []string
	for _, m := range got[0].(rpc.Struct) {
		names = append(names, m.Name)
	}
	const want = "h_entry h_id ref call-id from_uri to_uri state start_ts init_ts end_ts duration timeout lifetime dflags sflags iflags caller callee profiles variables"
	if s := strings.Join(names, " "); s != want {
		t.Errorf("members of dlg.list\n%s, want\n%s", s, want)
	}
	for _, tt := range []struct {
		call []string
		want string
	}{
		{[]string{"dlg.profile_get_size", "nosuch"}, "Profile not found: nosuch"},
		{[]string{"dlg.is_alive", "x", "a", "b"}, "Dialog not found"},
		{[]string{"dlg.terminate_dlg", "x", "a", "b"}, "Couldnt find callid in dialog"},
		{[]string{"dlg.list_match", "bad", "sw", "x"}, "Invalid matching key parameter"},
		{[]string{"dlg.list_match", "ruri", "gt", "1"}, "Matching operator not supported"},
		{[]string{"dlg.list_match", "ruri", "sw", "tel:"}, "Not found"},
	} {
		var args []rpc.Value
		for _, a := range tt.call[1:] {
			args = append(args, rpc.String(a))
		}
		if _, err := r.RPCCall(tt.call[0], args...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %q", tt.call, err, tt.want)
		}
	}
	if v, err := r.RPCCall("dlg.profile_get_size", rpc.String("caller"), rpc.String("alice")); err != nil || v[0] != rpc.Int(1) {
		t.Errorf("dlg.profile_get_size = %v, %v; want 1", v, err)
	}
	if _, err := r.RPCCall("dlg.end_dlg", rpc.Int(9999), rpc.Int(9999)); err == nil || !strings.Contains(err.Error(), "Dialog not found") {
		t.Errorf("dlg.end_dlg: %v", err)
	}
}

// TestReload: the dialogs of a configuration are those of the next.
func TestReload(t *testing.T) {
	r := rig(t).Start()
	r.Message(moduletest.Invite)
	r.Call("dlg_manage")
	next := func(params ...any) (*moduletest.Rig, error) {
		n := rig(t)
		n.Host.Old = r.Module("dialog")
		for i := 0; i < len(params); i += 2 {
			n.Param("dialog", params[i].(string), params[i+1])
		}
		return n, n.TryStart()
	}
	n, err := next()
	if err != nil {
		t.Fatal(err)
	}
	if list, err := n.RPCCall("dlg.list"); err != nil || len(list) != 1 {
		t.Errorf("after a reload dlg.list = %v, %v; want the dialog", list, err)
	}
	if _, err := next("hash_size", 64); err == nil {
		t.Error("a reload changes hash_size")
	}
}

// TestNoTransaction: a dialog whose INVITE was answered without a transaction is
// forgotten when the script ends, and leaves its profiles.
func TestNoTransaction(t *testing.T) {
	r := rig(t).Start()
	c := r.Message(moduletest.Invite)
	r.Call("set_dlg_profile", "caller", "$fU") // waits for the dialog
	size := func() rpc.Value {
		v, err := r.RPCCall("dlg.profile_get_size", rpc.String("caller"))
		if err != nil {
			t.Fatal(err)
		}
		return v[0]
	}
	if n := size(); n != rpc.Int(0) {
		t.Errorf("before dlg_manage the profile has %v, want 0", n)
	}
	r.Call("dlg_manage")
	if n := size(); n != rpc.Int(1) {
		t.Errorf("the profile has %v, want 1", n)
	}
	for _, f := range r.Host.Hooks.PostScript {
		f(c)
	}
	if list, err := r.RPCCall("dlg.list"); err != nil || len(list) != 0 || size() != rpc.Int(0) {
		t.Errorf("after the script there are %v, %v, and %v in the profile", list, err, size())
	}
}

// TestDump: the members are those of Kamailio 5.6.3, in its order.
func TestDump(t *testing.T) {
	r := rig(t).Start()
	r.Message(moduletest.Invite)
	r.Call("dlg_manage")
	r.Call("set_dlg_profile", "caller", "$fU")
	r.SetVar("$dlg_var(x)", "<\"1\">")
	file := filepath.Join(t.TempDir(), "dump")
	for range 2 { // it appends
		if v, err := r.RPCCall("dlg.dump_file", rpc.String(file)); err != nil || len(v) != 0 {
			t.Fatalf("dlg.dump_file = %v, %v", v, err)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(regexp.MustCompile(`("h_id"|"init_ts"|"dflags"|"socket"):("[^"]*"|\d+)`).ReplaceAllString(string(b), "$1:N"), "\n")
	const want = `{"h_entry":1262,"h_id":N,"ref":1,"call_id":"a84b4c76e66710@192.0.2.1","from_uri":"sip:alice@example.com","to_uri":"sip:bob@example.com","state":1,` +
		`"start_ts":0,"init_ts":N,"end_ts":0,"timeout":0,"lifetime":43200,"dflags":N,"sflags":0,"iflags":0,` +
		`"caller":{"tag":"1928301774","contact":"sip:alice@192.0.2.1:5060","cseq":"314159","route_set":"","socket":N},` +
		`"callee":{"tag":"","contact":"","cseq":"","route_set":"","socket":N},"profiles":{"caller":"alice"},"variables":{"x":"<\"1\">"}}`
	if len(got) != 3 || got[0] != want || got[1] != want {
		t.Errorf("the file has\n%s\nwant twice\n%s", strings.Join(got, "\n"), want)
	}
	if _, err := r.RPCCall("dlg.dump_file", rpc.String(t.TempDir())); err == nil || !strings.Contains(err.Error(), "cannot be written") {
		t.Errorf("into a folder: %v", err)
	}
}

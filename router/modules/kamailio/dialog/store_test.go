package dialog_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sipd/db"
	"sipd/router/module/moduletest"
	"sipd/router/modules/common/db_sqlite"
	"sipd/router/modules/common/tm"
	"sipd/router/modules/kamailio/dialog"
	"sipd/router/modules/kamailio/rr"
	"sipd/rpc"
)

// insert is a row of an answered call; Call-ID one lies in list 781 of 4096.
func insert(t *testing.T, d *db.DB, entry, id int, callID, xdata string) {
	t.Helper()
	now := time.Now().Unix()
	moduletest.Exec(t, d, fmt.Sprintf(`INSERT INTO dialog (hash_entry, hash_id, callid, from_uri, from_tag, to_uri, to_tag, caller_cseq, callee_cseq, caller_route_set, callee_route_set,
caller_contact, callee_contact, caller_sock, callee_sock, state, start_time, timeout, sflags, iflags, toroute_name, req_uri, xdata)
VALUES (%d, %d, '%s', 'sip:alice@a.test', 'f1', 'sip:bob@b.test', 't1', '3', '0', NULL, '<sip:x;lr>,"a,b" <sip:y>', 'sip:a@192.0.2.1', 'sip:b@192.0.2.2', '', '', 4, %d, %d, 5, 8, NULL, 'sip:bob@b.test', '%s')`,
		entry, id, callID, now-10, now+100, xdata))
}

// stored is a rig on a database.
func stored(t *testing.T, url string) *moduletest.Rig {
	return moduletest.New(t, dbsqlite.New(), tm.New(), rr.New(), dialog.New()).Param("dialog", "profiles_with_value", "caller").
		Param("dialog", "profiles_no_value", "all").Param("dialog", "db_mode", 1).Param("dialog", "db_url", url)
}

const within = `INFO sip:b@192.0.2.2 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1
From: <sip:alice@a.test>;tag=f1
To: <sip:bob@b.test>;tag=t1
Call-ID: one
CSeq: 9 INFO
`

// TestLoad: a call of the table is as it was, its profiles, flags and variables
// too.
func TestLoad(t *testing.T) {
	url, d := moduletest.Tables(t, db.SQLite)
	insert(t, d, 781, 77, "one", `{"profiles":[{"name":"caller","value":"alice","puid":"p-1"},{"name":"all"},{"name":"gone"}]}`)
	moduletest.Exec(t, d, "INSERT INTO dialog_vars (hash_entry, hash_id, dialog_key, dialog_value) VALUES (781, 77, 'x', 'kept')",
		"INSERT INTO dialog_vars (hash_entry, hash_id, dialog_key, dialog_value) VALUES (781, 78, 'y', 'nobody''s')")
	r := stored(t, url).Start()
	r.Message(within)
	for name, want := range map[string]string{
		"$dlg_var(x)": "kept", "$dlg(state)": "4", "$dlg(h_id)": "77", "$dlg(sflags)": "5", "$dlg(to_rs)": `<sip:x;lr>,"a,b" <sip:y>`, "$dlg(lifetime)": "110", "$DLG_count": "1",
	} {
		if got := r.Var(name).Text(); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if rc := r.Call("is_in_profile", "caller", "alice"); rc != 1 {
		t.Errorf("is_in_profile = %d", rc)
	}
	if v, err := r.RPCCall("dlg.profile_get_size", rpc.String("all")); err != nil || v[0] != rpc.Int(1) {
		t.Errorf("dlg.profile_get_size = %v, %v; want 1", v, err)
	}
	if !strings.Contains(r.Log(), "call was in a profile that there is not") {
		t.Errorf("log %s", r.Log())
	}
	// A variable that is removed is removed from the table.
	r.SetVar("$dlg_var(z)", "new")
	r.SetVar("$dlg_var(x)", nil)
	if got := fmt.Sprint(variables(t, d)); got != "[y=nobody's z=new]" {
		t.Errorf("variables %s, want z alone, and that of nobody", got)
	}
	// What there is not twice, and what another server wrote meanwhile.
	insert(t, d, 781, 90, "one", "")
	for _, rc := range []int{r.Call("dlg_db_load_callid", "one"), r.Call("dlg_db_load_callid", "one"), r.Call("dlg_db_load_extra"), r.Call("dlg_db_load_callid", "none")} {
		if rc != 1 {
			t.Errorf("a function that loads = %d, want 1", rc)
		}
	}
	if list, err := r.RPCCall("dlg.list"); err != nil || len(list) != 2 {
		t.Errorf("there are %d calls, %v; want 2", len(list), err)
	}
}

// TestOtherSize: with another hash_size the calls could not be found; the start
// says so, and leaves the table as it is.
func TestOtherSize(t *testing.T) {
	url, d := moduletest.Tables(t, db.SQLite)
	insert(t, d, 781, 77, "one", "")
	for _, mode := range []int{1, 3} {
		err := stored(t, url).Param("dialog", "hash_size", 256).Param("dialog", "db_mode", mode).TryStart()
		if err == nil || !strings.Contains(err.Error(), "set hash_size back") || !strings.Contains(err.Error(), `sipctl db exec "DELETE FROM dialog"`) {
			t.Errorf("db_mode %d: %v", mode, err)
		}
	}
	if n := len(records(t, d)); n != 1 {
		t.Errorf("the table has %d rows, want 1", n)
	}
	if err := stored(t, url).Param("dialog", "hash_size", 256).Param("dialog", "db_skip_load", 1).TryStart(); err != nil {
		t.Errorf("db_skip_load: %v", err)
	}
}

// TestColumns: names of tables and columns are those of the parameters.
func TestColumns(t *testing.T) {
	url, d := moduletest.Tables(t, db.SQLite, "ALTER TABLE dialog RENAME COLUMN callid TO call", "ALTER TABLE dialog_vars RENAME COLUMN dialog_key TO k",
		"ALTER TABLE dialog RENAME TO calls", "UPDATE version SET table_name = 'calls' WHERE table_name = 'dialog'")
	if err := stored(t, url).TryStart(); err == nil || !strings.Contains(err.Error(), "dialog") {
		t.Errorf("without the table: %v", err)
	}
	moduletest.Exec(t, d, "INSERT INTO dialog_vars (hash_entry, hash_id, k, dialog_value) VALUES (781, 77, 'x', 'kept')",
		`INSERT INTO calls (hash_entry, hash_id, call, from_uri, from_tag, to_uri, to_tag, caller_cseq, callee_cseq, caller_contact, callee_contact, caller_sock, callee_sock, state, start_time, timeout, req_uri)
VALUES (781, 77, 'one', '', 'f1', '', 't1', '1', '0', '', '', '', '', 4, 1, 9000000000, '')`)
	r := stored(t, url).Param("dialog", "table_name", "calls").Param("dialog", "call_id_column", "call").Param("dialog", "vars_key_column", "k").Start()
	r.Message(within)
	if got := r.Var("$dlg_var(x)").Text(); got != "kept" {
		t.Errorf("$dlg_var(x) is %q", got)
	}
}

// TestRemoteProfiles: calls of other servers are counted until they are taken
// out.
func TestRemoteProfiles(t *testing.T) {
	r := rig(t).Start()
	r.Message(within)
	size := func() string {
		r.Call("get_profile_size", "caller", "alice", moduletest.Expr("$var(n)"))
		return r.Var("$var(n)").Text()
	}
	for _, tt := range []struct {
		cmd, value, uid string
		rc              int
		size            string
	}{
		{"add", "alice", "u1", 1, "1"},
		{"add", "alice", "u2", 1, "2"},
		{"add", "", "u3", -1, "2"},
		{"rm", "alice", "none", 1, "2"},
		{"rm", "bob", "u1", 1, "2"},
		{"rm", "alice", "u1", 1, "1"},
	} {
		if rc := r.Call("dlg_remote_profile", tt.cmd, "caller", tt.value, tt.uid, 0); rc != tt.rc || size() != tt.size {
			t.Errorf("%s %s %s = %d, size %s; want %d, %s", tt.cmd, tt.value, tt.uid, rc, size(), tt.rc, tt.size)
		}
	}
	if rc := r.Call("dlg_remote_profile", "add", "none", "x", "u", 0); rc != -1 {
		t.Errorf("in a profile that there is not: %d", rc)
	}
	if rc := r.Call("get_profile_size", "caller", moduletest.Expr("$var(n)")); rc != -1 {
		t.Errorf("get_profile_size of a profile with values, without one = %d; Kamailio has -1", rc)
	}
}

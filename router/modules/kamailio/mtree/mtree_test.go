package mtree

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/router/module/moduletest"
	"sipd/router/modules/common/db_mysql"
	"sipd/router/modules/common/db_postgres"
	"sipd/router/modules/common/db_sqlite"
	"sipd/rpc"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func rig(t *testing.T, url string) *moduletest.Rig {
	return moduletest.New(t, dbsqlite.New(), dbmysql.New(), dbpostgres.New(), New()).Param("mtree", "db_url", url)
}

const (
	tables  = "CREATE TABLE mtree (tprefix VARCHAR(32) NOT NULL, tvalue VARCHAR(128))"
	tables2 = "CREATE TABLE mtrees (tname VARCHAR(128) NOT NULL, tprefix VARCHAR(32) NOT NULL, tvalue VARCHAR(128))"
	plain   = "INSERT INTO mtree (tprefix, tvalue) VALUES ('1','nanp'), ('49','germany'), ('4930','berlin')"
	many    = "INSERT INTO mtrees (tname, tprefix, tvalue) VALUES ('dw','4','1=10;2=20'), ('dw','49','2=5;3=90'), ('num','4','40'), ('num','49','49')"
)

func TestMatch(t *testing.T) {
	moduletest.EachEngine(t, func(t *testing.T, url string, _ *db.DB) {
		r := rig(t, url).Param("mtree", "mtree", "name=mt;dbtable=mtree;").
			Param("mtree", "mtree", "name=dw;dbtable=mtrees;type=1;multi=1").
			Param("mtree", "mtree", "name=num;dbtable=mtrees;type=2;multi=1").
			Param("mtree", "mtree", "name=cols;dbtable=mtree;cols='tprefix,tvalue,tprefix'").
			Param("mtree", "pv_value", "$var(v)")
		r.Message(moduletest.Invite)
		for _, tt := range []struct {
			tree, text string
			mode, want int
			v, s       string
		}{
			{"mt", "4930123", 0, 1, "$var(v)", "berlin"},
			{"mt", "49312", 0, 1, "$var(v)", "germany"},
			{"mt", "1", 0, 1, "$var(v)", "nanp"},
			{"mt", "999", 0, -1, "$var(v)", "nanp"},
			{"mt", "49x", 0, -1, "$var(v)", "nanp"},
			{"mt", "", 0, -1, "$var(v)", "nanp"},
			{"none", "49", 0, -1, "$var(v)", "nanp"},
			{"mt", "4930123", 2, 1, "$(avp(tvalues)[*])", "berlin, germany"},
			{"num", "4930123", 2, 1, "$(avp(tvalues)[*])", "49, 40"},
			{"num", "4930123", 0, 1, "$var(v)", "49"},
			{"cols", "4930", 0, 1, "$var(v)", "berlin,4930"},
			{"dw", "4930", 0, 1, "$(avp(tdstid)[*])", "2, 1, 3"},
			{"mt", "0", 0, -1, "$(avp(tweight)[*])", "5, 10, 90"},
			{"mt", "0", 0, -1, "$avp(tcount)", "4"},
			{"dw", "5", 0, -1, "$avp(tcount)", "4"},
		} {
			if rc, v := r.Call("mt_match", tt.tree, tt.text, tt.mode), r.Var(tt.v); rc != tt.want || v.Text() != tt.s {
				t.Errorf("%+v: %d %q", tt, rc, v.Text())
			}
		}
	}, tables, tables2, plain, many)
}

func TestTable(t *testing.T) {
	url, d := moduletest.Tables(t, db.SQLite, tables2, "INSERT INTO mtrees (tname, tprefix, tvalue) VALUES ('b','1','x'), ('a','2','y')")
	r := rig(t, url).Param("mtree", "db_table", "mtrees").Param("mtree", "char_list", "0123456789+")
	r.Message(moduletest.Invite)
	if rc := r.Call("mt_match", "a", "2+3", 0); rc != 1 || r.Var("$avp(tvalue)").Text() != "y" {
		t.Error(rc)
	}
	moduletest.Exec(t, d, "INSERT INTO mtrees (tname, tprefix, tvalue) VALUES ('a','+3','z')")
	if v, err := r.RPCCall("mtree.reload"); err != nil || fmt.Sprint(v) != "[Ok. Mtrees reloaded.]" {
		t.Error(v, err)
	}
	if rc := r.Call("mt_match", "a", "+34", 0); rc != 1 || r.Var("$avp(tvalue)").Text() != "z" {
		t.Error(rc)
	}
	moduletest.Exec(t, d, "INSERT INTO mtrees (tname, tprefix, tvalue) VALUES ('a','x','z')")
	if _, err := r.RPCCall("mtree.reload"); err == nil || !strings.Contains(r.Log(), "char_list") {
		t.Error(err, r.Log())
	}
	if rc := r.Call("mt_match", "a", "+34", 0); rc != 1 {
		t.Error("the old tree is gone:", rc)
	}
}

func TestRPC(t *testing.T) {
	url, _ := moduletest.Tables(t, db.SQLite, tables, tables2, plain, many)
	r := rig(t, url).Param("mtree", "mtree", "name=mt;dbtable=mtree").Param("mtree", "mtree", "name=num;dbtable=mtrees;type=2;multi=1").Param("mtree", "mtree", "name=dw;dbtable=mtrees;type=1;multi=1")
	r.Message(moduletest.Invite)
	for _, tt := range []struct {
		method string
		args   []rpc.Value
		want   string
	}{
		{"mtree.list", []rpc.Value{rpc.String("mt")}, "[[{tname mt} {tprefix 1} {tvalue [nanp]}] [{tname mt} {tprefix 49} {tvalue [germany]}] [{tname mt} {tprefix 4930} {tvalue [berlin]}]]"},
		{"mtree.match", []rpc.Value{rpc.String("mt"), rpc.String("4930123"), rpc.Int(0)}, "[mt [{PREFIX 4930} {TVALUE berlin}]]"},
		{"mtree.match", []rpc.Value{rpc.String("num"), rpc.String("4930"), rpc.Int(2)}, "[num [{PREFIX 4} {TVALUE 40}] [{PREFIX 49} {TVALUE 49}]]"},
		{"mtree.match", []rpc.Value{rpc.String("dw"), rpc.String("4930"), rpc.Int(0)}, "[dw [{PREFIX 49} {WEIGHT 90} {DSTID 3}] [{PREFIX 49} {WEIGHT 10} {DSTID 1}] [{PREFIX 49} {WEIGHT 5} {DSTID 2}]]"},
		{"mtree.match", []rpc.Value{rpc.String("mt"), rpc.String("999"), rpc.Int(0)}, "404 Prefix not found"},
		{"mtree.match", []rpc.Value{rpc.String("nosuch"), rpc.String("4"), rpc.Int(0)}, "404 Tree not found"},
		{"mtree.match", []rpc.Value{rpc.String("mt"), rpc.String("4"), rpc.Int(1)}, "500 Invalid parameter 'mode'"},
		{"mtree.reload", nil, "[Ok. Mtree reloaded.]"},
		{"mtree.reload", []rpc.Value{rpc.String("x")}, "500 Can not find specified Mtree"},
		{"mtree.summary", []rpc.Value{rpc.String("x")}, "404 Tree not found"},
		{"mtree.summary", []rpc.Value{rpc.String("mt")}, "[[{table mt} {item [{ttype 0} {memsize 980} {nrnodes 4} {nritems 3} {reload_count 2} {reload_time "},
	} {
		v, err := r.RPCCall(tt.method, tt.args...)
		got := fmt.Sprint(v)
		var f *rpc.Fault
		if errors.As(err, &f) {
			got = fmt.Sprint(f.Code, " ", f.Text)
		}
		if !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s %v: %s, want %s", tt.method, tt.args, got, tt.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	url, d := moduletest.Tables(t, db.SQLite, tables, plain)
	for _, tt := range []struct{ param, value, want string }{
		{"mtree", "dbtable=mtree", "needs name= and dbtable="},
		{"mtree", "name=a;dbtable=mtree;type=3", "unknown type"},
		{"mtree", "name=a;dbtable=mtree;multi=2", "multi is 0 or 1"},
		{"mtree", "name=a;dbtable=mtree;cols='a'", "cols names"},
		{"mtree", "name=a;dbtable=mtree;colour=red", "unknown part"},
		{"mtree", "name=a;dbtable=mtree;multi=1", "no column tname"},
		{"mtree", "name=a;dbtable=none", "none"},
		{"mtree", "name=mt;dbtable=mtree", "two trees"},
		{"pv_value", "$rm", "cannot be written to"},
		{"pv_values", "$var(x)", "is not an $avp(name)"},
		{"char_list", "0122", "twice"},
		{"char_list", "0123", "not in char_list"},
	} {
		r := rig(t, url).Param("mtree", "mtree", "name=mt;dbtable=mtree")
		err := r.TryParam("mtree", tt.param, tt.value)
		if err == nil {
			err = r.TryStart()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
	if err := rig(t, url).TryStart(); err == nil || !strings.Contains(err.Error(), "there is no tree") {
		t.Error(err)
	}
	moduletest.Exec(t, d, "CREATE TABLE twice (tprefix TEXT, tvalue TEXT)", "INSERT INTO twice VALUES ('4','a'), ('4','b')")
	for param, want := range map[string]string{"mt_ignore_duplicates": "a", "mt_allow_duplicates": "b", "fetch_rows": "twice"} {
		r := rig(t, url).Param("mtree", "mtree", "name=t;dbtable=twice").Param("mtree", param, 1)
		if err := r.TryStart(); err != nil {
			if !strings.Contains(err.Error(), want) {
				t.Error(param, err)
			}
			continue
		}
		r.Message(moduletest.Invite)
		if rc := r.Call("mt_match", "t", "41", 0); rc != 1 || r.Var("$avp(tvalue)").Text() != want {
			t.Error(param, rc, r.Var("$avp(tvalue)").Text())
		}
	}
}

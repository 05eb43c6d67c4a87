package cfgdb

import (
	"errors"
	"strings"
	"testing"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/router/cfg"
	"sipd/router/module/moduletest"
	"sipd/router/modules/common/db_mysql"
	"sipd/router/modules/common/db_postgres"
	"sipd/router/modules/common/db_sqlite"
	"sipd/rpc"
	"sipd/rpc/rpctest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var tables = []string{
	`CREATE TABLE cfg_transl (group_name VARCHAR(64) NOT NULL, cfg_table VARCHAR(64), cfg_table_group_name_field VARCHAR(64), cfg_table_name_field VARCHAR(64), cfg_table_value_field VARCHAR(64))`,
	`CREATE TABLE cfg_custom (group_name VARCHAR(64), name VARCHAR(64), value_type CHAR(1), min_value INT, max_value INT, description VARCHAR(255))`,
	`CREATE TABLE cfg_var (group_name VARCHAR(64), name VARCHAR(64), value VARCHAR(255))`,
	`CREATE TABLE numbers (grp VARCHAR(64), name VARCHAR(64), n INT)`,
	`INSERT INTO cfg_transl VALUES ('m', 'numbers', 'grp', '', 'n')`,
	`INSERT INTO cfg_transl VALUES ('*', '', NULL, '', '')`,
	`INSERT INTO cfg_custom VALUES ('pstn', 'limit', 'i', 1, 100, 'calls at once')`,
	`INSERT INTO cfg_custom VALUES ('pstn', 'gw', 's', NULL, NULL, NULL)`,
	`INSERT INTO numbers VALUES ('m', 'limit', 33)`,
	`INSERT INTO cfg_var VALUES ('m', 'limit', '44')`,
	`INSERT INTO cfg_var VALUES ('m', 'name', '77')`,
	`INSERT INTO cfg_var VALUES ('m', 'fixed', '9')`,
	`INSERT INTO cfg_var VALUES ('m', 'bad', '999')`,
	`INSERT INTO cfg_var VALUES ('m', 'nosuch', '1')`,
	`INSERT INTO cfg_var VALUES ('pstn', 'limit', '12')`,
	`INSERT INTO cfg_var VALUES ('pstn', 'gw', '192.0.2.7')`,
}

// fill makes the tables and gives the URL and a way to change them.
func fill(t *testing.T, e db.Engine, statements ...string) (string, func(string)) {
	t.Helper()
	url := dbtest.URL(t, e)
	d, err := db.Open(t.Context(), url, db.Create())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	exec := func(s string) {
		t.Helper()
		if _, err := d.Writer().ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	for _, s := range append(tables[:len(tables):len(tables)], statements...) {
		exec(s)
	}
	return url, exec
}

type group struct {
	limit, fixed, bad cfg.Int
	name              cfg.Str
}

// rig has a module's group m, as modparams left it.
func rig(t *testing.T, url string) (*moduletest.Rig, *group) {
	t.Helper()
	r := moduletest.New(t, dbsqlite.New(), dbmysql.New(), dbpostgres.New(), New())
	r.Param("cfg_db", "db_url", url)
	g := &group{
		limit: cfg.Int{Default: 70, Max: 255}, fixed: cfg.Int{Default: 1, Flags: cfg.ReadOnly},
		bad: cfg.Int{Default: 5, Max: 10}, name: cfg.Str{Default: "x"},
	}
	if err := errors.Join(
		r.Env.Cfg.Declare("m", "limit", &g.limit), r.Env.Cfg.Declare("m", "fixed", &g.fixed),
		r.Env.Cfg.Declare("m", "bad", &g.bad), r.Env.Cfg.Declare("m", "name", &g.name),
	); err != nil {
		t.Fatal(err)
	}
	return r, g
}

func get(t *testing.T, r *moduletest.Rig, group, name string) rpc.Value {
	t.Helper()
	v, err := r.Env.Cfg.Get(cfg.Ref{Group: group}, name)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestStartAndReload reads values on each engine: the table of the group comes
// before that of all groups, and beats modparam, as on a real Kamailio.
func TestStartAndReload(t *testing.T) {
	for _, e := range db.Engines() {
		t.Run(string(e), func(t *testing.T) {
			url, exec := fill(t, e)
			r, _ := rig(t, url)
			r.Start()
			want := func(when string, limit, fixed, bad, name, max, gw rpc.Value) {
				t.Helper()
				for _, x := range []struct {
					group, name string
					want        rpc.Value
				}{{"m", "limit", limit}, {"m", "fixed", fixed}, {"m", "bad", bad}, {"m", "name", name}, {"pstn", "limit", max}, {"pstn", "gw", gw}} {
					if got := get(t, r, x.group, x.name); got != x.want {
						t.Errorf("%s %s.%s is %v, want %v", when, x.group, x.name, got, x.want)
					}
				}
			}
			want("at start", rpc.Int(33), rpc.Int(9), rpc.Int(5), rpc.String("77"), rpc.Int(12), rpc.String("192.0.2.7"))
			if !strings.Contains(r.Log(), "variable=m.bad") {
				t.Errorf("the bad value is not in the log:\n%s", r.Log())
			}
			exec(`UPDATE numbers SET n = 34`)
			exec(`UPDATE cfg_var SET value = '101' WHERE group_name = 'pstn' AND name = 'limit'`)
			exec(`UPDATE cfg_var SET value = '192.0.2.8' WHERE name = 'gw'`)
			vals, err := r.RPCCall("cfg_db.reload")
			const reply = "struct {\n  avp 'read'\n  int 6\n  avp 'changed'\n  int 2\n  avp 'refused'\n  int 3\nstruct }"
			if got := rpctest.Show(vals); err != nil || got != reply {
				t.Errorf("cfg_db.reload: %v\n%s\nwant\n%s", err, got, reply)
			}
			want("after reload", rpc.Int(34), rpc.Int(9), rpc.Int(5), rpc.String("77"), rpc.Int(12), rpc.String("192.0.2.8"))
			exec(`DROP TABLE numbers`)
			if _, err := r.RPCCall("cfg_db.reload"); err == nil || rpc.AsFault(err).Code != 500 {
				t.Errorf("cfg_db.reload without a table: %v, want fault 500", err)
			}
			want("after a failed reload", rpc.Int(34), rpc.Int(9), rpc.Int(5), rpc.String("77"), rpc.Int(12), rpc.String("192.0.2.8"))
		})
	}
}

func TestNoStart(t *testing.T) {
	for name, tt := range map[string]struct{ statement, want string }{
		"no table":      {`DROP TABLE cfg_custom`, "cfg_custom"},
		"a wrong type":  {`INSERT INTO cfg_custom VALUES ('pstn', 'x', 'f', NULL, NULL, NULL)`, "value_type"},
		"a taken group": {`INSERT INTO cfg_custom VALUES ('m', 'x', 'i', NULL, NULL, NULL)`, "belongs to someone else"},
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := fill(t, db.SQLite, tt.statement)
			r, _ := rig(t, url)
			err := r.Module("cfg_db").Init(t.Context(), &r.Host)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Init = %v, want an error about %s", err, tt.want)
			}
		})
	}
}

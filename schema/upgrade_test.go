package schema_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/schema"
)

const rowsEach = 2

// fillTables puts rows of plain values into every table of a release.
func fillTables(t *testing.T, d *db.DB, s *schema.Schema) {
	t.Helper()
	err := d.Tx(t.Context(), func(tx *db.Tx) error {
		for _, table := range s.Tables {
			if table.Name == "version" || slices.ContainsFunc(s.Rows, func(r schema.Rows) bool { return r.Table == table.Name }) {
				continue
			}
			for n := 1; n <= rowsEach; n++ {
				var names []string
				var marks []string
				var values []any
				for i := range table.Columns {
					c := &table.Columns[i]
					if c.Auto || c.Kind == schema.Stamp {
						continue
					}
					names, marks = append(names, c.Name), append(marks, "?")
					values = append(values, plainValue(table.Name, c, n))
				}
				sql := fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", d.Quote(table.Name), d.QuoteAll(names), strings.Join(marks, ", "))
				if _, err := tx.Exec(t.Context(), sql, values...); err != nil {
					return fmt.Errorf("%s: %w", table.Name, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func plainValue(table string, c *schema.Column, n int) any {
	switch c.Kind {
	case schema.Integer:
		if table == "gw" && c.Name == "ip_addr" {
			return 0x0100000a + n*0x1000000
		}
		return n
	case schema.Float, schema.Double:
		return n
	case schema.Datetime:
		return fmt.Sprintf("2011-02-03 04:05:%02d", n)
	case schema.Blob:
		return []byte{0xff, byte(n)}
	}
	v := map[string]string{
		"sip_status": "486 Busy", "subs_status": "active", "start_time": "2012-01-01 10:00:00", "end_time": "1325412000.123", "duration": "12.5",
	}[c.Name]
	switch {
	case v != "" && c.Kind == schema.String:
	case table == "re_grp" && c.Name == "group_id":
		v = fmt.Sprint(n)
	case c.Size < 8:
		v = fmt.Sprint(n)
	default:
		v = fmt.Sprintf("%d-%s", n, c.Name)
	}
	if c.Kind != schema.Text && len(v) > c.Size {
		v = v[:c.Size]
	}
	return v
}

func rowCount(t *testing.T, d *db.DB, table string) int {
	t.Helper()
	var n int
	if err := d.Reader().GetContext(t.Context(), &n, "SELECT COUNT(*) FROM "+d.Quote(table)); err != nil {
		t.Fatalf("%s: %v", table, err)
	}
	return n
}

// prepare makes a database of a release with rows in all tables.
func prepare(t *testing.T, e db.Engine, release string) (*db.DB, *schema.Schema) {
	t.Helper()
	d := dbtest.Open(t, e)
	s, err := schema.At(release)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), d, s.Tables); err != nil {
		t.Fatal(err)
	}
	fillTables(t, d, s)
	return d, s
}

func plan(t *testing.T, d *db.DB, o schema.PlanOptions) *schema.Plan {
	t.Helper()
	p, err := schema.NewPlan(t.Context(), d, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Obstacles) > 0 {
		t.Fatalf("obstacles: %q", p.Obstacles)
	}
	return p
}

// upgraded checks that the database is as the release wants it, and that there
// is nothing left to do.
func upgraded(t *testing.T, d *db.DB, o schema.PlanOptions) {
	t.Helper()
	ts, err := schema.Examine(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := o.To.Pick(slices.DeleteFunc(o.To.Groups(), func(g string) bool { return g == "optional" || g == "ims" || g == "uid" }), o.Only)
	if err != nil {
		t.Fatal(err)
	}
	tables = slices.DeleteFunc(tables, func(t *schema.Table) bool { return ts[t.Name] == nil && o.Only == nil })
	for _, diff := range o.To.Verify(d.Engine, ts, tables) {
		if !diff.Site {
			t.Errorf("after the upgrade: %s", diff)
		}
	}
	for name := range ts {
		if strings.HasPrefix(name, "sipd_new_") {
			t.Errorf("table %s is left", name)
		}
		for _, c := range ts[name].Order {
			if strings.HasPrefix(c, "sipd_new_") {
				t.Errorf("column %s.%s is left", name, c)
			}
		}
	}
	if p := plan(t, d, o); len(p.Steps) > 0 {
		t.Errorf("there is something left to do:\n%s", p)
	}
}

// emptied are tables whose rows the server makes anew.
var emptied = []string{"dialog", "dialog_vars", "active_watchers", "presentity", "pua", "rls_presentity", "rls_watchers", "topos_d", "topos_t", "sca_subscriptions", "mohqcalls"}

func kept(t *testing.T, d *db.DB, from, to *schema.Schema) {
	t.Helper()
	for _, table := range from.Tables {
		if to.Table(table.Name) == nil || table.Name == "version" || slices.Contains(emptied, table.Name) || slices.ContainsFunc(from.Rows, func(r schema.Rows) bool { return r.Table == table.Name }) {
			continue
		}
		least := rowsEach
		if got := rowCount(t, d, table.Name); got < least {
			t.Errorf("table %s has %d rows, had %d", table.Name, got, least)
		}
	}
}

// TestUpgradeFromEveryRelease: from any release to the newest of its family
// and to the current one, with the rows kept.
func TestUpgradeFromEveryRelease(t *testing.T) {
	for _, r := range schema.Releases() {
		t.Run(r.Number, func(t *testing.T) {
			to := map[string]string{"K": "5.6", "O": "5.6", "U": "2011", "P": "0.9.7"}[r.Generation[:1]]
			if r.Number > "5.6" && r.Generation[0] == 'K' {
				to = "6.2dev"
			}
			upgradeOnce(t, db.SQLite, r.Number, to)
		})
	}
}

// TestUpgradeOnServers: the long ways on the servers too.
func TestUpgradeOnServers(t *testing.T) {
	for _, e := range []db.Engine{db.MySQL, db.PostgreSQL} {
		for _, way := range [][2]string{{"1.2", "5.6"}, {"3.1", "5.6"}, {"2.0.0", "2011"}, {"0.8.10", "0.9.7"}} {
			t.Run(string(e)+"/"+way[0], func(t *testing.T) { upgradeOnce(t, e, way[0], way[1]) })
		}
	}
}

func upgradeOnce(t *testing.T, e db.Engine, from, to string) {
	d, old := prepare(t, e, from)
	target, err := schema.At(to)
	if err != nil {
		t.Fatal(err)
	}
	o := schema.PlanOptions{To: target}
	p := plan(t, d, o)
	if err := p.Run(t.Context(), d, nil); err != nil {
		t.Fatal(err)
	}
	upgraded(t, d, o)
	kept(t, d, old, target)
	if target.Flavour == db.Kamailio {
		valuesKept(t, d, old, target)
	}
}

// valuesKept looks at what changed its place or form on the way.
func valuesKept(t *testing.T, d *db.DB, old, to *schema.Schema) {
	t.Helper()
	want := map[string]string{
		"SELECT username FROM subscriber ORDER BY username": "1-username 2-username",
		"SELECT ha1 FROM subscriber ORDER BY username":      "1-ha1 2-ha1",
		"SELECT DISTINCT sip_code FROM missed_calls":        "486",
		"SELECT COUNT(DISTINCT ruid) FROM location":         "2",
	}
	if old.Table("acc").Column("sip_code") != nil {
		delete(want, "SELECT DISTINCT sip_code FROM missed_calls")
	} else {
		want["SELECT sip_reason FROM acc"] = "Busy Busy"
		want["SELECT method FROM acc ORDER BY method"] = "1-sip_method 2-sip_method"
	}
	if old.Table("gw") != nil && old.Table("gw").Column("id") != nil {
		want["SELECT gw_name FROM lcr_gw ORDER BY id"] = "1-gw_name 2-gw_name"
		want["SELECT prefix FROM lcr_rule ORDER BY prefix"] = "1-prefix 2-prefix"
		want["SELECT CONCAT(r.prefix, '>', g.gw_name) FROM lcr_rule_target AS t JOIN lcr_rule AS r ON r.id = t.rule_id JOIN lcr_gw AS g ON g.id = t.gw_id ORDER BY 1"] = "1-prefix>1-gw_name 2-prefix>2-gw_name"
		want["SELECT from_uri FROM lcr_rule ORDER BY prefix"] = "^1-from_uri$ ^2-from_uri$"
	}
	if c := old.Table("subscriber").Column("email_address"); c != nil {
		want["SELECT value FROM usr_preferences WHERE attribute = 'email_address' ORDER BY value"] = "1-email_address 2-email_address"
	}
	if r := old.Table("carrierroute"); r != nil && r.Column("domain").Kind == schema.String {
		want["SELECT n.domain FROM carrierroute AS c JOIN domain_name AS n ON n.id = c.domain ORDER BY 1"] = "1-domain 2-domain"
	}
	if w := old.Table("watchers"); w != nil && w.Column("w_user") != nil {
		want["SELECT presentity_uri FROM watchers ORDER BY 1"] = "sip:1-p_user@1-p_domain sip:2-p_user@2-p_domain"
		want["SELECT status FROM watchers"] = "1 1"
	}
	if old.Table("userblacklist") != nil && to.Table("userblocklist") != nil {
		want["SELECT prefix FROM userblocklist ORDER BY prefix"] = "1-prefix 2-prefix"
	}
	for query, w := range want {
		var got []string
		if err := d.Reader().SelectContext(t.Context(), &got, query); err != nil {
			t.Errorf("%s: %v", query, err)
		} else if strings.Join(got, " ") != w {
			t.Errorf("%s: %q, want %q", query, got, w)
		}
	}
}

// TestUpgradeInterrupted: where an upgrade ends after any statement, a new plan
// is the rest of the way; on engines with transactions nothing has changed.
func TestUpgradeInterrupted(t *testing.T) {
	target, err := schema.At("5.6")
	if err != nil {
		t.Fatal(err)
	}
	only := []string{
		"version", "subscriber", "location", "acc", "missed_calls", "carrierroute", "carrierfailureroute", "carrier_name", "domain_name",
		"lcr_gw", "lcr_rule", "lcr_rule_target", "usr_preferences", "speed_dial", "domain", "dialog", "watchers", "silo",
	}
	o := schema.PlanOptions{To: target, Only: only}
	t.Run("mysql", func(t *testing.T) {
		for _, from := range []string{"1.0", "1.3"} { // keys of their own; names in place of ids
			t.Run(from, func(t *testing.T) {
				d, old := prepare(t, db.MySQL, from)
				// One statement further each time, so that every one of them is
				// once the last.
				for n := 1; ; n++ {
					p := plan(t, d, o)
					if len(p.Steps) == 0 {
						break
					}
					if n == 100 {
						t.Fatalf("it comes to no end:\n%s", p)
					}
					p.Steps = p.Steps[:min(n, len(p.Steps))]
					if err := p.Run(t.Context(), d, nil); err != nil {
						t.Fatal(err)
					}
				}
				upgraded(t, d, o)
				valuesKept(t, d, old, target)
			})
		}
	})
	for _, e := range []db.Engine{db.SQLite, db.PostgreSQL} {
		t.Run(string(e), func(t *testing.T) {
			d, old := prepare(t, e, "1.2")
			p := plan(t, d, o)
			ctx, cancel := context.WithCancel(t.Context())
			n := 0
			err := p.Run(ctx, d, func(schema.Step) {
				if n++; n == len(p.Steps)-1 {
					cancel()
				}
			})
			if err == nil {
				t.Fatal("it went on after it was cancelled")
			}
			ts, err := schema.Examine(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			for _, diff := range old.Verify(e, ts, old.Tables) {
				t.Errorf("after the interruption: %s", diff)
			}
			p = plan(t, d, o)
			if err := p.Run(t.Context(), d, nil); err != nil {
				t.Fatal(err)
			}
			upgraded(t, d, o)
			valuesKept(t, d, old, target)
		})
	}
}

// TestUpgradeSnapshot: a SER 0.10, of which no record has all tables: what is
// known to differ is made of what is there.
func TestUpgradeSnapshot(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		create(t, d, db.SER)
		sql := []string{
			"DROP TABLE uri", "DROP TABLE credentials", "DROP TABLE location",
			"CREATE TABLE uri (uid VARCHAR(64) NOT NULL, did VARCHAR(64) NOT NULL, username VARCHAR(64) NOT NULL, flags INT DEFAULT 0 NOT NULL)",
			"CREATE TABLE credentials (auth_username VARCHAR(64) NOT NULL, realm VARCHAR(64) NOT NULL, password VARCHAR(28) DEFAULT '' NOT NULL, flags INT DEFAULT 0 NOT NULL, ha1 VARCHAR(32) NOT NULL, ha1b VARCHAR(32) DEFAULT '' NOT NULL, uid VARCHAR(64) NOT NULL)",
			"CREATE TABLE location (uid VARCHAR(64) NOT NULL, contact VARCHAR(255) NOT NULL)",
			"INSERT INTO domain (did, domain, flags) VALUES ('d1', 'example.com', 37)",
			"INSERT INTO uri (uid, did, username) VALUES ('u1', 'd1', 'alice')",
			"INSERT INTO credentials (auth_username, realm, ha1, uid) VALUES ('alice', 'example.com', 'x', 'u1')",
			"INSERT INTO location (uid, contact) VALUES ('u1', 'sip:alice@192.0.2.1')",
		}
		if err := d.Tx(t.Context(), func(tx *db.Tx) error {
			for _, s := range sql {
				if err := tx.Do(t.Context(), s); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if r, err := schema.Recognise(t.Context(), d); err != nil || r.Generation != "U0" || r.Current {
			t.Fatalf("recognised as %+v, %v", r, err)
		}
		o := schema.PlanOptions{To: schema.Of(db.SER), Groups: []string{"standard"}}
		if err := plan(t, d, o).Run(t.Context(), d, nil); err != nil {
			t.Fatal(err)
		}
		upgraded(t, d, o)
		var did, aor, scheme string
		err := d.Query("SELECT c.did, l.aor, u.scheme FROM credentials AS c JOIN location AS l ON l.uid = c.uid JOIN uri AS u ON u.uid = c.uid").Get(t.Context(), nil, &did, &aor, &scheme)
		if err != nil || did != "d1" || aor != "sip:alice@example.com" || scheme != "sip" {
			t.Errorf("did %q, aor %q, scheme %q, %v", did, aor, scheme, err)
		}
	})
}

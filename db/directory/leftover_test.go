package directory_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/db/directory"
	"sipd/db/table"
	"sipd/schema"
)

// TestRemoveUserEverywhere: of all tables of the flavour, those that name a user
// have a row of it, and none after it is removed. The books stay.
func TestRemoveUserEverywhere(t *testing.T) {
	books := []string{"acc", "missed_calls", "acc_cdrs", "cdrs", "sip_trace"}
	for _, f := range []db.Flavour{db.Kamailio, db.SER} {
		t.Run(string(f), func(t *testing.T) {
			d := dbtest.Open(t, db.SQLite)
			groups := slices.DeleteFunc(schema.Of(f).Groups(), func(g string) bool { return g == "uid" || g == "ims" })
			must(t, schema.Create(t.Context(), d, f, groups...))
			dir, err := directory.Open(t.Context(), d, f)
			must(t, err)
			must(t, dir.AddDomain(t.Context(), db.Domain{Name: "example.com"}))
			bob := addr("bob@example.com")
			must(t, dir.AddUser(t.Context(), user("bob@example.com", "p")))
			sure := 0
			owned := make(map[string][]table.Cond)
			for _, def := range schema.Of(f).Tables {
				if slices.Contains(books, def.Name) || !slices.Contains(groups, def.Group) {
					continue
				}
				for _, cells := range namesUser(def, bob) {
					x, err := table.Open(t.Context(), d, f, def.Name)
					must(t, err)
					var where []table.Cond
					for _, c := range cells {
						where = append(where, table.Eq(c.Column, c.Value))
					}
					owned[fmt.Sprint(def.Name, " ", cells)] = where
					if hasRow(t, x, where) {
						continue // it came with the user
					}
					must(t, x.Add(t.Context(), filled(def, cells, sure)...))
					sure++
				}
			}
			if sure < 10 {
				t.Fatalf("only %d tables name a user", sure)
			}
			_, err = dir.RemoveUser(t.Context(), bob)
			must(t, err)
			for name, where := range owned {
				var tab string
				fmt.Sscan(name, &tab)
				x, err := table.Open(t.Context(), d, f, tab)
				must(t, err)
				if hasRow(t, x, where) {
					t.Errorf("a row is left: %s", name)
				}
			}
		})
	}
}

func hasRow(t *testing.T, x *table.Table, where []table.Cond) bool {
	t.Helper()
	for _, err := range x.Rows(t.Context(), table.Query{Where: where}) {
		must(t, err)
		return true
	}
	return false
}

// namesUser are the columns by which rows of a table are a user's, once for
// each way.
func namesUser(def *schema.Table, a db.Address) [][]table.Cell {
	var out [][]table.Cell
	add := func(pairs ...string) {
		var cells []table.Cell
		for i := 0; i < len(pairs); i += 2 {
			if def.Column(pairs[i]) == nil {
				return
			}
			cells = append(cells, table.Cell{Column: pairs[i], Value: pairs[i+1]})
		}
		out = append(out, cells)
	}
	if def.Column("uid") != nil {
		add("uid", a.String())
		return out
	}
	add("username", a.User, "domain", a.Domain)
	add("watcher_username", a.User, "watcher_domain", a.Domain)
	add("presentity_uri", "sip:"+a.String())
	add("pres_uri", "sip:"+a.String())
	if def.Name == "pua" {
		add("watcher_uri", "sip:"+a.String())
	}
	return out
}

// filled completes a row: columns without a default get a value of their kind,
// another in every row.
func filled(def *schema.Table, cells []table.Cell, n int) []table.Cell {
	for _, c := range def.Columns {
		if c.Auto || slices.ContainsFunc(cells, func(x table.Cell) bool { return x.Column == c.Name }) {
			continue
		}
		var v any
		switch c.Kind {
		case schema.String, schema.Text, schema.Fixed:
			v = fmt.Sprint("x", n)
			if c.Size > 0 && c.Size < 4 {
				v = "x"
			}
		case schema.Blob:
			v = []byte{1}
		case schema.Integer:
			v = int64(1)
		case schema.Float, schema.Double:
			v = 1.0
		default:
			v = time.Unix(1700000000, 0)
		}
		if c.Default == nil && !c.Null {
			cells = append(cells, table.Cell{Column: c.Name, Value: v})
		}
	}
	return cells
}

package table_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/db/table"
	"sipd/schema"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// each runs fn on every engine with all tables of Kamailio.
func each(t *testing.T, fn func(t *testing.T, d *db.DB)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		must(t, schema.Create(t.Context(), d, db.Kamailio, "standard", "extra", "presence"))
		fn(t, d)
	})
}

func open(tb testing.TB, d *db.DB, name string) *table.Table {
	tb.Helper()
	x, err := table.Open(tb.Context(), d, db.Kamailio, name)
	must(tb, err)
	return x
}

// cells parses COLUMN VALUE pairs.
func cells(tb testing.TB, x *table.Table, pairs ...string) []table.Cell {
	tb.Helper()
	var out []table.Cell
	for i := 0; i < len(pairs); i += 2 {
		v, err := x.Parse(pairs[i], pairs[i+1])
		must(tb, err)
		out = append(out, table.Cell{Column: pairs[i], Value: v})
	}
	return out
}

func conds(tb testing.TB, x *table.Table, texts ...string) []table.Cond {
	tb.Helper()
	var out []table.Cond
	for _, s := range texts {
		c, err := x.ParseCond(s)
		must(tb, err)
		out = append(out, c)
	}
	return out
}

func TestRows(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		x := open(t, d, "address")
		for _, row := range [][]string{
			{"grp", "1", "ip_addr", "10.0.0.1", "tag", "one_per%cent"},
			{"grp", "2", "ip_addr", "10.0.0.2", "mask", "24", "port", "0x13c4"},
			{"grp", "010", "ip_addr", "10.0.0.3", "tag", "ONE"},
		} {
			must(t, x.Add(t.Context(), cells(t, x, row...)...))
		}
		for _, tt := range []struct {
			where []string
			sort  []string
			limit int
			want  [][]any
		}{
			{nil, []string{"-grp"}, 0, [][]any{{int64(10), "10.0.0.3", int64(32), int64(0), "ONE"}, {int64(2), "10.0.0.2", int64(24), int64(5060), nil}, {int64(1), "10.0.0.1", int64(32), int64(0), "one_per%cent"}}},
			{[]string{"grp>=2", "mask=32"}, nil, 0, [][]any{{int64(10), "10.0.0.3", int64(32), int64(0), "ONE"}}},
			{[]string{"tag~E_P"}, nil, 0, [][]any{{int64(1), "10.0.0.1", int64(32), int64(0), "one_per%cent"}}},
			{[]string{"tag~_"}, nil, 0, [][]any{{int64(1), "10.0.0.1", int64(32), int64(0), "one_per%cent"}}},
			{[]string{`tag=\N`}, nil, 0, [][]any{{int64(2), "10.0.0.2", int64(24), int64(5060), nil}}},
			{[]string{`tag!=ONE`, "grp<5"}, []string{"grp"}, 1, [][]any{{int64(1), "10.0.0.1", int64(32), int64(0), "one_per%cent"}}},
		} {
			q := table.Query{Columns: []string{"grp", "ip_addr", "mask", "port", "tag"}, Where: conds(t, x, tt.where...), Sort: tt.sort, Limit: tt.limit}
			got, err := db.All(x.Rows(t.Context(), q))
			must(t, err)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("rows where %q (-want +got):\n%s", tt.where, diff)
			}
		}
		if n, err := x.Set(t.Context(), conds(t, x, "grp<5"), cells(t, x, "tag", "it's")...); n != 2 || err != nil {
			t.Errorf("Set changed %d rows, %v; want 2", n, err)
		}
		if n, err := x.Remove(t.Context(), conds(t, x, "tag=it's")); n != 2 || err != nil {
			t.Errorf("Remove removed %d rows, %v; want 2", n, err)
		}
	})
}

func TestRefused(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		for _, tt := range []struct{ table, column, value, want string }{
			{"address", "grp", "x", "is no integer"},
			{"address", "grp", "-1", "is not in the range"},
			{"address", "port", "65536", "is not in the range"},
			{"address", "ip_addr", strings.Repeat("1", 51), "has 51 characters, the column holds 50"},
			{"address", "tag", "a\x00b", "zero byte"},
			{"address", "tag", "\xff", "UTF-8"},
			{"address", "nothing", "1", "is none of table address, which has id, grp, ip_addr"},
			{"carrierroute", "prob", "many", "is no number"},
			{"carrierroute", "prob", "1e300", "is not in the range"},
			{"grp", "last_modified", "tomorrow", "is no date"},
		} {
			x := open(t, d, tt.table)
			_, err := x.Parse(tt.column, tt.value)
			if _, ok := errors.AsType[*db.FieldError](err); !ok || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Parse(%q, %q) = %v; want a FieldError with %q", tt.column, tt.value, err, tt.want)
			}
		}
		x := open(t, d, "address")
		err := x.Add(t.Context(), table.Cell{Column: "grp", Value: 1})
		if _, ok := errors.AsType[*db.FieldError](err); !ok || !strings.Contains(err.Error(), "ip_addr is missing") {
			t.Errorf("Add without ip_addr = %v", err)
		}
		if err := x.Add(t.Context(), table.Cell{Column: "grp", Value: "1"}); err == nil {
			t.Error("Add takes a text in an integer column")
		}
		if _, err := x.ParseCond("grp"); err == nil {
			t.Error("ParseCond takes a word without a comparison")
		}
	})
}

// TestMissing: a table that is not there is told with the command that makes it.
func TestMissing(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	must(t, schema.Create(t.Context(), d, db.Kamailio))
	_, err := table.Open(t.Context(), d, db.Kamailio, "uacreg")
	if m, ok := errors.AsType[*schema.MismatchError](err); !ok || m.Command != "sipctl db create --only uacreg" {
		t.Errorf("Open = %v", err)
	}
}

// TestOwnColumns: what a site added to a table is read and written.
func TestOwnColumns(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		must(t, d.Tx(t.Context(), func(tx *db.Tx) error {
			if err := tx.Do(t.Context(), "ALTER TABLE acc ADD COLUMN src_user VARCHAR(8)"); err != nil {
				return err
			}
			return tx.Do(t.Context(), "ALTER TABLE acc ADD COLUMN cost INTEGER")
		}))
		x := open(t, d, "acc")
		at := time.Date(2026, 7, 8, 9, 10, 11, 0, time.Local)
		must(t, x.Add(t.Context(), append(cells(t, x, "callid", "c1", "src_user", "alice", "cost", "12"), table.Cell{Column: "time", Value: at})...))
		got, err := db.All(x.Rows(t.Context(), table.Query{Columns: []string{"src_user", "cost", "time"}, Where: conds(t, x, "time>=2026-07-08 09:10:11")}))
		must(t, err)
		if len(got) != 1 || got[0][0] != "alice" || got[0][1] != int64(12) || !got[0][2].(time.Time).Equal(at) {
			t.Errorf("rows = %v", got)
		}
		if _, err := x.Parse("src_user", "123456789"); err == nil {
			t.Error("a text of 9 characters goes into a column of 8")
		}
	})
}

// TestAnyText: what fits comes back as it went in, on every engine.
func TestAnyText(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		x := open(t, d, "htable")
		rapid.Check(t, func(rt *rapid.T) {
			s := rapid.OneOf(rapid.String(), rapid.StringMatching(`['"%\\_!;:?$-]{0,12}`), rapid.StringMatching(`[؀-ۿ😀-🙏]{0,40}`)).Draw(rt, "text")
			v, err := x.Parse("key_value", s)
			fits := utf8.ValidString(s) && utf8.RuneCountInString(s) <= 128 && strings.IndexByte(s, 0) < 0
			if (err == nil) != fits {
				rt.Fatalf("Parse(%q) = %v", s, err)
			}
			if err != nil {
				return
			}
			where := []table.Cond{table.Eq("key_name", "k")}
			if _, err := x.Remove(t.Context(), where); err != nil {
				rt.Fatal(err)
			}
			if err := x.Add(t.Context(), table.Cell{Column: "key_name", Value: "k"}, table.Cell{Column: "key_value", Value: v}); err != nil {
				rt.Fatalf("Add %q: %v", s, err)
			}
			got, err := db.All(x.Rows(t.Context(), table.Query{Columns: []string{"key_value"}, Where: append(where, table.Eq("key_value", v))}))
			if err != nil || len(got) != 1 || got[0][0] != s {
				rt.Fatalf("%q came back as %q, %v", s, got, err)
			}
		})
	})
}

// TestBytes: a blob keeps every byte.
func TestBytes(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	each(t, func(t *testing.T, d *db.DB) {
		x := open(t, d, "silo")
		must(t, x.Add(t.Context(), table.Cell{Column: "username", Value: "a"}, table.Cell{Column: "body", Value: all}))
		got, err := db.All(x.Rows(t.Context(), table.Query{Columns: []string{"body"}}))
		must(t, err)
		if len(got) != 1 || !bytes.Equal(got[0][0].([]byte), all) {
			t.Errorf("bytes came back as %x", got)
		}
	})
}

// TestNumbers: a row that came with its number does not get in the way of one
// that the engine numbers.
func TestNumbers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if err := schema.Of(db.Kamailio).Create(t.Context(), d, []*schema.Table{schema.Of(db.Kamailio).Table("carrier_name")}); err != nil {
			t.Fatal(err)
		}
		tab, err := table.Open(t.Context(), d, db.Kamailio, "carrier_name")
		if err != nil {
			t.Fatal(err)
		}
		for _, cells := range [][]table.Cell{
			{{Column: "id", Value: 1}, {Column: "carrier", Value: "one"}},
			{{Column: "carrier", Value: "two"}},
			{{Column: "id", Value: 7}, {Column: "carrier", Value: "seven"}},
			{{Column: "carrier", Value: "eight"}},
		} {
			if err := tab.Add(t.Context(), cells...); err != nil {
				t.Fatalf("%v: %v", cells, err)
			}
		}
		rows, err := db.All(tab.Rows(t.Context(), table.Query{Columns: []string{"id", "carrier"}, Sort: []string{"id"}}))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(rows), "[[1 one] [2 two] [7 seven] [8 eight]]"; got != want {
			t.Errorf("the rows are %s, want %s", got, want)
		}
	})
}

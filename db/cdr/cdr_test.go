package cdr_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sipd/db"
	"sipd/db/cdr"
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

// books makes the tables, acc with the columns that a site adds.
func books(tb testing.TB, d *db.DB) {
	tb.Helper()
	tables, err := schema.Of(db.Kamailio).Pick(nil, []string{"version", "acc", "cdrs", "billing_rates"})
	must(tb, err)
	must(tb, schema.Of(db.Kamailio).Create(tb.Context(), d, tables))
	for _, c := range []string{"src_user", "src_domain", "src_ip", "dst_ouser", "dst_user", "dst_domain"} {
		must(tb, d.Tx(tb.Context(), func(tx *db.Tx) error {
			return tx.Do(tb.Context(), "ALTER TABLE acc ADD COLUMN "+c+" VARCHAR(128) NOT NULL DEFAULT ''")
		}))
	}
	must(tb, d.Tx(tb.Context(), func(tx *db.Tx) error {
		return tx.Do(tb.Context(), "ALTER TABLE acc ADD COLUMN cdr_id INTEGER NOT NULL DEFAULT 0")
	}))
}

// noon is when the calls of the tests begin.
var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.Local)

// write adds requests to acc, one a line: METHOD SECOND CALLID FROM TO CALLEE.
func write(tb testing.TB, d *db.DB, lines string) {
	tb.Helper()
	t, err := table.Open(tb.Context(), d, db.Kamailio, "acc")
	must(tb, err)
	for line := range strings.Lines(strings.TrimSpace(lines)) {
		var method, call, from, to, callee string
		var second int
		if _, err := fmt.Sscan(line, &method, &second, &call, &from, &to, &callee); err != nil {
			tb.Fatalf("%q: %v", line, err)
		}
		must(tb, t.Add(tb.Context(),
			table.Cell{Column: "method", Value: method}, table.Cell{Column: "callid", Value: call}, table.Cell{Column: "from_tag", Value: from}, table.Cell{Column: "to_tag", Value: to},
			table.Cell{Column: "sip_code", Value: "200"}, table.Cell{Column: "sip_reason", Value: "OK"}, table.Cell{Column: "time", Value: noon.Add(time.Duration(second) * time.Second)},
			table.Cell{Column: "src_user", Value: "alice"}, table.Cell{Column: "src_domain", Value: "example.com"}, table.Cell{Column: "src_ip", Value: "192.0.2.1"},
			table.Cell{Column: "dst_user", Value: callee}, table.Cell{Column: "dst_ouser", Value: callee}, table.Cell{Column: "dst_domain", Value: "example.com"}))
	}
}

// rows are a table's, each as text.
func rows(tb testing.TB, d *db.DB, name string, columns ...string) []string {
	tb.Helper()
	t, err := table.Open(tb.Context(), d, db.Kamailio, name)
	must(tb, err)
	var out []string
	for row, err := range t.Rows(tb.Context(), table.Query{Columns: columns}) {
		must(tb, err)
		for i, v := range row {
			if at, ok := v.(time.Time); ok {
				row[i] = at.Sub(noon).Round(time.Millisecond)
			}
		}
		out = append(out, strings.TrimSpace(fmt.Sprintln(row...)))
	}
	return out
}

// TestGenerate: a record for every call that ended, whoever hung up; what comes
// later is found by the next run.
func TestGenerate(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		books(t, d)
		write(t, d, `
			INVITE 0 c1 a b 100
			INVITE 5 c2 a b 101
			INVITE 7 c3 a b 102
			BYE 30 c1 a b 100
			INVITE 31 c1 x y 103
			BYE 65 c2 b a 101
			BYE 70 c2 a b 101
			INVITE 40 c2 b a 101
			BYE 3 c4 a b 104`)
		made, err := cdr.Generate(t.Context(), d)
		must(t, err)
		if made.Records != 2 || made.Open != 2 || made.Refused != nil {
			t.Errorf("made %+v, want 2 records and 2 calls that go on", made)
		}
		want := []string{"c1 a b 0s 30 alice 100", "c2 a b 5s 60 alice 101"}
		columns := []string{"sip_call_id", "sip_from_tag", "sip_to_tag", "call_start_time", "duration", "src_username", "dst_username"}
		if diff := cmp.Diff(want, rows(t, d, "cdrs", columns...)); diff != "" {
			t.Errorf("wanted -, made +:\n%s", diff)
		}
		want = []string{"INVITE c1 1", "INVITE c2 2", "INVITE c3 0", "BYE c1 1", "INVITE c1 0", "BYE c2 2", "BYE c2 2", "INVITE c2 2", "BYE c4 0"}
		if diff := cmp.Diff(want, rows(t, d, "acc", "method", "callid", "cdr_id")); diff != "" {
			t.Errorf("numbers wanted -, written +:\n%s", diff)
		}
		write(t, d, "BYE 100 c3 b a 102\nINVITE 101 c2 a b 101")
		if made, err = cdr.Generate(t.Context(), d); err != nil || made.Records != 1 || made.Open != 1 {
			t.Errorf("the next run made %+v, %v; want 1 record, and 1 call that goes on", made, err)
		}
		if made, err = cdr.Generate(t.Context(), d); err != nil || made.Records != 0 || made.Open != 1 {
			t.Errorf("with nothing new made %+v, %v", made, err)
		}
	})
}

// TestGenerateMany: more than a batch, with calls whose records do not fit.
func TestGenerateMany(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	books(t, d)
	var b strings.Builder
	for i := range cdr.Batch + 10 {
		fmt.Fprintf(&b, "INVITE 0 c%d a b 100\nBYE 10 c%[1]d a b 100\n", i)
	}
	write(t, d, b.String())
	long := strings.Repeat("x", 129)
	write(t, d, "INVITE 0 "+long+" a b 100\nBYE 10 "+long+" a b 100")
	made, err := cdr.Generate(t.Context(), d)
	must(t, err)
	if made.Records != cdr.Batch+10 || len(made.Refused) != 1 || !strings.Contains(made.Refused[0].Error(), "sip_call_id") {
		t.Errorf("made %d records, refused %v; want %d and the one whose name is too long", made.Records, made.Refused, cdr.Batch+10)
	}
}

// TestGenerateWants: a table or column that is missing is told with the command
// that makes it.
func TestGenerateWants(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	must(t, schema.Create(t.Context(), d, db.Kamailio, "standard"))
	for _, want := range []string{"sipctl db create --only cdrs", "sipctl acc extend"} {
		_, err := cdr.Generate(t.Context(), d)
		if m, ok := errors.AsType[*schema.MismatchError](err); !ok || m.Command != want {
			t.Fatalf("Generate: %v, want a mismatch that says %s", err, want)
		}
		tables, err := schema.Of(db.Kamailio).Pick(nil, []string{"cdrs"})
		must(t, err)
		if want != "sipctl acc extend" {
			must(t, schema.Of(db.Kamailio).Create(t.Context(), d, tables))
		}
	}
}

func price(tb testing.TB, d *db.DB, group, prefix string, rate, unit int) {
	tb.Helper()
	t, err := table.Open(tb.Context(), d, db.Kamailio, "billing_rates")
	must(tb, err)
	must(tb, t.Add(tb.Context(), table.Cell{Column: "rate_group", Value: group}, table.Cell{Column: "prefix", Value: prefix},
		table.Cell{Column: "rate_unit", Value: rate}, table.Cell{Column: "time_unit", Value: unit}))
}

func TestRate(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		books(t, d)
		write(t, d, `
			INVITE 0 c1 a b 4930123
			BYE 61 c1 a b 4930123
			INVITE 0 c2 a b 49170
			BYE 60 c2 a b 49170
			INVITE 0 c3 a b 33123
			BYE 1 c3 a b 33123
			INVITE 0 c4 a b 49%
			BYE 0 c4 a b 49%`)
		_, err := cdr.Generate(t.Context(), d)
		must(t, err)
		if _, err := cdr.Rate(t.Context(), d); err == nil || !strings.Contains(err.Error(), "sipctl acc rates add default") {
			t.Errorf("Rate without prices: %v", err)
		}
		price(t, d, "default", "49", 10, 60)
		price(t, d, "default", "4930", 2, 60)
		price(t, d, "default", "%", 99, 60)
		price(t, d, "world", "", 100, 60)
		got, err := cdr.Rate(t.Context(), d)
		must(t, err)
		if got.Records != 3 || got.Without != 1 {
			t.Errorf("rated %+v, want 3 and 1 without", got)
		}
		want := []string{"4930123 61 1 4", "49170 60 1 10", "33123 1 0 0", "49% 0 1 0"}
		if diff := cmp.Diff(want, rows(t, d, "cdrs", "dst_username", "duration", "rated", "cost")); diff != "" {
			t.Errorf("wanted -, rated +:\n%s", diff)
		}
		if got, err = cdr.Rate(t.Context(), d, "default", "world"); err != nil || got.Records != 1 || got.Without != 0 {
			t.Errorf("with the other group rated %+v, %v", got, err)
		}
		lines, err := cdr.Report(t.Context(), d, "srcdomain", noon.Add(-time.Second))
		must(t, err)
		if diff := cmp.Diff([]cdr.Line{{Key: "example.com", Calls: 4, Seconds: 122, Cost: 114}}, lines); diff != "" {
			t.Errorf("report wanted -, got +:\n%s", diff)
		}
		if lines, err = cdr.Report(t.Context(), d, "day", time.Time{}); err != nil || len(lines) != 1 || lines[0].Key != "2026-06-01" {
			t.Errorf("report by day: %v, %v", lines, err)
		}
		if lines, err = cdr.Report(t.Context(), d, "day", noon.Add(time.Hour)); err != nil || len(lines) != 0 {
			t.Errorf("report of later calls: %v, %v", lines, err)
		}
		if lines, err = cdr.Top(t.Context(), d, "top-dst", time.Time{}); err != nil || len(lines) != 4 || lines[0].Calls != 2 {
			t.Errorf("top-dst: %v, %v", lines, err)
		}
		if _, err = cdr.Top(t.Context(), d, "top", time.Time{}); err == nil {
			t.Error("report top is none")
		}
	})
}

// TestRateRefuses: a price per no time is told, and a cost that does not fit
// keeps no other record back.
func TestRateRefuses(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	books(t, d)
	write(t, d, "INVITE 0 c1 a b 1\nBYE 3 c1 a b 1\nINVITE 0 c2 a b 2\nBYE 3 c2 a b 2")
	_, err := cdr.Generate(t.Context(), d)
	must(t, err)
	price(t, d, "default", "1", 2147483647, 1)
	price(t, d, "default", "2", 1, 1)
	got, err := cdr.Rate(t.Context(), d)
	must(t, err)
	if got.Records != 1 || len(got.Refused) != 1 {
		t.Errorf("rated %+v, want one and one refused", got)
	}
	price(t, d, "default", "3", 1, 0)
	if _, err := cdr.Rate(t.Context(), d); err == nil || !strings.Contains(err.Error(), "time_unit") {
		t.Errorf("a price per no time: %v", err)
	}
}

// TestLongestPrefix: the price of a call does not depend on which prices are
// there besides, unless one of them has a longer prefix of the number.
func TestLongestPrefix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.StringMatching(`[0-9]{0,12}`).Draw(t, "number")
		prefixes := rapid.SliceOfDistinct(rapid.StringMatching(`[0-9]{0,4}`), func(s string) string { return s }).Draw(t, "prefixes")
		want := ""
		found := false
		for _, p := range prefixes {
			if strings.HasPrefix(number, p) && (!found || len(p) > len(want)) {
				want, found = p, true
			}
		}
		got, ok := cdr.Longest(prefixes, number)
		if ok != found || got != want {
			t.Fatalf("of %q for %q: %q, %v; want %q, %v", prefixes, number, got, ok, want, found)
		}
	})
}

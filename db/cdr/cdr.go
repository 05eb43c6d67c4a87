// Package cdr makes the records of calls that an operator bills by: of the
// requests that module acc wrote (table acc) one row a call (table cdrs), and
// prices on them (table billing_rates). The tables are kamcli's, where
// procedures in MySQL's own language do this; here it is the same on every
// engine, and what one made the other goes on with.
package cdr

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sipd/db"
	"sipd/db/table"
	"sipd/schema"
)

// Batch is how many rows are read and written at once, in one transaction.
const Batch = 1000

// Made is what [Generate] did.
type Made struct {
	Records int // calls that have a record now
	Open    int // INVITEs without a BYE: calls that go on, or were never answered
	Refused []error
}

// side is a call's name as one of its two sides sees it.
type side struct{ callid, from, to string }

func (s side) other() side { return side{s.callid, s.to, s.from} }

// request is what acc wrote of one.
type request struct {
	side
	id   int64
	time time.Time
	cell map[string]string // of the columns that a record takes over
}

// taken are the columns of acc and those of cdrs that they become.
var taken = [][2]string{
	{"src_user", "src_username"},
	{"src_domain", "src_domain"},
	{"dst_user", "dst_username"},
	{"dst_domain", "dst_domain"},
	{"dst_ouser", "dst_ousername"},
	{"src_ip", "src_ip"},
}

// needed are the columns of acc that a site adds for it.
func needed() []string {
	out := []string{"cdr_id"}
	for _, p := range taken {
		out = append(out, p[0])
	}
	return out
}

// Generate makes records of the calls that have ended: an INVITE and the first
// BYE of the same dialog, whichever side hung up. The dialog's requests get the
// number of the record in column cdr_id, so the next run finds what is new. A
// second INVITE inside a dialog makes no second record. Every [Batch] is a
// transaction: interrupted, it goes on where it was. A record that the table
// has no room for is among Refused and does not keep the others back. A table
// or column that is missing is a *[schema.MismatchError].
func Generate(ctx context.Context, d *db.DB) (Made, error) {
	var m Made
	g, err := newGenerator(ctx, d)
	if err != nil {
		return m, err
	}
	for last := int64(0); ; {
		invites, err := g.invites(ctx, last)
		if err != nil || len(invites) == 0 {
			return m, err
		}
		last = invites[len(invites)-1].id
		got, err := g.batch(ctx, invites)
		if err != nil {
			return m, err
		}
		m.Records += got.Records
		m.Open += got.Open
		m.Refused = append(m.Refused, got.Refused...)
	}
}

type generator struct {
	d         *db.DB
	acc, cdrs *table.Table
}

func newGenerator(ctx context.Context, d *db.DB) (*generator, error) {
	found, err := schema.Inspect(ctx, d)
	if err != nil {
		return nil, err
	}
	g := &generator{d: d}
	if g.acc, err = table.Like(d, db.Kamailio, found, "acc", "acc"); err != nil {
		return nil, err
	}
	if g.cdrs, err = table.Like(d, db.Kamailio, found, "cdrs", "cdrs"); err != nil {
		return nil, err
	}
	for _, c := range needed() {
		if !g.acc.Has(c) {
			return nil, missing(d, c)
		}
	}
	return g, nil
}

// missing is a column that a site adds to acc, and has not.
func missing(d *db.DB, column string) error {
	return &schema.MismatchError{Source: d.Source(), Table: "acc", Column: column, Found: "no column " + column, Wanted: "the column", Command: "sipctl acc extend"}
}

// invites are the next ones without a record.
func (g *generator) invites(ctx context.Context, after int64) ([]request, error) {
	return g.requests(ctx, table.Query{Limit: Batch, Sort: []string{"id"}, Where: []table.Cond{
		table.Eq("method", "INVITE"), table.Eq("cdr_id", int64(0)), {Column: "id", Op: table.More, Value: after},
	}})
}

func (g *generator) requests(ctx context.Context, q table.Query) ([]request, error) {
	q.Columns = []string{"id", "callid", "from_tag", "to_tag", "time"}
	for _, p := range taken {
		q.Columns = append(q.Columns, p[0])
	}
	var out []request
	for row, err := range g.acc.Rows(ctx, q) {
		if err != nil {
			return nil, err
		}
		r := request{side: side{text(row[1]), text(row[2]), text(row[3])}, cell: make(map[string]string)}
		r.id, _ = row[0].(int64)
		r.time, _ = row[4].(time.Time)
		for i, p := range taken {
			r.cell[p[1]] = text(row[5+i])
		}
		out = append(out, r)
	}
	return out, nil
}

// text is a cell as text: NULL is none.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}

// batch makes the records of some INVITEs.
func (g *generator) batch(ctx context.Context, invites []request) (Made, error) {
	var ids []any
	seen := make(map[string]bool)
	for _, r := range invites {
		if !seen[r.callid] {
			seen[r.callid] = true
			ids = append(ids, r.callid)
		}
	}
	byes, err := g.requests(ctx, table.Query{Where: []table.Cond{table.Eq("method", "BYE"), {Column: "callid", Op: table.In, Value: ids}}})
	if err != nil {
		return Made{}, err
	}
	end := make(map[side]time.Time)
	for _, b := range byes {
		for _, s := range []side{b.side, b.other()} {
			if t, ok := end[s]; !ok || b.time.Before(t) {
				end[s] = b.time
			}
		}
	}
	var made Made
	err = g.d.Tx(ctx, func(tx *db.Tx) (err error) {
		made, err = g.write(ctx, tx, invites, ids, end)
		return err
	})
	return made, err
}

// write adds the records of INVITEs that have an end and marks their requests.
func (g *generator) write(ctx context.Context, tx *db.Tx, invites []request, callids []any, end map[side]time.Time) (Made, error) {
	var made Made
	numbers, err := g.numbers(ctx, tx, callids)
	if err != nil {
		return made, err
	}
	added := make(map[side]bool)
	for _, r := range invites {
		_, has := numbers[r.side]
		at, ended := end[r.side]
		switch {
		case has, added[r.side]: // a second INVITE of the dialog
			continue
		case !ended:
			made.Open++
			continue
		}
		err := g.add(ctx, tx, r, at)
		if _, bad := errors.AsType[*db.FieldError](err); bad {
			made.Refused = append(made.Refused, fmt.Errorf("call %s, row %d of acc: %w", r.callid, r.id, err))
			continue
		}
		if err != nil {
			return made, err
		}
		added[r.side], added[r.other()] = true, true
		made.Records++
	}
	if numbers, err = g.numbers(ctx, tx, callids); err != nil {
		return made, err
	}
	done := make(map[int64]bool)
	for _, r := range invites {
		if n, ok := numbers[r.side]; ok && !done[n] {
			done[n] = true
			if err := g.mark(ctx, tx, r.side, n); err != nil {
				return made, err
			}
		}
	}
	return made, nil
}

func (g *generator) add(ctx context.Context, tx *db.Tx, r request, end time.Time) error {
	cells := []table.Cell{
		{Column: "call_start_time", Value: r.time},
		{Column: "created", Value: time.Now()},
		{Column: "duration", Value: int64(max(0, end.Sub(r.time)).Round(time.Second) / time.Second)},
		{Column: "sip_call_id", Value: r.callid},
		{Column: "sip_from_tag", Value: r.from},
		{Column: "sip_to_tag", Value: r.to},
	}
	for _, p := range taken {
		cells = append(cells, table.Cell{Column: p[1], Value: r.cell[p[1]]})
	}
	return g.cdrs.AddTx(ctx, tx, cells...)
}

// numbers are the records of calls, by either side's name.
func (g *generator) numbers(ctx context.Context, tx *db.Tx, callids []any) (map[side]int64, error) {
	var rows []struct {
		ID   int64  `db:"cdr_id"`
		Call string `db:"sip_call_id"`
		From string `db:"sip_from_tag"`
		To   string `db:"sip_to_tag"`
	}
	err := tx.Select(ctx, &rows, "SELECT cdr_id, sip_call_id, sip_from_tag, sip_to_tag FROM cdrs WHERE sip_call_id IN ("+strings.TrimSuffix(strings.Repeat("?, ", len(callids)), ", ")+")", callids...)
	if err != nil {
		return nil, err
	}
	out := make(map[side]int64)
	for _, r := range rows {
		s := side{r.Call, r.From, r.To}
		out[s], out[s.other()] = r.ID, r.ID
	}
	return out, nil
}

// mark writes the record's number to all requests of the dialog.
func (g *generator) mark(ctx context.Context, tx *db.Tx, s side, number int64) error {
	for _, x := range []side{s, s.other()} {
		where := []table.Cond{table.Eq("callid", x.callid), table.Eq("from_tag", x.from), table.Eq("to_tag", x.to)}
		if _, err := g.acc.SetTx(ctx, tx, where, table.Cell{Column: "cdr_id", Value: number}); err != nil {
			return err
		}
	}
	return nil
}

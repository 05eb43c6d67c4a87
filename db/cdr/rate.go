package cdr

import (
	"context"
	"errors"
	"fmt"

	"sipd/db"
	"sipd/db/table"
	"sipd/schema"
)

// Rated is what [Rate] did.
type Rated struct {
	Records int // that have a cost now
	Without int // whose number has no price
	Refused []error
}

// price is a row of billing_rates: rate for every begun unit of seconds.
type price struct{ rate, unit int64 }

// Rate puts a cost on the records that have none: of the prices of the group
// the one with the longest prefix of the called number, once for every begun
// unit of time. Several groups are tried one after the other; without one it
// is the group default. As in [Generate], every [Batch] is a transaction.
func Rate(ctx context.Context, d *db.DB, groups ...string) (Rated, error) {
	if len(groups) == 0 {
		groups = []string{"default"}
	}
	var out Rated
	found, err := schema.Inspect(ctx, d)
	if err != nil {
		return out, err
	}
	cdrs, err := table.Like(d, db.Kamailio, found, "cdrs", "cdrs")
	if err != nil {
		return out, err
	}
	rates, err := table.Like(d, db.Kamailio, found, "billing_rates", "billing_rates")
	if err != nil {
		return out, err
	}
	var prices []map[string]price
	for _, g := range groups {
		p, err := pricesOf(ctx, rates, g)
		if err != nil {
			return out, err
		}
		prices = append(prices, p)
	}
	for last := int64(0); ; {
		recs, err := unrated(ctx, cdrs, last)
		if err != nil || len(recs) == 0 {
			return out, err
		}
		last = recs[len(recs)-1].id
		var got Rated
		err = d.Tx(ctx, func(tx *db.Tx) (err error) {
			got, err = rateBatch(ctx, tx, cdrs, prices, recs)
			return err
		})
		if err != nil {
			return out, err
		}
		out.Records += got.Records
		out.Without += got.Without
		out.Refused = append(out.Refused, got.Refused...)
	}
}

// pricesOf are the prices of a group by prefix. A group without any is an error:
// its name is wrong.
func pricesOf(ctx context.Context, t *table.Table, group string) (map[string]price, error) {
	out := make(map[string]price)
	q := table.Query{Columns: []string{"prefix", "rate_unit", "time_unit"}, Where: []table.Cond{table.Eq("rate_group", group)}}
	for row, err := range t.Rows(ctx, q) {
		if err != nil {
			return nil, err
		}
		p := price{}
		p.rate, _ = row[1].(int64)
		p.unit, _ = row[2].(int64)
		if p.unit < 1 {
			return nil, &db.FieldError{Field: "time_unit", Value: fmt.Sprint(p.unit), Why: fmt.Sprintf("of group %s, prefix %q is no number of seconds from 1 on", group, text(row[0]))}
		}
		out[text(row[0])] = p
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("group %s has no price; to add one: sipctl acc rates add %[1]s PREFIX RATE SECONDS", group)
	}
	return out, nil
}

type unratedRecord struct {
	id, duration int64
	number       string
}

func unrated(ctx context.Context, t *table.Table, after int64) ([]unratedRecord, error) {
	var out []unratedRecord
	q := table.Query{
		Columns: []string{"cdr_id", "dst_username", "duration"}, Sort: []string{"cdr_id"}, Limit: Batch,
		Where: []table.Cond{table.Eq("rated", int64(0)), {Column: "cdr_id", Op: table.More, Value: after}},
	}
	for row, err := range t.Rows(ctx, q) {
		if err != nil {
			return nil, err
		}
		r := unratedRecord{number: text(row[1])}
		r.id, _ = row[0].(int64)
		r.duration, _ = row[2].(int64)
		out = append(out, r)
	}
	return out, nil
}

func rateBatch(ctx context.Context, tx *db.Tx, cdrs *table.Table, prices []map[string]price, recs []unratedRecord) (Rated, error) {
	var out Rated
	for _, r := range recs {
		p, ok := priceOf(prices, r.number)
		if !ok {
			out.Without++
			continue
		}
		_, err := cdrs.SetTx(ctx, tx, []table.Cond{table.Eq("cdr_id", r.id)},
			table.Cell{Column: "rated", Value: int64(1)}, table.Cell{Column: "cost", Value: p.cost(r.duration)})
		if _, bad := errors.AsType[*db.FieldError](err); bad { // more than the column holds
			out.Refused = append(out.Refused, fmt.Errorf("record %d: %w", r.id, err))
			continue
		}
		if err != nil {
			return out, err
		}
		out.Records++
	}
	return out, nil
}

// priceOf finds the longest prefix of the number in the first group that has
// one.
func priceOf(prices []map[string]price, number string) (price, bool) {
	for _, group := range prices {
		for n := len(number); n >= 0; n-- {
			if p, ok := group[number[:n]]; ok {
				return p, true
			}
		}
	}
	return price{}, false
}

// cost is the rate for every begun unit.
func (p price) cost(seconds int64) int64 { return p.rate * ((seconds + p.unit - 1) / p.unit) }

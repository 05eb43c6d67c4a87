package cdr

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"sipd/db"
	"sipd/db/table"
)

// Line is a sum over calls that have something in common.
type Line struct {
	Key     string
	Calls   int
	Seconds int64
	Cost    int64
}

// Keys are what [Report] sums up by, and what they are.
var Keys = map[string]string{
	"src": "the caller", "dst": "the number called", "odst": "the number called first", "srcip": "the address of the caller's phone",
	"srcdomain": "the caller's domain", "dstdomain": "the domain called", "day": "the day",
}

// Report sums the records up that began since then, by one of [Keys], the most
// calls first.
func Report(ctx context.Context, d *db.DB, by string, since time.Time) ([]Line, error) {
	t, err := table.Open(ctx, d, db.Kamailio, "cdrs")
	if err != nil {
		return nil, err
	}
	columns := map[string][]string{
		"src": {"src_username", "src_domain"}, "dst": {"dst_username", "dst_domain"}, "odst": {"dst_ousername"}, "srcip": {"src_ip"},
		"srcdomain": {"src_domain"}, "dstdomain": {"dst_domain"}, "day": {"call_start_time"},
	}[by]
	if columns == nil {
		return nil, &db.FieldError{Field: "report", Value: by, Why: "is none; there are " + strings.Join(slices.Sorted(maps.Keys(Keys)), ", ")}
	}
	sums := make(map[string]*Line)
	q := table.Query{Columns: append([]string{"duration", "cost"}, columns...), Where: from("call_start_time", since)}
	for row, err := range t.Rows(ctx, q) {
		if err != nil {
			return nil, err
		}
		l := line(sums, key(row[2:]))
		seconds, _ := row[0].(int64)
		cost, _ := row[1].(int64)
		l.Seconds += seconds
		l.Cost += cost
	}
	return sorted(sums), nil
}

// TopKeys are the columns of acc that [Top] counts by, under kamcli's names.
var TopKeys = map[string]string{"top-src": "src_user", "top-dst": "dst_user", "top-odst": "dst_ouser", "top-srcip": "src_ip"}

// Top counts the requests in acc since then by one of [TopKeys], the most
// first. A column that is missing is a *[schema.MismatchError].
func Top(ctx context.Context, d *db.DB, name string, since time.Time) ([]Line, error) {
	column, ok := TopKeys[name]
	if !ok {
		return nil, &db.FieldError{Field: "report", Value: name, Why: "is none; there are " + strings.Join(slices.Sorted(maps.Keys(TopKeys)), ", ")}
	}
	t, err := table.Open(ctx, d, db.Kamailio, "acc")
	if err != nil {
		return nil, err
	}
	if !t.Has(column) {
		return nil, missing(d, column)
	}
	sums := make(map[string]*Line)
	for row, err := range t.Rows(ctx, table.Query{Columns: []string{column}, Where: from("time", since)}) {
		if err != nil {
			return nil, err
		}
		line(sums, key(row))
	}
	return sorted(sums), nil
}

// from is the condition of rows since then, none for the zero time.
func from(column string, since time.Time) []table.Cond {
	if since.IsZero() {
		return nil
	}
	return []table.Cond{{Column: column, Op: table.Min, Value: since}}
}

// key joins user and domain, and takes the day of a time.
func key(cells []any) string {
	if t, ok := cells[0].(time.Time); ok {
		return t.Format(time.DateOnly)
	}
	if len(cells) == 2 && text(cells[1]) != "" {
		return text(cells[0]) + "@" + text(cells[1])
	}
	return text(cells[0])
}

func line(sums map[string]*Line, key string) *Line {
	l := sums[key]
	if l == nil {
		l = &Line{Key: key}
		sums[key] = l
	}
	l.Calls++
	return l
}

func sorted(sums map[string]*Line) []Line {
	out := make([]Line, 0, len(sums))
	for _, l := range sums {
		out = append(out, *l)
	}
	slices.SortFunc(out, func(a, b Line) int {
		if a.Calls != b.Calls {
			return b.Calls - a.Calls
		}
		return strings.Compare(a.Key, b.Key)
	})
	return out
}

package avpops

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"sipd/router/module"
	"sipd/router/run"
)

const (
	queryTime = 10 * time.Second
	mostRows  = 10000
	noRows    = -2 // what avp_db_query answers without a result
)

// newQuery compiles avp_db_query.
func (m *avpops) newQuery(a module.Args) (run.Func, error) {
	if m.url == "" {
		return nil, at(0, errors.New("avp_db_query needs db_url and avp_table"))
	}
	var dest []attr
	if a.Has(1) {
		for text := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(a[1].Text), ";"), ";") {
			x, err := m.attr(strings.TrimSpace(text))
			if err != nil {
				return nil, at(1, err)
			}
			dest = append(dest, x)
		}
	}
	return func(c *run.Context) int {
		if m.conn.DB == nil {
			return -1
		}
		query := a.Str(c, 0)
		if query == "" {
			return -1
		}
		rows, err := m.query(query)
		if err != nil {
			m.failed.Log(c, m.conn.Wrap(err))
			return -1
		}
		if len(rows) == 0 {
			return noRows
		}
		for i := len(rows) - 1; i >= 0; i-- { // the first row ends in front
			put(c, rows[i], dest)
		}
		return 1
	}, nil
}

// put adds the columns of a row to their attributes; without destinations
// those are $avp(i:1), $avp(i:2) and so on.
func put(c *run.Context, row []run.Value, dest []attr) {
	for j, v := range row {
		name, ok := run.AVPName{N: j + 1, Num: true}, true
		if dest != nil {
			if j >= len(dest) {
				return
			}
			name, ok = dest[j].name(c)
		}
		if ok && !v.IsNull() && (!v.IsStr() || v.Text() != "") {
			c.AVPs.Add(list, name, v, 0)
		}
	}
}

// query runs a statement as it is written.
func (m *avpops) query(text string) ([][]run.Value, error) {
	ctx, cancel := context.WithTimeout(context.Background(), queryTime)
	defer cancel()
	if !reads(text) {
		_, err := m.conn.Writer().ExecContext(ctx, text)
		return nil, err
	}
	rows, err := m.conn.Reader().QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	var out [][]run.Value
	cells, dest := make([]any, len(types)), make([]any, len(types))
	for i := range cells {
		dest[i] = &cells[i]
	}
	for rows.Next() && len(out) < mostRows {
		if err := rows.Scan(dest...); err != nil {
			return nil, err
		}
		row := make([]run.Value, len(cells))
		for i, v := range cells {
			row[i] = cell(v, types[i])
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

// reads says whether a statement has rows to answer.
func reads(query string) bool {
	word, _, _ := strings.Cut(strings.TrimLeft(query, " \t\r\n("), " ")
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "insert", "update", "delete", "replace", "set", "create", "drop", "alter", "truncate", "begin", "commit":
		return strings.Contains(strings.ToLower(query), " returning ")
	}
	return true
}

// cell is a column's value: whole numbers and times are numbers, text is text.
// Fractions are left out, as by Kamailio: cast them in the query.
func cell(v any, t *sql.ColumnType) run.Value {
	switch v := v.(type) {
	case int64:
		return run.Int(int(int32(v)))
	case bool:
		if v {
			return run.Int(1)
		}
		return run.Int(0)
	case time.Time:
		return run.Int(int(int32(v.Unix())))
	case []byte:
		return textCell(string(v), t)
	case string:
		return textCell(v, t)
	}
	return run.Null
}

// textCell is a text that the driver gives for numbers too.
func textCell(s string, t *sql.ColumnType) run.Value {
	if strings.Contains(t.DatabaseTypeName(), "INT") {
		if n, ok := run.ParseInt(s); ok && s != "" {
			return run.Int(n)
		}
	}
	return run.Str(s)
}

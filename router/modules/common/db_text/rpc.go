package dbtext

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"sipd/router/dbx"
	"sipd/rpc"
)

// mostRows bounds what db_text.query shows.
const mostRows = 10000

func (d *driver) methods() []*rpc.Method {
	return []*rpc.Method{
		{Name: "db_text.dump", Help: "Writes the tables that changed into their files.", Changes: true, Reply: "text", Handler: d.rpcDump},
		{
			Name: "db_text.query", Help: "Runs one SQL statement in the folder of default_connection.", Changes: true,
			Params:  []rpc.Param{{Name: "sqlcmd", Type: rpc.TString, Help: "the statement"}},
			Example: `"select username from subscriber where domain='example.com'"`, List: true, Reply: "text for the columns, for each row and for the count", Handler: d.rpcQuery,
		},
	}
}

func (d *driver) rpcDump(_ context.Context, c *rpc.Call) error {
	text := "Dump OK"
	if !d.dump() {
		text = "Dump failed"
	}
	c.Add(rpc.Text(text))
	return nil
}

func (d *driver) rpcQuery(ctx context.Context, c *rpc.Call) error {
	conn, err := dbx.Open(ctx, d.host, d.connection)
	if err != nil || conn.DB == nil {
		d.logQuery(ctx, err)
		c.Add(rpc.Text("invalid connection : " + d.connection))
		return nil
	}
	defer conn.Close()
	lines, err := d.query(ctx, conn, strings.TrimSpace(c.Str(0)))
	if err != nil {
		d.logQuery(ctx, err)
		c.Add(rpc.Text("error executing sql statement"))
		return nil
	}
	for _, l := range lines {
		c.Add(rpc.Text(l))
	}
	return nil
}

func (d *driver) logQuery(ctx context.Context, err error) {
	if err != nil {
		d.host.Log.LogAttrs(ctx, slog.LevelError, "db_text.query does nothing", slog.String("module", "db_text"), slog.Any("err", err))
	}
}

// query answers the lines of the reply.
func (d *driver) query(ctx context.Context, conn *dbx.Conn, text string) ([]string, error) {
	if word, _, _ := strings.Cut(text, " "); !strings.EqualFold(word, "select") {
		n, err := exec(ctx, conn, text)
		return []string{fmt.Sprintf("%d affected rows", n)}, err
	}
	f := d.open.find(conn)
	if f == nil {
		return nil, errors.New("the folder was closed meanwhile")
	}
	known := f.columns(text)
	rows, err := conn.Reader().QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	cols := named(known, names)
	lines := []string{string(appendHeader(nil, cols))}
	cells, dest := make([]any, len(cols)), make([]any, len(cols))
	for i := range cells {
		dest[i] = &cells[i]
	}
	n := 0
	for ; rows.Next(); n++ {
		if n == mostRows {
			return nil, fmt.Errorf("there are more than %d rows; write LIMIT", mostRows)
		}
		if err := rows.Scan(dest...); err != nil {
			return nil, err
		}
		lines = append(lines, string(f.fmt.appendRow(nil, cols, cells)))
	}
	if n == 0 {
		lines = []string{"statement returned 0 rows"}
	} else {
		lines = append(lines, fmt.Sprintf("\ntotal rows %d / %d", n, n))
	}
	return lines, rows.Err()
}

// exec runs a statement that changes rows.
func exec(ctx context.Context, conn *dbx.Conn, text string) (int64, error) {
	word, _, _ := strings.Cut(strings.ToLower(text), " ")
	if !slices.Contains([]string{"insert", "update", "delete"}, word) {
		return 0, errors.New("the statements are SELECT, INSERT, UPDATE and DELETE")
	}
	res, err := conn.Writer().ExecContext(ctx, text)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (o *folders) find(conn *dbx.Conn) *folder {
	for _, f := range o.all() {
		if f.db == conn.DB {
			return f
		}
	}
	return nil
}

// columns are those of the table behind FROM; none when it is not one of ours.
func (f *folder) columns(query string) []column {
	_, from, _ := strings.Cut(strings.ToLower(query), " from ")
	words := append(strings.Fields(from), "")
	f.mu.Lock()
	defer f.mu.Unlock()
	if t := f.tables[words[0]]; t != nil {
		return t.cols
	}
	return nil
}

// named are the columns of a result: texts where there is none of the name.
func named(known []column, names []string) []column {
	out := make([]column, len(names))
	for i, name := range names {
		out[i] = column{name: name, kind: kindStr}
		if k := slices.IndexFunc(known, func(c column) bool { return strings.EqualFold(c.name, name) }); k >= 0 {
			out[i] = known[k]
		}
	}
	return out
}

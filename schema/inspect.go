package schema

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"sipd/db"
)

// FoundColumn is a column as the database has it.
type FoundColumn struct {
	Name string
	Type string // as the engine calls it
	Size int    // characters of a text column, 0 when unlimited or no text

	// Column is what it is in our words; Size -1 when it is none of our types.
	// [Examine] fills it.
	Column Column
}

// FoundTable is a table as the database has it.
type FoundTable struct {
	Name    string
	Columns map[string]FoundColumn // by lower-case name
	Version int                    // from the version table, 0 without a row
	Rows    []int                  // all of its numbers there, when there are several

	// Examine fills these.
	View        bool
	Order       []string // names of the columns
	Primary     []string
	PrimaryName string // of its index
	Keys        []FoundKey
}

// Has tells whether the table exists and has the column.
func (t *FoundTable) Has(column string) bool {
	if t == nil {
		return false
	}
	_, ok := t.Columns[column]
	return ok
}

// Tables is what a database has, by table name.
type Tables map[string]*FoundTable

// Has tells whether there is the table with all the columns.
func (ts Tables) Has(table string, columns ...string) bool {
	t := ts[table]
	for _, c := range columns {
		if !t.Has(c) {
			return false
		}
	}
	return t != nil
}

// Size is how many characters a column takes, 0 where there is no telling.
func (ts Tables) Size(table, column string) int {
	if t := ts[table]; t != nil {
		return t.Columns[column].Size
	}
	return 0
}

var inspectSQL = map[db.Engine]string{
	db.SQLite: `SELECT m.name, p.name, p.type, 0 FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS p
		WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite_%'`,
	db.MySQL: `SELECT table_name, column_name, data_type, COALESCE(character_maximum_length, 0)
		FROM information_schema.columns WHERE table_schema = DATABASE()`,
	db.PostgreSQL: `SELECT table_name, column_name, data_type, COALESCE(character_maximum_length, 0)
		FROM information_schema.columns WHERE table_schema = current_schema()`,
}

// Inspect reads which tables and columns there are, and the version numbers.
func Inspect(ctx context.Context, d *db.DB) (Tables, error) {
	rows, err := d.Reader().QueryContext(ctx, inspectSQL[d.Engine])
	if err != nil {
		return nil, d.Wrap(err)
	}
	defer rows.Close()
	ts := make(Tables)
	for rows.Next() {
		var table string
		var c FoundColumn
		var size int64
		if err := rows.Scan(&table, &c.Name, &c.Type, &size); err != nil {
			return nil, d.Wrap(err)
		}
		c.Size = int(size)
		if d.Engine == db.SQLite {
			c.Size = declaredSize(c.Type)
		}
		t := ts[table]
		if t == nil {
			t = &FoundTable{Name: table, Columns: make(map[string]FoundColumn)}
			ts[table] = t
		}
		t.Columns[strings.ToLower(c.Name)] = c
	}
	if err := rows.Err(); err != nil {
		return nil, d.Wrap(err)
	}
	return ts, ts.readVersions(ctx, d)
}

// readVersions fills the numbers of the version table; SER before 0.9 called
// the column version.
func (ts Tables) readVersions(ctx context.Context, d *db.DB) error {
	column := "table_version"
	if ts.Has("version", "version") {
		column = "version"
	}
	if !ts.Has("version", "table_name", column) {
		return nil
	}
	// + 0: one type, though the column had two: PostgreSQL's driver keeps
	// statements, and they do not outlive a change of type.
	rows, err := d.Reader().QueryContext(ctx, fmt.Sprintf("SELECT table_name, %s + 0 FROM version", d.Quote(column)))
	if err != nil {
		return d.Wrap(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var n int
		if err := rows.Scan(&name, &n); err != nil {
			return d.Wrap(err)
		}
		if t := ts[name]; t != nil {
			t.Version = max(t.Version, n)
			t.Rows = append(t.Rows, n)
		}
	}
	return d.Wrap(rows.Err())
}

// declaredSize reads N out of VARCHAR(N).
func declaredSize(typ string) int {
	up := strings.ToUpper(typ)
	if !strings.HasPrefix(up, "VARCHAR(") && !strings.HasPrefix(up, "CHAR(") {
		return 0
	}
	_, n, _ := strings.Cut(up, "(")
	size, err := strconv.Atoi(strings.TrimSuffix(n, ")"))
	if err != nil {
		return 0
	}
	return size
}

package schema

import (
	"context"
	"fmt"
	"strconv"

	"sipd/db"
)

// Difference is one place where a database is not as the schema has it.
type Difference struct {
	Table  string `json:"table"`
	Column string `json:"column,omitempty"`
	Found  string `json:"found"`
	Wanted string `json:"wanted"`
}

func (d Difference) String() string {
	place := d.Table
	if d.Column != "" {
		place += "." + d.Column
	}
	return fmt.Sprintf("%s: found %s, wanted %s", place, d.Found, d.Wanted)
}

// Verify lists what the tables of the groups (none: standard) lack: tables,
// columns, room in text columns, version numbers. More columns and longer ones
// are no difference: sites add them.
func Verify(ctx context.Context, d *db.DB, f db.Flavour, groups ...string) ([]Difference, error) {
	ts, err := Inspect(ctx, d)
	if err != nil {
		return nil, err
	}
	if len(groups) == 0 {
		groups = []string{"standard"}
	}
	var out []Difference
	for _, t := range Of(f).Group(groups...) {
		out = append(out, t.compare(ts)...)
	}
	return out, nil
}

func (t *Table) compare(ts Tables) []Difference {
	found := ts[t.Name]
	if found == nil {
		return []Difference{{Table: t.Name, Found: "no such table", Wanted: "the table"}}
	}
	var out []Difference
	for i := range t.Columns {
		c := &t.Columns[i]
		have, ok := found.Columns[c.Name]
		switch {
		case !ok:
			out = append(out, Difference{t.Name, c.Name, "no such column", "the column"})
		case c.Kind == String && have.Size > 0 && have.Size < c.Size:
			out = append(out, Difference{t.Name, c.Name, strconv.Itoa(have.Size) + " characters", strconv.Itoa(c.Size)})
		}
	}
	// Without a version table (SER) numbers do not matter.
	if t.Version != 0 && ts.Has("version", "table_version") && found.Version != t.Version {
		have := "no version"
		if found.Version != 0 {
			have = "version " + strconv.Itoa(found.Version)
		}
		out = append(out, Difference{Table: t.Name, Found: have, Wanted: "version " + strconv.Itoa(t.Version)})
	}
	return out
}

// CheckVersion is what a module asks before it uses a table: the table is
// there and its number is the one wanted (0: any). The error is a
// *[MismatchError].
func CheckVersion(ctx context.Context, d *db.DB, table string, wanted int) error {
	ts, err := Inspect(ctx, d)
	if err != nil {
		return err
	}
	t := ts[table]
	m := &MismatchError{Source: d.Source(), Table: table, Command: "sipctl db check"}
	switch {
	case t == nil:
		m.Found, m.Wanted = "no such table", "the table"
		if len(ts) == 0 {
			m.Command = "sipctl db create"
		}
		return m
	case wanted != 0 && t.Version != wanted:
		m.Found, m.Wanted = "version "+strconv.Itoa(t.Version), strconv.Itoa(wanted)
		return m
	}
	return nil
}

package schema

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sipd/db"
)

// Difference is one place where a database is not as the schema has it.
type Difference struct {
	Table  string `json:"table"`
	Column string `json:"column,omitempty"` // or the columns of a key
	Found  string `json:"found"`
	Wanted string `json:"wanted"`
	// Site tells that nothing is wanting: the site has more than the schema,
	// or wider.
	Site bool `json:"site"`
}

func (d Difference) String() string {
	place := d.Table
	if d.Column != "" {
		place += "." + d.Column
	}
	return fmt.Sprintf("%s: found %s, wanted %s", place, d.Found, d.Wanted)
}

// Wanting counts the differences that are not the site's own additions.
func Wanting(diffs []Difference) int {
	n := 0
	for _, d := range diffs {
		if !d.Site {
			n++
		}
	}
	return n
}

// Verify lists how the tables of the groups (none: standard) of the flavour's
// current schema differ; see [Schema.Verify].
func Verify(ctx context.Context, d *db.DB, f db.Flavour, groups ...string) ([]Difference, error) {
	ts, err := Examine(ctx, d)
	if err != nil {
		return nil, err
	}
	if len(groups) == 0 {
		groups = []string{"standard"}
	}
	return Of(f).Verify(d.Engine, ts, Of(f).Group(groups...)), nil
}

// Verify lists every difference between the tables wanted and what [Examine]
// found: tables, columns, types, defaults, keys, version numbers. Names of
// indexes, order of columns, character sets and the kind of storage are none.
func (s *Schema) Verify(e db.Engine, ts Tables, wanted []*Table) []Difference {
	var out []Difference
	numbers := s.versionColumn() != "" && ts.Has("version", "table_name", s.versionColumn())
	for _, t := range wanted {
		found := ts[t.Name]
		if found == nil {
			out = append(out, Difference{Table: t.Name, Found: "no such table", Wanted: "the table"})
			continue
		}
		out = append(out, t.compare(e, s.Flavour, found)...)
		if numbers && found.Version != t.Version {
			out = append(out, Difference{Table: t.Name, Found: versionText(found.Version), Wanted: versionText(t.Version), Site: t.Version == 0})
		}
		if numbers && len(found.Rows) > 1 {
			out = append(out, Difference{Table: t.Name, Found: fmt.Sprintf("%d version numbers", len(found.Rows)), Wanted: "one"})
		}
	}
	return out
}

// versionColumn is what the release calls the numbers in its version table, ""
// without such a table.
func (s *Schema) versionColumn() string {
	t := s.byName["version"]
	switch {
	case t == nil:
		return ""
	case t.Column("table_version") == nil:
		return "version"
	}
	return "table_version"
}

func versionText(n int) string {
	if n == 0 {
		return "no version"
	}
	return "version " + strconv.Itoa(n)
}

func (t *Table) compare(e db.Engine, f db.Flavour, found *FoundTable) []Difference {
	var out []Difference
	if found.View {
		out = append(out, Difference{Table: t.Name, Found: "a view", Wanted: "a table", Site: true})
	}
	for i := range t.Columns {
		c := &t.Columns[i]
		have, ok := found.Columns[strings.ToLower(c.Name)]
		if !ok {
			out = append(out, Difference{Table: t.Name, Column: c.Name, Found: "no such column", Wanted: "the column"})
			continue
		}
		out = append(out, c.compare(e, f, t.Name, &have.Column)...)
	}
	for _, c := range found.Named() {
		if t.Column(c.Name) == nil {
			out = append(out, Difference{Table: t.Name, Column: c.Name, Found: c.typeText(), Wanted: "no such column", Site: true})
		}
	}
	if found.View {
		return out
	}
	return append(out, t.compareKeys(found)...)
}

// compare tells how a column found differs from the one wanted.
func (c *Column) compare(e db.Engine, f db.Flavour, table string, have *Column) []Difference {
	var out []Difference
	stored := parseFound(e, c.SQLType(e, f), "")
	if !sameType(&stored, have) && !(c.Auto && have.Auto && e == db.SQLite) { // INTEGER there, whatever its size
		out = append(out, Difference{
			Table: table, Column: c.Name, Found: have.typeText(), Wanted: stored.typeText(), Site: wider(&stored, have),
		})
	}
	// In SQLite any INTEGER PRIMARY KEY counts.
	if c.Auto != have.Auto && (c.Auto || e != db.SQLite) {
		word := map[bool]string{true: "counts up", false: "does not count up"}
		out = append(out, Difference{Table: table, Column: c.Name, Found: word[have.Auto], Wanted: word[c.Auto]})
	}
	if c.Auto {
		return out
	}
	if c.Null != have.Null {
		word := map[bool]string{true: "NULL allowed", false: "NOT NULL"}
		out = append(out, Difference{Table: table, Column: c.Name, Found: word[have.Null], Wanted: word[c.Null]})
	}
	if want := c.defaultFor(e); c.Kind != Stamp && !sameDefault(c.Kind, want, have.Default) {
		out = append(out, Difference{Table: table, Column: c.Name, Found: defaultText(have.Default), Wanted: defaultText(want)})
	}
	return out
}

func (c *Column) typeText() string {
	if c.Size < 0 {
		return "another type"
	}
	return c.typeWord()
}

func sameType(a, b *Column) bool {
	return a.Kind == b.Kind && a.Size == b.Size && a.Unsigned == b.Unsigned && a.Digits == b.Digits
}

// wider tells whether all that a holds fits b too, and is told the same way.
func wider(a, b *Column) bool {
	switch {
	case a.Kind == b.Kind && a.Unsigned == b.Unsigned && a.Digits == b.Digits:
		return b.Size > a.Size
	case a.Kind == Integer && b.Kind == Integer:
		return a.Unsigned && !b.Unsigned && b.Size > a.Size
	case a.Kind == String:
		return b.Kind == Text && b.Size > 0
	}
	return a.Kind == Float && (b.Kind == Double || b.Kind == Float && b.Digits == "")
}

// sameDefault compares defaults as what they mean: 1.0 is 1, a time without
// seconds has none.
func sameDefault(k Kind, a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	if *a == *b {
		return true
	}
	switch k {
	case Integer, Float, Double:
		x, e1 := strconv.ParseFloat(*a, 64)
		y, e2 := strconv.ParseFloat(*b, 64)
		return e1 == nil && e2 == nil && x == y
	case Datetime, Stamp:
		return withSeconds(*a) == withSeconds(*b)
	}
	return false
}

// withSeconds completes a time that was written without them.
func withSeconds(v string) string {
	if len(v) == len("2006-01-02 15:04") {
		return v + ":00"
	}
	return v
}

func defaultText(def *string) string {
	if def == nil {
		return "no default"
	}
	return fmt.Sprintf("default %q", *def)
}

func (t *Table) compareKeys(found *FoundTable) []Difference {
	var out []Difference
	want := t.PrimaryKey()
	// A counting column may be kept unique by any key that begins with it: SER
	// made no primary keys.
	counted := t.Primary == nil && len(want) == 1 && slices.ContainsFunc(found.Keys, func(k FoundKey) bool { return k.Unique && slices.Contains(k.Columns, want[0]) })
	if !sameNames(want, found.Primary) && (!counted || found.Primary != nil) {
		out = append(out, Difference{
			Table: t.Name, Found: keyText("primary", found.Primary), Wanted: keyText("primary", want), Site: want == nil,
		})
	}
	for _, k := range t.Keys {
		if _, ok := found.key(k); !ok && !(k.Unique && sameNames(k.Columns, found.Primary)) {
			out = append(out, Difference{Table: t.Name, Found: "no such key", Wanted: k.text()})
		}
	}
	for _, k := range found.Keys {
		if k.Partial || !slices.ContainsFunc(t.Keys, func(w Key) bool { return w.Unique == k.Unique && sameNames(w.Columns, k.Columns) }) {
			out = append(out, Difference{Table: t.Name, Found: k.text(), Wanted: "no such key", Site: !k.Unique || !t.once(k.Key)})
		}
	}
	return out
}

func (k *Key) text() string {
	if k.Unique {
		return keyText("unique", k.Columns)
	}
	return keyText("index", k.Columns)
}

func keyText(word string, columns []string) string {
	if columns == nil {
		return "no " + word + " key"
	}
	if word != "index" {
		word += " key"
	}
	return fmt.Sprintf("%s (%s)", word, strings.Join(columns, ", "))
}

// once tells whether some release had the key on the table: then it is a
// leftover and not the site's.
func (t *Table) once(k Key) bool {
	for _, f := range families() {
		h := f.byName[t.Name]
		if h == nil {
			continue
		}
		for _, s := range append(slices.Clone(h.keys), h.primary...) {
			if s.v.Unique == k.Unique && sameNames(s.v.Columns, k.Columns) {
				return true
			}
		}
	}
	return false
}

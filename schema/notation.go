package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sipd/db"
)

// releaseSet is a set of releases of a family, by their place in its list.
type releaseSet uint64

// during is something with the releases in which it was so.
type during[T any] struct {
	in releaseSet
	v  T
}

// history is what one table went through.
type history struct {
	in               releaseSet
	name, doc, group string
	versions         []during[int]
	columns          []during[string] // read when a release is asked for: most never are
	primary, keys    []during[Key]
}

// family is the releases whose tables grew out of one another.
type family struct {
	flavour  db.Flavour
	releases []string
	tables   []*history
	rows     []Rows
	byName   map[string]*history
}

// at gives the one of a thing's states that was so in the release at place i.
func at[T any](states []during[T], i int) (v T, ok bool) {
	for _, s := range states {
		if s.in&(1<<i) != 0 {
			return s.v, true
		}
	}
	return v, false
}

// table is the table as it was in the release at place i, nil if it was not.
func (h *history) table(i int) *Table {
	if h.in&(1<<i) == 0 {
		return nil
	}
	t := &Table{Name: h.name, Doc: h.doc, Group: h.group}
	t.Version, _ = at(h.versions, i)
	for _, c := range h.columns {
		if c.in&(1<<i) != 0 {
			t.Columns = append(t.Columns, mustColumn(c.v))
		}
	}
	if k, ok := at(h.primary, i); ok {
		t.Primary = k.Columns
	}
	for _, k := range h.keys {
		if k.in&(1<<i) != 0 {
			t.Keys = append(t.Keys, k.v)
		}
	}
	return t
}

// reader reads the notation of the package comment.
type reader struct {
	f     *family
	table *history
	rows  *Rows
	doc   string
}

func mustParse(text string, flavour db.Flavour) *family {
	r := reader{f: &family{flavour: flavour, byName: make(map[string]*history)}}
	n := 0
	for line := range strings.Lines(text) {
		n++
		if err := r.line(strings.TrimRight(line, "\n")); err != nil {
			panic(fmt.Sprintf("schema: line %d: %v", n, err))
		}
	}
	return r.f
}

func (r *reader) line(line string) error {
	switch {
	case line == "":
		r.doc = ""
		return nil
	case line[0] == '#':
		r.doc = strings.TrimSpace(line[1:])
		return nil
	case line[0] != ' ':
		return r.head(line, strings.Fields(line))
	case r.rows != nil:
		f := strings.Fields(line)
		if len(f) != len(r.rows.Columns) {
			return fmt.Errorf("%d values for %d columns", len(f), len(r.rows.Columns))
		}
		r.rows.Values = append(r.rows.Values, f)
		return nil
	case r.table == nil:
		return fmt.Errorf("%q belongs to no table", line)
	}
	item, in, err := r.releases(line, r.table.in)
	if err != nil {
		return err
	}
	return r.item(item, in)
}

// head reads a line that begins something.
func (r *reader) head(line string, f []string) error {
	switch {
	case f[0] == "releases" && len(f) < 64:
		r.f.releases = f[1:]
	case f[0] == "table":
		item, in, err := r.releases(line, 1<<len(r.f.releases)-1)
		if err != nil {
			return err
		}
		if f = strings.Fields(item); len(f) != 3 {
			return fmt.Errorf("%q: want table NAME GROUP", line)
		}
		r.table, r.rows = &history{in: in, name: f[1], group: f[2], doc: r.doc}, nil
		r.f.tables = append(r.f.tables, r.table)
		r.f.byName[f[1]] = r.table
	case f[0] == "rows" && len(f) > 2:
		r.f.rows = append(r.f.rows, Rows{Table: f[1], Columns: f[2:]})
		r.rows = &r.f.rows[len(r.f.rows)-1]
	default:
		return fmt.Errorf("%q begins nothing", line)
	}
	return nil
}

// item reads what belongs to a table.
func (r *reader) item(line string, in releaseSet) error {
	t := r.table
	switch word, rest, _ := strings.Cut(strings.TrimLeft(line, " "), " "); word {
	case "primary":
		t.primary = append(t.primary, during[Key]{in, Key{true, strings.Fields(rest)}})
		return nil
	case "unique", "index":
		t.keys = append(t.keys, during[Key]{in, Key{word == "unique", strings.Fields(rest)}})
		return nil
	case "version": // a column's name, too
		if n, err := strconv.Atoi(strings.TrimSpace(rest)); err == nil {
			t.versions = append(t.versions, during[int]{in, n})
			return nil
		}
	}
	t.columns = append(t.columns, during[string]{in, line})
	return nil
}

// mustColumn reads a column of ours; the tests read them all.
func mustColumn(line string) Column {
	c, err := ParseColumn(line)
	if err != nil {
		panic("schema: " + err.Error())
	}
	return c
}

// releases cuts the set of releases off a line; whole is the set without one.
func (r *reader) releases(line string, whole releaseSet) (string, releaseSet, error) {
	i := strings.LastIndex(line, " @")
	if i < 0 {
		return line, whole, nil
	}
	var in releaseSet
	for part := range strings.SplitSeq(line[i+2:], ",") {
		from, to, span := strings.Cut(part, "..")
		if !span {
			to = from
		}
		a, b := 0, len(r.f.releases)-1
		if from != "" {
			a = slices.Index(r.f.releases, from)
		}
		if to != "" {
			b = slices.Index(r.f.releases, to)
		}
		if a < 0 || b < a {
			return "", 0, fmt.Errorf("%q is no span of releases", part)
		}
		in |= 1<<(b+1) - 1<<a
	}
	return line[:i], in & whole, nil
}

// ParseColumn reads a column as [Column.String] writes it.
func ParseColumn(line string) (Column, error) {
	var c Column
	spec, def, hasDefault := strings.Cut(line, " = '")
	if hasDefault {
		var ok bool
		if def, ok = strings.CutSuffix(def, "'"); !ok {
			return c, fmt.Errorf("column %q: its default has no end", line)
		}
		c.Default = &def
	}
	f := strings.Fields(spec)
	if len(f) < 2 {
		return c, fmt.Errorf("column %q has no type", line)
	}
	c.Name = f[0]
	for _, word := range f[2:] {
		switch word {
		case "auto":
			c.Auto = true
		case "null":
			c.Null = true
		default:
			return c, fmt.Errorf("column %s: %q is no property", c.Name, word)
		}
	}
	return c, c.parseType(f[1])
}

var plainTypes = map[string]Column{
	"tiny": {Kind: Integer, Size: 8}, "utiny": {Kind: Integer, Size: 8, Unsigned: true},
	"short": {Kind: Integer, Size: 16}, "ushort": {Kind: Integer, Size: 16, Unsigned: true},
	"int": {Kind: Integer, Size: 32}, "uint": {Kind: Integer, Size: 32, Unsigned: true},
	"long": {Kind: Integer, Size: 64}, "ulong": {Kind: Integer, Size: 64, Unsigned: true},
	"float": {Kind: Float}, "double": {Kind: Double},
	"datetime": {Kind: Datetime}, "autots": {Kind: Stamp}, "text": {Kind: Text, Size: 16}, "mtext": {Kind: Text, Size: 24},
	"blob": {Kind: Blob, Size: 16}, "mblob": {Kind: Blob, Size: 24},
}

func (c *Column) parseType(word string) error {
	if strings.HasPrefix(word, "str") || strings.HasPrefix(word, "fix") {
		size, err := strconv.ParseUint(word[3:], 10, 16)
		if err != nil || size == 0 {
			return fmt.Errorf("column %s: %q is no type", c.Name, word)
		}
		c.Kind, c.Size = String, int(size)
		if word[0] == 'f' {
			c.Kind = Fixed
		}
		return nil
	}
	name, digits, has := strings.Cut(word, "(")
	p, ok := plainTypes[name]
	if !ok || has && (p.Kind != Float || !validDigits(digits)) {
		return fmt.Errorf("column %s: %q is no type", c.Name, word)
	}
	c.Kind, c.Size, c.Unsigned, c.Digits = p.Kind, p.Size, p.Unsigned, strings.TrimSuffix(digits, ")")
	return nil
}

// validDigits tells whether s is "10,2)".
func validDigits(s string) bool {
	s, end := strings.CutSuffix(s, ")")
	a, b, two := strings.Cut(s, ",")
	_, e1 := strconv.ParseUint(a, 10, 8)
	_, e2 := strconv.ParseUint(b, 10, 8)
	return end && two && e1 == nil && e2 == nil
}

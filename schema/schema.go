// Package schema is the room of tables: what the elders' databases look like,
// as data, and what follows from it. It makes a database ([Create]), tells
// which one it has before it ([Recognise]) and how it differs from what the
// server needs ([Verify]). It knows nothing of SIP.
//
// The tables stand in kamailio.tables (Kamailio 5.6, groups standard,
// presence, extra, uid) and seruid.tables (SER uid flavour of 2011), with what
// each table is for. Their notation, one item a line:
//
//	# what it is for
//	table NAME VERSION GROUP
//	  COLUMN TYPE [auto] [null] [= 'DEFAULT']
//	  unique COLUMN…
//	  index COLUMN…
//	rows TABLE COLUMN…
//	  VALUE…
//
// Types: strN is a text of N characters; tiny, short, int, long are integers
// of 8, 16, 32, 64 bits, with u before them unsigned; float, float(10,2),
// double; datetime; text, mtext (16 MB), blob, mblob (16 MB). A column is NOT NULL
// unless it says null; auto counts up by itself and is the primary key.
package schema

import (
	_ "embed" // the tables
	"fmt"
	"strconv"
	"strings"
	"sync"

	"sipd/db"
)

// Kind is what a column holds, whatever its size.
type Kind uint8

// Kinds of columns.
const (
	String   Kind = iota // up to Size characters
	Integer              // Size bits
	Float                // single precision
	Double               // double precision
	Datetime             // seconds, no zone
	Text                 // long text; Size 24 is the 16 MB kind
	Blob                 // bytes; Size 24 is the 16 MB kind
)

// Column is one column of a table.
type Column struct {
	Name     string
	Kind     Kind
	Size     int    // String: characters; Integer: bits; Text, Blob: 16 or 24 bits of length
	Digits   string // Float: "10,2" where MySQL is told so
	Unsigned bool   // Integer; MySQL alone has it
	Null     bool
	Auto     bool    // counts up, primary key
	Default  *string // nil: none
}

// Key is an index.
type Key struct {
	Unique  bool
	Columns []string
}

// Table is one table.
type Table struct {
	Name    string
	Doc     string
	Version int // in the version table; 0 when it has no row there
	Group   string
	Columns []Column
	Keys    []Key
}

// Rows are what a new table begins with.
type Rows struct {
	Table   string
	Columns []string
	Values  [][]string
}

// Schema is all tables of a flavour in one generation.
type Schema struct {
	Flavour    db.Flavour
	Generation string // as in the facts: K5, U2
	Release    string // the product it is taken from
	Tables     []*Table
	Rows       []Rows
	byName     map[string]*Table
}

//go:embed kamailio.tables
var kamailioTables string

//go:embed seruid.tables
var seruidTables string

var (
	kamailio = sync.OnceValue(func() *Schema {
		return mustParse(kamailioTables, Schema{Flavour: db.Kamailio, Generation: "K5", Release: "Kamailio 5.6"})
	})
	seruid = sync.OnceValue(func() *Schema {
		return mustParse(seruidTables, Schema{Flavour: db.SER, Generation: "U2", Release: "SER 2.0 (2011)"})
	})
)

// Of gives the current schema of a flavour. It is shared: do not change it.
// Any other flavour than SER and Kamailio is a bug of the caller and panics.
func Of(f db.Flavour) *Schema {
	switch f {
	case db.SER:
		return seruid()
	case db.Kamailio:
		return kamailio()
	}
	panic("schema: no tables for flavour " + f.String())
}

// Table finds a table by name, nil when the flavour has none of that name.
func (s *Schema) Table(name string) *Table { return s.byName[name] }

// Group gives the tables installed together: standard, presence, extra, uid, web.
func (s *Schema) Group(names ...string) []*Table {
	var out []*Table
	for _, t := range s.Tables {
		for _, n := range names {
			if t.Group == n {
				out = append(out, t)
			}
		}
	}
	return out
}

// Groups lists the names of the groups in the order of their tables.
func (s *Schema) Groups() []string {
	var out []string
	seen := make(map[string]bool)
	for _, t := range s.Tables {
		if !seen[t.Group] {
			seen[t.Group] = true
			out = append(out, t.Group)
		}
	}
	return out
}

// Column finds a column by name, nil when there is none.
func (t *Table) Column(name string) *Column {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}

// Size is how many characters the column of the table holds. A table or
// column that is not in the schema is a bug of the caller and panics.
func (s *Schema) Size(table, column string) int {
	return s.byName[table].Column(column).Size
}

func mustParse(text string, s Schema) *Schema {
	if err := s.parse(text); err != nil {
		panic("schema: " + err.Error())
	}
	return &s
}

// parse reads the notation of the package comment.
func (s *Schema) parse(text string) error {
	s.byName = make(map[string]*Table)
	var table *Table
	var rows *Rows
	doc := ""
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\n")
		f := strings.Fields(line)
		var err error
		switch {
		case len(f) == 0:
			doc = ""
		case f[0] == "#":
			doc = strings.TrimSpace(strings.TrimPrefix(line, "#"))
		case f[0] == "table" && line[0] != ' ' && len(f) == 4:
			table, rows = &Table{Name: f[1], Group: f[3], Doc: doc}, nil
			table.Version, err = strconv.Atoi(f[2])
			s.Tables = append(s.Tables, table)
			s.byName[f[1]] = table
		case f[0] == "rows" && line[0] != ' ' && len(f) > 2:
			s.Rows = append(s.Rows, Rows{Table: f[1], Columns: f[2:]})
			table, rows = nil, &s.Rows[len(s.Rows)-1]
		case rows != nil && len(f) == len(rows.Columns):
			rows.Values = append(rows.Values, f)
		case table == nil:
			err = fmt.Errorf("neither a table nor a row of %d values", len(f))
		case f[0] == "unique", f[0] == "index":
			table.Keys = append(table.Keys, Key{Unique: f[0] == "unique", Columns: f[1:]})
		default:
			var c Column
			c, err = parseColumn(line)
			table.Columns = append(table.Columns, c)
		}
		if err != nil {
			return fmt.Errorf("%s tables, line %d: %w", s.Flavour, n, err)
		}
	}
	return nil
}

func parseColumn(line string) (Column, error) {
	var c Column
	spec, def, hasDefault := strings.Cut(line, " = '")
	if hasDefault {
		def = strings.TrimSuffix(def, "'")
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
	"long": {Kind: Integer, Size: 64}, "float": {Kind: Float}, "double": {Kind: Double},
	"datetime": {Kind: Datetime}, "text": {Kind: Text, Size: 16}, "mtext": {Kind: Text, Size: 24},
	"blob": {Kind: Blob, Size: 16}, "mblob": {Kind: Blob, Size: 24},
}

func (c *Column) parseType(word string) error {
	if n, ok := strings.CutPrefix(word, "str"); ok {
		size, err := strconv.Atoi(n)
		c.Kind, c.Size = String, size
		return err
	}
	word, digits, _ := strings.Cut(strings.TrimSuffix(word, ")"), "(")
	p, ok := plainTypes[word]
	if !ok {
		return fmt.Errorf("column %s: %q is no type", c.Name, word)
	}
	c.Kind, c.Size, c.Unsigned, c.Digits = p.Kind, p.Size, p.Unsigned, digits
	return nil
}

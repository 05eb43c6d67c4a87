package serctl

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sipd/ctl/output"
	"sipd/db"
)

// view is how rows are shown.
type view struct {
	columns   []string
	form      string // of flags
	limit     int
	rec, line string
	table     bool
}

// view reads the options about output.
func (s *session) view() (view, error) {
	v := view{rec: unescape(s.opt.text("REC_SEP")), line: unescape(s.opt.text("LINE_SEP")), table: s.opt.flag("AS_TABLE"), form: "raw"}
	n, err := strconv.Atoi(strings.TrimSpace(s.opt.text("LIMIT")))
	if err != nil || n < 0 {
		return v, fail("EINT", "--limit")
	}
	v.limit = n
	if c := s.opt.text("COLUMNS"); c != "*" && c != "." {
		for _, name := range strings.Split(c, ",") {
			if name = strings.Trim(name, " \t"); name != "" {
				v.columns = append(v.columns, name)
			}
		}
	}
	if !s.opt.flag("RAW") {
		v.form, err = flagForm(s.opt.text("FFORMAT"))
	}
	return v, err
}

// unescape turns \n and \t into what they stand for, \\ into one backslash.
func unescape(s string) string {
	parts := strings.Split(s, `\\`)
	for i := range parts {
		parts[i] = strings.NewReplacer(`\n`, "\n", `\t`, "\t").Replace(parts[i])
	}
	return strings.Join(parts, `\`)
}

// choose are the columns to show: those asked for, which must exist.
func (v view) choose(all []string) ([]string, error) {
	if v.columns == nil {
		return all, nil
	}
	for _, c := range v.columns {
		if !slices.Contains(all, c) {
			return nil, fail("ENOCOL", c)
		}
	}
	return v.columns, nil
}

// showTable prints the rows of a table that meet the conditions.
func (s *session) showTable(ctx context.Context, table string, all []string, conds ...cond) error {
	v, err := s.view()
	if err != nil {
		return err
	}
	rows, columns, err := s.fetch(ctx, v, table, all, conds...)
	if err != nil {
		return err
	}
	s.print(v, rows, columns)
	return nil
}

// showNone prints a table without rows.
func (s *session) showNone(all []string) error {
	v, err := s.view()
	if err != nil {
		return err
	}
	columns, err := v.choose(all)
	if err != nil {
		return err
	}
	s.print(v, nil, columns)
	return nil
}

// fetch reads rows as texts, flags in their form.
func (s *session) fetch(ctx context.Context, v view, table string, all []string, conds ...cond) ([][]string, []string, error) {
	columns, err := v.choose(all)
	if err != nil {
		return nil, nil, err
	}
	d, err := s.open(ctx, db.ReadOnly())
	if err != nil {
		return nil, nil, err
	}
	where, args := spell(d.Dialect, conds)
	query := "SELECT " + d.QuoteAll(columns) + " FROM " + d.Quote(table) + where
	if v.limit > 0 {
		query += " LIMIT " + strconv.Itoa(v.limit)
	}
	rows, err := db.All(db.Rows(ctx, d, scanTexts(len(columns)), query, args...))
	for _, r := range rows {
		for i, c := range columns {
			if c == "flags" {
				r[i] = spellFlags(v.form, r[i])
			}
		}
	}
	return rows, columns, err
}

// scanTexts reads a row of n columns as texts.
func scanTexts(n int) func(scan func(...any) error) ([]string, error) {
	return func(scan func(...any) error) ([]string, error) {
		values, dest := make([]any, n), make([]any, n)
		for i := range values {
			dest[i] = &values[i]
		}
		if err := scan(dest...); err != nil {
			return nil, err
		}
		row := make([]string, n)
		for i, v := range values {
			row[i] = pyString(v)
		}
		return row, nil
	}
}

// pyString is str() of what the database gave.
func pyString(v any) string {
	switch x := v.(type) {
	case nil:
		return "None"
	case []byte:
		return string(x)
	case time.Time:
		return x.Format(time.DateTime)
	case float64:
		return strconv.FormatFloat(x, 'g', 12, 64)
	}
	return fmt.Sprint(v)
}

// print writes rows as the options say.
func (s *session) print(v view, rows [][]string, names []string) {
	if s.terminal() {
		for _, r := range rows {
			for i := range r {
				r[i] = output.Clean(r[i])
			}
		}
	}
	printRows(s.Out, rows, names, v.rec, v.line, v.table)
}

// printRows writes rows plainly, or in a frame whose blanks beside a cell are
// the separator, mirrored behind it.
func printRows(w io.Writer, rows [][]string, names []string, rec, line string, table bool) {
	var b strings.Builder
	defer func() { _, _ = io.WriteString(w, b.String()) }()
	if !table {
		for _, r := range rows {
			b.WriteString(strings.Join(r, rec) + line)
		}
		return
	}
	width := make([]int, len(names))
	for i, n := range names {
		width[i] = utf8.RuneCountInString(n)
	}
	for _, r := range rows {
		for i, c := range r {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	rule := "+"
	for _, n := range width {
		rule += strings.Repeat("-", n+2*utf8.RuneCountInString(rec)) + "+"
	}
	mirrored := []rune(rec)
	slices.Reverse(mirrored)
	row := func(cells []string) {
		b.WriteByte('|')
		for i, c := range cells {
			b.WriteString(rec + c + strings.Repeat(" ", width[i]-utf8.RuneCountInString(c)) + string(mirrored) + "|")
		}
		b.WriteString(line)
	}
	b.WriteString(rule + line)
	row(names)
	b.WriteString(rule + line)
	for _, r := range rows {
		row(r)
	}
	b.WriteString(rule + line)
}

// pyText is repr() of a text.
func pyText(s string) string {
	quote := "'"
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = `"`
	}
	var b strings.Builder
	b.WriteString(quote)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' || string(c) == quote:
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String() + quote
}

func pyList(items []string) string {
	out := make([]string, len(items))
	for i, x := range items {
		out[i] = pyText(x)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

package dbtext

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// kind is the type of a column.
type kind byte

// The types by their letters; str and string differ in name only.
const (
	kindInt    kind = 'i'
	kindDouble kind = 'd'
	kindStr    kind = 's'
	kindString kind = 'S'
	kindBlob   kind = 'b'
	kindTime   kind = 't' // seconds since 1970
)

var kindNames = map[kind]string{
	kindInt: "int", kindDouble: "double", kindStr: "str", kindString: "string", kindBlob: "blob", kindTime: "time",
}

func (k kind) text() bool { return k == kindStr || k == kindString || k == kindBlob }

// column is one of the header line: name(type[,null|,auto]).
type column struct {
	name       string
	kind       kind
	null, auto bool
}

func (c *column) append(b []byte) []byte {
	b = append(append(b, c.name...), '(')
	b = append(b, kindNames[c.kind]...)
	switch {
	case c.null:
		b = append(b, ",null"...)
	case c.auto:
		b = append(b, ",auto"...)
	}
	return append(b, ')')
}

// format is how fields are written.
type format struct {
	delim    byte
	empty    bool // an empty field of a text is an empty text, not NULL
	maxField int  // octets
}

// formatError says on which line of a file something is wrong.
type formatError struct {
	line int
	err  error
}

func (e *formatError) Error() string { return e.err.Error() }

// parse reads a file: its columns, and a value (int64, float64, string or nil)
// for each column of each row. Errors are *formatError.
func (f *format) parse(data string) ([]column, [][]any, error) {
	head, rest, _ := strings.Cut(data, "\n")
	cols, err := parseHeader(head)
	if err != nil {
		return nil, nil, &formatError{1, err}
	}
	var rows [][]any
	for line := 2; rest != ""; line++ {
		var text string
		text, rest, _ = strings.Cut(rest, "\n")
		if text == "" {
			continue
		}
		row, err := f.row(cols, text)
		if err != nil {
			return nil, nil, &formatError{line, err}
		}
		rows = append(rows, row)
	}
	number(cols, rows)
	return cols, rows, nil
}

// parseHeader reads the first line.
func parseHeader(s string) ([]column, error) {
	var cols []column
	for {
		if s = strings.TrimLeft(s, " "); s == "" {
			break
		}
		c, n, err := parseColumn(s)
		if err != nil {
			return nil, err
		}
		if c.auto && slices.ContainsFunc(cols, func(o column) bool { return o.auto }) {
			return nil, fmt.Errorf("a second column with auto, %s", c.name)
		}
		if slices.ContainsFunc(cols, func(o column) bool { return strings.EqualFold(o.name, c.name) }) {
			return nil, fmt.Errorf("two columns of the name %s", c.name)
		}
		cols, s = append(cols, c), s[n:]
	}
	if len(cols) == 0 {
		return nil, errNoHeader
	}
	return cols, nil
}

var errNoHeader = errors.New("the first line names no columns; write NAME(TYPE) for each, as in id(int,auto) username(str) domain(str,null)")

// parseColumn reads one column at the start of s and says how long it is there.
// As in Kamailio the first letter of a type decides, and what follows the first
// letter of an attribute is passed over.
func parseColumn(s string) (column, int, error) {
	open := strings.IndexByte(s, '(')
	name := strings.TrimRight(s[:max(open, 0)], " ")
	if name == "" || strings.ContainsAny(name, " \t\r\x00") {
		return column{}, 0, errNoHeader
	}
	end := strings.IndexByte(s[open:], ')')
	if end < 0 {
		return column{}, 0, fmt.Errorf("the type of column %s is not closed by )", name)
	}
	typ, attribute, has := strings.Cut(s[open+1:open+end], ",")
	c := column{name: name}
	switch low := strings.ToLower(strings.TrimLeft(typ, " ")); {
	case low == "":
		return c, 0, fmt.Errorf("column %s has no type", name)
	case low[0] == 's' && strings.Contains(low, "i"):
		c.kind = kindString
	case kindNames[kind(low[0])] != "":
		c.kind = kind(low[0])
	default:
		return c, 0, fmt.Errorf("column %s has the unknown type %q; there are int, double, str, string, blob and time", name, typ)
	}
	if has {
		switch low := strings.ToLower(strings.TrimLeft(attribute, " ")); {
		case strings.HasPrefix(low, "n"):
			c.null = true
		case strings.HasPrefix(low, "a") && c.kind == kindInt:
			c.auto = true
		default:
			return c, 0, fmt.Errorf("column %s has the unknown attribute %q; there are null, and auto for an int", name, attribute)
		}
	}
	return c, open + end + 1, nil
}

// row reads a line. One that ends early leaves texts empty, as in Kamailio, and
// one delimiter may stand at its end.
func (f *format) row(cols []column, line string) ([]any, error) {
	row := make([]any, len(cols))
	rest, more := line, true
	for i := range cols {
		c := &cols[i]
		early := !more
		if early && !c.kind.text() {
			return nil, fmt.Errorf("the line ends before the field %s", c.name)
		}
		var text string
		var err error
		if text, rest, more, err = f.field(rest); err != nil {
			return nil, fmt.Errorf("field %s: %w", c.name, err)
		}
		if early && i < len(cols)-1 {
			row[i] = ""
			continue
		}
		if row[i], err = f.value(c, text); err != nil {
			return nil, fmt.Errorf("field %s: %w", c.name, err)
		}
	}
	if more && rest != "" {
		return nil, fmt.Errorf("there are more than %d fields", len(cols))
	}
	return row, nil
}

// field takes the first field off a line; more is false when the line ended with it.
func (f *format) field(line string) (text, rest string, more bool, err error) {
	end := 0
	for end < len(line) && line[end] != f.delim {
		if line[end] == '\\' {
			end++
		}
		end++
	}
	if end > len(line) {
		return "", "", false, errors.New("the line ends with a backslash")
	}
	if text, err = f.unescape(line[:end]); err == nil && len(text) >= f.maxField {
		err = fmt.Errorf("it has %d octets or more; raise file_buffer_size", f.maxField)
	}
	if end == len(line) {
		return text, "", false, err
	}
	return text, line[end+1:], true, err
}

func (f *format) unescape(s string) (string, error) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' {
			i++
			switch c = s[i]; c {
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 't':
				c = '\t'
			case '0':
				c = 0
			case '\\', f.delim:
			default:
				return "", fmt.Errorf("unknown escape \\%c; there are \\n, \\r, \\t, \\0, \\\\ and \\%c", c, f.delim)
			}
		}
		b = append(b, c)
	}
	return string(b), nil
}

// value reads a field. An empty one is NULL, but for a text that cannot be.
func (f *format) value(c *column, s string) (any, error) {
	switch {
	case c.kind.text() && (s != "" || f.empty || !c.null):
		return s, nil
	case s == "" && (c.null || c.auto):
		return nil, nil
	case s == "":
		return nil, errors.New("it is empty, and the column does not say null")
	case c.kind == kindDouble:
		if strings.Trim(s, "0123456789.-") != "" {
			return nil, fmt.Errorf("%q is not a number", s)
		}
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number", s)
		}
		return v, nil
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || s[0] == '+' {
		return nil, fmt.Errorf("%q is not a whole number", s)
	}
	return v, nil
}

// number gives rows without a number in a column that counts up their own.
func number(cols []column, rows [][]any) {
	i := slices.IndexFunc(cols, func(c column) bool { return c.auto })
	if i < 0 {
		return
	}
	var top int64
	for _, r := range rows {
		if n, ok := r[i].(int64); ok {
			top = max(top, n)
		}
	}
	for _, r := range rows {
		if r[i] == nil {
			top++
			r[i] = top
		}
	}
}

func appendHeader(b []byte, cols []column) []byte {
	for i := range cols {
		if i > 0 {
			b = append(b, ' ')
		}
		b = cols[i].append(b)
	}
	return append(b, '\n')
}

// appendRow writes a row without the line's end. One that would be an empty line,
// which is no row, gets the delimiter that may stand at the end.
func (f *format) appendRow(b []byte, cols []column, row []any) []byte {
	start := len(b)
	for i := range cols {
		if i > 0 {
			b = append(b, f.delim)
		}
		b = f.appendValue(b, cols[i].kind, row[i])
	}
	if len(b) == start {
		b = append(b, f.delim)
	}
	return b
}

func (f *format) appendValue(b []byte, k kind, v any) []byte {
	switch x := v.(type) {
	case int64:
		if k == kindDouble {
			return strconv.AppendFloat(b, float64(x), 'f', 2, 64)
		}
		return strconv.AppendInt(b, x, 10)
	case float64:
		if k == kindDouble {
			return strconv.AppendFloat(b, x, 'f', 2, 64) // as Kamailio: two digits
		}
		return f.escape(b, strconv.FormatFloat(x, 'f', -1, 64))
	case []byte:
		return f.escape(b, string(x))
	case string:
		return f.escape(b, x)
	}
	return b
}

func (f *format) escape(b []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; c {
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		case 0:
			b = append(b, '\\', '0')
		case '\\', f.delim:
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return b
}

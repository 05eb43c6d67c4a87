package output

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"sipd/ctl/plain"
)

// Text is a cell as tables and CSV show it, not yet cleaned.
func Text(v any) string { return text(v) }

// text is a cell as tables and CSV show it.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []byte:
		return string(v)
	case time.Time:
		if v.IsZero() {
			return ""
		}
		return v.Format(time.RFC3339)
	case []string:
		return strings.Join(v, ", ")
	case fmt.Stringer:
		return v.String()
	case error:
		return v.Error()
	case map[string]any, []any, json.Marshaler:
		if b, err := marshal(v); err == nil {
			return string(b)
		}
	}
	return fmt.Sprint(v)
}

type jsonForm struct {
	out     io.Writer
	columns []string
	lines   bool
	rows    int
	buf     []byte
}

func (j *jsonForm) row(cells []any) error {
	fields := make([]Field, len(cells))
	for i, c := range cells {
		fields[i] = Field{j.columns[i], c}
	}
	b := j.buf[:0]
	switch {
	case j.lines:
	case j.rows == 0:
		b = append(b, '[')
	default:
		b = append(b, ",\n"...)
	}
	b, err := appendObject(b, fields)
	if err != nil {
		return err
	}
	if j.lines {
		b = append(b, '\n')
	}
	j.rows, j.buf = j.rows+1, b
	_, err = j.out.Write(b)
	return err
}

func (j *jsonForm) end() error {
	if j.lines {
		return nil
	}
	s := "]\n"
	if j.rows == 0 {
		s = "[]\n"
	}
	_, err := io.WriteString(j.out, s)
	return err
}

func appendObject(b []byte, fields []Field) ([]byte, error) {
	b = append(b, '{')
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(plain.AppendJSON(b, f.Name), ':')
		v, err := marshal(f.Value)
		if err != nil {
			return nil, fmt.Errorf("output: column %s: %w", f.Name, err)
		}
		b = append(b, v...)
	}
	return append(b, '}'), nil
}

// marshal is json.Marshal without HTML escapes and with the escapes of
// [plain.AppendJSON]. A []byte is text here, not base64.
func marshal(v any) ([]byte, error) {
	switch s := v.(type) {
	case string:
		return plain.AppendJSON(nil, s), nil
	case []byte:
		return plain.AppendJSON(nil, string(s)), nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return escapeUnsafe(bytes.TrimRight(b.Bytes(), "\n")), nil
}

// escapeUnsafe writes the characters of plain.Unsafe that encoding/json leaves
// as they are with \u; outside of strings JSON has none of them.
func escapeUnsafe(b []byte) []byte {
	if !bytes.ContainsFunc(b, plain.Unsafe) {
		return b
	}
	out := make([]byte, 0, len(b)+16)
	for _, r := range string(b) {
		out = plain.AppendRune(out, r)
	}
	return out
}

// csvForm cleans cells at a terminal only: elsewhere a program reads, and
// wants the value.
type csvForm struct {
	w     *csv.Writer
	head  []string
	clean bool
}

func newCSV(out io.Writer, columns []string) *csvForm {
	f, ok := out.(*os.File)
	return &csvForm{w: csv.NewWriter(out), head: columns, clean: ok && term.IsTerminal(int(f.Fd()))}
}

func (c *csvForm) header() {
	if c.head != nil {
		c.w.Write(c.head) // its error stays in c.w
		c.head = nil
	}
}

func (c *csvForm) row(cells []any) error {
	c.header()
	rec := make([]string, len(cells))
	for i, v := range cells {
		rec[i] = text(v)
		if c.clean {
			rec[i] = CleanLines(rec[i])
		}
	}
	return c.w.Write(rec)
}

func (c *csvForm) end() error {
	c.header()
	c.w.Flush()
	return c.w.Error()
}

type tsvForm struct {
	out     io.Writer
	columns []string
	headed  bool
	buf     []byte
}

func (t *tsvForm) row(cells []any) error {
	b := t.head()
	for i, v := range cells {
		if i > 0 {
			b = append(b, '\t')
		}
		b = append(b, Clean(strings.ReplaceAll(text(v), `\`, `\\`))...)
	}
	t.buf = append(b, '\n')
	_, err := t.out.Write(t.buf)
	return err
}

// head is the buffer for the next line, with the header before the first.
func (t *tsvForm) head() []byte {
	if t.headed {
		return t.buf[:0]
	}
	t.headed = true
	return append(t.buf[:0], strings.Join(t.columns, "\t")+"\n"...)
}

func (t *tsvForm) end() error {
	if t.headed {
		return nil
	}
	_, err := t.out.Write(t.head())
	return err
}

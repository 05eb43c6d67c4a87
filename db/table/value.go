package table

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sipd/db"
	"sipd/schema"
)

// Null is the word that Parse takes for NULL, in a column that may hold it.
const Null = `\N`

// Parse reads the value of a column as people write it: numbers in decimal or
// with 0x, dates as 2026-01-02 15:04:05 (the table's wall clock), with a zone
// as RFC 3339 has it, or "now"; \N is NULL; blobs and texts are as they stand.
// What does not fit is a *[db.FieldError].
func (t *Table) Parse(column, text string) (any, error) {
	c, err := t.Column(column)
	if err != nil {
		return nil, err
	}
	if text == Null && c.Null {
		return nil, nil
	}
	switch c.Kind {
	case schema.Integer:
		n, err := strconv.ParseInt(text, 0, 64)
		if err != nil || strings.HasPrefix(strings.TrimLeft(text, "+-"), "0") && len(text) > 1 && !strings.Contains(text, "x") {
			// 010 is ten to some and eight to others.
			if n, err = strconv.ParseInt(text, 10, 64); err != nil {
				return nil, c.bad(text, "is no integer")
			}
		}
		return c.Check(n)
	case schema.Float, schema.Double:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, c.bad(text, "is no number")
		}
		return c.Check(f)
	case schema.Datetime:
		if text == "now" {
			return time.Now().Truncate(time.Second), nil
		}
		at := db.Time{Zone: t.zone}
		if err := at.Scan(text); err != nil || at.IsZero() && strings.Trim(text, "0123456789-: ") != "" {
			return nil, c.bad(text, "is no date; write 2026-01-02 15:04:05, or now")
		}
		return at.Time, nil
	case schema.Blob:
		return c.Check([]byte(text))
	}
	return c.Check(text)
}

func (c *Column) bad(v, why string) error { return &db.FieldError{Field: c.Name, Value: v, Why: why} }

// Check tells whether the column can hold the value and gives it in the
// column's own type. Errors are a *[db.FieldError].
func (c *Column) Check(v any) (any, error) {
	switch x := v.(type) {
	case nil:
		if !c.Null {
			return nil, c.bad("", "cannot be empty (NULL)")
		}
		return nil, nil
	case int:
		v = int64(x)
	case bool:
		v = int64(0)
		if x {
			v = int64(1)
		}
	}
	switch c.Kind {
	case schema.Integer:
		n, ok := v.(int64)
		if !ok {
			return nil, c.wrong(v, "an integer")
		}
		if n < c.min || n > c.max {
			return nil, c.bad(strconv.FormatInt(n, 10), fmt.Sprintf("is not in the range of the column, %d to %d", c.min, c.max))
		}
		return n, nil
	case schema.Float, schema.Double:
		return c.checkNumber(v)
	case schema.Datetime:
		if _, ok := v.(time.Time); !ok {
			return nil, c.wrong(v, "a date")
		}
		return v, nil
	case schema.Blob:
		return c.checkBytes(v)
	}
	s, ok := v.(string)
	if !ok {
		return nil, c.wrong(v, "a text")
	}
	return s, c.checkText(s)
}

func (c *Column) wrong(v any, want string) error {
	return c.bad(fmt.Sprint(v), fmt.Sprintf("is of type %T, the column holds %s", v, want))
}

func (c *Column) checkNumber(v any) (any, error) {
	f, ok := v.(float64)
	if n, isInt := v.(int64); isInt {
		f, ok = float64(n), true
	}
	switch {
	case !ok:
		return nil, c.wrong(v, "a number")
	case math.IsNaN(f), math.IsInf(f, 0), c.Kind == schema.Float && math.Abs(f) > math.MaxFloat32:
		return nil, c.bad(strconv.FormatFloat(f, 'g', -1, 64), "is not in the range of the column")
	}
	return f, nil
}

func (c *Column) checkBytes(v any) (any, error) {
	b, ok := v.([]byte)
	if s, isText := v.(string); isText {
		b, ok = []byte(s), true
	}
	switch {
	case !ok:
		return nil, c.wrong(v, "bytes")
	case c.bytes > 0 && len(b) > c.bytes:
		return nil, c.bad("", fmt.Sprintf("has %d bytes, the column holds %d", len(b), c.bytes))
	}
	return b, nil
}

// checkText wants what all three engines keep: valid UTF-8 without a zero
// byte, no longer than the column.
func (c *Column) checkText(s string) error {
	switch {
	case !utf8.ValidString(s):
		return c.bad(s, "is not valid UTF-8")
	case strings.IndexByte(s, 0) >= 0:
		return c.bad(s, "has a zero byte")
	case c.Kind == schema.String && c.Size > 0:
		return db.CheckLength(c.Name, s, c.Size)
	case c.bytes > 0 && len(s) > c.bytes:
		return c.bad(s, fmt.Sprintf("has %d bytes, the column holds %d", len(s), c.bytes))
	}
	return nil
}

// value turns what a driver gave into the column's own type. What is no such
// thing, as a word in SQLite's integer column, comes as the text it is.
func (c *Column) value(src any, zone *time.Location) any {
	if src == nil {
		return nil
	}
	switch c.Kind {
	case schema.Integer:
		switch n := src.(type) {
		case int64:
			return n
		case float64:
			if n == math.Trunc(n) && math.Abs(n) < 1<<53 {
				return int64(n)
			}
		case bool:
			return map[bool]int64{true: 1}[n]
		}
		if n, err := strconv.ParseInt(str(src), 10, 64); err == nil {
			return n
		}
	case schema.Float, schema.Double:
		switch n := src.(type) {
		case float64:
			return n
		case float32:
			f, _ := strconv.ParseFloat(strconv.FormatFloat(float64(n), 'g', -1, 32), 64) // our own text
			return f
		case int64:
			return float64(n)
		}
		if f, err := strconv.ParseFloat(str(src), 64); err == nil {
			return f
		}
	case schema.Datetime:
		at := db.Time{Zone: zone}
		if at.Scan(src) == nil {
			if at.IsZero() {
				return nil
			}
			return at.Time
		}
	case schema.Blob:
		if b, ok := src.([]byte); ok {
			return append([]byte(nil), b...)
		}
		return []byte(str(src))
	}
	return str(src)
}

// str is a driver's value as text; bytes that are none as hex.
func str(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		if !utf8.Valid(v) {
			return `\x` + hex.EncodeToString(v)
		}
		return string(v)
	}
	return fmt.Sprint(v)
}

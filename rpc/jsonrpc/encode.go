package jsonrpc

import (
	"bufio"
	"encoding/base64"
	"iter"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"sipd/rpc"
)

// encoder writes replies as they are made; pretty lays them out as Kamailio
// does by default: tabs, a member a line, arrays without line ends.
type encoder struct {
	w      *bufio.Writer
	pretty bool
}

// broken says that nobody reads on.
func (e encoder) broken() bool {
	_, err := e.w.Write(nil)
	return err != nil
}

func (e encoder) line(depth int) {
	if !e.pretty {
		return
	}
	e.w.WriteByte('\n')
	for range depth {
		e.w.WriteByte('\t')
	}
}

// name begins member i of an object that stands at a depth.
func (e encoder) name(i int, name string, depth int) {
	if i > 0 {
		e.w.WriteByte(',')
	}
	e.line(depth + 1)
	e.text(name)
	e.w.WriteByte(':')
	if e.pretty {
		e.w.WriteByte('\t')
	}
}

func (e encoder) open() { e.w.WriteByte('{') }

func (e encoder) close(depth int) {
	e.line(depth)
	e.w.WriteByte('}')
}

// value writes a value that stands at a depth.
func (e encoder) value(v rpc.Value, depth int) {
	switch v := v.(type) {
	case rpc.Int:
		e.w.WriteString(strconv.FormatInt(int64(v), 10))
	case rpc.Double:
		e.double(float64(v))
	case rpc.Bool:
		e.w.WriteString(strconv.FormatBool(bool(v)))
	case rpc.Time:
		e.text(time.Unix(int64(v), 0).UTC().Format("20060102T15:04:05"))
	case rpc.String:
		e.text(string(v))
	case rpc.Text:
		e.text(string(v))
	case rpc.Bytes:
		e.text(base64.StdEncoding.EncodeToString(v))
	case rpc.Struct:
		e.open()
		for i, m := range v {
			e.name(i, m.Name, depth)
			e.value(m.Value, depth+1)
		}
		e.close(depth)
	case rpc.Array:
		e.list(func(yield func(rpc.Member) bool) {
			for _, x := range v {
				if !yield(rpc.Member{Value: x}) {
					return
				}
			}
		}, depth)
	case rpc.Items:
		e.list(func(yield func(rpc.Member) bool) {
			for _, m := range v {
				if !yield(m) {
					return
				}
			}
		}, depth)
	case rpc.Stream:
		e.list(iter.Seq[rpc.Member](v), depth)
	case rpc.Each:
		e.list(unnamed(iter.Seq[rpc.Value](v)), depth)
	default: // rpc.Null
		e.w.WriteString("null")
	}
}

func unnamed(vals iter.Seq[rpc.Value]) iter.Seq[rpc.Member] {
	return func(yield func(rpc.Member) bool) {
		for v := range vals {
			if !yield(rpc.Member{Value: v}) {
				return
			}
		}
	}
}

// list writes an array. An element with a name becomes an object with one
// member, as Kamailio has it.
func (e encoder) list(elements iter.Seq[rpc.Member], depth int) {
	e.w.WriteByte('[')
	first := true
	for m := range elements {
		if !first {
			e.w.WriteByte(',')
			if e.pretty {
				e.w.WriteByte(' ')
			}
		}
		first = false
		if m.Name != "" {
			e.value(rpc.Struct{m}, depth+1)
		} else {
			e.value(m.Value, depth+1)
		}
		if e.broken() {
			return
		}
	}
	e.w.WriteByte(']')
}

// double writes a number as cJSON does: six decimals where it has a fraction.
func (e encoder) double(f float64) {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		e.w.WriteString("null")
	case f == math.Trunc(f) && math.Abs(f) < 1e15:
		e.w.WriteString(strconv.FormatFloat(f, 'f', 0, 64))
	case math.Abs(f) >= 1e15 || math.Abs(f) < 1e-6:
		e.w.WriteString(strconv.FormatFloat(f, 'e', 6, 64))
	default:
		e.w.WriteString(strconv.FormatFloat(f, 'f', 6, 64))
	}
}

// text writes a string. What is no UTF-8 becomes the sign for that.
func (e encoder) text(s string) {
	const hex = "0123456789abcdef"
	e.w.WriteByte('"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				e.w.WriteString(s[start:i])
				e.w.WriteString("\ufffd")
				start = i + 1
			}
			i += n
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' && c != 0x7f {
			i++
			continue
		}
		e.w.WriteString(s[start:i])
		switch c {
		case '"', '\\':
			e.w.WriteByte('\\')
			e.w.WriteByte(c)
		case '\n':
			e.w.WriteString(`\n`)
		case '\r':
			e.w.WriteString(`\r`)
		case '\t':
			e.w.WriteString(`\t`)
		case '\b':
			e.w.WriteString(`\b`)
		case '\f':
			e.w.WriteString(`\f`)
		default:
			e.w.WriteString(`\u00`)
			e.w.WriteByte(hex[c>>4])
			e.w.WriteByte(hex[c&15])
		}
		i++
		start = i
	}
	e.w.WriteString(s[start:])
	e.w.WriteByte('"')
}

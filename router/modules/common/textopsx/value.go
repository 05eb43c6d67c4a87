package textopsx

import (
	"errors"
	"strconv"
	"strings"

	"sipd/router/sip"
)

// field is the first argument of the functions on values of headers:
// NAME[index].param.
type field struct {
	name    string
	indexed bool // an index was written
	all     bool // [*]
	index   int  // from 1, from -1 backwards
	param   string
}

// maxBackwards bounds indexes from the end, as in Kamailio.
const maxBackwards = 10

var errField = errors.New(`a header is written NAME, NAME[1], NAME[-1] or NAME[*], with .PARAMETER behind it where one is meant`)

// parseField reads a field; index is the one that is meant where none stands.
func parseField(s string, index int) (field, error) {
	f := field{index: index}
	f.name, s = word(strings.TrimSpace(s))
	s = strings.TrimSpace(s)
	if rest, ok := strings.CutPrefix(s, "["); ok {
		in, behind, closed := strings.Cut(rest, "]")
		if !closed {
			return f, errField
		}
		f.indexed, s = true, strings.TrimSpace(behind)
		switch in = strings.TrimSpace(in); in {
		case "*":
			f.all = true
		case "":
		default:
			n, err := strconv.Atoi(in)
			if err != nil || n < -maxBackwards {
				return f, errField
			}
			if n != 0 {
				f.index = n
			}
		}
	}
	if rest, ok := strings.CutPrefix(s, "."); ok {
		if f.param, s = word(strings.TrimSpace(rest)); f.param == "" {
			return f, errField
		}
	}
	if f.name == "" || s != "" {
		return f, errField
	}
	return f, nil
}

// word is the letters, digits, - and _ that s begins with, and what follows.
func word(s string) (w, rest string) {
	i := 0
	for i < len(s) && isWord(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

func isWord(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_' || b == '-'
}

func isBlank(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }

// blanks is the first place from i on, before end, without white space.
func blanks(raw string, i, end int) int {
	for i < end && isBlank(raw[i]) {
		i++
	}
	return i
}

// value is one of the values in a header that commas separate. outer are its
// white space and the comma behind it, too.
type value struct {
	h            *sip.Header
	inner, outer sip.Span
}

// valuesOf appends the values of a header.
func valuesOf(dst []value, m *sip.Message, h *sip.Header) []value {
	raw, i, end := m.Raw(), h.ValueStart(), h.ValueEnd()
	for {
		v := value{h: h, outer: sip.Span{Start: i}}
		i = blanks(raw, i, end)
		from, quoted := i, false
		for ; i < end && (quoted || raw[i] != ','); i++ {
			if raw[i] == '"' && (!quoted || raw[i-1] != '\\') {
				quoted = !quoted
			}
		}
		to := i
		for to > from && isBlank(raw[to-1]) {
			to--
		}
		if i < end {
			i++
		}
		v.inner, v.outer.End = sip.Span{Start: from, End: to}, i
		dst = append(dst, v)
		if i >= end {
			return dst
		}
	}
}

// allValues are the values of all headers of a name.
func allValues(m *sip.Message, name string) []value {
	var vs []value
	for h := m.FindName(name); h != nil; h = m.Next(h) {
		vs = valuesOf(vs, m, h)
	}
	return vs
}

// pick is the value that an index means, nil for none.
func pick(vs []value, index int) *value {
	if index < 0 {
		index += len(vs) + 1
	}
	if index < 1 || index > len(vs) {
		return nil
	}
	return &vs[index-1]
}

// erase deletes a value with its comma, the header when it is the only one.
func erase(m *sip.Message, v *value) bool {
	from, to := v.outer.Start, v.outer.End
	if to == v.h.ValueEnd() {
		if from == v.h.ValueStart() {
			return m.Edits.Delete(v.h.Start(), v.h.End()) == nil
		}
		if m.Edits.Delete(from-1, to) == nil { // the comma before the last one
			return true
		}
	}
	return m.Edits.Delete(from, to) == nil
}

// addHeader adds a header with one value at a place among the headers.
func addHeader(m *sip.Message, at int, name, text string) {
	m.Edits.Insert(at, name+": "+text+"\r\n")
}

// addValue adds a value to a header, at the beginning of another value or at the
// header's end.
func addValue(m *sip.Message, h *sip.Header, at int, text string) {
	if at == h.ValueEnd() {
		text = "," + text
	} else {
		text += ","
	}
	m.Edits.Insert(at, text)
}

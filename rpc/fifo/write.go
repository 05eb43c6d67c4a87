package fifo

import (
	"bufio"
	"strconv"
	"strings"

	"sipd/rpc"
)

// lineWriter writes the values of a reply as they come; what is written is
// buffered and flushed by who made it.
type lineWriter struct{ w *bufio.Writer }

// status writes the first line.
func (l lineWriter) status(code int, reason string) {
	l.w.WriteString(strconv.Itoa(code))
	l.w.WriteByte(' ')
	l.w.WriteString(oneLine(reason))
	l.w.WriteByte('\n')
}

// oneLine keeps a reason on its line.
func oneLine(s string) string {
	return strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ", "\x00", "").Replace(s)
}

// value writes a value of the top level: a line, or one for each element of a
// list; printed text as it is, without a line end.
func (l lineWriter) value(v rpc.Value) {
	switch v := v.(type) {
	case rpc.Text:
		l.w.WriteString(string(v))
		return
	case rpc.Array:
		for _, e := range v {
			l.value(e)
		}
		return
	case rpc.Each:
		for e := range v {
			if l.value(e); l.broken() {
				return
			}
		}
		return
	case rpc.Struct:
		l.members(v)
	case rpc.Items:
		l.members(v)
	case rpc.Stream:
		l.stream(v)
	case rpc.Null:
	default:
		l.w.WriteString(Escape(plain(v)))
	}
	l.w.WriteByte('\n')
}

// members writes a structure in one line, as the elders do: what is plain
// first and in reverse order, then the structures in theirs, run together.
func (l lineWriter) members(members []rpc.Member) {
	first := true
	for i := len(members) - 1; i >= 0; i-- {
		if !isList(members[i].Value) {
			l.name(members[i].Name, &first)
			l.w.WriteString(escapeMember(plain(members[i].Value)))
		}
	}
	for _, m := range members {
		if isList(m.Value) {
			l.name(m.Name, &first)
			l.inside(m.Value)
		}
	}
}

// stream writes the elements of a list as they are made.
func (l lineWriter) stream(s rpc.Stream) {
	first := true
	for m := range s {
		l.name(m.Name, &first)
		if l.inside(m.Value); l.broken() {
			return
		}
	}
}

// broken says that nobody reads on.
func (l lineWriter) broken() bool {
	_, err := l.w.Write(nil)
	return err != nil
}

// inside writes a value behind a name or in a list.
func (l lineWriter) inside(v rpc.Value) {
	switch v := v.(type) {
	case rpc.Struct:
		l.members(v)
	case rpc.Items:
		l.members(v)
	case rpc.Stream:
		l.stream(v)
	case rpc.Array:
		first := true
		for _, e := range v {
			l.name("", &first)
			l.inside(e)
		}
	case rpc.Each:
		first := true
		for e := range v {
			l.name("", &first)
			if l.inside(e); l.broken() {
				return
			}
		}
	default:
		l.w.WriteString(escapeMember(plain(v)))
	}
}

func (l lineWriter) name(name string, first *bool) {
	if !*first {
		l.w.WriteByte(',')
	}
	*first = false
	if name != "" {
		l.w.WriteString(escapeMember(name))
		l.w.WriteByte(':')
	}
}

func isList(v rpc.Value) bool {
	switch v.(type) {
	case rpc.Struct, rpc.Items, rpc.Stream, rpc.Array, rpc.Each:
		return true
	}
	return false
}

// plain is the text of a value that has no parts.
func plain(v rpc.Value) string {
	switch v := v.(type) {
	case rpc.Int:
		return strconv.FormatInt(int64(v), 10)
	case rpc.Time:
		return strconv.FormatInt(int64(v), 10)
	case rpc.Bool:
		if v {
			return "1"
		}
		return "0"
	case rpc.Double:
		return strconv.FormatFloat(float64(v), 'f', 6, 64)
	case rpc.String:
		return string(v)
	case rpc.Text:
		return string(v)
	case rpc.Bytes:
		return string(v)
	}
	return "<null string>" // as the elders, inside of structures
}

var memberEscapes = strings.NewReplacer("\n", `\n`, "\r", `\r`, "\t", `\t`, `\`, `\\`, "\x00", `\0`, ":", `\o`, ",", `\c`)

// escapeMember is Escape for what stands in a structure: a colon becomes \o
// and a comma \c. (In a request it is the other way round, as in the elders.)
func escapeMember(s string) string {
	if !strings.ContainsAny(s, "\n\r\t\\\x00:,") {
		return s
	}
	return memberEscapes.Replace(s)
}

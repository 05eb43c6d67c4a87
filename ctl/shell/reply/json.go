package reply

import (
	"bufio"
	"fmt"
	"strconv"

	"sipd/ctl/plain"
	"sipd/rpc"
)

// jsonForm prints a reply as one array of its values, or a value a line.
// Members keep their order; an element of a list that has a name is an object
// with that one member, as Kamailio's JSON-RPC has it.
type jsonForm struct {
	w     *bufio.Writer
	lines bool
	n     int // values at the top
	open  []jsonGroup
	buf   []byte
}

type jsonGroup struct {
	list bool
	n    int  // members so far
	wrap bool // in an object of its own
}

// begin writes what stands before a value, and its name; wrap says that a
// brace must follow the value.
func (j *jsonForm) begin(b []byte, name string) (out []byte, wrap bool) {
	if len(j.open) == 0 {
		switch {
		case j.lines:
		case j.n == 0:
			b = append(b, '[')
		default:
			b = append(b, ",\n"...)
		}
		j.n++
		return b, false
	}
	g := &j.open[len(j.open)-1]
	if g.n > 0 {
		b = append(b, ',')
	}
	g.n++
	switch {
	case !g.list:
	case name == "":
		return b, false
	default:
		b = append(b, '{')
	}
	return append(plain.AppendJSON(b, name), ':'), g.list
}

// finish ends a value.
func (j *jsonForm) finish(b []byte, wrap bool) error {
	if wrap {
		b = append(b, '}')
	}
	if j.lines && len(j.open) == 0 {
		b = append(b, '\n')
	}
	j.buf = b
	_, err := j.w.Write(b)
	return err
}

func (j *jsonForm) Value(name string, v rpc.Value) error {
	b, wrap := j.begin(j.buf[:0], name)
	return j.finish(appendJSON(b, v), wrap)
}

func (j *jsonForm) Open(name string, list bool) error {
	b, wrap := j.begin(j.buf[:0], name)
	j.open = append(j.open, jsonGroup{list: list, wrap: wrap})
	if list {
		b = append(b, '[')
	} else {
		b = append(b, '{')
	}
	j.buf = b
	_, err := j.w.Write(b)
	return err
}

func (j *jsonForm) Close() error {
	g := j.open[len(j.open)-1]
	j.open = j.open[:len(j.open)-1]
	end := byte('}')
	if g.list {
		end = ']'
	}
	return j.finish(append(j.buf[:0], end), g.wrap)
}

func (j *jsonForm) End() error {
	switch {
	case j.lines:
	case j.n == 0:
		j.w.WriteString("[]\n")
	default:
		j.w.WriteString("]\n")
	}
	return j.w.Flush()
}

func appendJSON(b []byte, v rpc.Value) []byte {
	switch v := v.(type) {
	case rpc.Bool:
		return strconv.AppendBool(b, bool(v))
	case rpc.Int:
		return strconv.AppendInt(b, int64(v), 10)
	case rpc.Time:
		return strconv.AppendInt(b, int64(v), 10)
	case rpc.Double:
		if n, ok := appendNumber(b, float64(v)); ok {
			return n
		}
		return plain.AppendJSON(b, fmt.Sprint(float64(v)))
	case rpc.String:
		return plain.AppendJSON(b, string(v))
	case rpc.Text:
		return plain.AppendJSON(b, string(v))
	case rpc.Bytes:
		return plain.AppendJSON(b, octets(v))
	}
	return append(b, "null"...)
}

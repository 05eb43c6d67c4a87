package mi

import (
	"bufio"
	"strconv"
	"strings"

	"sipd/rpc"
)

// Tree writes the nodes of a reply, a line each.
type Tree struct {
	W      *bufio.Writer
	Indent string
}

func (t *Tree) status(code int, reason string) {
	t.W.WriteString(strconv.Itoa(code) + " " + oneLine(reason) + "\n")
}

// oneLine keeps a value on its line.
func oneLine(s string) string {
	return strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ").Replace(s)
}

// Node writes a node at a depth: "name:: value", or the value alone; attrs are
// names and values behind it.
func (t *Tree) Node(depth int, name, value string, attrs ...string) {
	t.W.WriteString(strings.Repeat(t.Indent, depth))
	if name != "" {
		t.W.WriteString(oneLine(name) + ":: ")
	}
	t.W.WriteString(oneLine(value))
	for i := 0; i+1 < len(attrs); i += 2 {
		t.W.WriteString(" " + attrs[i] + "=" + oneLine(attrs[i+1]))
	}
	t.W.WriteByte('\n')
}

// value writes any value as nodes.
func (t *Tree) value(depth int, name string, v rpc.Value) {
	each := func(m rpc.Member) bool {
		t.value(depth, m.Name, m.Value)
		_, err := t.W.Write(nil)
		return err == nil
	}
	if name != "" && isTree(v) {
		t.Node(depth, name, "")
		depth++
	}
	switch v := v.(type) {
	case rpc.Struct:
		for _, m := range v {
			each(m)
		}
	case rpc.Items:
		for _, m := range v {
			each(m)
		}
	case rpc.Stream:
		for m := range v {
			if !each(m) {
				return
			}
		}
	case rpc.Array:
		for _, e := range v {
			each(rpc.Member{Value: e})
		}
	case rpc.Each:
		for e := range v {
			if !each(rpc.Member{Value: e}) {
				return
			}
		}
	default:
		t.Node(depth, name, text(v))
	}
}

func isTree(v rpc.Value) bool {
	switch v.(type) {
	case rpc.Struct, rpc.Items, rpc.Stream, rpc.Array, rpc.Each:
		return true
	}
	return false
}

func text(v rpc.Value) string {
	switch v := v.(type) {
	case rpc.Int:
		return strconv.FormatInt(int64(v), 10)
	case rpc.Time:
		return strconv.FormatInt(int64(v), 10)
	case rpc.Double:
		return strconv.FormatFloat(float64(v), 'f', -1, 64)
	case rpc.Bool:
		return strconv.FormatBool(bool(v))
	case rpc.String:
		return string(v)
	case rpc.Text:
		return string(v)
	case rpc.Bytes:
		return string(v)
	}
	return ""
}

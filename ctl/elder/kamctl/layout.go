package kamctl

import (
	"fmt"
	"strconv"
	"strings"

	"sipd/ctl/output"
	"sipd/rpc"
)

var (
	wholeLine = lazy(`(?i)^\{.+"id"[ \t]*:[ \t]*[0-9]+[ \t]*\}$`)
	listLine  = lazy(`^([ \t]*"result":[ \t]*)\[(.+)$`)
)

// layout lays a JSON reply of Kamailio out as the elder does: a list of plain
// values gets a line for each, empty lines go, tabs become blanks to the next
// even column.
func layout(text string) string {
	var b strings.Builder
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		switch m := listLine().FindStringSubmatch(line); {
		case line == "", i == 0 && strings.HasPrefix(line, "200 OK"):
		case i == 0 && wholeLine().MatchString(line):
			b.WriteString(line + "\n")
		case m != nil:
			listLayout(&b, m[1], m[2])
		case strings.Contains(line, "}],"):
			b.WriteString(line[:len(line)-2] + "\n\t],\n")
		default:
			b.WriteString(line + "\n")
		}
	}
	return expand(b.String())
}

// listLayout writes a result that begins a list on its line.
func listLayout(b *strings.Builder, head, rest string) {
	b.WriteString(head + "[\n")
	for i, item := range cutItems(rest) {
		item = strings.TrimLeft(item, " \t")
		switch end, closes := strings.CutSuffix(item, "]"); {
		case i > 0 && closes && end != "":
			b.WriteString("\t\t" + end + "\n\t],\n")
		case i == 0 && (strings.HasSuffix(item, "[") || strings.HasSuffix(item, "{")):
			b.WriteString("\t\t" + item + "\n")
		case item != "" || i == 0:
			b.WriteString("\t\t" + item + ",\n")
		}
	}
}

// cutItems cuts at the commas that stand in no text.
func cutItems(s string) []string {
	var out []string
	quoted, start := false, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

// expand is expand -t 2.
func expand(s string) string {
	var b strings.Builder
	column := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\n':
			column = 0
			b.WriteByte(c)
		case '\t':
			n := 2 - column%2
			b.WriteString("  "[:n])
			column += n
		default:
			column++
			b.WriteByte(c)
		}
	}
	return b.String()
}

// safe keeps what a daemon sent from steering the terminal.
func (k *control) safe(text string) string {
	if k.terminal {
		return output.CleanLines(text)
	}
	return text
}

// printReply writes values of another wire in the form of Kamailio's JSON.
func printReply(vals []rpc.Value, id int) string {
	var b strings.Builder
	b.WriteString("{\n\t\"jsonrpc\":\t\"2.0\",\n\t\"result\":\t")
	switch len(vals) {
	case 0:
		b.WriteString("[\n\t\t]")
	case 1:
		writeValue(&b, vals[0], 1)
	default:
		writeValue(&b, rpc.Array(vals), 1)
	}
	fmt.Fprintf(&b, ",\n\t\"id\":\t%d\n}\n", id)
	return b.String()
}

func printFault(f *rpc.Fault, id int) string {
	return fmt.Sprintf("{\n\t\"jsonrpc\":\t\"2.0\",\n\t\"error\":\t{\n\t\t\"code\":\t%d,\n\t\t\"message\":\t%s\n\t},\n\t\"id\":\t%d\n}\n", f.Code, quoteJSON(f.Text), id)
}

func writeValue(b *strings.Builder, v rpc.Value, depth int) {
	switch x := v.(type) {
	case rpc.Int:
		b.WriteString(strconv.FormatInt(int64(x), 10))
	case rpc.Time:
		b.WriteString(strconv.FormatInt(int64(x), 10))
	case rpc.Double:
		b.WriteString(strconv.FormatFloat(float64(x), 'f', 6, 64))
	case rpc.Bool:
		b.WriteString(strconv.FormatBool(bool(x)))
	case rpc.Null:
		b.WriteString("null")
	case rpc.String:
		b.WriteString(quoteJSON(string(x)))
	case rpc.Text:
		b.WriteString(quoteJSON(string(x)))
	case rpc.Bytes:
		b.WriteString(quoteJSON(string(x)))
	case rpc.Array:
		b.WriteByte('[')
		for i, e := range x {
			if i > 0 {
				b.WriteString(", ")
			}
			writeValue(b, e, depth+1)
		}
		b.WriteByte(']')
	case rpc.Struct:
		writeMembers(b, x, depth)
	case rpc.Items:
		b.WriteByte('[')
		for i, m := range x {
			if i > 0 {
				b.WriteString(", ")
			}
			writeMembers(b, []rpc.Member{m}, depth+1)
		}
		b.WriteByte(']')
	}
}

func writeMembers(b *strings.Builder, members []rpc.Member, depth int) {
	b.WriteString("{\n")
	for i, m := range members {
		if i > 0 {
			b.WriteString(",\n")
		}
		b.WriteString(strings.Repeat("\t", depth+1) + quoteJSON(m.Name) + ":\t")
		writeValue(b, m.Value, depth+1)
	}
	b.WriteString("\n" + strings.Repeat("\t", depth) + "}")
}

// quoteJSON is a JSON string; what is no UTF-8 becomes U+FFFD.
func quoteJSON(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

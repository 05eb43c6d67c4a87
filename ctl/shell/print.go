package shell

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"sipd/ctl/output"
	"sipd/rpc"
)

// scalar is a value without members as kamcmd prints it: a double without a
// fraction as a whole number, others with six decimals.
func scalar(v rpc.Value) string {
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
		f := float64(v)
		if f == math.Trunc(f) && math.Abs(f) < 1<<63 {
			return strconv.FormatInt(int64(f), 10)
		}
		return strconv.FormatFloat(f, 'f', 6, 64)
	case rpc.String:
		return string(v)
	case rpc.Text:
		return string(v)
	case rpc.Bytes:
		return string(v)
	}
	return "" // Null, nil
}

// members are the members of a value that has some. Elements of an array have
// no name: BinRPC carries arrays as structs of bare values, and kamcmd prints
// them alike.
func members(v rpc.Value) ([]rpc.Member, bool) {
	switch v := v.(type) {
	case rpc.Struct:
		return v, true
	case rpc.Items:
		return v, true
	case rpc.Array:
		m := make([]rpc.Member, len(v))
		for i, e := range v {
			m[i].Value = e
		}
		return m, true
	case rpc.Stream:
		var m []rpc.Member
		for e := range v {
			m = append(m, e)
		}
		return m, true
	}
	return nil, false
}

// pieces walks a reply in kamcmd's units: each value, each member as
// "name: value", and the brackets of structs. depth counts the open structs.
func pieces(vals []rpc.Value, piece func(depth int, text string)) {
	for _, v := range vals {
		walk(rpc.Member{Value: v}, 0, piece)
	}
}

func walk(m rpc.Member, depth int, piece func(int, string)) {
	prefix := ""
	if m.Name != "" {
		prefix = m.Name + ": "
	}
	inner, ok := members(m.Value)
	if !ok {
		piece(depth, prefix+scalar(m.Value))
		return
	}
	piece(depth, prefix+"{")
	for _, e := range inner {
		walk(e, depth+1, piece)
	}
	piece(depth, "}")
}

const tabs = "\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t"

// writeText prints a reply as kamcmd does: a piece a line, a tab for each
// struct it stands in. Errors are those of the writer's Flush.
func writeText(w io.Writer, vals []rpc.Value) {
	pieces(vals, func(depth int, text string) {
		for ; depth > len(tabs); depth -= len(tabs) {
			io.WriteString(w, tabs)
		}
		io.WriteString(w, tabs[:depth]+text+"\n")
	})
}

// writeFormat prints a reply through the format of -f, as kamcmd does: %v is
// the next piece, %% a percent sign, \n and the like as in C. The format
// starts again as long as there are pieces; at its end missing ones are empty.
func writeFormat(w io.Writer, format string, vals []rpc.Value) {
	lits := parseFormat(format)
	at, last := 0, len(lits)-1 // lits[:at+1] are printed
	used := false              // up, the whole format
	io.WriteString(w, lits[0])
	pieces(vals, func(_ int, text string) {
		if used {
			io.WriteString(w, lits[0])
			at = 0
		}
		io.WriteString(w, text)
		if at < last {
			at++
			io.WriteString(w, lits[at])
		}
		used = at == last
	})
	for at < last {
		at++
		io.WriteString(w, lits[at])
	}
}

// parseFormat cuts a format into what stands between its %v: always one part
// more than there are %v.
func parseFormat(format string) []string {
	var lits []string
	var cur []byte
	for i := 0; i < len(format); i++ {
		c := format[i]
		if i+1 < len(format) && c == '%' && (format[i+1] == 'v' || format[i+1] == '%') {
			i++
			if format[i] == '%' {
				cur = append(cur, '%')
				continue
			}
			lits, cur = append(lits, string(cur)), nil
			continue
		}
		if i+1 < len(format) && c == '\\' {
			if j := strings.IndexByte(`ntr\abfv"`, format[i+1]); j >= 0 {
				cur = append(cur, "\n\t\r\\\a\b\f\v\""[j])
				i++
				continue
			}
		}
		cur = append(cur, c)
	}
	return append(lits, string(cur))
}

// writeJSON prints a reply as one array of its values, or a value a line. The
// order of members is kept. A struct whose names repeat becomes an array of
// objects with one member each, as Kamailio's JSON-RPC has it. Errors are
// those of the writer's Flush.
func writeJSON(w *bufio.Writer, vals []rpc.Value, lines bool) {
	var b []byte
	open, sep, end := "[", ",\n", "]\n"
	if lines {
		open, sep, end = "", "\n", "\n"
		if len(vals) == 0 {
			end = ""
		}
	}
	w.WriteString(open)
	for i, v := range vals {
		if i > 0 {
			w.WriteString(sep)
		}
		b = appendJSON(b[:0], v)
		w.Write(b)
	}
	w.WriteString(end)
}

func appendJSON(b []byte, v rpc.Value) []byte {
	switch v := v.(type) {
	case rpc.Bool:
		return strconv.AppendBool(b, bool(v))
	case rpc.Int, rpc.Time:
		return append(b, scalar(v)...)
	case rpc.Double:
		f := float64(v)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return output.AppendString(b, fmt.Sprint(f))
		}
		return strconv.AppendFloat(b, f, 'f', -1, 64)
	case rpc.String, rpc.Text:
		return output.AppendString(b, scalar(v))
	case rpc.Bytes:
		if utf8.Valid(v) {
			return output.AppendString(b, string(v))
		}
		return output.AppendString(b, "base64:"+base64.StdEncoding.EncodeToString(v))
	}
	inner, ok := members(v)
	if !ok {
		return append(b, "null"...)
	}
	_, array := v.(rpc.Array)
	if array || !unique(inner) {
		return appendItems(b, inner)
	}
	b = append(b, '{')
	for i, m := range inner {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(output.AppendString(b, m.Name), ':')
		b = appendJSON(b, m.Value)
	}
	return append(b, '}')
}

func appendItems(b []byte, items []rpc.Member) []byte {
	b = append(b, '[')
	for i, m := range items {
		if i > 0 {
			b = append(b, ',')
		}
		if m.Name == "" {
			b = appendJSON(b, m.Value)
			continue
		}
		b = append(output.AppendString(append(b, '{'), m.Name), ':')
		b = append(appendJSON(b, m.Value), '}')
	}
	return append(b, ']')
}

// unique says whether all members have names, each its own.
func unique(ms []rpc.Member) bool {
	seen := make(map[string]bool, len(ms))
	for _, m := range ms {
		if m.Name == "" || seen[m.Name] {
			return false
		}
		seen[m.Name] = true
	}
	return true
}

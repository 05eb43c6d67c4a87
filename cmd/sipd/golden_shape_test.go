package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sipd/rpc"
	"sipd/rpc/binrpc"
	"sipd/rpc/rpctest"
)

// shape is what replies have in common whatever the values are: names, types,
// order, and of a fault code and text. Elements of a list that look alike count
// once, so do runs of them; a place in the source, FUNCTION(LINE), is one name.
type shape string

func list(parts []string) string { return "[" + strings.Join(fold(parts), " ") + "]" }

// fold leaves one of each run of blocks of up to six parts that look alike.
func fold(parts []string) []string {
	parts = slices.Compact(parts)
	for n := 2; n <= 6; n++ {
		var out []string
		for i := 0; i < len(parts); {
			if len(out) >= n && i+n <= len(parts) && slices.Equal(out[len(out)-n:], parts[i:i+n]) {
				i += n
				continue
			}
			out = append(out, parts[i])
			i++
		}
		parts = out
	}
	return parts
}

// place is a name as shapes have it: those of places in the source differ.
func place(name string) string {
	if strings.HasSuffix(name, ")") {
		return "PLACE"
	}
	return name
}

func ofFault(code int, text string) shape { return shape(fmt.Sprintf("fault %d %s", code, text)) }

func ofValue(v rpc.Value) string {
	switch v := v.(type) {
	case rpc.Int:
		return "int"
	case rpc.Double:
		return "double"
	case rpc.Struct:
		parts := make([]string, len(v))
		for i, m := range v {
			parts[i] = place(m.Name) + ":" + ofValue(m.Value)
		}
		return list(parts)
	case rpc.Array:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = ofValue(e)
		}
		return list(parts)
	}
	return "str"
}

func ofBinRPC(t *testing.T, vals []rpc.Value, err error) shape {
	t.Helper()
	if f, ok := errors.AsType[*rpc.Fault](err); ok {
		return ofFault(f.Code, f.Text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return shape(ofValue(rpc.Array(vals)))
}

// ofJSON reads the result or the error out of a reply, members in their order.
func ofJSON(t *testing.T, body string) shape {
	t.Helper()
	var reply struct {
		Result json.RawMessage
		Error  *struct {
			Code    int
			Message string
		}
	}
	if err := json.Unmarshal([]byte(body), &reply); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if reply.Error != nil {
		return ofFault(reply.Error.Code, reply.Error.Message)
	}
	d := json.NewDecoder(bytes.NewReader(reply.Result))
	s, err := jsonValue(d)
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return shape(s)
}

func jsonValue(d *json.Decoder) (string, error) {
	tok, err := d.Token()
	if err != nil {
		return "", err
	}
	switch tok := tok.(type) {
	case json.Delim:
		var parts []string
		for d.More() {
			name := ""
			if tok == '{' {
				key, err := d.Token()
				if err != nil {
					return "", err
				}
				name = place(fmt.Sprint(key)) + ":"
			}
			s, err := jsonValue(d)
			if err != nil {
				return "", err
			}
			parts = append(parts, name+s)
		}
		_, err := d.Token()
		return fmt.Sprintf("%c", tok) + list(parts), err
	case string:
		return "str", nil
	case nil:
		return "null", nil
	}
	return "number", nil
}

// ofXML reads the tags of a reply: names and types, members in their order.
func ofXML(t *testing.T, body string) shape {
	t.Helper()
	var fault struct {
		XMLName xml.Name `xml:"methodResponse"`
		Code    []int    `xml:"fault>value>struct>member>value>int"`
		Text    []string `xml:"fault>value>struct>member>value>string"`
	}
	if err := xml.Unmarshal([]byte(body), &fault); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if len(fault.Code) == 1 {
		return ofFault(fault.Code[0], strings.Join(fault.Text, ""))
	}
	d := xml.NewDecoder(strings.NewReader(body))
	return shape(xmlElement(d))
}

// xmlElement is the shape of what stands up to the end of the open element.
func xmlElement(d *xml.Decoder) string {
	var parts []string
	text := ""
	for {
		tok, err := d.Token()
		switch tok := tok.(type) {
		case xml.CharData:
			text += string(tok)
		case xml.StartElement:
			inner := xmlElement(d)
			switch tok.Name.Local {
			case "name":
				parts = append(parts, place(inner)+":")
			case "nil": // a real Kamailio has an empty value
			case "int", "i4", "double", "boolean", "string":
				parts = append(parts, tok.Name.Local)
			default:
				parts = append(parts, inner)
			}
		case xml.EndElement:
			if len(parts) == 0 && tok.Name.Local == "name" {
				return text
			}
			return list(parts)
		}
		if err != nil {
			return list(parts)
		}
	}
}

// lines is what the line protocol makes of recorded values: a line for each,
// a structure in one, of which what is plain comes first and backwards. Text may
// be printed text, which has no line end.
func lines(vals []rpc.Value) string {
	parts := make([]string, len(vals))
	for i, v := range vals {
		switch v := v.(type) {
		case rpc.Int:
			parts[i] = `-?\d+\n`
		case rpc.Double:
			parts[i] = `-?\d+\.\d+\n`
		case rpc.Struct:
			parts[i] = "(?:" + oneLine(v) + `\n)+`
		case rpc.Array:
			parts[i] = lines(v)
		default:
			parts[i] = `[^\n]*\n?`
		}
	}
	return repeated(parts)
}

// repeated joins expressions; runs of equal ones match any number.
func repeated(parts []string) string {
	folded := fold(parts)
	if len(folded) < len(parts) {
		return "(?:(?:" + strings.Join(folded, ")+(?:") + ")+)+"
	}
	return strings.Join(parts, "")
}

// joined joins expressions with commas; runs of equal ones match any number.
func joined(parts []string) string {
	var out []string
	for i, p := range parts {
		switch {
		case i == 0 || parts[i-1] != p:
			out = append(out, p)
		case i == 1 || parts[i-2] != p:
			out[len(out)-1] += "(?:," + p + ")*"
		}
	}
	return strings.Join(out, ",")
}

// oneLine is a structure in a line.
func oneLine(v rpc.Value) string {
	name := func(s string) string {
		if s == "" {
			return ""
		}
		if place(s) == "PLACE" {
			return "[^,:]+:"
		}
		return regexp.QuoteMeta(strings.NewReplacer(":", `\o`, ",", `\c`).Replace(s)) + ":"
	}
	var plain, lists []string
	each := func(m string, v rpc.Value) {
		switch v.(type) {
		case rpc.Struct, rpc.Array:
			lists = append(lists, "(?:"+name(m)+oneLine(v)+",?)+")
		case rpc.Int:
			plain = append(plain, name(m)+`-?\d+`)
		case rpc.Double:
			plain = append(plain, name(m)+`-?\d+\.\d+`)
		default:
			plain = append(plain, name(m)+`[^,:\n]*`)
		}
	}
	switch v := v.(type) {
	case rpc.Struct:
		for _, m := range v {
			each(m.Name, m.Value)
		}
		slices.Reverse(plain)
	case rpc.Array:
		for _, e := range v {
			each("", e)
		}
	}
	if len(plain) > 0 && len(lists) > 0 {
		plain = append(plain, "")
	}
	return joined(plain) + repeated(lists)
}

var binRPCParameter = regexp.MustCompile(`^error at parameter (\d+): `)

// lineReply is an expression for what the line protocol answers in place of a
// recorded BinRPC reply.
func lineReply(t *testing.T, rec rpctest.Call) *regexp.Regexp {
	t.Helper()
	vals := recordedValues(t, rec)
	if !rec.Fault {
		return regexp.MustCompile(`\A200 OK\n` + lines(vals) + `\z`)
	}
	code, text := int(vals[0].(rpc.Int)), string(vals[1].(rpc.String))
	if m := binRPCParameter.FindStringSubmatch(text); m != nil { // the line of a parameter, behind that of the command
		n, _ := strconv.Atoi(m[1])
		text = fmt.Sprintf("Invalid parameter value on line %d", n+2)
	}
	return regexp.MustCompile(`\A` + regexp.QuoteMeta(fmt.Sprintf("%d %s", code, strings.TrimSpace(strings.ReplaceAll(text, "\n", " ")))) + ` ?\n\z`)
}

func recordedValues(t *testing.T, rec rpctest.Call) []rpc.Value {
	t.Helper()
	h, err := binrpc.ParseHeader(rec.Reply)
	if err != nil {
		t.Fatal(err)
	}
	d := binrpc.NewDecoder(rec.Reply[h.Size:])
	vals, err := d.All()
	if err != nil {
		t.Fatal(err)
	}
	return vals
}

func recordedShape(t *testing.T, rec rpctest.Call) shape {
	t.Helper()
	vals := recordedValues(t, rec)
	if rec.Fault {
		return ofFault(int(vals[0].(rpc.Int)), string(vals[1].(rpc.String)))
	}
	return shape(ofValue(rpc.Array(vals)))
}

package xmlrpc

import (
	"bufio"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sipd/rpc"
)

// encoder writes replies as they are made, laid out as Kamailio does.
type encoder struct {
	w        *bufio.Writer
	escapeCR bool
}

func (e encoder) put(s string) { e.w.WriteString(s) }

// broken says that nobody reads on.
func (e encoder) broken() bool {
	_, err := e.w.Write(nil)
	return err != nil
}

const (
	head = "<?xml version=\"1.0\"?>\n<methodResponse>\n"
	tail = "</methodResponse>"
)

// reply writes what a call gave: an array for a List method, and for several
// values, which XML-RPC has no other place for.
func (e encoder) reply(call *rpc.Call) {
	e.put(head + "<params>\n<param>\n<value>")
	vals := call.Reply()
	switch {
	case call.Method.List || len(vals) > 1:
		e.put("<array><data>\n")
		for v := range call.Values() {
			e.value(v)
			if e.put("\n"); e.broken() {
				return
			}
		}
		e.put("</data></array>")
	case len(vals) == 1:
		e.inside(vals[0])
		e.put("\n")
	}
	e.put("</value>\n</param>\n</params>\n" + tail)
}

// fault writes a fault.
func (e encoder) fault(f *rpc.Fault) {
	e.put(head + "<fault>\n<value>\n<struct>\n<member>\n<name>faultCode</name>\n<value><int>")
	e.put(strconv.Itoa(f.Code))
	e.put("</int></value>\n</member>\n<member>\n<name>faultString</name>\n<value><string>")
	e.text(f.Text)
	e.put("</string></value>\n</member>\n</struct>\n</value>\n</fault>\n" + tail)
}

func (e encoder) value(v rpc.Value) {
	e.put("<value>")
	e.inside(v)
	e.put("</value>")
}

// inside writes what stands in <value>.
func (e encoder) inside(v rpc.Value) {
	switch v := v.(type) {
	case rpc.Int:
		e.put("<int>" + strconv.FormatInt(int64(v), 10) + "</int>")
	case rpc.Double:
		e.put("<double>" + strconv.FormatFloat(float64(v), 'f', 6, 64) + "</double>")
	case rpc.Bool:
		if v {
			e.put("<boolean>1</boolean>")
		} else {
			e.put("<boolean>0</boolean>")
		}
	case rpc.Time:
		e.put("<dateTime.iso8601>" + time.Unix(int64(v), 0).UTC().Format("20060102T15:04:05") + "</dateTime.iso8601>")
	case rpc.String:
		e.tagged(string(v))
	case rpc.Text:
		e.tagged(string(v))
	case rpc.Bytes:
		e.put("<base64>" + base64.StdEncoding.EncodeToString(v) + "</base64>")
	case rpc.Struct:
		e.put("<struct>")
		for _, m := range v {
			e.member(m)
		}
		e.put("</struct>")
	case rpc.Array:
		e.put("<array><data>\n")
		for _, x := range v {
			e.value(x)
		}
		e.put("</data></array>")
	case rpc.Each:
		e.put("<array><data>\n")
		for x := range v {
			if e.value(x); e.broken() {
				return
			}
		}
		e.put("</data></array>")
	case rpc.Items:
		e.put("<array><data>\n")
		for _, m := range v {
			e.item(m)
		}
		e.put("</data></array>")
	case rpc.Stream:
		e.put("<array><data>\n")
		for m := range v {
			if e.item(m); e.broken() {
				return
			}
		}
		e.put("</data></array>")
	default: // rpc.Null
		e.put("<nil/>")
	}
}

// item writes an element of a list: one with a name as a structure with one
// member, as Kamailio has it.
func (e encoder) item(m rpc.Member) {
	if m.Name == "" {
		e.value(m.Value)
		return
	}
	e.put("<value><struct>")
	e.member(m)
	e.put("</struct></value>")
}

func (e encoder) member(m rpc.Member) {
	e.put("<member><name>")
	e.text(m.Name)
	e.put("</name>")
	e.value(m.Value)
	e.put("</member>")
}

func (e encoder) tagged(s string) {
	e.put("<string>")
	e.text(s)
	e.put("</string>")
}

// text writes text with the escapes that Kamailio uses. What XML cannot hold
// becomes the sign for that.
func (e encoder) text(s string) {
	start := 0
	for i := 0; i < len(s); {
		r, n := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(s[i:])
		}
		with := ""
		switch {
		case r == '<':
			with = "&lt;"
		case r == '&':
			with = "&amp;"
		case r == '\r' && e.escapeCR:
			with = "&#xD;"
		case r == utf8.RuneError && n == 1, r < 0x20 && r != '\t' && r != '\n' && r != '\r', r == 0xfffe, r == 0xffff:
			with = "\ufffd"
		case r == '>' && i >= 2 && s[i-2:i] == "]]": // which text may not hold
			with = "&gt;"
		}
		if with != "" {
			e.put(s[start:i])
			e.put(with)
			start = i + n
		}
		i += n
	}
	e.put(s[start:])
}

// Fault is a whole document with a fault.
func Fault(f *rpc.Fault) string {
	var b strings.Builder
	e := encoder{bufio.NewWriter(&b), true}
	e.fault(f)
	_ = e.w.Flush()
	return b.String()
}

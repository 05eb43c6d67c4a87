// Package xmlrpc is XML-RPC as the daemons of the SER family answer it on
// their HTTP port: a client, with a decoder of its own that takes what they
// send and others do not (text without a type, several values in one, order of
// members kept). The server side belongs to a later slice.
package xmlrpc

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"sipd/rpc"
)

// Limits of the decoder.
const (
	// MaxReply is the longest document read, octets.
	MaxReply = 64 << 20
	// maxNesting is how deep arrays and structures may stand in each other.
	maxNesting = 64
)

// ErrReply is a document that is no XML-RPC reply.
var ErrReply = errors.New("not an XML-RPC reply")

func bad(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrReply, fmt.Sprintf(format, a...))
}

// decoder reads the tokens of one document.
type decoder struct {
	x *xml.Decoder
}

// ParseReply reads a methodResponse: the reply's values in order, or the
// *rpc.Fault it holds. The elements of a reply that is one array are the
// values themselves, as on the other wires; an empty value without a type is
// none at all, which is how Kamailio says so. Other errors wrap ErrReply.
func ParseReply(r io.Reader) ([]rpc.Value, error) {
	x := xml.NewDecoder(io.LimitReader(r, MaxReply))
	x.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		switch strings.ToLower(charset) {
		case "utf-8", "utf8", "us-ascii", "ascii":
			return in, nil
		}
		return nil, bad("character set %q", charset)
	}
	d := &decoder{x}
	root, err := d.start()
	if err != nil {
		return nil, err
	}
	if root != "methodResponse" {
		return nil, bad("the root is <%s>", root)
	}
	what, err := d.start()
	if err != nil {
		return nil, err
	}
	var vals []rpc.Value
	switch what {
	case "fault":
		return nil, d.fault()
	case "params":
		vals, err = d.params()
	case "": // </methodResponse>: nothing to say
		return nil, nil
	default:
		err = bad("<%s> in <methodResponse>", what)
	}
	if err != nil {
		return nil, err
	}
	if len(vals) == 1 {
		if list, ok := vals[0].(rpc.Array); ok {
			return list, nil
		}
	}
	return vals, nil
}

// next is the next token that is an element's start or end or text; comments
// and the like are skipped.
func (d *decoder) next() (xml.Token, error) {
	for {
		tok, err := d.x.Token()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil, bad("it ends too early")
			}
			if errors.Is(err, ErrReply) {
				return nil, err
			}
			return nil, bad("%v", err)
		}
		switch tok.(type) {
		case xml.StartElement, xml.EndElement, xml.CharData:
			return tok, nil
		}
	}
}

// start is the name of the next element that starts, "" when the one around it
// ends first. Text in between must be blank.
func (d *decoder) start() (string, error) {
	for {
		tok, err := d.next()
		if err != nil {
			return "", err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			return t.Name.Local, nil
		case xml.EndElement:
			return "", nil
		case xml.CharData:
			if s := strings.TrimSpace(string(t)); s != "" {
				return "", bad("text %.20q between elements", s)
			}
		}
	}
}

// expect is start for an element that must come and have that name; more is
// false when the one around it ends.
func (d *decoder) expect(name string) (more bool, err error) {
	got, err := d.start()
	if err == nil && got != "" && got != name {
		err = bad("<%s> in place of <%s>", got, name)
	}
	return got != "", err
}

// end wants the element around to end.
func (d *decoder) end() error {
	name, err := d.start()
	if err == nil && name != "" {
		err = bad("<%s> where an element ends", name)
	}
	return err
}

func (d *decoder) params() ([]rpc.Value, error) {
	var vals []rpc.Value
	for {
		more, err := d.expect("param")
		if err != nil || !more {
			return vals, err
		}
		if more, err = d.expect("value"); err != nil {
			return nil, err
		} else if !more {
			continue // <param></param>
		}
		v, err := d.value(0)
		if err != nil {
			return nil, err
		}
		vals = append(vals, v...)
		if err := d.end(); err != nil { // </param>
			return nil, err
		}
	}
}

// value reads the inside of <value> and its end. There may be several, which
// is how Kamailio sends what is no list, or none.
func (d *decoder) value(depth int) ([]rpc.Value, error) {
	if depth > maxNesting {
		return nil, bad("values are nested deeper than %d", maxNesting)
	}
	var vals []rpc.Value
	var text strings.Builder
	for {
		tok, err := d.next()
		if err != nil {
			return nil, err
		}
		switch t := tok.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.StartElement:
			v, err := d.typed(t.Name.Local, depth)
			if err != nil {
				return nil, err
			}
			vals = append(vals, v)
		case xml.EndElement:
			if s := text.String(); len(vals) == 0 && s != "" {
				if s == "<nil/>" { // as Kamailio 5.6.3 writes a null string
					return []rpc.Value{rpc.Null{}}, nil
				}
				return []rpc.Value{rpc.String(s)}, nil
			}
			return vals, nil
		}
	}
}

// one is value inside of arrays and structures: exactly one.
func (d *decoder) one(depth int) (rpc.Value, error) {
	vals, err := d.value(depth)
	switch {
	case err != nil:
		return nil, err
	case len(vals) == 0:
		return rpc.String(""), nil
	case len(vals) == 1:
		return vals[0], nil
	}
	return rpc.Array(vals), nil
}

func (d *decoder) typed(name string, depth int) (rpc.Value, error) {
	switch name {
	case "array":
		return d.array(depth)
	case "struct":
		return d.structure(depth)
	}
	text, err := d.text()
	if err != nil {
		return nil, err
	}
	return scalar(name, text)
}

// text is the text up to the element's end.
func (d *decoder) text() (string, error) {
	var b strings.Builder
	for {
		tok, err := d.next()
		if err != nil {
			return "", err
		}
		switch t := tok.(type) {
		case xml.CharData:
			b.Write(t)
		case xml.EndElement:
			return b.String(), nil
		case xml.StartElement:
			return "", bad("<%s> inside of a value", t.Name.Local)
		}
	}
}

func scalar(name, text string) (rpc.Value, error) {
	switch name {
	case "string":
		return rpc.String(text), nil
	case "nil":
		return rpc.Null{}, nil
	}
	text = strings.TrimSpace(text)
	var v rpc.Value
	var err error
	switch name {
	case "int", "i4", "i8", "ex:i8":
		var n int64
		n, err = strconv.ParseInt(text, 10, 64)
		v = rpc.Int(n)
	case "double":
		var f float64
		f, err = strconv.ParseFloat(text, 64)
		v = rpc.Double(f)
	case "boolean":
		var b bool
		b, err = strconv.ParseBool(text)
		v = rpc.Bool(b)
	case "dateTime.iso8601":
		var t time.Time
		for _, layout := range []string{"20060102T15:04:05", "2006-01-02T15:04:05", time.RFC3339} {
			if t, err = time.Parse(layout, text); err == nil {
				break
			}
		}
		v = rpc.Time(t.Unix())
	case "base64":
		var b []byte
		b, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		v = rpc.Bytes(b)
	default:
		return nil, bad("values of type <%s> are not known", name)
	}
	if err != nil {
		return nil, bad("<%s>%.40s</%s>", name, text, name)
	}
	return v, nil
}

func (d *decoder) array(depth int) (rpc.Value, error) {
	list := rpc.Array{}
	if more, err := d.expect("data"); err != nil || !more {
		return list, err
	}
	for {
		name, err := d.start()
		if err != nil {
			return nil, err
		}
		var v rpc.Value
		switch name {
		case "":
			return list, d.end() // </array>
		case "value":
			v, err = d.one(depth + 1)
		case "member": // not XML-RPC, but how Kamailio sends an array of named values
			var m rpc.Member
			m, err = d.member(depth + 1)
			v = rpc.Struct{m}
		default:
			err = bad("<%s> in an array", name)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
}

func (d *decoder) structure(depth int) (rpc.Value, error) {
	s := rpc.Struct{}
	for {
		more, err := d.expect("member")
		if err != nil || !more {
			return s, err
		}
		m, err := d.member(depth)
		if err != nil {
			return nil, err
		}
		s = append(s, m)
	}
}

func (d *decoder) member(depth int) (rpc.Member, error) {
	var m rpc.Member
	more, err := d.expect("name")
	if err == nil && !more {
		err = bad("a member without a name")
	}
	if err != nil {
		return m, err
	}
	if m.Name, err = d.text(); err != nil {
		return m, err
	}
	if more, err = d.expect("value"); err != nil {
		return m, err
	} else if !more {
		m.Value = rpc.Null{}
		return m, nil
	}
	if m.Value, err = d.one(depth + 1); err != nil {
		return m, err
	}
	return m, d.end() // </member>
}

// fault reads a fault; it always returns an error.
func (d *decoder) fault() error {
	more, err := d.expect("value")
	if err != nil {
		return err
	}
	var vals []rpc.Value
	if more {
		if vals, err = d.value(0); err != nil {
			return err
		}
	}
	f := &rpc.Fault{}
	found := false
	if len(vals) == 1 {
		s, _ := vals[0].(rpc.Struct)
		for _, m := range s {
			switch v := m.Value.(type) {
			case rpc.Int:
				if m.Name == "faultCode" {
					f.Code, found = int(v), true
				}
			case rpc.String:
				if m.Name == "faultString" {
					f.Text = string(v)
				}
			}
		}
	}
	if !found {
		return bad("a fault without code")
	}
	return f
}

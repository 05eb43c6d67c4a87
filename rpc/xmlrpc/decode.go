// Package xmlrpc is XML-RPC as the daemons of the SER family answer it on
// their HTTP port: a client, with a decoder of its own that takes what they
// send and others do not (text without a type, several values in one, order of
// members kept), and a server for documents, whatever they come by.
package xmlrpc

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
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

// decoder reads the tokens of one document and yields those of its values.
type decoder struct {
	x     *xml.Decoder
	yield func(rpc.Token, error) bool
	// lenient is for the server: what is no value of its type is a fault only
	// when a method reads it.
	lenient bool
}

// errStopped is a caller that wants no more tokens.
var errStopped = errors.New("stopped")

func (d *decoder) emit(t rpc.Token) error {
	if d.yield(t, nil) {
		return nil
	}
	return errStopped
}

// ParseReply reads a methodResponse: the reply's values in order, or the
// *rpc.Fault it holds. The elements of a reply that is one array are the
// values themselves, as on the other wires; an empty value without a type is
// none at all, which is how Kamailio says so. Other errors wrap ErrReply.
func ParseReply(r io.Reader) ([]rpc.Value, error) {
	return gather(ReadReply(io.LimitReader(r, MaxReply)))
}

// gather is rpc.Gather where no values are nil.
func gather(toks iter.Seq2[rpc.Token, error]) ([]rpc.Value, error) {
	vals, err := rpc.Gather(toks)
	if len(vals) == 0 {
		vals = nil
	}
	return vals, err
}

// ReadReply reads a methodResponse while it comes: the tokens of its values, of
// which it holds one at a time. It means what [ParseReply] means; an error,
// which may be that of the reader, is the last element.
func ReadReply(r io.Reader) iter.Seq2[rpc.Token, error] {
	return func(yield func(rpc.Token, error) bool) {
		x := xml.NewDecoder(r)
		x.CharsetReader = charset
		d := &decoder{x: x, yield: yield}
		if err := d.response(); err != nil && !errors.Is(err, errStopped) {
			yield(rpc.Token{}, err)
		}
	}
}

func (d *decoder) response() error {
	root, err := d.start()
	if err != nil {
		return err
	}
	if root != "methodResponse" {
		return bad("the root is <%s>", root)
	}
	what, err := d.start()
	switch {
	case err != nil:
		return err
	case what == "fault":
		return d.fault()
	case what == "params":
		return d.params()
	case what != "": // not </methodResponse>
		return bad("<%s> in <methodResponse>", what)
	}
	return nil
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

func (d *decoder) params() error {
	for {
		more, err := d.expect("param")
		if err != nil || !more {
			return err
		}
		if more, err = d.expect("value"); err != nil {
			return err
		} else if !more {
			continue // <param></param>
		}
		if err := d.top(); err != nil {
			return err
		}
		if err := d.end(); err != nil { // </param>
			return err
		}
	}
}

// top reads the inside of the <value> of a parameter and its end. There may be
// several values, which is how Kamailio sends what is no list, or none; the
// elements of an array are values themselves.
func (d *decoder) top() error {
	var text strings.Builder
	for n := 0; ; {
		tok, err := d.next()
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.StartElement:
			n++
			if t.Name.Local == "array" {
				err = d.elements(0)
			} else {
				err = d.typed(t.Name.Local, 0)
			}
		case xml.EndElement:
			if n > 0 || text.Len() == 0 {
				return nil
			}
			return d.emit(rpc.Token{Value: bare(text.String())})
		}
		if err != nil {
			return err
		}
	}
}

// bare is a value without a type: text, but for the null string of Kamailio
// 5.6.3.
func bare(s string) rpc.Value {
	if s == "<nil/>" {
		return rpc.Null{}
	}
	return rpc.String(s)
}

// value reads the inside of a <value> within a value, and its end: one value,
// or scalars side by side, which count as a list.
func (d *decoder) value(depth int) error {
	if depth > maxNesting {
		return bad("values are nested deeper than %d", maxNesting)
	}
	var text strings.Builder
	var scalars []rpc.Value
	grouped := false
	for {
		tok, err := d.next()
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.StartElement:
			name := t.Name.Local
			if grouped || (name == "array" || name == "struct") && len(scalars) > 0 {
				return bad("<%s> beside another value", name)
			}
			if name == "array" || name == "struct" {
				grouped = true
				err = d.typed(name, depth)
				break
			}
			var v rpc.Value
			if v, err = d.scalar(name); err == nil {
				scalars = append(scalars, v)
			}
		case xml.EndElement:
			switch {
			case grouped:
				return nil
			case len(scalars) == 0:
				return d.emit(rpc.Token{Value: bare(text.String())})
			case len(scalars) == 1:
				return d.emit(rpc.Token{Value: scalars[0]})
			}
			return d.list(scalars)
		}
		if err != nil {
			return err
		}
	}
}

// list emits values as a list.
func (d *decoder) list(vals []rpc.Value) error {
	for t := range rpc.Tokens(slices.Values([]rpc.Value{rpc.Array(vals)})) {
		if err := d.emit(t); err != nil {
			return err
		}
	}
	return nil
}

// typed reads an element with a type and emits its value.
func (d *decoder) typed(name string, depth int) error {
	begin, inside := rpc.TokenList, d.elements
	switch name {
	case "array":
	case "struct":
		begin, inside = rpc.TokenStruct, d.structure
	default:
		v, err := d.scalar(name)
		if err != nil {
			return err
		}
		return d.emit(rpc.Token{Value: v})
	}
	if err := d.emit(rpc.Token{Kind: begin}); err != nil {
		return err
	}
	if err := inside(depth); err != nil {
		return err
	}
	return d.emit(rpc.Token{Kind: rpc.TokenEnd})
}

func (d *decoder) scalar(name string) (rpc.Value, error) {
	text, err := d.text()
	if err != nil {
		return nil, err
	}
	if d.lenient {
		return looseScalar(name, text), nil
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

// elements reads the inside of an array up to its end.
func (d *decoder) elements(depth int) error {
	if more, err := d.expect("data"); err != nil || !more {
		return err
	}
	for {
		name, err := d.start()
		if err != nil {
			return err
		}
		switch name {
		case "":
			return d.end() // </array>
		case "value":
			err = d.value(depth + 1)
		case "member": // not XML-RPC, but how Kamailio sends an array of named values
			if err = d.emit(rpc.Token{Kind: rpc.TokenStruct}); err == nil {
				err = d.member(depth + 1)
			}
			if err == nil {
				err = d.emit(rpc.Token{Kind: rpc.TokenEnd})
			}
		default:
			err = bad("<%s> in an array", name)
		}
		if err != nil {
			return err
		}
	}
}

// structure reads the inside of a struct up to its end.
func (d *decoder) structure(depth int) error {
	for {
		more, err := d.expect("member")
		if err != nil || !more {
			return err
		}
		if err := d.member(depth); err != nil {
			return err
		}
	}
}

func (d *decoder) member(depth int) error {
	more, err := d.expect("name")
	if err == nil && !more {
		err = bad("a member without a name")
	}
	if err != nil {
		return err
	}
	name, err := d.text()
	if err != nil {
		return err
	}
	if name != "" {
		if err := d.emit(rpc.Token{Kind: rpc.TokenName, Name: name}); err != nil {
			return err
		}
	}
	if more, err = d.expect("value"); err != nil {
		return err
	} else if !more {
		return d.emit(rpc.Token{Value: rpc.Null{}})
	}
	if err := d.value(depth + 1); err != nil {
		return err
	}
	return d.end() // </member>
}

// fault reads a fault; it always returns an error.
func (d *decoder) fault() error {
	more, err := d.expect("value")
	if err != nil {
		return err
	}
	var vals []rpc.Value
	if more {
		inner := &decoder{x: d.x}
		vals, err = rpc.Gather(func(yield func(rpc.Token, error) bool) {
			inner.yield = yield
			if err := inner.top(); err != nil && !errors.Is(err, errStopped) {
				yield(rpc.Token{}, err)
			}
		})
		if err != nil {
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

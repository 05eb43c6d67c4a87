package jsonrpc

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"

	"sipd/rpc"
)

// maxText is the longest text or number read, octets.
const maxText = 16 << 20

// ReadReply reads the reply to the request with an id while it comes: the
// tokens of its values, of which it holds one at a time. It means what
// [ParseReply] means; an error, which may be that of the reader, is the last
// element.
func ReadReply(r io.Reader, id int) iter.Seq2[rpc.Token, error] {
	return func(yield func(rpc.Token, error) bool) {
		s := scanner{in: bufio.NewReaderSize(r, 1<<16), yield: yield}
		if err := s.reply(id); err != nil && !errors.Is(err, errStopped) {
			yield(rpc.Token{}, err)
		}
	}
}

// errStopped is a caller that wants no more tokens.
var errStopped = errors.New("stopped")

// scanner reads one JSON text.
type scanner struct {
	in    *bufio.Reader
	yield func(rpc.Token, error) bool
	mute  bool // nobody wants the tokens
	buf   []byte
}

func (s *scanner) emit(t rpc.Token) error {
	if s.mute || s.yield(t, nil) {
		return nil
	}
	return errStopped
}

// early is the error of a text that ends too early.
func early(err error) error {
	if errors.Is(err, io.EOF) {
		return bad("it ends too early")
	}
	return err
}

// next is the next octet that is no blank.
func (s *scanner) next() (byte, error) {
	for {
		c, err := s.in.ReadByte()
		if err != nil {
			return 0, early(err)
		}
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c, nil
		}
	}
}

func (s *scanner) expect(want byte) error {
	c, err := s.next()
	if err == nil && c != want {
		err = bad("%q where %q belongs", c, want)
	}
	return err
}

// reply reads the object of a reply.
func (s *scanner) reply(id int) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	var fault error
	found, null := false, false
	err := s.members(func(name string) error {
		switch name {
		case "result":
			if found {
				return bad("two results")
			}
			found = true
			var err error
			null, err = s.result()
			return err
		case "error":
			v, err := s.whole()
			if _, isNull := v.(rpc.Null); err == nil && !isNull {
				fault = faultOf(v)
			}
			return err
		case "id":
			v, err := s.whole()
			if n, ok := v.(rpc.Int); err == nil && ok && int(n) != id {
				err = bad("it answers request %d in place of %d", n, id)
			}
			return err
		}
		_, err := s.whole()
		return err
	})
	if err == nil {
		err = s.end()
	}
	switch {
	case err != nil:
		return err
	case fault != nil:
		return fault
	case !found:
		return bad("neither result nor error")
	case null:
		return s.emit(rpc.Token{Value: rpc.Null{}})
	}
	return nil
}

// end wants nothing but blanks up to the end.
func (s *scanner) end() error {
	for {
		c, err := s.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case c != ' ' && c != '\t' && c != '\n' && c != '\r' && c != 0:
			return bad("something follows it")
		}
	}
}

// result reads the result: of an array the elements are the values, an empty
// object is no value. null puts a null off, which an error may follow.
func (s *scanner) result() (null bool, err error) {
	c, err := s.next()
	if err != nil {
		return false, err
	}
	switch c {
	case '[':
		return false, s.elements(0)
	case 'n':
		return true, s.word("ull")
	case '{':
		if c, err = s.next(); err != nil || c == '}' {
			return false, err
		}
		_ = s.in.UnreadByte()
		return false, s.object(0)
	}
	return false, s.value(c, 0)
}

// whole reads a value that is kept.
func (s *scanner) whole() (rpc.Value, error) {
	inner := scanner{in: s.in}
	vals, err := rpc.Gather(func(yield func(rpc.Token, error) bool) {
		inner.yield = yield
		c, err := inner.next()
		if err == nil {
			err = inner.value(c, 0)
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(rpc.Token{}, err)
		}
	})
	if err != nil || len(vals) != 1 {
		return nil, err
	}
	return vals[0], nil
}

// value reads a value whose first octet is c.
func (s *scanner) value(c byte, depth int) error {
	if depth > maxNesting {
		return bad("values are nested deeper than %d", maxNesting)
	}
	var v rpc.Value
	var err error
	switch {
	case c == '{':
		return s.object(depth)
	case c == '[':
		if err := s.emit(rpc.Token{Kind: rpc.TokenList}); err != nil {
			return err
		}
		if err := s.elements(depth + 1); err != nil {
			return err
		}
		return s.emit(rpc.Token{Kind: rpc.TokenEnd})
	case c == '"':
		var text string
		text, err = s.text()
		v = rpc.String(text)
	case c == 't':
		v, err = rpc.Bool(true), s.word("rue")
	case c == 'f':
		v, err = rpc.Bool(false), s.word("alse")
	case c == 'n':
		v, err = rpc.Null{}, s.word("ull")
	case c == '-' || c >= '0' && c <= '9':
		v, err = s.number(c)
	default:
		err = bad("%q where a value belongs", c)
	}
	if err != nil {
		return err
	}
	return s.emit(rpc.Token{Value: v})
}

func (s *scanner) word(rest string) error {
	for i := range len(rest) {
		c, err := s.in.ReadByte()
		if err != nil {
			return early(err)
		}
		if c != rest[i] {
			return bad("a word that is none of true, false, null")
		}
	}
	return nil
}

// object reads an object behind its brace.
func (s *scanner) object(depth int) error {
	if err := s.emit(rpc.Token{Kind: rpc.TokenStruct}); err != nil {
		return err
	}
	err := s.members(func(name string) error {
		if err := s.emit(rpc.Token{Kind: rpc.TokenName, Name: name}); err != nil {
			return err
		}
		c, err := s.next()
		if err != nil {
			return err
		}
		return s.value(c, depth+1)
	})
	if err != nil {
		return err
	}
	return s.emit(rpc.Token{Kind: rpc.TokenEnd})
}

// members reads the inside of an object up to its end; each gets the name and
// reads the value.
func (s *scanner) members(each func(name string) error) error {
	for first := true; ; first = false {
		c, err := s.next()
		if err != nil || c == '}' && first {
			return err
		}
		if !first {
			if c == '}' {
				return nil
			}
			if c != ',' {
				return bad("%q where a comma belongs", c)
			}
			if c, err = s.next(); err != nil {
				return err
			}
		}
		if c != '"' {
			return bad("%q where a name belongs", c)
		}
		name, err := s.text()
		if err == nil {
			err = s.expect(':')
		}
		if err == nil {
			err = each(name)
		}
		if err != nil {
			return err
		}
	}
}

// elements reads the inside of an array up to its end.
func (s *scanner) elements(depth int) error {
	for first := true; ; first = false {
		c, err := s.next()
		if err != nil || c == ']' && first {
			return err
		}
		if !first {
			if c == ']' {
				return nil
			}
			if c != ',' {
				return bad("%q where a comma belongs", c)
			}
			if c, err = s.next(); err != nil {
				return err
			}
		}
		if err := s.value(c, depth); err != nil {
			return err
		}
	}
}

// text reads a string behind its quote.
func (s *scanner) text() (string, error) {
	s.buf = append(s.buf[:0], '"')
	for {
		part, err := s.in.ReadSlice('"')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return "", early(err)
		}
		s.buf = append(s.buf, part...)
		if len(s.buf) > maxText {
			return "", bad("a text is longer than %d octets", maxText)
		}
		if err == nil && !escaped(s.buf[1:len(s.buf)-1]) {
			break
		}
	}
	inner := s.buf[1 : len(s.buf)-1]
	if simple(inner) {
		return string(inner), nil
	}
	var text string
	if err := json.Unmarshal(s.buf, &text); err != nil {
		return "", bad("text %.40q", s.buf)
	}
	return strings.ToValidUTF8(text, "\ufffd"), nil
}

// escaped says whether b ends in a backslash that escapes what follows.
func escaped(b []byte) bool {
	n := len(b)
	for n > 0 && b[n-1] == '\\' {
		n--
	}
	return (len(b)-n)%2 == 1
}

// simple says whether text stands for itself.
func simple(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// number reads a number whose first octet is c.
func (s *scanner) number(c byte) (rpc.Value, error) {
	s.buf = append(s.buf[:0], c)
	for {
		c, err := s.in.ReadByte()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if !bytes.ContainsRune([]byte("+-.eE0123456789"), rune(c)) {
			_ = s.in.UnreadByte()
			break
		}
		if s.buf = append(s.buf, c); len(s.buf) > 1024 {
			return nil, bad("a number is longer than 1024 octets")
		}
	}
	text := string(s.buf)
	if !json.Valid(s.buf) {
		return nil, bad("number %.40s", text)
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return rpc.Int(n), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, bad("number %.40s", text)
	}
	return rpc.Double(f), nil
}

// Package fifo is the line protocol of the SER family: a request is
//
//	:method:reply_fifo
//	argument
//	...
//	(an empty line)
//
// written into the daemon's named pipe, the reply comes through a pipe that the
// client makes: "200 OK" and a line for each value. It has the codec, a server
// and a client; jsonrpc's client uses its pipes too.
//
// The wire has no types: a number comes back as text, and a structure as one
// line, "name:value,name:value", which [ParseStruct] reads where a caller
// knows that it is one. Kamailio 5.6.3 itself garbles all but the first line
// of what its ctl module answers here.
package fifo

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"

	"sipd/rpc"
)

// Limits of the codec, octets.
const (
	// MaxRequest is what is written to a pipe in one piece (PIPE_BUF): more
	// could be mixed with another client's request.
	MaxRequest = 4096
	// MaxReply is the longest reply taken.
	MaxReply = 64 << 20
	// maxLine is the longest line of a reply.
	maxLine = 1 << 20
)

// ErrRequest is a call that the line protocol cannot carry.
var ErrRequest = errors.New("the line protocol cannot carry it")

// AppendRequest appends a request. Arguments become text; lines ends, tabs,
// backslashes and zeros are escaped. Errors, all ErrRequest: an argument that
// is empty or ends in a blank (an empty line ends the request, and blanks at
// the end of a line are cut), a structure in a structure, a colon or line end
// in a name, more than MaxRequest octets.
func AppendRequest(b []byte, method, replyName string, args []rpc.Value) ([]byte, error) {
	start := len(b)
	if method == "" || strings.ContainsAny(method, ":\r\n\x00") {
		return nil, fmt.Errorf("method name %q: %w", method, ErrRequest)
	}
	b = append(b, ':')
	b = append(b, method...)
	b = append(b, ':')
	b = append(b, replyName...)
	b = append(b, '\n')
	for i, a := range args {
		line, err := argument(a)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
		b = append(append(b, line...), '\n')
	}
	b = append(b, '\n')
	if len(b)-start > MaxRequest {
		return nil, fmt.Errorf("a request of %d octets (%d at most): %w", len(b)-start, MaxRequest, ErrRequest)
	}
	return b, nil
}

func argument(v rpc.Value) (string, error) {
	if members, ok := v.(rpc.Struct); ok {
		return structure(members)
	}
	s, err := scalar(v)
	if err != nil {
		return "", err
	}
	s = Escape(s)
	if s == "" || strings.HasSuffix(s, " ") {
		return "", fmt.Errorf("text that is empty or ends in a blank: %w", ErrRequest)
	}
	return s, nil
}

// structure writes a structure as an argument. The servers take \c for a colon
// and \o for a comma here, and send them the other way round.
func structure(members []rpc.Member) (string, error) {
	r := strings.NewReplacer(":", `\c`, ",", `\o`)
	parts := make([]string, len(members))
	for i, m := range members {
		s, err := scalar(m.Value)
		if err != nil {
			return "", err
		}
		if m.Name == "" {
			return "", fmt.Errorf("a member without a name: %w", ErrRequest)
		}
		parts[i] = r.Replace(Escape(m.Name)) + ":" + r.Replace(Escape(s))
	}
	s := strings.Join(parts, ",")
	if s == "" || strings.HasSuffix(s, " ") {
		return "", fmt.Errorf("a structure that is empty or ends in a blank: %w", ErrRequest)
	}
	return s, nil
}

func scalar(v rpc.Value) (string, error) {
	switch v := v.(type) {
	case rpc.String:
		return string(v), nil
	case rpc.Text:
		return string(v), nil
	case rpc.Bytes:
		return string(v), nil
	case rpc.Int:
		return strconv.FormatInt(int64(v), 10), nil
	case rpc.Time:
		return strconv.FormatInt(int64(v), 10), nil
	case rpc.Double:
		return strconv.FormatFloat(float64(v), 'f', -1, 64), nil
	case rpc.Bool:
		if v {
			return "1", nil
		}
		return "0", nil
	}
	return "", fmt.Errorf("a value of type %T: %w", v, ErrRequest)
}

// Escape writes line end, return, tab, backslash and zero as \n \r \t \\ \0.
func Escape(s string) string {
	if !strings.ContainsAny(s, "\n\r\t\\\x00") {
		return s
	}
	return strings.NewReplacer("\n", `\n`, "\r", `\r`, "\t", `\t`, `\`, `\\`, "\x00", `\0`).Replace(s)
}

// Unescape undoes Escape. What is no escape stays as it is: the elders print
// some text without escaping it.
func Unescape(s string) string { return unescape(s, 0, 0) }

// unescape also turns \c and \o into the characters given, unless 0.
func unescape(s string, c, o byte) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		i++
		switch x := s[i]; {
		case x == 'n':
			b = append(b, '\n')
		case x == 'r':
			b = append(b, '\r')
		case x == 't':
			b = append(b, '\t')
		case x == '0':
			b = append(b, 0)
		case x == '\\':
			b = append(b, '\\')
		case x == 'c' && c != 0:
			b = append(b, c)
		case x == 'o' && o != 0:
			b = append(b, o)
		default:
			b = append(b, '\\', x)
		}
	}
	return string(b)
}

// ParseReply reads a whole reply: the values, each a String, or the *rpc.Fault
// that the daemon answered. A reply that does not begin with a status is an
// error.
func ParseReply(reply []byte) ([]rpc.Value, error) {
	var vals []rpc.Value
	for v, err := range ReadReply(bytes.NewReader(reply)) {
		if err != nil {
			return nil, err
		}
		vals = append(vals, v)
	}
	return vals, nil
}

// ReadReply reads a reply while it comes: a value a line. An error, or the
// *rpc.Fault, is the last element.
func ReadReply(r io.Reader) iter.Seq2[rpc.Value, error] {
	return func(yield func(rpc.Value, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, maxLine)
		if !lines.Scan() {
			err := io.ErrUnexpectedEOF
			if lines.Err() != nil {
				err = fmt.Errorf("bad reply: %w", lines.Err())
			}
			yield(nil, err)
			return
		}
		if err := status(lines.Text()); err != nil {
			yield(nil, err)
			return
		}
		for lines.Scan() {
			if !yield(rpc.String(Unescape(lines.Text())), nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(nil, fmt.Errorf("bad reply: %w", err))
		}
	}
}

// status is nil for a line that says all went well.
func status(line string) error {
	first, reason, _ := strings.Cut(line, " ")
	code, err := strconv.Atoi(first)
	if err != nil || len(first) != 3 || code < 100 {
		return fmt.Errorf("bad reply: it begins with %.40q in place of a status", line)
	}
	if code >= 300 {
		return &rpc.Fault{Code: code, Text: reason}
	}
	return nil
}

// ParseStruct reads a line of a reply that is a structure: name:value pairs
// separated by commas. The elders write the member added last first. It takes
// the line as it was sent; ok is false for a line that is no structure.
func ParseStruct(line string) (s rpc.Struct, ok bool) {
	if line == "" {
		return nil, false
	}
	for part := range strings.SplitSeq(line, ",") {
		name, val, found := strings.Cut(part, ":")
		if !found || name == "" || strings.Contains(val, ":") {
			return nil, false
		}
		s = append(s, rpc.M(unescape(name, ',', ':'), rpc.String(unescape(val, ',', ':'))))
	}
	return s, true
}

package fifo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"sipd/rpc"
)

// Limits of the server.
const (
	// MaxServed is the longest request that the server takes, octets.
	MaxServed = 65535
	// maxNameLine is the longest first line of a request (SER: 128).
	maxNameLine = 1024
)

// request is one call as it came.
type request struct {
	method, reply string
	lines         []byte // the arguments, one a line
	// none says that the first line was none: nothing is to be called.
	none bool
}

// errTooLong is a request without an end within MaxServed octets.
var errTooLong = errors.New("the request is too long")

// next cuts one request off the start of data: n octets are dealt with, 0 when
// more is needed. Empty lines in front are passed over. An error is errTooLong.
func next(data []byte) (r request, n int, err error) {
	for n < len(data) {
		lf := bytes.IndexByte(data[n:], '\n')
		if lf < 0 {
			break
		}
		if len(trim(data[n:n+lf])) > 0 {
			end := requestEnd(data[n:])
			if end < 0 {
				break
			}
			r = parse(data[n:n+end], lf)
			return r, n + end, nil
		}
		n += lf + 1
	}
	if len(data)-n >= MaxServed {
		return r, n, errTooLong
	}
	return request{}, 0, nil
}

// requestEnd is the place behind the empty line that ends a request, -1 when
// it has not come.
func requestEnd(b []byte) int {
	for at := 0; ; {
		lf := bytes.IndexByte(b[at:], '\n')
		if lf < 0 {
			return -1
		}
		line := b[at : at+lf]
		at += lf + 1
		if len(trim(line)) == 0 {
			return at
		}
	}
}

// trim cuts what the elders cut at the end of a line.
func trim(line []byte) []byte { return bytes.TrimRight(line, " \t\r\n") }

// parse reads a request of which the first line has lf octets. The reply name
// is checked by who opens it; on sockets it is not used, but one that no pipe
// may have is refused there too, as the elders do.
func parse(b []byte, lf int) request {
	first := string(trim(b[:lf]))
	rest, ok := strings.CutPrefix(first, ":")
	method, reply, found := strings.Cut(rest, ":")
	if !ok || !found || method == "" || len(first) > maxNameLine || strings.ContainsAny(reply, `./\`) {
		return request{none: true, reply: reply}
	}
	return request{method: method, reply: reply, lines: b[lf+1:]}
}

// args are the lines of a request.
type args struct {
	rest []byte
}

var _ rpc.TypedArgs = (*args)(nil)

// line is the next argument as it was written; io.EOF after the last.
func (a *args) line() (string, error) {
	lf := bytes.IndexByte(a.rest, '\n')
	if lf < 0 {
		return "", io.EOF
	}
	line := trim(a.rest[:lf])
	a.rest = a.rest[lf+1:]
	if len(line) == 0 {
		return "", io.EOF
	}
	return string(line), nil
}

// Next is the next argument, a String.
func (a *args) Next() (rpc.Value, error) { return a.NextAs(rpc.TString) }

// NextAs is the next argument: a Struct where that is wanted, else a String.
func (a *args) NextAs(t rpc.Type) (rpc.Value, error) {
	line, err := a.line()
	if err != nil {
		return nil, err
	}
	if t == rpc.TStruct {
		return readStruct(line)
	}
	s, err := strictUnescape(line)
	return rpc.String(s), err
}

// readStruct reads name:value pairs.
func readStruct(line string) (rpc.Value, error) {
	var s rpc.Struct
	for part := range strings.SplitSeq(line, ",") {
		name, val, found := strings.Cut(part, ":")
		if !found {
			return nil, rpc.ErrType
		}
		n, err := strictUnescape(name)
		if err != nil {
			return nil, err
		}
		v, err := strictUnescape(val)
		if err != nil {
			return nil, err
		}
		s = append(s, rpc.M(n, rpc.String(v)))
	}
	return s, nil
}

// strictUnescape undoes the escapes of a request, in which \c is a colon and
// \o a comma. Anything else behind a backslash is an error.
func strictUnescape(s string) (string, error) {
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			continue
		}
		i++
		if i == len(s) || !strings.ContainsRune(`nrt0\co`, rune(s[i])) {
			return "", fmt.Errorf("%w: a backslash that escapes nothing", rpc.ErrRecord)
		}
	}
	return unescape(s, ':', ','), nil
}

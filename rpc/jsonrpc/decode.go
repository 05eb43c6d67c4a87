// Package jsonrpc is JSON-RPC 2.0 as Kamailio's jsonrpcs serves it: over HTTP,
// unix datagrams and named pipes. It has the codec, a client, and a server for
// documents, whatever they come by. Objects keep the order of their members.
package jsonrpc

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"sipd/rpc"
)

// Limits of the codec.
const (
	// MaxReply is the longest reply read, octets.
	MaxReply = 64 << 20
	// maxNesting is how deep arrays and objects may stand in each other.
	maxNesting = 64
)

// ErrReply is text that is no JSON-RPC reply.
var ErrReply = errors.New("not a JSON-RPC reply")

// ErrRequest is a call that JSON-RPC cannot carry.
var ErrRequest = errors.New("JSON-RPC cannot carry it")

func bad(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrReply, fmt.Sprintf(format, a...))
}

// AppendRequest appends a request with an id. replyName is for pipes, ""
// elsewhere. Errors: ErrRequest for numbers that are none (NaN, infinity) and
// for text that is not UTF-8.
func AppendRequest(b []byte, method, replyName string, id int, args []rpc.Value) ([]byte, error) {
	var err error
	if b, err = appendText(append(b, `{"jsonrpc":"2.0","method":`...), method); err != nil {
		return nil, err
	}
	if len(args) > 0 {
		b = append(b, `,"params":`...)
		if b, err = appendValue(b, rpc.Array(args), 0); err != nil {
			return nil, err
		}
	}
	if replyName != "" {
		if b, err = appendText(append(b, `,"reply_name":`...), replyName); err != nil {
			return nil, err
		}
	}
	b = strconv.AppendInt(append(b, `,"id":`...), int64(id), 10)
	return append(b, '}'), nil
}

func appendText(b []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, fmt.Errorf("text %.40q is not UTF-8: %w", s, ErrRequest)
	}
	q, err := json.Marshal(s)
	return append(b, q...), err
}

func appendValue(b []byte, v rpc.Value, depth int) ([]byte, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("values nested deeper than %d: %w", maxNesting, ErrRequest)
	}
	switch v := v.(type) {
	case rpc.Int:
		return strconv.AppendInt(b, int64(v), 10), nil
	case rpc.Time:
		return strconv.AppendInt(b, int64(v), 10), nil
	case rpc.Bool:
		return strconv.AppendBool(b, bool(v)), nil
	case rpc.Null:
		return append(b, "null"...), nil
	case rpc.Double:
		f := float64(v)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("number %v: %w", f, ErrRequest)
		}
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0" // stays a double
		}
		return append(b, s...), nil
	case rpc.String:
		return appendText(b, string(v))
	case rpc.Text:
		return appendText(b, string(v))
	case rpc.Bytes:
		return appendText(b, base64.StdEncoding.EncodeToString(v))
	case rpc.Array:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = appendValue(b, e, depth+1); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case rpc.Struct:
		b = append(b, '{')
		for i, m := range v {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = appendText(b, m.Name); err != nil {
				return nil, err
			}
			if b, err = appendValue(append(b, ':'), m.Value, depth+1); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	}
	return nil, fmt.Errorf("a value of type %T: %w", v, ErrRequest)
}

// ParseReply reads the reply to the request with an id: the values in order,
// or the *rpc.Fault of an error object. A result that is an array is the list
// of its elements, as on the other wires; one that is an empty object is no
// value, which is how Kamailio says so. Other errors wrap ErrReply.
func ParseReply(data []byte, id int) ([]rpc.Value, error) {
	return gather(ReadReply(bytes.NewReader(data), id))
}

// gather is rpc.Gather where no values are nil.
func gather(toks iter.Seq2[rpc.Token, error]) ([]rpc.Value, error) {
	vals, err := rpc.Gather(toks)
	if len(vals) == 0 {
		vals = nil
	}
	return vals, err
}

func faultOf(v rpc.Value) error {
	f := &rpc.Fault{}
	found := false
	s, _ := v.(rpc.Struct)
	for _, m := range s {
		switch x := m.Value.(type) {
		case rpc.Int:
			if m.Name == "code" {
				f.Code, found = int(x), true
			}
		case rpc.String:
			if m.Name == "message" {
				f.Text = string(x)
			}
		}
	}
	if !found {
		return bad("an error without code")
	}
	return f
}

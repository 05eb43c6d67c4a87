package xmlrpc

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sipd/rpc"
)

// ErrRequest is a call that XML-RPC cannot carry.
var ErrRequest = errors.New("XML-RPC cannot carry it")

// AppendRequest appends a methodCall. Members keep their order. Errors:
// ErrRequest for numbers that are none (NaN, infinity), for text that XML does
// not allow, and for values that are nested too deep.
func AppendRequest(b []byte, method string, args []rpc.Value) ([]byte, error) {
	if method == "" || strings.ContainsAny(method, "<>&") || !legal(method) {
		return nil, fmt.Errorf("method name %q: %w", method, ErrRequest)
	}
	b = append(b, "<?xml version=\"1.0\"?>\n<methodCall><methodName>"...)
	b = append(append(b, method...), "</methodName><params>"...)
	for i, a := range args {
		b = append(b, "<param>"...)
		var err error
		if b, err = appendArgument(b, a, 0); err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
		b = append(b, "</param>"...)
	}
	return append(b, "</params></methodCall>\n"...), nil
}

// appendArgument appends a value element.
func appendArgument(b []byte, v rpc.Value, depth int) ([]byte, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("values nested deeper than %d: %w", maxNesting, ErrRequest)
	}
	var err error
	b = append(b, "<value>"...)
	switch v := v.(type) {
	case rpc.Int:
		b = appendWhole(b, int64(v))
	case rpc.Double:
		f := float64(v)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("number %v: %w", f, ErrRequest)
		}
		b = append(strconv.AppendFloat(append(b, "<double>"...), f, 'f', -1, 64), "</double>"...)
	case rpc.Bool:
		bit := byte('0')
		if v {
			bit = '1'
		}
		b = append(append(append(b, "<boolean>"...), bit), "</boolean>"...)
	case rpc.Time:
		b = append(b, "<dateTime.iso8601>"...)
		b = append(time.Unix(int64(v), 0).UTC().AppendFormat(b, "20060102T15:04:05"), "</dateTime.iso8601>"...)
	case rpc.Bytes:
		b = append(base64.StdEncoding.AppendEncode(append(b, "<base64>"...), v), "</base64>"...)
	case rpc.String:
		b, err = appendEscaped(b, string(v))
	case rpc.Text:
		b, err = appendEscaped(b, string(v))
	case rpc.Array:
		b, err = appendArray(b, v, depth)
	case rpc.Struct:
		b, err = appendStruct(b, v, depth)
	default:
		return nil, fmt.Errorf("a value of type %T: %w", v, ErrRequest)
	}
	return append(b, "</value>"...), err
}

// appendWhole writes a number that does not fit 32 bits as i8, which not all
// servers know, but which is not wrong as int would be.
func appendWhole(b []byte, n int64) []byte {
	name := "int"
	if n > math.MaxInt32 || n < math.MinInt32 {
		name = "i8"
	}
	return fmt.Appendf(b, "<%s>%d</%s>", name, n, name)
}

func appendEscaped(b []byte, s string) ([]byte, error) {
	if !legal(s) {
		return nil, fmt.Errorf("text %.40q has characters that XML does not allow: %w", s, ErrRequest)
	}
	var out bytes.Buffer
	err := xml.EscapeText(&out, []byte(s))
	return append(append(append(b, "<string>"...), out.Bytes()...), "</string>"...), err
}

func appendArray(b []byte, list rpc.Array, depth int) ([]byte, error) {
	var err error
	b = append(b, "<array><data>"...)
	for _, e := range list {
		if b, err = appendArgument(b, e, depth+1); err != nil {
			return nil, err
		}
	}
	return append(b, "</data></array>"...), nil
}

func appendStruct(b []byte, s rpc.Struct, depth int) ([]byte, error) {
	var err error
	seen := make(map[string]bool, len(s))
	b = append(b, "<struct>"...)
	for _, m := range s {
		if seen[m.Name] || strings.ContainsAny(m.Name, "<>&") || !legal(m.Name) {
			return nil, fmt.Errorf("member name %q (repeated, or with characters of XML): %w", m.Name, ErrRequest)
		}
		seen[m.Name] = true
		b = append(append(append(b, "<member><name>"...), m.Name...), "</name>"...)
		if b, err = appendArgument(b, m.Value, depth+1); err != nil {
			return nil, err
		}
		b = append(b, "</member>"...)
	}
	return append(b, "</struct>"...), nil
}

// legal says whether XML 1.0 may hold s.
func legal(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
	})
}

package serctl

import (
	"math"
	"strings"
	"unicode/utf8"

	kolo "github.com/kolo/xmlrpc"

	"sipd/rpc"
	"sipd/rpc/xmlrpc"
)

// encodeXML writes the request of a call over HTTP, the elder's usual wire. The
// library writes calls of numbers and texts, which are all that commands make;
// for others, which it would write wrong (it sorts members anew, escapes no
// method name and calls a number of 64 bits an int of 32), there is our own
// writer, whose errors say what XML-RPC cannot carry.
func encodeXML(method string, args []rpc.Value) ([]byte, error) {
	plain := make([]any, len(args))
	for i, a := range args {
		v, ok := plainValue(a)
		if !ok {
			return xmlrpc.AppendRequest(nil, method, args)
		}
		plain[i] = v
	}
	if method == "" || strings.ContainsAny(method, "<>&") || !plainText(method) {
		return xmlrpc.AppendRequest(nil, method, args)
	}
	return kolo.EncodeMethodCall(method, plain...)
}

// plainValue is a value that the library writes as it is meant; false for
// others.
func plainValue(v rpc.Value) (any, bool) {
	switch v := v.(type) {
	case rpc.Int:
		return int64(v), math.MinInt32 <= v && v <= math.MaxInt32
	case rpc.Double:
		f := float64(v)
		return f, !math.IsNaN(f) && !math.IsInf(f, 0)
	case rpc.Bool:
		return bool(v), true
	case rpc.String:
		return string(v), plainText(string(v))
	}
	return nil, false
}

// plainText says whether XML carries a text as it is.
func plainText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
	})
}

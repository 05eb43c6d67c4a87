// Package reply prints the replies of a daemon in the form that a user asked
// for: as kamcmd prints them, through a format, as JSON, YAML or a table. Each
// form is an [Visitor], so that a reply of any size passes through
// bounded memory.
package reply

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"math"
	"strconv"
	"unicode/utf8"

	"sipd/rpc"
)

// Form prints one reply.
type Form interface {
	Visitor
	// End comes after the last value and writes what is left. Its error is the
	// first one of writing.
	End() error
}

// Output names a form.
type Output string

// The forms.
const (
	AsText  Output = "text"  // as kamcmd prints
	AsJSON  Output = "json"  // an array of the reply's values
	AsJSONL Output = "jsonl" // a value a line
	AsYAML  Output = "yaml"  // a sequence of the reply's values
	AsTable Output = "table" // rows and columns
)

// Outputs are the names that [New] takes, in the order for help.
var Outputs = []Output{AsText, AsJSON, AsJSONL, AsYAML, AsTable}

// Known says whether o is the name of a form.
func Known(o Output) bool {
	for _, k := range Outputs {
		if k == o {
			return true
		}
	}
	return false
}

// New makes the form of a name; an unknown one is text. clean escapes what must
// not reach a terminal, which text alone does not do by itself.
func New(o Output, w io.Writer, clean bool) Form {
	switch o {
	case AsJSON:
		return shape(&jsonForm{w: buffered(w)})
	case AsJSONL:
		return shape(&jsonForm{w: buffered(w), lines: true})
	case AsYAML:
		return shape(&yamlForm{w: buffered(w)})
	case AsTable:
		return shape(newTable(w))
	}
	return &textForm{w: buffered(w), clean: clean}
}

func buffered(w io.Writer) *bufio.Writer { return bufio.NewWriterSize(w, 1<<16) }

// Text is a value without members as kamcmd prints it: a double without a
// fraction as a whole number, others with six decimals.
func Text(v rpc.Value) string {
	switch v := v.(type) {
	case rpc.String:
		return string(v)
	case rpc.Text:
		return string(v)
	case rpc.Bytes:
		return string(v)
	}
	return string(appendText(nil, v))
}

func appendText(b []byte, v rpc.Value) []byte {
	switch v := v.(type) {
	case rpc.String:
		return append(b, v...)
	case rpc.Text:
		return append(b, v...)
	case rpc.Bytes:
		return append(b, v...)
	case rpc.Int:
		return strconv.AppendInt(b, int64(v), 10)
	case rpc.Time:
		return strconv.AppendInt(b, int64(v), 10)
	case rpc.Bool:
		if v {
			return append(b, '1')
		}
		return append(b, '0')
	case rpc.Double:
		f := float64(v)
		if f == math.Trunc(f) && math.Abs(f) < 1<<63 {
			return strconv.AppendInt(b, int64(f), 10)
		}
		return strconv.AppendFloat(b, f, 'f', 6, 64)
	}
	return b // Null, nil
}

// octets is what a Bytes value is where a form has only text: itself, or what
// is not UTF-8 in base64.
func octets(v rpc.Bytes) string {
	if utf8.Valid(v) {
		return string(v)
	}
	return "base64:" + base64.StdEncoding.EncodeToString(v)
}

// number is a double in JSON and YAML; words are the names for what is no
// number.
func appendNumber(b []byte, f float64) ([]byte, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Append(b, f), false
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64), true
}

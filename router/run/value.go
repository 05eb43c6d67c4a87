package run

import (
	"math"
	"strconv"
	"strings"
)

// Value is what an expression of the script yields: nothing (undefined), a
// 32-bit integer, or a string. The zero Value is undefined.
type Value struct {
	kind valueKind
	n    int32
	s    string
}

type valueKind uint8

const (
	kindNull valueKind = iota
	kindInt
	kindStr
)

// Null is the undefined value.
var Null Value

// Int makes an integer value; it wraps to 32 bits as in Kamailio 5.6.
func Int(n int) Value { return Value{kind: kindInt, n: int32(n)} }

// Str makes a string value.
func Str(s string) Value { return Value{kind: kindStr, s: s} }

// IsNull, IsInt and IsStr tell the kind.
func (v Value) IsNull() bool { return v.kind == kindNull }

// IsInt says whether v is an integer.
func (v Value) IsInt() bool { return v.kind == kindInt }

// IsStr says whether v is a string.
func (v Value) IsStr() bool { return v.kind == kindStr }

// Int converts as the script does: undefined is 0, an empty string is 0, a
// string of an optional sign and decimal digits is that number, any other
// string is 0.
func (v Value) Int() int {
	switch v.kind {
	case kindInt:
		return int(v.n)
	case kindStr:
		if n, ok := ParseInt(v.s); ok {
			return n
		}
	}
	return 0
}

// Text converts to a string: undefined is "", a number its decimals.
func (v Value) Text() string {
	switch v.kind {
	case kindInt:
		return strconv.Itoa(int(v.n))
	case kindStr:
		return v.s
	}
	return ""
}

// Format is Text, with "<null>" for undefined, as formats print it.
func (v Value) Format() string {
	if v.kind == kindNull {
		return "<null>"
	}
	return v.Text()
}

// AppendTo appends the text to dst as Format has it.
func (v Value) AppendTo(dst []byte) []byte {
	switch v.kind {
	case kindInt:
		return strconv.AppendInt(dst, int64(v.n), 10)
	case kindStr:
		return append(dst, v.s...)
	}
	return append(dst, "<null>"...)
}

// Keep is v without ties to a message's bytes, for storage that outlives it.
func (v Value) Keep() Value {
	if v.kind == kindStr {
		v.s = strings.Clone(v.s)
	}
	return v
}

// ParseInt reads the script's integers as Kamailio 5.6 does: an optional sign
// and decimal digits, or 0x and hexadecimal digits, within 32 bits. ok is false
// for other text; an empty string is 0 and ok.
func ParseInt(s string) (n int, ok bool) {
	if s == "" {
		return 0, true
	}
	if len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' {
		u, err := strconv.ParseUint(s[2:], 16, 32)
		return int(int32(uint32(u))), err == nil
	}
	i, neg := 0, false
	if s[0] == '-' || s[0] == '+' {
		neg = s[0] == '-'
		i = 1
	}
	if i == len(s) {
		return 0, false
	}
	for ; i < len(s); i++ {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		if n = n*10 + int(c); n > 1<<31 {
			return 0, false
		}
	}
	if neg {
		return -n, true
	}
	if n > math.MaxInt32 {
		return 0, false
	}
	return n, true
}

package pv

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"sipd/router/run"
	"sipd/router/transport"
)

// plainStringTrans are the members of {s.…} without arguments.
var plainStringTrans = map[string]Transform{
	"len":               onText(func(s string) run.Value { return run.Int(len(s)) }),
	"int":               onText(textToInt),
	"md5":               textToText(func(s string) string { h := md5.Sum([]byte(s)); return hex.EncodeToString(h[:]) }),
	"sha256":            textToText(func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }),
	"sha384":            textToText(func(s string) string { h := sha512.Sum384([]byte(s)); return hex.EncodeToString(h[:]) }),
	"sha512":            textToText(func(s string) string { h := sha512.Sum512([]byte(s)); return hex.EncodeToString(h[:]) }),
	"tolower":           textToText(asciiLower),
	"toupper":           textToText(asciiUpper),
	"numeric":           textToText(digits),
	"trim":              textToText(func(s string) string { return strings.Trim(s, blanks) }),
	"ltrim":             textToText(func(s string) string { return strings.TrimLeft(s, blanks) }),
	"rtrim":             textToText(func(s string) string { return strings.TrimRight(s, blanks) }),
	"rmws":              textToText(func(s string) string { return drop(s, blanks) }),
	"unquote":           textToText(unquote),
	"unbracket":         textToText(unbracket),
	"encode.hexa":       textToText(func(s string) string { return hex.EncodeToString([]byte(s)) }),
	"decode.hexa":       decoder(hex.DecodeString),
	"encode.base64":     textToText(func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }),
	"decode.base64":     decoder(decodeBase64),
	"encode.base64t":    textToText(func(s string) string { return base64.RawStdEncoding.EncodeToString([]byte(s)) }),
	"decode.base64t":    decoder(decodeBase64),
	"encode.base64url":  textToText(func(s string) string { return base64.URLEncoding.EncodeToString([]byte(s)) }),
	"decode.base64url":  decoder(decodeBase64URL),
	"encode.base64urlt": textToText(func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }),
	"decode.base64urlt": decoder(decodeBase64URL),
	"encode.base58":     textToText(encodeBase58),
	"decode.base58":     decoder(decodeBase58),
	"encode.7bit":       textToText(encode7bit),
	"decode.7bit":       decoder(decode7bit),
	"escape.common":     textToText(escapeCommon),
	"unescape.common":   textToText(unescapeCommon),
	"escape.user":       textToText(func(s string) string { return escapePercent(s, userChars) }),
	"unescape.user":     decoder(unescapePercent),
	"escape.param":      textToText(func(s string) string { return escapePercent(s, paramChars) }),
	"unescape.param":    decoder(unescapePercent),
	"escape.csv":        textToText(func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }),
	"urlencode.param":   textToText(urlEncode),
	"urldecode.param":   decoder(func(s string) ([]byte, error) { return unescapePercent(strings.ReplaceAll(s, "+", " ")) }),
}

const blanks = " \t\r\n"

// decoder makes a Transform of a function that may fail; then the value is
// undefined.
func decoder(f func(s string) ([]byte, error)) Transform {
	return onText(func(s string) run.Value {
		b, err := f(s)
		if err != nil {
			return run.Null
		}
		return run.Str(string(b))
	})
}

func newStringTrans(member string, a *TransArgs) (Transform, error) {
	if t, ok := plainStringTrans[member]; ok {
		return t, nil
	}
	compile, ok := stringTransWithArgs[member]
	if !ok {
		names := sortedKeys(plainStringTrans)
		return nil, a.Unknown("s", member, append(names, sortedKeys(stringTransWithArgs)...))
	}
	return compile(a)
}

// stringTransWithArgs are the members of {s.…} with arguments.
var stringTransWithArgs = map[string]func(a *TransArgs) (Transform, error){
	"substr": newSubstr,
	"select": newSelectField,
	"strip": func(a *TransArgs) (Transform, error) {
		return newStrip(a, func(s string, n int) string { return s[n:] })
	},
	"striptail": func(a *TransArgs) (Transform, error) {
		return newStrip(a, func(s string, n int) string { return s[:len(s)-n] })
	},
	"stripto": func(a *TransArgs) (Transform, error) {
		return onChar(a, func(s, c string) run.Value {
			if i := strings.Index(s, c); i >= 0 {
				return run.Str(s[i:])
			}
			return run.Str("")
		})
	},
	"ftime":   newFtime,
	"rm":      newRemove,
	"replace": newReplace,
	"count": func(a *TransArgs) (Transform, error) {
		return onChar(a, func(s, c string) run.Value { return run.Int(strings.Count(s, c)) })
	},
	"after":           func(a *TransArgs) (Transform, error) { return onChar(a, after(strings.Index)) },
	"rafter":          func(a *TransArgs) (Transform, error) { return onChar(a, after(strings.LastIndex)) },
	"before":          func(a *TransArgs) (Transform, error) { return onChar(a, before(strings.Index)) },
	"rbefore":         func(a *TransArgs) (Transform, error) { return onChar(a, before(strings.LastIndex)) },
	"prefixes":        func(a *TransArgs) (Transform, error) { return newPrefixes(a, "") },
	"prefixes.quoted": func(a *TransArgs) (Transform, error) { return newPrefixes(a, "'") },
	"corehash":        newCoreHash,
	"fmtlines":        func(a *TransArgs) (Transform, error) { return newLines(a, " ") },
	"fmtlinet":        func(a *TransArgs) (Transform, error) { return newLines(a, "\t") },
}

func textToInt(s string) run.Value {
	if s == "" {
		return run.Null
	}
	n, ok := run.ParseInt(s)
	if !ok || strings.ContainsAny(s, "xX") { // no hexadecimal numbers, unlike elsewhere
		return run.Null
	}
	return run.Int(n)
}

// newSubstr compiles {s.substr,offset,length}: a negative offset counts from
// the end, length 0 means up to the end, too long is cut.
func newSubstr(a *TransArgs) (Transform, error) {
	off, err := a.Int()
	if err != nil {
		return nil, err
	}
	length := TransArg{}
	if a.More() {
		if length, err = a.Int(); err != nil {
			return nil, err
		}
	}
	if length.Get == nil && length.n < 0 {
		return nil, errf(a.p.i, "the length of {s.substr} is negative")
	}
	return func(c *run.Context, v run.Value) run.Value {
		if v.IsNull() {
			return v
		}
		s := v.Text()
		i, n := off.Int(c), length.Int(c)
		if i < 0 {
			i += len(s)
		}
		if i < 0 || i >= len(s) || n < 0 {
			return run.Null
		}
		if n == 0 || n > len(s)-i {
			n = len(s) - i
		}
		return run.Str(s[i : i+n])
	}, nil
}

// newSelectField compiles {s.select,index,separator}: empty fields count, a
// negative index counts from the end, out of range is "".
func newSelectField(a *TransArgs) (Transform, error) {
	idx, err := a.Int()
	if err != nil {
		return nil, err
	}
	sep, err := a.Char()
	if err != nil {
		return nil, err
	}
	return func(c *run.Context, v run.Value) run.Value {
		if v.IsNull() {
			return v
		}
		return run.Str(field(v.Text(), idx.Int(c), sep))
	}, nil
}

func field(s string, i int, sep byte) string {
	for ; i > 0; i-- {
		j := strings.IndexByte(s, sep)
		if j < 0 {
			return ""
		}
		s = s[j+1:]
	}
	for ; i < -1; i++ {
		j := strings.LastIndexByte(s, sep)
		if j < 0 {
			return ""
		}
		s = s[:j]
	}
	if i == -1 {
		return s[strings.LastIndexByte(s, sep)+1:]
	}
	if j := strings.IndexByte(s, sep); j >= 0 {
		return s[:j]
	}
	return s
}

func newStrip(a *TransArgs, cut func(s string, n int) string) (Transform, error) {
	n, err := a.Int()
	if err != nil {
		return nil, err
	}
	return func(c *run.Context, v run.Value) run.Value {
		if v.IsNull() {
			return v
		}
		s := v.Text()
		return run.Str(cut(s, min(max(n.Int(c), 0), len(s))))
	}, nil
}

func newFtime(a *TransArgs) (Transform, error) {
	layout, err := a.Rest()
	if err != nil {
		return nil, err
	}
	if err := checkStrftime(layout); err != nil {
		return nil, errf(a.p.i-len(layout), "%s", err.Error())
	}
	return func(_ *run.Context, v run.Value) run.Value {
		if v.IsNull() {
			return v
		}
		return run.Str(string(appendStrftime(nil, layout, time.Unix(int64(v.Int()), 0))))
	}, nil
}

func newRemove(a *TransArgs) (Transform, error) {
	x, err := a.Str()
	if err != nil {
		return nil, err
	}
	return func(c *run.Context, v run.Value) run.Value {
		if v.IsNull() {
			return v
		}
		return run.Str(replaceAll(v.Text(), x.Str(c), ""))
	}, nil
}

func newReplace(a *TransArgs) (Transform, error) {
	from, err := a.Str()
	if err != nil {
		return nil, err
	}
	to, err := a.Str()
	if err != nil {
		return nil, err
	}
	if from.Get == nil && from.Text == "" {
		return nil, errf(a.p.i, "{s.replace} wants a text to replace")
	}
	return func(c *run.Context, v run.Value) run.Value {
		if v.IsNull() {
			return v
		}
		return run.Str(replaceAll(v.Text(), from.Str(c), to.Str(c)))
	}, nil
}

func replaceAll(s, from, to string) string {
	if from == "" {
		return s
	}
	return strings.ReplaceAll(s, from, to)
}

// onChar compiles a member whose argument is one octet.
func onChar(a *TransArgs, f func(s, c string) run.Value) (Transform, error) {
	arg, err := a.CharArg()
	if err != nil {
		return nil, err
	}
	return func(c *run.Context, v run.Value) run.Value {
		one := arg.Str(c)
		if v.IsNull() || one == "" {
			return run.Null
		}
		return f(v.Text(), one[:1])
	}, nil
}

// after is "" when the octet is not there, before the whole text.
func after(index func(s, c string) int) func(s, c string) run.Value {
	return func(s, c string) run.Value {
		if i := index(s, c); i >= 0 {
			return run.Str(s[i+1:])
		}
		return run.Str("")
	}
}

func before(index func(s, c string) int) func(s, c string) run.Value {
	return func(s, c string) run.Value {
		if i := index(s, c); i >= 0 {
			return run.Str(s[:i])
		}
		return run.Str(s)
	}
}

// maxPrefixed bounds what {s.prefixes} makes of a text: its square.
const maxPrefixed = 512

func newPrefixes(a *TransArgs, quote string) (Transform, error) {
	limit := TransArg{}
	if a.More() {
		var err error
		if limit, err = a.Int(); err != nil {
			return nil, err
		}
	}
	return func(c *run.Context, v run.Value) run.Value {
		if v.IsNull() {
			return v
		}
		s, n := v.Text(), limit.Int(c)
		if n <= 0 || n > len(s) {
			n = len(s)
		}
		if n > maxPrefixed {
			return run.Null
		}
		var b strings.Builder
		for i := 1; i <= n; i++ {
			if i > 1 {
				b.WriteByte(',')
			}
			b.WriteString(quote)
			b.WriteString(s[:i])
			b.WriteString(quote)
		}
		return run.Str(b.String())
	}, nil
}

// newCoreHash compiles {s.corehash[,size]}: the hash that the elders key their
// tables by, so that a script finds the slot they use.
func newCoreHash(a *TransArgs) (Transform, error) {
	size := TransArg{}
	if a.More() {
		var err error
		if size, err = a.Int(); err != nil {
			return nil, err
		}
	}
	return func(c *run.Context, v run.Value) run.Value {
		if v.IsNull() {
			return v
		}
		h := CoreHash(v.Text(), "")
		if n := uint32(size.Int(c)); n > 0 {
			h &= n - 1
		}
		return run.Str(strconv.FormatUint(uint64(h), 10))
	}, nil
}

// CoreHash is the hash that the elders key their tables by, of one text or two
// (more "" for one); the slot is the remainder by a table's size.
func CoreHash(text, more string) uint32 {
	h := hashPart(text)
	if more != "" {
		h += hashPart(more)
	}
	return h + h>>11 + h>>13 + h>>23
}

// hashPart adds octets with their sign, as the elders do: those above 127 are
// negative.
func hashPart(s string) (h uint32) {
	at := func(i int) uint32 { return uint32(int8(s[i])) }
	for ; len(s) >= 4; s = s[4:] {
		v := at(0)<<24 + at(1)<<16 + at(2)<<8 + at(3)
		h += v ^ v>>3
	}
	var v uint32
	for i := range len(s) {
		v = v<<8 + at(i)
	}
	return h + (v ^ v>>3)
}

// --- characters

func digits(s string) string {
	return keepOctets(s, func(c byte) bool { return c >= '0' && c <= '9' })
}

func drop(s, chars string) string {
	return keepOctets(s, func(c byte) bool { return strings.IndexByte(chars, c) < 0 })
}

func keepOctets(s string, keep func(c byte) bool) string {
	for i := range len(s) {
		if keep(s[i]) {
			continue
		}
		b := append(make([]byte, 0, len(s)), s[:i]...)
		for j := i + 1; j < len(s); j++ {
			if keep(s[j]) {
				b = append(b, s[j])
			}
		}
		return string(b)
	}
	return s
}

func asciiLower(s string) string { return mapASCII(s, 'A', 'Z') }
func asciiUpper(s string) string { return mapASCII(s, 'a', 'z') }

// mapASCII flips the case of the letters from lo to hi and leaves every other
// octet alone.
func mapASCII(s string, lo, hi byte) string {
	for i := range len(s) {
		if s[i] < lo || s[i] > hi {
			continue
		}
		b := []byte(s)
		for j := i; j < len(b); j++ {
			if b[j] >= lo && b[j] <= hi {
				b[j] ^= 0x20
			}
		}
		return string(b)
	}
	return s
}

func unbracket(s string) string {
	if len(s) < 2 {
		return s
	}
	if i := strings.IndexByte("([{<", s[0]); i >= 0 && s[len(s)-1] == ")]}>"[i] {
		return s[1 : len(s)-1]
	}
	return s
}

func isProto(s string) bool {
	_, ok := transport.ParseProto(s)
	return ok
}

// newLines compiles {s.fmtlines,n,m}: lines of n octets, each but the first
// indented by m. (Kamailio 5.6 documents this and breaks after each octet.)
func newLines(a *TransArgs, indent string) (Transform, error) {
	width, err := a.Int()
	if err != nil {
		return nil, err
	}
	depth, err := a.Int()
	if err != nil {
		return nil, err
	}
	return func(c *run.Context, v run.Value) run.Value {
		if v.IsNull() {
			return v
		}
		s, n, m := v.Text(), width.Int(c), depth.Int(c)
		if n <= 0 || m < 0 || m > 1024 || len(s) <= n {
			return run.Str(s)
		}
		var b strings.Builder
		for len(s) > n {
			b.WriteString(s[:n])
			b.WriteString("\r\n")
			b.WriteString(strings.Repeat(indent, m))
			s = s[n:]
		}
		b.WriteString(s)
		return run.Str(b.String())
	}, nil
}

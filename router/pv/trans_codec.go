package pv

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math/big"
	"strings"
)

var errCodec = errors.New("text is not encoded so")

// decodeBase64 takes the text with or without padding.
func decodeBase64(s string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
}

func decodeBase64URL(s string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
}

const base58Alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// maxBase58 bounds what is encoded: the effort grows with its square.
const maxBase58 = 4096

func encodeBase58(s string) string {
	if len(s) > maxBase58 {
		return ""
	}
	n, rem, base := new(big.Int).SetBytes([]byte(s)), new(big.Int), big.NewInt(58)
	var b []byte
	for n.Sign() > 0 {
		n.DivMod(n, base, rem)
		b = append(b, base58Alphabet[rem.Int64()])
	}
	for i := 0; i < len(s) && s[i] == 0; i++ {
		b = append(b, base58Alphabet[0])
	}
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

func decodeBase58(s string) ([]byte, error) {
	if len(s) > 2*maxBase58 {
		return nil, errCodec
	}
	n, base := new(big.Int), big.NewInt(58)
	zeros := 0
	for i := range len(s) {
		d := strings.IndexByte(base58Alphabet, s[i])
		if d < 0 {
			return nil, errCodec
		}
		if d == 0 && n.Sign() == 0 {
			zeros++
		}
		n.Add(n.Mul(n, base), big.NewInt(int64(d)))
	}
	return append(make([]byte, zeros), n.Bytes()...), nil
}

// encode7bit packs the low seven bits of each octet, as short messages do, and
// prints the result in upper-case hexadecimal.
func encode7bit(s string) string {
	var out []byte
	var acc uint32
	bits := 0
	for i := range len(s) {
		acc |= uint32(s[i]&0x7f) << bits
		for bits += 7; bits >= 8; bits -= 8 {
			out = append(out, byte(acc))
			acc >>= 8
		}
	}
	if bits > 0 {
		out = append(out, byte(acc))
	}
	return strings.ToUpper(hex.EncodeToString(out))
}

func decode7bit(s string) ([]byte, error) {
	in, err := hex.DecodeString(s)
	if err != nil {
		return nil, errCodec
	}
	var out []byte
	var acc uint32
	bits := 0
	for _, c := range in {
		acc |= uint32(c) << bits
		for bits += 8; bits >= 7; bits -= 7 {
			out = append(out, byte(acc&0x7f))
			acc >>= 7
		}
	}
	if n := len(out); n%8 == 0 && n > 0 && out[n-1] == 0 { // seven octets of text leave seven spare bits
		out = out[:n-1]
	}
	return out, nil
}

func escapeCommon(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `'`, `\'`, "\x00", `\0`).Replace(s)
}

func unescapeCommon(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			switch c := s[i+1]; c {
			case '\\', '"', '\'':
				b = append(b, c)
				i++
				continue
			case '0':
				b = append(b, 0)
				i++
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

// What stays as it is in the user part and in a parameter of a URI (RFC 3261
// §25.1), beside letters and digits.
const (
	marks      = "-_.!~*'()"
	userChars  = marks + "&=+$,;?/"
	paramChars = marks + "[]/:&+$"
)

func escapePercent(s, keep string) string {
	const digits = "0123456789abcdef"
	var b []byte
	for i := range len(s) {
		c := s[i]
		if isAlnum(c) || strings.IndexByte(keep, c) >= 0 {
			if b != nil {
				b = append(b, c)
			}
			continue
		}
		if b == nil {
			b = append(make([]byte, 0, len(s)+16), s[:i]...)
		}
		b = append(b, '%', digits[c>>4], digits[c&15])
	}
	if b == nil {
		return s
	}
	return string(b)
}

func isAlnum(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' }

func unescapePercent(s string) ([]byte, error) {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) {
			return nil, errCodec
		}
		x, err := hex.DecodeString(s[i+1 : i+3])
		if err != nil {
			return nil, errCodec
		}
		b = append(b, x[0])
		i += 2
	}
	return b, nil
}

func urlEncode(s string) string {
	return escapePercent(s, "-_.~")
}

package tm

// cookie starts every branch parameter of RFC 3261 (§8.1.1.7).
const cookie = "z9hG4bK"

// branchID is what our branch parameter says: where the transaction is kept,
// which one it is there, and which of its branches the request went to.
type branchID struct {
	entry  uint32
	label  uint32
	branch int
}

const hexDigits = "0123456789abcdef"

// appendID prints z9hG4bK<entry>.<label>.<branch>, in hexadecimal.
func (id branchID) append(dst []byte) []byte {
	dst = append(dst, cookie...)
	dst = appendHex(dst, id.entry)
	dst = append(dst, '.')
	dst = appendHex(dst, id.label)
	dst = append(dst, '.')
	return appendHex(dst, uint32(id.branch))
}

func (id branchID) String() string {
	var b [32]byte
	return string(id.append(b[:0]))
}

func appendHex(dst []byte, n uint32) []byte {
	shift := 28
	for shift > 0 && n>>shift == 0 {
		shift -= 4
	}
	for ; shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[n>>shift&15])
	}
	return dst
}

// parseID reads a branch parameter of ours; ok is false for any other.
func parseID(s string) (id branchID, ok bool) {
	if len(s) < len(cookie)+5 || s[:len(cookie)] != cookie {
		return id, false
	}
	s = s[len(cookie):]
	if id.entry, s, ok = cutHex(s); !ok || id.entry >= entries || s == "" || s[0] != '.' {
		return id, false
	}
	if id.label, s, ok = cutHex(s[1:]); !ok || s == "" || s[0] != '.' {
		return id, false
	}
	n, s, ok := cutHex(s[1:])
	if !ok || s != "" || n >= maxBranches {
		return id, false
	}
	id.branch = int(n)
	return id, true
}

// cutHex takes the hexadecimal number, in the form that appendHex writes, off
// the start of s.
func cutHex(s string) (n uint32, rest string, ok bool) {
	i := 0
	for ; i < len(s); i++ {
		var d byte
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			d = c - '0'
		case c >= 'a' && c <= 'f':
			d = c - 'a' + 10
		default:
			return n, s[i:], i > 0 && i <= 8 && (s[0] != '0' || i == 1)
		}
		if i == 8 {
			return 0, s, false
		}
		n = n<<4 | uint32(d)
	}
	return n, "", i > 0 && (s[0] != '0' || i == 1)
}

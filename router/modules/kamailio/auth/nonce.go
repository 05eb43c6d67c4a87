package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"math/bits"
	"sync/atomic"
)

// A nonce is, in base64: when it was made and when it ends (seconds since 1970,
// 32 bits each), a number of its own (48 bits), an instance (32 bits), and 16
// bytes of HMAC-SHA-256 over these and over what the request is bound to. It
// needs no table; only counting (nonce_count, one_time_nonce) needs memory.
const (
	plainLen = 4 + 4 + 6 + 4
	macLen   = 16
	bindLen  = 12
	rawLen   = plainLen + macLen
	boundLen = rawLen + bindLen
)

// nonceText is the longest text of a nonce.
const nonceText = (boundLen + 2) / 3 * 4

// nonces makes nonces and checks them. It is safe for concurrent use.
type nonces struct {
	expire, drift int64
	inner, outer  [sha256.BlockSize]byte // HMAC's padded keys
	serial        atomic.Uint64
	instance      uint32
	counts, once  *ring
}

func (n *nonces) setKey(key [sha256.Size]byte) {
	for i := range n.inner {
		n.inner[i], n.outer[i] = 0x36, 0x5c
	}
	for i, b := range key {
		n.inner[i] ^= b
		n.outer[i] ^= b
	}
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	n.instance = binary.BigEndian.Uint32(b[:])
}

// mac is HMAC-SHA-256 of a short text, without allocation.
func (n *nonces) mac(text []byte) [sha256.Size]byte {
	var in [sha256.BlockSize + plainLen + sha256.Size + 1]byte
	copy(in[:], n.inner[:])
	sum := sha256.Sum256(in[:sha256.BlockSize+copy(in[sha256.BlockSize:], text)])
	var out [sha256.BlockSize + sha256.Size]byte
	copy(out[:], n.outer[:])
	copy(out[sha256.BlockSize:], sum[:])
	return sha256.Sum256(out[:])
}

// binding is the code of what a nonce is bound to: the nonce's own bytes and the
// hash of the parts of the request.
func (n *nonces) binding(plain []byte, parts [sha256.Size]byte) [sha256.Size]byte {
	var text [plainLen + sha256.Size + 1]byte
	text[0] = 1 // no text of a plain nonce has this length
	copy(text[1:], plain)
	copy(text[1+plainLen:], parts[:])
	return n.mac(text[:])
}

// appendNew appends a new nonce made at now. bound says that it holds for
// requests whose parts have this hash only.
func (n *nonces) appendNew(dst []byte, now int64, bound bool, parts [sha256.Size]byte) []byte {
	var raw [boundLen]byte
	binary.BigEndian.PutUint32(raw[0:], uint32(now))
	binary.BigEndian.PutUint32(raw[4:], uint32(now+n.expire))
	id := n.serial.Add(1)
	binary.BigEndian.PutUint16(raw[8:], uint16(id>>32))
	binary.BigEndian.PutUint32(raw[10:], uint32(id))
	binary.BigEndian.PutUint32(raw[14:], n.instance)
	sum := n.mac(raw[:plainLen])
	size := plainLen + copy(raw[plainLen:rawLen], sum[:])
	if bound {
		sum = n.binding(raw[:plainLen], parts)
		size += copy(raw[rawLen:], sum[:])
	}
	n.counts.add(id)
	n.once.add(id)
	return base64.StdEncoding.AppendEncode(dst, raw[:size])
}

// verdict is what became of a nonce.
type verdict uint8

const (
	nonceGood    verdict = iota
	nonceForged          // not of ours
	nonceExpired         // ours, but the client should ask for a new one
	nonceUsed            // ours and used before (one_time_nonce)
)

// check says whether a nonce is good now for a request. nc is the nonce count,
// counted whether there is one (that is, a qop).
func (n *nonces) check(text string, now int64, bound bool, parts func() [sha256.Size]byte, nc uint32, counted bool) verdict {
	var raw [boundLen + 3]byte
	if len(text) > nonceText {
		return nonceForged
	}
	var in [nonceText]byte
	size, err := base64.StdEncoding.Strict().Decode(raw[:], in[:copy(in[:], text)])
	if err != nil || size != rawLen && size != boundLen {
		return nonceForged
	}
	want := n.mac(raw[:plainLen])
	if subtle.ConstantTimeCompare(want[:macLen], raw[plainLen:rawLen]) != 1 {
		return nonceForged
	}
	made, end := int64(binary.BigEndian.Uint32(raw[0:])), int64(binary.BigEndian.Uint32(raw[4:]))
	if now > end || made > now+n.drift {
		return nonceExpired
	}
	if bound {
		if size != boundLen {
			return nonceExpired
		}
		want := n.binding(raw[:plainLen], parts())
		if subtle.ConstantTimeCompare(want[:bindLen], raw[rawLen:boundLen]) != 1 {
			return nonceExpired
		}
	}
	if n.counts == nil && n.once == nil {
		return nonceGood
	}
	if binary.BigEndian.Uint32(raw[14:]) != n.instance {
		return nonceExpired // made before a restart or elsewhere: its uses are not known
	}
	id := uint64(binary.BigEndian.Uint16(raw[8:]))<<32 | uint64(binary.BigEndian.Uint32(raw[10:]))
	return n.use(id, nc, counted)
}

// use takes a nonce, or one count of it.
func (n *nonces) use(id uint64, nc uint32, counted bool) verdict {
	if n.counts != nil && counted {
		if nc == 0 || n.counts.take(id, nc) != nonceGood {
			return nonceExpired
		}
		return nonceGood
	}
	if n.once != nil {
		return n.once.take(id, 1)
	}
	return nonceGood
}

// ring remembers the highest count of the latest nonces, each in the slot of
// its number: number<<16 | count. A nil ring remembers nothing.
type ring struct{ slots []atomic.Uint64 }

// newRing makes one of 1<<order slots, or when order is 0 of as many as the
// greatest power of two up to size.
func newRing(size, order int) *ring {
	if order == 0 {
		order = bits.Len(uint(size)) - 1
	}
	return &ring{make([]atomic.Uint64, 1<<order)}
}

func (r *ring) add(id uint64) {
	if r != nil {
		r.slots[id&uint64(len(r.slots)-1)].Store(id << 16)
	}
}

// take uses count nc of a nonce: expired when the nonce's slot went to a later
// one or the count is too large to be followed, used when it is not above all
// the counts seen.
func (r *ring) take(id uint64, nc uint32) verdict {
	if nc > 0xffff {
		return nonceExpired
	}
	s := &r.slots[id&uint64(len(r.slots)-1)]
	for {
		old := s.Load()
		if old>>16 != id {
			return nonceExpired
		}
		if uint64(nc) <= old&0xffff {
			return nonceUsed
		}
		if s.CompareAndSwap(old, id<<16|uint64(nc)) {
			return nonceGood
		}
	}
}

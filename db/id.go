package db

import (
	"crypto/rand"
	"crypto/sha1"
	"fmt"
	"unicode/utf8"
)

// IDType is how a uid or a did is made that nobody gave.
type IDType uint8

// The types of ids. IDURI is the name itself: user@domain, the domain.
const (
	IDURI  IDType = iota
	IDInt         // the next number, counted from 1
	IDUUID        // a random UUID (RFC 9562 §5.4)
)

// ParseIDType reads "uri", "int" or "uuid", and the elders' numbers for them.
func ParseIDType(s string) (IDType, error) {
	switch s {
	case "", "uri", "0":
		return IDURI, nil
	case "int", "2":
		return IDInt, nil
	case "uuid", "uuid1", "uuid3", "uuid4", "uuid5", "1", "3", "4", "5":
		return IDUUID, nil
	}
	return IDURI, fmt.Errorf("id type %q: want uri, int or uuid", s)
}

// NewUUID makes a random one.
func NewUUID() string {
	var u [16]byte
	rand.Read(u[:])
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return uuidText(u[:])
}

func uuidText(u []byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:16])
}

// IDOf makes a uid of an address, a did of a domain: the text itself, or what
// stands for it where the columns of 64 characters cannot hold it.
func IDOf(name string) string {
	if utf8.RuneCountInString(name) <= 64 {
		return name
	}
	// RFC 9562 §5.5 in the URL namespace: the same name gives the same id
	// again, in a repeated migration too.
	space := []byte{0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}
	sum := sha1.Sum(append(space, "sip:"+name...))
	u := sum[:16]
	u[6], u[8] = u[6]&0x0f|0x50, u[8]&0x3f|0x80
	return uuidText(u)
}

package sip

import (
	"errors"
	"fmt"
)

// ErrAbsent is answered for a header or value that the message does not have.
var ErrAbsent = errors.New("sip: header is absent")

// SyntaxError says where a text is not SIP and why.
type SyntaxError struct {
	// Offset is in octets from the start of the text that was parsed: the
	// message for what is read from a message.
	Offset int
	// What was being read: "request line", "header", "Via", "URI", …
	What string
	// Why it could not be.
	Why string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s at octet %d: %s", e.What, e.Offset, e.Why)
}

func syntax(what string, offset int, why string) *SyntaxError {
	return &SyntaxError{Offset: offset, What: what, Why: why}
}

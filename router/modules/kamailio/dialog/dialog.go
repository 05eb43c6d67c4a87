package dialog

import (
	"strconv"
	"sync"
	"time"
)

// state is what Kamailio numbers the states of a dialog.
type state int

const (
	unconfirmed state = 1 // an INVITE was seen
	early       state = 2 // it was answered provisionally
	confirmedNA state = 3 // it was answered with 2xx, whose ACK is missing
	confirmed   state = 4
	deleted     state = 5
)

// Flags of a dialog as dlg.list shows them (dflags), and those that a database
// keeps (iflags).
const (
	dfNew         = 1 << 0
	dfChanged     = 1 << 1
	dfHasBye      = 1 << 2
	dfCallerBye   = 1 << 4
	dfCalleeBye   = 1 << 5
	dfChangedVars = 1 << 7
	dfInTM        = 1 << 9
	dfExpired     = 1 << 10 // also: it was put into a profile

	ifTimeoutBye = 1 << 0
	ifKASrc      = 1 << 1
	ifKADst      = 1 << 2
	ifNoReset    = 1 << 3
	ifPRACK      = 1 << 5
)

// side is a leg of a dialog.
type side int

const (
	caller side = iota
	callee
)

func (s side) other() side { return 1 - s }

// leg is what is known of one party.
type leg struct {
	known        bool
	tag, contact string
	cseq         string
	routes       []string // in the order of requests to this party
	socket       string   // where requests to it leave, "udp:192.0.2.1:5060"
}

// link is a profile that a dialog is in.
type link struct {
	p     *profile
	value string
	puid  string // Kamailio's name for the link, where a database had it
}

// dialog is one call. What is above mu never changes.
type dialog struct {
	entry, id                         uint32
	callID, fromURI, toURI, reqURI    string
	born                              time.Time
	fromRR                            int // how many Record-Routes the INVITE came with
	mu                                sync.Mutex
	legs                              [2]leg
	state                             state
	tx                                uint64 // the transaction of its INVITE, 0 before there is one
	started, ended, expires, lingered time.Time
	lifetime                          int // seconds
	dflags, sflags, iflags            uint32
	toRoute                           string
	vars                              []variable
	links                             []link
	byes                              int       // BYEs of our own that are not answered yet
	byeTx                             uint64    // the transaction of the BYE that ended it
	confirmedEnd                      bool      // whose answer was told of
	nextKA                            time.Time // of the next keep-alive, zero before the first look
	failedKA                          [2]int    // in a row

	// What a database has of it, guarded by mu: stored, there is a row; dirty, it
	// is not up to date, nor are, with dirtyVars, the variables; writing, somebody
	// writes it; unfit, the database does not take it.
	stored, dirty, dirtyVars, writing, unfit bool
}

// variable is one $dlg_var.
type variable struct{ key, value string }

func find(list []variable, key string) int {
	for i := range list {
		if list[i].key == key {
			return i
		}
	}
	return -1
}

// assign sets a variable in a list, or removes it.
func assign(list []variable, key, value string, remove bool) []variable {
	i := find(list, key)
	switch {
	case remove && i >= 0:
		return append(list[:i:i], list[i+1:]...)
	case remove:
		return list
	case i >= 0:
		list[i].value = value
		return list
	}
	return append([]variable{{key, value}}, list...) // as Kamailio: the newest first
}

// direction says which way a request with these tags goes; ok is false when it
// is not of this dialog. Before there is an answer any To tag fits.
func (d *dialog) direction(callID, from, to string) (to2 side, ok bool) {
	if d.callID != callID {
		return 0, false
	}
	a, b := d.legs[caller].tag, d.legs[callee].tag
	switch {
	case a == from && (b == "" || to == "" || b == to):
		return callee, true
	case a == to && to != "" && (b == "" || b == from):
		return caller, true
	}
	return 0, false
}

// event is what moves the state of a dialog.
type event int

const (
	evGone event = iota // the transaction ended without an answer
	ev1xx
	ev2xx
	evFailed
	evPRACK
	evACK
	evBye
	evRequest
)

// next moves the state; the caller holds mu.
func (d *dialog) next(e event, now time.Time) (before, after state) {
	before = d.state
	switch {
	case (e == ev1xx) && d.state <= early:
		d.state = early
	case (e == evGone || e == evFailed) && d.state <= early:
		d.state = deleted
	case e == ev2xx && (d.state <= early || d.state == deleted && d.dflags&dfHasBye == 0):
		d.state = confirmedNA
	case e == evACK && d.state == confirmedNA:
		d.state = confirmed
	case e == evPRACK && (d.state == early || d.state == confirmedNA):
		d.iflags |= ifPRACK
	case e == evBye && (d.state == confirmedNA || d.state == confirmed):
		d.dflags |= dfHasBye
		d.state = deleted
	}
	if d.state == deleted && before != deleted {
		d.ended, d.lingered = now, now.Add(linger)
		d.leave()
	}
	return before, d.state
}

// leave takes the dialog out of its profiles; the caller holds mu.
func (d *dialog) leave() {
	for _, l := range d.links {
		l.p.add(l.value, -1)
	}
	d.links = nil
}

// cookie is the value of the parameter in Record-Route: the two numbers in
// hexadecimal digits, the last first.
func (d *dialog) cookie() string {
	return string(append(append(reversed(nil, d.entry), '.'), reversed(nil, d.id)...))
}

func reversed(dst []byte, n uint32) []byte {
	const digits = "0123456789abcdef"
	for {
		dst = append(dst, digits[n&15])
		if n >>= 4; n == 0 {
			return dst
		}
	}
}

// parseCookie reads cookie's value.
func parseCookie(s string) (entry, id uint32, ok bool) {
	for i := range len(s) {
		if s[i] == '.' {
			entry, ok = parseReversed(s[:i])
			if !ok {
				return 0, 0, false
			}
			id, ok = parseReversed(s[i+1:])
			return entry, id, ok
		}
	}
	return 0, 0, false
}

func parseReversed(s string) (uint32, bool) {
	if s == "" || len(s) > 8 {
		return 0, false
	}
	b := make([]byte, len(s))
	for i := range len(s) {
		b[len(s)-1-i] = s[i]
	}
	n, err := strconv.ParseUint(string(b), 16, 32)
	return uint32(n), err == nil
}

package reply

import "sipd/rpc"

// shaper stands before a form of data and settles what BinRPC leaves open:
// whether a structure is an object or a list of named values. It is a list
// where a name repeats or is missing, and where Kamailio is known to send a
// list: so a list of one looks like a list of many. To find out, it holds
// pieces back, at most maxHeld of them; a structure that is not settled by then
// counts as what it looks like so far.
type shaper struct {
	next Form
	held []piece
	open []level
}

// maxHeld bounds how many pieces are held back.
const maxHeld = 4096

type piece struct {
	kind pieceKind
	list bool
	name string
	val  rpc.Value
}

type pieceKind uint8

const (
	pieceValue pieceKind = iota
	pieceOpen
	pieceClose
)

// level is a structure that is open.
type level struct {
	at    int             // of its piece in held, -1 when it was handed on
	list  bool            // settled: it is one
	names map[string]bool // seen; nil when settled
	one   string          // the only name seen, before there is a map
}

func shape(next Form) Form { return &shaper{next: next} }

// lists are the members that Kamailio fills with named values though BinRPC
// shows a structure; taken from its JSON-RPC replies.
var lists = map[string]bool{
	"Domains": true, "AoRs": true, "Contacts": true, // usrloc
	"RECORDS": true, "TARGETS": true, // dispatcher
}

// member notes a name in the innermost structure, and settles it where it can.
func (s *shaper) member(name string) {
	if len(s.open) == 0 {
		return
	}
	l := &s.open[len(s.open)-1]
	switch {
	case l.at < 0 || l.list: // settled
	case name == "" || name == l.one || l.names[name]:
		l.list, l.names = true, nil
		s.held[l.at].list = true
	case l.names == nil && l.one == "":
		l.one = name
	default:
		if l.names == nil {
			l.names = map[string]bool{l.one: true}
		}
		l.names[name] = true
	}
}

func (s *shaper) Value(name string, v rpc.Value) error {
	s.member(name)
	if len(s.held) == 0 {
		return s.next.Value(name, v)
	}
	return s.hold(piece{name: name, val: v})
}

func (s *shaper) Open(name string, list bool) error {
	s.member(name)
	list = list || lists[name]
	l := level{at: len(s.held), list: list}
	if list && len(s.held) == 0 {
		l.at = -1
		s.open = append(s.open, l)
		return s.next.Open(name, true)
	}
	s.open = append(s.open, l)
	return s.hold(piece{kind: pieceOpen, list: list, name: name})
}

func (s *shaper) Close() error {
	s.open = s.open[:len(s.open)-1]
	if len(s.held) == 0 {
		return s.next.Close()
	}
	return s.hold(piece{kind: pieceClose})
}

// hold keeps a piece and hands on those that wait for nothing.
func (s *shaper) hold(p piece) error {
	s.held = append(s.held, p)
	limit := len(s.held) // pieces before it may go
	for i := range s.open {
		if l := &s.open[i]; l.at >= 0 && !l.list {
			limit = l.at
			break
		}
	}
	if limit == 0 && len(s.held) >= maxHeld {
		limit = s.giveUp()
	}
	return s.flush(limit)
}

// giveUp takes the outermost open structures as they look so far, up to the
// innermost one.
func (s *shaper) giveUp() int {
	for i := range s.open {
		if l := &s.open[i]; l.at >= 0 && !l.list {
			l.names = nil
		}
	}
	return len(s.held)
}

func (s *shaper) flush(n int) error {
	if n == 0 {
		return nil
	}
	for _, p := range s.held[:n] {
		var err error
		switch p.kind {
		case pieceValue:
			err = s.next.Value(p.name, p.val)
		case pieceOpen:
			err = s.next.Open(p.name, p.list)
		case pieceClose:
			err = s.next.Close()
		}
		if err != nil {
			return err
		}
	}
	s.held = s.held[:copy(s.held, s.held[n:])]
	for i := range s.open {
		s.open[i].at = max(s.open[i].at-n, -1)
	}
	return nil
}

func (s *shaper) End() error {
	if err := s.flush(len(s.held)); err != nil {
		return err
	}
	return s.next.End()
}

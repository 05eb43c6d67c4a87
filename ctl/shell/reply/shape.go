package reply

import (
	"slices"

	"sipd/rpc"
)

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
	names []string        // seen, while they are few: a search is faster than a map
	many  map[string]bool // seen, when they are not
}

// few is how many names are searched one by one.
const few = 32

// seen notes a name and says whether it was there before.
func (l *level) seen(name string) bool {
	if l.many != nil {
		was := l.many[name]
		l.many[name] = true
		return was
	}
	if slices.Contains(l.names, name) {
		return true
	}
	l.names = append(l.names, name)
	if len(l.names) > few {
		l.many = make(map[string]bool, 4*few)
		for _, n := range l.names {
			l.many[n] = true
		}
	}
	return false
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
	if l.at < 0 || l.list { // settled
		return
	}
	if name == "" || l.seen(name) {
		l.list = true
		s.held[l.at].list = true
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
	// The level's room for names is used again.
	s.open = slices.Grow(s.open, 1)[:len(s.open)+1]
	l := &s.open[len(s.open)-1]
	*l = level{at: len(s.held), list: list, names: l.names[:0]}
	if list && len(s.held) == 0 {
		l.at = -1
		return s.next.Open(name, true)
	}
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
		limit = len(s.held) // what is open counts as what it looks like so far
	}
	return s.flush(limit)
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

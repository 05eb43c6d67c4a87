package sip

import "errors"

// ErrOverlap is answered for a deletion that overlaps another one.
var ErrOverlap = errors.New("sip: the place is edited already")

// Edits are pending changes of a message: places in its Raw, what is left out
// there and what is put there. The zero value is ready. Lists are kept in order
// of their places; insertions at one place keep the order of the calls and come
// before what is deleted from there.
type Edits struct {
	list []change
}

// change deletes raw[start:end] and puts text there.
type change struct {
	start, end int
	text       string
	op         op
	late       Late // of opLate
}

// Late is text that is not known before the message is printed because it
// depends on where the message goes out: the daemon's own Record-Route.
type Late interface {
	// AppendLate appends the text, whole header lines, to dst. out is
	// PrintOptions.Out, nil when the message is printed for nobody. It is
	// called for each copy of the message that is printed, and must not change
	// anything.
	AppendLate(dst []byte, out any) []byte
}

// op is what a change prints besides its text.
type op uint8

const (
	opText      op = iota
	opLength       // the body's length
	opLengthHdr    // a whole Content-Length header
	opReceived     // ;received=ADDR
	opRPort        // ;rport=PORT
	opLate         // what late appends
)

// Len is the number of changes.
func (e *Edits) Len() int { return len(e.list) }

// Reset forgets all changes and keeps the memory.
func (e *Edits) Reset() {
	clear(e.list)
	e.list = e.list[:0]
}

// Clone is an independent copy.
func (e *Edits) Clone() Edits { return Edits{list: append([]change(nil), e.list...)} }

// Add appends the changes of another list for the same message; those that
// overlap are left out and reported.
func (e *Edits) Add(other *Edits) error {
	var err error
	for i := range other.list {
		c := &other.list[i]
		if c.op == opLate {
			e.InsertLate(c.start, c.late)
		} else if c.start == c.end {
			e.Insert(c.start, c.text)
		} else if rerr := e.Replace(c.start, c.end, c.text); rerr != nil {
			err = rerr
		}
	}
	return err
}

// Diff describes the changes for people, those of the header and those of the
// body: what is deleted behind "- ", what is put there as it is, one change a
// line at least.
func (e *Edits) Diff(m *Message) (header, body string) {
	raw, start := m.Raw(), m.BodyOffset()
	for i := range e.list {
		c := &e.list[i]
		text := ""
		if c.end > c.start {
			text = "- " + withLineEnd(raw[c.start:c.end])
		}
		if c.text != "" {
			text += withLineEnd(c.text)
		}
		if c.late != nil {
			text += withLineEnd(string(c.late.AppendLate(nil, nil)))
		}
		if c.start >= start {
			body += text
		} else {
			header += text
		}
	}
	return header, body
}

func withLineEnd(s string) string {
	if s == "" || s[len(s)-1] == '\n' {
		return s
	}
	return s + "\n"
}

// Delete leaves raw[start:end] out.
func (e *Edits) Delete(start, end int) error { return e.Replace(start, end, "") }

// Replace puts text instead of raw[start:end].
func (e *Edits) Replace(start, end int, text string) error {
	if start < 0 || end < start {
		return errors.New("sip: an edit's end lies before its start")
	}
	if start == end {
		e.Insert(start, text)
		return nil
	}
	at := len(e.list)
	for at > 0 && e.list[at-1].start > start {
		at--
	}
	for i := at - 1; i >= 0; i-- { // the nearest deletion to the left
		if c := &e.list[i]; c.end > c.start {
			if c.end > start {
				return ErrOverlap
			}
			break
		}
	}
	for i := at; i < len(e.list) && e.list[i].start < end; i++ {
		if c := &e.list[i]; c.end > c.start {
			return ErrOverlap
		}
	}
	e.insert(at, change{start: start, end: end, text: text})
	return nil
}

// Insert puts text before raw[at].
func (e *Edits) Insert(at int, text string) {
	i := len(e.list)
	for i > 0 && (e.list[i-1].start > at || e.list[i-1].start == at && e.list[i-1].end > at) {
		i--
	}
	e.insert(i, change{start: at, end: at, text: text})
}

// InsertLate puts before raw[at], a place among the headers, what l says when
// the message is printed. It comes before the other changes at that place, those
// of PrintOptions too.
func (e *Edits) InsertLate(at int, l Late) {
	i := len(e.list)
	for i > 0 && (e.list[i-1].start > at || e.list[i-1].start == at && e.list[i-1].op != opLate) {
		i--
	}
	e.insert(i, change{start: at, end: at, op: opLate, late: l})
}

// InsertFirst puts text before raw[at] and before what was inserted there.
func (e *Edits) InsertFirst(at int, text string) {
	i := len(e.list)
	for i > 0 && (e.list[i-1].start > at || e.list[i-1].start == at && e.list[i-1].op != opLate) {
		i--
	}
	e.insert(i, change{start: at, end: at, text: text})
}

func (e *Edits) insert(i int, c change) {
	e.list = append(e.list, change{})
	copy(e.list[i+1:], e.list[i:])
	e.list[i] = c
}

// deletes says whether the list leaves out raw[at].
func (e *Edits) deletes(at int) bool {
	for i := range e.list {
		if c := &e.list[i]; c.start <= at && at < c.end {
			return true
		}
	}
	return false
}

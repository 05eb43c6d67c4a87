package regex

import (
	"strings"
	"sync/atomic"
)

// Last keeps what was made of the text that came last: an expression in a
// variable is compiled when it changes, not for each message. Make is called
// once for a text, wrong ones included, unless two runs meet. It is safe for
// concurrent use and must not be copied.
type Last[T any] struct {
	Make func(text string) (T, error)

	made atomic.Pointer[made[T]]
}

type made[T any] struct {
	text string
	v    T
	err  error
}

// Get answers what Make makes of a text.
func (l *Last[T]) Get(text string) (T, error) {
	m := l.made.Load()
	if m == nil || m.text != text {
		m = &made[T]{text: strings.Clone(text)} // it outlives the message
		m.v, m.err = l.Make(m.text)
		l.made.Store(m)
	}
	return m.v, m.err
}

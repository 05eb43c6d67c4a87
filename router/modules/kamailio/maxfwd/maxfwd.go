package maxfwd

import (
	"errors"
	"strconv"

	"sipd/router/sip"
)

// errNumber says that Max-Forwards is not a number.
var errNumber = errors.New("Max-Forwards is not a number")

// value is the request's Max-Forwards: sip.ErrAbsent without one. Numbers above
// what RFC 3261 allows are numbers, as the elders read them.
func value(m *sip.Message) (int, error) {
	n, h, err := m.MaxForwards()
	if err == nil || errors.Is(err, sip.ErrAbsent) {
		return n, err
	}
	v := m.Value(h)
	if v == "" {
		return 0, errNumber
	}
	for i := 0; i < len(v); i++ {
		if v[i] < '0' || v[i] > '9' {
			return 0, errNumber
		}
	}
	return 256, nil
}

// code is what the functions answer for an error of value.
func code(err error) int {
	if errors.Is(err, sip.ErrAbsent) {
		return -2
	}
	return -3
}

// process counts one hop. It answers the value that the request goes on with
// and the script's code: 1 decremented, 2 added, -1 it was 0, -2 it is broken.
func process(m *sip.Message, add, limit int) (n, rc int) {
	n, err := value(m)
	switch {
	case errors.Is(err, sip.ErrAbsent):
		m.Edits.Insert(place(m), "Max-Forwards: "+strconv.Itoa(add)+"\r\n")
		return add, 2
	case err != nil:
		return 0, -2
	case n == 0:
		return 0, -1
	}
	n = min(n-1, limit)
	h := m.First(sip.HdrMaxForwards)
	if m.Edits.Replace(h.ValueStart(), h.ValueEnd(), strconv.Itoa(n)) != nil {
		return 0, -2
	}
	return n, 1
}

// place is where a new header goes: behind the Vias.
func place(m *sip.Message) int {
	if h := m.Last(sip.HdrVia); h != nil {
		return h.End()
	}
	return m.FirstLine().End
}

package rtpengine

import (
	"errors"
	"strconv"
)

// The ng protocol writes its values in bencode: strings, integers, lists and
// dictionaries. A dictionary keeps the order in which it was filled.

// dict is a dictionary.
type dict []pair

type pair struct {
	key   string
	value any // string, int, []any or dict
}

func (d *dict) add(key string, value any) { *d = append(*d, pair{key, value}) }

// get is the value of a key, nil when there is none.
func (d dict) get(key string) any {
	for _, p := range d {
		if p.key == key {
			return p.value
		}
	}
	return nil
}

// str is the value of a key as text, "" when it is none.
func (d dict) str(key string) string {
	s, _ := d.get(key).(string)
	return s
}

// push appends to the list of a key.
func (d *dict) push(key, value string) {
	for i := range *d {
		if p := &(*d)[i]; p.key == key {
			if list, ok := p.value.([]any); ok {
				p.value = append(list, value)
			}
			return
		}
	}
	d.add(key, []any{value})
}

// sub is the dictionary of a key, made when it is not there.
func (d *dict) sub(key string, fill func(*dict)) {
	for i := range *d {
		if p := &(*d)[i]; p.key == key {
			if in, ok := p.value.(dict); ok {
				fill(&in)
				p.value = in
			}
			return
		}
	}
	in := dict{}
	fill(&in)
	d.add(key, in)
}

// encode appends a value.
func encode(dst []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		dst = strconv.AppendInt(dst, int64(len(v)), 10)
		return append(append(dst, ':'), v...)
	case int:
		return append(strconv.AppendInt(append(dst, 'i'), int64(v), 10), 'e')
	case []any:
		dst = append(dst, 'l')
		for _, e := range v {
			dst = encode(dst, e)
		}
		return append(dst, 'e')
	case dict:
		dst = append(dst, 'd')
		for _, p := range v {
			dst = encode(encode(dst, p.key), p.value)
		}
		return append(dst, 'e')
	}
	return dst
}

// errBencode is a reply that is no bencode.
var errBencode = errors.New("the reply is not bencode")

// maxDepth bounds how deep a reply may nest.
const maxDepth = 16

// decode reads one value that fills all of s.
func decode(s string) (any, error) {
	d := decoder{s: s}
	v, ok := d.value(0)
	if !ok || d.i != len(s) {
		return nil, errBencode
	}
	return v, nil
}

type decoder struct {
	s string
	i int
}

func (d *decoder) value(depth int) (any, bool) {
	if d.i >= len(d.s) || depth > maxDepth {
		return nil, false
	}
	switch c := d.s[d.i]; {
	case c >= '0' && c <= '9':
		return d.text()
	case c == 'i':
		return d.number()
	case c == 'l':
		d.i++
		list := []any{}
		for !d.end() {
			v, ok := d.value(depth + 1)
			if !ok {
				return nil, false
			}
			list = append(list, v)
		}
		return list, d.close()
	case c == 'd':
		d.i++
		in := dict{}
		for !d.end() {
			key, ok := d.text()
			if !ok {
				return nil, false
			}
			v, ok := d.value(depth + 1)
			if !ok {
				return nil, false
			}
			in.add(key.(string), v)
		}
		return in, d.close()
	}
	return nil, false
}

// end says whether a list or dictionary ends here, or the text does.
func (d *decoder) end() bool { return d.i >= len(d.s) || d.s[d.i] == 'e' }

// close steps over the end of a list or dictionary.
func (d *decoder) close() bool {
	if d.i >= len(d.s) {
		return false
	}
	d.i++
	return true
}

// digits reads a number up to a character and steps over it.
func (d *decoder) digits(until byte) (int, bool) {
	start := d.i
	for d.i < len(d.s) && d.s[d.i] != until {
		d.i++
		if d.i-start > 19 {
			return 0, false
		}
	}
	n, err := strconv.Atoi(d.s[start:d.i])
	if err != nil || d.i >= len(d.s) {
		return 0, false
	}
	d.i++
	return n, true
}

func (d *decoder) text() (any, bool) {
	n, ok := d.digits(':')
	if !ok || n < 0 || n > len(d.s)-d.i {
		return nil, false
	}
	d.i += n
	return d.s[d.i-n : d.i], true
}

func (d *decoder) number() (any, bool) {
	d.i++
	n, ok := d.digits('e')
	if !ok {
		return nil, false
	}
	return n, true
}

package binrpc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"

	"sipd/rpc"
)

// RecordKind says what a Record is.
type RecordKind uint8

// The kinds of records.
const (
	RecordValue     RecordKind = iota
	RecordStruct               // a struct begins
	RecordStructEnd            // and ends
	RecordArray                // an array begins
	RecordArrayEnd             // and ends
)

// Record is a record of a reply as kamcmd reads them: one at a time, a
// member's name and its value as one.
type Record struct {
	Kind  RecordKind
	Name  string    // of a member of a struct
	Value rpc.Value // of RecordValue
}

// RecordError is a record that kamcmd refuses.
type RecordError struct {
	N     int  // its number, from 0
	At    int  // where in the body
	First byte // its first octet
	Err   error
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("record %d at octet %d (%x): %v", e.N, e.At, e.First, e.Err)
}

func (e *RecordError) Unwrap() error { return e.Err }

// Records reads a body as kamcmd does, with its rules and no others: the names
// of members must stand in structs, no member is an array, every end has its
// beginning; that all that begins also ends is not looked at. What came before
// an error is good. Errors are *[RecordError], the last element.
func Records(body []byte) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		d := NewDecoder(body)
		var open []byte // tStruct, tArray
		for n := 0; len(d.b) > 0; n++ {
			at := len(body) - len(d.b)
			r, err := d.elderRecord(&open)
			if err != nil {
				yield(r, &RecordError{n, at, body[at], err})
				return
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (d *Decoder) elderRecord(open *[]byte) (Record, error) {
	typ, val, err := d.looseRecord()
	if err != nil {
		return Record{}, err
	}
	var r Record
	if typ == tAVP {
		if n := len(*open); n == 0 || (*open)[n-1] != tStruct {
			return r, rpc.ErrType
		}
		r.Name = elderText(val)
		if typ, val, err = d.looseRecord(); err != nil {
			if errors.Is(err, io.EOF) {
				err = rpc.ErrMore
			}
			return r, err
		}
		if typ == tAVP || typ&^endMark == tArray || typ == tStruct|endMark {
			return r, rpc.ErrRecord
		}
	}
	switch typ {
	case tStruct, tArray:
		if len(*open) == maxNesting {
			return r, rpc.ErrRecord
		}
		*open = append(*open, typ)
		r.Kind = RecordStruct
		if typ == tArray {
			r.Kind = RecordArray
		}
	case tStruct | endMark, tArray | endMark:
		n := len(*open)
		if n == 0 || (*open)[n-1] != typ&^endMark {
			return r, rpc.ErrRecord
		}
		*open = (*open)[:n-1]
		r.Kind = RecordStructEnd
		if typ&^endMark == tArray {
			r.Kind = RecordArrayEnd
		}
	case tString:
		r.Value = rpc.String(elderText(val))
	case tDouble: // of more than eight octets the last eight count
		r.Value = rpc.Double(float64(int64(number(val))) / 1000)
	default:
		r.Value, err = d.finish(typ, val, 0)
	}
	return r, err
}

// looseRecord is record for which the size of a struct or array means nothing.
func (d *Decoder) looseRecord() (byte, []byte, error) {
	if len(d.b) > 0 && (d.b[0]&0x0f == tStruct || d.b[0]&0x0f == tArray) {
		first := d.b[0]
		d.b = d.b[1:]
		return first & (endMark | 0x0f), nil, nil
	}
	return d.record()
}

// elderText trusts that the last octet is zero.
func elderText(val []byte) string {
	if len(val) == 0 {
		return ""
	}
	val = val[:len(val)-1]
	if i := bytes.IndexByte(val, 0); i >= 0 {
		val = val[:i]
	}
	return string(val)
}

package binrpc

import (
	"errors"
	"testing"
)

// FuzzRecords: a body is read as far as kamcmd reads it, and an error names the
// place that it stands at.
func FuzzRecords(f *testing.F) {
	for _, body := range []string{"", "\x10\x01", "\x03\x25a\x00\x10\x01\x83", "\x04\x03\x10\x01\x83\x84", "\x83", "\x13\x00", "\x03\x25a\x00\x04", "\xa1\xff\xffab"} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		n, depth := 0, 0
		for r, err := range Records(body) {
			if bad, ok := errors.AsType[*RecordError](err); err != nil {
				if !ok || bad.N != n || bad.At >= len(body) || body[bad.At] != bad.First {
					t.Fatalf("record %d of %x: %#v", n, body, err)
				}
				return
			}
			switch r.Kind {
			case RecordStruct, RecordArray:
				depth++
			case RecordStructEnd, RecordArrayEnd:
				depth--
			default:
				if r.Value == nil {
					t.Fatalf("record %d of %x has no value", n, body)
				}
			}
			if n++; depth < 0 || n > len(body) {
				t.Fatalf("%x: %d records, depth %d", body, n, depth)
			}
		}
	})
}

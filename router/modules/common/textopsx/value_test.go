package textopsx

import (
	"strings"
	"testing"

	"sipd/router/sip"
)

func TestParseField(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want field
		bad  bool
	}{
		{in: "X-A", want: field{name: "X-A", index: 1}},
		{in: " X-A [ -2 ] . p ", want: field{name: "X-A", index: -2, indexed: true, param: "p"}},
		{in: "X-A[*].p", want: field{name: "X-A", index: 1, indexed: true, all: true, param: "p"}},
		{in: "X-A[0]", want: field{name: "X-A", index: 1, indexed: true}},
		{in: "X-A[-11]", bad: true},
		{in: "X-A[1", bad: true},
		{in: "X-A.", bad: true},
		{in: "X-A: 1", bad: true},
		{in: "", bad: true},
	} {
		got, err := parseField(tt.in, 1)
		if (err != nil) != tt.bad || err == nil && got != tt.want {
			t.Errorf("parseField(%q) = %+v, %v; want %+v, bad=%v", tt.in, got, err, tt.want, tt.bad)
		}
	}
}

// FuzzValues holds that the values of a header are its octets without gaps, and
// that a parameter that was added is found again.
func FuzzValues(f *testing.F) {
	f.Add(`"A, B" <sip:a@b>;p=1, c;q="x;y`)
	f.Add(`Digest realm="a", nonce = b,,`)
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, "\r\n") {
			return // a line cannot hold it
		}
		m, err := sip.Parse("SIP/2.0 200 OK\r\nX-A: " + text + "\r\nCall-ID: 1\r\nContent-Length: 0\r\n\r\n")
		if err != nil {
			return // no message
		}
		h := m.FindName("X-A")
		at := h.ValueStart()
		for _, v := range valuesOf(nil, m, h) {
			if v.outer.Start != at || v.inner.Start < at || v.inner.End > v.outer.End {
				t.Fatalf("%q: value %+v at %d", text, v, at)
			}
			at = v.outer.End
			from := paramsFrom(m.Raw(), v.inner)
			if p := findParam(m.Raw(), from, v.inner.End, "p"); p.whole.Start < from || p.whole.End > v.inner.End {
				t.Fatalf("%q: parameter %+v outside of %d-%d", text, p, from, v.inner.End)
			}
		}
		if at != h.ValueEnd() {
			t.Fatalf("%q: values end at %d, the header at %d", text, at, h.ValueEnd())
		}
		if p := findListed(m.Raw(), h.ValueStart(), at, "realm"); p.whole.Start < h.ValueStart() || p.whole.End > at {
			t.Fatalf("%q: parameter %+v outside of the header", text, p)
		}
	})
}

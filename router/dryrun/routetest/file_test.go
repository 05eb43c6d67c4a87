package routetest

import (
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	got := Diff("a\nb\nc\n", "a\nx\nc\nd\n")
	if want := "  a\n- b\n+ x\n  c\n+ d\n"; got != want {
		t.Errorf("Diff = %q, want %q", got, want)
	}
	if got := Diff("", ""); got != "" {
		t.Errorf("Diff of nothing = %q", got)
	}
}

func TestParseMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "there is nothing to do",
		"-- zoe sends OPTIONS --\n":        "is no step",
		"-- alice sends --\n":              "the message is missing",
		"-- alice sends A B C --\n":        "alice",
		"-- alice sleeps --\n":             "nobody can do",
		"-- bob answers fine --\n":         "wants a code",
		"-- wait long --\n":                "wants a time",
		"-- expect of sipd --\n":           "right behind",
		"-- hosts --\nx y\n-- expect --\n": "ADDRESS NAME",
		"-- alice acks now --\n":           "takes no words",
		"-- wait -1s --\n-- expect --\n":   "wants a time",
	} {
		_, err := Parse("t.txt", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want … %s …", text, err, want)
		}
	}
}

func TestOverride(t *testing.T) {
	m := message{first: "OPTIONS sip:a SIP/2.0", lines: []string{"Via: 1", "Max-Forwards: 70", "To: x"}}
	m.override("Max-Forwards: 0\nTo:\nX-New: n\n\nbody\n")
	want := "OPTIONS sip:a SIP/2.0\r\nVia: 1\r\nMax-Forwards: 0\r\nX-New: n\r\nContent-Length: 6\r\n\r\nbody\r\n"
	if got := m.text(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

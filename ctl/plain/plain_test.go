package plain

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain é":               "plain é",
		"a\tb\n":                `a\tb\n`,
		"\x1b]0;x\a":            `\x1b]0;x\x07`,
		"\x9b\xff":              `\x9b\xff`,
		"\u009b31m":             `\u{9b}31m`,
		"\u202egnp.exe":         `\u{202e}gnp.exe`,
		"\x7f":                  `\x7f`,
		"\ufffd is a character": "\ufffd is a character",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
	if got := CleanLines("a\tb\n\r"); got != "a\tb\n\\r" {
		t.Errorf("CleanLines leaves %q", got)
	}
}

// FuzzAppendJSON: what is written is JSON of the same text, with nothing in it
// that commands a terminal.
func FuzzAppendJSON(f *testing.F) {
	for _, s := range []string{"", "plain", `a"b\c`, "\x1b[2J", "\u009b31m", "é\xff\n\t", "\u202e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := AppendJSON(nil, s)
		var back string
		if err := json.Unmarshal(b, &back); err != nil || back != strings.ToValidUTF8(s, "\ufffd") && utf8.ValidString(s) {
			t.Fatalf("%q is written %s, which reads %q, %v", s, b, back, err)
		}
		if strings.ContainsFunc(string(b), Unsafe) {
			t.Fatalf("%q is written %q", s, b)
		}
	})
}

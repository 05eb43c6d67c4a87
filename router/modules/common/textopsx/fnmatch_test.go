package textopsx

import (
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		fold, want    bool
	}{
		{pattern: "", text: "", want: true},
		{pattern: "*", text: "", want: true},
		{pattern: "a*b*c", text: "a/xb.ybc", want: true},
		{pattern: "a*b*c", text: "abcd"},
		{pattern: "[a-", text: "[a-", want: true},
		{pattern: "[a-]x", text: "-x", want: true},
		{pattern: `[\]]`, text: "]", want: true},
		{pattern: "[^[:space:]0-9]", text: "x", want: true},
		{pattern: "[^[:space:]0-9]", text: "5"},
		{pattern: `\`, text: `\`},
		{pattern: "SIP:*", text: "sip:x", fold: true, want: true},
	} {
		if got := match(tt.pattern, tt.text, tt.fold); got != tt.want {
			t.Errorf("match(%q, %q, %v) = %v", tt.pattern, tt.text, tt.fold, got)
		}
	}
}

// FuzzMatch holds that a text matches itself once its special characters are
// escaped, also between stars, and that no pattern makes it fail.
func FuzzMatch(f *testing.F) {
	f.Add("a*[b-d]?", "abcd")
	f.Add(`[[:alpha:]\`, "[")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		match(pattern, text, true)
		match("*"+pattern+"*", text, false)
		own := strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(text)
		if !match(own, text, false) || !match("*"+own+"*", text, false) {
			t.Errorf("%q does not match %q", own, text)
		}
	})
}

package permissions

import (
	"strings"
	"testing"

	"sipd/router/regex"
)

func TestBasic(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`^sip:.*@x$`, `^sip:.*@x$`},
		{`a+b?(c)|d{2}`, `a\+b\?\(c\)\|d\{2\}`},
		{`\(a\|b\)\{2\}\+`, `(a|b){2}+`},
		{`[]+(]x`, `[]+(]x`},
		{`[^[:alpha:]+]`, `[^[:alpha:]+]`},
		{`a\.b\`, `a\.b\`},
	} {
		if got := basic(tt.in); got != tt.want {
			t.Errorf("basic(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

// FuzzRules: what was read has a rule for each of its lines that says
// something, and matching it ends.
func FuzzRules(f *testing.F) {
	f.Add("ALL : \"^sip:1\" EXCEPT \"2\" # x\n\n\"a\",\"b\" : ALL\n")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseRules(strings.NewReader(text))
		if err != nil {
			return
		}
		n := 0
		for line := range strings.Lines(text) {
			if s, _, _ := strings.Cut(line, "#"); strings.TrimSpace(s) != "" {
				n++
			}
		}
		if len(list) > n {
			t.Errorf("%d rules in %d lines of %q", len(list), n, text)
		}
		list.match("sip:a@b", "sip:c@d")
		_, _ = regex.Compile(basic(text), 0)
	})
}

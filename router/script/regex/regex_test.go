package regex

import "testing"

func TestCompile(t *testing.T) {
	for _, tt := range []struct {
		re   string
		mode Mode
		in   string
		want string // the match, "-" for none
	}{
		{`^(\+|00)[1-9][0-9]{3,20}$`, 0, "+431234", "+431234"},
		{`^(\+|00)[1-9][0-9]{3,20}$`, 0, "431234", "-"},
		{`sips?:\+?[0-9]{3,18}@.*`, Fold, "SIP:123@x", "SIP:123@x"},
		{`a|ab`, 0, "ab", "ab"},                     // leftmost-longest
		{`[[:digit:]]+`, 0, "a12b", "12"},           // class
		{`[\.]`, 0, `\`, `\`},                       // a backslash in brackets is ordinary
		{`[]a]+`, 0, "]a", "]a"},                    // "]" first
		{`[^]a]+`, 0, "]xy", "xy"},                  // and behind ^
		{`[a-]+`, 0, "-a", "-a"},                    // "-" last
		{`[a\]`, 0, `\`, `\`},                       // backslash last
		{`\d`, 0, "5d", "d"},                        // no Perl classes
		{`\w+`, 0, "-ab_1", "ab_1"},                 // GNU ones
		{`\<b`, 0, "ab b", "b"},                     // word start
		{`a{,2}`, 0, "aaa", "aa"},                   // {,n}
		{`a{x`, 0, "a{x", "a{x"},                    // no interval
		{`a**`, 0, "aaa", "aaa"},                    // repetition of repetition
		{`ab*?c`, 0, "abbc", "abbc"},                // not lazy
		{`(ab)+?c`, 0, "ababc", "ababc"},            //
		{`*a`, 0, "*a", "*a"},                       // nothing to repeat
		{`a.c`, 0, "a\nc", "a\nc"},                  // "." is any character
		{`^b`, 0, "a\nb", "-"},                      // ends of the text only
		{`^b`, Newline, "a\nb", "b"},                //
		{`a.c`, Newline, "a\nc", "-"},               //
		{`a.c`, Newline | DotNL, "a\nc", "a\nc"},    //
		{`[^x]+`, Newline, "a\nb", "a"},             //
		{`a$`, Newline, "a\nb", "a"},                //
		{`ä+`, 0, "xää", "ää"},                      //
		{`[äö]+`, 0, "xäö", "äö"},                   //
		{`)`, 0, ")", ")"},                          // as glibc
		{``, 0, "x", ""},                            //
		{`x\.y`, Fold, "X.Y", "X.Y"},                //
		{`(183)|(2[0-9][0-9])`, Fold, "200", "200"}, //
	} {
		re, err := Compile(tt.re, tt.mode)
		if err != nil {
			t.Errorf("Compile(%q): %v", tt.re, err)
			continue
		}
		got := "-"
		if m := re.FindStringIndex(tt.in); m != nil {
			got = tt.in[m[0]:m[1]]
		}
		if got != tt.want {
			t.Errorf("%q (mode %d) matches %q in %q, want %q", tt.re, tt.mode, got, tt.in, tt.want)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	for _, re := range []string{`(a`, `[a`, `a\`, `(a)\1`, `[[:nope:]]`, `[z-a]`, `a{2000}`} {
		if _, err := Compile(re, 0); err == nil {
			t.Errorf("Compile(%q) gave no error", re)
		}
	}
}

// FuzzCompile: what translates for Go does not panic, and what both dialects
// read the same way matches the same.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{`^(\+|00)[1-9]{3,20}$`, `[]a-z]*?`, `(a|b)**`, `\<x\>`, `[äö]`} {
		f.Add(s, "+123")
	}
	f.Fuzz(func(t *testing.T, expr, text string) {
		for mode := range Fold | Newline | DotNL + 1 {
			re, err := Compile(expr, mode)
			if err != nil {
				continue
			}
			if m := re.FindStringIndex(text); m != nil && (m[0] > m[1] || m[1] > len(text)) {
				t.Errorf("%q matches %v in %d octets", expr, m, len(text))
			}
		}
	})
}

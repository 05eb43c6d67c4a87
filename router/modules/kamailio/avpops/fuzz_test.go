package avpops

import "testing"

// FuzzGlob holds patterns of the shell to what must be true of all of them.
func FuzzGlob(f *testing.F) {
	for _, s := range []string{"*", "a?[b-d]*", "[!a]", "[", `\*`, "[]a]", "[z-a]"} {
		f.Add(s, "abc")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		g := glob(pattern)
		if g.MatchString(text) && !glob(pattern+"*").MatchString(text+"x") && pattern != "" && pattern[len(pattern)-1] != '\\' {
			t.Fatalf("%q matches %q, and with * behind it not %q", pattern, text, text+"x")
		}
	})
}

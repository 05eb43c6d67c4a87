package script

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestNoEffect: a reason stands for parameters that exist, once each, and every
// parameter marked as one that nothing depends on has one.
func TestNoEffect(t *testing.T) {
	doc, err := os.ReadFile("../../docs/sipd.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, n := range noEffect {
		if n.why == "" || !strings.Contains(string(doc), n.why) {
			t.Errorf("%s: no reason, or docs/sipd.md does not tell it: %s", n.names, n.why)
		}
		for w := range strings.FieldsSeq(n.names) {
			if s, _ := findSetting(w); s == nil || seen[w] {
				t.Errorf("%s: no such parameter, or listed twice", w)
			}
			seen[w] = true
		}
	}
	for _, s := range coreSettings {
		for w := range strings.FieldsSeq(s.names) {
			if s.note != used && !seen[w] {
				t.Errorf("%s is accepted without effect and no reason says why", w)
			}
		}
	}
}

// TestEffect looks for who reads the parameters that claim an effect: a name
// that stands in the table alone is one that is silently ignored.
func TestEffect(t *testing.T) {
	var code strings.Builder
	err := filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
			strings.HasSuffix(path, "script/settings.go") || strings.HasSuffix(path, "noeffect.go") {
			return err
		}
		b, err := os.ReadFile(path)
		code.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	core, err := os.ReadFile("../cfg/core.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range coreSettings {
		name, _, _ := strings.Cut(s.names, " ")
		if why, _, _ := without(name); why != "" || s.note != used {
			continue
		}
		if s.live == "" {
			if !strings.Contains(code.String(), `"`+name+`"`) {
				t.Errorf("%s: nothing reads it", name)
			}
			continue
		}
		if strings.Contains(code.String(), `Str("`+name+`")`) {
			continue
		}
		_, short, _ := strings.Cut(s.live, ".")
		m := regexp.MustCompile(`\{"` + short + `", &[ct]\.(\w+)`).FindStringSubmatch(string(core))
		// Twice in core.go: the field and its declaration.
		if m == nil || len(regexp.MustCompile(`\.`+m[1]+`\b`).FindAllString(code.String(), 2)) < 2 {
			t.Errorf("%s: nothing reads the variable %s", name, s.live)
		}
	}
}

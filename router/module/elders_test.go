package module

import (
	"strings"
	"testing"
)

func TestAdvice(t *testing.T) {
	have := []string{"acc", "siputils", "ctl"}
	for name, want := range map[string]string{
		"acc_db":     `module "acc_db" (accounting into a database with uid columns) is not in sipd; its successor is: loadmodule "acc.so"`,
		"options":    `its successor is: loadmodule "siputils.so"`,
		"unixsock":   `its successor is: loadmodule "ctl.so"`,
		"app_lua":    `module "app_lua" (Lua scripts) is not in sipd; take the line out`,
		"mi_fifo":    `is not in sipd, nor is its successor (jsonrpcs)`,
		"eval":       `nothing took its place`,
		"nat_travel": "",
	} {
		switch got := advice(name, have); {
		case want == "" && got != "":
			t.Errorf("%s: %q, want nothing", name, got)
		case !strings.Contains(got, want):
			t.Errorf("%s: %q, want %q in it", name, got, want)
		}
	}
}

// TestUnknownModule: the error of a loadmodule line carries the advice, or the
// nearest name.
func TestUnknownModule(t *testing.T) {
	s := NewSet([]Available{{Name: "siputils"}, {Name: "textops"}})
	for name, want := range map[string]string{
		"modules_s/uri.so": `loadmodule "siputils.so"`,
		"textop":           `unknown module "textop"; did you mean "textops"?`,
		"nonsense":         `unknown module "nonsense"`,
	} {
		if _, err := s.Load(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", name, err, want)
		}
	}
}

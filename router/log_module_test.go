package router

import (
	"bytes"
	"log/slog"
	"testing"
)

func TestLevelsOfModules(t *testing.T) {
	var out bytes.Buffer
	rules := &moduleLog{r: new(Router)}
	rules.r.debug.Store(0)
	log := rules.ruled(NewLogger(&out, "sipd", func() int { return rules.Level() }))
	tm := log.With(slog.String("module", "tm"))
	lines := func() int {
		out.Reset()
		tm.Debug("a line of tm")
		log.Debug("a line of the core")
		return bytes.Count(out.Bytes(), []byte("\n"))
	}
	for _, step := range []struct {
		levels map[string]int
		want   int
	}{
		{nil, 0},
		{map[string]int{"tm": 3}, 1},
		{map[string]int{"tm": 3, "core": 3}, 2},
		{map[string]int{"usrloc": 3}, 0},
		{nil, 0},
	} {
		rules.SetLevels(step.levels)
		if got := lines(); got != step.want {
			t.Errorf("with levels %v %d debug lines came, want %d: %s", step.levels, got, step.want, out.String())
		}
	}
	rules.SetLevels(map[string]int{"tm": -2})
	out.Reset()
	tm.Error("unseen")
	if out.Len() > 0 {
		t.Errorf("a line above the module's level came: %s", out.String())
	}
}

func TestFacilitiesOfModulesAreChecked(t *testing.T) {
	rules := &moduleLog{r: new(Router)}
	if err := rules.SetFacilities(map[string]string{"tm": "LOG_LOCAL1"}); err != nil {
		t.Errorf("LOG_LOCAL1: %v", err)
	}
	if err := rules.SetFacilities(map[string]string{"tm": "LOG_NONE"}); err == nil {
		t.Error("LOG_NONE was taken")
	}
}

func TestLevelName(t *testing.T) {
	var out bytes.Buffer
	log := NewLogger(&out, "sipd", func() int { return 3 })
	log.Error("text", slog.String("level_name", "exec"))
	if got := out.String(); !bytes.Contains([]byte(got), []byte(": exec: text\n")) {
		t.Errorf("the line is %q, want the word exec for its level", got)
	}
}

package modules

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sipd/router/cfg"
)

// elder is what Kamailio 5.6.3 says of a runtime variable.
type elder struct {
	kind, flags, def string
	min, max         int
	bounded          bool
}

// elders reads the table of variables that was taken from a running Kamailio.
func elders(t *testing.T) map[string]elder {
	t.Helper()
	dir := os.Getenv("SIPD_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	data, err := os.ReadFile(filepath.Join(dir, "facts", "rpc.md"))
	if err != nil {
		t.Skip("the table of variables is not here (set SIPD_SHARED): ", err)
	}
	_, table, _ := strings.Cut(string(data), "## Appendix: runtime variables")
	out := make(map[string]elder)
	for line := range strings.Lines(table) {
		f := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(f) != 7 || !strings.Contains(f[5], "5") {
			continue // not of 5.6.3
		}
		for i := range f {
			f[i] = strings.TrimSpace(f[i])
		}
		e := elder{kind: f[1], flags: f[2]}
		e.def, _, _ = strings.Cut(f[3], " (2010")
		bounds, _, _ := strings.Cut(f[4], " (2010")
		if low, high, ok := strings.Cut(bounds, ".."); ok {
			e.min, _ = strconv.Atoi(low)
			e.max, _ = strconv.Atoi(high)
			e.bounded = true
		}
		out[f[0]] = e
	}
	if len(out) < 100 {
		t.Fatalf("only %d variables were read from the table", len(out))
	}
	return out
}

// ownBounds are variables that Kamailio lets be set to what makes no sense, and
// that have bounds here.
var ownBounds = map[string]string{
	"tm.fr_timer": "a time", "tm.fr_inv_timer": "a time", "tm.fr_inv_timer_next": "a time", "tm.wt_timer": "a time",
	"tm.retr_timer1": "a time", "tm.retr_timer2": "a time", "tm.max_inv_lifetime": "a time", "tm.max_noninv_lifetime": "a time",
	"tm.callid_matching": "a truth value",
}

// TestVariablesAsDocumented compares each declaration with Kamailio's: type,
// default, range, and whether it may be read, changed, and set in an instance.
// Every variable of a group that is here must be here.
func TestVariablesAsDocumented(t *testing.T) {
	_, _, vars := documented(t)
	table := elders(t)
	groups, have := make(map[string]bool), make(map[string]bool)
	for _, v := range vars {
		name := v.group + "." + v.name
		groups[v.group], have[name] = true, true
		e, ok := table[name]
		if !ok {
			continue // ours alone, or 2010's
		}
		checkVariable(t, name, v.v, e)
	}
	for name := range table {
		if group, _, _ := strings.Cut(name, "."); groups[group] && !have[name] && !strings.HasPrefix(name, "registrar.em_") {
			t.Errorf("%s is missing", name)
		}
	}
}

func checkVariable(t *testing.T, name string, v cfg.Var, e elder) {
	t.Helper()
	var flags cfg.Flags
	switch v := v.(type) {
	case *cfg.Int:
		flags = v.Flags
		if e.kind != "i" {
			t.Errorf("%s is an int, Kamailio's a string", name)
		}
		if def, err := strconv.Atoi(e.def); err == nil && def != v.Default {
			t.Errorf("%s has the default %d, Kamailio's %d", name, v.Default, def)
		}
		if ownBounds[name] == "" && (v.Min != e.min || v.Max != e.max) {
			t.Errorf("%s has the range %d..%d, Kamailio's %d..%d", name, v.Min, v.Max, e.min, e.max)
		}
	case *cfg.Str:
		flags = v.Flags
		if e.kind != "s" {
			t.Errorf("%s is a string, Kamailio's an int", name)
		}
		if v.Default != e.def && !(e.def == "null" && v.Null && v.Default == "") {
			t.Errorf("%s has the default %q (null %v), Kamailio's %q", name, v.Default, v.Null, e.def)
		}
	}
	for _, f := range []struct {
		flag cfg.Flags
		mark string
		what string
	}{{cfg.ReadOnly, "r", "read-only"}, {cfg.Hidden, "h", "not readable"}, {cfg.Once, "o", "without instances"}} {
		if got, want := flags&f.flag != 0, strings.Contains(e.flags, f.mark); got != want {
			t.Errorf("%s is %s: %v, Kamailio's %v", name, f.what, got, want)
		}
	}
}

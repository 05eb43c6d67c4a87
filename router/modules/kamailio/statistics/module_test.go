package statistics

import (
	"strings"
	"testing"

	"sipd/router/module/moduletest"
	"sipd/router/modules/kamailio/pv"
)

const request = "OPTIONS sip:a@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n" +
	"From: <sip:a@example.org>;tag=1\r\nTo: <sip:b@example.org>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"

func start(t *testing.T) *moduletest.Rig {
	r := moduletest.New(t, New(), pv.New())
	r.Param("statistics", "variable", "calls")
	r.Param("statistics", "variable", "active/no_reset")
	r.Start()
	r.Message(request)
	return r
}

func TestUpdateAndReset(t *testing.T) {
	r := start(t)
	steps := []struct {
		call string
		args []any
		code int
		name string
		want int
	}{
		{"update_stat", []any{"calls", "+1"}, 1, "calls", 1},
		{"update_stat", []any{"calls", "5"}, 1, "calls", 6},
		{"update_stat", []any{"active", "-2"}, 1, "active", -2},
		{"update_stat", []any{"$var(name)", "$var(n)"}, 1, "calls", 10},
		{"reset_stat", []any{"active"}, 1, "active", -2},
		{"reset_stat", []any{"$var(name)"}, 1, "calls", 0},
		{"update_stat", []any{"$var(none)", "1"}, -1, "calls", 0},
		{"update_stat", []any{"calls", "$var(none)"}, -1, "calls", 0},
		{"reset_stat", []any{"$var(none)"}, -1, "calls", 0},
	}
	r.SetVar("$var(name)", "calls")
	r.SetVar("$var(n)", 4)
	r.SetVar("$var(none)", "nothing")
	for _, s := range steps {
		if got := r.Call(s.call, s.args...); got != s.code {
			t.Errorf("%s%q = %d, want %d", s.call, s.args, got, s.code)
		}
		if got := r.Var("$stat(" + s.name + ")").Int(); got != s.want {
			t.Errorf("after %s%q: $stat(%s) = %d, want %d", s.call, s.args, s.name, got, s.want)
		}
	}
}

func TestRefused(t *testing.T) {
	r := start(t)
	for _, tt := range []struct{ name, number, want string }{
		{"missing", "1", "there is no statistic missing; declare it"},
		{"calls", "0", "adding 0 changes nothing"},
		{"calls", "many", `"many" is no number to add`},
	} {
		if _, err := r.Compile("update_stat", tt.name, tt.number); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("update_stat(%q, %q): %v, want %q", tt.name, tt.number, err, tt.want)
		}
	}
	for _, in := range []string{"", "/no_reset", "a b", "calls/keep", "core:calls"} {
		if err := New().(*statistics).declare(in); err == nil {
			t.Errorf("variable %q was taken", in)
		}
	}
}

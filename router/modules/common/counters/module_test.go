package counters

import (
	"strings"
	"testing"

	"sipd/router/module/moduletest"
	"sipd/router/stat"
)

const request = "OPTIONS sip:a@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n" +
	"From: <sip:a@example.org>;tag=1\r\nTo: <sip:b@example.org>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"

func TestDeclareForms(t *testing.T) {
	for _, tt := range []struct{ in, group, name, help string }{
		{"calls", "script", "calls", "custom script counter."},
		{"own.calls", "own", "calls", "custom script counter."},
		{"calls answered ones", "script", "calls", "answered ones"},
		{"own.calls:  answered ones", "own", "calls", "answered ones"},
		{"calls:", "script", "calls", "custom script counter."},
	} {
		m := New().(*counters)
		if err := m.declare(tt.in); err != nil {
			t.Errorf("declare(%q): %v", tt.in, err)
			continue
		}
		if got := m.declared[0]; got != (counter{tt.group, tt.name, tt.help}) {
			t.Errorf("declare(%q) = %+v, want %s.%s %q", tt.in, got, tt.group, tt.name, tt.help)
		}
	}
	for _, in := range []string{"", " ", ".calls", "own.", ": help"} {
		if err := New().(*counters).declare(in); err == nil {
			t.Errorf("declare(%q) succeeded", in)
		}
	}
}

func TestFunctionsChangeTheCounter(t *testing.T) {
	r := moduletest.New(t, New())
	r.Param("counters", "script_counter", "refused requests refused")
	r.Param("counters", "script_counter", "own.octets")
	r.Param("counters", "script_counter", "own.octets twice is no mistake")
	r.Start()
	r.Message(request)
	r.Call("cnt_inc", "refused")
	r.Call("cnt_inc", "script.refused")
	r.Call("cnt_add", "own.octets", 40)
	r.Call("cnt_add", "own.octets", -2)
	for group, want := range map[string]int64{"script.refused": 2, "own.octets": 38} {
		g, name, _ := strings.Cut(group, ".")
		if e, ok := r.Host.Stat.Lookup(g, name); !ok || e.Source.Value() != want {
			t.Errorf("%s = %+v, want %d", group, e, want)
		}
	}
	if log := r.Log(); !strings.Contains(log, "counter is declared already") {
		t.Errorf("the second own.octets left no word in the log: %q", log)
	}
	r.Call("cnt_reset", "refused")
	if e, _ := r.Host.Stat.Lookup("script", "refused"); e.Source.Value() != 0 {
		t.Errorf("after cnt_reset refused = %d", e.Source.Value())
	}
}

func TestCallsRefused(t *testing.T) {
	r := moduletest.New(t, New())
	r.Start()
	if err := r.Host.Stat.Declare("own", stat.Def{Name: "gauge", Source: stat.Func(func() int64 { return 1 })}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"missing":   `there is no counter script.missing; declare it`,
		"own.other": `there is no counter own.other; declare it`,
		"own.gauge": "a script cannot change it",
	} {
		for _, f := range []string{"cnt_inc", "cnt_reset"} {
			if _, err := r.Compile(f, name); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s(%q): %v, want %q", f, name, err, want)
			}
		}
	}
}

package router

import (
	"strings"
	"testing"

	"sipd/router/script"
)

func TestCommandLine(t *testing.T) {
	c, errs := readCommandLine(&Options{
		Listen:      []string{"udp:127.0.0.1:5070", "127.0.0.2", "tcp:127.0.0.1:5060/198.51.100.1:5090"},
		Aliases:     []string{"example.com", "tcp:example.net:5080"},
		LoadModules: []string{"sl.so", "/usr/lib/modules_s/tm.so"},
		ModParams:   []string{"sl:default_code:i:501", `sl:default_reason:s:say "no"`},
	})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if len(c.listens) != 3 {
		t.Fatalf("listens = %+v, want three", c.listens)
	}
	if l := c.listens[0]; l.Proto != "udp" || l.Hosts[0] != "127.0.0.1" || l.Port != 5070 {
		t.Errorf("first listen = %+v", l)
	}
	if l := c.listens[1]; l.Proto != "" || l.Hosts[0] != "127.0.0.2" || l.Port != 0 {
		t.Errorf("second listen = %+v", l)
	}
	if l := c.listens[2]; l.Proto != "tcp" || l.AdvHost != "198.51.100.1" || l.AdvPort != 5090 {
		t.Errorf("third listen = %+v", l)
	}
	if len(c.aliases) != 2 || c.aliases[0].Host != "example.com" || c.aliases[1].Proto != "tcp" || c.aliases[1].Port != 5080 {
		t.Errorf("aliases = %+v", c.aliases)
	}
	if len(c.before) != 2 || c.before[1].(*script.LoadModule).Path != "/usr/lib/modules_s/tm.so" {
		t.Errorf("loadmodule items = %+v", c.before)
	}
	if len(c.after) != 2 {
		t.Fatalf("modparam items = %+v", c.after)
	}
	if p := c.after[0].(*script.ModParam); p.Value.Int != 501 || p.Module != "sl" || p.Param != "default_code" {
		t.Errorf("first modparam = %+v", p)
	}
	if p := c.after[1].(*script.ModParam); p.Value.Str != `say "no"` {
		t.Errorf("second modparam = %+v", p)
	}
}

func TestCommandLineMistakes(t *testing.T) {
	for _, o := range []Options{
		{Listen: []string{"udp:1.2.3.4:99999"}},
		{ModParams: []string{"sl:default_code"}},
		{ModParams: []string{"sl:default_code:x:1"}},
		{ModParams: []string{"sl:default_code:i:many"}},
	} {
		_, errs := readCommandLine(&o)
		if len(errs) == 0 || !strings.Contains(errs.Error(), commandLineName+":1:") {
			t.Errorf("%+v: errors %v, want one on the command line", o, errs)
		}
	}
}

package main

import (
	"strings"
	"testing"

	"sipd/router/modules"
	"sipd/rpc/rpctest"
)

// otherNames are modules whose methods start with another word than their name.
var otherNames = map[string]string{
	"cnt": "counters", "dbg": "debugger", "jsonrpc": "jsonrpcs", "ul": "usrloc", "stats": "kex", "mod": "kex",
	"pkg": "kex", "shm": "corex", "cfg": "cfg_rpc",
}

// TestMethodsOfKamailio compares the recorded list of a real Kamailio's methods
// with what modules and core declare here: a method whose module is here must
// be there. Modules that are not here, and only they, may leave theirs out.
func TestMethodsOfKamailio(t *testing.T) {
	own := make(map[string]bool)
	here := map[string]bool{"core": true, "system": true, "dns": true, "dst_blocklist": true}
	for _, a := range modules.List() {
		here[a.Name] = true
		for _, m := range a.New().Exports().RPC {
			own[m.Name] = true
		}
	}
	s := serve(t, configFile(t, "loadmodule \"ctl.so\"\nrequest_route { exit; }\n"), "-l", "udp:ADDR")
	for name := range strings.FieldsSeq(s.sipcmd(t, "system.listMethods")) {
		own[name] = true
	}
	var recorded []string
	for _, call := range rpctest.Calls(t, "system.listMethods.txt") {
		if call.Title == "system.listMethods []" {
			recorded = strings.Fields(call.Stdout)
		}
	}
	compared := 0
	for _, name := range recorded {
		group, _, _ := strings.Cut(name, ".")
		if other := otherNames[group]; other != "" {
			group = other
		}
		if !here[group] {
			continue
		}
		compared++
		if !own[name] {
			t.Errorf("%s is a method of Kamailio's %s and not here", name, group)
		}
	}
	if compared < 130 {
		t.Errorf("only %d methods were compared, of %d recorded", compared, len(recorded))
	}
}

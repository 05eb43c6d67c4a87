package main

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sipd/router/modules"
	"sipd/rpc"
	"sipd/rpc/mi"
	"sipd/rpc/rpctest"
)

// notHere are methods and commands of modules that are here which are not, and
// why.
var notHere = map[string]string{
	"core.sctp_info": "SCTP is not served", "core.sctp_options": "SCTP is not served",
	"core.sfmalloc":        "of a memory manager that no release builds in",
	"dns.get_server_state": "only in builds with a DNS watchdog", "dns.set_server_state": "only in builds with a DNS watchdog",
	"dns.stats_get":           "only in builds that count DNS",
	"dst_blacklist.stats_get": "only in builds that count the block list", "dst_blocklist.stats_get": "only in builds that count the block list",
	"dispatcher.dump":  "of SER's dispatcher; Kamailio's is here",
	"dlg_bridge":       "the method dlg.bridge_dlg takes its place",
	"htable.dmqresync": "there is no dmq", "htable.dmqsync": "there is no dmq",
	"dum":             "did nothing",
	"core.echo_delta": "of 6.2, to try a client's patience with",
	"modparam.getn":   "of 6.2", "modparam.gets": "of 6.2", "modparam.list": "of 6.2", "modparam.setn": "of 6.2",
	"dispatcher.oclist":           "of 6.2: there is no overload control",
	"presence.publish_cache_sync": "of 6.2",
	"shm.rprint":                  "of 6.2",
	"udp.proxy.clean":             "of 6.2", "udp.proxy.dump": "of 6.2", "udp.proxy.flush": "of 6.2", "udp.proxy.stats": "of 6.2",
}

// everyMethod is what core and the modules declare here.
func everyMethod(t *testing.T) (own map[string]bool, here map[string]bool, reg *rpc.Registry) {
	t.Helper()
	own, here, reg = make(map[string]bool), map[string]bool{"core": true}, rpc.NewRegistry()
	add := func(m *rpc.Method) {
		if !own[m.Name] {
			own[m.Name] = true
			if err := reg.Add(m); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, a := range modules.List() {
		here[a.Name] = true
		for _, m := range a.New().Exports().RPC {
			add(m)
		}
	}
	s := serve(t, configFile(t, "loadmodule \"ctl.so\"\nrequest_route { exit; }\n"), "-l", "udp:ADDR")
	for name := range strings.FieldsSeq(s.sipcmd(t, "system.listMethods")) {
		add(&rpc.Method{Name: name})
	}
	return own, here, reg
}

// TestMethodsOfTheElders goes through the table of the elders' methods and
// management commands row by row: that of a module which is here is here, or has
// a reason.
func TestMethodsOfTheElders(t *testing.T) {
	f, err := os.Open(filepath.Join(filepath.Dir(rpctest.Dir(t)), "facts", "rpc-methods.tsv"))
	if err != nil {
		t.Skipf("skipped: the table of methods is not here: %v", err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.LazyQuotes = '\t', true
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	own, here, reg := everyMethod(t)
	commands := &mi.Server{Registry: reg}
	compared, used := 0, make(map[string]bool)
	for _, row := range rows[1:] { // the first names the columns
		name, module, flavour := row[0], row[1], row[2]
		if !here[module] {
			continue
		}
		compared++
		is := own[name]
		if strings.HasPrefix(flavour, "mi-") {
			is = commands.Available(name)
		}
		switch why := notHere[name]; {
		case why != "":
			used[name] = true
			if is {
				t.Errorf("%s is here, and there is a reason why not: %s", name, why)
			}
		case !is:
			t.Errorf("%s of %s (%s) is not here", name, module, flavour)
		}
	}
	for name := range notHere {
		if !used[name] {
			t.Errorf("%s is not in the table", name)
		}
	}
	if compared < 300 {
		t.Errorf("only %d rows were compared", compared)
	}
}

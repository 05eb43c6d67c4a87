package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestArrows reads the imports of every package and fails on an arrow that
// docs/architecture.md forbids.
func TestArrows(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "sipd/...").Output()
	if err != nil {
		t.Skipf("skipped: the go command does not list the packages here: %v", err)
	}
	// from (a prefix) must not import any of these (prefixes); except lists what
	// they may all the same.
	rules := []struct {
		from   string
		never  []string
		except []string
	}{
		{from: "sipd/router/sip", never: []string{"sipd/"}},
		{from: "sipd/router/cookie", never: []string{"sipd/"}},
		{from: "sipd/router/regex", never: []string{"sipd/"}, except: []string{"sipd/router/run"}},
		{from: "sipd/rpc", never: []string{"sipd/router", "sipd/db", "sipd/schema", "sipd/ctl"}},
		{from: "sipd/rpc/binrpc", never: []string{"sipd/rpc/"}, except: []string{"sipd/rpc/socket"}},
		{from: "sipd/rpc/fifo", never: []string{"sipd/rpc/"}, except: []string{"sipd/rpc/socket"}},
		{from: "sipd/rpc/xmlrpc", never: []string{"sipd/rpc/"}, except: []string{"sipd/rpc/socket"}},
		{from: "sipd/rpc/jsonrpc", never: []string{"sipd/rpc/"}, except: []string{"sipd/rpc/socket"}},
		{from: "sipd/rpc/mi", never: []string{"sipd/rpc/"}, except: []string{"sipd/rpc/socket"}},
		{from: "sipd/rpc/socket", never: []string{"sipd/rpc/"}},
		{from: "sipd/schema", never: []string{"sipd/router", "sipd/ctl"}},
		{from: "sipd/db", never: []string{"sipd/router", "sipd/rpc", "sipd/ctl"}},
		{from: "sipd/ctl", never: []string{"sipd/router"}},
		{from: "sipd/router", never: []string{"sipd/ctl"}},
		{from: "sipd/router/cfg", never: []string{"sipd/router"}},
		{from: "sipd/router/transport", never: []string{"sipd/router"}, except: []string{"sipd/router/sip", "sipd/router/cfg", "sipd/router/stat"}},
		{from: "sipd/router/run", never: []string{"sipd/router"}, except: []string{"sipd/router/sip", "sipd/router/cfg", "sipd/router/transport"}},
		{from: "sipd/router/pv", never: []string{"sipd/router/script", "sipd/router/module", "sipd/router/tm"}},
		{from: "sipd/router/tm", never: []string{"sipd/router/script", "sipd/router/modules"}},
		{from: "sipd/router/forward", never: []string{"sipd/router/script", "sipd/router/modules"}},
		{from: "sipd/router/web", never: []string{"sipd/router/script", "sipd/router/module", "sipd/router/tm"}},
		{from: "sipd/router/dbx", never: []string{"sipd/router"}, except: []string{"sipd/router/module", "sipd/router/run"}},
		{from: "sipd/router/usrloc", never: []string{"sipd/router/script", "sipd/router/modules"}},
		{from: "sipd/router/presence", never: []string{"sipd/"}},
		{from: "sipd/router/xmltree", never: []string{"sipd/"}},
		{from: "sipd/router/script", never: []string{"sipd/router/modules"}},
		{from: "sipd/router/module", never: []string{"sipd/router/modules"}},
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		pkg, imports := fields[0], fields[1:]
		for _, r := range rules {
			if pkg != r.from && !strings.HasPrefix(pkg, r.from+"/") {
				continue
			}
			for _, imp := range imports {
				if forbidden(imp, r.never, r.except, r.from) {
					t.Errorf("%s imports %s: %s may not", pkg, imp, r.from)
				}
			}
		}
	}
}

// forbidden says whether imp is on the list; what lies inside the room itself
// and the exceptions are fine.
func forbidden(imp string, never, except []string, room string) bool {
	if imp == room || strings.HasPrefix(imp, room+"/") {
		return false
	}
	for _, e := range except {
		if imp == e {
			return false
		}
	}
	for _, n := range never {
		// "room/" forbids what is below the room, "room" the room as well.
		if imp == n || strings.HasPrefix(imp, strings.TrimSuffix(n, "/")+"/") {
			return true
		}
	}
	return false
}

// TestModulesStandAlone wants no module to import another.
func TestModulesStandAlone(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "sipd/router/modules/...").Output()
	if err != nil {
		t.Skipf("skipped: the go command does not list the packages here: %v", err)
	}
	const folder = "sipd/router/modules/"
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if fields[0] == "sipd/router/modules" {
			continue // the list
		}
		for _, imp := range fields[1:] {
			if strings.HasPrefix(imp, folder) && !strings.HasPrefix(imp, fields[0]) {
				t.Errorf("%s imports %s: a module asks another by name, through an interface", fields[0], imp)
			}
		}
	}
}

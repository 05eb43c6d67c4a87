package ctl

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sipd/rpc"
)

// TestImportTells: a server hears of an import once, as of single changes, and
// of what was stored by one that ended with mistakes too.
func TestImportTells(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	dir := t.TempDir()
	for _, tt := range []struct {
		flavour, args, file string
		code                int
		want                []string
		out                 string
	}{
		{"kamailio", "domain import", "domain\na.example\nb.example\n", 0, []string{"domain.reload"}, "added 2 domains"},
		{"kamailio", "domain import --dry-run", "domain\nc.example\n", 0, nil, "dry run"},
		{"kamailio", "domain import", "domain\nd.example\nno domain\n", 1, []string{"domain.reload"}, "1 mistake"},
		{"kamailio", "domain import", "domain\nexample.com\n", 1, nil, "1 mistake"},
		{"kamailio", "address import", "grp,ip_addr\n1,192.0.2.1\n1,192.0.2.2\n", 0, []string{"permissions.addressReload"}, "added 2"},
		{"kamailio", "dispatcher import", "setid,destination\n1,sip:192.0.2.1\n", 0, []string{"dispatcher.reload"}, "added 1"},
		{"kamailio", "user import", "user,password\nbob@example.com,x\n", 0, nil, "added 1 users"},
		{"kamailio", "alias import", "alias,user\n1@example.com,alice@example.com\n", 0, nil, "added 1 aliases"},
		{"kamailio", "attr import", "owner,name,value,type\nalice@example.com,a,b,string\n", 0, nil, "added 1 attributes"},
		{"kamailio", "attr import", "owner,name,value,type\nalice@example.com,a,b,string\n@example.com,a,b,string\n@example.com,a,c,string\n", 0, []string{"domain.reload"}, "added 3 attributes"},
		{"ser", "domain import", "domain\na.example\n", 0, []string{"domain.reload"}, "added 1 domains"},
		{"ser", "attr import", "owner,name,value,type\n,a,b,string\n@example.com,a,b,string\n", 0, []string{"global.reload", "domain.reload"}, "added 2 attributes"},
		{"ser", "trusted import", "src_ip,proto,from_pattern\n192.0.2.1,any,.*\n", 0, []string{"permissions.trustedReload"}, "added 1"},
	} {
		server, called := daemon(t, map[string][]rpc.Value{
			"domain.reload": {}, "global.reload": {}, "permissions.addressReload": {}, "permissions.trustedReload": {}, "dispatcher.reload": {},
		})
		t.Setenv("SIPCTL_DB", "sqlite:"+filepath.Join(t.TempDir(), "sip.db"))
		file := filepath.Join(dir, "in.csv")
		if err := os.WriteFile(file, []byte(tt.file), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		run := func(args ...string) int { return Run(t.Context(), args, nil, &out, &out) }
		for _, before := range []string{"db create --flavour " + tt.flavour, "domain add example.com", "user add alice@example.com --no-password"} {
			if run(strings.Fields(before)...) != 0 {
				t.Fatal(out.String())
			}
		}
		out.Reset()
		code := run(append([]string{"-s", server}, append(strings.Fields(tt.args), file)...)...)
		if got := called(); code != tt.code || !slices.Equal(got, tt.want) || !strings.Contains(out.String(), tt.out) {
			t.Errorf("%s: %s of %q exits with %d, calls %q and prints %q; want %d, %q and %q", tt.flavour, tt.args, tt.file, code, got, out.String(), tt.code, tt.want, tt.out)
		}
	}
}

// TestImportNotLive: an import that a server was not told of says what finishes.
func TestImportNotLive(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("SIPCTL_DB", "sqlite:"+filepath.Join(t.TempDir(), "sip.db"))
	server, _ := daemon(t, map[string][]rpc.Value{"domain.reload": nil})
	var out bytes.Buffer
	if code := Run(t.Context(), []string{"db", "create"}, nil, &out, &out); code != 0 {
		t.Fatal(out.String())
	}
	out.Reset()
	code := Run(t.Context(), []string{"-s", server, "domain", "import", "-"}, strings.NewReader("domain\na.example\n"), &out, &out)
	if want := "added 1 domains: that is stored, but not live"; code != ExitNotLive || !strings.Contains(out.String(), want) || !strings.Contains(out.String(), "to finish: sipctl -s "+server+" rpc domain.reload") {
		t.Errorf("exits with %d and prints %q; want %d and %q", code, out.String(), ExitNotLive, want)
	}
}

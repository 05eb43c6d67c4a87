package ctl

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sipd/rpc"
)

// banService is what apiban.org is: two pages of addresses, for those with the
// key.
func banService(t *testing.T) (url string, asked func() []string) {
	t.Helper()
	var paths []string
	answer := func(w http.ResponseWriter, code int, addresses []string, id string) {
		w.WriteHeader(code)
		if err := json.NewEncoder(w).Encode(map[string]any{"ipaddress": addresses, "ID": id}); err != nil {
			t.Error(err)
		}
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.EscapedPath())
		switch r.URL.EscapedPath() {
		case "/api/k%2Fey/banned":
			answer(w, 200, []string{"192.0.2.1", "192.0.2.2"}, "17")
		case "/api/k%2Fey/banned/17":
			answer(w, 200, []string{"192.0.2.2", "2001:db8::1"}, "none")
		case "/api/k%2Fey/check/192.0.2.1":
			answer(w, 200, []string{"192.0.2.1"}, "17")
		case "/api/k%2Fey/check/192.0.2.9":
			answer(w, 400, []string{"not blocked"}, "none")
		case "/api/moved/banned":
			http.Redirect(w, r, "http://192.0.2.99/elsewhere", http.StatusFound)
		case "/api/odd/banned":
			_, _ = w.Write([]byte("<html>")) // the client sees it or fails
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL + "/api", func() []string { return paths }
}

// TestApiban: the list of the service comes page by page and gets into a hash
// table; its key stands in no output.
func TestApiban(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	t.Setenv("SIPCTL_DB", "sqlite:"+filepath.Join(dir, "none.db"))
	t.Setenv(apibanKey, "")
	url, asked := banService(t)
	keys := make(map[string]string)
	for _, k := range []string{"k/ey", "moved", "odd", "wrong"} {
		keys[k] = filepath.Join(dir, strings.ReplaceAll(k, "/", "_"))
		if err := os.WriteFile(keys[k], []byte(k+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server, calls := daemon(t, map[string][]rpc.Value{"htable.seti": {}, "htable.setex": {}})
	deaf, _ := daemon(t, map[string][]rpc.Value{"htable.seti": nil})
	run := func(key string, args ...string) (int, string) {
		var out bytes.Buffer
		code := Run(t.Context(), append([]string{"--quiet=false", "apiban"}, append(args, "--url", url, "--pause", "1ms", "--key-file", keys[key])...), strings.NewReader(""), &out, &out)
		if strings.Contains(out.String(), "k/ey") || strings.Contains(out.String(), "k%2Fey") || strings.Contains(out.String(), "/moved/") {
			t.Errorf("sipctl apiban %q prints the key: %s", args, out.String())
		}
		return code, out.String()
	}
	for _, tt := range []struct {
		key  string
		args []string
		code int
		want string
	}{
		{"k/ey", []string{"show", "-o", "tsv"}, ExitDone, "address\n192.0.2.1\n192.0.2.2\n2001:db8::1\n"},
		{"k/ey", []string{"check", "192.0.2.1", "-o", "json"}, ExitDone, `"banned":true`},
		{"k/ey", []string{"check", "192.0.2.9"}, ExitFailed, "192.0.2.9 is not banned"},
		{"k/ey", []string{"load", "-s", server, "--expire", "1h"}, ExitDone, "banned 3 addresses in ipban of"},
		{"k/ey", []string{"load", "-s", server, "--dry-run"}, ExitDone, "dry run, nothing is written: banned 3 addresses"},
		{"k/ey", []string{"load", "-s", deaf}, ExitFailed, "banned 0 of 3 addresses: htable.seti ipban 192.0.2.1 1 on"},
		{"k/ey", []string{"load", "-s", "unixs:" + dir + "/none"}, ExitConnect, "no server answers"},
		{"moved", []string{"show"}, ExitFailed, "answers 302 Found"},
		{"odd", []string{"show"}, ExitFailed, "answers what is no list of addresses"},
		{"wrong", []string{"show"}, ExitFailed, "answers 403 Forbidden"},
		{"wrong", []string{"check", "192.0.2.1"}, ExitFailed, "answers 403 Forbidden"},
	} {
		code, out := run(tt.key, tt.args...)
		if code != tt.code || !strings.Contains(out, tt.want) {
			t.Errorf("sipctl apiban %q with key %s exits with %d and prints %q; want %d and %q", tt.args, tt.key, code, out, tt.code, tt.want)
		}
	}
	want := []string{"htable.seti", "htable.setex", "htable.seti", "htable.setex", "htable.seti", "htable.setex"}
	if got := calls(); !slices.Equal(got, want) {
		t.Errorf("the server was called %q, want %q", got, want)
	}
	if got := asked(); !slices.Contains(got, "/api/k%2Fey/banned/17") {
		t.Errorf("the service was asked %q", got)
	}
}

// TestBanListLimits: what a service sends is bounded.
func TestBanListLimits(t *testing.T) {
	l := &banList{}
	for _, bad := range []string{"", "x", "192.0.2.1/33", "fe80::1%eth0", "192.0.2.1 ", strings.Repeat("1", 1<<16)} {
		if err := l.add(bad, "test"); err == nil {
			t.Errorf("%.20q is taken for an address", bad)
		}
	}
}

func FuzzBanList(f *testing.F) {
	for _, s := range []string{"192.0.2.1\n192.0.2.0/24 # x\n", "2001:db8::1/32", "::ffff:192.0.2.1", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		read := func(text string) (*banList, error) {
			l := &banList{seen: make(map[netip.Prefix]bool)}
			return l, (&banSource{file: "-"}).readFile(strings.NewReader(text), l)
		}
		l, err := read(text)
		if err != nil {
			return
		}
		var again strings.Builder
		for _, p := range l.list {
			again.WriteString(banText(p) + "\n")
		}
		// Printed and read again it is the same list.
		if l2, err := read(again.String()); err != nil || !slices.Equal(l.list, l2.list) {
			t.Fatalf("%q gives %v; printed and read again: %v, %v", text, l.list, l2.list, err)
		}
	})
}

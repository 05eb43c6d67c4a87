package regex

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sipd/router/module/moduletest"
	"sipd/rpc"
)

const groupsFile = `### user agents
[0]
# comment
^Twinkle/1
^X-Lite

[7]
^1\d{3}$
^((\+|00)34)?900\d{6}$
[9]
[10]
^(?!00)\d+$`

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestMatchGroup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups")
	write(t, path, groupsFile)
	r := moduletest.New(t, New()).Param("regex", "file", path)
	r.Message(moduletest.Invite)
	for _, tt := range []struct {
		text, group string
		want        int
	}{
		{"Twinkle/1.2", "0", 1},
		{"The X-Lite", "0", -1},
		{"1234", "1", 1},
		{"12345", "1", -1},
		{"+34900123456", "1", 1},
		{"", "2", 1},
		{"x", "2", -1},
		{"0123", "3", 1},
		{"00123", "3", -1},
		{"x", "4", -4},
		{"X-Lite", "none", 1},
		{"1234", "1x", 1},
	} {
		if rc := r.Call("pcre_match_group", tt.text, tt.group); rc != tt.want {
			t.Errorf("%+v: %d", tt, rc)
		}
	}
	if rc := r.Call("pcre_match_group", "X-Lite"); rc != 1 {
		t.Error("without a group:", rc)
	}
	if !strings.Contains(r.Log(), "there is no group 4") {
		t.Error(r.Log())
	}
}

func TestReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups")
	write(t, path, "[0]\na\n")
	r := moduletest.New(t, New()).Param("regex", "file", path)
	r.Message(moduletest.Invite)
	match := func(text string, want int) {
		t.Helper()
		if rc := r.Call("pcre_match_group", text); rc != want {
			t.Errorf("%s: %d, want %d", text, rc, want)
		}
	}
	match("a", 1)
	write(t, path, "[0]\nb\n")
	match("b", -1)
	if _, err := r.RPCCall("regex.reload"); err != nil {
		t.Fatal(err)
	}
	match("b", 1)
	write(t, path, "[0]\nc\n(\n")
	var f *rpc.Fault
	if _, err := r.RPCCall("regex.reload"); !errors.As(err, &f) || f.Code != 500 || f.Text != "Failed to reload" {
		t.Error(err)
	}
	if !strings.Contains(r.Log(), "groups:3:") {
		t.Error(r.Log())
	}
	match("b", 1)
	match("c", -1)
}

func TestNoFile(t *testing.T) {
	r := moduletest.New(t, New()).Param("regex", "pcre_caseless", 1)
	r.Message(moduletest.Invite)
	if rc := r.Call("pcre_match_group", "x"); rc != -2 || !strings.Contains(r.Log(), "there are no groups") {
		t.Error(rc, r.Log())
	}
	if rc := r.Call("pcre_match", "A", "a"); rc != -1 {
		t.Error("options count without a file:", rc)
	}
	var f *rpc.Fault
	if _, err := r.RPCCall("regex.reload"); !errors.As(err, &f) || f.Text != "Group matching not enabled" {
		t.Error(err)
	}
}

func TestMatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups")
	write(t, path, "[0]\na b\n")
	for param, tt := range map[string][2]string{
		"pcre_caseless":  {"ALICE", "^alice"},
		"pcre_multiline": {"a\nb", "^b"},
		"pcre_dotall":    {"a\nb", "a.b"},
		"pcre_extended":  {"ab", "a b"},
		"max_groups":     {"alice", "^$fU$$"},
	} {
		r := moduletest.New(t, New()).Param("regex", "file", path).Param("regex", param, 1)
		r.Message(moduletest.Invite)
		if rc := r.Call("pcre_match", tt[0], tt[1]); rc != 1 {
			t.Errorf("%s: %d", param, rc)
		}
	}
}

func TestPatternsOfVariables(t *testing.T) {
	r := moduletest.New(t, New())
	r.Message(moduletest.Invite)
	for _, tt := range []struct {
		pattern string
		want    int
	}{{"^b.b", 1}, {"^x", -1}, {"(", -4}, {"^b.b", 1}, {`^(?=b)(\w+)+!`, -1}} {
		r.SetVar("$var(re)", tt.pattern)
		if rc := r.Call("pcre_match", "$rU", "$var(re)"); rc != tt.want {
			t.Errorf("%q: %d", tt.pattern, rc)
		}
	}
	r = moduletest.New(t, New())
	r.Message(moduletest.Invite)
	r.SetVar("$var(re)", `^(?=a)(a+)+!`)
	r.SetVar("$var(text)", strings.Repeat("a", 5000))
	if rc := r.Call("pcre_match", "$var(text)", "$var(re)"); rc != -1 || !strings.Contains(r.Log(), "took too long") {
		t.Error(rc, r.Log())
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"":                            "there is no group",
		"a\n[0]\n":                    ":1: a regular expression before the first group",
		"[0]\na\n\n(b\n":              ":4: a ) is missing",
		"[0]\na\n[1]\n+\nb":           ":4: there is nothing to repeat",
		"[0]\n[1]\n[2]\n":             "max_groups",
		"[0]\n0123456789\n0123456789": "group_max_size",
		"[0]\n(?R)":                   ":2: recursion is not supported",
	} {
		path := filepath.Join(dir, "groups")
		write(t, path, text)
		r := moduletest.New(t, New()).Param("regex", "file", path).Param("regex", "max_groups", 2).Param("regex", "group_max_size", 24)
		if err := r.TryStart(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if err := moduletest.New(t, New()).Param("regex", "file", dir+"/none").TryStart(); err == nil {
		t.Error("no error without the file")
	}
	if _, err := moduletest.New(t, New()).Compile("pcre_match", "x", "a)"); err == nil || !strings.Contains(err.Error(), "no ( before it") {
		t.Error(err)
	}
}

func FuzzGroups(f *testing.F) {
	f.Add([]byte(groupsFile))
	f.Fuzz(func(t *testing.T, data []byte) {
		groups, at, err := parseGroups(data, 8, 256)
		if err != nil && at < 1 || err == nil && (len(groups) == 0 || len(groups) > 8) {
			t.Fatal(groups, at, err)
		}
		for i := range groups {
			if len(groups[i].text) >= 256 {
				t.Fatal("too large")
			}
		}
	})
}

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// completed drives the script of bash: what it offers behind the words typed,
// the last of which is to be completed.
func completed(t *testing.T, script, dir string, words ...string) []string {
	t.Helper()
	// bash-completion cuts the line into words; what it does for a plain line:
	const driver = `
_get_comp_words_by_ref() { words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur="${COMP_WORDS[COMP_CWORD]}"; prev="${COMP_WORDS[COMP_CWORD-1]}"; }
compopt() { :; }
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9; COMP_KEY=9
__start_sipctl
printf '%s\n' "${COMPREPLY[@]}"`
	cmd := exec.Command("bash", append([]string{"--norc", "-c", driver, "bash", script}, words...)...)
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "SIPCTL_DB=sqlite:"+filepath.Join(dir, "sip.db"), "XDG_CONFIG_HOME="+filepath.Join(dir, "home"), "SIPCTL_CONFIG=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("complete %q: %v: %s", words, err, out)
	}
	var list []string
	for line := range strings.Lines(string(out)) {
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if word != "" {
			list = append(list, word)
		}
	}
	slices.Sort(list)
	return list
}

// TestCompletion: the scripts are there for every shell, and the one of bash
// offers commands, options and the names in the database.
func TestCompletion(t *testing.T) {
	sipctl := program(t)
	dir := filepath.Dir(sipctl().Path)
	for _, args := range [][]string{
		{"user", "add", "alice@example.com", "--no-password", "--alias", "100@example.com", "--attr", "color=blue", "--group", "int"},
		{"user", "add", "albert@example.com", "--no-password"},
		{"domain", "add", "example.net"},
		{"config", "set", "db", "sqlite:lab.db", "--in", "lab"},
	} {
		cmd := sipctl(args...)
		cmd.Env = append(cmd.Env, "XDG_CONFIG_HOME="+filepath.Join(dir, "home"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%q: %s", args, out)
		}
	}
	for _, shell := range []string{"zsh", "fish", "powershell"} {
		if out, err := sipctl("completion", shell).Output(); err != nil || !strings.Contains(string(out), "sipctl") || !strings.Contains(string(out), "__complete") {
			t.Errorf("completion %s: %v: %.100s", shell, err, out)
		}
	}
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("skipped: bash is not installed")
	}
	text, err := sipctl("completion", "bash").Output()
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(dir, "completion.bash")
	if err := os.WriteFile(script, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		words string
		want  string
	}{
		{"sipctl user sh_", "show"},
		{"sipctl user show al_", "albert@example.com alice@example.com"},
		{"sipctl user show ali_", "alice@example.com"},
		{"sipctl domain show example._", "example.com example.net"},
		{"sipctl alias rm 1_", "100@example.com"},
		{"sipctl attr rm alice@example.com c_", "color"},
		{"sipctl attr set alice@example.com c_", "color="},
		{"sipctl acl revoke alice@example.com _", "int"},
		{"sipctl user list --domain example.n_", "example.net"},
		{"sipctl -o js_", "json jsonl"},
		{"sipctl -c _", "lab"},
		{"sipctl config use _", "lab"},
		{"sipctl user show nobody_", ""},
	} {
		words := strings.Fields(tt.words)
		last := len(words) - 1
		words[last] = strings.TrimSuffix(words[last], "_")
		if got := strings.Join(completed(t, script, dir, words...), " "); got != tt.want {
			t.Errorf("%s offers %q, want %q", tt.words, got, tt.want)
		}
	}
}

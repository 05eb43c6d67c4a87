package modules_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sipd/router"
	"sipd/router/module"
	"sipd/router/modules"
	"sipd/router/transport/certtest"
)

// aliases are other names of modules; their README is that of the folder.
var aliases = map[string]string{"mysql": "db_mysql"}

// folder is where a module lives.
func folder(a module.Available) string {
	name := a.Name
	if of := aliases[name]; of != "" {
		name = of
	}
	return filepath.Join(a.Flavour.String(), name)
}

// readme is the README of a module.
func readme(t *testing.T, a module.Available) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(folder(a), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestListed: every folder is in the list, and the other way round.
func TestListed(t *testing.T) {
	listed := make(map[string]bool)
	for _, a := range modules.List() {
		listed[folder(a)] = true
		if name := a.New().Exports().Name; name != a.Name {
			t.Errorf("%s calls itself %s", a.Name, name)
		}
	}
	folders, err := filepath.Glob("*/*/module.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		if dir := filepath.Dir(f); !listed[dir] {
			t.Errorf("%s is not in the list of modules", dir)
		}
	}
}

// TestNames: a README names everything that its module exports.
func TestNames(t *testing.T) {
	for _, a := range modules.List() {
		t.Run(a.Name, func(t *testing.T) {
			text := readme(t, a)
			e := a.New().Exports()
			var missing []string
			named := func(kind, name string) {
				if !names(text, name) {
					missing = append(missing, kind+" "+name)
				}
			}
			for _, p := range e.Params {
				named("parameter", p.Name)
			}
			for _, f := range e.Functions {
				named("function", f.Name)
			}
			for _, v := range e.Vars {
				named("variable", "$"+v.Name)
			}
			for _, m := range e.RPC {
				named("RPC method", m.Name)
			}
			if missing != nil {
				t.Errorf("README.md lacks %s", strings.Join(missing, ", "))
			}
		})
	}
}

// names says whether a text has a name as a word of its own.
func names(text, name string) bool {
	for {
		i := strings.Index(text, name)
		if i < 0 {
			return false
		}
		end := i + len(name)
		if (i == 0 || !inName(text[i-1])) && (end == len(text) || !inName(text[end])) {
			return true
		}
		text = text[end:]
	}
}

func inName(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// TestExamples: the example of a README is a configuration that sipd -c passes.
func TestExamples(t *testing.T) {
	for _, a := range modules.List() {
		t.Run(a.Name, func(t *testing.T) {
			cfg := example(t, readme(t, a))
			if aliases[a.Name] == "" && !strings.Contains(cfg, `"`+a.Name+`.so"`) {
				t.Errorf("the example does not load %s", a.Name)
			}
			path := filepath.Join(t.TempDir(), "sipd.cfg")
			if err := os.WriteFile(path, []byte(cfg), 0o600); err != nil {
				t.Fatal(err)
			}
			if a.Name == "tls" { // the certificate that it reads by default
				certtest.Write(t, filepath.Dir(path), "cert.pem", certtest.New(t, "ca").Issue(t, time.Hour, "example.com"))
			}
			var out bytes.Buffer
			r, err := router.Load(t.Context(), router.Options{Config: path, CheckOnly: true, Offline: true, Stderr: &out})
			if err != nil {
				t.Fatalf("%v\n%s", err, out.String())
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// example is the code under "## Example" of a README; without a route block it
// gets one.
func example(t *testing.T, text string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, "\n## Example")
	if !ok {
		t.Fatal("README.md has no example")
	}
	_, rest, ok = strings.Cut(rest, "\n```")
	_, rest, _ = strings.Cut(rest, "\n")
	cfg, _, closed := strings.Cut(rest, "\n```")
	if !ok || !closed {
		t.Fatal("README.md has no code under Example")
	}
	if !strings.Contains(cfg, "request_route") && !strings.Contains(cfg, "route {") {
		cfg += "\nrequest_route { exit; }\n"
	}
	return cfg + "\n"
}

package router

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sipd/router/modules"
)

// inventory is the list of what the default configurations of twenty years use.
const inventory = "../../shared/facts/inventory.tsv"

// notHere are its rows that sipd does not have, by kind and name: those of the
// SER flavour, and what nobody has any more.
var notHere = map[string]string{
	"core param disable_core":                "a comment of SER's configuration has the name; the parameter is disable_core_dump",
	"core param open_fd_limit":               "the same; it is open_files_limit",
	"function attr2uri":                      serFlavour,
	"function del_attr":                      serFlavour,
	"function load_attrs":                    serFlavour,
	"function lookup_contacts":               serFlavour,
	"function lookup_user":                   serFlavour,
	"function replace_attr_hf":               serFlavour,
	"function save_contacts":                 serFlavour,
	"function xlset_attr":                    serFlavour,
	"modparam acc_db.db_url":                 serFlavour,
	"modparam acc_db.failed_transactions":    serFlavour,
	"modparam acc_db.log_flag":               serFlavour,
	"modparam auth_db.plain_password_column": serFlavour,
	"modparam avp_db.db_url":                 serFlavour,
	"modparam domain.load_domain_attrs":      serFlavour,
	"modparam gflags.db_url":                 serFlavour,
	"modparam gflags.load_global_attrs":      serFlavour,
	"modparam rr.cookie_filter":              serFlavour,
	"modparam rr.cookie_secret":              serFlavour,
	"module acc_db":                          serFlavour,
	"module avp":                             serFlavour,
	"module avp_db":                          serFlavour,
	"module gflags":                          serFlavour,
	"function rewriteFromRoute":              first,
	"function sl_filter_ACK":                 first,
	"modparam auth.calculate_ha1":            first,
	"modparam auth.password_column":          first,
	"module print":                           first,
}

const (
	serFlavour = "of the SER flavour (uids)"
	first      = "of SER 0.8.8"
)

// mistakes is what a check says of a configuration that loads every module.
func mistakes(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sipd.cfg")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Load(t.Context(), Options{Config: path, ServerID: -1, CheckOnly: true, Offline: true})
	if err == nil {
		_ = r.Close()
		return ""
	}
	return err.Error()
}

// everyModule loads all modules but one: rtpproxy and rtpengine have functions
// of the same names.
func everyModule(but string) string {
	var b strings.Builder
	seen := map[string]bool{"mysql": true, "fifo": true, but: true}
	for _, a := range modules.List() {
		if !seen[a.Name] {
			seen[a.Name] = true
			fmt.Fprintf(&b, "loadmodule %q\n", a.Name+".so")
		}
	}
	return b.String()
}

var nameRE = regexp.MustCompile(`^[A-Za-z_]\w*$`)

// probe is a configuration that uses a row, and what a check says when sipd does
// not know it; ok is false for rows that a check cannot tell about.
func probe(kind, name string) (text, unknown string, ok bool) {
	module, param, dotted := strings.Cut(name, ".")
	switch kind {
	case "function":
		return fmt.Sprintf("request_route { %s(); }\n", name), fmt.Sprintf("unknown function %q", name), nameRE.MatchString(name)
	case "module":
		return "", "", false // asked of the list
	case "modparam":
		return fmt.Sprintf("modparam(%q, %q, 1)\n", module, param), fmt.Sprintf("has no parameter %q", param), dotted
	case "pv":
		return fmt.Sprintf("request_route { $var(x) = %s; }\n", name), "unknown variable", strings.HasPrefix(name, "$") && !strings.ContainsAny(name, " …<")
	case "select":
		return fmt.Sprintf("request_route { $var(x) = %s; }\n", name), "unknown select", !strings.ContainsAny(name, " …<")
	case "core param":
		return name + "=1\n", "unknown core parameter", nameRE.MatchString(name)
	}
	return "", "", false
}

// TestInventory asks for each row of the inventory whether sipd has it.
func TestInventory(t *testing.T) {
	b, err := os.ReadFile(inventory)
	if err != nil {
		t.Skipf("skipped: the inventory is not beside the project: %v", err)
	}
	have := make(map[string]bool)
	for _, a := range modules.List() {
		have[a.Name] = true
	}
	sets := []string{everyModule("rtpengine"), everyModule("rtpproxy")}
	asked, missing := 0, make(map[string]bool)
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) < 6 || f[0] == "kind" {
			continue
		}
		kind, name := f[0], f[1]
		key := kind + " " + name
		if kind == "module" {
			if asked++; !have[name] {
				missing[key] = true
			}
			continue
		}
		text, unknown, ok := probe(kind, name)
		if !ok {
			continue
		}
		asked++
		if !slices.ContainsFunc(sets, func(all string) bool {
			said := mistakes(t, all+text)
			return !strings.Contains(said, unknown) && !strings.Contains(said, "no loaded module matches")
		}) {
			missing[key] = true
		}
	}
	var errs []string
	for key := range missing {
		if notHere[key] == "" {
			errs = append(errs, "missing: "+key)
		}
	}
	for key := range notHere {
		if !missing[key] {
			errs = append(errs, "there after all: "+key)
		}
	}
	slices.Sort(errs)
	if len(errs) > 0 {
		t.Errorf("of %d rows:\n%s", asked, strings.Join(errs, "\n"))
	}
}

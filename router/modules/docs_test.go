package modules

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sipd/router/cfg"
	"sipd/router/corerpc"
	"sipd/router/stat"
	"sipd/rpc"
)

var update = flag.Bool("update", false, "write docs/rpc.md and docs/cfg.md")

// variable is one that an operator may change at run time.
type variable struct {
	group, name string
	v           cfg.Var
}

// documented collects all methods, by the module that has them ("" for the
// core), and all runtime variables, from the declarations themselves.
func documented(t *testing.T) (methods map[string]*rpc.Method, owner map[string]string, vars []variable) {
	t.Helper()
	methods, owner = make(map[string]*rpc.Method), make(map[string]string)
	store, reg := cfg.NewStore(), rpc.NewRegistry()
	if err := corerpc.Register(corerpc.Source{Registry: reg, Stats: stat.NewRegistry(), Cfg: store}); err != nil {
		t.Fatal(err)
	}
	for _, n := range reg.Names() {
		methods[n], _ = reg.Lookup(n)
	}
	if err := new(cfg.Core).Declare(store); err != nil {
		t.Fatal(err)
	}
	if err := new(cfg.TCP).Declare(store); err != nil {
		t.Fatal(err)
	}
	for _, l := range store.List("") {
		vars = append(vars, variable{l.Group, l.Var.Name(), l.Var})
	}
	for _, entry := range List() {
		e := entry.New().Exports()
		for _, m := range e.RPC {
			methods[m.Name], owner[m.Name] = m, e.Name
		}
		for _, p := range e.Params {
			v, ok := p.Value.(cfg.Var)
			if !ok {
				continue
			}
			group := p.Group
			if group == "" {
				group = e.Name
			}
			vars = append(vars, variable{group, p.Name, v})
		}
	}
	slices.SortStableFunc(vars, func(a, b variable) int { return strings.Compare(a.group, b.group) })
	return methods, owner, vars
}

// TestDocs compares docs/rpc.md and docs/cfg.md with the declarations they are
// generated from; -update writes them.
func TestDocs(t *testing.T) {
	methods, owner, vars := documented(t)
	for name, text := range map[string]string{"rpc.md": rpcDocument(methods, owner), "cfg.md": cfgDocument(vars)} {
		path := filepath.Join("..", "..", "docs", name)
		if *update {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		have, err := os.ReadFile(path)
		if err != nil || string(have) != text {
			t.Errorf("docs/%s is not what the declarations say (%v); run: go test ./router/modules -run TestDocs -update\n%s",
				name, err, firstDifference(string(have), text))
		}
	}
}

func firstDifference(have, want string) string {
	a, b := strings.Split(have, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d has\n%s\nwant\n%s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("it has %d lines, want %d", len(a), len(b))
}

const rpcIntro = `# RPC methods

Generated from the declarations of the methods (go test ./router/modules -run TestDocs -update).

Every wire serves these methods; a method of a module is there when the module
is loaded. Parameters in brackets may be left out, three dots repeat. A text
that looks like a number is sent as what the method takes: sipcmd asks the
daemon (` + "`system.describe`" + `). Methods marked *changes* need the full role and are
logged with who, what, before and after. A fault has a code and a text.

A reply may be of any size: HTTP and the line protocol stream it, and sipcmd
reads it in pieces over BinRPC (` + "`system.page`" + `). The elders' clients get fault
413 where a reply does not fit a packet, or 128 KiB.
`

func rpcDocument(methods map[string]*rpc.Method, owner map[string]string) string {
	var b strings.Builder
	b.WriteString(rpcIntro)
	names := make([]string, 0, len(methods))
	for n := range methods {
		names = append(names, n)
	}
	slices.Sort(names)
	last := ""
	for _, n := range names {
		if group, _, _ := strings.Cut(n, "."); group != last {
			fmt.Fprintf(&b, "\n## %s\n", group)
			last = group
		}
		writeMethod(&b, methods[n], owner[n])
	}
	return b.String()
}

func writeMethod(b *strings.Builder, m *rpc.Method, owner string) {
	fmt.Fprintf(b, "\n### `%s`\n\n%s", usage(m), m.Help)
	if owner != "" {
		fmt.Fprintf(b, " Module %s.", owner)
	}
	if m.Changes {
		b.WriteString(" *Changes.*")
	}
	b.WriteString("\n\n")
	for i, p := range m.Params {
		fmt.Fprintf(b, "- `%s`, %s", p.Name, p.Type)
		if m.Optional(i) {
			b.WriteString(", may be left out")
		}
		if p.Help != "" {
			b.WriteString(": " + p.Help)
		}
		b.WriteString("\n")
	}
	reply := "nothing"
	switch {
	case m.List && m.Reply != "":
		reply = "a list, each " + inCode(m.Reply)
	case m.List:
		reply = "a list"
	case m.Reply != "":
		reply = inCode(m.Reply)
	}
	fmt.Fprintf(b, "- Reply: %s\n", reply)
	if m.BadParams != nil {
		fmt.Fprintf(b, "- Fault for missing or wrong parameters: %d %s\n", m.BadParams.Code, m.BadParams.Text)
	}
	if m.Example != "" || mandatory(m) == 0 {
		fmt.Fprintf(b, "- Example: `%s`\n", strings.TrimSpace("sipcmd "+m.Name+" "+m.Example))
	}
}

// inCode shows a shape; prose in it stays readable.
func inCode(s string) string { return "`" + strings.ReplaceAll(s, "`", "'") + "`" }

// usage is the method as typed: required parameters, then optional ones.
func usage(m *rpc.Method) string {
	words, closing := m.Name, ""
	for i, p := range m.Params {
		name := strings.ToUpper(p.Name)
		if p.Rest {
			name += "…"
		}
		if m.Optional(i) {
			words += " [" + name
			closing += "]"
			continue
		}
		words += " " + name
	}
	return words + closing
}

func mandatory(m *rpc.Method) int {
	n := 0
	for i := range m.Params {
		if !m.Optional(i) {
			n++
		}
	}
	return n
}

const cfgIntro = `# Runtime variables

Generated from the declarations of the variables (go test ./router/modules -run TestDocs -update).

Show them with ` + "`sipcmd cfg.get GROUP NAME`" + `, change them with ` + "`sipcmd cfg.set GROUP NAME VALUE`" + `;
` + "`cfg.set_delayed`" + ` and ` + "`cfg.commit`" + ` change several at once. ` + "`GROUP[ID]`" + ` is an instance: it follows
the default in what it has no value for, and a script picks it for a message
with ` + "`cfg_select(\"GROUP\", ID)`" + `. Start values come from modparam and core
parameters of the same names. The configuration may declare groups of its own:
` + "`pstn.gateway = \"192.0.2.7\" desc \"where calls go\"`" + `.

When a change counts: *next request* for the next message or timer run, of which
each sees one consistent set; *start* for what only the configuration sets. "not
read" variables answer cfg.get with a fault, as in Kamailio; "no instances" ones
have a default value alone.
`

func cfgDocument(vars []variable) string {
	var b strings.Builder
	b.WriteString(cfgIntro)
	last := ""
	for _, v := range vars {
		if v.group != last {
			fmt.Fprintf(&b, "\n## %s\n\n| variable | type | range | default | counts at | meaning |\n|---|---|---|---|---|---|\n", v.group)
			last = v.group
		}
		d := describeVar(v.v)
		fmt.Fprintf(&b, "| `%s.%s` | %s | %s | %s | %s | %s |\n", v.group, v.name, d.kind, d.bounds, d.def, d.when,
			strings.ReplaceAll(v.v.Describe(), "|", "\\|"))
	}
	return b.String()
}

type varText struct{ kind, bounds, def, when string }

func describeVar(v cfg.Var) varText {
	var d varText
	var flags cfg.Flags
	switch v := v.(type) {
	case *cfg.Int:
		d = varText{kind: "int", bounds: "–", def: strconv.Itoa(v.Default)}
		flags = v.Flags
		if v.Min != 0 || v.Max != 0 {
			d.bounds = fmt.Sprintf("%d to %d", v.Min, v.Max)
		}
		if v.ByName != nil {
			d.kind = "int, set by name"
		}
	case *cfg.Str:
		d = varText{kind: "string", bounds: "–", def: "`" + v.Default + "`"}
		flags = v.Flags
		if v.Default == "" {
			d.def = "–"
		}
	}
	d.when = "next request"
	if flags&cfg.ReadOnly != 0 {
		d.when = "start"
	}
	if flags&cfg.Hidden != 0 {
		d.when += "; not read"
	}
	if flags&cfg.Once != 0 {
		d.when += "; no instances"
	}
	return d
}

// TestMethodsAreDescribed: each method has help, and its example, as typed, has
// what the method wants.
func TestMethodsAreDescribed(t *testing.T) {
	methods, _, _ := documented(t)
	for name, m := range methods {
		if m.Help == "" {
			t.Errorf("%s has no help", name)
		}
		if m.Example == "" {
			continue
		}
		words := exampleWords(m.Example)
		if len(words) < mandatory(m) {
			t.Errorf("the example of %s has %d words (%q), it wants %d", name, len(words), words, mandatory(m))
		}
		for i, w := range words {
			switch p := m.Params[min(i, len(m.Params)-1)]; {
			case i >= len(m.Params) && !p.Rest:
				t.Errorf("the example of %s has a word too many: %q", name, w)
			case p.Type == rpc.TInt || p.Type == rpc.TTime:
				if _, err := strconv.Atoi(w); err != nil {
					t.Errorf("the example of %s gives %q for %s, a number", name, w, p.Name)
				}
			case p.Type == rpc.TDouble:
				if _, err := strconv.ParseFloat(w, 64); err != nil {
					t.Errorf("the example of %s gives %q for %s, a number", name, w, p.Name)
				}
			}
		}
	}
}

// exampleWords splits an example as a shell would, with double quotes.
func exampleWords(s string) []string {
	var words []string
	var word strings.Builder
	open, any := false, false
	for _, r := range s + " " {
		switch {
		case r == '"':
			open, any = !open, true
		case r == ' ' && !open:
			if any {
				words = append(words, word.String())
			}
			word.Reset()
			any = false
		default:
			word.WriteRune(r)
			any = true
		}
	}
	return words
}

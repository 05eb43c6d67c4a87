package script

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the messages that come into testdata/bad")

// readOS reads files of the system.
func readOS(path string) (string, error) {
	b, err := os.ReadFile(path)
	return string(b), err
}

// texts is a file system of strings.
type texts map[string]string

func (m texts) read(path string) (string, error) {
	if s, ok := m[path]; ok {
		return s, nil
	}
	return "", &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

func parseText(t testing.TB, text string) (*File, ErrorList) {
	t.Helper()
	return parseWith(t, texts{"test.cfg": text}, nil)
}

func parseWith(t testing.TB, m texts, opts *Options) (*File, ErrorList) {
	t.Helper()
	f, err := Parse(m.read, "test.cfg", opts)
	var l ErrorList
	if err != nil && !errors.As(err, &l) {
		t.Fatalf("Parse: %v", err)
	}
	return f, l
}

// dump writes a tree without positions, to compare two.
func dump(v any) string {
	var b strings.Builder
	dumpValue(&b, reflect.ValueOf(v), 0)
	return b.String()
}

func dumpValue(b *strings.Builder, v reflect.Value, depth int) {
	in := strings.Repeat(" ", depth)
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			b.WriteString("nil\n")
			return
		}
		dumpValue(b, v.Elem(), depth)
	case reflect.Struct:
		fmt.Fprintf(b, "%s\n", v.Type().Name())
		for i := range v.NumField() {
			f := v.Type().Field(i)
			// Print loses the flavour, bare calls and how a string was quoted.
			if f.Type == reflect.TypeFor[Pos]() || f.Name == "Flavour" || f.Name == "Raw" {
				continue
			}
			fmt.Fprintf(b, "%s %s: ", in, f.Name)
			dumpValue(b, v.Field(i), depth+1)
		}
	case reflect.Slice:
		b.WriteString("\n")
		for i := range v.Len() {
			fmt.Fprintf(b, "%s - ", in)
			dumpValue(b, v.Index(i), depth+2)
		}
	default:
		fmt.Fprintf(b, "%#v\n", v.Interface())
	}
}

// checkRoundTrip prints a tree, parses that and compares.
func checkRoundTrip(t *testing.T, f *File) {
	t.Helper()
	text := Print(f)
	again, errs := parseText(t, text)
	if errs != nil {
		t.Fatalf("printed configuration does not parse: %v\n%s", errs, text)
	}
	if a, b := dump(f.Items), dump(again.Items); a != b {
		x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
		i := 0
		for i < min(len(x), len(y)) && x[i] == y[i] {
			i++
		}
		from := max(0, i-8)
		t.Errorf("printed configuration parses to another tree; printed:\n%s\nbefore:\n%s\nafter:\n%s", text,
			strings.Join(x[from:min(i+3, len(x))], "\n"), strings.Join(y[from:min(i+3, len(y))], "\n"))
	}
}

// checkPositions walks the tree and looks whether all places lie in their source.
func checkPositions(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			checkPositions(t, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			checkPositions(t, v.Index(i))
		}
	case reflect.Struct:
		if p, ok := v.Interface().(Pos); ok {
			if p.Src != nil && (p.Off < 0 || p.Off > p.End || p.End > len(p.Src.Text)) {
				t.Errorf("place %d..%d lies outside of %s (%d octets)", p.Off, p.End, p.Src.Name, len(p.Src.Text))
			}
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Type != reflect.TypeFor[[]*Source]() {
				checkPositions(t, v.Field(i))
			}
		}
	}
}

// withDefines finds the WITH_… names that a configuration tests.
func withDefines(text string) []string {
	seen := map[string]bool{}
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^\s*#!if(?:n)?def\s+(WITH_\w+)`).FindAllStringSubmatch(text, -1) {
		if !seen[m[1]] {
			seen[m[1]] = true
			names = append(names, m[1])
		}
	}
	return names
}

func sharedDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SIPD_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	return dir
}

func TestSeedConfigurations(t *testing.T) {
	paths := []string{"/etc/kamailio/kamailio.cfg"}
	for _, n := range []string{"ser-0.8.8.cfg", "ser-2010.cfg", "kamailio-3.1.cfg"} {
		paths = append(paths, filepath.Join(sharedDir(t), "seed", n))
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := readOS(path)
			if err != nil {
				t.Skipf("no %s here", path)
			}
			names := withDefines(text)
			sets := [][]string{nil, names}
			for _, n := range names {
				sets = append(sets, []string{n})
				sets = append(sets, []string{"WITH_MYSQL", "WITH_AUTH", "WITH_NAT", n})
			}
			for _, defs := range sets {
				f, err := Parse(readOS, path, &Options{Defines: defs})
				if err != nil {
					t.Errorf("with %v:\n%v", defs, err)
					continue
				}
				if len(f.Warnings) > 0 {
					t.Errorf("with %v: warnings:\n%v", defs, f.Warnings)
				}
				checkRoundTrip(t, f)
			}
		})
	}
}

// TestGood parses testdata/good.
func TestGood(t *testing.T) {
	paths, _ := filepath.Glob("testdata/good/*.cfg")
	if len(paths) == 0 {
		t.Fatal("testdata/good is empty")
	}
	for _, path := range paths {
		f, err := Parse(readOS, path, &Options{Predefined: []string{"KAMAILIO_5"}})
		if err != nil {
			t.Errorf("%s:\n%v", path, err)
			continue
		}
		checkRoundTrip(t, f)
		checkPositions(t, reflect.ValueOf(f))
	}
}

// TestBad parses testdata/bad/parse; the first lines of each file, which start
// with "#= ", are the messages that must come, "line:col: text | hint", in
// order.
func TestBad(t *testing.T) {
	checkBad(t, "testdata/bad/parse/*.cfg", func(path string, read ReadFunc) error {
		_, err := Parse(read, path, nil)
		return err
	})
}

func checkBad(t *testing.T, pattern string, load func(path string, read ReadFunc) error) {
	t.Helper()
	paths, _ := filepath.Glob(pattern)
	if len(paths) == 0 {
		t.Fatalf("no files %s", pattern)
	}
	for _, path := range paths {
		text, _ := readOS(path)
		body := text
		var want []string
		for strings.HasPrefix(body, "#= ") {
			line, rest, _ := strings.Cut(body, "\n")
			want = append(want, line[3:])
			body = rest
		}
		if *update {
			n := len(messages(load(path, texts{path: body}.read)))
			head := strings.Repeat("#= \n", n)
			msgs := messages(load(path, texts{path: head + body}.read))
			text = "#= " + strings.Join(msgs, "\n#= ") + "\n" + body
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		err := load(path, readOS)
		if got := messages(err); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s: messages\n%s\nwant\n%s\nas shown:\n%v", path, strings.Join(got, "\n"), strings.Join(want, "\n"), err)
		}
	}
}

// messages are the mistakes of an error, one a line.
func messages(err error) []string {
	var l ErrorList
	errors.As(err, &l)
	var out []string
	for _, e := range l {
		s := fmt.Sprintf("%d:%d: %s", e.Pos.Line(), e.Pos.Col(), e.Msg)
		if e.Hint != "" {
			s += " | " + e.Hint
		}
		out = append(out, s)
	}
	return out
}

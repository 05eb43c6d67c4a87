package ctl_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sipd/ctl"
	"sipd/db"
	"sipd/db/dbtest"
	"sipd/db/directory"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// runner runs sipctl on a database.
type runner struct {
	tb  testing.TB
	url string
}

func (r runner) run(args ...string) (code int, out, errs string) {
	r.tb.Helper()
	r.tb.Setenv("SIPCTL_CONFIG", "")
	r.tb.Setenv("XDG_CONFIG_HOME", r.tb.TempDir())
	var o, e bytes.Buffer
	code = ctl.Run(r.tb.Context(), append([]string{"--db", r.url}, args...), strings.NewReader("s3cret\n"), &o, &e)
	return code, o.String(), e.String()
}

func (r runner) must(args ...string) string {
	r.tb.Helper()
	code, out, errs := r.run(args...)
	if code != 0 {
		r.tb.Fatalf("sipctl %q exits with %d: %s", args, code, errs)
	}
	return out
}

// TestEngines goes once through everything on every engine in both flavours.
func TestEngines(t *testing.T) {
	for _, e := range db.Engines() {
		for _, f := range []string{"kamailio", "ser"} {
			t.Run(string(e)+"/"+f, func(t *testing.T) {
				r := runner{t, dbtest.URL(t, e)}
				r.must("db", "create", "--flavour", f)
				if out := r.must("db", "create", "--flavour", f); !strings.Contains(out, "nothing was changed") {
					t.Errorf("db create again: %q", out)
				}
				r.must("db", "check")
				r.must("domain", "add", "example.com", "--alias", "example.org")
				r.must("user", "add", "alice@example.com", "--password-stdin", "--alias", "100@example.com")
				r.must("acl", "grant", "alice@example.com", "int")
				r.must("attr", "set", "alice@example.com", "--type", "string", "color=red")
				r.must("user", "passwd", "alice@example.com", "--password-stdin", "--plaintext")
				if code, _, errs := r.run("user", "add", "alice@example.com", "-p", "x"); code != 1 || !strings.Contains(errs, "exists; to change its password") {
					t.Errorf("add twice: %d %q", code, errs)
				}
				for _, name := range []string{"", "a b@example.com", strings.Repeat("x", 1000) + "@example.com", "a\x00b@example.com", "a\xffb@example.com"} {
					if code, out, errs := r.run("user", "add", name, "-p", "x"); code != ctl.ExitUsage || out != "" || len(errs) > 300 {
						t.Errorf("user add %.20q: %d %q %q", name, code, out, errs)
					}
				}
				if out := r.must("user", "list", "-o", "tsv"); strings.Count(out, "\n") != 2 {
					t.Errorf("list:\n%s", out)
				}
				show := r.must("user", "show", "100@example.com", "-o", "json")
				for _, want := range []string{`"user":"alice@example.com"`, `"secret":"ha1+plain"`, `"groups":["int"]`, `"value":"red"`} {
					if !strings.Contains(show, want) {
						t.Errorf("show lacks %s: %s", want, show)
					}
				}
				r.must("user", "rm", "alice@example.com")
				r.must("domain", "rm", "example.com")
				if out := r.must("domain", "list", "-o", "jsonl"); out != "" {
					t.Errorf("domains are left: %s", out)
				}
			})
		}
	}
}

// TestSameUserAtOnce: of many who add one user, one succeeds, on every engine.
func TestSameUserAtOnce(t *testing.T) {
	for _, e := range db.Engines() {
		for _, f := range []string{"kamailio", "ser"} {
			t.Run(string(e)+"/"+f, func(t *testing.T) {
				r := runner{t, dbtest.URL(t, e)}
				r.must("db", "create", "--flavour", f)
				r.must("domain", "add", "example.com")
				const many = 4
				var wg sync.WaitGroup
				codes, errs := [many]int{}, [many]bytes.Buffer{}
				for i := range many {
					wg.Go(func() {
						codes[i] = ctl.Run(t.Context(), []string{"--db", r.url, "user", "add", "alice@example.com", "-p", "x"}, nil, &bytes.Buffer{}, &errs[i])
					})
				}
				wg.Wait()
				good := 0
				for i, code := range codes {
					if code == 0 {
						good++
					} else if !strings.Contains(errs[i].String(), "exists; to change its password") {
						t.Errorf("one says %q", errs[i].String())
					}
				}
				if good != 1 {
					t.Errorf("%d of %d succeeded", good, many)
				}
				if out := r.must("user", "list", "-o", "jsonl"); strings.Count(out, "\n") != 1 {
					t.Errorf("list: %q", out)
				}
			})
		}
	}
}

// TestLocked: another program holds the file for longer than one waits.
func TestLocked(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for a lock")
	}
	r := runner{t, "sqlite:" + filepath.Join(t.TempDir(), "sip.db")}
	r.must("db", "create")
	r.must("domain", "add", "example.com")
	other, err := db.Open(t.Context(), r.url)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	end := errors.New("end")
	err = other.Tx(t.Context(), func(*db.Tx) error {
		code, _, errs := r.run("user", "add", "alice@example.com", "-p", "x")
		if code != 1 || !strings.Contains(errs, "is locked by another program; try again when it has finished") {
			t.Errorf("on a locked file: %d %q", code, errs)
		}
		return end
	})
	if err != end {
		t.Error(err)
	}
	if out := r.must("user", "list", "-o", "jsonl"); out != "" {
		t.Errorf("it was written nevertheless: %q", out)
	}
}

// bench makes a SQLite database of one domain.
func bench(b *testing.B, f db.Flavour) db.Directory {
	r := runner{b, "sqlite:" + filepath.Join(b.TempDir(), "sip.db")}
	r.must("db", "create", "--flavour", string(f))
	r.must("domain", "add", "example.com")
	d, err := db.Open(b.Context(), r.url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = d.Close() })
	dir, err := directory.Open(b.Context(), d, db.Auto)
	if err != nil {
		b.Fatal(err)
	}
	return dir
}

// BenchmarkUserAdd adds users one by one, each in a transaction.
func BenchmarkUserAdd(b *testing.B) {
	for _, f := range []db.Flavour{db.Kamailio, db.SER} {
		b.Run(string(f), func(b *testing.B) {
			dir := bench(b, f)
			n := 0
			for b.Loop() {
				n++
				err := dir.AddUser(b.Context(), db.NewUser{Address: db.Address{User: fmt.Sprintf("u%d", n), Domain: "example.com"}, Password: db.Password{Plain: "secret"}})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "users/s")
		})
	}
}

// BenchmarkUserImport adds the 10,000 users of a CSV file, as the command does.
func BenchmarkUserImport(b *testing.B) {
	const size = 10000
	for _, f := range []db.Flavour{db.Kamailio, db.SER} {
		b.Run(string(f), func(b *testing.B) {
			r := runner{b, "sqlite:" + filepath.Join(b.TempDir(), "sip.db")}
			r.must("db", "create", "--flavour", string(f))
			r.must("domain", "add", "example.com")
			n := 0
			for b.Loop() {
				n++
				var in strings.Builder
				in.WriteString("user,password\n")
				for i := range size {
					fmt.Fprintf(&in, "u%d-%d@example.com,secret\n", n, i)
				}
				if code := ctl.Run(b.Context(), []string{"--db", r.url, "-q", "user", "import", "-"}, strings.NewReader(in.String()), io.Discard, io.Discard); code != 0 {
					b.Fatalf("import exits with %d", code)
				}
			}
			b.ReportMetric(float64(n*size)/b.Elapsed().Seconds(), "users/s")
		})
	}
}

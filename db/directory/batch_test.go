package directory_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/db/directory"
	"sipd/schema"
)

// TestAddEach: mistakes are told user by user; while there is one nothing is
// written, and with skip the rest is.
func TestAddEach(t *testing.T) {
	each(t, func(t *testing.T, dir db.Directory) {
		must(t, dir.AddAlias(t.Context(), db.Address{User: "alice", Domain: "example.com"}, db.Address{User: "100", Domain: "example.com"}))
		bob := user("bob@example.com", "secret")
		bob.Aliases = []db.Address{{User: "200", Domain: "example.com"}}
		bob.Groups = []string{"ld", "int", "ld"}
		bob.Attrs = []db.Attr{{Name: "lang", Type: db.AttrString, Value: "cs"}}
		batch := []db.NewUser{
			bob, user("alice@example.com", "x"), user("100@example.com", "x"), user("bob@example.com", "x"),
			user("200@example.com", "x"), user("x@nowhere.org", "x"), user("carol@example.com", ""), user("dora@example.com", "y"),
		}
		wants := []error{nil, db.ErrExists, db.ErrExists, db.ErrExists, db.ErrExists, db.ErrNoDomain, &db.FieldError{}, nil}
		for _, skip := range []bool{false, true} {
			errs, err := dir.AddEach(t.Context(), batch, skip)
			must(t, err)
			for i, want := range wants {
				_, field := errors.AsType[*db.FieldError](errs[i])
				_, wantField := want.(*db.FieldError)
				if !wantField && !errors.Is(errs[i], want) || field != wantField {
					t.Errorf("skip=%v, %s: %v, want %v", skip, batch[i].Address, errs[i], want)
				}
			}
			_, err = dir.User(t.Context(), bob.Address)
			if there := err == nil; there != skip {
				t.Errorf("skip=%v: bob is there: %v", skip, there)
			}
		}
		all, err := db.All(dir.Users(t.Context(), db.Filter{}))
		must(t, err)
		must(t, dir.Fill(t.Context(), all))
		for _, u := range all {
			one, err := dir.User(t.Context(), u.Address)
			must(t, err)
			if diff := cmp.Diff(one, u, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("User and Fill differ in %s:\n%s", u.Address, diff)
			}
		}
	})
}

// TestAnyName: a name, a password and a value that are taken come back and
// work; what is refused is refused before anything is written.
func TestAnyName(t *testing.T) {
	each(t, func(t *testing.T, dir db.Directory) {
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			n++
			name := fmt.Sprintf("%d", n) + rapid.OneOf(rapid.StringMatching(`['%\\_!*"(;)&=+$,?/#.~-]{0,20}`), rapid.StringMatching(`[؀-ۿ😀-🙏]{1,50}`), rapid.String()).Draw(rt, "name")
			password := rapid.OneOf(rapid.StringMatching(`['"%\\$ ;:-]{1,20}`), rapid.StringN(1, 30, -1)).Draw(rt, "password")
			value := rapid.String().Draw(rt, "value")
			u := user(name+"@example.com", password)
			u.Address = db.Address{User: name, Domain: "example.com"}
			u.Attrs = []db.Attr{{Name: "v", Type: db.AttrString, Value: value}}
			err := dir.AddUser(t.Context(), u)
			if _, field := errors.AsType[*db.FieldError](err); field {
				if strings.Contains(err.Error(), password) && len(password) > 8 && !strings.Contains(name+value, password) {
					rt.Fatalf("the error shows the password: %v", err)
				}
				return
			}
			if err != nil {
				rt.Fatalf("AddUser %q: %v", name, err)
			}
			got, err := dir.User(t.Context(), u.Address)
			if err != nil || got.Address != u.Address || len(got.Attrs) != 1 || got.Attrs[0].Value != value || !utf8.ValidString(name) {
				rt.Fatalf("%q with %q came back as %+v, %v", name, value, got, err)
			}
			if ok, err := dir.Authenticate(t.Context(), u.Address, password); !ok || err != nil {
				rt.Fatalf("password %q of %q does not work: %v", password, name, err)
			}
			if _, err := dir.RemoveUser(t.Context(), u.Address); err != nil {
				rt.Fatal(err)
			}
		})
	})
}

// TestWriters: eight who write and two who read one SQLite file, each with
// connections of its own, lose nothing and are never told that it is locked.
func TestWriters(t *testing.T) {
	for _, f := range []db.Flavour{db.SER, db.Kamailio} {
		t.Run(string(f), func(t *testing.T) {
			url := dbtest.URL(t, db.SQLite)
			first, err := db.Open(t.Context(), url, db.Create())
			must(t, err)
			defer first.Close()
			must(t, schema.Create(t.Context(), first, f))
			dir, err := directory.Open(t.Context(), first, f)
			must(t, err)
			must(t, dir.AddDomain(t.Context(), db.Domain{Name: "example.com"}))
			const writers, each = 8, 25
			var wg sync.WaitGroup
			for w := range writers + 2 {
				wg.Go(func() {
					d, err := db.Open(t.Context(), url)
					if err != nil {
						t.Error(err)
						return
					}
					defer d.Close()
					dir, err := directory.Open(t.Context(), d, f)
					if err != nil {
						t.Error(err)
						return
					}
					for i := range each {
						if w >= writers {
							_, err = db.All(dir.Users(t.Context(), db.Filter{}))
						} else {
							err = dir.AddUser(t.Context(), user(fmt.Sprintf("u%d-%d@example.com", w, i), "secret"))
						}
						if err != nil {
							t.Errorf("number %d: %v", w, err)
							return
						}
					}
				})
			}
			wg.Wait()
			all, err := db.All(dir.Users(t.Context(), db.Filter{}))
			if err != nil || len(all) != writers*each {
				t.Errorf("%d users are there, %v; want %d", len(all), err, writers*each)
			}
		})
	}
}

// BenchmarkAddEach adds batches of 2000 users with credentials on every engine.
func BenchmarkAddEach(b *testing.B) {
	const size = 2000
	for _, e := range db.Engines() {
		for _, f := range []db.Flavour{db.Kamailio, db.SER} {
			b.Run(string(e)+"/"+string(f), func(b *testing.B) {
				dir := open(b, e, f)
				must(b, dir.AddDomain(b.Context(), db.Domain{Name: "example.com"}))
				n := 0
				users := make([]db.NewUser, size)
				for b.Loop() {
					n++
					for i := range users {
						users[i] = user(fmt.Sprintf("u%d-%d@example.com", n, i), "secret")
					}
					errs, err := dir.AddEach(b.Context(), users, false)
					must(b, errors.Join(append(errs, err)...))
				}
				b.ReportMetric(float64(n*size)/b.Elapsed().Seconds(), "users/s")
			})
		}
	}
}

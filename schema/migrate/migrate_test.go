package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/db/directory"
	"sipd/schema"
	"sipd/schema/migrate"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func open(tb testing.TB, e db.Engine, f db.Flavour) db.Directory {
	tb.Helper()
	d := dbtest.Open(tb, e)
	must(tb, schema.Create(tb.Context(), d, f))
	dir, err := directory.Open(tb.Context(), d, f)
	must(tb, err)
	return dir
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func addr(s string) db.Address {
	user, domain, _ := strings.Cut(s, "@")
	return db.Address{User: user, Domain: domain}
}

// fill makes what both flavours can hold.
func fill(t *testing.T, dir db.Directory) {
	t.Helper()
	ctx := t.Context()
	must(t, dir.AddDomain(ctx, db.Domain{Name: "example.com", Aliases: []string{"www.example.com"}}))
	must(t, dir.AddDomain(ctx, db.Domain{Name: "example.org", DID: "org-1"}))
	must(t, dir.SetAttrs(ctx, db.OfDomain("example.com"), db.Attr{Name: "lang", Type: db.AttrString, Value: "cs"}))
	at := time.Date(2007, 5, 6, 7, 8, 9, 0, time.UTC)
	must(t, dir.AddUser(ctx, db.NewUser{
		Address: addr("alice@example.com"), Password: db.Password{Plain: "s3cret"}, Created: at,
		Aliases: []db.Address{addr("100@example.com"), addr("al@example.org")}, Groups: []string{"pstn", "free"},
		Attrs: []db.Attr{{Name: "first_name", Type: db.AttrString, Value: "Alice Ř."}, {Name: "fr_timer", Type: db.AttrInt, Value: "5"}},
	}))
	must(t, dir.AddUser(ctx, db.NewUser{Address: addr("bob@example.org"), Password: db.Password{Plain: "clear", Keep: true}, UID: "4711", Created: at}))
	must(t, dir.AddUser(ctx, db.NewUser{Address: addr("carol@example.org"), Password: db.Password{None: true}, Created: at}))
}

// users reads everything that must survive.
func users(t *testing.T, dir db.Directory) []db.User {
	t.Helper()
	var out []db.User
	for u, err := range dir.Users(t.Context(), db.Filter{}) {
		must(t, err)
		full, err := dir.User(t.Context(), u.Address)
		must(t, err)
		slices.SortFunc(full.Aliases, db.Address.Compare)
		out = append(out, full)
	}
	return out
}

// TestThereAndBack: over to the other flavour and back again nothing is lost
// or changed, and Verify agrees each way.
func TestThereAndBack(t *testing.T) {
	for _, first := range []db.Flavour{db.SER, db.Kamailio} {
		other := map[db.Flavour]db.Flavour{db.SER: db.Kamailio, db.Kamailio: db.SER}[first]
		for _, e := range db.Engines() {
			t.Run(string(first)+"/"+string(e), func(t *testing.T) {
				src, mid, end := open(t, db.SQLite, first), open(t, e, other), open(t, db.SQLite, first)
				fill(t, src)
				want := users(t, src)
				for _, leg := range [][2]db.Directory{{src, mid}, {mid, end}} {
					report, err := migrate.Run(t.Context(), leg[0], leg[1], migrate.Options{Batch: 2})
					must(t, err)
					if c := report.Counts; c.Users != 3 || c.Domains != 2 || c.Aliases != 2 || c.Groups != 2 || c.Skipped != 0 {
						t.Errorf("%s to %s: counts %+v", report.From, report.To, c)
					}
					diffs, err := migrate.Verify(t.Context(), leg[0], leg[1])
					if err != nil || len(diffs) != 0 {
						t.Errorf("Verify: %v, %v", diffs, err)
					}
				}
				if diff := cmp.Diff(want, users(t, end)); diff != "" {
					t.Errorf("users changed on the way:\n%s", diff)
				}
				if d, err := end.Domain(t.Context(), "www.example.com"); err != nil || d.Name != "example.com" {
					t.Errorf("domain alias: %+v, %v", d, err)
				}
			})
		}
	}
}

// TestNotes: what cannot be carried is named with its class, by the plan as by
// the run, and the rest goes.
func TestNotes(t *testing.T) {
	src, dst := open(t, db.SQLite, db.SER), open(t, db.SQLite, db.Kamailio)
	ctx := t.Context()
	must(t, src.AddDomain(ctx, db.Domain{Name: "example.com", Realm: "old-realm"}))
	must(t, src.AddDomain(ctx, db.Domain{Name: strings.Repeat("x", 60) + ".example", Realm: "x"}))
	must(t, src.AddUser(ctx, db.NewUser{
		Address: addr("alice@example.com"), Password: db.Password{Plain: "p"},
		Attrs: []db.Attr{{Name: "first_name", Value: strings.Repeat("x", 200)}, {Name: "lang", Value: "en"}},
	}))
	must(t, src.AddUser(ctx, db.NewUser{Address: addr("bob@example.com"), Password: db.Password{Plain: "p"}}))
	must(t, src.SetDisabled(ctx, addr("bob@example.com"), true))
	must(t, src.AddUser(ctx, db.NewUser{Address: addr("carol@example.com"), Password: db.Password{None: true}}))
	plan, err := migrate.Plan(ctx, src, dst)
	must(t, err)
	run, err := migrate.Run(ctx, src, dst, migrate.Options{})
	must(t, err)
	if diff := cmp.Diff(plan, run); diff != "" {
		t.Errorf("the plan said -, the run did +:\n%s", diff)
	}
	var got []string
	for _, n := range run.Notes {
		got = append(got, n.Class)
	}
	slices.Sort(got)
	want := []string{
		migrate.AttrValueTooLong, migrate.CredEmpty, migrate.CredOtherRealm, migrate.DomainTooLong,
		migrate.StateNotStored, migrate.GlobalNotMigrated,
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("classes of notes:\n%s\n%v", diff, run.Notes)
	}
	if run.Counts.Users != 2 || run.Counts.Skipped != 1 || run.Counts.Attrs != 1 {
		t.Errorf("counts %+v", run.Counts)
	}
}

// TestResume: a run that was interrupted between batches goes on.
func TestResume(t *testing.T) {
	src, dst := open(t, db.SQLite, db.SER), open(t, db.SQLite, db.Kamailio)
	must(t, src.AddDomain(t.Context(), db.Domain{Name: "example.com"}))
	const n = 25
	_, err := src.AddUsers(t.Context(), func(yield func(db.NewUser) bool) {
		for i := range n {
			if !yield(db.NewUser{Address: addr(fmt.Sprintf("u%02d@example.com", i)), Password: db.Password{Plain: "p"}}) {
				return
			}
		}
	})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first, err := migrate.Run(ctx, src, dst, migrate.Options{Batch: 10, Progress: func(migrate.Counts) { cancel() }})
	if !errors.Is(err, context.Canceled) || first.Counts.Users != 10 {
		t.Fatalf("interrupted run: %+v, %v", first.Counts, err)
	}
	if diffs, err := migrate.Verify(t.Context(), src, dst); err != nil || len(diffs) != n-10 {
		t.Errorf("Verify after the interruption: %d differences, %v; want %d", len(diffs), err, n-10)
	}
	second, err := migrate.Run(t.Context(), src, dst, migrate.Options{Batch: 10})
	if err != nil || second.Counts.Users != n-10 || second.Counts.Present != 10 {
		t.Errorf("second run: %+v, %v", second.Counts, err)
	}
	if diffs, err := migrate.Verify(t.Context(), src, dst); err != nil || len(diffs) != 0 {
		t.Errorf("Verify: %v, %v", diffs, err)
	}
}

// TestConflicts: an alias that somebody has as his own address, a user in no
// domain, an alias of nobody; each leaves the rest alone.
func TestConflicts(t *testing.T) {
	src, dst := open(t, db.SQLite, db.Kamailio), open(t, db.SQLite, db.SER)
	ctx := t.Context()
	must(t, src.AddDomain(ctx, db.Domain{Name: "example.com"}))
	for _, a := range []string{"alice@example.com", "bob@example.com"} {
		must(t, src.AddUser(ctx, db.NewUser{Address: addr(a), Password: db.Password{Plain: "p"}}))
	}
	must(t, src.DB().Tx(ctx, func(tx *db.Tx) error {
		return errors.Join(
			tx.Do(ctx, "INSERT INTO dbaliases (alias_username, alias_domain, username, domain) VALUES ('bob', 'example.com', 'alice', 'example.com'), ('x', 'example.com', 'nobody', 'example.com')"),
			tx.Do(ctx, "INSERT INTO subscriber (username, domain, ha1) VALUES ('dan', 'lost.example', '0123456789abcdef0123456789ABCDEF'), ('b d', 'example.com', ''), ('eve', 'example.com', 'not a hash')"))
	}))
	report, err := migrate.Run(ctx, src, dst, migrate.Options{})
	must(t, err)
	var got []string
	for _, n := range report.Notes {
		got = append(got, n.Class)
	}
	slices.Sort(got)
	want := []string{migrate.AliasConflict, migrate.AliasOrphan, migrate.UnknownDomain, migrate.UserSkipped, migrate.UserSkipped}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("classes of notes:\n%s\n%v", diff, report.Notes)
	}
	u, err := dst.User(ctx, addr("dan@lost.example"))
	if err != nil || u.HA1 != "0123456789abcdef0123456789abcdef" {
		t.Errorf("dan: %+v, %v; want his hash in lower case", u, err)
	}
}

// TestDifferences: Verify sees each kind of change.
func TestDifferences(t *testing.T) {
	src, dst := open(t, db.SQLite, db.SER), open(t, db.SQLite, db.Kamailio)
	ctx := t.Context()
	fill(t, src)
	_, err := migrate.Run(ctx, src, dst, migrate.Options{})
	must(t, err)
	alice := addr("alice@example.com")
	must(t, dst.SetPassword(ctx, alice, db.Password{Plain: "other"}))
	must(t, dst.RemoveAlias(ctx, addr("100@example.com")))
	must(t, dst.SetAttrs(ctx, db.OfUser(alice), db.Attr{Name: "fr_timer", Type: db.AttrInt, Value: "6"}))
	_, err = dst.Revoke(ctx, alice, "free")
	must(t, err)
	must(t, dst.AddUser(ctx, db.NewUser{Address: addr("zoe@example.com"), Password: db.Password{Plain: "p"}}))
	must(t, dst.AddDomainAlias(ctx, "example.org", "new.example.org"))
	_, err = dst.RemoveUser(ctx, addr("bob@example.org"))
	must(t, err)
	diffs, err := migrate.Verify(ctx, src, dst)
	must(t, err)
	var got []string
	for _, d := range diffs {
		got = append(got, d.Subject+" "+d.What)
		if strings.Contains(d.String(), db.HA1("alice", "example.com", "other")) {
			t.Errorf("a hash is shown: %s", d)
		}
	}
	slices.Sort(got)
	want := []string{
		"alice@example.com aliases", "alice@example.com attributes", "alice@example.com groups", "alice@example.com ha1", "alice@example.com ha1b",
		"bob@example.org user", "example.org names", "zoe@example.com user",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("differences:\n%s", diff)
	}
}

func TestSameFlavourIsRefused(t *testing.T) {
	a, b := open(t, db.SQLite, db.SER), open(t, db.SQLite, db.SER)
	if _, err := migrate.Plan(t.Context(), a, b); !errors.Is(err, db.ErrNotSupported) {
		t.Errorf("Plan between two ser databases: %v", err)
	}
}

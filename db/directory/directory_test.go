package directory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/db/directory"
	"sipd/schema"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// open makes an empty database of the flavour with its directory.
func open(tb testing.TB, e db.Engine, f db.Flavour) db.Directory {
	tb.Helper()
	d := dbtest.Open(tb, e)
	if err := schema.Create(tb.Context(), d, f); err != nil {
		tb.Fatalf("create %s: %v", f, err)
	}
	dir, err := directory.Open(tb.Context(), d, db.Auto)
	if err != nil {
		tb.Fatalf("open directory: %v", err)
	}
	if dir.Flavour() != f {
		tb.Fatalf("recognised %s, created %s", dir.Flavour(), f)
	}
	return dir
}

// each runs fn on every engine in every flavour, with the domain example.com
// and the user alice in it.
func each(t *testing.T, fn func(t *testing.T, dir db.Directory)) {
	t.Helper()
	for _, e := range db.Engines() {
		for _, f := range []db.Flavour{db.SER, db.Kamailio} {
			t.Run(string(e)+"/"+string(f), func(t *testing.T) {
				dir := open(t, e, f)
				must(t, dir.AddDomain(t.Context(), db.Domain{Name: "example.com"}))
				must(t, dir.AddUser(t.Context(), user("alice@example.com", "secret")))
				fn(t, dir)
			})
		}
	}
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

func user(address, password string) db.NewUser {
	return db.NewUser{Address: addr(address), Password: db.Password{Plain: password}}
}

// state is everything in the database, to see that nothing was written.
func state(tb testing.TB, d *db.DB) map[string]int {
	tb.Helper()
	ts, err := schema.Inspect(tb.Context(), d)
	must(tb, err)
	out := make(map[string]int)
	for name := range ts {
		var n int
		must(tb, d.Reader().GetContext(tb.Context(), &n, "SELECT count(*) FROM "+d.Quote(name)))
		out[name] = n
	}
	return out
}

func TestUserIsStoredHashedOnly(t *testing.T) {
	each(t, func(t *testing.T, dir db.Directory) {
		u, err := dir.User(t.Context(), addr("alice@example.com"))
		must(t, err)
		// printf 'alice:example.com:secret' | md5sum, and with alice@example.com
		const wantHA1, wantHA1B = "b1726872c344b6dc8365b774f8fd6412", "c79656e4f06dbae9fdf6727654273c65"
		if u.HA1 != wantHA1 || u.HA1B != wantHA1B || u.Plain != "" || u.Secret != "ha1" {
			t.Errorf("stored ha1 %q ha1b %q plain %q (%s), want %q %q and no plain text", u.HA1, u.HA1B, u.Plain, u.Secret, wantHA1, wantHA1B)
		}
		if u.UID != "alice@example.com" || u.Realm != "example.com" {
			t.Errorf("uid %q realm %q", u.UID, u.Realm)
		}
	})
}

func TestAuthenticate(t *testing.T) {
	each(t, func(t *testing.T, dir db.Directory) {
		alice := addr("alice@example.com")
		check := func(password string, want bool) {
			t.Helper()
			if ok, err := dir.Authenticate(t.Context(), alice, password); err != nil || ok != want {
				t.Errorf("Authenticate(%q) = %v, %v; want %v", password, ok, err, want)
			}
		}
		check("secret", true)
		check("Secret", false)
		check("", false)
		must(t, dir.SetPassword(t.Context(), alice, db.Password{Plain: "new", Keep: true}))
		check("new", true)
		check("secret", false)
		if u, err := dir.User(t.Context(), alice); err != nil || u.Plain != "new" {
			t.Errorf("kept %q, %v; want the password in clear", u.Plain, err)
		}
		must(t, dir.SetPassword(t.Context(), alice, db.Password{Plain: "newer"}))
		if u, err := dir.User(t.Context(), alice); err != nil || u.Plain != "" {
			t.Errorf("old clear text %q is left, %v", u.Plain, err)
		}
	})
}

// TestRefused: what cannot be done is the error it should be and writes nothing.
func TestRefused(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for name, tt := range map[string]struct {
		do   func(context.Context, db.Directory) error
		want error // nil: a FieldError
	}{
		"user twice":        {func(c context.Context, d db.Directory) error { return d.AddUser(c, user("alice@example.com", "p")) }, db.ErrExists},
		"unknown domain":    {func(c context.Context, d db.Directory) error { return d.AddUser(c, user("bob@nowhere.net", "p")) }, db.ErrNoDomain},
		"empty name":        {func(c context.Context, d db.Directory) error { return d.AddUser(c, user("@example.com", "p")) }, nil},
		"empty domain":      {func(c context.Context, d db.Directory) error { return d.AddUser(c, user("bob@", "p")) }, nil},
		"empty password":    {func(c context.Context, d db.Directory) error { return d.AddUser(c, user("bob@example.com", "")) }, nil},
		"blank in name":     {func(c context.Context, d db.Directory) error { return d.AddUser(c, user("b b@example.com", "p")) }, nil},
		"control character": {func(c context.Context, d db.Directory) error { return d.AddUser(c, user("b\x00b@example.com", "p")) }, nil},
		"long name":         {func(c context.Context, d db.Directory) error { return d.AddUser(c, user(long+"@example.com", "p")) }, nil},
		"long domain":       {func(c context.Context, d db.Directory) error { return d.AddDomain(c, db.Domain{Name: long}) }, nil},
		"domain twice":      {func(c context.Context, d db.Directory) error { return d.AddDomain(c, db.Domain{Name: "EXAMPLE.com"}) }, db.ErrExists},
		"domain in use": {func(c context.Context, d db.Directory) error {
			_, err := d.RemoveDomain(c, "example.com", false)
			return err
		}, db.ErrInUse},
		"alias of a user": {func(c context.Context, d db.Directory) error {
			return d.AddAlias(c, addr("alice@example.com"), addr("alice@example.com"))
		}, db.ErrExists},
		"alias for nobody": {func(c context.Context, d db.Directory) error {
			return d.AddAlias(c, addr("bob@example.com"), addr("b@example.com"))
		}, db.ErrNoUser},
		"alias elsewhere": {func(c context.Context, d db.Directory) error {
			return d.AddAlias(c, addr("alice@example.com"), addr("a@nowhere.net"))
		}, db.ErrNoDomain},
		"no alias": {func(c context.Context, d db.Directory) error { return d.RemoveAlias(c, addr("a@example.com")) }, db.ErrNoAlias},
		"remove nobody": {func(c context.Context, d db.Directory) error {
			_, err := d.RemoveUser(c, addr("bob@example.com"))
			return err
		}, db.ErrNoUser},
		"password none": {func(c context.Context, d db.Directory) error {
			return d.SetPassword(c, addr("bob@example.com"), db.Password{Plain: "x"})
		}, db.ErrNoUser},
		"grant nobody": {func(c context.Context, d db.Directory) error {
			_, err := d.Grant(c, addr("bob@example.com"), "pstn")
			return err
		}, db.ErrNoUser},
		"empty group": {func(c context.Context, d db.Directory) error {
			_, err := d.Grant(c, addr("alice@example.com"), "pstn", "")
			return err
		}, nil},
		"long group": {func(c context.Context, d db.Directory) error {
			_, err := d.Grant(c, addr("alice@example.com"), long)
			return err
		}, nil},
		"attr of nobody": {func(c context.Context, d db.Directory) error {
			return d.SetAttrs(c, db.OfUser(addr("bob@example.com")), db.Attr{Name: "lang", Value: "en"})
		}, db.ErrNoUser},
		"long value": {func(c context.Context, d db.Directory) error {
			return d.SetAttrs(c, db.OfUser(addr("alice@example.com")), db.Attr{Name: "lang", Value: long})
		}, nil},
		"no number": {func(c context.Context, d db.Directory) error {
			return d.SetAttrs(c, db.OfUser(addr("alice@example.com")), db.Attr{Name: "fr_timer", Type: db.AttrInt, Value: "five"})
		}, nil},
		"missing attr": {func(c context.Context, d db.Directory) error {
			_, err := d.RemoveAttr(c, db.OfUser(addr("alice@example.com")), "lang", nil)
			return err
		}, db.ErrNoAttr},
		"half way": {func(c context.Context, d db.Directory) error {
			u := user("bob@example.com", "p")
			u.Aliases = []db.Address{addr("b@example.com"), addr("alice@example.com")}
			return d.AddUser(c, u)
		}, db.ErrExists},
	} {
		t.Run(name, func(t *testing.T) {
			for _, f := range []db.Flavour{db.SER, db.Kamailio} {
				dir := open(t, db.SQLite, f)
				must(t, dir.AddDomain(t.Context(), db.Domain{Name: "example.com"}))
				must(t, dir.AddUser(t.Context(), user("alice@example.com", "secret")))
				before := state(t, dir.DB())
				err := tt.do(t.Context(), dir)
				if _, ok := errors.AsType[*db.FieldError](err); tt.want == nil && !ok || tt.want != nil && !errors.Is(err, tt.want) {
					t.Errorf("%s: error %v, want %v", f, err, tt.want)
				}
				if err != nil && len(err.Error()) > 300 {
					t.Errorf("%s: the message has %d bytes", f, len(err.Error()))
				}
				if diff := cmp.Diff(before, state(t, dir.DB())); diff != "" {
					t.Errorf("%s: rows changed:\n%s", f, diff)
				}
			}
		})
	}
}

func TestRemoveUserLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, dir db.Directory) {
		ctx := t.Context()
		before := state(t, dir.DB())
		u := user("bob@example.com", "p")
		u.Aliases = []db.Address{addr("b@example.com"), addr("4711@example.com")}
		u.Groups = []string{"pstn", "free"}
		u.Attrs = []db.Attr{{Name: "lang", Value: "cs"}, {Name: "fr_timer", Type: db.AttrInt, Value: "5"}}
		must(t, dir.AddUser(ctx, u))
		insertContact(t, dir, "bob")
		counts, err := dir.RemoveUser(ctx, addr("bob@example.com"))
		must(t, err)
		if diff := cmp.Diff(before, state(t, dir.DB())); diff != "" {
			t.Errorf("rows are left:\n%s", diff)
		}
		if counts["location"] != 1 || counts.Total() < 8 {
			t.Errorf("counts %v, want one location and 8 rows or more", counts)
		}
		if _, err := dir.User(ctx, addr("bob@example.com")); !errors.Is(err, db.ErrNoUser) {
			t.Errorf("User after removal: %v", err)
		}
		must(t, dir.AddUser(ctx, u)) // and can come back
	})
}

// insertContact registers a user as the server would.
func insertContact(t *testing.T, dir db.Directory, name string) {
	t.Helper()
	q := "INSERT INTO location (uid, aor, contact) VALUES (?, 'sip:x', 'sip:y')"
	args := []any{name + "@example.com"}
	if dir.Flavour() == db.Kamailio {
		q, args = "INSERT INTO location (ruid, username, contact) VALUES ('r1', ?, 'sip:y')", []any{name}
	}
	if _, err := dir.DB().Command(q).Exec(t.Context(), args...); err != nil {
		t.Fatal(err)
	}
}

func TestAliases(t *testing.T) {
	each(t, func(t *testing.T, dir db.Directory) {
		ctx := t.Context()
		alice := addr("alice@example.com")
		must(t, dir.AddUser(ctx, user("bob@example.com", "p")))
		must(t, dir.AddAlias(ctx, alice, addr("a@example.com")))
		must(t, dir.AddAlias(ctx, alice, addr("100@example.com")))
		must(t, dir.AddAlias(ctx, addr("bob@example.com"), addr("101@example.com")))
		if err := dir.AddAlias(ctx, addr("bob@example.com"), addr("100@example.com")); !errors.Is(err, db.ErrExists) {
			t.Errorf("alias of two users: %v, want ErrExists", err)
		}
		all, err := db.All(dir.Aliases(ctx, db.Filter{User: alice}))
		must(t, err)
		want := []db.Alias{{Alias: addr("100@example.com"), User: alice}, {Alias: addr("a@example.com"), User: alice}}
		if diff := cmp.Diff(want, all); diff != "" {
			t.Errorf("aliases of alice:\n%s", diff)
		}
		if all, err = db.All(dir.Aliases(ctx, db.Filter{})); err != nil || len(all) != 3 {
			t.Errorf("all aliases: %v, %v; want 3", all, err)
		}
		u, err := dir.User(ctx, addr("a@example.com"))
		if err != nil || u.Address != alice {
			t.Errorf("User by alias = %v, %v; want alice", u.Address, err)
		}
		must(t, dir.RemoveAlias(ctx, addr("a@example.com")))
		if _, err := dir.User(ctx, addr("a@example.com")); !errors.Is(err, db.ErrNoUser) {
			t.Errorf("removed alias still leads to somebody: %v", err)
		}
		if err := dir.RemoveAlias(ctx, alice); !errors.Is(err, db.ErrNoAlias) {
			t.Errorf("own address removed as alias: %v", err)
		}
	})
}

func TestAttrs(t *testing.T) {
	each(t, func(t *testing.T, dir db.Directory) {
		ctx := t.Context()
		o := db.OfUser(addr("alice@example.com"))
		must(t, dir.SetAttrs(ctx, o, db.Attr{Name: "lang", Value: "en"}))
		must(t, dir.SetAttrs(ctx, o,
			db.Attr{Name: "lang", Value: "cs"},
			db.Attr{Name: "fr_timer", Type: db.AttrInt, Value: "5"},
			db.Attr{Name: "pin", Type: db.AttrString, Value: "0042"},
			db.Attr{Name: "pin", Type: db.AttrString, Value: "it's \"ř\""}))
		got, err := dir.Attrs(ctx, o, "")
		must(t, err)
		got = slices.DeleteFunc(got, func(a db.Attr) bool { return a.Name == "datetime_created" })
		want := []db.Attr{
			{Name: "fr_timer", Type: db.AttrInt, Value: "5"},
			{Name: "lang", Type: db.AttrString, Value: "cs"},
			{Name: "pin", Type: db.AttrString, Value: "0042"},
			{Name: "pin", Type: db.AttrString, Value: "it's \"ř\""},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("attributes:\n%s", diff)
		}
		value := "0042"
		if n, err := dir.RemoveAttr(ctx, o, "pin", &value); n != 1 || err != nil {
			t.Errorf("RemoveAttr(pin=0042) = %d, %v; want 1", n, err)
		}
		if got, err := dir.Attrs(ctx, o, "pin"); err != nil || len(got) != 1 {
			t.Errorf("left of pin: %v, %v; want the other value", got, err)
		}
		of := db.OfDomain("example.com")
		must(t, dir.SetAttrs(ctx, of, db.Attr{Name: "lang", Value: "de"}))
		if got, err := dir.Attrs(ctx, of, "lang"); err != nil || len(got) != 1 || got[0].Value != "de" || got[0].Type != db.AttrString {
			t.Errorf("domain attribute: %v, %v", got, err)
		}
		err = dir.SetAttrs(ctx, db.Global(), db.Attr{Name: "lang", Value: "fr"})
		if supported := dir.Flavour() == db.SER; supported != (err == nil) || !supported && !errors.Is(err, db.ErrNotSupported) {
			t.Errorf("global attribute: %v", err)
		}
	})
}

func TestGroups(t *testing.T) {
	each(t, func(t *testing.T, dir db.Directory) {
		ctx := t.Context()
		alice := addr("alice@example.com")
		if n, err := dir.Grant(ctx, alice, "pstn", "free", "pstn"); n != 2 || err != nil {
			t.Errorf("Grant = %d, %v; want 2 new", n, err)
		}
		if got, err := dir.Groups(ctx, alice); err != nil || !slices.Equal(got, []string{"free", "pstn"}) {
			t.Errorf("Groups = %q, %v", got, err)
		}
		if n, err := dir.Revoke(ctx, alice, "free", "other"); n != 1 || err != nil {
			t.Errorf("Revoke = %d, %v; want 1", n, err)
		}
		if n, err := dir.Revoke(ctx, alice); n != 1 || err != nil {
			t.Errorf("Revoke of all = %d, %v; want 1", n, err)
		}
	})
}

func TestDomains(t *testing.T) {
	each(t, func(t *testing.T, dir db.Directory) {
		ctx := t.Context()
		must(t, dir.AddDomain(ctx, db.Domain{Name: "B.example.org", Aliases: []string{"z.example.org"}}))
		must(t, dir.AddDomainAlias(ctx, "z.example.org", "a.example.org"))
		must(t, dir.AddDomainAlias(ctx, "example.com", "www.example.com"))
		d, err := dir.Domain(ctx, "a.example.org")
		must(t, err)
		if d.Name != "b.example.org" || !slices.Equal(d.Aliases, []string{"a.example.org", "z.example.org"}) || d.DID != "b.example.org" || d.Realm != "b.example.org" {
			t.Errorf("Domain by alias = %+v", d)
		}
		if d, err = dir.Domain(ctx, "example.com"); err != nil || d.Users != 1 {
			t.Errorf("example.com has %d users, %v; want 1", d.Users, err)
		}
		all, err := db.All(dir.Domains(ctx, db.Filter{}))
		if err != nil || len(all) != 2 || all[0].Name != "b.example.org" {
			t.Errorf("Domains = %v, %v", all, err)
		}
		if _, err := dir.RemoveDomain(ctx, "z.example.org", false); err != nil {
			t.Errorf("remove an alias: %v", err)
		}
		before := state(t, dir.DB())
		must(t, dir.AddDomain(ctx, db.Domain{Name: "gone.example"}))
		u := user("x@gone.example", "p")
		u.Aliases = []db.Address{addr("y@gone.example")}
		must(t, dir.AddUser(ctx, u))
		must(t, dir.AddAlias(ctx, addr("alice@example.com"), addr("al@gone.example")))
		if _, err := dir.RemoveDomain(ctx, "gone.example", false); !errors.Is(err, db.ErrInUse) {
			t.Errorf("remove a domain with users: %v, want ErrInUse", err)
		}
		if _, err := dir.RemoveDomain(ctx, "gone.example", true); err != nil {
			t.Errorf("remove with cascade: %v", err)
		}
		if diff := cmp.Diff(before, state(t, dir.DB())); diff != "" {
			t.Errorf("after cascade:\n%s", diff)
		}
		if _, err := dir.User(ctx, addr("alice@example.com")); err != nil {
			t.Errorf("cascade took alice, who had an alias there: %v", err)
		}
		if _, err := dir.Domain(ctx, "gone.example"); !errors.Is(err, db.ErrNoDomain) {
			t.Errorf("Domain after removal: %v", err)
		}
	})
}

func TestUsersPages(t *testing.T) {
	each(t, func(t *testing.T, dir db.Directory) {
		ctx := t.Context()
		must(t, dir.AddDomain(ctx, db.Domain{Name: "a.example"}))
		for _, a := range []string{"zed@a.example", "bob@example.com", "Carol@example.com"} {
			u := user(a, "p")
			u.Aliases = []db.Address{addr("alias-" + a)}
			must(t, dir.AddUser(ctx, u))
		}
		names := func(f db.Filter) []string {
			var out []string
			for u, err := range dir.Users(ctx, f) {
				must(t, err)
				if u.HA1 == "" || u.Realm != u.Address.Domain {
					t.Errorf("listed %s without its secret or realm: %+v", u.Address, u)
				}
				out = append(out, u.Address.String())
			}
			return out
		}
		for _, tt := range []struct {
			f    db.Filter
			want []string
		}{
			{db.Filter{}, []string{"zed@a.example", "Carol@example.com", "alice@example.com", "bob@example.com"}},
			{db.Filter{Domain: "a.example"}, []string{"zed@a.example"}},
			{db.Filter{Domain: "no.example"}, nil},
			{db.Filter{Match: "cArO"}, []string{"Carol@example.com"}},
			{db.Filter{Offset: 1, Limit: 2}, []string{"Carol@example.com", "alice@example.com"}},
			{db.Filter{Match: "%"}, nil},
		} {
			if got := names(tt.f); !slices.Equal(got, tt.want) {
				t.Errorf("Users(%+v) = %q, want %q", tt.f, got, tt.want)
			}
		}
	})
}

func TestAddUsersIsAllOrNothing(t *testing.T) {
	each(t, func(t *testing.T, dir db.Directory) {
		before := state(t, dir.DB())
		users := []db.NewUser{user("u1@example.com", "p"), user("u2@example.com", "p"), user("alice@example.com", "p")}
		if n, err := dir.AddUsers(t.Context(), slices.Values(users)); n != 0 || !errors.Is(err, db.ErrExists) || !strings.Contains(err.Error(), "alice@example.com") {
			t.Errorf("AddUsers = %d, %v; want 0 and ErrExists that names alice", n, err)
		}
		if diff := cmp.Diff(before, state(t, dir.DB())); diff != "" {
			t.Errorf("rows changed:\n%s", diff)
		}
		if n, err := dir.AddUsers(t.Context(), slices.Values(users[:2])); n != 2 || err != nil {
			t.Errorf("AddUsers = %d, %v; want 2", n, err)
		}
	})
}

// TestRace: of many that add the same user at once, one succeeds. The SER
// tables have no unique index that would see to it.
func TestRace(t *testing.T) {
	each(t, func(t *testing.T, dir db.Directory) {
		const writers = 8
		errs := make(chan error, writers)
		for range writers {
			go func() { errs <- dir.AddUser(t.Context(), user("bob@example.com", "p")) }()
		}
		won := 0
		for range writers {
			switch err := <-errs; {
			case err == nil:
				won++
			case !errors.Is(err, db.ErrExists) && !errors.Is(err, db.ErrDuplicate):
				t.Errorf("loser got %v, want ErrExists", err)
			}
		}
		if won != 1 {
			t.Errorf("%d of %d added bob, want 1", won, writers)
		}
	})
}

func TestSetDisabled(t *testing.T) {
	dir := open(t, db.SQLite, db.SER)
	ctx := t.Context()
	must(t, dir.AddDomain(ctx, db.Domain{Name: "example.com"}))
	must(t, dir.AddUser(ctx, user("alice@example.com", "p")))
	for _, off := range []bool{true, true, false, false} {
		must(t, dir.SetDisabled(ctx, addr("alice@example.com"), off))
		if u, err := dir.User(ctx, addr("alice@example.com")); err != nil || u.Disabled != off {
			t.Errorf("Disabled = %v, %v; want %v", u.Disabled, err, off)
		}
	}
	k := open(t, db.SQLite, db.Kamailio)
	if err := k.SetDisabled(ctx, addr("alice@example.com"), true); !errors.Is(err, db.ErrNotSupported) {
		t.Errorf("kamailio: %v, want ErrNotSupported", err)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	for name, tt := range map[string]struct {
		make func(*testing.T, *db.DB)
		f    db.Flavour
		want []string
	}{
		"empty":         {func(*testing.T, *db.DB) {}, db.SER, []string{"an empty database", "sipctl db create --flavour ser"}},
		"other flavour": {func(t *testing.T, d *db.DB) { must(t, schema.Create(t.Context(), d, db.SER)) }, db.Kamailio, []string{"SER 2.0", "kamailio flavour", "--flavour ser"}},
		"old": {func(t *testing.T, d *db.DB) {
			must(t, d.Tx(t.Context(), func(tx *db.Tx) error {
				return tx.Do(t.Context(), "CREATE TABLE subscriber (username TEXT, domain TEXT, uuid TEXT); CREATE TABLE location (username TEXT, replicate INT, state INT)")
			}))
		}, db.Auto, []string{"SER 0.9", "sipctl db status"}},
		"foreign": {func(t *testing.T, d *db.DB) {
			must(t, d.Tx(t.Context(), func(tx *db.Tx) error { return tx.Do(t.Context(), "CREATE TABLE songs (title TEXT)") }))
		}, db.Auto, []string{"no database of SER"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := dbtest.Open(t, db.SQLite)
			tt.make(t, d)
			_, err := directory.Open(t.Context(), d, tt.f)
			if _, ok := errors.AsType[*schema.MismatchError](err); !ok {
				t.Fatalf("error %v, want a MismatchError", err)
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("message %q lacks %q", err, w)
				}
			}
		})
	}
}

func BenchmarkAddUsers(b *testing.B) {
	for _, f := range []db.Flavour{db.SER, db.Kamailio} {
		b.Run(string(f), func(b *testing.B) {
			dir := open(b, db.SQLite, f)
			must(b, dir.AddDomain(b.Context(), db.Domain{Name: "example.com"}))
			b.ReportAllocs()
			b.ResetTimer()
			n, err := dir.AddUsers(b.Context(), func(yield func(db.NewUser) bool) {
				for i := range b.N {
					if !yield(user(fmt.Sprintf("u%d@example.com", i), "secret")) {
						return
					}
				}
			})
			if n != b.N || err != nil {
				b.Fatalf("added %d of %d: %v", n, b.N, err)
			}
		})
	}
}

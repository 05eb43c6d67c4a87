package db

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseAddress(t *testing.T) {
	for _, tt := range []struct {
		in, domain string
		want       string // "" is an error
	}{
		{"alice@Example.COM", "", "alice@example.com"},
		{"sip:Alice@example.com", "", "Alice@example.com"},
		{"SIPS:alice@[2001:db8::1]", "", "alice@[2001:db8::1]"},
		{"alice", "example.com", "alice@example.com"},
		{"a@b@example.com", "", ""},
		{"al%40ice@example.com", "", "al%40ice@example.com"},
		{"+49-30.(1)*~!'&=$,;?/#_@example.com", "", "+49-30.(1)*~!'&=$,;?/#_@example.com"},
		{"ř@example.com", "", "ř@example.com"},
		{"alice", "", ""},
		{"", "", ""},
		{"@example.com", "", ""},
		{"alice@", "", ""},
		{"al ice@example.com", "", ""},
		{"al\nice@example.com", "", ""},
		{"al\x7fice@example.com", "", ""},
		{"al\u0085ice@example.com", "", ""},
		{"al\xffice@example.com", "", ""},
		{`al"ice@example.com`, "", ""},
		{"<alice@example.com>", "", ""},
		{"alice:pw@example.com", "", ""},
		{"alice@exa mple.com", "", ""},
		{"alice@example..com", "", ""},
		{"alice@-x.com", "", ""},
		{"alice@example.com:5060", "", ""},
		{"alice@[::1", "", ""},
		{"alice@[fe80::1%eth0]", "", ""},
		{"alice@" + strings.Repeat("x", 64) + ".com", "", ""},
		{"alice@" + strings.Repeat("x.", 130) + "com", "", ""},
	} {
		a, err := ParseAddress(tt.in, tt.domain)
		if tt.want == "" {
			if _, ok := errors.AsType[*FieldError](err); !ok {
				t.Errorf("ParseAddress(%q) = %v, %v; want a FieldError", tt.in, a, err)
			}
			continue
		}
		if err != nil || a.String() != tt.want {
			t.Errorf("ParseAddress(%q) = %v, %v; want %s", tt.in, a, err, tt.want)
		}
	}
}

// FuzzParseAddress: what is accepted reads back the same from its own text and
// has no byte that could end a line or a header.
func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"alice@example.com", "sip:a@[::1]", "ř@x", "a@b@c", "sips:%41@x", "a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s, "")
		if err != nil {
			return
		}
		if strings.ContainsAny(a.String(), "\x00\r\n <>\"") {
			t.Errorf("accepted %q", a)
		}
		b, err := ParseAddress(a.String(), "")
		if err != nil || a != b {
			t.Errorf("%q reads back as %q, %v", a, b, err)
		}
	})
}

// FuzzParseURL: whatever comes, the password does not show.
func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"mysql://u:PASSWORD@h:1/n", "postgres://u:PASSWORD@[::1]/n?x=y", "sqlite:///x", "mysql://u:PASSWORD", "x:PASSWORD@y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := parseURL(s)
		if err != nil || l.engine == SQLite || l.password == "" {
			return
		}
		if len(l.password) > 3 && !strings.Contains(l.user+l.host+l.name, l.password) && strings.Contains(l.String(), l.password) {
			t.Errorf("%q shows %q", l, l.password)
		}
	})
}

func TestFieldErrorIsShort(t *testing.T) {
	err := CheckUser("user", strings.Repeat("é", 1000)+" ")
	if err == nil || len(err.Error()) > 200 || !strings.Contains(err.Error(), "2001 bytes") {
		t.Errorf("message: %v", err)
	}
}

func TestSecrets(t *testing.T) {
	a := Address{User: "alice", Domain: "example.com"}
	for _, tt := range []struct {
		p   Password
		ok  bool
		get Secrets
	}{
		{Password{Plain: "s3cret"}, true, Secrets{HA1: "HA1OF", HA1B: "HA1BOF"}},
		{Password{Plain: "s3cret", Keep: true}, true, Secrets{HA1: "HA1OF", HA1B: "HA1BOF", Plain: "s3cret"}},
		{Password{HA1: strings.Repeat("A", 32)}, true, Secrets{HA1: strings.Repeat("a", 32)}},
		{Password{None: true}, true, Secrets{}},
		{Password{}, false, Secrets{}},
		{Password{Plain: "a\nb"}, false, Secrets{}},
		{Password{Plain: strings.Repeat("x", 26)}, true, Secrets{HA1: HA1("alice", "realm", strings.Repeat("x", 26)), HA1B: HA1("alice@example.com", "realm", strings.Repeat("x", 26))}},
		{Password{Plain: strings.Repeat("x", 26), Keep: true}, false, Secrets{}},
		{Password{HA1: "xyz"}, false, Secrets{}},
		{Password{HA1: strings.Repeat("g", 32)}, false, Secrets{}},
	} {
		got, err := tt.p.Secrets(a, "realm", 25)
		if tt.get.HA1 == "HA1OF" {
			tt.get.HA1, tt.get.HA1B = aliceHA1, aliceHA1B
			// openssl dgst -sha256 and -sha512-256 of alice:realm:s3cret
			tt.get.SHA256 = "fb9f62d382427f7b9bff8c203634c07f5330f100fb384ee1fbcb7c06690f7d7c"
			tt.get.SHA512256 = "a266dd0e4ad59b27f1882a3eab9dd87d4ac8937faacaf97c3e031190d446eec9"
		} else if tt.ok && tt.p.Plain != "" {
			tt.get.SHA256, tt.get.SHA512256 = SHA256.HA1("alice", "realm", tt.p.Plain), SHA512256.HA1("alice", "realm", tt.p.Plain)
		}
		if (err == nil) != tt.ok || got != tt.get {
			t.Errorf("Secrets(%+v) = %+v, %v; want %+v, ok=%v", tt.p, got, err, tt.get, tt.ok)
		}
		if err != nil && tt.p.Plain != "" && strings.Contains(err.Error(), tt.p.Plain) {
			t.Errorf("the message shows the password: %v", err)
		}
	}
}

// TestMatch: a password is found behind a hash of any algorithm, and no other is.
func TestMatch(t *testing.T) {
	a := Address{User: "alice", Domain: "example.com"}
	for _, algorithm := range []Algorithm{MD5, SHA256, SHA512256} {
		s, err := Password{Plain: "s3cret", Algorithm: algorithm}.Secrets(a, "realm", 25)
		if err != nil {
			t.Fatal(err)
		}
		if !s.Match(a, "realm", "s3cret") || s.Match(a, "realm", "S3cret") || s.Match(a, "other", "s3cret") || s.Match(a, "realm", "") {
			t.Errorf("%q: %+v matches what it should not, or not what it should", algorithm, s)
		}
	}
	if (Secrets{}).Match(a, "realm", "") {
		t.Error("no secret matches the empty password")
	}
}

// TestBreaker: after a failure nobody asks until the pause is over, then one
// does; failing again doubles the pause, working ends it.
func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b breaker
		asked := func() int {
			n := 0
			for range 5 {
				if b.check() == nil {
					n++
				}
			}
			return n
		}
		if n := asked(); n != 5 {
			t.Errorf("%d of 5 asked a healthy database", n)
		}
		b.failed()
		if n := asked(); n != 0 {
			t.Errorf("%d asked a lost one", n)
		}
		time.Sleep(backOffFirst)
		if n := asked(); n != 1 {
			t.Errorf("%d asked after the pause, want 1", n)
		}
		b.failed()
		time.Sleep(2*backOffFirst - 1)
		if n := asked(); n != 0 {
			t.Errorf("%d asked before the double pause was over", n)
		}
		time.Sleep(time.Nanosecond)
		if n := asked(); n != 1 {
			t.Errorf("%d asked after the double pause, want 1", n)
		}
		b.worked()
		if n := asked(); n != 5 {
			t.Errorf("%d of 5 asked after it worked", n)
		}
		for range 20 {
			b.failed()
		}
		time.Sleep(backOffLast)
		if n := asked(); n != 1 {
			t.Errorf("the pause grew beyond %v", backOffLast)
		}
	})
}

func TestQuote(t *testing.T) {
	for _, tt := range []struct {
		e            Engine
		name, quoted string
		lit          string
	}{
		{SQLite, `a"b`, `"a""b"`, `'x''\'`},
		{PostgreSQL, `a"b`, `"a""b"`, `'x''\'`},
		{MySQL, "a`b", "`a``b`", `'x''\\'`},
	} {
		d := Dialect{Engine: tt.e}
		if got := d.Quote(tt.name); got != tt.quoted {
			t.Errorf("%s Quote(%s) = %s", tt.e, tt.name, got)
		}
		if got := d.Literal(`x'\`); got != tt.lit {
			t.Errorf("%s Literal = %s, want %s", tt.e, got, tt.lit)
		}
	}
}

// printf 'alice:realm:s3cret' | md5sum; the same with alice@example.com
const aliceHA1, aliceHA1B = "81453917fad9517e89255bcf1f7b4ba6", "bfc151746401b73322d76361d5b318c1"

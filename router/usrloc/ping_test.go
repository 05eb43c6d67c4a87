package usrloc

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"sipd/router/sip"
	"sipd/router/transport"
)

// replied is the reply to a ping.
func replied(t testing.TB, ping []byte) *sip.Message {
	t.Helper()
	q, err := sip.Parse(string(ping))
	if err != nil {
		t.Fatalf("%v in\n%s", err, ping)
	}
	m, err := sip.Parse(string(q.AppendReply(nil, &sip.Reply{Code: 200, Reason: "OK", ToTag: "x"})))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestPing: a reply names the contact whose phone was asked, and how long it took.
func TestPing(t *testing.T) {
	l := New(Options{})
	table := l.Register("location")
	x := table.Begin("alice smith@example.com")
	c, err := x.Insert(&Info{URI: "sip:alice@192.0.2.1;line=1", RUID: "uloc-1.2", Path: "<sip:p1;lr>,<sip:p2;lr>", Expires: 5000, Modified: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := NewPinger("test")
	p.Method, p.From = "OPTIONS", "sip:pinger@example.com"
	d := transport.Dest{Proto: transport.UDP, Sock: &transport.Socket{Proto: transport.UDP, Addr: netip.MustParseAddrPort("192.0.2.9:5080")}}
	at := time.UnixMicro(1_100_000_000)
	ping := p.request(c, d, "sip:alice@example.com", true, at)
	for _, want := range []string{
		"OPTIONS sip:alice@192.0.2.1;line=1 SIP/2.0\r\n", "Via: SIP/2.0/UDP 192.0.2.9:5080;rport;branch=z9hG4bKtest", "\r\nRoute: <sip:p1;lr>,<sip:p2;lr>\r\n",
		"\r\nFrom: <sip:pinger@example.com>;tag=test", "\r\nTo: <sip:alice@example.com>\r\n", "\r\nCSeq: 1 OPTIONS\r\n",
	} {
		if !strings.Contains(string(ping), want) {
			t.Errorf("no %q in\n%s", want, ping)
		}
	}
	now := at.Add(25 * time.Millisecond)
	a, own := p.Read(replied(t, ping), now)
	if want := (Answer{"uloc-1.2", "alice smith@example.com", 25 * time.Millisecond}); !own || a != want {
		t.Errorf("the reply says %+v, %v; want %+v", a, own, want)
	}
	if _, own := NewPinger("test").Read(replied(t, ping), now); own {
		t.Error("another pinger takes the reply for its own")
	}
	if !l.Heard(a, now) || c.LastKeepalive() != 1100 || c.Trip() != 25*time.Millisecond {
		t.Errorf("heard at %d, after %v", c.LastKeepalive(), c.Trip())
	}
	if l.Heard(Answer{"uloc-1.3", a.AOR, 0}, now) || l.Heard(Answer{"uloc-1.2", "bob", 0}, now) {
		t.Error("a contact that there is none of was heard")
	}
}

// TestShorten: a contact ends earlier, never later, and not when it was written
// again.
func TestShorten(t *testing.T) {
	l := New(Options{})
	table := l.Register("location")
	add := func(aor string, expires int64) *Contact {
		t.Helper()
		x := table.Begin(aor)
		c, err := x.Insert(&Info{URI: "sip:" + aor + "@h", CallID: "id", Q: 500, Expires: expires, Modified: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if err := x.End(t.Context()); err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, tt := range []struct {
		aor        string
		ends, want int64
	}{{"later", 5000, 1010}, {"sooner", 1005, 1005}, {"never", 0, 0}} {
		c := add(tt.aor, tt.ends)
		table.heard(Answer{c.RUID(), tt.aor, time.Second}, time.Unix(1001, 0))
		if err := table.Shorten(t.Context(), c, 1010); err != nil {
			t.Error(err)
		}
		got := table.Get(tt.aor, nil)
		if len(got) != 1 || got[0].Expires() != tt.want || got[0].RUID() != c.RUID() || got[0].LastKeepalive() != 1001 || got[0].Trip() != time.Second || got[0].Q() != 500 {
			t.Errorf("%s: %+v", tt.aor, got)
		}
	}
	old := add("again", 5000)
	x := table.Begin("again")
	if _, err := x.Update(old, &Info{URI: "sip:again@h", CallID: "id", Expires: 6000, Modified: 2000}); err != nil {
		t.Fatal(err)
	}
	_ = x.End(t.Context())
	if err := table.Shorten(t.Context(), old, 1010); err != nil || table.Get("again", nil)[0].Expires() != 6000 {
		t.Errorf("a contact that registered again ends at %d, %v", table.Get("again", nil)[0].Expires(), err)
	}
	if table.Contacts() != 4 || table.Users() != 4 {
		t.Errorf("%d contacts of %d users", table.Contacts(), table.Users())
	}
}

// FuzzAnswer: whatever branch a reply has, what is read of it is a time that is not
// negative, and a branch made of what was read is read the same.
func FuzzAnswer(f *testing.F) {
	p := NewPinger("fuzz")
	c := pack("bob@example.com", &Info{RUID: "uloc-1"}, 0)
	f.Add(strings.TrimPrefix(p.branch(c, time.UnixMicro(77)), magic+p.prefix))
	f.Add(".zz.")
	f.Add(".7f.YWJj")
	f.Fuzz(func(t *testing.T, tail string) {
		m, err := sip.Parse("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=" + magic + p.prefix + tail + "\r\n\r\n")
		if err != nil {
			return
		}
		a, own := p.Read(m, time.UnixMicro(1000))
		if a.Trip < 0 || !own && a != (Answer{}) {
			t.Fatalf("%q: %+v, %v", tail, a, own)
		}
		if a.RUID == "" && a.AOR == "" {
			return
		}
		again := "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=" + p.branch(pack(a.AOR, &Info{RUID: a.RUID}, 0), time.UnixMicro(1000).Add(-a.Trip)) + "\r\n\r\n"
		if m, err = sip.Parse(again); err != nil {
			t.Fatal(err)
		}
		if b, own := p.Read(m, time.UnixMicro(1000)); !own || b.RUID != a.RUID || b.AOR != a.AOR {
			t.Errorf("%q: %+v, then %+v", tail, a, b)
		}
	})
}

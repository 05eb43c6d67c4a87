package sip

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

const small = "INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP a:5070;branch=1\r\nSubject: x\r\nContent-Length: 4\r\n\r\nbody"

func TestPrintUntouched(t *testing.T) {
	for _, text := range []string{small, inviteText, optionsText, "SIP/2.0 200 OK\nVia: x\n\n"} {
		m := mustParse(t, text)
		if got := string(m.AppendTo(nil, nil)); got != text {
			t.Errorf("printed\n%q\nof\n%q", got, text)
		}
	}
}

func TestEdits(t *testing.T) {
	m := mustParse(t, small)
	sub := m.First(HdrSubject)
	for _, tt := range []struct {
		what string
		do   func(e *Edits)
		want string // what stands between Via and Content-Length
	}{
		{"delete", func(e *Edits) { _ = e.Delete(sub.Start(), sub.End()) }, ""},
		{"replace a value", func(e *Edits) { _ = e.Replace(sub.ValueStart(), sub.ValueEnd(), "y") }, "Subject: y\r\n"},
		{"inserts keep their order", func(e *Edits) { e.Insert(sub.End(), "A: 1\r\n"); e.Insert(sub.End(), "B: 2\r\n") }, "Subject: x\r\nA: 1\r\nB: 2\r\n"},
		{"insert first", func(e *Edits) { e.Insert(sub.End(), "A: 1\r\n"); e.InsertFirst(sub.End(), "B: 2\r\n") }, "Subject: x\r\nB: 2\r\nA: 1\r\n"},
		{"insert before a deletion", func(e *Edits) { _ = e.Delete(sub.Start(), sub.End()); e.Insert(sub.Start(), "A: 1\r\n") }, "A: 1\r\n"},
		{"insert behind a deletion", func(e *Edits) { _ = e.Delete(sub.Start(), sub.End()); e.Insert(sub.End(), "A: 1\r\n") }, "A: 1\r\n"},
		{"insert inside a deletion", func(e *Edits) { _ = e.Delete(sub.Start(), sub.End()); e.Insert(sub.ValueStart(), "A: 1\r\n") }, "A: 1\r\n"},
		{"out of order", func(e *Edits) {
			e.Insert(sub.End(), "Z: 1\r\n")
			_ = e.Replace(sub.ValueStart(), sub.ValueEnd(), "y")
			e.Insert(sub.Start(), "A: 1\r\n")
		}, "A: 1\r\nSubject: y\r\nZ: 1\r\n"},
	} {
		var e Edits
		tt.do(&e)
		want := strings.Replace(small, "Subject: x\r\n", tt.want, 1)
		if got := string(m.AppendTo(nil, nil, &e)); got != want {
			t.Errorf("%s:\n got %q\nwant %q", tt.what, got, want)
		}
	}
}

func TestOverlap(t *testing.T) {
	var e Edits
	if err := e.Delete(10, 20); err != nil {
		t.Fatal(err)
	}
	for _, s := range []Span{{10, 20}, {5, 11}, {19, 25}, {12, 15}, {5, 25}} {
		if err := e.Delete(s.Start, s.End); !errors.Is(err, ErrOverlap) {
			t.Errorf("Delete(%d, %d) beside (10, 20): %v", s.Start, s.End, err)
		}
	}
	e.Insert(20, "x")
	for _, s := range []Span{{5, 10}, {20, 25}} {
		if err := e.Delete(s.Start, s.End); err != nil {
			t.Errorf("Delete(%d, %d) beside (10, 20): %v", s.Start, s.End, err)
		}
	}
	if err := e.Delete(5, 4); err == nil {
		t.Error("a span that ends before it starts passed")
	}
}

// TestMergedLists prints message-wide and branch edits together.
func TestMergedLists(t *testing.T) {
	m := mustParse(t, small)
	sub := m.First(HdrSubject)
	var all, branch Edits
	all.Insert(sub.Start(), "A: all\r\n")
	branch.Insert(sub.Start(), "B: branch\r\n")
	_ = all.Delete(sub.Start(), sub.End())
	_ = branch.Delete(sub.Start(), sub.End())
	branch.Insert(sub.End(), "C: branch\r\n")
	want := strings.Replace(small, "Subject: x\r\n", "A: all\r\nB: branch\r\nC: branch\r\n", 1)
	if got := string(m.AppendTo(nil, nil, &all, &branch)); got != want {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

func TestBodyEdits(t *testing.T) {
	for _, tt := range []struct {
		what, text string
		opt        *PrintOptions
		do         func(m *Message)
		want       string
	}{
		{"replaced", small, nil, func(m *Message) { _ = m.Edits.Replace(m.BodyOffset(), len(m.Raw()), "longer body") }, strings.Replace(strings.Replace(small, "4\r\n", "11\r\n", 1), "\r\nbody", "\r\nlonger body", 1)},
		{"same length", small, nil, func(m *Message) { _ = m.Edits.Replace(m.BodyOffset(), len(m.Raw()), "ydob") }, strings.Replace(small, "body", "ydob", 1)},
		{"appended", small, nil, func(m *Message) { m.Edits.Insert(len(m.Raw()), "!") }, strings.Replace(strings.Replace(small, "4\r\n", "5\r\n", 1), "body", "body!", 1)},
		{
			"added where none was", "OPTIONS sip:a SIP/2.0\r\nl: 0\r\n\r\n", nil,
			func(m *Message) { m.Edits.Insert(len(m.Raw()), "new") }, "OPTIONS sip:a SIP/2.0\r\nl: 3\r\n\r\nnew",
		},
		{
			"no length on a datagram", "OPTIONS sip:a SIP/2.0\r\n\r\n", nil,
			func(m *Message) { m.Edits.Insert(len(m.Raw()), "new") }, "OPTIONS sip:a SIP/2.0\r\n\r\nnew",
		},
		{
			"no length on a stream", "OPTIONS sip:a SIP/2.0\r\nTo: x\r\n\r\nabc", &PrintOptions{NeedLength: true},
			func(*Message) {}, "OPTIONS sip:a SIP/2.0\r\nTo: x\r\nContent-Length: 3\r\n\r\nabc",
		},
		{
			"length removed on a stream", small, &PrintOptions{NeedLength: true},
			func(m *Message) { h := m.First(HdrContentLength); _ = m.Edits.Delete(h.Start(), h.End()) }, small,
		},
		{
			"two lengths on a stream", "OPTIONS sip:a SIP/2.0\r\nl: 3\r\nContent-Length: 99\r\n\r\nabc", &PrintOptions{NeedLength: true},
			func(*Message) {}, "OPTIONS sip:a SIP/2.0\r\nl: 3\r\n\r\nabc",
		},
		{
			"length too large on a stream", "OPTIONS sip:a SIP/2.0\r\nl: 9\r\n\r\nabc", &PrintOptions{NeedLength: true},
			func(*Message) {}, "OPTIONS sip:a SIP/2.0\r\nl: 3\r\n\r\nabc",
		},
		{
			"more than the length", "OPTIONS sip:a SIP/2.0\r\nl: 3\r\n\r\nabcINVITE", nil,
			func(*Message) {}, "OPTIONS sip:a SIP/2.0\r\nl: 3\r\n\r\nabc",
		},
	} {
		m := mustParse(t, tt.text)
		tt.do(m)
		if got := string(m.AppendTo(nil, tt.opt, &m.Edits)); got != tt.want {
			t.Errorf("%s:\n got %q\nwant %q", tt.what, got, tt.want)
		}
	}
}

func TestPrintOptions(t *testing.T) {
	const text = "INVITE sip:b@h SIP/2.0\nVia: SIP/2.0/UDP a:5070;rport;branch=1\nVia: SIP/2.0/UDP z\nRoute: <sip:r>\nTo: x\n\n"
	for _, tt := range []struct {
		what     string
		opt      PrintOptions
		old, new string
	}{
		{"request URI", PrintOptions{RequestURI: "sip:new"}, "sip:b@h", "sip:new"},
		{"top Via", PrintOptions{TopVia: "Via: SIP/2.0/UDP me\r\n"}, "Via: SIP/2.0/UDP a", "Via: SIP/2.0/UDP me\nVia: SIP/2.0/UDP a"},
		{"without top Via", PrintOptions{RemoveTopVia: true}, "Via: SIP/2.0/UDP a:5070;rport;branch=1\n", ""},
		{"source", PrintOptions{Source: netip.MustParseAddrPort("1.2.3.4:99")}, "rport;branch=1", "rport=99;branch=1;received=1.2.3.4"},
		{"Route before Route", PrintOptions{Route: "Route: <sip:p>\r\n"}, "Route:", "Route: <sip:p>\nRoute:"},
		{"extra", PrintOptions{Extra: "X: 1\r\n"}, "To: x\n", "To: x\nX: 1\n"},
	} {
		m := mustParse(t, crlf(text))
		want := crlf(strings.Replace(text, tt.old, tt.new, 1))
		if got := string(m.AppendTo(nil, &tt.opt)); got != want {
			t.Errorf("%s:\n got %q\nwant %q", tt.what, got, want)
		}
	}
	m := mustParse(t, "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a , SIP/2.0/UDP b\r\n\r\n")
	if got, want := string(m.AppendTo(nil, &PrintOptions{RemoveTopVia: true})), "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP b\r\n\r\n"; got != want {
		t.Errorf("two values in one Via:\n got %q\nwant %q", got, want)
	}
	m = mustParse(t, "INVITE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nTo: x\r\n\r\n")
	if got, want := string(m.AppendTo(nil, &PrintOptions{Route: "Route: <sip:p>\r\n"})), "INVITE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nRoute: <sip:p>\r\nTo: x\r\n\r\n"; got != want {
		t.Errorf("Route behind Via:\n got %q\nwant %q", got, want)
	}
}

func TestReply(t *testing.T) {
	const req = "OPTIONS sip:b@h SIP/2.0\nv: %VIA%\nVia: SIP/2.0/UDP second\nRecord-Route: <sip:rr;lr>\nf: <sip:a@h>;tag=1\nTo: <sip:b@h>\nTimestamp: 54\ni: id\nCSeq: 3 OPTIONS\nSubject: no\nContent-Length: 0\n\n"
	src := netip.MustParseAddrPort("192.0.2.9:6000")
	head := "Via: SIP/2.0/UDP second\n"
	for _, tt := range []struct {
		what, via string
		r         Reply
		status    string
		wantVia   string
		want      string // behind the Vias
	}{
		{
			"200", "SIP/2.0/UDP a;branch=1",
			Reply{Code: 200, ToTag: "t"},
			"200 OK", "SIP/2.0/UDP a;branch=1",
			"Record-Route: <sip:rr;lr>\nf: <sip:a@h>;tag=1\nTo: <sip:b@h>;tag=t\ni: id\nCSeq: 3 OPTIONS\nContent-Length: 0\n\n",
		},
		{
			"404 has no Record-Route", "SIP/2.0/UDP a;branch=1",
			Reply{Code: 404, Reason: "Gone\r\nX: y", ToTag: "t", Extra: "X-A: 1\r\n", Server: "Server: s\r\n"},
			"404 Gone", "SIP/2.0/UDP a;branch=1",
			"f: <sip:a@h>;tag=1\nTo: <sip:b@h>;tag=t\ni: id\nCSeq: 3 OPTIONS\nX-A: 1\nServer: s\nContent-Length: 0\n\n",
		},
		{
			"100 has Timestamp", "SIP/2.0/UDP a;branch=1",
			Reply{Code: 100},
			"100 Trying", "SIP/2.0/UDP a;branch=1",
			"f: <sip:a@h>;tag=1\nTo: <sip:b@h>\nTimestamp: 54\ni: id\nCSeq: 3 OPTIONS\nContent-Length: 0\n\n",
		},
		{
			"body", "SIP/2.0/UDP a;branch=1",
			Reply{Code: 486, Body: "xyz", ContentType: "text/plain"},
			"486 Busy Here", "SIP/2.0/UDP a;branch=1",
			"f: <sip:a@h>;tag=1\nTo: <sip:b@h>\ni: id\nCSeq: 3 OPTIONS\nContent-Type: text/plain\nContent-Length: 3\n\nxyz",
		},
		{"same address", "SIP/2.0/UDP 192.0.2.9;branch=1", Reply{Code: 400, Source: src}, "400 Bad Request", "SIP/2.0/UDP 192.0.2.9;branch=1", "-"},
		{"other address", "SIP/2.0/UDP 10.0.0.1;branch=1", Reply{Code: 400, Source: src}, "400 Bad Request", "SIP/2.0/UDP 10.0.0.1;branch=1;received=192.0.2.9", "-"},
		{"a name", "SIP/2.0/UDP phone;branch=1", Reply{Code: 400, Source: src}, "400 Bad Request", "SIP/2.0/UDP phone;branch=1;received=192.0.2.9", "-"},
		{"rport", "SIP/2.0/UDP 192.0.2.9;rport;branch=1", Reply{Code: 400, Source: src}, "400 Bad Request", "SIP/2.0/UDP 192.0.2.9;rport=6000;branch=1;received=192.0.2.9", "-"},
		{"rport forced", "SIP/2.0/UDP 192.0.2.9;branch=1", Reply{Code: 400, Source: src, ForceRPort: true}, "400 Bad Request", "SIP/2.0/UDP 192.0.2.9;branch=1;rport=6000", "-"},
		{"lies replaced", "SIP/2.0/UDP a;received=6.6.6.6;rport=1;branch=1", Reply{Code: 400, Source: src}, "400 Bad Request", "SIP/2.0/UDP a;received=192.0.2.9;rport=6000;branch=1", "-"},
		{"several values", "SIP/2.0/UDP a;rport, SIP/2.0/UDP b", Reply{Code: 400, Source: src}, "400 Bad Request", "SIP/2.0/UDP a;rport=6000;received=192.0.2.9, SIP/2.0/UDP b", "-"},
	} {
		m := mustParse(t, crlf(strings.Replace(req, "%VIA%", tt.via, 1)))
		got := string(m.AppendReply(nil, &tt.r))
		want := crlf("SIP/2.0 " + tt.status + "\nv: " + tt.wantVia + "\n" + head)
		if tt.want != "-" {
			want += crlf(tt.want)
		}
		if got != want && (tt.want != "-" || !strings.HasPrefix(got, want)) {
			t.Errorf("%s:\n got %q\nwant %q", tt.what, got, want)
		}
	}
}

func TestReplyTagKept(t *testing.T) {
	m := mustParse(t, crlf("BYE sip:b SIP/2.0\nTo: <sip:b>;tag=old\n\n"))
	if got := string(m.AppendReply(nil, &Reply{Code: 200, ToTag: "new"})); !strings.Contains(got, "To: <sip:b>;tag=old\r\n") {
		t.Errorf("got %q", got)
	}
}

func TestReplyAllocations(t *testing.T) {
	m := mustParse(t, inviteText)
	r := &Reply{Code: 200, ToTag: "t", Source: netip.MustParseAddrPort("[2001:db8::1]:6000")}
	dst := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(50, func() { dst = m.AppendReply(dst[:0], r) }); n != 0 {
		t.Errorf("a reply allocates %v times", n)
	}
	if n := testing.AllocsPerRun(50, func() { dst = m.AppendTo(dst[:0], nil, &m.Edits) }); n != 0 {
		t.Errorf("printing allocates %v times", n)
	}
}

func TestCancelAndAck(t *testing.T) {
	m := mustParse(t, inviteText)
	const head = "sip:bob@example.com;transport=udp SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK5b1d.7c3f2a1d0.0\nMax-Forwards: 69\nFrom: \"Alice Example\" <sip:alice@example.com>;tag=9f3a2b1c\n"
	want := crlf("CANCEL " + head + "To: <sip:bob@example.com>\nCall-ID: 8f0e6a3c-1f2b-4c5d-9e8f@10.0.0.17\nCSeq: 102 CANCEL\nContent-Length: 0\nReason: x\n\n")
	if got := string(AppendCancel(nil, m, "Reason: x\r\n")); got != want {
		t.Errorf("CANCEL\n got %q\nwant %q", got, want)
	}
	want = crlf("ACK " + head + "To: <sip:bob@example.com>;tag=z\nCall-ID: 8f0e6a3c-1f2b-4c5d-9e8f@10.0.0.17\nCSeq: 102 ACK\nContent-Length: 0\n\n")
	if got := string(AppendAck(nil, m, "<sip:bob@example.com>;tag=z")); got != want {
		t.Errorf("ACK\n got %q\nwant %q", got, want)
	}
	m = mustParse(t, crlf("INVITE sip:b SIP/2.0\nVia: SIP/2.0/UDP a, SIP/2.0/UDP b\nRoute: <sip:1>\nRoute: <sip:2>\nCSeq: 1 INVITE\n\n"))
	want = crlf("CANCEL sip:b SIP/2.0\nVia: SIP/2.0/UDP a\nRoute: <sip:1>\nRoute: <sip:2>\nCSeq: 1 CANCEL\nMax-Forwards: 70\nContent-Length: 0\n\n")
	if got := string(AppendCancel(nil, m, "")); got != want {
		t.Errorf("CANCEL with routes\n got %q\nwant %q", got, want)
	}
}

func TestParseHostAddr(t *testing.T) {
	for host, want := range map[string]string{
		"10.0.0.1": "10.0.0.1", "[2001:db8::1]": "2001:db8::1", "2001:db8::1": "2001:db8::1", "[::ffff:1.2.3.4]": "1.2.3.4",
		"h": "", "abc": "", "1.2.3": "", "[": "", "": "", "dead.beef": "", "[x]": "",
	} {
		a, ok := ParseHostAddr(host)
		if ok != (want != "") || ok && a.String() != want {
			t.Errorf("ParseHostAddr(%q) = %v, %v", host, a, ok)
		}
	}
}

func TestAppendTag(t *testing.T) {
	if got := string(AppendTag(nil, "abc", 0x1f2)); got != "abc.000001f2" {
		t.Errorf("got %q", got)
	}
	m := mustParse(t, crlf("BYE sip:b SIP/2.0\nTo: <sip:b>\n\n"))
	if got := string(m.AppendReply(nil, &Reply{Code: 200, ToTag: "abc", TagHash: 1})); !strings.Contains(got, "To: <sip:b>;tag=abc.00000001\r\n") {
		t.Errorf("got %q", got)
	}
}

type lateText string

func (l lateText) AppendLate(dst []byte, out any) []byte {
	if s, ok := out.(string); ok {
		dst = append(dst, s...)
	}
	return append(dst, l...)
}

// TestInsertLate puts late text before everything else at its place.
func TestInsertLate(t *testing.T) {
	m := mustParse(t, "INVITE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP a\r\n\r\n")
	at := m.FirstLine().End
	m.Edits.Insert(at, "X: 1\r\n")
	m.Edits.InsertLate(at, lateText("A\r\n"))
	m.Edits.InsertLate(at, lateText("B\r\n"))
	m.Edits.InsertFirst(at, "W: 1\r\n")
	var other Edits
	if err := other.Add(&m.Edits); err != nil {
		t.Fatal(err)
	}
	for _, e := range []*Edits{&m.Edits, &other} {
		got := string(m.AppendTo(nil, &PrintOptions{TopVia: "Via: ours\r\n", Out: "o:"}, e))
		if want := "INVITE sip:b SIP/2.0\r\no:A\r\no:B\r\nVia: ours\r\nW: 1\r\nX: 1\r\nVia: SIP/2.0/UDP a\r\n\r\n"; got != want {
			t.Errorf("got %q\nwant %q", got, want)
		}
	}
	if got := string(m.AppendTo(nil, nil, &m.Edits)); !strings.HasPrefix(got, "INVITE sip:b SIP/2.0\r\nA\r\nB\r\nW: 1\r\n") {
		t.Errorf("without options: %q", got)
	}
}

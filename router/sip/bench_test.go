package sip

import (
	"net/netip"
	"strings"
	"testing"
)

// inviteText is a call as a phone behind one proxy sends it, 900 octets.
var inviteText = strings.ReplaceAll(`INVITE sip:bob@example.com;transport=udp SIP/2.0
Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK5b1d.7c3f2a1d0.0
Via: SIP/2.0/UDP 10.0.0.17:5062;rport=40112;received=198.51.100.23;branch=z9hG4bK-524287-1---a6b1c2d3e4f5
Record-Route: <sip:192.0.2.7;lr;ftag=9f3a2b1c>
Max-Forwards: 69
From: "Alice Example" <sip:alice@example.com>;tag=9f3a2b1c
To: <sip:bob@example.com>
Call-ID: 8f0e6a3c-1f2b-4c5d-9e8f@10.0.0.17
CSeq: 102 INVITE
Contact: <sip:alice@198.51.100.23:40112;ob>;+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"
Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, UPDATE
Supported: replaces, outbound, gruu
User-Agent: Example Phone 4.2
Content-Type: application/sdp
Content-Length: 146

v=0
o=- 3883 3883 IN IP4 10.0.0.17
s=-
c=IN IP4 10.0.0.17
t=0 0
m=audio 4000 RTP/AVP 8 0 101
a=rtpmap:101 telephone-event/8000
a=sendrecv
`, "\n", "\r\n")

var optionsText = strings.ReplaceAll(`OPTIONS sip:127.0.0.1:5060 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK-1234-1-0;rport
Max-Forwards: 70
From: sipp <sip:sipp@127.0.0.1:5070>;tag=1234SIPpTag001
To: sut <sip:service@127.0.0.1:5060>
Call-ID: 1-1234@127.0.0.1
CSeq: 1 OPTIONS
Contact: sip:sipp@127.0.0.1:5070
Subject: Performance Test
Content-Length: 0

`, "\n", "\r\n")

func mustParse(tb testing.TB, text string) *Message {
	tb.Helper()
	m, err := Parse(text)
	if err != nil {
		tb.Fatalf("Parse: %v\n%s", err, text)
	}
	return m
}

func benchParse(b *testing.B, text string) {
	m := mustParse(b, text)
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if err := m.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseInvite(b *testing.B)  { benchParse(b, inviteText) }
func BenchmarkParseOptions(b *testing.B) { benchParse(b, optionsText) }

// BenchmarkViews parses what a proxy looks at in every request.
func BenchmarkViews(b *testing.B) {
	m := mustParse(b, inviteText)
	b.ReportAllocs()
	for b.Loop() {
		m.have = 0
		_, err1 := m.Via()
		_, err2 := m.From()
		_, err3 := m.To()
		_, err4 := m.CSeq()
		_, _, err5 := m.MaxForwards()
		if err1 != nil || err2 != nil || err3 != nil || err4 != nil || err5 != nil {
			b.Fatal(err1, err2, err3, err4, err5)
		}
	}
}

func BenchmarkVia(b *testing.B) {
	const s = "SIP/2.0/UDP 10.0.0.17:5062;rport=40112;received=198.51.100.23;branch=z9hG4bK-524287-1---a6b1c2d3e4f5"
	var v Via
	b.ReportAllocs()
	for b.Loop() {
		if err := v.parse(s, 0, len(s)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseURI(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseURI("sip:alice@198.51.100.23:40112;transport=tcp;ob"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSetUser(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := SetUser("sip:alice@example.com:5070;transport=tcp", "bob"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkKindOf(b *testing.B) {
	names := []string{"Via", "From", "To", "Call-ID", "CSeq", "Content-Length", "X-Custom", "user-agent"}
	b.ReportAllocs()
	for b.Loop() {
		for _, n := range names {
			KindOf(n)
		}
	}
}

// BenchmarkForward edits and prints as a proxy does: next hop's URI, own Via,
// received, Record-Route, Max-Forwards.
func BenchmarkForward(b *testing.B) {
	m := mustParse(b, inviteText)
	opt := &PrintOptions{
		RequestURI: "sip:bob@203.0.113.9:5060",
		TopVia:     "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1234.0\r\n",
		Source:     netip.MustParseAddrPort("192.0.2.7:5060"),
	}
	var dst []byte
	var branch Edits
	b.ReportAllocs()
	for b.Loop() {
		m.Edits.Reset()
		_, h, _ := m.MaxForwards()
		_ = m.Edits.Replace(h.ValueStart(), h.ValueEnd(), "68")
		m.Edits.InsertFirst(m.First(HdrRecordRoute).Start(), "Record-Route: <sip:192.0.2.1;lr>\r\n")
		dst = m.AppendTo(dst[:0], opt, &m.Edits, &branch)
	}
}

func BenchmarkReply(b *testing.B) {
	m := mustParse(b, optionsText)
	r := &Reply{
		Code: 200, Reason: "OK", ToTag: "b27e1a1d33761e85846fc98f5f3a7e58.e9fb", Server: "Server: sipd\r\n",
		Source: netip.MustParseAddrPort("127.0.0.1:5070"),
	}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		m.have = 0
		dst = m.AppendReply(dst[:0], r)
	}
}

func BenchmarkCredentials(b *testing.B) {
	const s = `Digest username="alice", realm="example.com", nonce="5f2b1c3d4e5f60718293a4b5c6d7e8f9", uri="sip:example.com", response="0123456789abcdef0123456789abcdef", algorithm=MD5, qop=auth, nc=00000001, cnonce="abcdef01"`
	ha1 := HA1(MD5, "alice", "example.com", "secret")
	b.ReportAllocs()
	for b.Loop() {
		c, err := ParseCredentials(s)
		if err != nil || c.Verify(ha1, "REGISTER", "") {
			b.Fatal(err)
		}
	}
}

func BenchmarkFrame(b *testing.B) {
	buf := []byte(inviteText)
	b.ReportAllocs()
	for b.Loop() {
		if n, err := Frame(buf, 0); n != len(buf) || err != nil {
			b.Fatal(n, err)
		}
	}
}

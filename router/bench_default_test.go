package router

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sipd/db"
	"sipd/router/sip"
	"sipd/router/tm"
	"sipd/router/transport"
	"sipd/schema"
)

// keeper is a network that keeps what was sent last to each peer.
type keeper struct {
	last map[netip.AddrPort]string
	sent int
}

func (k *keeper) Send(d transport.Dest, b []byte) error {
	k.sent++
	k.last[d.Addr] = string(b)
	return nil
}

func (k *keeper) Lookup(string) (netip.Addr, bool) { return netip.MustParseAddr("192.0.2.9"), true }

var (
	benchAlice = netip.MustParseAddrPort("192.0.2.5:5060")
	benchBob   = netip.MustParseAddrPort("192.0.2.6:5060")
)

// benchDefault loads Kamailio's own default configuration without a network.
func benchDefault(b *testing.B, defines ...string) (*Router, *keeper) {
	b.Helper()
	const path = "/etc/kamailio/kamailio.cfg"
	if _, err := os.Stat(path); err != nil {
		b.Skip("skipped: the Debian package kamailio is not installed")
	}
	url := "sqlite:" + filepath.Join(b.TempDir(), "bench.db")
	d, err := db.Open(b.Context(), url, db.Create())
	if err != nil {
		b.Fatal(err)
	}
	if err := schema.Create(b.Context(), d, db.Kamailio); err != nil {
		b.Fatal(err)
	}
	if _, err := d.Writer().ExecContext(b.Context(), "INSERT INTO subscriber (username, domain, password, ha1, ha1b) VALUES ('alice', 'example.com', 'secret', '', '')"); err != nil {
		b.Fatal(err)
	}
	if err := d.Close(); err != nil {
		b.Fatal(err)
	}
	net := &keeper{last: make(map[netip.AddrPort]string)}
	r, err := Load(b.Context(), Options{
		Config: path, Defines: defines, DBURL: url, ServerID: -1, AutoAliases: "no", RunDir: b.TempDir(), Aliases: []string{"example.com"},
		Listen: []string{"udp:192.0.2.1:5060"},
		Dry:    &Dry{Wire: net, Log: slog.DiscardHandler},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = r.Close() })
	return r, net
}

// deliver is a message from a peer.
func deliver(r *Router, from netip.AddrPort, msg string) {
	s := r.Sockets()[0]
	r.receive([]byte(msg), transport.Received{Proto: transport.UDP, Src: from, Dst: s.Addr, Sock: s})
}

func benchRequest(method, uri, id string, from netip.AddrPort, extra string) string {
	return fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%s;rport\r\nMax-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=%s\r\nTo: <sip:bob@example.com>\r\n"+
		"Call-ID: %s\r\nCSeq: 1 %s\r\nContact: <sip:alice@%s>\r\nUser-Agent: bench\r\n%sContent-Length: 0\r\n\r\n", method, uri, from, method, id, id, id, method, from, extra)
}

// BenchmarkDefaultRegister is a REGISTER with good credentials through Kamailio's
// default configuration, from its octets to the 200.
func BenchmarkDefaultRegister(b *testing.B) {
	r, net := benchDefault(b, "WITH_AUTH")
	reg := func(id, extra string) string {
		return strings.Replace(benchRequest("REGISTER", "sip:example.com", id, benchAlice, "Expires: 600\r\n"+extra), "To: <sip:bob@", "To: <sip:alice@", 1)
	}
	deliver(r, benchAlice, reg("first", ""))
	m, err := sip.Parse(net.last[benchAlice])
	if err != nil || m.StatusCode() != 401 {
		b.Fatalf("the first REGISTER is answered %s", net.last[benchAlice])
	}
	ch, err := sip.ParseCredentials(m.Value(m.First(sip.HdrWWWAuthenticate)))
	if err != nil {
		b.Fatal(err)
	}
	ha1, ha2 := benchMD5("alice:example.com:secret"), benchMD5("REGISTER:sip:example.com")
	auth := fmt.Sprintf("Authorization: Digest username=\"alice\", realm=\"example.com\", nonce=\"%s\", uri=\"sip:example.com\", response=\"%s\"\r\n",
		ch.Nonce, benchMD5(ha1+":"+ch.Nonce+":"+ha2))
	msgs := make([]string, 1024)
	for i := range msgs {
		msgs[i] = strings.Replace(reg("r", auth), "CSeq: 1 ", fmt.Sprintf("CSeq: %d ", i+2), 1)
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		if n%len(msgs) == 0 { // a new call: its CSeq starts again
			b.StopTimer()
			for i := range msgs {
				msgs[i] = strings.Replace(reg(fmt.Sprint("r", n), auth), "CSeq: 1 ", fmt.Sprintf("CSeq: %d ", i+2), 1)
			}
			b.StartTimer()
		}
		deliver(r, benchAlice, msgs[n%len(msgs)])
		n++
	}
	if got := net.last[benchAlice]; !strings.HasPrefix(got, "SIP/2.0 200 ") {
		b.Fatalf("answered %s", got)
	}
}

func benchMD5(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// BenchmarkDefaultInvite is a call through it: INVITE, 180, 200, ACK, BYE, 200.
// The peers' share, which writes the replies, is in it.
func BenchmarkDefaultInvite(b *testing.B) {
	r, net := benchDefault(b)
	deliver(r, benchBob, strings.Replace(benchRequest("REGISTER", "sip:example.com", "reg", benchBob, "Expires: 3600\r\n"), "sip:alice@192", "sip:bob@192", 1))
	if got := net.last[benchBob]; !strings.HasPrefix(got, "SIP/2.0 200 ") {
		b.Fatalf("the REGISTER is answered %s", got)
	}
	table := r.Module("tm").(interface{ Table() *tm.Table }).Table()
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		if n++; n%100 == 0 { // time goes by: transactions end
			table.Advance(time.Duration(n) * 100 * time.Millisecond)
			table.Settle()
		}
		id := fmt.Sprint("c", n)
		deliver(r, benchAlice, benchRequest("INVITE", "sip:bob@example.com", id, benchAlice, ""))
		invite, err := sip.Parse(net.last[benchBob])
		if err != nil || invite.MethodName() != "INVITE" {
			b.Fatalf("bob got %s", net.last[benchBob])
		}
		for _, code := range []int{180, 200} {
			deliver(r, benchBob, string(invite.AppendReply(nil, &sip.Reply{Code: code, Reason: "x", ToTag: "bob", Extra: "Contact: <sip:bob@" + benchBob.String() + ">\r\n"})))
		}
		ok := net.last[benchAlice]
		if !strings.HasPrefix(ok, "SIP/2.0 200 ") {
			b.Fatalf("alice got %s", ok)
		}
		route := "Route: " + header(ok, "Record-Route") + "\r\n"
		inDialog := func(method string, cseq int) string {
			s := benchRequest(method, "sip:bob@"+benchBob.String(), id, benchAlice, route)
			return strings.Replace(strings.Replace(s, "To: <sip:bob@example.com>", "To: <sip:bob@example.com>;tag=bob", 1), "CSeq: 1 ", fmt.Sprintf("CSeq: %d ", cseq), 1)
		}
		deliver(r, benchAlice, inDialog("ACK", 1))
		deliver(r, benchAlice, inDialog("BYE", 2))
		bye, err := sip.Parse(net.last[benchBob])
		if err != nil || bye.MethodName() != "BYE" {
			b.Fatalf("bob got %s", net.last[benchBob])
		}
		deliver(r, benchBob, string(bye.AppendReply(nil, &sip.Reply{Code: 200, Reason: "OK"})))
	}
	if got := net.last[benchAlice]; !strings.HasPrefix(got, "SIP/2.0 200 ") {
		b.Fatalf("alice got %s", got)
	}
}

func header(msg, name string) string {
	for line := range strings.SplitSeq(msg, "\r\n") {
		if v, ok := strings.CutPrefix(line, name+": "); ok {
			return v
		}
	}
	return ""
}

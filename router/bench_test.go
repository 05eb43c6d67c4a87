package router

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"sipd/router/transport"
)

// nowhere is a network that takes everything.
type nowhere struct{ sent int }

func (n *nowhere) Send(transport.Dest, []byte) error { n.sent++; return nil }

func (n *nowhere) Lookup(string) (netip.Addr, bool) { return netip.MustParseAddr("192.0.2.9"), true }

// The script part of a request: tests, variables, sub-routes, a format, and an
// answer without state.
const benchConfig = `#!KAMAILIO
loadmodule "pv.so"
loadmodule "sl.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
request_route {
	if (!mf_process_maxfwd_header("10")) {
		sl_send_reply("483", "Too Many Hops");
		exit;
	}
	if (is_method("CANCEL|ACK")) exit;
	$var(user) = $rU;
	$avp(caller) = $fU + "@" + $fd;
	route(CHECK);
	if ($var(user) =~ "^nobody") {
		sl_send_reply("404", "Not Found");
		exit;
	}
	route(END);
}
route[CHECK] {
	if (has_totag() && $rm == "OPTIONS") exit;
	if ($(ru{uri.host}) == "example.net" || $si == "192.0.2.77") exit;
	return;
}
route[END] {
	sl_send_reply("200", "OK");
	exit;
}
`

// BenchmarkScript runs a script for a request, from its octets to the answer's.
func BenchmarkScript(b *testing.B) {
	path := filepath.Join(b.TempDir(), "sipd.cfg")
	if err := os.WriteFile(path, []byte(benchConfig), 0o600); err != nil {
		b.Fatal(err)
	}
	net := &nowhere{}
	r, err := Load(b.Context(), Options{
		Config: path, ServerID: -1, AutoAliases: "no", CheckOnly: true, Offline: true, RunDir: b.TempDir(),
		Dry: &Dry{Wire: net, Socket: netip.MustParseAddrPort("192.0.2.1:5060"), Log: slog.DiscardHandler},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	msg := []byte("OPTIONS sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.5:5060;branch=z9hG4bKx;rport\r\nMax-Forwards: 70\r\n" +
		"From: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: bench@192.0.2.5\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")
	rcv := transport.Received{Proto: transport.UDP, Src: netip.MustParseAddrPort("192.0.2.5:5060"), Dst: r.Sockets()[0].Addr, Sock: r.Sockets()[0]}
	b.ReportAllocs()
	for b.Loop() {
		r.receive(msg, rcv)
	}
	if net.sent != b.N {
		b.Fatalf("%d answers to %d requests", net.sent, b.N)
	}
}

package nathelper_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"sipd/router/livetest"
	"sipd/router/module/moduletest"
	"sipd/router/modules/kamailio/nathelper"
	"sipd/router/modules/kamailio/usrloc"
)

const sdp = "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"

// TestOnTheWire: what leaves is the same as with the elder.
func TestOnTheWire(t *testing.T) {
	tests := []struct{ call, contact, want string }{
		{`fix_nated_contact();`, "<sip:a@10.0.0.1:5070;x=1>;q=1", "Contact: <sip:a@ME;x=1>;q=1"},
		{`fix_nated_contact();`, "<sip:a@10.0.0.1>", "Contact: <sip:a@ME>"},
		{`add_contact_alias();`, "<sip:a@10.0.0.1:5070;x=1>;q=1", "Contact: <sip:a@10.0.0.1:5070;alias=127.0.0.1~PEER~1;x=1>;q=1"},
		{`add_contact_alias();`, "sip:a@10.0.0.1", "Contact: <sip:a@10.0.0.1;alias=127.0.0.1~PEER~1>"},
		{`add_contact_alias();`, "<sip:a@ME>", "Contact: <sip:a@ME;alias=127.0.0.1~PEER~1>"},
		{`add_contact_alias();`, "<sip:a@ME;transport=udp>", "Contact: <sip:a@ME;transport=udp>"},
		{`add_contact_alias("1.2.3.4", "5", "tcp");`, "<sip:a@h>", "Contact: <sip:a@h;alias=1.2.3.4~5~2>"},
		{`set_contact_alias();`, "<sip:a@10.0.0.1:5070;x=1>", "Contact: <sip:a@10.0.0.1:5070;x=1;alias=127.0.0.1~PEER~1>"},
		{`set_contact_alias();`, "sip:a@10.0.0.1", "Contact: <sip:a@10.0.0.1;alias=127.0.0.1~PEER~1>"},
		{`fix_nated_sdp("2");`, "", "c=IN IP4 127.0.0.1"},
		{`fix_nated_sdp("2");`, "", "a=oldmediaip:10.0.0.9"},
		{`fix_nated_sdp("10", "1.2.3.4");`, "", "o=- 1 1 IN IP4 1.2.3.4"},
		{`fix_nated_sdp("5");`, "", "a=direction:active"},
		{`fix_nated_sdp("5");`, "", "a=nortpproxy:yes"},
		{`if (nat_uac_test("1")) append_hf("X: yes\r\n");`, "<sip:a@100.64.1.1>", "X: yes"},
		{`if (!nat_uac_test("1")) append_hf("X: no\r\n");`, "<sip:a@8.8.8.8>", "X: no"},
		{`if (nat_uac_test("8")) append_hf("X: yes\r\n");`, "", "X: yes"},
		{`if (!nat_uac_test("2")) append_hf("X: no\r\n");`, "", "X: no"},
		{`if (!nat_uac_test("16")) append_hf("X: no\r\n");`, "", "X: no"},
		{`if (nat_uac_test("128")) append_hf("X: yes\r\n");`, "<sip:a@127.0.0.1:9>", "X: yes"},
		{`if (is_rfc1918("192.168.7.7") && !is_rfc1918("8.8.8.8")) append_hf("X: yes\r\n");`, "", "X: yes"},
	}
	var b strings.Builder
	b.WriteString("loadmodule \"tm.so\"\nloadmodule \"sl.so\"\nloadmodule \"pv.so\"\nloadmodule \"textops.so\"\nloadmodule \"nathelper.so\"\nrequest_route {\n")
	for i, tt := range tests {
		fmt.Fprintf(&b, "if ($rU == \"t%d\") { %s }\n", i, tt.call)
	}
	b.WriteString("if ($rU == \"alias\") { handle_ruri_alias(); append_hf(\"X: $ru\\r\\n\"); }\nt_relay();\n}\n")
	livetest.Each(t, b.String(), func(t *testing.T, d *livetest.Daemon) {
		p, q := d.Peer(t), d.Peer(t)
		send := func(i int, uri, contact string) string {
			p.Send(fmt.Sprintf("INVITE %s SIP/2.0\nVia: SIP/2.0/UDP ME;branch=z9hG4bK%d\nFrom: <sip:a@b>;tag=1\nTo: <sip:a@b>\nCall-ID: %d\nCSeq: 1 INVITE\nMax-Forwards: 9\nContact: %s\nContent-Type: application/sdp\n\n%s", uri, i, i, contact, sdp))
			m := q.Want("INVITE ")
			q.Reply(m, 486, "Busy")
			q.Want("ACK ")
			p.Want("SIP/2.0 486 ")
			return m
		}
		for i, tt := range tests {
			contact := strings.ReplaceAll(tt.contact, "ME", p.Addr())
			if contact == "" {
				contact = "<sip:a@10.0.0.1>"
			}
			m := send(i, fmt.Sprintf("sip:t%d@%s", i, q.Addr()), contact)
			want := strings.NewReplacer("ME", p.Addr(), "PEER", fmt.Sprint(p.Port)).Replace(tt.want)
			if !strings.Contains(m, "\r\n"+want+"\r\n") {
				t.Errorf("%s with %s: no line %q in\n%s", tt.call, contact, want, m)
			}
		}
		m := send(100, fmt.Sprintf("sip:alias@192.0.2.1;x=1;alias=127.0.0.1~%d~1;y", q.Port), "<sip:a@h>")
		if !strings.HasPrefix(m, "INVITE sip:alias@192.0.2.1;x=1;y SIP/2.0\r\n") || livetest.Value(m, "X") != "sip:alias@192.0.2.1;x=1;y" {
			t.Errorf("handle_ruri_alias:\n%s", m)
		}
	})
}

// TestPings: registered contacts get what their flags say.
func TestPings(t *testing.T) {
	livetest.Each(t, `
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "pv.so"
loadmodule "kex.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "nathelper.so"
modparam("usrloc", "nat_bflag", 6)
modparam("nathelper", "natping_interval", 1)
modparam("nathelper", "ping_nated_only", 1)
modparam("nathelper", "sipping_bflag", 7)
modparam("nathelper", "sipping_from", "sip:pinger@test")
modparam("nathelper|registrar", "received_avp", "$avp(RECEIVED)")
request_route {
	fix_nated_register();
	if ($fU != "plain") setbflag(6);
	if ($fU == "sip") setbflag(7);
	save("location");
}
`, func(t *testing.T, d *livetest.Daemon) {
		for _, user := range []string{"udp", "sip"} {
			p := d.Peer(t)
			p.Send(fmt.Sprintf("REGISTER sip:ADDR SIP/2.0\nVia: SIP/2.0/UDP ME;branch=z9hG4bK%[1]s\nFrom: <sip:%[1]s@b>;tag=1\nTo: <sip:%[1]s@b>\nCall-ID: %[1]s\nCSeq: 1 REGISTER\nMax-Forwards: 9\nContact: <sip:%[1]s@10.9.9.9:5070>\nExpires: 60\n", user))
			p.Want("SIP/2.0 200 ")
			m := p.Recv()
			if user == "udp" && m != "\x00\x00\x00\x00" {
				t.Errorf("udp: %q", m)
			}
			if user == "sip" {
				if !strings.HasPrefix(m, "OPTIONS sip:sip@10.9.9.9:5070 SIP/2.0\r\n") || !strings.HasPrefix(livetest.Value(m, "From"), "<sip:pinger@test>;tag=") && !strings.HasPrefix(livetest.Value(m, "From"), "sip:pinger@test;tag=") {
					t.Errorf("sip: %s", m)
				}
				p.Reply(m, 200, "OK")
			}
		}
	})
}

// TestForeignSource: pings say that they come from natping_socket.
func TestForeignSource(t *testing.T) {
	if c, err := net.ListenIP("ip4:253", &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		t.Skipf("skipped: no raw sockets for this user: %v", err)
	} else if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	livetest.Each(t, `
loadmodule "sl.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "nathelper.so"
modparam("nathelper", "natping_interval", 1)
modparam("nathelper", "natping_socket", "127.0.0.99:5099")
request_route { save("location"); }
`, func(t *testing.T, d *livetest.Daemon) {
		phone, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer phone.Close()
		if err := phone.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		p := d.Peer(t)
		p.Send(fmt.Sprintf("REGISTER sip:ADDR SIP/2.0\nVia: SIP/2.0/UDP ME;branch=z9hG4bK1\nFrom: <sip:a@b>;tag=1\nTo: <sip:a@b>\nCall-ID: raw\nCSeq: 1 REGISTER\nMax-Forwards: 9\nContact: <sip:a@%s>\nExpires: 60\n", phone.LocalAddr()))
		p.Want("SIP/2.0 200 ")
		b := make([]byte, 100)
		n, from, err := phone.ReadFromUDP(b)
		if err != nil {
			t.Fatal(err)
		}
		if string(b[:n]) != "\x00\x00\x00\x00" || from.String() != "127.0.0.99:5099" {
			t.Errorf("%q came from %s", b[:n], from)
		}
	})
}

func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		name  string
		value any
		want  string
	}{
		{"udpping_from_path", 1, "leave it out"},
		{"keepalive_timeout", 9, "sipping_bflag"},
		{"received_avp", "$ru", "want one attribute"},
		{"alias_name", "a;b", "cannot be the name"},
		{"natping_interval", 9, "usrloc.so"},
	} {
		if err := moduletest.New(t, nathelper.New()).Param("nathelper", tt.name, tt.value).TryStart(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	r := moduletest.New(t, usrloc.New(), nathelper.New()).Param("nathelper", "natping_interval", 9).Param("nathelper", "ping_nated_only", 1)
	if err := r.TryStart(); err == nil || !strings.Contains(err.Error(), "nat_bflag") {
		t.Errorf("ping_nated_only: %v", err)
	}
	r = moduletest.New(t, usrloc.New(), nathelper.New()).Param("nathelper", "natping_interval", 9).Param("nathelper", "natping_socket", "[::1]:5060")
	if err := r.TryStart(); err == nil || !strings.Contains(err.Error(), "no IPv4 address") {
		t.Errorf("natping_socket: %v", err)
	}
	r = moduletest.New(t, nathelper.New())
	if _, err := r.Compile("fix_nated_register"); err == nil || !strings.Contains(err.Error(), "received_avp") {
		t.Errorf("fix_nated_register: %v", err)
	}
	if _, err := r.RPCCall("nathelper.enable_ping"); err == nil || err.Error() != "500 NATping disabled" {
		t.Errorf("enable_ping: %v", err)
	}
}

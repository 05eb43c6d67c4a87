package rtpproxy_test

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/router/livetest"
	"sipd/router/module/moduletest"
	dbmysql "sipd/router/modules/common/db_mysql"
	dbpostgres "sipd/router/modules/common/db_postgres"
	dbsqlite "sipd/router/modules/common/db_sqlite"
	"sipd/router/modules/kamailio/rtpproxy"
	"sipd/rpc"
	"sipd/rpc/rpctest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// relay speaks the control protocol, over UDP or a unix socket.
type relay struct {
	url string

	mu sync.Mutex
	// mu guards the fields below.
	got  []string
	from string // who asked last, over UDP
	mute bool
	old  bool // lacks everything optional
	deaf bool // tells its version and answers nothing else
	port int
}

func newRelay(t *testing.T) *relay {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{url: "udp:" + c.LocalAddr().String(), port: 35000}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 4096)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			r.mu.Lock()
			r.from = from.(*net.UDPAddr).IP.String()
			r.mu.Unlock()
			cookie, command, _ := strings.Cut(string(b[:n]), " ")
			if reply, ok := r.answer(command); ok {
				_, _ = c.WriteTo([]byte("0_stale 1\n"), from) // of an earlier command
				_, _ = c.WriteTo([]byte(cookie+" "+reply+"\n"), from)
			}
		}
	}()
	t.Cleanup(func() { _ = c.Close(); <-done })
	return r
}

func newUnixRelay(t *testing.T) *relay {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{url: "unix:" + path, port: 36000}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b := make([]byte, 4096)
			n, _ := c.Read(b)
			if reply, ok := r.answer(strings.TrimSpace(string(b[:n]))); ok {
				_, _ = c.Write([]byte(reply + "\n"))
			}
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return r
}

func (r *relay) answer(command string) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mute {
		return "", false
	}
	switch {
	case command == "V":
		return "20040107", true
	case strings.HasPrefix(command, "VF "):
		if r.old && command != "VF 20050322" {
			return "0", true
		}
		return "1", true
	}
	r.got = append(r.got, command)
	if r.deaf {
		return "", false
	}
	switch command[0] {
	case 'U', 'L':
		r.port += 2
		return fmt.Sprintf("%d 192.0.2.77", r.port-2), true
	case 'Q':
		return "58 10 20 30 0", true
	}
	return "0", true
}

// commands are those that came, without the questions for versions.
func (r *relay) commands() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

func (r *relay) last(t *testing.T) string {
	t.Helper()
	got := r.commands()
	if len(got) == 0 {
		t.Fatal("the relay got no command")
	}
	return got[len(got)-1]
}

const sdp = "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0 8 101\r\na=rtcp:40001\r\nm=video 0 RTP/AVP 31\r\nm=image 40010 udptl t38\r\nc=IN IP4 10.0.0.10\r\n"

func message(start, tags, body string) string {
	return start + "\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKone\r\nVia: SIP/2.0/UDP 10.0.0.8;branch=z9hG4bKtwo\r\nFrom: <sip:a@b>;tag=F1\r\nTo: <sip:bob@example.com>" + tags +
		"\r\nCall-ID: cid1\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\nContent-Length: " + fmt.Sprint(len(body)) + "\r\n\r\n" + body
}

func rig(t *testing.T, relays ...*relay) *moduletest.Rig {
	t.Helper()
	r := moduletest.New(t, rtpproxy.New())
	for _, x := range relays {
		r.Param("rtpproxy", "rtpproxy_sock", x.url)
	}
	return r.Param("rtpproxy", "rtpproxy_retr", 1).Start()
}

func TestCommands(t *testing.T) {
	for _, relayOf := range []func(*testing.T) *relay{newRelay, newUnixRelay} {
		x := relayOf(t)
		r := rig(t, x)
		invite := message("INVITE sip:bob@example.com SIP/2.0", "", sdp)
		ok := message("SIP/2.0 200 OK", ";tag=T1", sdp)
		for _, tt := range []struct {
			msg  string
			call []any
			want string
		}{
			{invite, []any{"rtpproxy_offer"}, "Uc0,8,101 cid1 192.0.2.1 40000 F1;1"},
			{invite, []any{"rtpproxy_offer", "r"}, "Uc0,8,101 cid1 10.0.0.9 40000 F1;1"},
			{invite, []any{"rtpproxy_offer", "ar1z20"}, "UAZ20c0,8,101 cid1;z9hG4bKone 10.0.0.9 40000 F1;1"},
			{invite, []any{"rtpproxy_offer", "xw"}, "USIEc0,8,101 cid1 192.0.2.1 40000 F1;1"},
			{ok, []any{"rtpproxy_answer", "3"}, "Lc0,8,101 cid1;z9hG4bKtwo 192.0.2.1 40000 F1;1 T1;1"},
			{ok, []any{"rtpproxy_offer"}, "Uc0,8,101 cid1 192.0.2.1 40000 T1;1 F1;1"},
			{ok, []any{"force_rtp_proxy"}, "Lc0,8,101 cid1 192.0.2.1 40000 F1;1 T1;1"},
			{ok, []any{"rtpproxy_offer", "l"}, "Lc0,8,101 cid1 192.0.2.1 40000 F1;1 T1;1"},
		} {
			r.Message(tt.msg)
			before := len(x.commands())
			if rc := r.Call(tt.call[0].(string), tt.call[1:]...); rc != 1 {
				t.Errorf("%v = %d; log %s", tt.call, rc, r.Log())
				continue
			}
			if got := x.commands()[before]; got != tt.want {
				t.Errorf("%v sends\n%s\nwant\n%s", tt.call, got, tt.want)
			}
		}
		for call, want := range map[string]string{
			"rtpproxy_destroy":         "D cid1 F1 T1",
			"unforce_rtp_proxy":        "D cid1 F1 T1",
			"start_recording":          "R cid1 T1 F1",
			"rtpproxy_stop_stream2uac": "S cid1 F1;1 T1;1",
			"rtpproxy_stop_stream2uas": "S cid1 T1;1 F1;1",
		} {
			r.Message(ok)
			if rc := r.Call(call); rc != 1 || x.last(t) != want {
				t.Errorf("%s = %d sends %q, want %q", call, rc, x.last(t), want)
			}
		}
		if rc := r.Call("rtpproxy_stream2uas", "/prompts/wait", 3); rc != 1 || x.last(t) != "P3 cid1 /prompts/wait session T1;1 F1;1" {
			t.Errorf("rtpproxy_stream2uas = %d sends %q", rc, x.last(t))
		}
		if v := r.Var("$rtpstat"); v.Text() != "58 10 20 30 0" || x.last(t) != "Q cid1 T1;1 F1" {
			t.Errorf("$rtpstat = %q by %q", v.Text(), x.last(t))
		}
	}
}

// TestDescription: every stream gets the relay's address and a port of its own,
// but those that are off.
func TestDescription(t *testing.T) {
	r := rig(t, newRelay(t))
	c := r.Message(message("INVITE sip:bob@example.com SIP/2.0", "", sdp))
	if rc := r.Call("rtpproxy_offer"); rc != 1 {
		t.Fatalf("rtpproxy_offer = %d; log %s", rc, r.Log())
	}
	want := "v=0\r\no=- 1 1 IN IP4 192.0.2.77\r\ns=-\r\nc=IN IP4 192.0.2.77\r\nt=0 0\r\nm=audio 35000 RTP/AVP 0 8 101\r\na=rtcp:35001\r\n" +
		"m=video 0 RTP/AVP 31\r\nm=image 35004 udptl t38\r\nc=IN IP4 192.0.2.77\r\na=nortpproxy:yes\r\n"
	out := string(c.Msg.AppendTo(nil, nil, &c.Msg.Edits))
	if _, body, _ := strings.Cut(out, "\r\n\r\n"); body != want {
		t.Errorf("the body is\n%s\nwant\n%s", body, want)
	}
	r.Message(message("INVITE sip:bob@example.com SIP/2.0", "", want))
	if rc := r.Call("rtpproxy_offer"); rc != -2 {
		t.Errorf("a description that a relay changed: %d, want -2", rc)
	}
	if rc := r.Call("rtpproxy_offer", "f"); rc != 1 {
		t.Errorf("forced: %d", rc)
	}
	for _, body := range []string{"", "hello", "v=0\r\no=x\r\n", "v=0\r\nm=audio 1 RTP/AVP 0\r\n", "v=0\r\ns=-\r\n"} {
		r.Message(message("INVITE sip:bob@example.com SIP/2.0", "", body))
		if rc := r.Call("rtpproxy_offer"); rc != -1 {
			t.Errorf("body %q: %d, want -1", body, rc)
		}
	}
}

// TestFailover: a relay that does not answer is left out, and tried when no other
// one is up; an operator's word holds.
func TestFailover(t *testing.T) {
	a, b := newRelay(t), newRelay(t)
	r := moduletest.New(t, rtpproxy.New()).Param("rtpproxy", "rtpproxy_sock", a.url+" "+b.url).
		Param("rtpproxy", "rtpproxy_sock", "7 == "+b.url+"=0").Param("rtpproxy", "rtpproxy_retr", 1).Start()
	a.mute = true
	invite := message("INVITE sip:bob@example.com SIP/2.0", "", sdp)
	for i := range 3 {
		r.Message(strings.Replace(invite, "cid1", fmt.Sprint("cid", i), 1))
		if rc := r.Call("rtpproxy_offer"); rc != 1 {
			t.Fatalf("call %d: %d; log %s", i, rc, r.Log())
		}
	}
	if len(b.commands()) != 9 || len(a.commands()) != 0 {
		t.Errorf("commands: %v and %v", a.commands(), b.commands())
	}
	list, err := r.RPCCall("rtpproxy.list")
	if err != nil {
		t.Fatal(err)
	}
	if got := rpctest.Show(list); strings.Count(got, "avp 'url'") != 3 || !strings.Contains(got, "avp 'disabled'\n  int 1") {
		t.Errorf("rtpproxy.list:\n%s", got)
	}
	b.mu.Lock()
	b.mute = true
	b.mu.Unlock()
	r.Message(invite)
	if rc := r.Call("rtpproxy_offer"); rc != -3 {
		t.Errorf("with all relays down: %d, want -3", rc)
	}
	a.mu.Lock()
	a.mute = false
	a.mu.Unlock()
	if rc := r.Call("rtpproxy_offer", "f"); rc != 1 {
		t.Errorf("when one is back: %d; log %s", rc, r.Log())
	}
	if _, err := r.RPCCall("rtpproxy.enable", rpc.String(a.url), rpc.Int(0)); err != nil {
		t.Error(err)
	}
	if rc := r.Call("rtpproxy_offer", "f"); rc != -3 {
		t.Errorf("turned off: %d, want -3", rc)
	}
	if _, err := r.RPCCall("rtpproxy.enable", rpc.String("udp:none"), rpc.Int(0)); err == nil || err.Error() != "404 RTPProxy not found" {
		t.Errorf("an unknown relay: %v", err)
	}
	if rc := r.Call("set_rtp_proxy_set", "$var(none)"); rc != 1 {
		t.Errorf("set 0: %d", rc)
	}
	if _, err := r.Compile("set_rtp_proxy_set", 9); err == nil || !strings.Contains(err.Error(), "no media relay is in set 9") {
		t.Errorf("set 9: %v", err)
	}
}

// TestOnlyRelay that is down is left alone: a call does not wait for it.
func TestOnlyRelay(t *testing.T) {
	x := newRelay(t)
	x.mute = true
	r := rig(t, x)
	invite := message("INVITE sip:bob@example.com SIP/2.0", "", sdp)
	r.Message(invite)
	if rc := r.Call("rtpproxy_offer"); rc != -3 {
		t.Errorf("the first call: %d, want -3", rc)
	}
	x.mu.Lock()
	x.mute = false
	x.mu.Unlock()
	if rc := r.Call("rtpproxy_offer"); rc != -3 || len(x.commands()) != 0 {
		t.Errorf("within rtpproxy_disable_tout: %d, sends %q", rc, x.commands())
	}
	if _, err := r.RPCCall("rtpproxy.enable", rpc.String(x.url), rpc.Int(1)); err != nil {
		t.Error(err)
	}
	if rc := r.Call("rtpproxy_offer"); rc != 1 {
		t.Errorf("when an operator says so: %d; log %s", rc, r.Log())
	}
}

// TestDeafRelays: relays that tell their version and answer no command do not hold
// up a call for ever.
func TestDeafRelays(t *testing.T) {
	a, b := newUnixRelay(t), newUnixRelay(t)
	a.deaf, b.deaf = true, true
	r := moduletest.New(t, rtpproxy.New()).Param("rtpproxy", "rtpproxy_sock", a.url+" "+b.url).Start()
	r.Message(message("INVITE sip:bob@example.com SIP/2.0", "", sdp))
	if rc := r.Call("rtpproxy_offer"); rc != -3 {
		t.Errorf("rtpproxy_offer: %d, want -3", rc)
	}
	if n, m := len(a.commands()), len(b.commands()); n == 0 || m == 0 || n+m > 5 {
		t.Errorf("asked %d and %d times, want each, and 5 times at most", n, m)
	}
}

// TestForceSocket: commands leave from the address that is told.
func TestForceSocket(t *testing.T) {
	if c, err := net.ListenPacket("udp4", "127.0.0.77:0"); err != nil {
		t.Skipf("skipped: there is no 127.0.0.77: %v", err)
	} else if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	x := newRelay(t)
	for _, text := range []string{"127.0.0.77", "127.0.0.77:0"} {
		r := moduletest.New(t, rtpproxy.New()).Param("rtpproxy", "rtpproxy_sock", x.url).Param("rtpproxy", "force_socket", text).Start()
		r.Message(message("INVITE sip:bob@example.com SIP/2.0", "", sdp))
		if rc := r.Call("rtpproxy_offer"); rc != 1 {
			t.Errorf("rtpproxy_offer: %d", rc)
		}
		x.mu.Lock()
		if x.from != "127.0.0.77" {
			t.Errorf("force_socket %s: asked from %s", text, x.from)
		}
		x.mu.Unlock()
	}
}

// TestOldRelay is not asked for what it cannot do.
func TestOldRelay(t *testing.T) {
	x := newRelay(t)
	x.old = true
	r := rig(t, x)
	r.Message(message("INVITE sip:bob@example.com SIP/2.0", "", sdp))
	if rc := r.Call("rtpproxy_offer", "z20"); rc != 1 || x.commands()[0] != "U cid1 192.0.2.1 40000 F1;1" {
		t.Errorf("%d, sends %q", rc, x.commands())
	}
	if rc := r.Call("rtpproxy_stream2uac", "x", 1); rc != -1 || !strings.Contains(r.Log(), "too old") {
		t.Errorf("a prompt: %d; log %s", rc, r.Log())
	}
}

func TestRefused(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"rtpproxy_sock", "tcp:127.0.0.1:1", "want udp:HOST:PORT"},
		{"rtpproxy_sock", "udp:127.0.0.1", "has no port"},
		{"rtpproxy_sock", "x == udp:127.0.0.1:1", "a set is a number"},
		{"rtpproxy_sock", "udp:127.0.0.1:1=x", "the weight of"},
		{"rtpproxy_sock", " ", "no media relay is named"},
		{"timeout_socket", "udp:127.0.0.1:1", "needs timeout_tag_pv"},
		{"force_socket", "127.0.0.1:7000", "share port 7000"},
		{"force_socket", "here", "no address"},
		{"rtp_inst_pvar", "$ci", "can be written"},
		{"db_url", "sqlite:///there/is/none", "driver"},
	} {
		err := moduletest.New(t, rtpproxy.New()).Param("rtpproxy", tt.name, tt.value).TryStart()
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s=%q: %v, want %q", tt.name, tt.value, err, tt.want)
		}
	}
	if _, err := rig(t, newRelay(t)).Compile("rtpproxy_offer", "q"); err == nil || !strings.Contains(err.Error(), `unknown flag 'q'`) {
		t.Errorf("flag q: %v", err)
	}
}

func TestTable(t *testing.T) {
	x := newRelay(t)
	moduletest.EachEngine(t, func(t *testing.T, url string, _ *db.DB) {
		r := moduletest.New(t, dbsqlite.New(), dbmysql.New(), dbpostgres.New(), rtpproxy.New()).Param("rtpproxy", "db_url", url).Start()
		list, err := r.RPCCall("rtpproxy.list")
		if got := rpctest.Show(list); err != nil || !strings.Contains(got, x.url) || !strings.Contains(got, "avp 'setid'\n  int 5") || !strings.Contains(got, "avp 'disabled'\n  int 1") {
			t.Errorf("rtpproxy.list: %v\n%s", err, got)
		}
	}, "CREATE TABLE rtpproxy (id INT, setid VARCHAR(32), url VARCHAR(64), flags INT, weight INT, description VARCHAR(64))",
		"INSERT INTO rtpproxy (id, setid, url, flags, weight, description) VALUES (1, '5', '"+x.url+"', 0, 2, ''), (2, '5', 'udp:127.0.0.1:9', 1, 1, '')")
}

// TestCall: a relay gets the commands for a call that Kamailio gives it, and both
// parties see the same descriptions.
func TestCall(t *testing.T) {
	relays := make(map[bool]*relay)
	x := newRelay(t)
	livetest.Each(t, `
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "pv.so"
loadmodule "rr.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "rtpproxy.so"
modparam("rtpproxy", "rtpproxy_sock", "`+x.url+`")
request_route {
	if (is_method("INVITE")) { t_on_reply("MEDIA"); $du = "sip:" + $hdr(X-To); }
	else $du = "sip:" + $hdr(X-To);
	rtpproxy_manage("co");
	if (is_method("CANCEL")) { t_relay_cancel(); exit; }
	t_relay();
}
onreply_route[MEDIA] { rtpproxy_manage("co"); }
`, func(t *testing.T, d *livetest.Daemon) {
		x.mu.Lock()
		x.got, x.port = nil, 35000
		x.mu.Unlock()
		alice, bob := d.Peer(t), d.Peer(t)
		head := func(method string, cseq int, tag string) string {
			return fmt.Sprintf("%s sip:bob@example.com SIP/2.0\nVia: SIP/2.0/UDP ME;branch=z9hG4bK%s%d\nMax-Forwards: 70\nFrom: <sip:alice@example.com>;tag=F1\nTo: <sip:bob@example.com>%s\n"+
				"Call-ID: same\nCSeq: %d %s\nContact: <sip:alice@ME>\nX-To: %s\n", method, method, cseq, tag, cseq, method, bob.Addr())
		}
		body := strings.ReplaceAll(sdp, "\r\n", "\n")
		alice.Send(head("INVITE", 1, "") + "Content-Type: application/sdp\n\n" + body)
		invite := bob.Want("INVITE ")
		answer := strings.ReplaceAll(sdp, "10.0.0.9", "10.0.0.20")
		ok := strings.Replace(invite, invite[:strings.Index(invite, "\r\n")], "SIP/2.0 200 OK", 1)
		ok = strings.Replace(ok, "To: <sip:bob@example.com>", "To: <sip:bob@example.com>;tag=T1", 1)
		oldBody := ok[strings.Index(ok, "\r\n\r\n")+4:]
		ok = strings.Replace(strings.TrimSuffix(ok, oldBody), fmt.Sprintf("Content-Length: %d", len(oldBody)), fmt.Sprintf("Content-Length: %d", len(answer)), 1) + answer
		bob.Raw([]byte(ok))
		reply := alice.Want("SIP/2.0 200 ")
		alice.Send(head("BYE", 2, ";tag=T1"))
		bob.Reply(bob.Want("BYE "), 200, "OK")
		alice.Want("SIP/2.0 200 ")
		mine := &relay{got: x.commands()}
		mine.got = append(mine.got, invite[strings.Index(invite, "\r\n\r\n"):], reply[strings.Index(reply, "\r\n\r\n"):])
		relays[d.Ours] = mine
	})
	if relays[true] == nil || relays[false] == nil {
		return
	}
	if ours, theirs := relays[true].got, relays[false].got; !slices.Equal(ours, theirs) {
		t.Errorf("sipd:\n%s\nkamailio:\n%s", strings.Join(ours, "\n"), strings.Join(theirs, "\n"))
	}
}

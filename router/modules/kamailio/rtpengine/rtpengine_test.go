package rtpengine

import (
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"sipd/router/module/moduletest"
	"sipd/rpc"
)

func TestBencode(t *testing.T) {
	v := dict{{"command", "offer"}, {"n", -42}, {"list", []any{"a", 1}}, {"d", dict{{"", ""}}}}
	text := string(encode(nil, v))
	want := "d7:command5:offer1:ni-42e4:listl1:ai1ee1:dd0:0:ee"
	if text != want {
		t.Errorf("encode = %q, want %q", text, want)
	}
	got, err := decode(text)
	if err != nil || !reflect.DeepEqual(got, v) {
		t.Errorf("decode = %#v, %v; want %#v", got, err, v)
	}
}

func TestBencodeMistakes(t *testing.T) {
	for _, s := range []string{
		"", "d", "l", "i", "ie", "i1", "5:abc", "-1:", "99999999999999999999:", "d1:ae", "di1ei2ee", "lel", "x", "1:ab", "d1:a1:b",
		strings.Repeat("l", 100) + strings.Repeat("e", 100),
	} {
		if v, err := decode(s); !errors.Is(err, errBencode) {
			t.Errorf("decode(%q) = %v, %v; want an error", s, v, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("d6:result2:ok3:sdp3:v=0e")
	f.Add("l4:spami42ed1:aleee")
	f.Fuzz(func(t *testing.T, s string) {
		v, err := decode(s)
		if err != nil {
			return
		}
		again, err := decode(string(encode(nil, v)))
		if err != nil || !reflect.DeepEqual(v, again) {
			t.Errorf("%q is read as %#v, and that again as %#v, %v", s, v, again, err)
		}
	})
}

// TestFlags compares with what Kamailio 5.6.3 sends for the same words.
func TestFlags(t *testing.T) {
	f, err := parseFlags("trust-address replace-origin replace=session-connection direction=priv direction=pub internal ICE=force RTP/SAVPF to-tag " +
		"via-branch=1 repacketize=20 TOS=184 media-address=1.2.3.4 codec-strip=PCMU codec-transcode=opus SDES-off rtcp-mux-demux T.38=decode T38-force delete-delay=5 foo-bar unknown=thing")
	if err != nil {
		t.Fatal(err)
	}
	want := "d3:ICE5:force11:repacketizei20e3:TOSi184e13:media-address7:1.2.3.412:delete delayi5e12:delete-delayi5e7:unknown5:thinge"
	var rest dict
	for _, p := range f.dict {
		switch p.key {
		case "replace", "codec", "SDES", "rtcp-mux", "T.38":
		default:
			rest = append(rest, p)
		}
	}
	if got := string(encode(nil, rest)); got != want {
		t.Errorf("single values\n%s\nwant\n%s", got, want)
	}
	for key, want := range map[string]string{
		"replace": "l6:origin18:session-connectione", "codec": "d5:stripl4:PCMUe9:transcodel4:opusee",
		"rtcp-mux": "l5:demuxe", "SDES": "l3:offe", "T.38": "l6:decode5:forcee",
	} {
		if got := string(encode(nil, f.dict.get(key))); got != want {
			t.Errorf("%s = %s, want %s", key, got, want)
		}
	}
	if got := string(encode(nil, f.list)); got != "l13:trust-address7:foo-bare" {
		t.Errorf("flags = %s", got)
	}
	if got := string(encode(nil, f.direction)); got != "l4:priv3:pub8:internale" || f.transport.String() != "RTP/SAVPF" || !f.withTo || f.viaBranch != "1" {
		t.Errorf("direction %s, transport %s, to-tag %v, via-branch %q", got, f.transport, f.withTo, f.viaBranch)
	}
}

func TestFlagMistakes(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"TOS=high", "TOS wants a number"},
		{"via-branch=3", "via-branch is 1, 2, auto"},
		{"via-branch=next", "not supported"},
		{"direction=", "has no value"},
	} {
		if _, err := parseFlags(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.text, err, tt.want)
		}
	}
}

func TestProfiles(t *testing.T) {
	for text, want := range map[string]string{
		"SRTP AVPF": "RTP/SAVPF", "RTP AVP": "RTP/AVP", "SRTP": "RTP/SAVP", "AVPF": "RTP/AVPF", "DTLS AVPF": "UDP/TLS/RTP/SAVPF",
		"UDP/TLS/RTP/SAVP": "UDP/TLS/RTP/SAVP", "RTP/SAVPF RTP": "RTP/AVPF",
	} {
		f, err := parseFlags(text)
		if err != nil || f.transport.String() != want {
			t.Errorf("%q asks for %s, %v; want %s", text, f.transport, err, want)
		}
	}
}

func TestNodes(t *testing.T) {
	list, err := parseNodes("3 == udp:10.0.0.1:2223=5 udp6:[::1]:2224", 0)
	if err != nil || len(list) != 2 || list[0].set != 3 || list[0].weight != 5 || list[0].peer.Addr != "10.0.0.1:2223" || list[1].peer.Addr != "[::1]:2224" || list[1].peer.Network != "udp6" {
		t.Errorf("parseNodes = %+v, %v", list, err)
	}
	for _, tt := range []struct{ text, want string }{
		{"", "no media relay"},
		{"x == udp:a:1", "a set is a number"},
		{"tcp:a:1", "is no media relay"},
		{"udp:a", "has no port"},
		{"udp:a:0", "is no port"},
		{"udp:a:1=heavy", "the weight of udp:a:1 is a number"},
		{"ws://a:1/", "WebSocket"},
	} {
		if _, err := parseNodes(tt.text, 0); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("parseNodes(%q): %v, want %q", tt.text, err, tt.want)
		}
	}
}

// TestChoose: calls are spread by weight, and one call always goes to the same.
func TestChoose(t *testing.T) {
	list, err := parseNodes("udp:a:1=3 udp:b:1=1 udp:c:1=0", 0)
	if err != nil {
		t.Fatal(err)
	}
	now, count := time.Now(), map[string]int{}
	for i := range 4000 {
		id := fmt.Sprint("call", i)
		n := choose(list, 0, id, now, nil)
		if n != choose(list, 0, id, now, nil) {
			t.Fatalf("%s goes to two relays", id)
		}
		count[n.url]++
	}
	if count["udp:c:1"] != 0 || count["udp:a:1"] < 2800 || count["udp:b:1"] < 800 {
		t.Errorf("calls are spread %v, want about 3000 and 1000", count)
	}
	list[0].off.Store(true)
	list[1].disabledUntil.Store(now.Unix() + 10)
	if n := choose(list, 0, "x", now, nil); n != nil {
		t.Errorf("with all down %s is chosen", n.url)
	}
}

// relay speaks the ng protocol.
type relay struct {
	t    *testing.T
	c    net.PacketConn
	mu   sync.Mutex
	got  []dict
	mute bool // answer nothing
	say  dict // instead of ok
}

func newRelay(t *testing.T) *relay {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{t: t, c: c}
	done := make(chan struct{})
	go func() { defer close(done); r.serve() }()
	t.Cleanup(func() { _ = c.Close(); <-done })
	return r
}

func (r *relay) url() string { return "udp:" + r.c.LocalAddr().String() }

func (r *relay) serve() {
	b := make([]byte, 64<<10)
	for {
		n, from, err := r.c.ReadFrom(b)
		if err != nil {
			return
		}
		cookie, text, _ := strings.Cut(string(b[:n]), " ")
		v, err := decode(text)
		d, ok := v.(dict)
		if err != nil || !ok {
			r.t.Errorf("the relay got %q", b[:n])
			continue
		}
		if reply := r.answer(d); reply != nil {
			_, _ = r.c.WriteTo(encode([]byte("0_stale "), dict{{"result", "ok"}}), from) // of an earlier command
			_, _ = r.c.WriteTo(encode([]byte(cookie+" "), reply), from)
		}
	}
}

func (r *relay) answer(d dict) dict {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, d)
	switch {
	case r.mute:
		return nil
	case r.say != nil:
		return r.say
	case d.str("command") == "ping":
		return dict{{"result", "pong"}}
	case d.str("sdp") != "":
		return dict{{"result", "ok"}, {"sdp", "v=0\r\no=relay\r\n"}}
	case d.str("command") == "query":
		k := func(n int) dict { return dict{{"packets", n}, {"bytes", 10 * n}, {"errors", 0}} }
		return dict{{"result", "ok"}, {"totals", dict{{"RTP", k(7)}, {"RTCP", k(2)}}}}
	case d.str("command") == "play media":
		return dict{{"result", "ok"}, {"duration", 1500}}
	}
	return dict{{"result", "ok"}}
}

// last is the last command that came.
func (r *relay) last() dict {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.got) == 0 {
		return nil
	}
	return r.got[len(r.got)-1]
}

func (r *relay) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.got)
}

const invite = "INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKabc\r\nFrom: <sip:a@b>;tag=F1\r\nTo: <sip:bob@example.com>\r\n" +
	"Call-ID: cid1\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n"

func rig(t *testing.T, relays ...*relay) *moduletest.Rig {
	t.Helper()
	r := moduletest.New(t, New())
	for _, x := range relays {
		r.Param("rtpengine", "rtpengine_sock", x.url())
	}
	return r.Param("rtpengine", "rtpengine_tout_ms", 2000).Param("rtpengine", "rtpengine_retr", 1).Start()
}

func TestOffer(t *testing.T) {
	x := newRelay(t)
	r := rig(t, x)
	c := r.Message(invite)
	if code := r.Call("rtpengine_offer", "trust-address ICE=remove via-branch=1"); code != 1 {
		t.Fatalf("rtpengine_offer = %d\n%s", code, r.Log())
	}
	if out := string(c.Msg.AppendTo(nil, nil, &c.Msg.Edits)); !strings.HasSuffix(out, "Content-Length: 14\r\n\r\nv=0\r\no=relay\r\n") {
		t.Errorf("the message is now\n%s", out)
	}
	want := "d8:supportsl10:load limite3:sdp5:v=0\r\n3:ICE6:remove5:flagsl13:trust-addresse7:call-id4:cid110:via-branch10:z9hG4bKabc" +
		"13:received-froml3:IP4" + fmt.Sprintf("%d:%s", len(c.Recv.Src.Addr().String()), c.Recv.Src.Addr()) + "e8:from-tag2:F17:command5:offere"
	if got := string(encode(nil, x.last())); got != want {
		t.Errorf("the relay got\n%s\nwant\n%s", got, want)
	}
}

// TestManage: which command each message is.
func TestManage(t *testing.T) {
	head := func(first, cseq, to string) string {
		return first + "\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKabc\r\nVia: SIP/2.0/UDP 10.0.0.8;branch=z9hG4bKdef\r\nFrom: <sip:a@b>;tag=F1\r\nTo: <sip:b@b>" + to + "\r\nCall-ID: cid1\r\nCSeq: 1 " + cseq + "\r\n"
	}
	sdp := "Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n"
	for _, tt := range []struct{ message, command, from, to string }{
		{head("INVITE sip:b SIP/2.0", "INVITE", "") + sdp, "offer", "F1", ""},
		{head("INVITE sip:b SIP/2.0", "INVITE", "") + "Content-Length: 0\r\n\r\n", "", "", ""},
		{head("ACK sip:b SIP/2.0", "ACK", ";tag=T1") + sdp, "answer", "T1", "F1"},
		{head("BYE sip:b SIP/2.0", "BYE", ";tag=T1") + "\r\n", "delete", "F1", ""},
		{head("CANCEL sip:b SIP/2.0", "CANCEL", "") + "\r\n", "delete", "F1", ""},
		{head("SIP/2.0 183 Progress", "INVITE", ";tag=T1") + sdp, "answer", "F1", "T1"},
		{head("SIP/2.0 200 OK", "INVITE", ";tag=T1") + sdp, "answer", "F1", "T1"},
		{head("SIP/2.0 486 Busy", "INVITE", ";tag=T1") + "\r\n", "delete", "F1", ""},
		{head("SIP/2.0 200 OK", "BYE", ";tag=T1") + "\r\n", "", "", ""},
		{head("OPTIONS sip:b SIP/2.0", "OPTIONS", "") + sdp, "", "", ""},
	} {
		x := newRelay(t)
		r := rig(t, x)
		r.Message(tt.message)
		code := r.Call("rtpengine_manage")
		line, _, _ := strings.Cut(tt.message, "\r\n")
		d := x.last()
		if d.str("command") != tt.command || d.str("from-tag") != tt.from || d.str("to-tag") != tt.to || (code == 1) != (tt.command != "") {
			t.Errorf("%s: code %d, relay got %v; want %s from %q to %q", line, code, d, tt.command, tt.from, tt.to)
		}
	}
}

// TestFailover: a relay that is silent is left out, another one has the call,
// and it stays there.
func TestFailover(t *testing.T) {
	dead, alive := newRelay(t), newRelay(t)
	dead.mute = true
	r := rig(t, dead, alive)
	for i := range 20 {
		r.Message(strings.ReplaceAll(invite, "cid1", fmt.Sprint("cid", i)))
		if code := r.Call("rtpengine_offer"); code != 1 {
			t.Fatalf("offer %d = %d\n%s", i, code, r.Log())
		}
	}
	if dead.count() != 1 || alive.count() != 20 {
		t.Errorf("the silent relay was asked %d times, the other %d times; want once and 20 times", dead.count(), alive.count())
	}
	v, err := r.RPCCall("rtpengine.show", rpc.String(dead.url()))
	if err != nil || len(v) != 1 || v[0].(rpc.Struct)[4].Value != rpc.Int(1) {
		t.Errorf("rtpengine.show = %v, %v; want it disabled", v, err)
	}
}

func TestErrors(t *testing.T) {
	x := newRelay(t)
	r := rig(t, x)
	x.say = dict{{"result", "error"}, {"error-reason", "Unknown call-id"}}
	r.Message(invite)
	if code := r.Call("rtpengine_delete"); code != -1 || !strings.Contains(r.Log(), "Unknown call-id") {
		t.Errorf("a relay's error: code %d, log\n%s", code, r.Log())
	}
	x.say = dict{{"result", "load limit"}}
	if code := r.Call("rtpengine_offer"); code != -1 || !strings.Contains(r.Log(), "is full") {
		t.Errorf("a full relay: code %d, log\n%s", code, r.Log())
	}
	none := moduletest.New(t, New()).Start()
	none.Message(invite)
	if code := none.Call("rtpengine_offer"); code != -1 || !strings.Contains(none.Log(), "no media relay of set 0 is up") {
		t.Errorf("without relays: code %d, log\n%s", code, none.Log())
	}
}

func TestSets(t *testing.T) {
	a, b := newRelay(t), newRelay(t)
	r := moduletest.New(t, New()).Param("rtpengine", "rtpengine_sock", "1 == "+a.url()).Param("rtpengine", "rtpengine_sock", "2 == "+b.url()).Start()
	r.Message(invite)
	if code := r.Call("set_rtpengine_set", 9); code != -1 {
		t.Errorf("a set that is not there: %d, want -1", code)
	}
	if r.Call("set_rtpengine_set", 1, 2) != 1 || r.Call("rtpengine_offer") != 1 {
		t.Fatalf("two sets in a chain:\n%s", r.Log())
	}
	if a.last().str("sdp") != "v=0\r\n" || b.last().str("sdp") != "v=0\r\no=relay\r\n" {
		t.Errorf("the first relay got %q, the second %q", a.last().str("sdp"), b.last().str("sdp"))
	}
}

func TestCommandsAndFigures(t *testing.T) {
	x := newRelay(t)
	r := moduletest.New(t, New()).Param("rtpengine", "rtpengine_sock", x.url()).Param("rtpengine", "media_duration", "$avp(d)").Start()
	r.Message(invite)
	for _, tt := range []struct{ function, command, tag string }{
		{"start_recording", "start recording", "F1"},
		{"stop_recording", "stop recording", "F1"},
		{"block_dtmf", "block DTMF", ""},
		{"unblock_dtmf", "unblock DTMF", ""},
		{"block_media", "block media", ""},
		{"silence_media", "silence media", ""},
		{"start_forwarding", "start forwarding", ""},
		{"play_dtmf", "play DTMF", "F1"},
		{"play_media", "play media", "F1"},
		{"stop_media", "stop media", "F1"},
		{"rtpengine_query", "query", "F1"},
		{"rtpengine_info", "offer", "F1"},
	} {
		if code := r.Call(tt.function); code != 1 || x.last().str("command") != tt.command || x.last().str("from-tag") != tt.tag {
			t.Errorf("%s = %d, the relay got %v; want %s with from-tag %q", tt.function, code, x.last(), tt.command, tt.tag)
		}
	}
	if v := r.Var("$avp(d)"); v.Int() != 1500 {
		t.Errorf("media_duration is %v, want 1500", v)
	}
	if got, want := r.Var("$rtpestat").Text(), "RTP: 70 bytes, 7 packets, 0 errors; RTCP: 20 bytes, 2 packets, 0 errors"; got != want {
		t.Errorf("$rtpestat = %q, want %q", got, want)
	}
	if code := r.Call("rtpengine_query_v", "j", "$var(x)"); code != 1 || !strings.HasPrefix(r.Var("$var(x)").Text(), `{"result":"ok","totals":{"RTP":{"packets":7,`) {
		t.Errorf("rtpengine_query_v = %d, %q", code, r.Var("$var(x)").Text())
	}
	for _, tt := range []struct {
		method string
		args   []rpc.Value
		want   string
	}{
		{"rtpengine.enable", []rpc.Value{rpc.String("all"), rpc.Int(0)}, "disable"},
		{"rtpengine.show", []rpc.Value{rpc.String("all")}, "1(permanent)"},
		{"rtpengine.enable", []rpc.Value{rpc.String("all"), rpc.Int(1)}, "enable"},
		{"rtpengine.ping", []rpc.Value{rpc.String("all")}, "success"},
		{"rtpengine.get_hash_total", nil, "1"},
	} {
		v, err := r.RPCCall(tt.method, tt.args...)
		if err != nil || !strings.Contains(fmt.Sprint(v), tt.want) {
			t.Errorf("%s = %v, %v; want %s in it", tt.method, v, err, tt.want)
		}
	}
	if _, err := r.RPCCall("rtpengine.show", rpc.String("udp:nowhere:1")); err == nil {
		t.Error("a relay that is not there is shown")
	}
	if _, err := r.RPCCall("rtpengine.reload"); err == nil {
		t.Error("rtpengine.reload without db_url succeeds")
	}
}

// TestReload: a relay that stays in the table keeps what is known of it; what the
// table says of it counts.
func TestReload(t *testing.T) {
	m := New().(*mod)
	m.nodes.Store(new([]*node))
	load := func(text string) []*node {
		t.Helper()
		list, err := parseNodes(text, 0)
		if err != nil {
			t.Fatal(err)
		}
		m.use(list)
		return *m.nodes.Load()
	}
	old := load("udp:a:1 udp:b:1")
	old[0].disabledUntil.Store(77)
	now := load("udp:c:1 udp:a:1=5")
	if a := now[1]; a.remote != old[0].remote || a.disabledUntil.Load() != 77 || a.weight != 5 || a.index != 1 || old[0].weight != 1 || old[0].index != 0 {
		t.Errorf("relay a is %+v, was %+v", now[1], old[0])
	}
	off, err := parseNodes("udp:a:1", 0)
	if err != nil {
		t.Fatal(err)
	}
	off[0].off.Store(true)
	if m.use(off); !now[1].off.Load() {
		t.Error("a relay that the table turns off stays on")
	}
}

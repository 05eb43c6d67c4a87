package auth

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"sipd/router/module/moduletest"
	"sipd/router/run"
	"sipd/router/sip"
)

const register = `REGISTER sip:r SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1
From: <sip:a@r>;tag=1
To: <sip:a@r>
Call-ID: 1@x
CSeq: 1 REGISTER
`

// client is a phone: what it would answer to a challenge.
type client struct {
	user, realm, pw, qop, nc, alg, response string
	method, uri                             string
}

func (k client) header(name, nonce string) string {
	cred := sip.Credentials{
		Username: or(k.user, "a"), Realm: or(k.realm, "r"), Nonce: nonce, URI: or(k.uri, "sip:r"),
		QOP: k.qop, Algorithm: k.alg,
	}
	if k.qop != "" {
		cred.NC, cred.CNonce = or(k.nc, "00000001"), "cc"
	}
	alg := sip.ParseAlgorithm(k.alg)
	ha1 := sip.HA1(alg, cred.Username, cred.Realm, or(k.pw, "pw"))
	resp := or(k.response, sip.Response(alg, ha1, &cred, or(k.method, "REGISTER"), ""))
	h := fmt.Sprintf(`%s: Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s"`, name, cred.Username, cred.Realm, nonce, cred.URI, resp)
	if k.alg != "" {
		h += ", algorithm=" + k.alg
	}
	if k.qop != "" {
		h += fmt.Sprintf(`, qop=%s, nc=%s, cnonce="%s"`, k.qop, cred.NC, cred.CNonce)
	}
	return h + "\n"
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

var nonceIn = regexp.MustCompile(`nonce="([^"]+)"`)

// challenge gets a nonce for the message.
func challenge(t testing.TB, r *moduletest.Rig, msg string) string {
	t.Helper()
	r.Message(msg)
	if rc := r.Call("www_challenge", "r", 1); rc != 1 {
		t.Fatalf("www_challenge = %d", rc)
	}
	return nonceIn.FindStringSubmatch(r.Replies[len(r.Replies)-1].Extra)[1]
}

func check(r *moduletest.Rig, msg, header string) int {
	r.Message(msg + header)
	return r.Call("pv_www_authenticate", "r", "pw", 0)
}

// TestChallenge has the headers as a Kamailio 5.6.3 sent them, but for the nonce.
func TestChallenge(t *testing.T) {
	invite := strings.ReplaceAll(register, "REGISTER", "INVITE")
	for _, tt := range []struct {
		alg, fn, msg string
		flags        int
		code         int
		want         string
	}{
		{"", "www_challenge", register, 0, 401, `WWW-Authenticate: Digest realm="r", nonce="N"`},
		{"", "www_challenge", register, 1, 401, `WWW-Authenticate: Digest realm="r", nonce="N", qop="auth"`},
		{"", "www_challenge", register, 2, 401, `WWW-Authenticate: Digest realm="r", nonce="N", qop="auth-int"`},
		{"", "www_challenge", register, 3, 401, `WWW-Authenticate: Digest realm="r", nonce="N", qop="auth-int"`},
		{"", "www_challenge", register, 16, 401, `WWW-Authenticate: Digest realm="r", nonce="N", stale=true`},
		{"", "www_challenge", register, 17, 401, `WWW-Authenticate: Digest realm="r", nonce="N", qop="auth", stale=true`},
		{"", "proxy_challenge", register, 1, 407, `Proxy-Authenticate: Digest realm="r", nonce="N", qop="auth"`},
		{"", "auth_challenge", register, 1, 401, `WWW-Authenticate: Digest realm="r", nonce="N", qop="auth"`},
		{"", "auth_challenge", invite, 1, 407, `Proxy-Authenticate: Digest realm="r", nonce="N", qop="auth"`},
		{"SHA-256", "www_challenge", register, 1, 401, `WWW-Authenticate: Digest realm="r", nonce="N", qop="auth", algorithm=SHA-256`},
	} {
		r := moduletest.New(t, New())
		if tt.alg != "" {
			r.Param("auth", "algorithm", tt.alg)
		}
		r.Message(tt.msg)
		r.Ctx.ReplyExtra = "X-Mine: 1\r\n"
		if rc := r.Call(tt.fn, "r", tt.flags); rc != 1 || len(r.Replies) != 1 || r.Ctx.ReplyExtra != "X-Mine: 1\r\n" {
			t.Fatalf("%s(%d) = %d, replies %v, left %q", tt.fn, tt.flags, rc, r.Replies, r.Ctx.ReplyExtra)
		}
		got := nonceIn.ReplaceAllString(r.Replies[0].Extra, `nonce="N"`)
		if r.Replies[0].Code != tt.code || got != "X-Mine: 1\r\n"+tt.want+"\r\n" {
			t.Errorf("%s(%d): %d %q, want %d %q", tt.fn, tt.flags, r.Replies[0].Code, got, tt.code, tt.want)
		}
	}
}

func TestChallengeFails(t *testing.T) {
	r := moduletest.New(t, New())
	r.Message(register)
	if rc := r.Call("www_challenge", "", 0); rc != -1 || len(r.Replies) != 1 || r.Replies[0].Code != 500 {
		t.Errorf("without a realm: %d, %v", rc, r.Replies)
	}
	if rc := r.Call("www_challenge", "", 4); rc != -1 || len(r.Replies) != 1 {
		t.Errorf("without a realm, flag 4: %d, %v", rc, r.Replies)
	}
	r.Host.Hooks.Stateless = nil
	if rc := r.Call("www_challenge", "r", 4); rc != -3 || !strings.Contains(r.Log(), "sl.so") {
		t.Errorf("without sl: %d, log %s", rc, r.Log())
	}
	if rc := r.Call("www_challenge", "r", 0); rc != -4 {
		t.Errorf("without sl, no 500 either: %d", rc)
	}
}

func TestChallengeStateful(t *testing.T) {
	for _, stateless := range []int{0, 1} {
		r := moduletest.New(t, New()).Param("auth", "force_stateless_reply", stateless)
		var extra string
		r.Host.Hooks.Stateful = func(c *run.Context, code int, _ string) (bool, error) {
			extra = c.ReplyExtra
			return true, nil
		}
		r.Message(register)
		r.Call("www_challenge", "r", 0)
		if (extra == "") != (stateless == 1) || len(r.Replies) != stateless {
			t.Errorf("force_stateless_reply=%d: stateful %q, stateless %v", stateless, extra, r.Replies)
		}
	}
	r := moduletest.New(t, New())
	r.Host.Hooks.Stateful = func(*run.Context, int, string) (bool, error) { return true, errors.New("lost") }
	r.Message(register)
	if rc := r.Call("www_challenge", "r", 4); rc != -3 {
		t.Errorf("a reply that cannot be sent: %d", rc)
	}
}

// TestCodes has the codes that a Kamailio 5.6.3 answered; where we differ the
// comment says why.
func TestCodes(t *testing.T) {
	r := moduletest.New(t, New())
	n := challenge(t, r, register)
	ok := client{}
	for _, tt := range []struct {
		name, header string
		want         int
	}{
		{"none", "", -5},
		{"good", ok.header("Authorization", n), 1},
		{"wrong", client{pw: "x"}.header("Authorization", n), -2},
		{"tampered", ok.header("Authorization", "A"+n[1:]), -1},
		{"tampered end", ok.header("Authorization", n[:len(n)-2]+"AA"), -1},
		{"short nonce", ok.header("Authorization", "abc"), -1},
		{"long nonce", ok.header("Authorization", strings.Repeat("A", 200)), -1},
		{"other realm", client{realm: "q"}.header("Authorization", n), -5},
		{"short response", client{response: "abc"}.header("Authorization", n), -1},
		{"qop", client{qop: "auth"}.header("Authorization", n), 1},
		{"qop again", client{qop: "auth"}.header("Authorization", n), 1},
		{"auth-int", client{qop: "auth-int"}.header("Authorization", n), 1},
		{"qop unknown", client{qop: "auth-conf"}.header("Authorization", n), -1},
		{"nc unreadable", client{qop: "auth", nc: "xyz"}.header("Authorization", n), -1},
		{"MD5-sess", client{qop: "auth", alg: "MD5-sess"}.header("Authorization", n), 1},
		{"SHA-256", client{alg: "SHA-256"}.header("Authorization", n), -1},
		{"junk algorithm", client{alg: "junk", response: strings.Repeat("0", 32)}.header("Authorization", n), -1}, // Kamailio takes it for MD5
		{"malformed", "Authorization: Digest foo\n", -1},
		{"malformed and good", "Authorization: Digest foo\n" + ok.header("Authorization", n), 1},
		{"basic", "Authorization: Basic abc\n", -5},
		{"proxy's", ok.header("Proxy-Authorization", n), -5},
		{"second", client{realm: "q"}.header("Authorization", n) + ok.header("Authorization", n), 1},
	} {
		if rc := check(r, register, tt.header); rc != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, rc, tt.want)
		}
	}
	for _, method := range []string{"ACK", "CANCEL"} {
		if rc := check(r, strings.ReplaceAll(register, "REGISTER", method), ""); rc != 1 {
			t.Errorf("%s: %d, want 1", method, rc)
		}
	}
	if strings.Contains(r.Log(), n) || strings.Contains(r.Log(), "pw") {
		t.Error("the log has a secret")
	}
}

// TestEmptyUser: with the right password, user "" is no credentials; Kamailio
// lets it pass.
func TestEmptyUser(t *testing.T) {
	r := moduletest.New(t, New())
	h := strings.Replace(client{}.header("Authorization", challenge(t, r, register)), `username="a"`, `username=""`, 1)
	if rc := check(r, register, h); rc != -1 {
		t.Errorf("code %d, want -1", rc)
	}
}

func TestPVArguments(t *testing.T) {
	r := moduletest.New(t, New())
	n := challenge(t, r, register)
	r.Message(register + client{}.header("Authorization", n))
	if rc := r.Call("pv_www_authenticate", "r", sip.HA1(sip.MD5, "a", "r", "pw"), 1); rc != 1 {
		t.Errorf("flag 1 with HA1: %d", rc)
	}
	if rc := r.Call("pv_www_authenticate", "", "pw", 0); rc != -1 {
		t.Errorf("no realm: %d", rc)
	}
	r.Message(register + client{method: "OTHER"}.header("Authorization", n))
	if rc := r.Call("pv_www_authenticate", "r", "pw", 0, "OTHER"); rc != 1 {
		t.Errorf("another method: %d", rc)
	}
	r.Message(register + client{}.header("Proxy-Authorization", n))
	if rc := r.Call("pv_proxy_authorize", "r", "pw", 0); rc != 1 {
		t.Errorf("pv_proxy_authorize: %d", rc)
	}
	for _, tt := range []struct {
		flags int
		want  string
	}{
		{0, ""},
		{2, `WWW-Authenticate: Digest realm="r", nonce="N"`},
		{4, `WWW-Authenticate: Digest realm="r", nonce="N", qop="auth"`},
		{8, `WWW-Authenticate: Digest realm="r", nonce="N", qop="auth-int"`},
		{20, `WWW-Authenticate: Digest realm="r", nonce="N", qop="auth", stale=true`},
	} {
		r.Message(register)
		if rc := r.Call("pv_www_authenticate", "r", "pw", tt.flags); rc != -5 {
			t.Errorf("flags %d: %d", tt.flags, rc)
		}
		got := nonceIn.ReplaceAllString(r.Ctx.AVPs.Get(run.AVPFromURI, run.AVPName{S: "digest_challenge"}, 0).Text(), `nonce="N"`)
		if strings.TrimSuffix(got, "\r\n") != tt.want {
			t.Errorf("flags %d leave %q, want %q", tt.flags, got, tt.want)
		}
	}
}

func TestExpiry(t *testing.T) {
	var n nonces
	n.expire, n.drift = 300, 3
	n.setKey([32]byte{1})
	const now = 1_800_000_000
	text := string(n.appendNew(nil, now, false, [32]byte{}))
	for _, tt := range []struct {
		at   int64
		want verdict
	}{{now, nonceGood}, {now + 300, nonceGood}, {now + 301, nonceExpired}, {now - 3, nonceGood}, {now - 4, nonceExpired}} {
		if got := n.check(text, tt.at, false, nil, 0, false); got != tt.want {
			t.Errorf("%d s after it was made: %d, want %d", tt.at-now, got, tt.want)
		}
	}
	other := nonces{expire: 300}
	other.setKey([32]byte{2})
	if got := other.check(text, now, false, nil, 0, false); got != nonceForged {
		t.Errorf("with another key: %d", got)
	}
	same := nonces{expire: 300}
	same.setKey([32]byte{1})
	if got := same.check(text, now, false, nil, 0, false); got != nonceGood {
		t.Errorf("another server with the same secret: %d", got)
	}
	same.once = newRing(8, 0)
	if got := same.check(text, now, false, nil, 0, false); got != nonceExpired {
		t.Errorf("another server that counts uses: %d", got)
	}
}

func TestStaleThroughModule(t *testing.T) {
	m := New().(*auth)
	r := moduletest.New(t, m)
	r.Start()
	old := string(m.nonces.appendNew(nil, time.Now().Unix()-1000, false, [32]byte{}))
	r.Message(register + client{}.header("Authorization", old))
	if rc := r.Call("pv_www_authenticate", "r", "pw", 4); rc != -4 {
		t.Errorf("code %d, want -4", rc)
	}
	if got := r.Ctx.AVPs.Get(run.AVPFromURI, run.AVPName{S: "digest_challenge"}, 0).Text(); !strings.Contains(got, "stale=true") {
		t.Errorf("challenge %q", got)
	}
}

// TestNonceCount has the codes of Kamailio 5.6.3; counts above 255, which it
// cannot follow, are good here up to 65535.
func TestNonceCount(t *testing.T) {
	r := moduletest.New(t, New()).Param("auth", "nonce_count", 1)
	n := challenge(t, r, register)
	for _, tt := range []struct {
		nc   string
		want int
	}{{"00000001", 1}, {"00000001", -4}, {"00000003", 1}, {"00000002", -4}, {"000000ff", 1}, {"00000100", 1}, {"00010000", -4}, {"00000000", -4}} {
		if rc := check(r, register, client{qop: "auth", nc: tt.nc}.header("Authorization", n)); rc != tt.want {
			t.Errorf("nc %s: %d, want %d", tt.nc, rc, tt.want)
		}
	}
	n = challenge(t, r, register)
	if rc := check(r, register, client{qop: "auth", pw: "x"}.header("Authorization", n)); rc != -2 {
		t.Errorf("wrong password: %d", rc)
	}
	if rc := check(r, register, client{qop: "auth"}.header("Authorization", n)); rc != -4 {
		t.Errorf("the same count after a wrong password: %d", rc)
	}
	n = challenge(t, r, register)
	for range 2 {
		if rc := check(r, register, client{}.header("Authorization", n)); rc != 1 {
			t.Errorf("without qop: %d", rc)
		}
	}
}

func TestOneTimeNonce(t *testing.T) {
	r := moduletest.New(t, New()).Param("auth", "one_time_nonce", 1).Param("auth", "add_authinfo_hdr", 1)
	n := challenge(t, r, register)
	if rc := check(r, register, client{}.header("Authorization", n)); rc != 1 {
		t.Errorf("first: %d", rc)
	}
	extra := r.Ctx.ReplyExtra
	if !regexp.MustCompile(`^Authentication-Info: nextnonce="[^"]+"\r\n$`).MatchString(extra) {
		t.Errorf("replies get %q", extra)
	}
	if rc := check(r, register, client{}.header("Authorization", n)); rc != -6 {
		t.Errorf("again: %d", rc)
	}
	if rc := check(r, register, client{qop: "auth"}.header("Authorization", nonceIn.FindStringSubmatch(extra)[1])); rc != 1 {
		t.Errorf("the next nonce: %d", rc)
	}
	want := sip.Response(sip.MD5, sip.HA1(sip.MD5, "a", "r", "pw"), &sip.Credentials{Nonce: nonceIn.FindStringSubmatch(extra)[1], URI: "sip:r", QOP: "auth", NC: "00000001", CNonce: "cc"}, "", "")
	if !strings.Contains(r.Ctx.ReplyExtra, `, qop=auth, rspauth="`+want+`", cnonce="cc", nc=00000001`+"\r\n") {
		t.Errorf("replies get %q, want rspauth %s", r.Ctx.ReplyExtra, want)
	}
}

func TestRing(t *testing.T) {
	r := newRing(9, 0)
	if len(r.slots) != 8 || len(newRing(9, 4).slots) != 16 {
		t.Errorf("%d slots of 9", len(r.slots))
	}
	for id := uint64(1); id <= 9; id++ {
		r.add(id)
	}
	if r.take(1, 1) != nonceExpired || r.take(9, 1) != nonceGood || r.take(9, 1) != nonceUsed || r.take(8, 70000) != nonceExpired {
		t.Error("a slot that was taken over, first use, second use, or a count too large")
	}
}

func TestAlgorithm(t *testing.T) {
	r := moduletest.New(t, New()).Param("auth", "algorithm", "SHA-256")
	n := challenge(t, r, register)
	for _, tt := range []struct {
		k    client
		want int
	}{
		{client{alg: "SHA-256", qop: "auth"}, 1},
		{client{alg: "SHA-256", pw: "x"}, -2},
		{client{alg: "MD5"}, -1},
		{client{}, -1}, // an MD5 response is too short
	} {
		if rc := check(r, register, tt.k.header("Authorization", n)); rc != tt.want {
			t.Errorf("%+v: %d, want %d", tt.k, rc, tt.want)
		}
	}
	for _, bad := range []string{"MD4", "MD5-sess"} {
		r := moduletest.New(t, New()).Param("auth", "algorithm", bad)
		if err := r.TryStart(); err == nil || !strings.Contains(err.Error(), "SHA-256") {
			t.Errorf("algorithm %s: %v", bad, err)
		}
	}
}

func TestBoundNonce(t *testing.T) {
	other := strings.NewReplacer("1@x", "2@x").Replace(register)
	for _, tt := range []struct {
		checks int
		msg    string
		want   int
	}{
		{2, register, 1},
		{2, other, -4},
		{1, other, 1},
		{15, register, 1},
		{15, other, -4},
		{1, strings.Replace(register, "sip:r ", "sip:q ", 1), -4},
		{4, strings.Replace(register, "tag=1", "tag=2", 1), -4},
	} {
		r := moduletest.New(t, New()).Param("auth", "auth_checks_register", tt.checks)
		n := challenge(t, r, register)
		if rc := check(r, tt.msg, client{}.header("Authorization", n)); rc != tt.want {
			t.Errorf("checks %d: %d, want %d", tt.checks, rc, tt.want)
		}
	}
	r := moduletest.New(t, New()).Param("auth", "auth_checks_register", 8)
	n := challenge(t, r, register)
	r.Message(register + client{}.header("Authorization", n))
	r.Ctx.Recv.Src = r.Ctx.Recv.Dst
	if rc := r.Call("pv_www_authenticate", "r", "pw", 0); rc != -4 {
		t.Errorf("from another address: %d", rc)
	}
}

func TestConsumeAndHas(t *testing.T) {
	r := moduletest.New(t, New())
	n := challenge(t, r, register)
	r.Message(register)
	if rc := r.Call("consume_credentials"); rc != -1 {
		t.Errorf("nothing accepted: %d", rc)
	}
	if rc := r.Call("has_credentials", "r"); rc != -1 {
		t.Errorf("has_credentials of none: %d", rc)
	}
	r.Message(register + client{realm: "q"}.header("Authorization", n) + client{}.header("Authorization", n) + "Expires: 60\n")
	if r.Call("has_credentials", "r") != 1 || r.Call("has_credentials", "q") != 1 || r.Call("has_credentials", "x") != -1 {
		t.Error("has_credentials")
	}
	r.Call("pv_www_authenticate", "r", "pw", 0)
	if rc := r.Call("consume_credentials"); rc != 1 {
		t.Fatalf("consume_credentials = %d", rc)
	}
	if p := r.Printed(); strings.Contains(p, `realm="r"`) || !strings.Contains(p, `realm="q"`) || !strings.Contains(p, "Expires: 60") {
		t.Errorf("printed %q", p)
	}
	if rc := r.Call("consume_credentials"); rc != -1 {
		t.Errorf("twice: %d", rc)
	}
}

func TestPVAuthCheck(t *testing.T) {
	for _, tt := range []struct {
		name, method, from, to, header string
		domain, want                   int
	}{
		{"register", "REGISTER", "a@r", "a@r", "Authorization", 1, 1},
		{"for somebody else", "REGISTER", "a@r", "b@r", "Authorization", 0, -8},
		{"by somebody else", "REGISTER", "b@r", "a@r", "Authorization", 0, -8},
		{"other domain", "REGISTER", "a@q", "a@r", "Authorization", 1, -8},
		{"other domain allowed", "REGISTER", "a@q", "a@r", "Authorization", 0, 1},
		{"call", "INVITE", "a@r", "b@r", "Proxy-Authorization", 0, 1},
		{"false From", "INVITE", "b@r", "c@r", "Proxy-Authorization", 0, -8},
		{"wrong header", "INVITE", "a@r", "b@r", "Authorization", 0, -5},
		{"publish for another URI", "PUBLISH", "a@r", "a@r", "Proxy-Authorization", 0, -8},
	} {
		r := moduletest.New(t, New()).Param("auth", "use_domain", tt.domain)
		n := challenge(t, r, register)
		msg := strings.NewReplacer("REGISTER", tt.method, "From: <sip:a@r>", "From: <sip:"+tt.from+">", "To: <sip:a@r>", "To: <sip:"+tt.to+">").Replace(register)
		r.Message(msg + client{method: tt.method}.header(tt.header, n))
		if rc := r.Call("pv_auth_check", "r", "pw", 0, 1); rc != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, rc, tt.want)
		}
	}
}

func TestRealmPrefix(t *testing.T) {
	r := moduletest.New(t, New()).Param("auth", "realm_prefix", "sip.")
	n := challenge(t, r, register)
	r.Message(register + client{}.header("Authorization", n))
	if rc := r.Call("pv_www_authenticate", "sip.r", "pw", 0); rc != 1 {
		t.Errorf("code %d", rc)
	}
	r.Call("www_challenge", "sip.r", 0)
	if e := r.Replies[len(r.Replies)-1].Extra; !strings.Contains(e, `realm="r"`) {
		t.Errorf("challenge %q", e)
	}
}

func TestGetChallenge(t *testing.T) {
	r := moduletest.New(t, New()).Param("auth", "www_challenge_header", "X-Authenticate")
	r.Message(register)
	if rc := r.Call("auth_get_www_authenticate", `a"b`, 1, "$var(x)"); rc != 1 {
		t.Fatalf("code %d", rc)
	}
	if got := r.Var("$var(x)").Text(); !strings.HasPrefix(got, `X-Authenticate: Digest realm="a\"b", nonce="`) || !strings.HasSuffix(got, "\", qop=\"auth\"\r\n") {
		t.Errorf("got %q", got)
	}
	if rc := r.Call("auth_get_www_authenticate", "", 1, "$var(x)"); rc != -1 {
		t.Errorf("no realm: %d", rc)
	}
}

func TestBadParameters(t *testing.T) {
	for name, v := range map[string]any{"qop": "auth,auth-int", "www_challenge_header": "A B", "proxy_challenge_header": ""} {
		if err := moduletest.New(t, New()).Param("auth", name, v).TryStart(); err == nil {
			t.Errorf("%s=%v starts", name, v)
		}
	}
	for _, tt := range []struct {
		in   string
		want run.AVPName
	}{
		{"$digest_challenge", run.AVPName{S: "digest_challenge"}},
		{"$avp(x)", run.AVPName{S: "x"}},
		{"$avp(s:x)", run.AVPName{S: "x"}},
		{"$avp(i:80)", run.AVPName{N: 80, Num: true}},
		{"x", run.AVPName{S: "x"}},
	} {
		if got := attrName(tt.in); got != tt.want {
			t.Errorf("attrName(%q) = %+v", tt.in, got)
		}
	}
}

// FuzzNonce: only what was made here is good, and changing a byte of it is not.
func FuzzNonce(f *testing.F) {
	var n nonces
	n.expire = 300
	n.setKey([32]byte{1})
	n.instance = 7 // the fuzzer's processes make the same nonces
	good := string(n.appendNew(nil, 1000, false, [32]byte{}))
	bound := string(n.appendNew(nil, 1000, true, sha256.Sum256(nil)))
	f.Add(good)
	f.Add(bound)
	f.Add("")
	f.Add(good[:10])
	f.Fuzz(func(t *testing.T, s string) {
		if n.check(s, 1000, false, nil, 1, true) != nonceGood {
			return
		}
		raw, err := base64.StdEncoding.DecodeString(s)
		if err != nil || !bytes.HasPrefix(decode(good), raw[:rawLen]) && !bytes.HasPrefix(decode(bound), raw[:rawLen]) {
			t.Errorf("%q is good", s)
		}
	})
}

func decode(s string) []byte {
	b, _ := base64.StdEncoding.DecodeString(s)
	return b
}

func BenchmarkChallenge(b *testing.B) {
	m := New().(*auth)
	r := moduletest.New(b, m)
	c := r.Message(register)
	b.ReportAllocs()
	for b.Loop() {
		m.challenge(c, "r", "auth", false, www)
	}
}

func BenchmarkNonceCheck(b *testing.B) {
	var n nonces
	n.expire = 300
	n.setKey([32]byte{1})
	text := string(n.appendNew(nil, 1000, false, [32]byte{}))
	b.ReportAllocs()
	for b.Loop() {
		if n.check(text, 1000, false, nil, 0, false) != nonceGood {
			b.Fatal("not good")
		}
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	m := New().(*auth)
	r := moduletest.New(b, m)
	c := r.Message(register + client{qop: "auth"}.header("Authorization", challenge(b, r, register)))
	ha1 := sip.HA1(sip.MD5, "a", "r", "pw")
	find := func(*sip.Credentials, sip.Algorithm) (string, int) { return ha1, 1 }
	b.ReportAllocs()
	for b.Loop() {
		if m.Authenticate(c, "r", false, "", find) != 1 {
			b.Fatal("refused")
		}
	}
}

package sanity

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"sipd/router/module/moduletest"
)

const sound = `OPTIONS sip:u@127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5061;branch=z9hG4bKx
From: <sip:a@x>;tag=1
To: <sip:b@x>
Call-ID: c
CSeq: 1 OPTIONS
Content-Length: 0

`

const good = `Authorization: Digest username="a", realm="r", nonce="n", uri="sip:x", response="00"` + "\n"

// TestCheck has the replies of Kamailio 5.6.3.
func TestCheck(t *testing.T) {
	for _, tt := range []struct{ what, old, new, want string }{
		{"sound", "", "", ""},
		{"other scheme", "sip:u@127.0.0.1", "http://u", "400 Bad Request URI"},
		{"tel", "sip:u@127.0.0.1", "tel:+123", ""},
		{"urn", "sip:u@127.0.0.1", "urn:service:sos", ""},
		{"no Call-ID", "Call-ID: c\n", "", "400 Missing Required Header in Request"},
		{"no From", "From: <sip:a@x>;tag=1\n", "", "400 Missing Required Header in Request"},
		{"CSeq method", "1 OPTIONS", "1 INVITE", "400 CSeq method does not match request method"},
		{"CSeq not a number", "1 OPTIONS", "x OPTIONS", "400 CSeq number is illegal"},
		{"CSeq too big", "1 OPTIONS", "99999999999 OPTIONS", "400 CSeq number is illegal"},
		{"CSeq of 32 bits", "1 OPTIONS", "2147483648 OPTIONS", ""},
		{"body missing", "Length: 0", "Length: 10", "400 Content-Length mis-match"},
		{"body too long", "Length: 0\n\n", "Length: 0\n\nabc", "400 Content-Length mis-match"},
		{"no length", "Content-Length: 0\n", "", ""},
		{"Expires not a number", "CSeq", "Expires: x\nCSeq", "400 Expires value is illegal"},
		{"Expires too big", "CSeq", "Expires: 99999999999\nCSeq", "400 Expires value is illegal"},
		{"Expires negative", "CSeq", "Expires: -1\nCSeq", "400 Expires value is illegal"},
		{"Proxy-Require", "CSeq", "Proxy-Require: foo, bar, baz\nCSeq", "420 Bad Proxy Require Extension Unsupported: baz"},
		{"Proxy-Require, two fields", "CSeq", "Proxy-Require: a\nProxy-Require: foo, b\nCSeq", "420 Bad Proxy Require Extension Unsupported: a, b"},
		{"Proxy-Require known", "CSeq", "Proxy-Require: foo\nCSeq", ""},
		{"From URI", "<sip:a@x>", "<xxx>", "400 Invalid From Header"},
		{"From syntax", "<sip:a@x>", "<sip:a@x", "400 Invalid From Header"},
		{"To URI", "<sip:b@x>", "<xxx>", "400 Ivalid To Header"},
		{"Contact URI", "CSeq", "Contact: <xxx>\nCSeq", "400 Bad Contact URI"},
		{"Contact star", "CSeq", "Contact: *\nCSeq", ""},
		{"digest", "CSeq", good + "CSeq", ""},
		{"digest without username", "CSeq", strings.Replace(good, `username="a", `, "", 1) + "CSeq", "400 Bad Auth Credentials"},
		{"digest without realm", "CSeq", strings.Replace(good, `realm="r", `, "", 1) + "CSeq", "400 Bad Auth Credentials"},
		{"digest without uri", "CSeq", strings.Replace(good, `uri="sip:x", `, "", 1) + "CSeq", "400 Bad Auth Credentials"},
		{"digest with empty realm", "CSeq", strings.Replace(good, `realm="r"`, `realm=""`, 1) + "CSeq", ""},
		{"digest with empty user", "CSeq", strings.Replace(good, `"a"`, `""`, 1) + "CSeq", "400 Auth Empty User"},
		{"digest with empty nonce", "CSeq", strings.Replace(good, `"n"`, `""`, 1) + "CSeq", "400 Auth Empty Nonce"},
		{"digest with qop and no nc", "CSeq", strings.Replace(good, `nonce`, `qop=auth, nonce`, 1) + "CSeq", "400 Bad Auth Credentials"},
		{"basic", "CSeq", "Proxy-Authorization: Basic abc\nCSeq", "400 Bad Auth Credentials"},
		{"From tags", ";tag=1", ";tag=1;tag=2", "400 Many From Tag Params"},
		{"To tags", "<sip:b@x>", `<sip:b@x>;tag=3;x="a;tag=1";TAG=2`, "400 Many To Tag Params"},
		{"one tag", "<sip:b@x>", `<sip:b@x>;tag=3;x="a;tag=1"`, ""},
	} {
		r := moduletest.New(t, New()).Param("sanity", "proxy_require", "foo, bar").Param("sanity", "autodrop", 0)
		r.Message(strings.Replace(sound, tt.old, tt.new, 1))
		rc, want := r.Call("sanity_check", allChecks, 15), -1
		if tt.want == "" {
			want = 1
		}
		if got := replies(r); got != tt.want || rc != want {
			t.Errorf("%s: code %d, reply %q; want %d, %q", tt.what, rc, got, want, tt.want)
		}
	}
}

func replies(r *moduletest.Rig) string {
	var all []string
	for _, p := range r.Replies {
		all = append(all, strings.TrimSpace(fmt.Sprint(p.Code, " ", p.Reason, " ", p.Extra)))
	}
	return strings.Join(all, "|")
}

// TestDefaults does not look at URIs of From and To unless asked.
func TestDefaults(t *testing.T) {
	r := moduletest.New(t, New())
	r.Message(strings.Replace(sound, "<sip:b@x>", "<xxx>", 1))
	if rc := r.Call("sanity_check"); rc != 1 || len(r.Replies) != 0 {
		t.Errorf("code %d, replies %v", rc, r.Replies)
	}
	if rc := r.Call("sanity_check", 1024); rc != 0 || replies(r) != "400 Ivalid To Header" { // autodrop
		t.Errorf("code %d, replies %v", rc, r.Replies)
	}
	for _, call := range [][]any{{1 << 15}, {"1", 16}, {-1}} {
		if _, err := r.Compile("sanity_check", call...); err == nil {
			t.Errorf("sanity_check%v compiles", call)
		}
	}
}

func TestNoReply(t *testing.T) {
	r := moduletest.New(t, New()).Param("sanity", "noreply", 1).Param("sanity", "autodrop", 0)
	r.Message(strings.Replace(sound, "1 OPTIONS", "1 INVITE", 1))
	if rc := r.Call("sanity_reply"); rc != -1 {
		t.Errorf("nothing to reply: code %d", rc)
	}
	if rc := r.Call("sanity_check"); rc != -1 || len(r.Replies) != 0 {
		t.Errorf("code %d, replies %v", rc, r.Replies)
	}
	if rc := r.Call("sanity_reply"); rc != 1 || replies(r) != "400 CSeq method does not match request method" {
		t.Errorf("code %d, replies %v", rc, r.Replies)
	}
}

// TestAck is not answered.
func TestAck(t *testing.T) {
	r := moduletest.New(t, New())
	r.Message(strings.Replace(strings.Replace(sound, "OPTIONS sip", "ACK sip", 1), "1 OPTIONS", "x ACK", 1))
	if rc := r.Call("sanity_check"); rc != 0 || len(r.Replies) != 0 {
		t.Errorf("code %d, replies %v", rc, r.Replies)
	}
}

func FuzzTags(f *testing.F) {
	f.Add(`tag=1;x="\";tag=2"`)
	f.Fuzz(func(t *testing.T, s string) {
		if manyTags(s) && strings.Count(strings.ToLower(s), "tag") < 2 {
			t.Errorf("manyTags(%q) with fewer than two tags", s)
		}
		if hasField(s, "realm") && !strings.Contains(strings.ToLower(s), "realm") {
			t.Errorf("hasField(%q) sees a realm that is not there", s)
		}
		if _, err := strconv.ParseUint(s, 10, 32); len(s) <= 10 && number(s) != (err == nil) {
			t.Errorf("number(%q) = %v, strconv says %v", s, number(s), err)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	r := moduletest.New(b, New())
	c := r.Message(moduletest.Invite)
	f, err := r.Compile("sanity_check", 17895, 7)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		f(c)
	}
}

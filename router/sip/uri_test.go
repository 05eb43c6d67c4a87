package sip

import (
	"errors"
	"fmt"
	"testing"
)

func TestParseURI(t *testing.T) {
	for _, tt := range []struct {
		in, want string // scheme user password host port params headers
		bad      bool
	}{
		{in: "sip:a@b", want: "sip a  b 0  "},
		{in: "SIP:b", want: "sip   b 0  "},
		{in: "sips:a:pw@b:5061;transport=tcp;lr?x=y&z=1", want: "sips a pw b 5061 transport=tcp;lr x=y&z=1"},
		{in: "sip:[2001:db8::1]:5070", want: "sip   [2001:db8::1] 5070  "},
		{in: "sip:+1(555)-1;phone-context=x:secret@h;user=phone", want: "sip +1(555)-1;phone-context=x secret h 0 user=phone "},
		{in: "sip:a%40b@h", want: "sip a%40b  h 0  "},
		{in: "sip:a?b/c@h", want: "sip a?b/c  h 0  "},
		{in: "sip:h?Subject=x", want: "sip   h 0  Subject=x"},
		{in: "sip:@h", want: "sip   h 0  "},
		{in: "tel:+49-30-1;phone-context=de", want: "tel +49-30-1   0 phone-context=de "},
		{in: "urn:service:sos", want: "urn   service:sos 0  "},
		{in: "http://x/y", want: "    0  "},
		{in: "sip:a@", bad: true},
		{in: "sip:", bad: true},
		{in: "sip", bad: true},
		{in: "", bad: true},
		{in: ":x", bad: true},
		{in: "sip:a b@h", bad: true},
		{in: "sip:a@h:", bad: true},
		{in: "sip:a@h:x", bad: true},
		{in: "sip:a@h:70000", bad: true},
		{in: "sip:a@h>", bad: true},
		{in: "sip:a@b@c", bad: true},
		{in: "sip:[::1", bad: true},
		{in: "sip:[]", bad: true},
		{in: "sip:h/x", bad: true},
		{in: "tel:", bad: true},
	} {
		u, err := ParseURI(tt.in)
		if _, bad := errors.AsType[*SyntaxError](err); bad != tt.bad {
			t.Errorf("ParseURI(%q): %v, want bad=%v", tt.in, err, tt.bad)
		}
		if tt.bad {
			continue
		}
		got := fmt.Sprintf("%s %s %s %s %d %s %s", u.Scheme, u.User, u.Password, u.Host, u.Port, u.Params, u.Headers)
		if got != tt.want {
			t.Errorf("ParseURI(%q)\n got %q\nwant %q", tt.in, got, tt.want)
		}
	}
}

func TestKnownParams(t *testing.T) {
	u, err := ParseURI("sip:h;Transport=TCP;lr=on;user=phone;maddr=m;ttl=3;method=INVITE;r2=on;gr=g;ob;x=y")
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(u.Transport, u.UserParam, u.MAddr, u.TTL, u.Method, u.GR, " ", u.LR, u.R2, u.OB, u.HasGR)
	if want := "TCPphonem3INVITEg true true true true"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if v, ok := u.Param("X"); v != "y" || !ok {
		t.Errorf("Param(X) = %q, %v", v, ok)
	}
	if _, ok := u.Param("none"); ok {
		t.Error("Param(none) is there")
	}
}

func TestSetters(t *testing.T) {
	const full = "sip:alice:pw@h:5070;transport=tcp;x=y"
	must := func(s string, err error) string {
		if err != nil {
			return "error"
		}
		return s
	}
	for _, tt := range []struct{ what, got, want string }{
		{"SetUser", must(SetUser(full, "bob")), "sip:bob:pw@h:5070;transport=tcp;x=y"},
		{"SetUser empty", must(SetUser(full, "")), "sip:h:5070;transport=tcp;x=y"},
		{"SetUser none before", must(SetUser("sip:h", "bob")), "sip:bob@h"},
		{"SetUser with @", must(SetUser(full, "a@b")), "error"},
		{"SetUser with blank", must(SetUser(full, "a b")), "error"},
		{"SetUser with CRLF", must(SetUser(full, "a\r\nX: y")), "error"},
		{"SetUserPass", must(SetUserPass(full, "bob:new")), "sip:bob:new@h:5070;transport=tcp;x=y"},
		{"SetUserPass without", must(SetUserPass(full, "bob")), "sip:bob@h:5070;transport=tcp;x=y"},
		{"SetHost", must(SetHost(full, "new.example")), "sip:alice:pw@new.example:5070;transport=tcp;x=y"},
		{"SetHost v6", must(SetHost(full, "[::1]")), "sip:alice:pw@[::1]:5070;transport=tcp;x=y"},
		{"SetHost tel", must(SetHost("tel:+49301", "gw")), "sip:+49301@gw;user=phone"},
		{"SetHost tel with parameters", must(SetHost("tel:+49301;phone-context=de", "gw")), "sip:+49301;phone-context=de@gw;user=phone"},
		{"SetHostPortTrans tel", must(SetHostPortTrans("tel:+49301", "n:99;transport=tls")), "sip:+49301@n:99;transport=tls;user=phone"},
		{"SetUserPass tel", must(SetUserPass("tel:+49301;x", "1")), "tel:1;x"},
		{"SetUserPass tel with password", must(SetUserPass("tel:+49301", "1:2")), "error"},
		{"SetHost empty", must(SetHost(full, "")), "error"},
		{"SetHost with port", must(SetHost(full, "h:1")), "error"},
		{"SetHostPort", must(SetHostPort(full, "n:99")), "sip:alice:pw@n:99;transport=tcp;x=y"},
		{"SetHostPort without", must(SetHostPort(full, "n")), "sip:alice:pw@n;transport=tcp;x=y"},
		{"SetHostPort v6", must(SetHostPort(full, "[::1]:7")), "sip:alice:pw@[::1]:7;transport=tcp;x=y"},
		{"SetHostPortTrans", must(SetHostPortTrans(full, "n:99")), "sip:alice:pw@n:99;x=y"},
		{"SetHostPortTrans new", must(SetHostPortTrans(full, "n:99;transport=tls")), "sip:alice:pw@n:99;transport=tls;x=y"},
		{"SetPort", must(SetPort(full, "1234")), "sip:alice:pw@h:1234;transport=tcp;x=y"},
		{"SetPort none", must(SetPort(full, "")), "sip:alice:pw@h;transport=tcp;x=y"},
		{"SetPort junk", must(SetPort(full, "12x")), "error"},
		{"SetPort big", must(SetPort(full, "65536")), "error"},
		{"SetScheme", must(SetScheme(full, "sips")), "sips:alice:pw@h:5070;transport=tcp;x=y"},
		{"SetScheme tel", must(SetScheme(full, "tel")), "error"},
		{"AddParam", must(AddParam("sip:h", "lr")), "sip:h;lr"},
		{"AddParam headers", must(AddParam("sip:h;a?x=y", "lr=on")), "sip:h;a;lr=on?x=y"},
		{"RemoveParam", must(RemoveParam("sip:h;a;b=1;c", "B")), "sip:h;a;c"},
		{"RemoveParam all", must(RemoveParam("sip:h;b=1", "b")), "sip:h"},
		{"Prefix", must(Prefix("sip:1@h", "00")), "sip:001@h"},
		{"Prefix none before", must(Prefix("sip:h", "00")), "sip:00@h"},
		{"Strip", must(Strip("sip:0049@h", 2)), "sip:49@h"},
		{"Strip all", must(Strip("sip:0049:pw@h", 9)), "sip:h"},
		{"StripTail", must(StripTail("sip:0049@h", 3)), "sip:0@h"},
		{"UserPhone", must(UserPhone("sip:1@h")), "sip:1@h;user=phone"},
		{"UserPhone there", must(UserPhone("sip:1@h;user=ip")), "sip:1@h;user=ip"},
		{"UserPhone tel", must(UserPhone("tel:1")), "tel:1"},
		{"bad URI", must(SetUser("nonsense", "x")), "error"},
		{"other scheme", must(SetUser("http://x", "x")), "error"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", tt.what, tt.got, tt.want)
		}
	}
}

// TestEqualURI has the examples of RFC 3261 §19.1.4 and some more.
func TestEqualURI(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp", true},
		{"sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", true},
		{"sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5", true},
		{"sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com", "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com", true},
		{"sip:alice@atlanta.com?subject=project%20x&priority=urgent", "sip:alice@atlanta.com?priority=urgent&subject=project%20x", true},
		{"SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp", false},
		{"sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting", false},
		{"sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off", false},
		{"sip:a@h", "sips:a@h", false},
		{"sip:a:p@h", "sip:a@h", false},
		{"tel:+1-555.12", "tel:+155512", true},
		{"tel:1;phone-context=a", "tel:1", false},
		{"nonsense", "nonsense", true},
		{"nonsense", "sip:h", false},
		{"http://A", "http://a", false},
	} {
		if got := EqualURI(tt.a, tt.b); got != tt.want {
			t.Errorf("EqualURI(%q, %q) = %v", tt.a, tt.b, got)
		}
		if got := EqualURI(tt.b, tt.a); got != tt.want {
			t.Errorf("EqualURI(%q, %q) = %v", tt.b, tt.a, got)
		}
	}
}

func TestEqualAOR(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"sip:a@H;x=y", "sip:a@h:5060", true},
		{"sip:a@h", "sip:b@h", false},
		{"sip:a@h:5070", "sip:a@h", false},
		{"bad", "bad", false},
	} {
		if got := EqualAOR(tt.a, tt.b); got != tt.want {
			t.Errorf("EqualAOR(%q, %q) = %v", tt.a, tt.b, got)
		}
	}
}

func TestUnescapeUser(t *testing.T) {
	for in, want := range map[string]string{"a%40b": "a@b", "a%4": "a%4", "%": "%", "%zz": "%zz", "plain": "plain", "%41%42": "AB"} {
		if got := UnescapeUser(in); got != want {
			t.Errorf("UnescapeUser(%q) = %q, want %q", in, got, want)
		}
	}
}

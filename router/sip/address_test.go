package sip

import (
	"errors"
	"fmt"
	"testing"
)

func TestVia(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want string // protocol version transport host port branch received rport hasrport params
		bad  bool
	}{
		{in: "SIP/2.0/UDP h", want: "SIP 2.0 UDP h 0    false "},
		{in: "SIP/2.0/UDP h:5070;branch=z9hG4bK1", want: "SIP 2.0 UDP h 5070 z9hG4bK1   false branch=z9hG4bK1"},
		{in: "SIP / 2.0 / TCP   10.0.0.1 : 5070 ; rport ; received=1.2.3.4", want: "SIP 2.0 TCP 10.0.0.1 5070  1.2.3.4  true  rport ; received=1.2.3.4"},
		{in: "SIP/2.0/UDP [2001:db8::1]:5060;rport=6", want: "SIP 2.0 UDP [2001:db8::1] 5060   6 true rport=6"},
		{in: "SIP/2.0/UDP h;BRANCH=B;i=7;alias (a (nested) \\) comment)", want: "SIP 2.0 UDP h 0 B   false BRANCH=B;i=7;alias"},
		{in: "SIP/2.0/UDP h;x=\"a;b,c\\\"\";branch=b, SIP/2.0/UDP two", want: "SIP 2.0 UDP h 0 b   false x=\"a;b,c\\\"\";branch=b"},
		{in: "SIP/2.0/UDP h;", want: "SIP 2.0 UDP h 0    false "},
		{in: "SIP/2.0/UDP\r\n h", want: "SIP 2.0 UDP h 0    false "},
		{in: "SIP/2.0/UDP", bad: true},
		{in: "SIP/2.0 h", bad: true},
		{in: "SIP/2.0/UDP h:99999", bad: true},
		{in: "SIP/2.0/UDP h:", bad: true},
		{in: "SIP/2.0/UDP [::1", bad: true},
		{in: "SIP/2.0/UDP h junk", bad: true},
		{in: "SIP/2.0/UDP h;x=\"open", bad: true},
		{in: "SIP/2.0/UDP h (open", bad: true},
		{in: "", bad: true},
	} {
		v, err := ParseVia(tt.in)
		if _, bad := errors.AsType[*SyntaxError](err); bad != tt.bad {
			t.Errorf("ParseVia(%q): %v, want bad=%v", tt.in, err, tt.bad)
		}
		if tt.bad {
			continue
		}
		got := fmt.Sprintf("%s %s %s %s %d %s %s %s %v %s", v.Protocol, v.Version, v.Transport, v.Host, v.Port, v.Branch, v.Received, v.RPort, v.HasRPort, v.Params)
		if got != tt.want {
			t.Errorf("ParseVia(%q)\n got %s\nwant %s", tt.in, got, tt.want)
		}
	}
}

func TestVia2(t *testing.T) {
	for _, tt := range []struct{ via, want string }{
		{"Via: SIP/2.0/UDP a, SIP/2.0/UDP b", "b"},
		{"Via: SIP/2.0/UDP a;x=1 (c) ,\r\n SIP/2.0/UDP b\r\nVia: SIP/2.0/UDP c", "b"},
		{"Via: SIP/2.0/UDP a\r\nTo: <sip:x>\r\nv: SIP/2.0/UDP c", "c"},
		{"Via: SIP/2.0/UDP a", ""},
	} {
		m := mustParse(t, "OPTIONS sip:a SIP/2.0\r\n"+tt.via+"\r\n\r\n")
		v, err := m.Via2()
		switch {
		case tt.want == "" && !errors.Is(err, ErrAbsent):
			t.Errorf("%q: %v, want ErrAbsent", tt.via, err)
		case tt.want != "" && (err != nil || v.Host != tt.want):
			t.Errorf("%q: %v, %v; want %s", tt.via, v, err, tt.want)
		}
	}
}

func TestNameAddr(t *testing.T) {
	for _, tt := range []struct {
		in, display, uri, params, tag string
		bad                           bool
	}{
		{in: "<sip:a@b>", uri: "sip:a@b"},
		{in: "<sip:a@b;x=1?h=v>;tag=t;y", uri: "sip:a@b;x=1?h=v", params: "tag=t;y", tag: "t"},
		{in: "sip:a@b;tag=t", uri: "sip:a@b", params: "tag=t", tag: "t"},
		{in: "Alice <sip:a@b>", display: "Alice", uri: "sip:a@b"},
		{in: "Alice B. Carol\t<sip:a@b> ; TAG = t", display: "Alice B. Carol", uri: "sip:a@b", params: " TAG = t", tag: "t"},
		{in: `"A \"B\" <x>" <sip:a@b>`, display: `"A \"B\" <x>"`, uri: "sip:a@b"},
		{in: `""<sip:a@b>`, display: `""`, uri: "sip:a@b"},
		{in: "<sip:[2001:db8::1]:5060;lr>", uri: "sip:[2001:db8::1]:5060;lr"},
		{in: "< sip:a@b >", uri: "sip:a@b"},
		{in: "<sip:a,b@c>", uri: "sip:a,b@c"},
		{in: "<sip:a@b>;x=\"a;tag=no\";tag=yes", uri: "sip:a@b", params: "x=\"a;tag=no\";tag=yes", tag: "yes"},
		{in: "tel:+4930123;tag=t", uri: "tel:+4930123", params: "tag=t", tag: "t"},
		{in: "*", uri: "*"},
		{in: "", bad: true},
		{in: "<sip:a@b", bad: true},
		{in: "<>", bad: true},
		{in: `"open <sip:a@b>`, bad: true},
		{in: `"x" sip:a@b`, bad: true},
		{in: "<sip:a@b> x", bad: true},
		{in: "<sip:a@b>, <sip:c@d>", bad: true},
		{in: "<sip:a b>", bad: true},
		{in: `<sip:a@b>;x="open`, bad: true},
	} {
		n, err := ParseNameAddr(tt.in)
		if _, bad := errors.AsType[*SyntaxError](err); bad != tt.bad {
			t.Errorf("ParseNameAddr(%q): %v, want bad=%v", tt.in, err, tt.bad)
		}
		if n.Display != tt.display || n.URI != tt.uri || n.Params != tt.params || n.Tag != tt.tag {
			t.Errorf("ParseNameAddr(%q) = %q %q %q %q", tt.in, n.Display, n.URI, n.Params, n.Tag)
		}
	}
}

func TestNameAddrParam(t *testing.T) {
	n, err := ParseNameAddr(`<sip:a@b>;q=0.5;+sip.instance="<urn:uuid:1>";flag;esc="a\"b"`)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"Q": "0.5 true", "+sip.instance": "<urn:uuid:1> true", "flag": " true", "esc": `a"b true`, "none": " false"} {
		v, ok := n.Param(name)
		if got := fmt.Sprint(v, " ", ok); got != want {
			t.Errorf("Param(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestContacts(t *testing.T) {
	m := mustParse(t, crlf(`REGISTER sip:a SIP/2.0
Contact: "A" <sip:a@h;transport=tcp>;q=0.7;expires=60;+sip.instance="<urn:x>";reg-id=2,
 sip:b@h;expires=junk
m: <sip:c@h>;received="sip:1.2.3.4:5";methods="INVITE,ACK"

`))
	it := m.ContactIter()
	got := ""
	for it.Next() {
		c := it.Contact()
		got += fmt.Sprintf("%s %d %d %v %s %d %s %s %v\n", c.URI, c.Q, c.Expires, c.HasExpires, c.Instance, c.RegID, c.Received, c.Methods, c.Star)
	}
	want := `sip:a@h;transport=tcp 700 60 true <urn:x> 2   false
sip:b@h -1 3600 true  0   false
sip:c@h -1 0 false  0 sip:1.2.3.4:5 INVITE,ACK false
`
	if got != want || it.Err() != nil {
		t.Errorf("%v\n got %s\nwant %s", it.Err(), got, want)
	}
	m = mustParse(t, "REGISTER sip:a SIP/2.0\r\nContact: *\r\n\r\n")
	if it = m.ContactIter(); !it.Next() || !it.Contact().Star || it.Next() {
		t.Errorf("Contact * is not one star: %+v", it.Contact())
	}
	m = mustParse(t, "REGISTER sip:a SIP/2.0\r\nContact: <sip:a@b>;q=7\r\n\r\n")
	if it = m.ContactIter(); it.Next() || it.Err() == nil {
		t.Errorf("q=7 passed")
	}
}

func TestQ(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want int
		ok   bool
	}{
		{"1", 1000, true},
		{"0", 0, true},
		{"0.5", 500, true},
		{".5", 500, true},
		{"1.000", 1000, true},
		{"0.1234", 123, true},
		{"1.", 1000, true},
		{"1.001", 1001, false},
		{"2", 0, false},
		{"", 0, false},
		{"x", 0, false},
		{"0.x", 0, false},
		{"-1", 0, false},
	} {
		got, ok := ParseQ(tt.in)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("ParseQ(%q) = %d, %v", tt.in, got, ok)
		}
	}
	for q := 0; q <= 1000; q++ {
		s := string(AppendQ(nil, q))
		if got, ok := ParseQ(s); got != q || !ok {
			t.Errorf("q %d printed %q reads %d", q, s, got)
		}
	}
}

func TestRoutes(t *testing.T) {
	m := mustParse(t, crlf("INVITE sip:a SIP/2.0\nRoute: <sip:1;lr>,<sip:2;lr> , \"x\" <sip:3>\nSubject: x\nRoute: <sip:4>\n\n"))
	it := m.Routes(HdrRoute)
	got := ""
	for it.Next() {
		got += it.NameAddr().URI + " "
	}
	if want := "sip:1;lr sip:2;lr sip:3 sip:4 "; got != want || it.Err() != nil {
		t.Errorf("routes %q, %v; want %q", got, it.Err(), want)
	}
	for n, want := range []string{
		"Route: <sip:1;lr>,<sip:2;lr> , \"x\" <sip:3>\r\nSubject: x\r\nRoute: <sip:4>\r\n",
		"Route: <sip:2;lr> , \"x\" <sip:3>\r\nSubject: x\r\nRoute: <sip:4>\r\n",
		"Route: \"x\" <sip:3>\r\nSubject: x\r\nRoute: <sip:4>\r\n",
		"Subject: x\r\nRoute: <sip:4>\r\n",
		"Subject: x\r\n",
		"Subject: x\r\n",
	} {
		m.Edits.Reset()
		if err := m.DeleteValues(HdrRoute, n); err != nil {
			t.Fatal(err)
		}
		if got := string(m.AppendTo(nil, nil, &m.Edits)); got != "INVITE sip:a SIP/2.0\r\n"+want+"\r\n" {
			t.Errorf("without the first %d:\n%s", n, got)
		}
	}
}

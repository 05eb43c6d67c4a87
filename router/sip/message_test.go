package sip

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// crlf makes wire text of a readable one.
func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func TestParseRequest(t *testing.T) {
	m := mustParse(t, inviteText)
	if !m.IsRequest() || m.Method() != INVITE || m.MethodName() != "INVITE" || m.Version() != "SIP/2.0" {
		t.Errorf("first line: %v %v %q %q", m.IsRequest(), m.Method(), m.MethodName(), m.Version())
	}
	if got, want := m.RequestURI(), "sip:bob@example.com;transport=udp"; got != want {
		t.Errorf("RequestURI = %q, want %q", got, want)
	}
	if n := len(m.Headers()); n != 14 {
		t.Errorf("%d headers, want 14", n)
	}
	if got := m.CallID(); got != "8f0e6a3c-1f2b-4c5d-9e8f@10.0.0.17" {
		t.Errorf("CallID = %q", got)
	}
	if m.FromTag() != "9f3a2b1c" || m.ToTag() != "" {
		t.Errorf("tags %q %q", m.FromTag(), m.ToTag())
	}
	if q, err := m.CSeq(); err != nil || q != (CSeq{102, INVITE, "INVITE"}) {
		t.Errorf("CSeq = %v, %v", q, err)
	}
	if n, _, err := m.MaxForwards(); n != 69 || err != nil {
		t.Errorf("MaxForwards = %d, %v", n, err)
	}
	if n, ok := m.ContentLength(); !ok || n != len(m.Body()) || !strings.HasPrefix(m.Body(), "v=0\r\n") {
		t.Errorf("ContentLength = %d, body of %d: %q", n, len(m.Body()), m.Body())
	}
	if v := m.Value(m.First(HdrUserAgent)); v != "Example Phone 4.2" {
		t.Errorf("User-Agent = %q", v)
	}
}

func TestParseReply(t *testing.T) {
	m := mustParse(t, crlf("SIP/2.0 486 Busy Here\nVia: SIP/2.0/UDP h\nCSeq: 7 BYE\n\n"))
	if m.IsRequest() || m.StatusCode() != 486 || m.Reason() != "Busy Here" || m.Method() != BYE || m.MethodName() != "BYE" {
		t.Errorf("got %v %d %q %v %q", m.IsRequest(), m.StatusCode(), m.Reason(), m.Method(), m.MethodName())
	}
}

func TestFirstLine(t *testing.T) {
	for _, tt := range []struct {
		line string
		why  string // part of the error; "" for none
	}{
		{line: "OPTIONS sip:a SIP/2.0"},
		{line: "options sip:a sip/2.0"},
		{line: "OPTIONS sip:a SIP/7.0"}, // 505 is the script's to answer
		{line: "SIP/2.0 200 OK"},
		{line: "SIP/2.0 200 "},
		{line: "SIP/2.0 200"},
		{line: "SIP/2.0 183 Ça \t va"},
		{line: "OPTIONS  sip:a SIP/2.0", why: "no request URI"},
		{line: "OPTIONS sip:a  SIP/2.0", why: "not SIP/n.n"},
		{line: "OPTIONS sip:a b SIP/2.0", why: "not SIP/n.n"},
		{line: "OPTIONS sip:a SIP/2.0 ", why: "not SIP/n.n"},
		{line: "OPTIONS sip:a", why: "no version"},
		{line: "OPTIONS", why: "a method and a blank"},
		{line: "GET / HTTP/1.1", why: "not SIP/n.n"},
		{line: "SIP/2.0 99 Low", why: "three digits"},
		{line: "SIP/2.0 700 High", why: "between 100 and 699"},
		{line: "SIP/2.0 4294967301 Big", why: "three digits"},
		{line: "SIP/x 200 OK", why: "not SIP/n.n"},
		{line: "<OPT> sip:a SIP/2.0", why: "a method and a blank"},
	} {
		_, err := Parse(tt.line + "\r\n\r\n")
		var se *SyntaxError
		switch {
		case tt.why == "" && err != nil:
			t.Errorf("%q: %v", tt.line, err)
		case tt.why != "" && (!errors.As(err, &se) || !strings.Contains(se.Why, tt.why)):
			t.Errorf("%q: error %v, want one about %q", tt.line, err, tt.why)
		}
	}
}

func TestHeaderForms(t *testing.T) {
	for _, tt := range []struct{ name, text, value string }{
		{"Subject", "Subject: hi\r\n", "hi"},
		{"subject", "SUBJECT:hi\r\n", "hi"},
		{"Subject", "s :\t hi \t\r\n", "hi"},
		{"s", "Subject  : hi\r\n", "hi"},
		{"Subject", "Subject: a\r\n b\r\n\tc\r\n", "a\r\n b\r\n\tc"},
		{"Subject", "Subject:\r\n hi\r\n", "hi"},
		{"Subject", "Subject: \r\n", ""},
		{"Subject", "Subject: hi\n", "hi"},
		{"Subject", "Subject: a\n b\n", "a\n b"},
		{"X-Own", "x-own: 1\r\n", "1"},
		{"Subject", "Subject: a\x00b\r\n", "a\x00b"},
	} {
		m, err := Parse("OPTIONS sip:a SIP/2.0\r\n" + tt.text + "To: <sip:z>\r\n\r\n")
		if err != nil {
			t.Errorf("%q: %v", tt.text, err)
			continue
		}
		h := m.FindName(tt.name)
		if h == nil {
			t.Errorf("%q: no %s", tt.text, tt.name)
			continue
		}
		if got := m.Value(h); got != tt.value {
			t.Errorf("%q: value %q, want %q", tt.text, got, tt.value)
		}
		if got := m.Raw()[h.Start():h.End()]; got != tt.text {
			t.Errorf("%q: the field is %q", tt.text, got)
		}
	}
}

func TestBadHeaders(t *testing.T) {
	for _, text := range []string{
		"no colon\r\n\r\n", ": no name\r\n\r\n", " starts with blank\r\n\r\n", "Bad name: x\r\n\r\n", "To: <sip:z>\r\n", "",
	} {
		m := new(Message)
		err := m.Parse("OPTIONS sip:a SIP/2.0\r\nCall-ID: 1\r\n" + text)
		if _, ok := errors.AsType[*SyntaxError](err); !ok && text != " starts with blank\r\n\r\n" {
			t.Errorf("%q: error %v, want a *SyntaxError", text, err)
		}
		if !m.IsRequest() || !strings.HasPrefix(m.CallID(), "1") {
			t.Errorf("%q: the rest of the message was not indexed", text)
		}
	}
}

func TestLimits(t *testing.T) {
	many := "OPTIONS sip:a SIP/2.0\r\n" + strings.Repeat("X: 1\r\n", 10) + "\r\n"
	m := &Message{Limits: Limits{MaxHeaders: 9}}
	if err := m.Parse(many); err == nil || !strings.Contains(err.Error(), "MaxHeaders") {
		t.Errorf("10 headers of 9: %v", err)
	}
	m.Limits = Limits{MaxSize: 50}
	if err := m.Parse(many); err == nil || !strings.Contains(err.Error(), "MaxSize") {
		t.Errorf("too large: %v", err)
	}
	m.Limits = Limits{}
	if err := m.Parse(many); err != nil {
		t.Errorf("within the default limits: %v", err)
	}
}

func TestReuse(t *testing.T) {
	m := mustParse(t, inviteText)
	if _, err := m.Via2(); err != nil {
		t.Fatal(err)
	}
	m.Edits.Insert(0, "x")
	if err := m.Parse(optionsText); err != nil {
		t.Fatal(err)
	}
	if m.First(HdrRecordRoute) != nil || m.Edits.Len() != 0 || m.FromTag() != "1234SIPpTag001" {
		t.Errorf("the former message shows through: %v %d %q", m.First(HdrRecordRoute), m.Edits.Len(), m.FromTag())
	}
	if _, err := m.Via2(); !errors.Is(err, ErrAbsent) {
		t.Errorf("Via2 = %v, want ErrAbsent", err)
	}
	if n := testing.AllocsPerRun(50, func() { _ = m.Parse(optionsText); _, _ = m.Via(); _, _ = m.From() }); n != 0 {
		t.Errorf("a reused message allocates %v times", n)
	}
}

func TestClone(t *testing.T) {
	m := mustParse(t, inviteText)
	m.Edits.Insert(m.HeaderEnd(), "X: 1\r\n")
	c := m.Clone()
	want := string(c.AppendTo(nil, nil, &c.Edits))
	_ = m.Parse(optionsText)
	if got := string(c.AppendTo(nil, nil, &c.Edits)); got != want || c.CallID() != "8f0e6a3c-1f2b-4c5d-9e8f@10.0.0.17" {
		t.Errorf("the clone changed with its original:\n%s", got)
	}
}

func TestNext(t *testing.T) {
	m := mustParse(t, crlf("OPTIONS sip:a SIP/2.0\nX-A: 1\nRoute: <sip:1>\nX-B: 2\nx-a: 3\nRoute: <sip:2>\nX-A: 4\n\n"))
	collect := func(h *Header) (s string) {
		for ; h != nil; h = m.Next(h) {
			s += m.Value(h) + " "
		}
		return s
	}
	for _, tt := range []struct{ got, want string }{
		{collect(m.FindName("X-A")), "1 3 4 "},
		{collect(m.FindName("x-b")), "2 "},
		{collect(m.First(HdrRoute)), "<sip:1> <sip:2> "},
		{collect(m.FindName("X-C")), ""},
		{collect(m.First(HdrVia)), ""},
		{m.Value(m.Last(HdrRoute)), "<sip:2>"},
		{fmt.Sprint(m.Count(HdrRoute)), "2"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

func TestKindOf(t *testing.T) {
	for k := HdrOther + 1; k < headerKinds; k++ {
		for _, name := range []string{k.String(), strings.ToLower(k.String()), strings.ToUpper(k.String())} {
			if got := KindOf(name); got != k || name == "" {
				t.Errorf("KindOf(%q) = %d, want %d", name, got, k)
			}
		}
		for _, name := range []string{k.String() + "x", "x" + k.String(), k.String()[1:]} {
			if got := KindOf(name); got == k {
				t.Errorf("KindOf(%q) = %s", name, got)
			}
		}
	}
	for c, want := range map[string]HeaderKind{
		"v": HdrVia, "f": HdrFrom, "T": HdrTo, "i": HdrCallID, "m": HdrContact, "l": HdrContentLength, "L": HdrContentLength,
		"c": HdrContentType, "k": HdrSupported, "r": HdrReferTo, "b": HdrReferredBy, "x": HdrSessionExpires,
		"o": HdrEvent, "u": HdrAllowEvents, "s": HdrSubject, "e": HdrContentEncoding, "z": HdrOther, "!": HdrOther, "": HdrOther,
	} {
		if got := KindOf(c); got != want {
			t.Errorf("KindOf(%q) = %v, want %v", c, got, want)
		}
	}
}

func TestBodyLength(t *testing.T) {
	for _, tt := range []struct{ length, body, want string }{
		{"Content-Length: 3\n", "abcdef", "abc"},
		{"Content-Length: 6\n", "abcdef", "abcdef"},
		{"Content-Length: 9\n", "abcdef", "abcdef"},
		{"", "abcdef", "abcdef"},
		{"l: 0\n", "abcdef", ""},
		{"Content-Length: -1\n", "abcdef", "abcdef"},
		{"Content-Length: x\n", "abcdef", "abcdef"},
		{"Content-Length: 99999999999999999999\n", "abcdef", "abcdef"},
	} {
		m := mustParse(t, crlf("OPTIONS sip:a SIP/2.0\n"+tt.length+"\n")+tt.body)
		if m.Body() != tt.want {
			t.Errorf("%q: body %q, want %q", tt.length, m.Body(), tt.want)
		}
	}
}

func TestCSeqAndNumbers(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want uint32
		bad  bool
	}{
		{in: "1 INVITE", want: 1},
		{in: "0009\t INVITE", want: 9},
		{in: "1\r\n INVITE", want: 1},
		{in: "4294967295 INVITE", want: 4294967295},
		{in: "4294967296 INVITE", bad: true},
		{in: "36893488147419103232 INVITE", bad: true},
		{in: "1INVITE", bad: true},
		{in: "1", bad: true},
		{in: "INVITE", bad: true},
		{in: "-1 INVITE", bad: true},
		{in: "1 INVITE x", bad: true},
	} {
		m, err := Parse("INVITE sip:a SIP/2.0\r\nCSeq: " + tt.in + "\r\n\r\n")
		if err != nil {
			t.Fatal(err)
		}
		q, err := m.CSeq()
		if _, bad := errors.AsType[*SyntaxError](err); q.Num != tt.want || bad != tt.bad {
			t.Errorf("CSeq %q = %d, %v; want %d, bad=%v", tt.in, q.Num, err, tt.want, tt.bad)
		}
	}
}

func TestHasToken(t *testing.T) {
	m := mustParse(t, crlf("OPTIONS sip:a SIP/2.0\nk: path , 100rel\nSupported: GRUU\n\n"))
	for token, want := range map[string]bool{"path": true, "100REL": true, "gruu": true, "pat": false, "outbound": false} {
		if got := m.HasToken(HdrSupported, token); got != want {
			t.Errorf("HasToken(%q) = %v", token, got)
		}
	}
}

func TestCutList(t *testing.T) {
	rest := `"a,b" <sip:x,y@h>;p="q\",r" , <sip:z>,, last `
	var got []string
	for rest != "" {
		var item string
		item, rest = CutList(rest)
		got = append(got, item)
	}
	want := `["\"a,b\" <sip:x,y@h>;p=\"q\\\",r\"" "<sip:z>" "" "last"]`
	if fmt.Sprintf("%q", got) != want {
		t.Errorf("got %q, want %s", got, want)
	}
}

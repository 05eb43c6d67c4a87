package sip

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
)

// FuzzMessage: whatever the octets, nothing panics; an untouched message prints
// as received; an edit is seen when what was printed is parsed.
func FuzzMessage(f *testing.F) {
	f.Add(inviteText)
	f.Add(optionsText)
	f.Add(small)
	for _, file := range tortureFiles(f) {
		_, raw := loadTorture(f, file)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		m := new(Message)
		err := m.Parse(raw)
		look(m)
		if err != nil {
			return
		}
		if got := string(m.AppendTo(nil, nil)); got != raw[:m.bodyEnd()] {
			t.Fatalf("untouched it prints\n%q\nof\n%q", got, raw)
		}
		src := netip.MustParseAddrPort("192.0.2.1:5060")
		if m.IsRequest() {
			checkReply(t, m, src)
			AppendAck(AppendCancel(nil, m, ""), m, "<sip:x>")
		}
		m.Edits.Insert(m.HeaderEnd(), "X-Fuzz: 1\r\n")
		if h := m.First(HdrSubject); h != nil {
			if err := m.Edits.Delete(h.Start(), h.End()); err != nil {
				t.Fatal(err)
			}
		}
		if raw[m.HeaderEnd()-1] != '\n' {
			return // the last header has no line end: nothing can follow it
		}
		opt := &PrintOptions{TopVia: "Via: SIP/2.0/UDP fuzz\r\n", Source: src, ForceRPort: true, NeedLength: true}
		n, err := Parse(string(m.AppendTo(nil, opt, &m.Edits)))
		if err != nil {
			t.Fatalf("what was printed does not parse: %v\n%q", err, m.AppendTo(nil, opt, &m.Edits))
		}
		if n.FindName("x-fuzz") == nil || n.Count(HdrSubject) >= m.Count(HdrSubject) && m.Count(HdrSubject) > 0 {
			t.Fatalf("the edits are not to be seen in\n%q", n.Raw())
		}
		if v, err := n.Via(); err != nil || v.Host != "fuzz" {
			t.Fatalf("the topmost Via is %v, %v in\n%q", v, err, n.Raw())
		}
		if got, _ := n.ContentLength(); got != len(n.Body()) || n.Body() != m.Body() || n.Count(HdrContentLength) != 1 {
			t.Fatalf("Content-Length %d, body of %d, in\n%q", got, len(n.Body()), n.Raw())
		}
	})
}

// look asks for all views and walks all lists.
func look(m *Message) {
	_, _ = m.Via()
	_, _ = m.Via2()
	if n, err := m.From(); err == nil {
		_, _ = n.ParseURI()
		n.Param("tag")
	}
	_, _ = m.To()
	_, _ = m.CSeq()
	_, _, _ = m.MaxForwards()
	m.Expires()
	m.HasToken(HdrSupported, "path")
	m.CredentialsFor("x", HdrAuthorization)
	for it := m.ContactIter(); it.Next(); {
		it.Contact()
	}
	for it := m.Routes(HdrRoute); it.Next(); {
		it.NameAddr()
	}
	c := m.Clone()
	for i := 0; i < 3; i++ {
		c.Edits.Reset()
		_ = c.DeleteValues(HdrRoute, i)
		c.AppendTo(nil, nil, &c.Edits)
	}
}

func checkReply(t *testing.T, m *Message, src netip.AddrPort) {
	b := m.AppendReply(nil, &Reply{Code: 200, ToTag: "fuzz", Source: src, ForceRPort: true})
	r, err := Parse(string(b))
	if err != nil {
		t.Fatalf("the reply does not parse: %v\n%q", err, b)
	}
	if r.StatusCode() != 200 || r.CallID() != m.CallID() || r.Count(HdrVia) != m.Count(HdrVia) {
		t.Fatalf("the reply is %q", b)
	}
	if v, err := m.Via(); err == nil {
		w, err := r.Via()
		if err != nil || w.Host != v.Host || w.Received != "192.0.2.1" && w.Host != "192.0.2.1" || w.RPort != "5060" {
			t.Fatalf("the reply's Via is %+v, %v in\n%q", w, err, b)
		}
	}
	if to, err := m.To(); err == nil && to.Tag == "" && !to.Star && r.ToTag() != "fuzz" {
		if !strings.Contains(to.Params, "tag") { // an empty tag parameter is kept
			t.Fatalf("the reply's To-tag is %q in\n%q", r.ToTag(), b)
		}
	}
}

// FuzzURI: printing and parsing again gives the same, setters give URIs.
func FuzzURI(f *testing.F) {
	for _, s := range []string{
		"sip:a:b@h:5060;transport=tcp;lr?x=y", "sips:[2001:db8::1]:5061", "tel:+49-30-1;phone-context=de",
		"urn:service:sos", "SIP:%61@h;;x", "http://x", "sip:a@b:0",
	} {
		f.Add(s, "new")
	}
	f.Fuzz(func(t *testing.T, s, part string) {
		u, err := ParseURI(s)
		if err != nil {
			return
		}
		p := u.String()
		v, err := ParseURI(p)
		if err != nil {
			t.Fatalf("%q prints %q, which is %v", s, p, err)
		}
		if v.String() != p || u.Scheme != v.Scheme || u.User != v.User || u.Host != v.Host || u.Port != v.Port || u.Params != v.Params || u.Headers != v.Headers {
			t.Fatalf("%q prints %q, which prints %q", s, p, v.String())
		}
		if !u.Equal(&u) || u.Scheme != SchemeOther && !EqualURI(s, p) {
			t.Fatalf("%q is not equal to itself", s)
		}
		for name, set := range map[string]func(string, string) (string, error){
			"SetUser": SetUser, "SetUserPass": SetUserPass, "SetHost": SetHost, "SetHostPort": SetHostPort,
			"SetHostPortTrans": SetHostPortTrans, "SetPort": SetPort, "AddParam": AddParam, "Prefix": Prefix, "RemoveParam": RemoveParam,
		} {
			if r, err := set(s, part); err == nil {
				if _, err := ParseURI(r); err != nil {
					t.Fatalf("%s(%q, %q) = %q, which is %v", name, s, part, r, err)
				}
			}
		}
		for n := -1; n < 3; n++ {
			for _, strip := range []func(string, int) (string, error){Strip, StripTail} {
				if r, err := strip(s, n); err == nil {
					if _, err := ParseURI(r); err != nil {
						t.Fatalf("Strip(%q, %d) = %q, which is %v", s, n, r, err)
					}
				}
			}
		}
	})
}

// FuzzNameAddr: the parts are where the offsets say.
func FuzzNameAddr(f *testing.F) {
	for _, s := range []string{`"A \" B" <sip:a@b;x>;tag=1;y="z;"`, "sip:a@b;tag=1", "*", "Name <sip:a>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseNameAddr(s)
		if err != nil {
			return
		}
		if s[n.URIStart:n.URIEnd] != n.URI || n.End > len(s) || n.ParamEnd > n.End {
			t.Fatalf("%q: %+v", s, n)
		}
		again, err := ParseNameAddr(s[n.Start:n.End])
		if err != nil || again.URI != n.URI || again.Tag != n.Tag || again.Display != n.Display {
			t.Fatalf("%q: its value %q reads %+v, %v", s, s[n.Start:n.End], again, err)
		}
		if strings.ContainsAny(n.URI, " <>\r\n") {
			t.Fatalf("%q: the URI is %q", s, n.URI)
		}
	})
}

// FuzzDigest: fields do not keep their quotes and fit into the text.
func FuzzDigest(f *testing.F) {
	f.Add(`Digest username="alice@h", realm="r", nonce="n", uri="sip:h", response="0123", qop=auth, nc=1, cnonce="c"`)
	f.Add(`Digest realm="a\"b",, algorithm=MD5`)
	f.Add("Basic abc")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCredentials(s)
		if err != nil {
			return
		}
		for _, v := range []string{c.Username, c.Realm, c.Nonce, c.URI, c.Response, c.Opaque} {
			if len(v) > len(s) {
				t.Fatalf("%q: a field is %q", s, v)
			}
		}
		if c.Domain != "" && c.User+"@"+c.Domain != c.Username {
			t.Fatalf("%q: %q is %q at %q", s, c.Username, c.User, c.Domain)
		}
		c.Verify("0123456789abcdef0123456789abcdef", "INVITE", "")
	})
}

// FuzzFrame: a stream is cut the same however it comes in, and what is cut off
// is a message that the framer would cut off again.
func FuzzFrame(f *testing.F) {
	f.Add([]byte(inviteText+"\r\n\r\n"+optionsText), 7)
	f.Add([]byte("OPTIONS sip:a SIP/2.0\r\nl: 3\r\n\r\nabc"), 1)
	f.Add([]byte("\r\n\r\n\n"), 2)
	f.Fuzz(func(t *testing.T, stream []byte, step int) {
		if step < 1 {
			step = 1
		}
		whole, werr := Frame(stream, 4096)
		var fr Framer
		fr.Max = 4096
		got, gerr := 0, error(nil)
		for i := 0; i < len(stream) && got == 0 && gerr == nil; {
			i = min(i+step, len(stream))
			got, gerr = fr.Frame(stream[:i])
		}
		if (werr == nil) != (gerr == nil) && whole != 0 {
			t.Fatalf("at once %d, %v; by %d %d, %v", whole, werr, step, got, gerr)
		}
		if whole > len(stream) || whole > 4096 {
			t.Fatalf("%d octets of %d", whole, len(stream))
		}
		if whole > 0 && werr == nil {
			if got != whole {
				t.Fatalf("at once %d; by %d %d, %v", whole, step, got, gerr)
			}
			if n, err := Frame(bytes.Clone(stream[:whole]), 4096); n != whole || err != nil {
				t.Fatalf("the message of %d is %d, %v", whole, n, err)
			}
		}
	})
}

package sip

import (
	"strings"
	"testing"
)

// TestDigest has the examples of RFC 2617 §3.5 and RFC 7616 §3.9.1.
func TestDigest(t *testing.T) {
	for _, tt := range []struct{ header, password, method string }{
		{`Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html", qop=auth, nc=00000001, cnonce="0a4f113b", response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41"`, "Circle Of Life", "GET"},
		{`Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=MD5, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="8ca523f5e9506fed4657c9700eebdbec"`, "Circle of Life", "GET"},
		{`Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"`, "Circle of Life", "GET"},
	} {
		c, err := ParseCredentials(tt.header)
		if err != nil {
			t.Errorf("%s: %v", tt.header, err)
			continue
		}
		alg := ParseAlgorithm(c.Algorithm)
		ha1 := HA1(alg, c.Username, c.Realm, tt.password)
		if !c.Verify(ha1, tt.method, "") {
			t.Errorf("%s: response wanted %s", tt.header, Response(alg, ha1, &c, tt.method, ""))
		}
		if c.Verify(HA1(alg, c.Username, c.Realm, "wrong"), tt.method, "") {
			t.Errorf("%s: a wrong password passed", tt.header)
		}
		c.Response = strings.ToUpper(c.Response)
		if !c.Verify(ha1, tt.method, "") {
			t.Errorf("%s: capital hexadecimal digits do not pass", tt.header)
		}
		c.Response = c.Response[1:]
		if c.Verify(ha1, tt.method, "") {
			t.Errorf("%s: a short response passed", tt.header)
		}
	}
}

func TestDigestWithoutQop(t *testing.T) {
	c := Credentials{Nonce: "n", URI: "sip:h", Response: ""}
	ha1 := HA1(MD5, "alice", "h", "pw")
	c.Response = MD5.hash(ha1, "n", MD5.hash("REGISTER", "sip:h"))
	if !c.Verify(ha1, "REGISTER", "") {
		t.Error("RFC 2069 response does not pass")
	}
	c.Algorithm = "MD5-sess"
	c.CNonce = "c"
	c.Response = MD5.hash(MD5.hash(ha1, "n", "c"), "n", MD5.hash("REGISTER", "sip:h"))
	if !c.Verify(ha1, "REGISTER", "") {
		t.Error("MD5-sess does not pass")
	}
	c.Algorithm = "XYZ"
	if c.Verify(ha1, "REGISTER", "") {
		t.Error("an unknown algorithm passes")
	}
	if got := HA2(MD5, "GET", "/", "auth-int", "body"); got != MD5.hash("GET", "/", MD5.hash("body")) {
		t.Errorf("auth-int HA2 = %s", got)
	}
}

func TestParseCredentials(t *testing.T) {
	c, err := ParseCredentials("digest\r\n username = \"al\\\"ice@h\",realm=\"r,x\" ,, NC=1, unknown=\"z\", username=\"second\"")
	if err != nil || c.Username != `al"ice@h` || c.User != `al"ice` || c.Domain != "h" || c.Realm != "r,x" || c.NC != "1" {
		t.Errorf("got %+v, %v", c, err)
	}
	if c, err = ParseCredentials("Basic QWxh"); err != nil || c.IsDigest() || c.Auth != "QWxh" {
		t.Errorf("Basic: %+v, %v", c, err)
	}
	for _, in := range []string{"", `Digest realm="open`, "Digest realm", "Digest =x", `Digest a="b" c="d"`, "Digest a=b;c=d"} {
		if c, err := ParseCredentials(in); err == nil {
			t.Errorf("ParseCredentials(%q) = %+v", in, c)
		}
	}
}

func TestCredentialsFor(t *testing.T) {
	m := mustParse(t, crlf("REGISTER sip:h SIP/2.0\nAuthorization: Digest realm=\"a\", nonce=\"1\"\nAuthorization: junk\nAuthorization: Digest realm=\"b\", nonce=\"2\"\n\n"))
	h, c, ok := m.CredentialsFor("b", HdrAuthorization)
	if !ok || c.Nonce != "2" || h != m.Last(HdrAuthorization) {
		t.Errorf("got %v %+v %v", h, c, ok)
	}
	if _, _, ok := m.CredentialsFor("c", HdrAuthorization); ok {
		t.Error("realm c is there")
	}
}

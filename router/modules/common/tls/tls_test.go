package tls

import (
	"crypto/tls"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sipd/router/module/moduletest"
	"sipd/router/transport/certtest"
)

const someFile = `# profiles
[server:default]
method = TLSv1.2+
verify_certificate = no
private_key = "key.pem" # why not
certificate = cert.pem

[server:192.0.2.1:5061]
server_name = example.com
server_name_mode = 1
verify_depth = 3
cipher_list = ECDHE-RSA-AES128-GCM-SHA256:HIGH:!aNULL
[client:default]
verify_certificate = on
ca_list = /etc/ca.pem
[client:[2001:db8::1]:5061]
; nothing
`

func TestReadProfiles(t *testing.T) {
	list, err := readProfiles("tls.cfg", someFile, profile{depth: 9, method: "TLSv1"})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 4 {
		t.Fatalf("%d profiles, want 4", len(list))
	}
	def, named, client, v6 := list[0], list[1], list[2], list[3]
	if !def.server || !def.general || def.key != "key.pem" || def.method != "TLSv1.2+" || def.depth != 9 {
		t.Errorf("default server: %+v", def)
	}
	if named.addr != netip.MustParseAddrPort("192.0.2.1:5061") || named.key != "key.pem" || named.serverName != "example.com" || named.nameMode != nameOrBelow || named.depth != 3 {
		t.Errorf("named server: %+v", named)
	}
	if client.server || !client.general || !client.verify || client.caList != "/etc/ca.pem" || client.method != "TLSv1" {
		t.Errorf("default client: %+v", client)
	}
	if v6.addr.Addr().String() != "2001:db8::1" || !v6.verify || v6.place != "tls.cfg:16" {
		t.Errorf("client by address: %+v", v6)
	}
}

func TestReadProfilesMistakes(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"method = TLSv1", "tls.cfg:1: \"method = TLSv1\" stands before the first section"},
		{"[server:default]\nmethod = SSLv3", "tls.cfg:2: method: method SSLv3 is broken and not served; write TLSv1.2+"},
		{"[server:default]\nmethod = TLS9", "tls.cfg:2: method: there is no method \"TLS9\""},
		{"[server:default]\ncertifcate = x", "tls.cfg:2: there is no \"certifcate\"; there are ca_list, "},
		{"[server:default]\nverify_certificate = maybe", "tls.cfg:2: verify_certificate: want yes or no, not \"maybe\""},
		{"[server:default]\nverify_depth = deep", "tls.cfg:2: verify_depth wants a number (0 and more), not \"deep\""},
		{"[server:default]\nserver_name_mode = 3", "tls.cfg:2: server_name_mode wants a number (0, 1 or 2), not \"3\""},
		{"[server:default]\nverify_client = yes", "tls.cfg:2: verify_client: want off, optional, optional_no_ca or on, not \"yes\""},
		{"[server:default]\ncipher_list = RC4-MD5", "tls.cfg:2: cipher_list: cipher RC4-MD5 is not served; there are ECDHE-"},
		{"[server:default]\nnonsense", "tls.cfg:2: want key = value"},
		{"[peer:default]", "tls.cfg:1: a section is of a server or a client, not of \"peer\""},
		{"[server:here]", "tls.cfg:1: \"here\" is no address and port, as in [server:192.0.2.1:5061]"},
		{"[server:default", "tls.cfg:1: a section is [server:default]"},
	} {
		_, err := readProfiles("tls.cfg", tt.text, profile{})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.text, err, tt.want)
		}
	}
	_, err := readProfiles("tls.cfg", "[x]\nfoo\nbar = 1\n", profile{})
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("three mistakes are told as\n%v", err)
	}
}

func FuzzReadProfiles(f *testing.F) {
	f.Add(someFile)
	f.Add("[client:any]\nserver_id=1")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := readProfiles("tls.cfg", text, profile{})
		for _, p := range list {
			if err == nil && !p.general && !p.addr.IsValid() {
				t.Errorf("%q makes the profile %+v, of no address", text, p)
			}
		}
		if heads := strings.Count(text, "["); len(list) > heads {
			t.Errorf("%q has %d brackets and makes %d profiles", text, heads, len(list))
		}
	})
}

func TestVersions(t *testing.T) {
	for _, tt := range []struct {
		method    string
		low, high uint16
		bad       bool
	}{
		{method: "TLSv1", low: tls.VersionTLS10, high: tls.VersionTLS10},
		{method: "TLSv1.2+", low: tls.VersionTLS12},
		{method: "tlsv1.3", low: tls.VersionTLS13, high: tls.VersionTLS13},
		{method: "SSLv23", low: tls.VersionTLS10},
		{method: "SSLv2", bad: true},
		{method: "", bad: true},
	} {
		low, high, err := versions(tt.method)
		if low != tt.low || high != tt.high || (err != nil) != tt.bad {
			t.Errorf("versions(%q) = %#x, %#x, %v; want %#x, %#x, bad=%v", tt.method, low, high, err, tt.low, tt.high, tt.bad)
		}
	}
}

func TestServes(t *testing.T) {
	for _, tt := range []struct {
		mode int
		name string
		want bool
	}{
		{nameExact, "example.com", true},
		{nameExact, "EXAMPLE.com.", true},
		{nameExact, "sip.example.com", false},
		{nameOrBelow, "sip.example.com", true},
		{nameOrBelow, "example.com", true},
		{nameOrBelow, "badexample.com", false},
		{nameBelow, "example.com", false},
		{nameBelow, "a.b.example.com", true},
		{nameExact, "", false},
	} {
		p := profile{serverName: "Example.com", nameMode: tt.mode}
		if got := p.serves(tt.name); got != tt.want {
			t.Errorf("mode %d serves %q = %v, want %v", tt.mode, tt.name, got, tt.want)
		}
	}
}

func TestDescribe(t *testing.T) {
	// As OpenSSL's tls.list in a recorded answer.
	want := "TLS_AES_256_GCM_SHA384         TLSv1.3 Kx=any      Au=any   Enc=AESGCM(256)            Mac=AEAD"
	if got := describe(tls.TLS_AES_256_GCM_SHA384); got != want {
		t.Errorf("describe = %q, want %q", got, want)
	}
}

// rig is a module with a folder of certificates.
type rig struct {
	m   *mod
	dir string
	ca  *certtest.Authority
}

func newRig(t *testing.T, text string) *rig {
	t.Helper()
	r := &rig{dir: t.TempDir(), ca: certtest.New(t, "ca")}
	r.ca.Write(t, r.dir, "ca.pem")
	certtest.Write(t, r.dir, "default.pem", r.ca.Issue(t, time.Hour, "default.test"))
	certtest.Write(t, r.dir, "one.pem", r.ca.Issue(t, time.Hour, "one.test"))
	r.m = New().(*mod)
	r.m.dir, r.m.config = r.dir, "tls.cfg"
	r.m.def.cert, r.m.def.key = "default.pem", "default.pem"
	r.write(t, text)
	if err := r.m.load(); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, "tls.cfg"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// connected are the two ends of a connection.
func connected(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{a, b} {
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		t.Cleanup(func() { _ = c.Close() })
	}
	return a, b
}

var somewhere = netip.MustParseAddrPort("127.0.0.1:5061")

// shake does a handshake of a client with the module's server profile for an
// address; what the client sees.
func (r *rig) shake(t *testing.T, at netip.AddrPort, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	conf, err := r.m.Server(at, somewhere)
	if err != nil {
		t.Fatal(err)
	}
	a, b := connected(t)
	served := make(chan error, 1)
	go func() {
		s := tls.Server(b, conf)
		err := s.Handshake()
		if err == nil {
			_, err = s.Write([]byte("x")) // with TLS 1.3 the client learns of a refusal when it reads
		}
		served <- err
		_ = b.Close()
	}()
	c := tls.Client(a, client)
	err = c.Handshake()
	if err == nil {
		_, err = c.Read(make([]byte, 1))
	}
	state := c.ConnectionState()
	_ = a.Close()
	if serr := <-served; err == nil {
		err = serr
	}
	return state, err
}

// TestProfileChoice: by address, by server name, else the default.
func TestProfileChoice(t *testing.T) {
	r := newRig(t, `[server:default]
[server:127.0.0.2:5061]
certificate=one.pem
private_key=one.pem
[server:127.0.0.3:5061]
server_name=one.test
server_name_mode=1
certificate=one.pem
private_key=one.pem
[server:127.0.0.3:5061]
certificate=default.pem
private_key=default.pem
`)
	for _, tt := range []struct{ at, name, want string }{
		{"127.0.0.1:5061", "one.test", "default.test"},
		{"127.0.0.2:5061", "", "one.test"},
		{"127.0.0.2:5062", "", "default.test"},
		{"127.0.0.3:5061", "sip.one.test", "one.test"},
		{"127.0.0.3:5061", "two.test", "default.test"},
		{"127.0.0.3:5061", "", "default.test"},
	} {
		s, err := r.shake(t, netip.MustParseAddrPort(tt.at), &tls.Config{InsecureSkipVerify: true, ServerName: tt.name})
		if err != nil {
			t.Fatalf("%s %s: %v", tt.at, tt.name, err)
		}
		if got := s.PeerCertificates[0].Subject.CommonName; got != tt.want {
			t.Errorf("%s asked for %q shows %s, want %s", tt.at, tt.name, got, tt.want)
		}
	}
}

// TestClientCertificates: each way of asking for one, with clients that have
// none, a good one, a stranger's, an old one and a revoked one.
func TestClientCertificates(t *testing.T) {
	r := newRig(t, "")
	good := r.ca.Issue(t, time.Hour, "good.test")
	revoked := r.ca.Issue(t, time.Hour, "revoked.test")
	clients := map[string]tls.Certificate{
		"none": {}, "good": good, "revoked": revoked,
		"old": r.ca.Issue(t, -time.Hour, "old.test"), "stranger": certtest.New(t, "other").Issue(t, time.Hour, "stranger.test"),
	}
	r.ca.Revoke(t, r.dir, "crl.pem", revoked)
	for _, tt := range []struct {
		rules string
		pass  string // the clients that may come in
	}{
		{"", "none good revoked old stranger"},
		{"require_certificate=1", "good revoked old stranger"},
		{"verify_certificate=1\nca_list=ca.pem", "none good revoked"},
		{"verify_certificate=1\nrequire_certificate=1\nca_list=ca.pem\ncrl=crl.pem", "good"},
		{"verify_client=on\nca_list=ca.pem", "good revoked"},
		{"verify_client=optional\nca_list=ca.pem\ncrl=crl.pem", "none good"},
		{"verify_client=optional_no_ca", "none good revoked old stranger"},
	} {
		r.write(t, "[server:default]\n"+tt.rules+"\n")
		if err := r.m.load(); err != nil {
			t.Fatal(err)
		}
		for name, cert := range clients {
			conf := &tls.Config{InsecureSkipVerify: true}
			if name != "none" {
				conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
			}
			_, err := r.shake(t, somewhere, conf)
			if want := strings.Contains(" "+tt.pass+" ", " "+name+" "); (err == nil) != want {
				t.Errorf("with %q the client with %s certificate: %v, want in=%v", tt.rules, name, err, want)
			}
		}
	}
}

// TestClientProfile: what this side asks of servers.
func TestClientProfile(t *testing.T) {
	r := newRig(t, "[client:default]\nverify_certificate=1\nca_list=ca.pem\n[client:127.0.0.9:5061]\nverify_certificate=0\nserver_name=nine.test\n")
	stranger := certtest.New(t, "other").Issue(t, time.Hour, "stranger.test")
	friend := r.ca.Issue(t, time.Hour, "friend.test")
	for _, tt := range []struct {
		peer string
		cert tls.Certificate
		ok   bool
		sni  string
	}{
		{"127.0.0.1:5061", friend, true, ""},
		{"127.0.0.1:5061", stranger, false, ""},
		{"127.0.0.9:5061", stranger, true, "nine.test"},
	} {
		conf, err := r.m.Client(netip.MustParseAddrPort(tt.peer))
		if err != nil {
			t.Fatal(err)
		}
		a, b := connected(t)
		var asked string
		done := make(chan struct{})
		go func() {
			defer close(done)
			s := tls.Server(b, &tls.Config{Certificates: []tls.Certificate{tt.cert}, GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				asked = h.ServerName
				return nil, nil
			}})
			_ = s.Handshake() // the client's view is tested
		}()
		err = tls.Client(a, conf).Handshake()
		_ = a.Close()
		<-done
		if (err == nil) != tt.ok || asked != tt.sni {
			t.Errorf("to %s: %v, asked for %q; want ok=%v and %q", tt.peer, err, asked, tt.ok, tt.sni)
		}
	}
}

// TestReload: new profiles count for new connections; wrong ones leave the old.
func TestReload(t *testing.T) {
	r := newRig(t, "[server:default]\n")
	r.write(t, "[server:default]\ncertificate=one.pem\nprivate_key=missing.pem\n")
	if err := r.m.load(); err == nil || !strings.Contains(err.Error(), "tls.cfg:1: [server:default]: certificate ") || !strings.Contains(err.Error(), "missing.pem") {
		t.Errorf("a missing key: %v", err)
	}
	show := func() string {
		s, err := r.shake(t, somewhere, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		return s.PeerCertificates[0].Subject.CommonName
	}
	if got := show(); got != "default.test" {
		t.Errorf("after a reload that failed the server shows %s", got)
	}
	r.write(t, "[server:default]\ncertificate=one.pem\nprivate_key=one.pem\n")
	if err := r.m.load(); err != nil {
		t.Fatal(err)
	}
	if got := show(); got != "one.test" {
		t.Errorf("after a reload the server shows %s", got)
	}
}

func TestRefusedParameters(t *testing.T) {
	for _, tt := range []struct {
		name  string
		value any
		want  string
	}{
		{"xavp_cfg", "tls", "[client:IP:PORT]"},
		{"event_callback", "ksr_tls", "KEMI"},
		{"engine", "gost", "files"},
		{"renegotiation", 1, "not renegotiated"},
		{"tls_method", "SSLv3", "TLSv1.2+"},
		{"verify_client", "perhaps", "optional_no_ca"},
		{"cipher_list", "NULL-MD5", "not served"},
		{"certificate", "none.pem", "none.pem"},
	} {
		rig := moduletest.New(t, New())
		err := rig.TryParam("tls", tt.name, tt.value)
		if err == nil {
			err = rig.TryStart()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s=%v: %v, want %q", tt.name, tt.value, err, tt.want)
		}
	}
}

func TestSelects(t *testing.T) {
	m := New().(*mod)
	for _, tt := range []struct {
		name string
		ok   bool
	}{
		{"version", true},
		{"desc", true},
		{"cipher.bits", true},
		{"cipher", true},
		{"peer.verified", true},
		{"peer.subject.cn", true},
		{"peer.issuer", true},
		{"my.host", true},
		{"me.sn", true},
		{"peer.cn", true},
		{"peer", false},
		{"version.x", false},
		{"peer.nothing", false},
		{"", false},
	} {
		if g := m.compileSelect(strings.FieldsFunc(tt.name, func(r rune) bool { return r == '.' })); (g != nil) != tt.ok {
			t.Errorf("@tls.%s compiles: %v, want %v", tt.name, g != nil, tt.ok)
		}
	}
}

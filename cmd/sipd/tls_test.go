package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sipd/router/transport/certtest"
	"sipd/rpc/socket/sockettest"
)

const tlsConfig = `#!KAMAILIO
enable_tls=yes
log_stderror=yes
auto_aliases=no
listen=udp:127.0.0.1:UDPPORT
listen=tls:127.0.0.1:TLSPORT
loadmodule "pv.so"
loadmodule "sl.so"
loadmodule "textops.so"
loadmodule "ctl.so"
loadmodule "tls.so"
modparam("tls", "config", "tls.cfg")
request_route {
	append_to_reply("X-TLS: $tls_version $tls_cipher_bits $tls_peer_subject_cn $tls_peer_verified $tls_my_subject_cn $tls_peer_server_name $(tls_peer_san_hostname[1]) $tls_peer_revoked\r\n");
	append_to_reply("X-Select: " + @tls.peer.subject.cn + "\r\n");
	if (is_peer_verified()) {
		sl_send_reply("200", "Verified");
	} else {
		sl_send_reply("403", "Who are you");
	}
}
`

// TestTLS talks to the daemon over TLS with and without a certificate, reads
// what the script sees of it, and exchanges the server's certificate.
func TestTLS(t *testing.T) {
	ca := certtest.New(t, "ca")
	config, port := withPorts(t, tlsConfig)
	path := configFile(t, config)
	dir := filepath.Dir(path)
	ca.Write(t, dir, "ca.pem")
	certtest.Write(t, dir, "server.pem", ca.Issue(t, time.Hour, "example.com"))
	profiles := "[server:default]\ncertificate=server.pem\nprivate_key=server.pem\nverify_certificate=1\nca_list=ca.pem\n"
	writeFile(t, filepath.Join(dir, "tls.cfg"), profiles)
	s := serve(t, path)

	ask := func(conf *tls.Config) string {
		t.Helper()
		conf.RootCAs = ca.Pool()
		c, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port["TLSPORT"]), conf)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := fmt.Fprintf(c, "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 4096)
		n, err := c.Read(b)
		if err != nil {
			t.Fatalf("no answer: %v\n%s", err, s.Log)
		}
		return string(b[:n])
	}
	phone := ca.Issue(t, time.Hour, "phone.example.com", "second.example.com")
	got := ask(&tls.Config{ServerName: "example.com", Certificates: []tls.Certificate{phone}})
	for _, want := range []string{"SIP/2.0 200 Verified", "X-TLS: TLSv1.3 ", " phone.example.com 1 example.com example.com second.example.com 0\r\n", "X-Select: phone.example.com\r\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("with a certificate the answer is\n%s\nwant in it %q", got, want)
		}
	}
	if got := ask(&tls.Config{ServerName: "example.com"}); !strings.HasPrefix(got, "SIP/2.0 403 ") || !strings.Contains(got, "<null> 0 example.com") {
		t.Errorf("without a certificate the answer is\n%s", got)
	}

	if out := s.sipcmd(t, "tls.list"); strings.Count(out, "state: established") != 2 || !strings.Contains(out, "cipher: TLS_") {
		t.Errorf("tls.list prints\n%s", out)
	}
	if out := s.sipcmd(t, "tls.info"); !strings.Contains(out, "opened_connections: 2") {
		t.Errorf("tls.info prints\n%s", out)
	}
	if out := s.sipcmd(t, "core.tcp_list"); strings.Count(out, "type: TLS") != 2 {
		t.Errorf("core.tcp_list prints\n%s", out)
	}
	certtest.Write(t, dir, "server.pem", ca.Issue(t, time.Hour, "new.example.com"))
	if out := s.sipcmd(t, "tls.reload"); !strings.Contains(out, "Ok. TLS configuration reloaded.") {
		t.Errorf("tls.reload prints\n%s", out)
	}
	if got := ask(&tls.Config{ServerName: "new.example.com", Certificates: []tls.Certificate{phone}}); !strings.HasPrefix(got, "SIP/2.0 200 ") {
		t.Errorf("after tls.reload the answer is\n%s", got)
	}
}

// TestListenMistakes: what keeps a socket from being opened says why, at a check
// as at a start.
func TestListenMistakes(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"enable_tls=yes\nlisten=udp:127.0.0.1:PORT\nrequest_route { exit; }\n", `put loadmodule "tls.so"`},
		{"enable_tls=yes\ndisable_tcp=yes\nlisten=udp:127.0.0.1:PORT\nloadmodule \"tls.so\"\nrequest_route { exit; }\n", "needs TCP"},
		{"enable_tls=yes\nlisten=udp:127.0.0.1:PORT\nloadmodule \"tls.so\"\nrequest_route { exit; }\n", "cert.pem"},
		{"listen=sctp:127.0.0.1:PORT\nrequest_route { exit; }\n", "listen on sctp is not served by this version"},
		{"listen=udp:no-such-host.invalid:PORT\nrequest_route { exit; }\n", "no-such-host.invalid"},
		{"disable_tcp=yes\nlisten=tcp:127.0.0.1:PORT\nrequest_route { exit; }\n", "TCP is disabled"},
	} {
		path := configFile(t, strings.ReplaceAll(tt.text, "PORT", fmt.Sprint(sockettest.Port(t))))
		for _, args := range [][]string{{"-f", path, "-E"}, {"-c", "-f", path}} { // one verdict
			if out, code := exit(t, args...); code != 1 || !strings.Contains(out, tt.want) {
				t.Errorf("%s\nsipd %v exits with %d and prints\n%s\nwant 1 and %q", tt.text, args, code, out, tt.want)
			}
		}
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

package main

import (
	"bytes"
	"crypto/md5"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sipd/ctl"
	"sipd/rpc/peertest"
	"sipd/rpc/socket/sockettest"
)

// kamailioConfig answers a REGISTER with 401 until its digest is right.
const kamailioConfig = `#!KAMAILIO
debug=0
log_stderror=yes
children=1
disable_tcp=yes
dns=no
rev_dns=no
auto_aliases=no
listen=udp:127.0.0.1:%d
loadmodule "db_sqlite.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "auth.so"
loadmodule "auth_db.so"
loadmodule "domain.so"
modparam("auth_db|domain", "db_url", "sqlite://%s")
modparam("auth_db", "calculate_ha1", 0)
modparam("auth_db", "password_column", "ha1")
modparam("domain", "register_myself", 0)
request_route {
	if (!is_domain_local("$td")) { sl_send_reply("404", "No domain"); exit; }
	if (!www_authenticate("$td", "subscriber")) { www_challenge("$td", "1"); exit; }
	sl_send_reply("200", "OK");
}
`

// TestKamailioAuthenticates: a real Kamailio lets in whom sipctl added, with
// the right password only, and in the domain that sipctl added.
func TestKamailioAuthenticates(t *testing.T) {
	if _, err := exec.LookPath("kamailio"); err != nil {
		t.Skip("skipped: kamailio is not installed")
	}
	file := filepath.Join(t.TempDir(), "sip.db")
	for _, args := range [][]string{
		{"db", "create"},
		{"domain", "add", "example.com"},
		{"user", "add", "alice@example.com", "-p", "s3cret"},
		{"user", "add", "4930@example.com", "-p", "old"},
		{"user", "passwd", "4930@example.com", "-p", "$it's \\n new"},
	} {
		var out bytes.Buffer
		if code := ctl.Run(t.Context(), append([]string{"--db", "sqlite:" + file}, args...), nil, &out, &out); code != 0 {
			t.Fatalf("sipctl %q: %s", args, &out)
		}
	}
	phone := startKamailio(t, file)
	for _, tt := range []struct{ user, domain, password, want string }{
		{"alice", "example.com", "s3cret", "200"},
		{"alice", "example.com", "other", "401"},
		{"4930", "example.com", "$it's \\n new", "200"},
		{"4930", "example.com", "old", "401"},
		{"ghost", "example.com", "s3cret", "401"},
		{"alice", "example.org", "s3cret", "404"},
	} {
		if got := phone.register(t, tt.user, tt.domain, tt.password); got != tt.want {
			t.Errorf("REGISTER of %s@%s with %q is answered %s, want %s", tt.user, tt.domain, tt.password, got, tt.want)
		}
	}
}

// phone sends requests to the Kamailio of a test.
type phone struct {
	conn net.Conn
	cseq int
}

func startKamailio(t *testing.T, file string) *phone {
	t.Helper()
	port := sockettest.Port(t)
	dir := t.TempDir()
	config := filepath.Join(dir, "kamailio.cfg")
	if err := os.WriteFile(config, fmt.Appendf(nil, kamailioConfig, port, file), 0o600); err != nil {
		t.Fatal(err)
	}
	peertest.Kamailio(t, config, dir, func() bool { return true }) // send asks until it answers
	conn, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &phone{conn: conn}
}

// send sends a REGISTER again and again until an answer to it comes.
func (p *phone) send(t *testing.T, user, domain, auth string) string {
	t.Helper()
	p.cseq++
	local := p.conn.LocalAddr()
	req := fmt.Sprintf("REGISTER sip:%[2]s SIP/2.0\r\nVia: SIP/2.0/UDP %[3]s;branch=z9hG4bK%[4]d\r\nFrom: <sip:%[1]s@%[2]s>;tag=1\r\nTo: <sip:%[1]s@%[2]s>\r\n"+
		"Call-ID: c%[4]d\r\nCSeq: %[4]d REGISTER\r\nMax-Forwards: 70\r\n%[5]sContent-Length: 0\r\n\r\n", user, domain, local, p.cseq, auth)
	buf := make([]byte, 4096)
	for range 1000 {
		_, err := p.conn.Write([]byte(req))
		if err == nil {
			err = p.conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		}
		for err == nil {
			var n int
			n, err = p.conn.Read(buf)
			if s := string(buf[:n]); strings.Contains(s, fmt.Sprintf("CSeq: %d ", p.cseq)) {
				return s
			}
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) { // refused: it does not listen yet
			<-time.After(100 * time.Millisecond) // between two questions
		}
	}
	t.Fatal("kamailio does not answer")
	return ""
}

var param = regexp.MustCompile(`(realm|nonce)="([^"]*)"`)

// register answers the challenge and gives the code of the last reply.
func (p *phone) register(t *testing.T, user, domain, password string) string {
	t.Helper()
	reply := p.send(t, user, domain, "")
	if strings.HasPrefix(reply, "SIP/2.0 401 ") {
		got := make(map[string]string)
		for _, m := range param.FindAllStringSubmatch(reply, -1) {
			got[m[1]] = m[2]
		}
		sum := func(s string) string { return fmt.Sprintf("%x", md5.Sum([]byte(s))) }
		ha1, ha2 := sum(user+":"+got["realm"]+":"+password), sum("REGISTER:sip:"+domain)
		response := sum(ha1 + ":" + got["nonce"] + ":00000001:c:auth:" + ha2)
		reply = p.send(t, user, domain, fmt.Sprintf("Authorization: Digest username=%q, realm=%q, nonce=%q, uri=\"sip:%s\", qop=auth, nc=00000001, cnonce=\"c\", response=%q, algorithm=MD5\r\n",
			user, got["realm"], got["nonce"], domain, response))
	}
	return strings.Fields(reply)[1]
}

// TestKamdbctl: a database of Kamailio's own scripts is taken as it is.
func TestKamdbctl(t *testing.T) {
	scripts, _ := filepath.Glob("/usr/share/kamailio/db_sqlite/*-create.sql")
	if len(scripts) == 0 {
		t.Skip("skipped: kamailio's scripts for SQLite are not installed")
	}
	if _, err := exec.LookPath("sqlite3"); err != nil {
		t.Skip("skipped: sqlite3 is not installed")
	}
	file := filepath.Join(t.TempDir(), "kamailio.db")
	for _, name := range []string{"standard", "acc", "lcr", "domain", "group", "permissions", "registrar", "usrloc", "msilo", "alias_db", "uri_db", "speeddial", "avpops", "auth_db", "pdt", "dialog", "dispatcher", "dialplan", "topos"} {
		in, err := os.Open("/usr/share/kamailio/db_sqlite/" + name + "-create.sql")
		if err != nil {
			t.Skip("skipped: kamailio's scripts are others here: ", err)
		}
		cmd := exec.Command("sqlite3", file)
		cmd.Stdin = in
		out, err := cmd.CombinedOutput()
		_ = in.Close()
		if err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
	}
	var out bytes.Buffer
	for _, args := range [][]string{
		{"db", "check"},
		{"db", "create"},
		{"domain", "add", "example.com"},
		{"user", "add", "alice@example.com", "-p", "x", "--alias", "100@example.com"},
		{"user", "rm", "alice@example.com"},
	} {
		out.Reset()
		if code := ctl.Run(t.Context(), append([]string{"--db", "sqlite:" + file}, args...), nil, &out, &out); code != 0 {
			t.Errorf("sipctl %q exits with %d: %s", args, code, &out)
		}
		if args[1] == "check" && !strings.Contains(out.String(), "kamailio") {
			t.Errorf("it is recognised as %s", &out)
		}
	}
}

package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sipd/cmd/sipd/internal/phone"
	"sipd/db"
	"sipd/db/dbtest"
	"sipd/router/sip"
	"sipd/router/transport/certtest"
	"sipd/rpc/socket/sockettest"
)

// The default configurations of the elders run as they stand: nothing of them
// is changed but what the command line can.

// distribution is one of these configurations.
type distribution struct {
	name, path string
	missing    string // what to say when there is no such file
}

var distributions = []distribution{
	{name: "5.6", path: "/etc/kamailio/kamailio.cfg", missing: "skipped: the Debian package kamailio is not installed"},
	{name: "3.1", path: "../../../shared/seed/kamailio-3.1.cfg", missing: "skipped: the configuration of 3.1 is not beside the project"},
}

// scene is a daemon on one of them.
type scene struct {
	*server
	url  string
	dist *distribution
}

var passwords = map[string]string{"alice": "wonderland", "bob": "builder", "carol": "cpw"}

// directory is a database as an operator of such a configuration has it:
// passwords in clear, as calculate_ha1 wants them, and the columns that acc is
// told of.
func directory(t *testing.T, e db.Engine) string {
	t.Helper()
	url := dbtest.URL(t, e)
	sipctl(t, url, "", "db", "create", "--flavour", "kamailio", "--group", "standard,presence")
	sipctl(t, url, "", "domain", "add", "example.com")
	for user, password := range passwords {
		sipctl(t, url, password+"\n", "user", "add", user+"@example.com", "--password-stdin", "--plaintext")
	}
	var alter []string
	for _, table := range []string{"acc", "missed_calls"} {
		for _, column := range []string{"src_user", "src_domain", "src_ip", "dst_ouser", "dst_user", "dst_domain"} {
			alter = append(alter, "ALTER TABLE "+table+" ADD COLUMN "+column+" VARCHAR(128) NOT NULL DEFAULT ''")
		}
	}
	sipctl(t, url, "", append([]string{"db", "exec"}, alter...)...)
	return url
}

// enact starts a configuration with defines on a database.
func (d *distribution) enact(t *testing.T, url string, defines []string, extra ...string) *scene {
	t.Helper()
	if _, err := os.Stat(d.path); err != nil {
		t.Skip(d.missing)
	}
	args := []string{"-l", "udp:ADDR", "-l", "tcp:ADDR", "--alias", "example.com", "--modparam", "ctl:binrpc:s:unixs:DIR/sipd_ctl", "-n", "2"}
	if d.name == "3.1" {
		// cfg_rpc is to set pstn.gw_ip by; the pipe in /tmp may be another's.
		args = append(args, "--loadmodule", "cfg_rpc", "--modparam", "mi_fifo:fifo_name:s:DIR/mi_fifo")
	}
	if url != "" {
		args = append(args, "--db-url", url)
	}
	for _, def := range defines {
		args = append(args, "-A", def)
	}
	return &scene{server: serve(t, d.path, append(args, extra...)...), url: url, dist: d}
}

// phone makes a phone of one of the users.
func (s *scene) phone(t *testing.T, user string) *phone.Phone {
	t.Helper()
	return s.Phone(t, user, passwords[user])
}

func (s *scene) register(t *testing.T, user string) *phone.Phone {
	t.Helper()
	p := s.phone(t, user)
	if _, err := p.Register(within(t), 600); err != nil {
		t.Fatalf("%s registers: %v\n%s", user, err, s.Log)
	}
	t.Cleanup(func() { // the next scenario's calls are not for this phone
		if s.stopped {
			return
		}
		ctx, cancel := phone.Within(5 * time.Second)
		defer cancel()
		if _, err := p.Register(ctx, 0); err != nil {
			t.Errorf("%s unregisters: %v", user, err)
		}
	})
	return p
}

// call has one phone call an address that another answers, and hang up.
func (s *scene) call(t *testing.T, from *phone.Phone, to string, at *phone.Phone) {
	t.Helper()
	ctx := within(t)
	c, err := from.Invite(ctx, to)
	if err != nil {
		t.Fatalf("%s calls %s: %v\n%s", from.User, to, err, s.Log)
	}
	select {
	case in := <-at.Ringing:
		wait(t, ctx, "ACK", in.Acked)
		if err := c.Bye(ctx); err != nil {
			t.Fatalf("BYE: %v\n%s", err, s.Log)
		}
		wait(t, ctx, "BYE", in.Ended)
	case <-ctx.Done():
		t.Fatalf("the call to %s did not reach %s\n%s", to, at.User, s.Log)
	}
}

func (s *scene) sipctl(t *testing.T, args ...string) string {
	t.Helper()
	return sipctl(t, s.url, "", args...)
}

// scenarios are what the defines are for. A define stands with those that it
// needs; only says which configurations have it.
var seedScenarios = []struct {
	define string // of WITH_…
	needs  []string
	only   string
	tables bool // it reads or writes tables: it is played on each engine
	prep   func(t *testing.T, sipctl func(args ...string))
	play   func(t *testing.T, s *scene)
}{
	{define: "", play: func(t *testing.T, s *scene) {
		alice, bob := s.register(t, "alice"), s.register(t, "bob")
		// The script of 3.1 answers no keepalive, and relays to everywhere.
		elsewhere := 403
		err := alice.Options(within(t))
		if s.dist.name == "3.1" {
			elsewhere = 478 // no such host
			wantStatus(t, "OPTIONS", err, 484)
		} else if err != nil {
			t.Errorf("OPTIONS: %v", err)
		}
		s.call(t, alice, "bob@example.com", bob)
		_, err = alice.Invite(within(t), "nobody@example.com")
		wantStatus(t, "a call to nobody", err, 404)
		_, err = alice.Invite(within(t), "bob@elsewhere.test")
		wantStatus(t, "a call to elsewhere", err, elsewhere)
		if _, err := bob.Register(within(t), 0); err != nil {
			t.Error(err)
		}
		_, err = alice.Invite(within(t), "bob@example.com")
		wantStatus(t, "a call to one who is gone", err, 404)
	}},
	{define: "AUTH", tables: true, play: func(t *testing.T, s *scene) {
		if _, err := s.Phone(t, "alice", "wrong").Register(within(t), 600); err == nil {
			t.Error("a wrong password registers")
		}
		alice, bob := s.register(t, "alice"), s.register(t, "bob")
		s.call(t, alice, "bob@example.com", bob)
		_, err := s.Phone(t, "alice", "wrong").Invite(within(t), "bob@example.com")
		if err == nil {
			t.Error("a wrong password calls")
		}
	}},
	{
		define: "IPAUTH", needs: []string{"AUTH"}, tables: true,
		prep: func(_ *testing.T, sipctl func(...string)) { sipctl("address", "add", "1", "127.0.0.1") },
		play: func(t *testing.T, s *scene) {
			bob := s.register(t, "bob")
			s.call(t, s.Phone(t, "alice", "wrong"), "bob@example.com", bob)
		},
	},
	{define: "USRLOCDB", tables: true, play: func(t *testing.T, s *scene) {
		bob := s.register(t, "bob")
		s.Stop(t)
		if out := s.sipctl(t, "ul", "stored", "list", "-o", "json"); !strings.Contains(out, bob.Addr()) {
			t.Errorf("the table has no contact of bob's:\n%s", out)
		}
	}},
	{define: "PSTN", play: func(t *testing.T, s *scene) {
		gw := s.Phone(t, "gateway", "")
		alice := s.register(t, "alice")
		_, err := alice.Invite(within(t), "+4930123456@example.com")
		wantStatus(t, "a call while there is no gateway", err, 404)
		host, port, _ := strings.Cut(gw.Addr(), ":")
		s.sipcmd(t, "cfg.set_now_string", "pstn", "gw_ip", host)
		if s.dist.name == "3.1" { // it has no port for the gateway: the address takes both
			s.sipcmd(t, "cfg.set_now_string", "pstn", "gw_ip", gw.Addr())
		} else {
			s.sipcmd(t, "cfg.set_now_string", "pstn", "gw_port", port)
		}
		s.call(t, alice, "+4930123456@example.com", gw)
		s.call(t, alice, "004930123456@example.com", gw)
	}},
	{define: "VOICEMAIL", only: "5.6", play: func(t *testing.T, s *scene) {
		box := s.Phone(t, "box", "")
		alice := s.register(t, "alice")
		host, port, _ := strings.Cut(box.Addr(), ":")
		s.sipcmd(t, "cfg.set_now_string", "voicemail", "srv_ip", host)
		s.sipcmd(t, "cfg.set_now_string", "voicemail", "srv_port", port)
		s.call(t, alice, "carol@example.com", box)
	}},
	{
		define: "ALIASDB", only: "5.6", tables: true,
		prep: func(_ *testing.T, sipctl func(...string)) {
			sipctl("alias", "add", "bob@example.com", "4711@example.com")
		},
		play: func(t *testing.T, s *scene) {
			s.call(t, s.register(t, "alice"), "4711@example.com", s.register(t, "bob"))
		},
	},
	{
		define: "SPEEDDIAL", only: "5.6", tables: true,
		prep: func(_ *testing.T, sipctl func(...string)) {
			sipctl("speeddial", "add", "alice@example.com", "22@example.com", "sip:bob@example.com")
		},
		play: func(t *testing.T, s *scene) {
			s.call(t, s.register(t, "alice"), "22@example.com", s.register(t, "bob"))
		},
	},
	{
		define: "MULTIDOMAIN", needs: []string{"AUTH"}, only: "5.6", tables: true,
		prep: func(_ *testing.T, sipctl func(...string)) {
			sipctl("domain", "add", "example.org")
			sipctl("user", "add", "bob@example.org", "-p", "other-secret", "--plaintext")
		},
		play: func(t *testing.T, s *scene) {
			alice, bob := s.register(t, "alice"), s.register(t, "bob")
			other, err := phone.New("bob", "example.org", "other-secret", s.Addr)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = other.Close() })
			if _, err := other.Register(within(t), 600); err != nil {
				t.Fatalf("bob of example.org: %v\n%s", err, s.Log)
			}
			s.call(t, alice, "bob@example.com", bob)
			s.call(t, alice, "bob@example.org", other)
		},
	},
	{define: "ACCDB", tables: true, play: func(t *testing.T, s *scene) {
		alice, bob := s.register(t, "alice"), s.register(t, "bob")
		s.call(t, alice, "bob@example.com", bob)
		bob.Answer = 486
		_, err := alice.Invite(within(t), "bob@example.com")
		wantStatus(t, "a call to one who is busy", err, 486)
		s.until(t, "the books", func() string { return s.sipctl(t, "acc", "call", "list", "-o", "json") }, `"INVITE"`, `"BYE"`, `"alice"`)
		s.until(t, "the missed calls", func() string { return s.sipctl(t, "acc", "missed", "list", "-o", "json") }, "486")
	}},
	{define: "ANTIFLOOD", only: "5.6", play: func(t *testing.T, s *scene) {
		flood, err := phone.NewAt("127.0.0.2", "flood", "example.com", "", s.Addr)
		if err != nil {
			t.Skipf("skipped: 127.0.0.2 is no address here: %v", err)
		}
		t.Cleanup(func() { _ = flood.Close() })
		for range 60 {
			ctx, cancel := phone.Within(time.Second)
			err := flood.Options(ctx)
			cancel()
			if err != nil { // blocked, and silent from now on
				if out := s.sipcmd(t, "htable.dump", "ipban"); !strings.Contains(out, "127.0.0.2") {
					t.Errorf("htable.dump ipban prints\n%s", out)
				}
				return
			}
		}
		t.Error("60 requests at once are answered")
	}},
	{define: "JSONRPC", only: "5.6", play: func(t *testing.T, s *scene) {
		_, body := post(t, s.server, "/RPC", jsonCall)
		if !strings.Contains(body, `"result"`) || !strings.Contains(body, "sipd ") {
			t.Errorf("JSON-RPC answers %s", body)
		}
	}},
	{define: "NAT", play: func(t *testing.T, s *scene) {
		bob, err := phone.NewAt("127.0.0.2", "bob", "example.com", passwords["bob"], s.Addr) // is_first_hop() tells hosts apart
		if err != nil {
			t.Skipf("skipped: 127.0.0.2 is no address here: %v", err)
		}
		t.Cleanup(func() { _ = bob.Close() })
		bob.Contact = "10.99.99.99:5060"
		if _, err := bob.Register(within(t), 600); err != nil {
			t.Fatal(err)
		}
		s.call(t, s.register(t, "alice"), "bob@example.com", bob)
	}},
	{define: "PRESENCE", tables: true, play: playPresence},
	{define: "BLOCK3XX", only: "5.6", play: playPlain},
	{define: "BLOCK401407", only: "5.6", play: playPlain},
	{define: "MSGREBUILD", only: "5.6", play: playPlain},
	{define: "DEBUG", play: playPlain},
}

// playPlain is a call: the define changes nothing that a phone notices.
func playPlain(t *testing.T, s *scene) {
	s.call(t, s.register(t, "alice"), "bob@example.com", s.register(t, "bob"))
}

const pidf = `<?xml version="1.0"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:bob@example.com"><tuple id="t1"><status><basic>open</basic></status><note>at the desk</note></tuple></presence>
`

// playPresence: who watches sees what is published, and that it ends.
func playPresence(t *testing.T, s *scene) {
	alice, bob := s.phone(t, "alice"), s.phone(t, "bob")
	notes := make(chan *sip.Message, 16)
	alice.Seen = func(m *sip.Message) {
		if m.MethodName() == "NOTIFY" {
			notes <- m
		}
	}
	m, err := alice.Do(within(t), "SUBSCRIBE", "sip:bob@example.com", "sip:bob@example.com", "Event: presence\r\nAccept: application/pidf+xml\r\nExpires: 600\r\n", "")
	if err != nil {
		t.Fatalf("SUBSCRIBE: %v\n%s", err, s.Log)
	}
	if m.StatusCode() != 200 && m.StatusCode() != 202 {
		t.Errorf("SUBSCRIBE is answered %d", m.StatusCode())
	}
	published, err := bob.Do(within(t), "PUBLISH", "sip:bob@example.com", "sip:bob@example.com", "Event: presence\r\nExpires: 600\r\nContent-Type: application/pidf+xml\r\n", pidf)
	if err != nil {
		t.Fatalf("PUBLISH: %v\n%s", err, s.Log)
	}
	if h := published.FindName("SIP-ETag"); h == nil {
		t.Error("the PUBLISH has no SIP-ETag")
	}
	ctx := within(t)
	for {
		select {
		case n := <-notes:
			if strings.Contains(n.Body(), "at the desk") {
				return
			}
		case <-ctx.Done():
			t.Fatalf("no NOTIFY tells what was published\n%s", s.Log)
		}
	}
}

// until asks again until an answer has all the texts: what is asked for is
// written behind the reply.
func (s *scene) until(t *testing.T, what string, ask func() string, want ...string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	ctx := within(t)
	for {
		got := ask()
		if !slices.ContainsFunc(want, func(w string) bool { return !strings.Contains(got, w) }) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %s\nwant in it %q\n%s", what, got, want, s.Log)
		case <-tick.C:
		}
	}
}

// TestDistributions plays each define of each configuration alone, on an
// embedded database and on MariaDB.
func TestDistributions(t *testing.T) {
	for i := range distributions {
		d := &distributions[i]
		for _, e := range []db.Engine{db.SQLite, db.MySQL} {
			for _, sc := range seedScenarios {
				if sc.only != "" && sc.only != d.name || e != db.SQLite && !sc.tables {
					continue
				}
				name := sc.define
				if name == "" {
					name = "plain"
				}
				t.Run(d.name+"/"+string(e)+"/"+name, func(t *testing.T) {
					url := directory(t, e)
					if sc.prep != nil {
						s := &scene{url: url}
						sc.prep(t, func(args ...string) { s.sipctl(t, args...) })
					}
					var defines []string
					for _, n := range append([]string{sc.define}, sc.needs...) {
						if n != "" {
							defines = append(defines, "WITH_"+n)
						}
					}
					sc.play(t, d.enact(t, url, defines))
				})
			}
		}
	}
}

// TestDistributionsWhole plays all of them with all defines at once.
func TestDistributionsWhole(t *testing.T) {
	for i := range distributions {
		d := &distributions[i]
		t.Run(d.name, func(t *testing.T) {
			dir := t.TempDir()
			certtest.Write(t, dir, "cert.pem", certtest.New(t, "ca").Issue(t, time.Hour, "example.com"))
			writeFile(t, filepath.Join(dir, "tls.cfg"), "[server:default]\ncertificate="+dir+"/cert.pem\nprivate_key="+dir+"/cert.pem\n")
			var defines, extra []string
			port := sockettest.Port(t)
			for _, sc := range seedScenarios {
				if sc.define != "" && (sc.only == "" || sc.only == d.name) && sc.define != "DEBUG" {
					defines = append(defines, "WITH_"+sc.define)
				}
			}
			if d.name == "5.6" {
				defines = append(defines, "WITH_TLS", "WITH_NATSIPPING", "WITH_RTPENGINE")
				extra = []string{"-l", fmt.Sprintf("tls:127.0.0.1:%d", port), "--modparam", "tls:config:s:" + dir + "/tls.cfg"}
			}
			s := d.enact(t, directory(t, db.SQLite), defines, extra...)
			if d.name == "5.6" {
				t.Run("TLS", func(t *testing.T) { optionsOverTLS(t, port) })
			}
			for _, name := range []string{"AUTH", "reload", "ACCDB", "PRESENCE", "JSONRPC"} {
				if name == "reload" { // all that is loaded takes over from itself
					if out := s.sipcmd(t, "core.reload"); !strings.Contains(out, "reloads: 1") {
						t.Errorf("core.reload prints\n%s", out)
					}
				}
				for _, sc := range seedScenarios {
					if sc.define == name && (sc.only == "" || sc.only == d.name) {
						t.Run(name, func(t *testing.T) { sc.play(t, s) })
					}
				}
			}
		})
	}
}

// TestDistributionsPeers lets the usual programs talk to them: SIPp registers,
// calls and is called, sipsak pings and registers, baresip registers.
func TestDistributionsPeers(t *testing.T) {
	for i := range distributions {
		d := &distributions[i]
		t.Run(d.name, func(t *testing.T) {
			s := d.enact(t, directory(t, db.SQLite), []string{"WITH_AUTH", "WITH_USRLOCDB"})
			t.Run("sipp", func(t *testing.T) {
				port := sockettest.Port(t)
				s.registerSIPp(t, port, "u1")
				callee := s.callee(t, scenarios+"callee.xml", port, "-t", "u1", "-m", "20")
				s.sipp(t, scenarios+"caller.xml", "-s", "bob", "-p", fmt.Sprint(sockettest.Port(t)), "-t", "u1", "-m", "20", "-r", "20")()
				callee()
			})
			t.Run("sipsak", func(t *testing.T) {
				args := []string{"-U", "-p", s.Addr, "-s", "sip:alice@example.com", "-u", "alice", "-a", passwords["alice"], "-C", "sip:alice@127.0.0.1:9", "-x", "100", "-v"}
				if b, err := exec.Command(peer(t, "sipsak", "sipsak"), args...).CombinedOutput(); err != nil {
					t.Errorf("sipsak %s: %v\n%s", strings.Join(args, " "), err, b)
				}
				s.until(t, "ul.lookup", func() string { return s.sipcmd(t, "ul.dump") }, "sip:alice@127.0.0.1:9")
			})
			t.Run("baresip", func(t *testing.T) { s.baresip(t) })
		})
	}
}

// baresip has baresip register carol, and end again.
func (s *scene) baresip(t *testing.T) {
	t.Helper()
	bin := peer(t, "baresip", "baresip")
	modules, _ := filepath.Glob("/usr/lib*/baresip/modules")
	if len(modules) == 0 {
		t.Skip("skipped: baresip has no modules here")
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "config"), "poll_method epoll\nsip_listen 127.0.0.1:0\nmodule_path "+modules[0]+"\nmodule g711.so\nmodule_app account.so\nmodule_app menu.so\n")
	writeFile(t, filepath.Join(dir, "accounts"), fmt.Sprintf("<sip:carol@example.com>;auth_pass=%s;outbound=\"sip:%s\";regint=600\n", passwords["carol"], s.Addr))
	cmd := exec.Command(bin, "-f", dir, "-v")
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	}()
	s.until(t, "ul.dump", func() string { return s.sipcmd(t, "ul.dump") + out.String() }, "AoR: carol", "baresip v", "200 OK")
}

// optionsOverTLS asks whether the server is there.
func optionsOverTLS(t *testing.T, port int) {
	t.Helper()
	c, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port), &tls.Config{InsecureSkipVerify: true}) // a certificate of the test's own
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Write([]byte(strings.Replace(request("OPTIONS", fmt.Sprintf("sip:127.0.0.1:%d", port), "tls", ""), "SIP/2.0/UDP", "SIP/2.0/TLS", 1))); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	if n, err := c.Read(b); err != nil || !strings.HasPrefix(string(b[:n]), "SIP/2.0 200 ") {
		t.Errorf("OPTIONS over TLS: %v\n%s", err, b[:n])
	}
}

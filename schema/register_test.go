package schema_test

import (
	"crypto/md5"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/rpc/socket/sockettest"
)

// registrarConfig is a registrar with digest and location in the database.
const registrarConfig = `#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=1
disable_tcp=yes
dns=no
rev_dns=no
auto_aliases=no
listen=udp:127.0.0.1:%d
loadmodule "%[4]s.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "auth_db.so"
loadmodule "ctl.so"
modparam("ctl", "binrpc", "unixs:%[2]s")
modparam("usrloc", "db_mode", 1)
modparam("usrloc|auth_db", "db_url", "%[3]s")
modparam("auth_db", "use_domain", 1)
request_route {
	if (!www_authorize("example.com", "subscriber")) { www_challenge("example.com", "0"); exit; }
	save("location");
	exit;
}
`

// kamailioURL is the database as Kamailio takes it, with what its client
// library wants in the environment: the servers listen on sockets alone.
func kamailioURL(d *db.DB, rawURL string) (url, module string, env []string) {
	e, name, _ := db.ParseName(rawURL)
	_, option, _ := strings.Cut(rawURL, "?")
	_, path, _ := strings.Cut(option, "=")
	switch e {
	case db.MySQL:
		return "mysql://root@localhost/" + name, "db_mysql", []string{"MYSQL_UNIX_PORT=" + path}
	case db.PostgreSQL:
		return "postgres://postgres@/" + name, "db_postgres", []string{"PGHOST=" + path}
	}
	return "sqlite:///" + strings.TrimPrefix(d.Source(), "sqlite:/"), "db_sqlite", nil
}

// TestKamailioRegisters: a real Kamailio lets a user of our tables register with
// digest, and puts the contact where we read it; on every engine.
func TestKamailioRegisters(t *testing.T) {
	for _, e := range db.Engines() {
		t.Run(string(e), func(t *testing.T) {
			rawURL := dbtest.URL(t, e)
			d, err := db.Open(t.Context(), rawURL, db.Create())
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			create(t, d, db.Kamailio)
			ha1 := hash("alice:example.com:s3cret")
			if _, err := d.Command("INSERT INTO subscriber (username, domain, ha1) VALUES (?, ?, ?)").Exec(t.Context(), "alice", "example.com", ha1); err != nil {
				t.Fatal(err)
			}
			url, module, env := kamailioURL(d, rawURL)
			if m, _ := os.ReadDir("/usr/lib/x86_64-linux-gnu/kamailio/modules"); m != nil {
				if _, err := os.Stat("/usr/lib/x86_64-linux-gnu/kamailio/modules/" + module + ".so"); err != nil {
					t.Skipf("Kamailio's %s is not installed", module)
				}
			}
			port := sockettest.Port(t)
			runKamailio(t, func(control string) string { return fmt.Sprintf(registrarConfig, port, control, url, module) }, env...)
			if got := register(t, port, ""); !strings.HasPrefix(got, "SIP/2.0 401 ") {
				t.Fatalf("without credentials: %s", got)
			} else if got := register(t, port, answer(t, got, hash("alice:example.com:wrong"))); !strings.HasPrefix(got, "SIP/2.0 401 ") {
				t.Errorf("with a wrong password: %s", got)
			} else if got := register(t, port, answer(t, got, ha1)); !strings.HasPrefix(got, "SIP/2.0 200 ") {
				t.Fatalf("with credentials: %s", got)
			}
			var contact string
			if err := d.Query("SELECT contact FROM location WHERE username = ?").Get(t.Context(), []any{"alice"}, &contact); err != nil || contact != "sip:alice@127.0.0.1:5999" {
				t.Errorf("location has %q, %v", contact, err)
			}
		})
	}
}

func hash(s string) string { return fmt.Sprintf("%x", md5.Sum([]byte(s))) }

// answer computes the Authorization header for a challenge.
func answer(t *testing.T, reply, ha1 string) string {
	t.Helper()
	m := regexp.MustCompile(`nonce="([^"]+)"`).FindStringSubmatch(reply)
	if m == nil {
		t.Fatalf("no nonce in %s", reply)
	}
	response := hash(ha1 + ":" + m[1] + ":" + hash("REGISTER:sip:example.com"))
	return fmt.Sprintf("Authorization: Digest username=\"alice\", realm=\"example.com\", nonce=\"%s\", uri=\"sip:example.com\", response=\"%s\"\r\n", m[1], response)
}

var registers int

// register sends a REGISTER and gives the reply.
func register(t *testing.T, port int, authorization string) string {
	t.Helper()
	registers++
	c, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	request := fmt.Sprintf("REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%d\r\nFrom: <sip:alice@example.com>;tag=1\r\nTo: <sip:alice@example.com>\r\n"+
		"Call-ID: r@example.com\r\nCSeq: %[2]d REGISTER\r\nContact: <sip:alice@127.0.0.1:5999>\r\nExpires: 600\r\nMax-Forwards: 70\r\n%[3]sContent-Length: 0\r\n\r\n", c.LocalAddr(), registers, authorization)
	b := make([]byte, 4096)
	for range 10 {
		if _, err := c.Write([]byte(request)); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(3 * time.Second)) // cannot fail on an open socket
		if n, err := c.Read(b); err == nil {
			return string(b[:n])
		}
	}
	t.Fatal("no reply to a REGISTER")
	return ""
}

package dialog_test

import (
	"database/sql"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/router/livetest"
	"sipd/router/module/moduletest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// patience is how long a row may take to come or go: a second by the clock of
// the daemon, on a machine that has other work.
const patience = 60 * time.Second

// keeping is a configuration that keeps calls in a database.
func keeping(rawURL string, mode int, extra string) string {
	driver := "db_sqlite"
	switch scheme, _, _ := strings.Cut(rawURL, ":"); scheme {
	case "mysql":
		driver = "db_mysql"
	case "postgres":
		driver = "db_postgres"
	}
	return fmt.Sprintf("loadmodule \"%s.so\"\n", driver) + with(fmt.Sprintf(`
modparam("dialog", "db_mode", %d)
modparam("dialog", "db_url", "%s")
modparam("dialog", "db_update_period", 1)
`, mode, rawURL)+extra)
}

// start starts sipd or Kamailio on a database.
func start(t *testing.T, ours bool, rawURL string, mode int, extra string) *livetest.Daemon {
	t.Helper()
	if ours {
		return livetest.Start(t, keeping(rawURL, mode, extra))
	}
	// Kamailio's clients find sockets by the environment alone.
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	switch u.Scheme {
	case "sqlite":
		rawURL = "sqlite:///" + u.Opaque
		if u.Opaque == "" {
			rawURL = "sqlite:///" + u.Path
		}
	case "mysql":
		t.Setenv("MYSQL_UNIX_PORT", u.Query().Get("socket"))
		rawURL = "mysql://root@localhost" + u.Path
	case "postgres":
		t.Setenv("PGHOST", u.Query().Get("host"))
		rawURL = "postgres://postgres@" + u.Path
	}
	return livetest.Kamailio(t, keeping(rawURL, mode, extra))
}

// record is a row of table dialog, without its id.
type record struct {
	Entry, ID                             int64
	CallID, From, FromTag, To, ToTag      string
	CallerCSeq, CalleeCSeq                string
	CallerRoutes, CalleeRoutes            sql.NullString
	CallerContact, CalleeContact          string
	CallerSock, CalleeSock                string
	State, Start, Timeout, SFlags, IFlags int64
	ToRoute                               sql.NullString
	ReqURI                                string
	XData                                 sql.NullString
}

func records(t *testing.T, d *db.DB) (list []record) {
	t.Helper()
	rows, err := d.Reader().Query(`SELECT hash_entry, hash_id, callid, from_uri, from_tag, to_uri, to_tag, caller_cseq, callee_cseq, caller_route_set, callee_route_set,
caller_contact, callee_contact, caller_sock, callee_sock, state, start_time, timeout, sflags, iflags, toroute_name, req_uri, xdata FROM dialog ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var r record
		if err := rows.Scan(&r.Entry, &r.ID, &r.CallID, &r.From, &r.FromTag, &r.To, &r.ToTag, &r.CallerCSeq, &r.CalleeCSeq, &r.CallerRoutes, &r.CalleeRoutes,
			&r.CallerContact, &r.CalleeContact, &r.CallerSock, &r.CalleeSock, &r.State, &r.Start, &r.Timeout, &r.SFlags, &r.IFlags, &r.ToRoute, &r.ReqURI, &r.XData); err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

func variables(t *testing.T, d *db.DB) (list []string) {
	t.Helper()
	rows, err := d.Reader().Query("SELECT hash_entry, hash_id, dialog_key, dialog_value FROM dialog_vars ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var entry, id int64
		var key, value string
		if err := rows.Scan(&entry, &id, &key, &value); err != nil {
			t.Fatal(err)
		}
		list = append(list, key+"="+value)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// wait waits until the rows are as wanted.
func wait(t *testing.T, d *db.DB, what string, ok func([]record) bool) []record {
	t.Helper()
	for limit := time.Now().Add(patience); ; {
		list := records(t, d)
		if ok(list) {
			return list
		}
		if time.Now().After(limit) {
			t.Fatalf("table dialog has not %s: %+v", what, list)
		}
		<-time.After(20 * time.Millisecond) // between two questions
	}
}

func confirmed(list []record) bool { return len(list) == 1 && list[0].State == 4 }

// shape is a record without what differs from run to run.
func (r record) shape(d *livetest.Daemon, p, q *livetest.Peer) string {
	s := fmt.Sprintf("%+v", r)
	for _, x := range [][2]string{{d.Addr, "DAEMON"}, {p.Addr(), "P"}, {q.Addr(), "Q"}} {
		s = strings.ReplaceAll(s, x[0], x[1])
	}
	s = regexp.MustCompile(`\bID:\d+`).ReplaceAllString(s, "ID:N")
	s = regexp.MustCompile(`,?"puid":"[^"]*"`).ReplaceAllString(s, "")
	if r.Timeout-r.Start > 43190 && r.Timeout-r.Start < 43260 {
		s = regexp.MustCompile(`Start:\d+ Timeout:\d+`).ReplaceAllString(s, "Start:T Timeout:T+43200")
	}
	return s
}

// TestRows: what is written is what Kamailio writes, on every engine; but that one
// keeps its own Record-Route in the callee's route set, and so sends its BYEs
// through itself.
func TestRows(t *testing.T) {
	const want = `{Entry:781 ID:N CallID:one From:sip:alice@a.test FromTag:f1 To:sip:bob@b.test ToTag:peer CallerCSeq:1 CalleeCSeq:0 ` +
		`CallerRoutes:{String: Valid:false} CalleeRoutes:{String: Valid:false} CallerContact:sip:alice@P CalleeContact:sip:bob@Q ` +
		`CallerSock:udp:DAEMON CalleeSock:udp:DAEMON State:4 Start:T Timeout:T+43200 SFlags:8 IFlags:0 ToRoute:{String: Valid:false} ` +
		`ReqURI:sip:bob@Q XData:{String:{"profiles":[{"name":"calls"},{"name":"caller","value":"alice"}]} Valid:true}}`
	for _, e := range db.Engines() {
		for _, ours := range []bool{true, false} {
			t.Run(fmt.Sprint(e, " ours=", ours), func(t *testing.T) {
				rawURL, d := tables(t, e)
				s := start(t, ours, rawURL, 1, "")
				p, q := s.Peer(t), s.Peer(t)
				route := call(t, p, q, "bob", "one")
				list := wait(t, d, "the call", confirmed)
				if !ours && strings.HasPrefix(list[0].CalleeRoutes.String, "<sip:"+s.Addr+";lr;ftag=f1;did=d03.") {
					list[0].CalleeRoutes = sql.NullString{}
				}
				if got := list[0].shape(s, p, q); got != want {
					t.Errorf("row\n%s, want\n%s", got, want)
				}
				if got := fmt.Sprint(variables(t, d)); got != "[x=kept]" {
					t.Errorf("variables %s", got)
				}
				p.Send(request("BYE", "sip:bob@"+q.Addr(), "one", ";tag=peer", route, 3))
				q.Reply(q.Want("BYE "), 200, "OK")
				p.Want("SIP/2.0 200 ")
				wait(t, d, "lost the call", func(l []record) bool { return len(l) == 0 })
				// Kamailio deletes them behind the call.
				for limit := time.Now().Add(patience); variables(t, d) != nil; <-time.After(20 * time.Millisecond) {
					if time.Now().After(limit) {
						t.Fatalf("variables that stay: %q", variables(t, d))
					}
				}
			})
		}
	}
}

// tables makes the tables of an engine; more than one server may write to them.
func tables(t *testing.T, e db.Engine) (string, *db.DB) {
	rawURL, d := moduletest.Tables(t, e)
	if e == db.SQLite {
		moduletest.Exec(t, d, "PRAGMA journal_mode = WAL")
	}
	return rawURL, d
}

// TestTakeOver: one goes on where the other stopped, in every mode and on every
// engine, Kamailio included.
func TestTakeOver(t *testing.T) {
	name := map[bool]string{true: "sipd", false: "kamailio"}
	for _, e := range db.Engines() {
		modes, pairs := []int{1}, [][2]bool{{true, false}, {false, true}}
		if e == db.SQLite { // what differs by mode is the same on all engines
			modes, pairs = []int{1, 2, 3}, append(pairs, [2]bool{true, true})
		}
		for _, mode := range modes {
			for _, pair := range pairs {
				t.Run(fmt.Sprintf("%s mode %d %s to %s", e, mode, name[pair[0]], name[pair[1]]), func(t *testing.T) {
					takeOver(t, e, mode, pair[0], pair[1])
				})
			}
		}
	}
}

func takeOver(t *testing.T, e db.Engine, mode int, first, second bool) {
	rawURL, d := tables(t, e)
	var route string
	var p, q *livetest.Peer
	was := "" // the address of the first
	outer := t
	t.Run("before", func(t *testing.T) {
		s := start(t, first, rawURL, mode, "")
		p, q = s.Peer(outer), s.Peer(outer)
		route = call(t, p, q, "bob", "kept")
		other := call(t, p, q, "bob", "gone") // does not come back
		p.Send(request("BYE", "sip:bob@"+q.Addr(), "gone", ";tag=peer", other, 3))
		q.Reply(q.Want("BYE "), 200, "OK")
		p.Want("SIP/2.0 200 ")
		if mode != 3 {
			wait(t, d, "one call", confirmed)
		}
		route = strings.Replace(route, s.Addr, "ADDR", 1)
		was = s.Addr
	})
	if was == "" {
		t.SkipNow() // said why
	}
	wait(t, d, "one call", confirmed)
	// The successor has another port here, but is the same server.
	s := start(t, second, rawURL, mode, "alias=udp:"+was+"\n")
	p, q = s.Adopt(p), s.Adopt(q)
	p.Send(request("INFO", "sip:bob@"+q.Addr(), "kept", ";tag=peer", route, 7))
	q.Reply(q.Want("INFO "), 200, "OK")
	p.Want("SIP/2.0 200 ")
	s.WantLog(t, "info known=kept state=4 var=kept from=f1 to=peer n=1 all=1 count=1 status=4;")
	s.WantLog(t, "info in caller;")
	s.WantLog(t, "info flags;")
	p.Send(request("NOTIFY", "sip:bob@"+q.Addr(), "kept", ";tag=peer", route, 9))
	s.WantLog(t, "byes sent;")
	p.Reply(p.Want("BYE "), 200, "OK")
	p.Want("SIP/2.0 200 ")
	q.Reply(q.Want("BYE "), 200, "OK")
	s.WantLog(t, "event end kept;")
	wait(t, d, "lost the call", func(l []record) bool { return len(l) == 0 })
}

package presence_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/router/livetest"
	"sipd/router/module/moduletest"
	"sipd/schema"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// config is a presence server; DB stands for the URL of its database, MORE for
// further parameters.
const config = `
loadmodule "db_sqlite.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "textops.so"
loadmodule "presence.so"
loadmodule "presence_xml.so"
modparam("presence|presence_xml", "db_url", "DB")
modparam("presence_xml", "integrated_xcap_server", 1)
MORE
children=1
request_route {
	if (is_method("OPTIONS")) {
		if ($rU == "update" && pres_update_watchers("sip:bob@test.com", "presence")) sl_send_reply("200", "updated");
		else if ($rU == "refresh" && pres_refresh_watchers("sip:bob@test.com", "presence", 1)) sl_send_reply("200", "refreshed");
		else if ($rU == "watched" && pres_has_subscribers("sip:bob@test.com", "presence")) sl_send_reply("200", "watched");
		else if ($rU == "status") { $var(rc) = pres_auth_status("$fu", "sip:bob@test.com"); sl_send_reply("200", "status $var(rc)"); }
		else if ($rU == "open" && pres_check_basic("sip:bob@test.com", "open")) sl_send_reply("200", "open");
		else if ($rU == "away" && pres_check_activities("sip:bob@test.com", "away")) sl_send_reply("200", "away");
#!ifdef COUNT
		else if ($rU == "counted") sl_send_reply("200", "$stat(publishes) $stat(subscribes) $stat(notifies)");
#!endif
		else sl_send_reply("404", "no");
		exit;
	}
	if (!t_newtran()) { sl_reply_error(); exit; }
	if (is_method("PUBLISH")) { handle_publish(); exit; }
	handle_subscribe();
	xlog("L_ERR", "SUBS uri=$subs(uri) status=$subs(status) reason=$subs(reason) cseq=$subs(local_cseq) version=$subs(version) expires=$subs(expires)\n");
}
event_route[presence:notify-reply] {
	xlog("L_ERR", "REPLY code=$notify_reply($rs) uri=$subs(uri) status=$subs(status) method=$rm\n");
}
event_route[tm:local-request] {
	xlog("L_ERR", "LOCAL uri=$subs(uri) status=$subs(status) method=$rm\n");
}
`

// server is a presence server and its database.
type server struct {
	*livetest.Daemon
	t  *testing.T
	db *db.DB
	n  int
}

// database makes one with the tables of presence.
func database(t *testing.T, e db.Engine) (string, *db.DB) {
	t.Helper()
	url := dbtest.URL(t, e)
	d, err := db.Open(t.Context(), url, db.Create())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if err := schema.Create(t.Context(), d, db.Kamailio, "standard", "presence"); err != nil {
		t.Fatal(err)
	}
	return url, d
}

func fill(url, more string) string {
	return strings.NewReplacer("DB", url, "MORE", more).Replace(config)
}

// each runs f against sipd and Kamailio, each with a database in SQLite.
func each(t *testing.T, more string, f func(s *server)) {
	t.Run("sipd", func(t *testing.T) {
		url, d := database(t, db.SQLite)
		f(&server{Daemon: livetest.Start(t, fill(url, more)), t: t, db: d})
	})
	t.Run("kamailio", func(t *testing.T) {
		url, d := database(t, db.SQLite)
		path := strings.TrimPrefix(url, "sqlite:")
		if !filepath.IsAbs(path) {
			t.Fatalf("database %s", url)
		}
		moduletest.Exec(t, d, "PRAGMA journal_mode = WAL") // its processes lock each other out else
		f(&server{Daemon: livetest.Kamailio(t, fill("sqlite:///"+path, more)), t: t, db: d})
	})
}

// phone is a peer with a user.
type phone struct {
	*livetest.Peer
	s    *server
	user string
	// tags are the To tags of its dialogs by Call-ID.
	tags map[string]string
}

func (s *server) phone(user string) *phone {
	return &phone{Peer: s.Peer(s.t), s: s, user: user, tags: make(map[string]string)}
}

// subscribe sends a SUBSCRIBE for bob, in the dialog when there is one, and gives
// the reply.
func (p *phone) subscribe(event string, expires int, more ...string) string {
	p.s.t.Helper()
	p.s.n++
	call := p.user + "-" + event
	tag := ""
	if t := p.tags[call]; t != "" {
		tag = ";tag=" + t
	}
	p.Send(fmt.Sprintf("SUBSCRIBE sip:bob@test.com SIP/2.0\nVia: SIP/2.0/UDP ME;branch=z9hG4bKs%d\nFrom: <sip:%s@test.com>;tag=%s\nTo: <sip:bob@test.com>%s\nCall-ID: %s\nCSeq: %d SUBSCRIBE\nMax-Forwards: 9\nContact: <sip:%s@ME>\nEvent: %s\nExpires: %d\n%s",
		p.s.n, p.user, p.user, tag, call, p.s.n, p.user, event, expires, strings.Join(more, "")))
	r := p.Want("SIP/2.0 ")
	if _, t, ok := strings.Cut(livetest.Value(r, "To"), ";tag="); ok && strings.HasPrefix(r, "SIP/2.0 200") {
		p.tags[call] = t
	}
	return brief(r, "Expires", "Min-Expires", "Allow-Events")
}

// publish sends a PUBLISH of bob and gives the reply and the entity tag.
func (p *phone) publish(more, body string) (reply, etag string) {
	p.s.t.Helper()
	p.s.n++
	p.Send(fmt.Sprintf("PUBLISH sip:bob@test.com SIP/2.0\nVia: SIP/2.0/UDP ME;branch=z9hG4bKp%d\nFrom: <sip:bob@test.com>;tag=p\nTo: <sip:bob@test.com>\nCall-ID: publish\nCSeq: %d PUBLISH\nMax-Forwards: 9\n%s\n\n%s", p.s.n, p.s.n, more, body))
	r := p.Want("SIP/2.0 ")
	return brief(r, "Expires", "Allow-Events"), livetest.Value(r, "SIP-ETag")
}

// options asks the script, and gives code and reason.
func (p *phone) options(user string) string {
	p.s.t.Helper()
	p.s.n++
	p.Send(fmt.Sprintf("OPTIONS sip:%s@ADDR SIP/2.0\nVia: SIP/2.0/UDP ME;branch=z9hG4bKo%d\nFrom: <sip:%s@test.com>;tag=o\nTo: <sip:x@test.com>\nCall-ID: o%d\nCSeq: 1 OPTIONS\nMax-Forwards: 9\n", user, p.s.n, p.user, p.s.n))
	return brief(p.Want("SIP/2.0 "))
}

// secondsLeft is what may be left of 600 seconds.
var secondsLeft = regexp.MustCompile(`expires=5[0-9]{2}\b`)

// notified is the next NOTIFY, which is answered; seconds that are left may be a
// few less.
func (p *phone) notified(more ...string) string {
	p.s.t.Helper()
	for {
		n := p.Want("NOTIFY ")
		p.Reply(n, 200, "OK")
		key := livetest.Value(n, "Call-ID") + livetest.Value(n, "CSeq")
		if p.tags[key] != "" {
			continue // again
		}
		p.tags[key] = "seen"
		n = secondsLeft.ReplaceAllString(n, "expires=600")
		return brief(n, append([]string{"CSeq", "Event", "Subscription-State", "Content-Type"}, more...)...)
	}
}

// brief is a message without what differs from run to run: its first line,
// without the address, some headers, and its body.
func brief(m string, headers ...string) string {
	line, _, _ := strings.Cut(m, "\r\n")
	line = strings.TrimPrefix(strings.TrimSuffix(line, " SIP/2.0"), "SIP/2.0 ")
	line, _, _ = strings.Cut(line, "@")
	var b strings.Builder
	b.WriteString(line)
	for _, h := range headers {
		if v := livetest.Value(m, h); v != "" {
			b.WriteString("\n" + h + ": " + v)
		}
	}
	if _, body, _ := strings.Cut(m, "\r\n\r\n"); body != "" {
		b.WriteString("\n\n" + strings.ReplaceAll(body, "\r", ""))
	}
	return b.String()
}

func (s *server) want(what, got, want string) {
	s.t.Helper()
	if got != want {
		s.t.Errorf("%s\ngot\n%s\nwant\n%s", what, got, want)
	}
}

const head = `<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" entity="sip:bob@test.com">`

// pidf is a state with a tuple and a person.
func pidf(id string) string {
	return head + `
  <tuple id="t` + id + `">
    <status><basic>open</basic></status>
  </tuple>
  <dm:person id="p` + id + `"><rpid:activities><rpid:away/></rpid:activities><dm:note>Hé &amp; "x"</dm:note></dm:person>
</presence>
`
}

const (
	pidfHeaders = "Event: presence\nContent-Type: application/pidf+xml\nExpires: 600"
	active      = "\nEvent: presence\nSubscription-State: active;expires=600"
	withPIDF    = active + "\nContent-Type: application/pidf+xml\n\n"
)

// allow puts rules of bob into the database: pairs of a watcher and a handling.
func (s *server) rules(transformations string, pairs ...string) {
	s.t.Helper()
	doc := `<?xml version="1.0"?><cr:ruleset xmlns:cr="urn:ietf:params:xml:ns:common-policy" xmlns="urn:ietf:params:xml:ns:pres-rules">`
	for i := 0; i < len(pairs); i += 2 {
		doc += fmt.Sprintf(`<cr:rule id="r%d"><cr:conditions><cr:identity><cr:one id="sip:%s@test.com"/></cr:identity></cr:conditions><cr:actions><sub-handling>%s</sub-handling></cr:actions><cr:transformations>%s</cr:transformations></cr:rule>`,
			i, pairs[i], pairs[i+1], transformations)
	}
	doc += `</cr:ruleset>`
	moduletest.Exec(s.t, s.db, "DELETE FROM xcap", "INSERT INTO xcap (username, domain, doc, doc_type, etag, source, doc_uri, port) VALUES ('bob', 'test.com', '"+doc+"', 2, 'x', 0, 'u', 0)")
}

// TestPublish: states come, are joined, change and go, and the watcher sees it.
func TestPublish(t *testing.T) {
	each(t, ``, func(s *server) {
		alice, bob := s.phone("alice"), s.phone("bob")
		s.rules("", "alice", "allow")
		s.want("subscribe", alice.subscribe("presence", 600), "200 OK\nExpires: 600")
		s.want("first NOTIFY", alice.notified(), "NOTIFY sip:alice\nCSeq: 2 NOTIFY"+active)
		s.want("not published", bob.options("open"), "404 no")

		r, one := bob.publish(pidfHeaders, pidf("1"))
		s.want("publish", r, "200 OK\nExpires: 600")
		s.want("NOTIFY of the first", alice.notified(), "NOTIFY sip:alice\nCSeq: 3 NOTIFY"+withPIDF+pidf("1"))
		s.want("open", bob.options("open"), "200 open")
		s.want("away", bob.options("away"), "200 away")
		s.want("watched", bob.options("watched"), "200 watched")

		r, two := bob.publish(pidfHeaders, strings.ReplaceAll(pidf("2"), "\n", ""))
		s.want("second publish", r, "200 OK\nExpires: 600")
		joined := alice.notified()
		if !strings.Contains(joined, `id="t2"`) || !strings.Contains(joined, `<tuple xmlns="urn:ietf:params:xml:ns:pidf" id="t1">`) ||
			!strings.Contains(joined, `<dm:person xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" id="p1">`) {
			s.t.Errorf("joined:\n%s", joined)
		}

		r, next := bob.publish("Event: presence\nExpires: 500\nSIP-If-Match: "+two, "")
		s.want("refresh", r, "200 OK\nExpires: 500")
		if next == two || !strings.HasSuffix(next, ".1") || !strings.HasPrefix(next, "a.") {
			s.t.Errorf("tags %s, then %s", two, next)
		}
		if again := alice.notified(); !strings.Contains(again, `id="t2"`) {
			s.t.Errorf("after the refresh:\n%s", again)
		}
		r, _ = bob.publish("Event: presence\nExpires: 500\nSIP-If-Match: "+two, "")
		s.want("refresh of an old tag", r, "412 Conditional request failed")

		r, _ = bob.publish("Event: presence\nExpires: 0\nSIP-If-Match: "+next, "")
		s.want("withdraw", r, "200 OK\nExpires: 0")
		s.want("closed", alice.notified(), "NOTIFY sip:alice\nCSeq: 6 NOTIFY\nEvent: presence\nSubscription-State: active;expires=600\nContent-Type: application/pidf+xml\n\n"+closedTwo)

		s.settled(bob, 1)
		r, _ = bob.publish("Event: presence\nExpires: 600\nContent-Type: application/pidf+xml\nSIP-If-Match: "+one, pidf("3"))
		s.want("modify", r, "200 OK\nExpires: 600")
		s.want("modified", alice.notified(), "NOTIFY sip:alice\nCSeq: 7 NOTIFY"+withPIDF+pidf("3"))
		s.want("refreshed by the script", bob.options("refresh"), "200 refreshed")
		s.want("again", alice.notified(), "NOTIFY sip:alice\nCSeq: 8 NOTIFY"+withPIDF+pidf("3"))
	})
}

// settled waits until the table has a number of states: Kamailio removes one behind
// its NOTIFYs. Each look is a message that it answers.
func (s *server) settled(p *phone, states int) {
	s.t.Helper()
	n := -1
	for range 1000 {
		if err := s.db.Reader().Get(&n, "SELECT COUNT(*) FROM presentity"); err != nil {
			s.t.Fatal(err)
		}
		if n == states {
			return
		}
		p.options("nothing")
	}
	s.t.Errorf("%d states in the table, want %d", n, states)
}

// closedTwo is the first state, and what is left of the second when it goes.
const closedTwo = `<?xml version="1.0"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" entity="sip:bob@test.com">
  <tuple xmlns="urn:ietf:params:xml:ns:pidf" id="t2">
    <status xmlns="urn:ietf:params:xml:ns:pidf">
      <basic>closed</basic>
    </status>
  </tuple>

  <tuple xmlns="urn:ietf:params:xml:ns:pidf" id="t1">
    <status><basic>open</basic></status>
  </tuple>
  <dm:person xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" id="p1"><rpid:activities><rpid:away/></rpid:activities><dm:note>H&#xE9; &amp; "x"</dm:note></dm:person>
</presence>
`

// TestRefused: what cannot be done has a reply that says so.
func TestRefused(t *testing.T) {
	each(t, `modparam("presence", "min_expires", 60)`, func(s *server) {
		alice, bob := s.phone("alice"), s.phone("bob")
		for _, tt := range []struct{ headers, body, want string }{
			{"Event: presence\nSIP-If-Match: a.1.2.3.4", "", "412 Conditional request failed"},
			{"Event: presence\nExpires: 0\nSIP-If-Match: nonsense", "", "412 Conditional request failed"},
			{"Event: presence\nSIP-If-Match: nonsense", "", "500 Server Internal Error"},
			{"Event: presence", "no xml", "415 Unsupported media type"},
			{"Event: nonsense", "x", "489 Bad Event\nAllow-Events: xcap-diff, presence.winfo, presence"},
			{"Subject: no event", "x", "489 Bad Event\nAllow-Events: xcap-diff, presence.winfo, presence"},
			{"Event: presence\nContent-Length: 0", "", "400 Invalid request"},
		} {
			got, _ := bob.publish(tt.headers, tt.body)
			s.want("PUBLISH with "+tt.headers, got, tt.want)
		}
		s.want("unknown event", alice.subscribe("nonsense", 600), "489 Bad Event\nAllow-Events: xcap-diff, presence.winfo, presence")
		s.want("too brief", alice.subscribe("presence", 59), "423 Interval Too Brief\nMin-Expires: 60")
		alice.tags["alice-presence"] = "unknown"
		s.want("no dialog", alice.subscribe("presence", 600), "481 Subscription does not exist")
	})
}

// TestSubscribe: subscriptions are refreshed, end, and may be a single question.
func TestSubscribe(t *testing.T) {
	each(t, `modparam("presence", "subs_db_mode", 1)`, func(s *server) {
		alice, bob := s.phone("alice"), s.phone("bob")
		s.rules("", "alice", "allow", "bob", "allow")
		bob.publish(pidfHeaders, pidf("1"))
		route := "Record-Route: <sip:ME;lr;x=1>, <sip:ME;lr;x=2>\n"
		s.want("subscribe", alice.subscribe("presence", 600, route), "200 OK\nExpires: 600")
		routes := strings.ReplaceAll("\nRoute: <sip:ME;lr;x=1>, <sip:ME;lr;x=2>", "ME", alice.Addr())
		s.want("NOTIFY", alice.notified(), "NOTIFY sip:alice\nCSeq: 2 NOTIFY"+withPIDF+pidf("1"))
		s.WantLog(t, "SUBS uri=sip:bob@test.com status=1 reason= cseq=0 version=1 expires=600")
		s.WantLog(t, "LOCAL uri=sip:bob@test.com status=1 method=NOTIFY")
		s.WantLog(t, "REPLY code=200 uri=sip:bob@test.com status=1 method=NOTIFY")

		s.want("winfo", bob.subscribe("presence.winfo", 600), "200 OK\nExpires: 600")
		s.want("watchers", bob.notified(), "NOTIFY sip:bob\nCSeq: 2 NOTIFY\nEvent: presence.winfo\nSubscription-State: active;expires=600\nContent-Type: application/watcherinfo+xml\n\n"+
			winfo("1", "full", `    <watcher id="alice-presence" event="subscribe" status="active">sip:alice@test.com</watcher>`))

		s.want("refresh", alice.subscribe("presence", 600), "200 OK\nExpires: 600")
		s.want("NOTIFY on the route", alice.notified("Route"), "NOTIFY sip:alice\nCSeq: 3 NOTIFY\nEvent: presence\nSubscription-State: active;expires=600\nContent-Type: application/pidf+xml"+routes+"\n\n"+pidf("1"))
		s.want("one watcher", bob.notified(), "NOTIFY sip:bob\nCSeq: 3 NOTIFY\nEvent: presence.winfo\nSubscription-State: active;expires=600\nContent-Type: application/watcherinfo+xml\n\n"+
			winfo("2", "partial", `    <watcher id="alice-presence" event="subscribe" status="active">sip:alice@test.com</watcher>`))

		s.want("unsubscribe", alice.subscribe("presence", 0), "200 OK\nExpires: 0")
		s.want("last NOTIFY", alice.notified(), "NOTIFY sip:alice\nCSeq: 4 NOTIFY\nEvent: presence\nSubscription-State: terminated;reason=timeout\nContent-Type: application/pidf+xml\n\n"+pidf("1"))
		s.want("nobody", bob.notified(), "NOTIFY sip:bob\nCSeq: 4 NOTIFY\nEvent: presence.winfo\nSubscription-State: active;expires=600\nContent-Type: application/watcherinfo+xml\n\n"+winfo("3", "full", ""))
		s.want("after the end", alice.subscribe("presence", 600), "481 Subscription does not exist")

		delete(alice.tags, "alice-presence")
		s.want("fetch", alice.subscribe("presence", 0), "200 OK\nExpires: 0")
		m := alice.Want("NOTIFY ")
		alice.Reply(m, 200, "OK")
		s.want("fetched", brief(m, "CSeq", "Subscription-State", "Content-Type"), "NOTIFY sip:alice\nCSeq: 1 NOTIFY\nSubscription-State: terminated;reason=timeout\nContent-Type: application/pidf+xml\n\n"+pidf("1"))
	})
}

func winfo(version, state, watchers string) string {
	list := `  <watcher-list resource="sip:bob@test.com" package="presence"/>`
	if watchers != "" {
		list = `  <watcher-list resource="sip:bob@test.com" package="presence">` + "\n" + watchers + "\n  </watcher-list>"
	}
	return `<?xml version="1.0"?>
<watcherinfo xmlns="urn:ietf:params:xml:ns:watcherinfo" version="` + version + `" state="` + state + `">
` + list + `
</watcherinfo>
`
}

// TestRules: what a watcher sees follows the rules, and changes with them.
func TestRules(t *testing.T) {
	each(t, ``, func(s *server) {
		alice, carl, dora, bob := s.phone("alice"), s.phone("carl"), s.phone("dora"), s.phone("bob")
		s.rules("", "carl", "polite-block", "dora", "block")
		_, etag := bob.publish(pidfHeaders, pidf("1"))
		if s.Ours { // Kamailio answers what the stack held
			s.want("alice", bob.options("status"), "200 status 2")
		}
		s.want("carl", carl.options("status"), "200 status 5")
		s.want("dora", dora.options("status"), "200 status 3")

		s.want("alice subscribes", alice.subscribe("presence", 600), "200 OK\nExpires: 600")
		s.want("alice waits", alice.notified(), "NOTIFY sip:alice\nCSeq: 2 NOTIFY\nEvent: presence\nSubscription-State: pending;expires=600")
		s.want("alice asks again", alice.subscribe("presence", 600), "200 OK\nExpires: 600")
		s.want("alice waits on", alice.notified(), "NOTIFY sip:alice\nCSeq: 3 NOTIFY\nEvent: presence\nSubscription-State: pending;expires=600")
		s.want("carl subscribes", carl.subscribe("presence", 600), "200 OK\nExpires: 600")
		s.want("carl sees nothing", carl.notified(), "NOTIFY sip:carl\nCSeq: 2 NOTIFY"+active)
		s.want("dora subscribes", dora.subscribe("presence", 600), "200 OK\nExpires: 600")
		d := dora.Want("NOTIFY ")
		dora.Reply(d, 200, "OK")
		s.want("dora is blocked", brief(d, "Event", "Subscription-State"), "NOTIFY sip:dora\nEvent: presence\nSubscription-State: terminated;reason=rejected")

		s.rules("<provide-persons><occurence-id>none</occurence-id></provide-persons><provide-services><all-services/></provide-services>", "alice", "allow", "carl", "polite-block")
		s.want("update", bob.options("update"), "200 updated")
		if got := alice.notified(); !strings.HasPrefix(got, "NOTIFY sip:alice\nCSeq: 4 NOTIFY"+active) {
			s.t.Errorf("alice is allowed:\n%s", got)
		}
		bob.publish(pidfHeaders+"\nSIP-If-Match: "+etag, pidf("2"))
		got := alice.notified()
		if !strings.Contains(got, `<tuple id="t2">`) || strings.Contains(got, "person") {
			s.t.Errorf("alice sees\n%s", got)
		}
		s.rules("", "carl", "polite-block")
		s.want("update", bob.options("update"), "200 updated")
		s.want("no rule about alice", alice.notified(), "NOTIFY sip:alice\nCSeq: 6 NOTIFY\nEvent: presence\nSubscription-State: terminated;reason=probation")
	})
}

// TestExpiry: subscriptions and states end by themselves.
func TestExpiry(t *testing.T) {
	each(t, `
modparam("presence_xml", "force_active", 1)
modparam("presence", "clean_period", 1)
modparam("presence", "db_update_period", 1)
modparam("presence", "expires_offset", 0)
`, func(s *server) {
		alice, carl, bob := s.phone("alice"), s.phone("carl"), s.phone("bob")
		alice.subscribe("presence", 600)
		s.want("alice", alice.notified(), "NOTIFY sip:alice\nCSeq: 2 NOTIFY"+active)
		bob.publish("Event: presence\nContent-Type: application/pidf+xml\nExpires: 1", pidf("1"))
		s.want("published", alice.notified(), "NOTIFY sip:alice\nCSeq: 3 NOTIFY"+withPIDF+pidf("1"))
		carl.subscribe("presence", 1)
		carl.notified()
		s.want("the state ends", alice.notified(), "NOTIFY sip:alice\nCSeq: 4 NOTIFY"+active)
		s.want("the subscription ends", carl.notified(), "NOTIFY sip:carl\nCSeq: 3 NOTIFY\nEvent: presence\nSubscription-State: terminated;reason=timeout")
	})
}

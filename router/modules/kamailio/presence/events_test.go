package presence_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sipd/db"
	"sipd/router"
	"sipd/router/livetest"
	"sipd/router/module/moduletest"
	"sipd/rpc"
	"sipd/rpc/dial"
)

const forceActive = "modparam(\"presence_xml\", \"force_active\", 1)\n"

// TestOtherEvents: events whose states are not joined show the newest.
func TestOtherEvents(t *testing.T) {
	each(t, forceActive, func(s *server) {
		alice, bob := s.phone("alice"), s.phone("bob")
		const plain = "\nEvent: xcap-diff\nSubscription-State: active;expires=600"
		s.want("subscribe", alice.subscribe("xcap-diff", 600), "200 OK\nExpires: 600")
		s.want("nothing yet", alice.notified(), "NOTIFY sip:alice\nCSeq: 2 NOTIFY"+plain)
		r, one := bob.publish("Event: xcap-diff\nExpires: 600\nContent-Type: application/xcap-diff+xml", "anything")
		s.want("publish", r, "200 OK\nExpires: 600")
		s.want("published", alice.notified(), "NOTIFY sip:alice\nCSeq: 3 NOTIFY"+plain+"\nContent-Type: application/xcap-diff+xml\n\nanything")
		bob.publish("Event: xcap-diff\nExpires: 600\nContent-Type: application/xcap-diff+xml\nSIP-If-Match: "+one, "other")
		s.want("changed", alice.notified(), "NOTIFY sip:alice\nCSeq: 4 NOTIFY"+plain+"\nContent-Type: application/xcap-diff+xml\n\nother")
		if !s.Ours { // it knows no event with an id
			s.want("with an id", alice.subscribe("xcap-diff;id=7", 600), "489 Bad Event\nAllow-Events: xcap-diff, presence.winfo, presence")
			return
		}
		s.want("with an id", alice.subscribe("xcap-diff;id=7", 600), "200 OK\nExpires: 600")
		if n := alice.Want("NOTIFY "); !strings.Contains(n, "\r\nEvent: xcap-diff;id=7\r\n") {
			s.t.Errorf("NOTIFY with an id:\n%s", n)
		}
	})
}

func dialogs(inner string) string {
	return `<?xml version="1.0"?>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="1" state="full" entity="sip:bob@test.com">` + inner + `</dialog-info>
`
}

// TestSharedLine: the state of a shared line keeps its tag.
func TestSharedLine(t *testing.T) {
	each(t, forceActive+"modparam(\"presence_xml\", \"disable_bla\", 0)\n", func(s *server) {
		alice, bob := s.phone("bob"), s.phone("bob") // the line is named by the contact's user
		s.want("subscribe", alice.subscribe("dialog;sla", 600), "200 OK\nExpires: 600")
		const shared = "\nEvent: dialog;sla\nSubscription-State: active;expires=600"
		s.want("nothing yet", alice.notified(), "NOTIFY sip:bob\nCSeq: 2 NOTIFY"+shared)
		headers := "Event: dialog;sla\nExpires: 600\nContent-Type: application/dialog-info+xml"
		seized := dialogs(`<dialog id="1"><state>trying</state></dialog>`)
		r, one := bob.publish(headers, seized)
		s.want("publish", r, "200 OK\nExpires: 600")
		s.want("seized", alice.notified(), "NOTIFY sip:bob\nCSeq: 3 NOTIFY"+shared+"\nContent-Type: application/dialog-info+xml\n\n"+seized)
		r, two := bob.publish(headers+"\nSIP-If-Match: "+one, dialogs(""))
		s.want("release", r, "200 OK\nExpires: 600")
		if two != one {
			s.t.Errorf("tags %s, then %s", one, two)
		}
		s.want("released", alice.notified(), "NOTIFY sip:bob\nCSeq: 4 NOTIFY"+shared+"\nContent-Type: application/dialog-info+xml\n\n"+dialogs(""))
		r, _ = bob.publish(headers+"\nSIP-If-Match: a.1.2.3.4", dialogs(""))
		s.want("unknown tag", r, "412 Conditional request failed")
		r, _ = bob.publish(headers, "no xml")
		s.want("no document", r, "415 Unsupported media type")
	})
}

// TestDummy: who publishes nothing is available where that is wanted.
func TestDummy(t *testing.T) {
	each(t, forceActive+"modparam(\"presence_xml\", \"force_dummy_presence\", 1)\n", func(s *server) {
		alice := s.phone("alice")
		alice.subscribe("presence", 600)
		s.want("dummy", alice.notified(), "NOTIFY sip:alice\nCSeq: 2 NOTIFY"+withPIDF+`<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" xmlns:c="urn:ietf:params:xml:ns:pidf:cipid" entity="bob">
  <tuple xmlns="urn:ietf:params:xml:ns:pidf" id="615293b33c62dec073e05d9421e9f48b">
    <status>
      <basic>open</basic>
    </status>
  </tuple>
  <note xmlns="urn:ietf:params:xml:ns:pidf">Available</note>
  <dm:person xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" id="1">
    <rpid:activities/>
    <dm:note>Available</dm:note>
  </dm:person>
</presence>
`)
	})
}

// TestSettings: parameters that change replies and NOTIFYs.
func TestSettings(t *testing.T) {
	each(t, forceActive+`
modparam("presence", "subs_respond_200", 0)
modparam("presence", "server_address", "sip:presence@test.com")
modparam("presence", "min_expires", 100)
modparam("presence", "min_expires_action", 2)
modparam("presence", "max_expires", 500)
modparam("presence", "expires_offset", 10)
modparam("presence", "send_fast_notify", 0)
`, func(s *server) {
		alice, bob := s.phone("alice"), s.phone("bob")
		s.want("too short", alice.subscribe("presence", 50), "202 OK\nExpires: 100")
		n := alice.Want("NOTIFY ")
		alice.Reply(n, 200, "OK")
		s.want("NOTIFY", brief(n, "Contact", "Event"), "NOTIFY sip:alice\nContact: <sip:presence@test.com>\nEvent: presence")
		r, _ := bob.publish(pidfHeaders, pidf("1"))
		s.want("publish", r, "200 OK\nExpires: 490")
		alice.notified()
		s.want("of watchers", bob.subscribe("presence.winfo", 9000), "200 OK\nExpires: 500")
		s.want("plain", alice.subscribe("xcap-diff", 600), "202 OK\nExpires: 500")
		s.want("watched", bob.options("watched"), "200 watched") // and no NOTIFY before it
	})
}

// TestGone: a watcher that does not know its subscription has none.
func TestGone(t *testing.T) {
	each(t, forceActive, func(s *server) {
		alice, bob := s.phone("alice"), s.phone("bob")
		alice.subscribe("presence", 600)
		n := alice.Want("NOTIFY ")
		alice.Reply(n, 481, "No Such Subscription")
		s.WantLog(s.t, "REPLY code=481 uri=sip:bob@test.com status=1 method=NOTIFY")
		for range 1000 {
			if bob.options("watched") == "404 no" {
				return
			}
		}
		s.t.Error("the subscription is still there")
	})
}

// TestSilent: a watcher that does not answer has no subscription any more, unless
// that is wanted.
func TestSilent(t *testing.T) {
	const quick = forceActive + "modparam(\"tm\", \"fr_timer\", 300)\nmodparam(\"tm\", \"retr_timer1\", 100)\n"
	for keep, want := range map[string]string{"1": "404 no", "0": "200 watched"} {
		t.Run("timeout_rm_subs "+keep, func(t *testing.T) {
			each(t, quick+`modparam("presence", "timeout_rm_subs", `+keep+`)`, func(s *server) {
				alice, bob := s.phone("alice"), s.phone("bob")
				alice.subscribe("presence", 600)
				s.WantLog(s.t, "REPLY code=408 uri=sip:bob@test.com status=1 method=NOTIFY")
				got := ""
				for range 100 {
					if got = bob.options("watched"); got == want {
						return
					}
				}
				s.t.Errorf("after the timeout: %s, want %s", got, want)
			})
		})
	}
}

// TestSame: a new subscription with the Call-ID of another ends that.
func TestSame(t *testing.T) {
	each(t, forceActive+`modparam("presence", "delete_same_subs", 1)`, func(s *server) {
		alice, bob := s.phone("alice"), s.phone("bob")
		alice.subscribe("presence", 600)
		alice.notified()
		first := alice.tags["alice-presence"]
		delete(alice.tags, "alice-presence")
		alice.subscribe("presence", 600)
		n := alice.Want("NOTIFY ")
		alice.Reply(n, 200, "OK")
		bob.publish(pidfHeaders, pidf("1"))
		s.want("of the second", alice.notified(), "NOTIFY sip:alice\nCSeq: 3 NOTIFY"+withPIDF+pidf("1"))
		alice.tags["alice-presence"] = first
		s.want("the first", alice.subscribe("presence", 600), "481 Subscription does not exist")
	})
}

// TestHardState: a document in the table stands for a state.
func TestHardState(t *testing.T) {
	const ctl = `
loadmodule "ctl.so"
modparam("ctl", "binrpc", "unix:DIR/ctl")
modparam("presence", "publ_cache", 2)
`
	url, d := database(t, db.SQLite)
	s := &server{Daemon: livetest.Start(t, fill(url, ctl)), t: t, db: d}
	alice := s.phone("alice")
	s.rules("", "alice", "allow")
	alice.subscribe("presence", 600)
	s.want("nothing", alice.notified(), "NOTIFY sip:alice\nCSeq: 2 NOTIFY"+active)
	moduletest.Exec(t, d, "INSERT INTO xcap (username, domain, doc, doc_type, etag, source, doc_uri, port) VALUES ('bob', 'test.com', '"+pidf("h")+"', 16, 'x', 0, 'hard', 0)")
	c, err := dial.Dial(t.Context(), "unix:"+s.Dir+"/ctl", dial.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	refresh := func() {
		t.Helper()
		if _, err := c.Call(t.Context(), "presence.refreshWatchers", rpc.String("sip:bob@test.com"), rpc.String("presence"), rpc.Int(2), rpc.String("hard"), rpc.String("file")); err != nil {
			t.Fatal(err)
		}
	}
	refresh()
	s.want("hard state", alice.notified(), "NOTIFY sip:alice\nCSeq: 3 NOTIFY"+withPIDF+pidf("h"))
	moduletest.Exec(t, d, "DELETE FROM xcap WHERE doc_type = 16")
	refresh()
	s.want("removed", alice.notified(), "NOTIFY sip:alice\nCSeq: 4 NOTIFY"+active)
}

// TestBadConfig: what is not offered is refused with words.
func TestBadConfig(t *testing.T) {
	for more, want := range map[string]string{
		`modparam("presence", "enable_dmq", 1)`:                    "enable_dmq is not offered",
		`modparam("presence", "local_log_facility", "LOG_LOCAL1")`: "local_log_facility is not offered",
		`modparam("presence", "db_url", "")`:                       `set modparam("presence", "db_url"`,
		`modparam("presence_xml", "xcap_server", "x")` + "\n" + `modparam("presence_xml", "integrated_xcap_server", 0)`: "rules are not fetched over HTTP",
		`modparam("presence_xml", "integrated_xcap_server", 0)`:                                                         "set integrated_xcap_server to 1",
		`modparam("presence", "watchers_table", "nowhere")`:                                                             "nowhere",
		`modparam("presence", "subs_db_mode", 4)`:                                                                       "subs_db_mode",
	} {
		url, _ := database(t, db.SQLite)
		path := filepath.Join(t.TempDir(), "test.cfg")
		if err := os.WriteFile(path, []byte("#!KAMAILIO\n"+fill(url, more)), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := router.Load(t.Context(), router.Options{Config: path, CheckOnly: true, RunDir: t.TempDir(), ServerID: -1})
		if err == nil {
			_ = r.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", more, err, want)
		}
	}
}

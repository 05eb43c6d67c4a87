package presence_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sipd/db"
	"sipd/router/livetest"
	"sipd/router/module/moduletest"
	"sipd/rpc"
	"sipd/rpc/dial"
	"sipd/rpc/rpctest"
)

// drivers loads the others beside that of SQLite.
const drivers = "loadmodule \"db_mysql.so\"\nloadmodule \"db_postgres.so\"\n"

// TestModes: what is kept outlives a restart as the modes say, in every database.
func TestModes(t *testing.T) {
	for _, e := range db.Engines() {
		for mode := range 4 {
			t.Run(fmt.Sprintf("%s/%d", e, mode), func(t *testing.T) {
				url, d := database(t, e)
				cfg := drivers + fill(url, fmt.Sprintf(`modparam("presence", "subs_db_mode", %d)`, mode))
				var alice *phone
				var etag string
				t.Run("before", func(t *testing.T) {
					s := &server{Daemon: livetest.Start(t, cfg), t: t, db: d}
					s.rules("", "alice", "allow", "bob", "allow")
					bob := s.phone("bob")
					alice = &phone{Peer: s.Peer(t), s: s, user: "alice", tags: make(map[string]string)}
					s.want("subscribe", alice.subscribe("presence", 600), "200 OK\nExpires: 600")
					s.want("first", alice.notified(), "NOTIFY sip:alice\nCSeq: 2 NOTIFY"+active)
					_, etag = bob.publish(pidfHeaders, pidf("1"))
					s.want("published", alice.notified(), "NOTIFY sip:alice\nCSeq: 3 NOTIFY"+withPIDF+pidf("1"))
					s.want("watchers", bob.subscribe("presence.winfo", 0), "200 OK\nExpires: 0")
					if n := bob.notified(); !strings.Contains(n, `version="1"`) || !strings.Contains(n, "sip:alice@test.com") {
						t.Errorf("watchers:\n%s", n)
					}
					s.rules("", "alice", "polite-block")
					s.want("update", bob.options("update"), "200 updated")
					s.want("blocked", alice.notified(), "NOTIFY sip:alice\nCSeq: 4 NOTIFY"+active)
					s.rules("", "alice", "allow")
					s.want("update", bob.options("update"), "200 updated")
					s.want("allowed", alice.notified(), "NOTIFY sip:alice\nCSeq: 5 NOTIFY"+withPIDF+pidf("1"))
				})
				s := &server{Daemon: livetest.Start(t, cfg), t: t, db: d, n: 100}
				bob, later := s.phone("bob"), s.phone("alice")
				r, _ := bob.publish(pidfHeaders+"\nSIP-If-Match: "+etag, pidf("2"))
				s.want("modify after a restart", r, "200 OK\nExpires: 600")
				later.tags = alice.tags
				if mode == 0 {
					s.want("forgotten", later.subscribe("presence", 600), "481 Subscription does not exist")
					return
				}
				s.want("refresh", later.subscribe("presence", 600), "200 OK\nExpires: 600")
				s.want("after a restart", later.notified(), "NOTIFY sip:alice\nCSeq: 7 NOTIFY"+withPIDF+pidf("2"))
				s.want("end", later.subscribe("presence", 0), "200 OK\nExpires: 0")
				if n := later.notified(); !strings.Contains(n, "terminated;reason=timeout") {
					t.Errorf("at the end:\n%s", n)
				}
				s.want("nobody watches", bob.options("watched"), "404 no")
			})
		}
	}
}

// TestTakeOver: one goes on where the other stopped, in one database.
func TestTakeOver(t *testing.T) {
	ours := func(t *testing.T, url, more string) *livetest.Daemon { return livetest.Start(t, fill(url, more)) }
	theirs := func(t *testing.T, url, more string) *livetest.Daemon {
		return livetest.Kamailio(t, fill("sqlite:///"+strings.TrimPrefix(url, "sqlite:"), more))
	}
	for name, pair := range map[string][2]func(*testing.T, string, string) *livetest.Daemon{
		"kamailio to sipd": {theirs, ours}, "sipd to kamailio": {ours, theirs},
	} {
		t.Run(name, func(t *testing.T) {
			const more = `modparam("presence", "subs_db_mode", 1)`
			url, d := database(t, db.SQLite)
			moduletest.Exec(t, d, "PRAGMA journal_mode = WAL")
			var alice *phone
			var etag string
			outer := t
			t.Run("before", func(t *testing.T) {
				s := &server{Daemon: pair[0](t, url, more), t: t, db: d}
				s.rules("", "alice", "allow")
				alice = &phone{Peer: s.Peer(outer), s: s, user: "alice", tags: make(map[string]string)}
				s.want("subscribe", alice.subscribe("presence", 600, "Record-Route: <sip:ME;lr>\n"), "200 OK\nExpires: 600")
				s.want("first", alice.notified(), "NOTIFY sip:alice\nCSeq: 2 NOTIFY"+active)
				_, etag = s.phone("bob").publish(pidfHeaders, pidf("1"))
				s.want("published", alice.notified(), "NOTIFY sip:alice\nCSeq: 3 NOTIFY"+withPIDF+pidf("1"))
			})
			if etag == "" {
				t.SkipNow() // said why
			}
			s := &server{Daemon: pair[1](t, url, more), t: t, db: d, n: 100}
			r, _ := s.phone("bob").publish(pidfHeaders+"\nSIP-If-Match: "+etag, pidf("2"))
			s.want("modify", r, "200 OK\nExpires: 600")
			alice.s = s
			s.want("goes on", alice.notified("Route"), "NOTIFY sip:alice\nCSeq: 4 NOTIFY\nEvent: presence\nSubscription-State: active;expires=600\nContent-Type: application/pidf+xml\nRoute: <sip:"+alice.Addr()+";lr>\n\n"+pidf("2"))
			later := s.phone("alice")
			later.tags = alice.tags
			s.want("unsubscribe", later.subscribe("presence", 0), "200 OK\nExpires: 0")
		})
	}
}

// noDatabase keeps everything in memory.
const noDatabase = `
modparam("presence", "db_url", "")
modparam("presence", "subs_db_mode", 0)
modparam("presence", "publ_cache", 2)
modparam("presence_xml", "force_active", 1)
`

// TestReload: subscriptions and states outlive a reload, in memory too.
func TestReload(t *testing.T) {
	const count = "#!define COUNT\n" + `loadmodule "kex.so"` + "\n"
	cfg := count + strings.Replace(fill("sqlite:DIR/none", noDatabase), `modparam("presence|presence_xml", "db_url", "sqlite:DIR/none")`, "", 1)
	s := &server{Daemon: livetest.Start(t, cfg), t: t}
	alice, bob := s.phone("alice"), s.phone("bob")
	alice.subscribe("presence", 600)
	s.want("first", alice.notified(), "NOTIFY sip:alice\nCSeq: 2 NOTIFY"+active)
	_, etag := bob.publish(pidfHeaders, pidf("1"))
	s.want("published", alice.notified(), "NOTIFY sip:alice\nCSeq: 3 NOTIFY"+withPIDF+pidf("1"))
	if err := s.Reload(t, cfg+"\nmodparam(\"presence\", \"max_expires\", 100)\n"); err != nil {
		t.Fatal(err)
	}
	r, _ := bob.publish(pidfHeaders+"\nSIP-If-Match: "+etag, pidf("2"))
	s.want("modify", r, "200 OK\nExpires: 100")
	s.want("after the reload", alice.notified(), "NOTIFY sip:alice\nCSeq: 4 NOTIFY"+withPIDF+pidf("2"))
	s.want("refresh", alice.subscribe("presence", 600), "200 OK\nExpires: 100")
	if n := alice.notified(); !strings.Contains(n, "active;expires=100") {
		t.Errorf("after the refresh:\n%s", n)
	}
	if got := bob.options("counted"); got != "200 2 2 4" {
		t.Errorf("counted %s, want 2 PUBLISH, 2 SUBSCRIBE and 4 NOTIFY requests", got)
	}
	err := s.Reload(t, cfg+"\nmodparam(\"presence\", \"clean_period\", 7)\n")
	if err == nil || !strings.Contains(err.Error(), "a reload cannot change clean_period") {
		t.Errorf("a reload with another clean_period: %v", err)
	}
}

// TestReloadUnderLoad: no NOTIFY is lost while configurations follow each other.
func TestReloadUnderLoad(t *testing.T) {
	url, d := database(t, db.SQLite)
	cfg := fill(url, `modparam("presence", "publ_cache", 2)`)
	s := &server{Daemon: livetest.Start(t, cfg), t: t, db: d}
	s.rules("", "alice", "allow")
	alice, bob := s.phone("alice"), s.phone("bob")
	alice.subscribe("presence", 600)
	alice.notified()
	const times = 60
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range times / 4 {
			if err := s.Reload(t, fmt.Sprintf("%s\nmodparam(\"presence\", \"max_expires\", %d)\n", cfg, 1000+i)); err != nil {
				t.Error(err)
			}
		}
	})
	etag := ""
	for i := range times {
		headers := pidfHeaders
		if etag != "" {
			headers += "\nSIP-If-Match: " + etag
		}
		state := pidf(fmt.Sprint(i))
		var r string
		r, etag = bob.publish(headers, state)
		s.want("publish", r, "200 OK\nExpires: 600")
		s.want("NOTIFY", alice.notified(), fmt.Sprintf("NOTIFY sip:alice\nCSeq: %d NOTIFY%s%s", i+3, withPIDF, state))
	}
	wg.Wait()
}

// TestRPC: the methods answer as Kamailio's, and do what they say.
func TestRPC(t *testing.T) {
	const ctl = `
loadmodule "ctl.so"
modparam("ctl", "binrpc", "unix:DIR/ctl")
modparam("presence", "publ_cache", 2)
`
	each(t, ctl, func(s *server) {
		alice, bob := s.phone("alice"), s.phone("bob")
		c, err := dial.Dial(s.t.Context(), "unix:"+s.Dir+"/ctl", dial.Options{})
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() { _ = c.Close() })
		call := func(method string, args ...rpc.Value) string {
			v, err := c.Call(s.t.Context(), method, args...)
			if err != nil {
				return err.Error()
			}
			return strings.Join(strings.Fields(rpctest.Show(v)), " ")
		}
		uri, event := rpc.String("sip:bob@test.com"), rpc.String("presence")
		s.want("nothing published", call("presence.presentity_list"), "")
		s.rules("", "alice", "confirm")
		_, etag := bob.publish(pidfHeaders, pidf("1"))
		alice.subscribe("presence", 600)
		s.want("pending", alice.notified(), "NOTIFY sip:alice\nCSeq: 2 NOTIFY\nEvent: presence\nSubscription-State: pending;expires=600")
		s.rules("", "alice", "allow")
		s.want("update", call("presence.updateWatchers", uri, event), "")
		s.want("allowed", alice.notified(), "NOTIFY sip:alice\nCSeq: 3 NOTIFY"+withPIDF+pidf("1"))
		s.want("refresh", call("presence.refreshWatchers", uri, event, rpc.Int(1)), "")
		s.want("again", alice.notified(), "NOTIFY sip:alice\nCSeq: 4 NOTIFY"+withPIDF+pidf("1"))
		list := call("presence.presentity_list")
		if !strings.HasPrefix(list, "struct { avp 'user' str 'bob' avp 'domain' str 'test.com' avp 'event' str 'presence' avp 'etag' str '"+etag+"' avp 'sender' str '' avp 'expires' int ") {
			s.t.Errorf("list: %s", list)
		}
		full := call("presence.presentity_list", rpc.String("full"))
		for _, field := range []string{"received_time", "priority", "ruid", "body", "hashid"} {
			if !strings.Contains(full, "avp '"+field+"' ") {
				s.t.Errorf("full list without %s: %s", field, full)
			}
		}
		s.want("cleanup", call("presence.cleanup"), "str 'Reload OK'")
		s.want("few", call("presence.updateWatchers", uri), "500 Not enough parameters")
		s.want("no uri", call("presence.updateWatchers", rpc.String(""), event), "500 Empty presentity URI")
		s.want("no event", call("presence.updateWatchers", uri, rpc.String("")), "500 Empty event parameter")
		s.want("no rules", call("presence.updateWatchers", rpc.String("sip:nobody@test.com"), event), "500 Processing error")
		s.want("unknown event", call("presence.refreshWatchers", uri, rpc.String("none"), rpc.Int(1)), "500 Execution failed")
		s.want("no file", call("presence.refreshWatchers", uri, event, rpc.Int(2)), "500 No file uri or name parameters")
		if !s.Ours { // later releases have the rest
			return
		}
		watchers := call("presence.watcher_list", rpc.String("full"), uri)
		if !strings.HasPrefix(watchers, "struct { avp 'pres_uri' str 'sip:bob@test.com' avp 'to_user' str 'bob'") || !strings.Contains(watchers, "avp 'local_cseq' int 3") {
			s.t.Errorf("watchers: %s", watchers)
		}
		s.want("mode", call("presence.watcher_list", rpc.String("x"), uri), "500 Unknown output mode")
		if got := call("presence.presentity_show", rpc.String("basic"), rpc.String("bob"), rpc.String("test.com")); got != list {
			s.t.Errorf("show: %s", got)
		}
		s.want("nobody", call("presence.presentity_show", rpc.String("basic"), rpc.String("x"), rpc.String("test.com")), "")
	})
}

// TestDefaultConfig: the configurations that Kamailio came with serve presence.
func TestDefaultConfig(t *testing.T) {
	for name, path := range map[string]string{
		"5.6": "/etc/kamailio/kamailio.cfg",
		"3.1": filepath.Join(rpctest.Dir(t), "../seed/kamailio-3.1.cfg"),
	} {
		t.Run(name, func(t *testing.T) { defaultConfig(t, path) })
	}
}

func defaultConfig(t *testing.T, path string) {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("the default configuration is not here: %v", err)
	}
	url, d := database(t, db.SQLite)
	cfg := strings.NewReplacer("mysql://openser:openserrw@localhost/openser", url, "sip:10.0.0.10:5060", "sip:ADDR").Replace(string(b))
	s := &server{Daemon: livetest.Start(t, "#!define WITH_PRESENCE\n#!trydef DBURL \""+url+"\"\nloadmodule \"db_sqlite.so\"\nalias=\"test.com\"\n"+cfg), t: t, db: d}
	alice, bob := s.phone("alice"), s.phone("bob")
	s.want("subscribe", alice.subscribe("presence", 600), "200 OK\nExpires: 600")
	s.want("first", alice.notified(), "NOTIFY sip:alice\nCSeq: 2 NOTIFY"+active)
	r, _ := bob.publish(pidfHeaders, pidf("1"))
	s.want("publish", r, "200 OK\nExpires: 600")
	s.want("published", alice.notified(), "NOTIFY sip:alice\nCSeq: 3 NOTIFY"+withPIDF+pidf("1"))
	s.want("unsubscribe", alice.subscribe("presence", 0), "200 OK\nExpires: 0")
	if n := alice.notified(); !strings.Contains(n, "terminated;reason=timeout") {
		t.Errorf("at the end:\n%s", n)
	}
}

// TestManyPublish: however many publish at once, NOTIFYs of a subscription have
// one CSeq each, in order, and the last tells the last state.
func TestManyPublish(t *testing.T) {
	for _, mode := range []string{"0", "1", "3"} {
		t.Run("subs_db_mode "+mode, func(t *testing.T) {
			url, d := database(t, db.SQLite)
			s := &server{Daemon: livetest.Start(t, fill(url, forceActive+`modparam("presence", "publ_cache", 2)`+"\n"+`modparam("presence", "subs_db_mode", `+mode+")\n")), t: t, db: d}
			alice := s.phone("alice")
			alice.subscribe("presence", 600)
			alice.notified()
			const devices, times = 4, 10
			var wg sync.WaitGroup
			for i := range devices {
				p := s.Peer(t)
				wg.Go(func() {
					etag := ""
					for n := range times {
						match := ""
						if etag != "" {
							match = "SIP-If-Match: " + etag + "\n"
						}
						p.Send(fmt.Sprintf("PUBLISH sip:bob@test.com SIP/2.0\nVia: SIP/2.0/UDP ME;branch=z9hG4bKm%dx%d\nFrom: <sip:bob@test.com>;tag=p\nTo: <sip:bob@test.com>\nCall-ID: d%d\nCSeq: %d PUBLISH\nMax-Forwards: 9\nEvent: presence\nExpires: 600\n%s\n%s",
							i, n, i, n+1, match, pidf(fmt.Sprintf("%dx%d", i, n))))
						etag = livetest.Value(p.Recv(), "SIP-ETag")
					}
				})
			}
			last, seen := 2, 0
			var told string
			for seen < devices*times {
				m := alice.Want("NOTIFY ")
				alice.Reply(m, 200, "OK")
				var cseq int
				if _, err := fmt.Sscan(livetest.Value(m, "CSeq"), &cseq); err != nil {
					t.Fatal(err)
				}
				if cseq == last {
					continue // sent again
				}
				if cseq != last+1 {
					t.Fatalf("CSeq %d behind %d", cseq, last)
				}
				last, seen, told = cseq, seen+1, m
			}
			wg.Wait()
			for i := range devices {
				if id := fmt.Sprintf(`id="t%dx%d"`, i, times-1); !strings.Contains(told, id) {
					t.Errorf("%s is missing in the last NOTIFY\n%s", id, told)
				}
			}
		})
	}
}

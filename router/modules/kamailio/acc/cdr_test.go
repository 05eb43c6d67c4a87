package acc_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"sipd/db"
	"sipd/router/livetest"
	"sipd/router/module/moduletest"
	"sipd/router/modules/common/tm"
	"sipd/router/modules/kamailio/acc"
	"sipd/router/modules/kamailio/dialog"
	"sipd/router/modules/kamailio/rr"
)

const cdrConfig = `
DRIVER
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "dialog.so"
loadmodule "acc.so"
modparam("acc", "cdr_enable", 1)
modparam("acc", "cdr_start_id", "begin")
modparam("acc", "cdr_extra", "id=$dlg_var(id);who=$fU;method=$rm;novalue=$avp(none)")
modparam("acc", "cdr_skip", "free")
modparam("acc", "cdr_expired_dlg_enable", 1)
EXTRA
request_route {
	if (has_totag()) {
		loose_route();
		t_relay();
		exit;
	}
	if (is_method("INVITE")) {
		$dlg_var(id) = "id-" + $ci;
		if ($rU == "free") $dlg_var(free) = "yes";
		if ($rU =~ "^bye") $dlg_ctx(timeout_bye) = 1;
		dlg_manage();
		if ($rU =~ "^expire|^bye") dlg_set_timeout("5");
		record_route();
	}
	t_relay();
}
`

func cdrs(driver, extra string) string {
	return strings.NewReplacer("DRIVER", driver, "EXTRA", extra).Replace(cdrConfig)
}

// talk sets up a call and answers the Route of what follows.
func talk(p, q *livetest.Peer, user, id string) (route string) {
	p.Send(msg("INVITE", "sip:"+user+"@"+q.Addr(), id, ""))
	inv := q.Want("INVITE sip:" + user + "@")
	rr := livetest.Value(inv, "Record-Route")
	q.Reply(inv, 200, "Fine", "Contact: <sip:bob@ME>", "Record-Route: "+rr)
	p.Want("SIP/2.0 200 ")
	route = "Route: " + rr + "\n"
	p.Send(strings.Replace(msg("ACK", "sip:bob@"+q.Addr(), id, ";tag=peer")+route, "branch=z9hG4bK", "branch=z9hG4bKack", 1))
	q.Want("ACK ")
	return route
}

var cdrLine = regexp.MustCompile(`begin=(\d+\.\d{3}); end_time=(\d+\.\d{3}); duration=(0|\d+\.\d{3}); (.*)`)

// cdrOf waits for the record of a call in the log: its duration as it stands
// there, and its extra values.
func cdrOf(t *testing.T, d *livetest.Daemon, id string) (duration, extras string) {
	t.Helper()
	l := strings.TrimRight(d.WantLog(t, "begin=", "id=id-"+id+";"), "\r\n")
	m := cdrLine.FindStringSubmatch(l)
	if m == nil {
		t.Fatalf("no record in %q", l)
	}
	begin, end := seconds(t, m[1]), seconds(t, m[2])
	if took := seconds(t, m[3]); took < end-begin-0.0015 || took > end-begin+0.0015 {
		t.Errorf("from %s to %s are no %s seconds", m[1], m[2], m[3])
	}
	return m[3], m[4]
}

func seconds(t *testing.T, s string) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestCDRLog: lines of calls as Kamailio has them.
func TestCDRLog(t *testing.T) {
	livetest.Each(t, cdrs("", ""), func(t *testing.T, d *livetest.Daemon) {
		p, q := d.Peer(t), d.Peer(t)
		check := func(id, want string, took bool) {
			t.Helper()
			duration, got := cdrOf(t, d, id)
			if got != "id=id-"+id+"; "+want {
				t.Errorf("%s: %s, want %s", id, got, want)
			}
			if zero := duration == "0"; zero == took {
				t.Errorf("%s: duration %s", id, duration)
			}
		}
		route := talk(p, q, "bob", "one")
		if strings.Contains(d.Log(), "begin=") {
			t.Fatalf("a record before the end:\n%s", d.Log())
		}
		p.Send(msg("BYE", "sip:bob@"+q.Addr(), "one", ";tag=peer") + route)
		q.Reply(q.Want("BYE "), 200, "OK")
		p.Want("SIP/2.0 200 ")
		check("one", "who=alice; method=BYE; novalue=", true)

		p.Send(msg("INVITE", "sip:bob@"+q.Addr(), "two", ""))
		q.Reply(q.Want("INVITE "), 486, "Busy Here")
		q.Want("ACK ")
		p.Want("SIP/2.0 486 ")
		check("two", "who=alice; method=INVITE; novalue=", false)
		p.Send(msg("ACK", "sip:bob@"+q.Addr(), "two", ";tag=peer"))

		// Nobody says BYE: the call lasts too long. Its variables are all there is.
		talk(p, q, "expire", "three")
		talk(p, q, "bye", "four")
		check("three", "who=; method=; novalue=", true)

		// The daemon says BYE.
		byes := map[*livetest.Peer]string{p: p.Want("BYE "), q: q.Want("BYE ")}
		for x, b := range byes {
			x.Reply(b, 200, "OK")
		}
		d.WantLog(t, "begin=", "id=id-four;", "method=BYE; novalue=")
		if _, extras := cdrOf(t, d, "four"); extras != "id=id-four; who=alice; method=BYE; novalue=" && extras != "id=id-four; who=bob; method=BYE; novalue=" {
			t.Errorf("four: %s", extras)
		}

		// Calls that are left out; the next one shows that there was none.
		route = talk(p, q, "free", "five")
		p.Send(msg("BYE", "sip:bob@"+q.Addr(), "five", ";tag=peer") + route)
		q.Reply(q.Want("BYE "), 200, "OK")
		p.Want("SIP/2.0 200 ")
		route = talk(p, q, "bob", "six")
		p.Send(msg("BYE", "sip:bob@"+q.Addr(), "six", ";tag=peer") + route)
		q.Reply(q.Want("BYE "), 404, "Forgotten") // that ends it too
		p.Want("SIP/2.0 404 ")
		check("six", "who=alice; method=BYE; novalue=", true)
		if strings.Contains(d.Log(), "id=id-five") {
			t.Errorf("cdr_skip does not skip:\n%s", d.Log())
		}
		for _, id := range []string{"one", "two", "three", "four", "six"} {
			if n := strings.Count(d.Log(), "id=id-"+id+";"); n != 1 {
				t.Errorf("%s has %d records, want 1", id, n)
			}
		}
	})
}

// TestCDRRows: rows as Kamailio writes them, of calls that end with a BYE and
// such as are refused.
func TestCDRRows(t *testing.T) {
	for _, e := range db.Engines() {
		for _, ours := range []bool{true, false} {
			if !ours && e != db.SQLite {
				continue // the same statements
			}
			t.Run(fmt.Sprint(e, " ours=", ours), func(t *testing.T) {
				url, d := moduletest.Tables(t, e, "ALTER TABLE acc_cdrs RENAME COLUMN start_time TO begin",
					"ALTER TABLE acc_cdrs ADD COLUMN who VARCHAR(64)", "ALTER TABLE acc_cdrs ADD COLUMN novalue VARCHAR(64)")
				driver, start := "db_"+string(e), livetest.Start
				if !ours {
					start, url = livetest.Kamailio, "sqlite:///"+strings.TrimPrefix(url, "sqlite:")
					moduletest.Exec(t, d, "PRAGMA journal_mode = WAL")
				}
				cfg := strings.Replace(cdrs("loadmodule \""+driver+".so\"\n", `
modparam("acc", "db_url", "`+url+`")
modparam("acc", "cdrs_table", "acc_cdrs")
modparam("acc", "cdr_log_enable", 0)
modparam("acc", "cdr_on_failed", 1)
modparam("acc", "cdr_start_on_confirmed", 1)
modparam("acc", "cdr_extra_nullable", 1)
`), "id=$dlg_var(id);who=$fU;method=$rm;novalue=$avp(none)", "who=$dlg_var(id);novalue=$avp(none)", 1)
				s := start(t, cfg)
				p, q := s.Peer(t), s.Peer(t)
				before := time.Now().Add(-2 * time.Second)
				route := talk(p, q, "bob", "one")
				p.Send(msg("BYE", "sip:bob@"+q.Addr(), "one", ";tag=peer") + route)
				q.Reply(q.Want("BYE "), 200, "OK")
				p.Want("SIP/2.0 200 ")
				wantRows(t, d, 1) // two processes of Kamailio at once are too many for SQLite
				p.Send(msg("INVITE", "sip:bob@"+q.Addr(), "two", ""))
				q.Reply(q.Want("INVITE "), 486, "Busy Here")
				q.Want("ACK ")
				p.Want("SIP/2.0 486 ")
				wantRows(t, d, 2)
				got := map[string]bool{}
				err := d.Query("SELECT begin, end_time, duration, who FROM acc_cdrs").Each(t.Context(), nil, func(scan func(...any) error) error {
					begin, end := db.Time{Zone: time.Local}, db.Time{Zone: time.Local}
					var took float64
					var who string
					if err := scan(&begin, &end, &took, &who); err != nil {
						return err
					}
					got[who] = true
					if begin.Time.Before(before) || end.Time.Before(begin.Time) || end.Time.After(time.Now()) || took < 0 || took > end.Time.Sub(begin.Time).Seconds()+1 || (took > 0) != (who == "id-one") && took != 0 {
						t.Errorf("%s: from %v to %v, %v seconds", who, begin.Time, end.Time, took)
					}
					return nil
				})
				if err != nil || !got["id-one"] || !got["id-two"] {
					t.Errorf("rows of %v, %v", got, err)
				}
				if strings.Contains(s.Log(), "begin=") {
					t.Error("cdr_log_enable 0, and a line in the log")
				}
			})
		}
	}
}

// wantRows waits until there are n records of calls.
func wantRows(t *testing.T, d *db.DB, n int) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); ; <-time.After(20 * time.Millisecond) {
		var have int
		if err := d.Query("SELECT count(*) FROM acc_cdrs WHERE novalue IS NULL").Get(t.Context(), nil, &have); err != nil || have > n {
			t.Fatalf("%d rows, %v; want %d", have, err, n)
		}
		if have == n {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("%d rows, want %d", have, n)
		}
	}
}

func TestCDRRefusals(t *testing.T) {
	url, _ := moduletest.Tables(t, db.SQLite)
	for _, tt := range []struct {
		params []any
		want   string
	}{
		{[]any{"cdr_extra", "a"}, "cdr_extra: want NAME=$variable"},
		{[]any{"cdr_extra", "a=$fU;b=$tU", "cdr_extra_size", 1}, "raise cdr_extra_size"},
		{[]any{"cdr_end_id", ""}, "must be names"},
		{[]any{"cdrs_table", "acc_cdrs"}, "set db_url"},
		{[]any{"db_url", url, "cdrs_table", "acc_cdrs", "cdr_extra", "who=$fU"}, `sipctl db exec "ALTER TABLE acc_cdrs ADD COLUMN who`},
		{[]any{"db_url", url, "cdrs_table", "calls"}, "no such table"},
	} {
		r := moduletest.New(t, drivers(rr.New(), dialog.New(), acc.New())...).Param("acc", "cdr_enable", 1)
		for i := 0; i < len(tt.params); i += 2 {
			r.Param("acc", tt.params[i].(string), tt.params[i+1])
		}
		if err := r.TryStart(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %q", tt.params, err, tt.want)
		}
	}
	if err := moduletest.New(t, tm.New(), acc.New()).Param("acc", "cdr_enable", 1).TryStart(); err == nil || !strings.Contains(err.Error(), `loadmodule "dialog.so" before`) {
		t.Errorf("without dialog: %v", err)
	}
}

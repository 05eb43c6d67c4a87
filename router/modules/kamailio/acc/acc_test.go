package acc_test

import (
	"database/sql"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/router/livetest"
	"sipd/router/module"
	"sipd/router/module/moduletest"
	"sipd/router/modules/common/db_mysql"
	"sipd/router/modules/common/db_postgres"
	"sipd/router/modules/common/db_sqlite"
	"sipd/router/modules/common/tm"
	"sipd/router/modules/kamailio/acc"
	"sipd/router/modules/kamailio/rr"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const config = `
loadmodule "kex.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "acc.so"
modparam("acc", "log_flag", 1)
modparam("acc", "log_missed_flag", 2)
modparam("acc", "failed_transaction_flag", 3)
modparam("acc", "failed_filter", "404")
modparam("acc", "report_ack", 1)
modparam("acc", "report_cancels", 1)
modparam("acc", "early_media", 1)
modparam("acc", "log_extra", "src_user=$fU;src_ip=$si;dst_user=$rU ; avp=$avp(x)")
modparam("tm", "fr_timer", 500)
request_route {
	$avp(x) = "v1";
	if (is_method("INVITE|BYE|CANCEL")) setflag(1);
	if (is_method("INVITE")) setflag(2);
	if ($rU =~ "^failed") setflag(3);
	if ($rU == "local") {
		t_newtran();
		t_reply("480", "Gone home");
		exit;
	}
	if ($rU == "script") {
		acc_log_request("404 Not here $rU");
		acc_log_request("just so");
		sl_send_reply("404", "Not here");
		exit;
	}
	if (has_totag()) {
		loose_route();
	} else if ($rU =~ "^fork") {
		t_on_failure("NEXT");
	}
	t_on_reply("R");
	t_relay();
}
onreply_route[R] { $avp(x) = "reply"; }
failure_route[NEXT] {
	$rU = "second";
	t_relay();
}
`

const request = `%s %s SIP/2.0
Via: SIP/2.0/UDP ME;branch=z9hG4bK%[3]s%[4]s
Max-Forwards: 70
From: <sip:alice@a.test>;tag=f1
To: <sip:bob@b.test>%[5]s
Call-ID: %[3]s
CSeq: 1 %[4]s
Contact: <sip:alice@ME>
`

func msg(method, uri, id, to string) string {
	cseq := method
	branch := method
	if method == "CANCEL" || method == "ACK" && id != "one" { // hop by hop
		branch = "INVITE"
	}
	s := fmt.Sprintf(request, method, uri, id, branch, to)
	return strings.Replace(s, "CSeq: 1 "+branch, "CSeq: 1 "+cseq, 1)
}

var ended = regexp.MustCompile(`\s+$`)

// line is a record of the log from "ACC:" on, without its time and with the
// tags made here replaced.
func line(t *testing.T, d *livetest.Daemon, kind, id string) string {
	t.Helper()
	l := d.WantLog(t, kind+": timestamp=", "call_id="+id+";")
	_, l, _ = strings.Cut(l, "ACC: ")
	l = regexp.MustCompile(`timestamp=\d{10}`).ReplaceAllString(ended.ReplaceAllString(l, ""), "timestamp=T")
	return l
}

func TestLog(t *testing.T) {
	livetest.Each(t, config, func(t *testing.T, d *livetest.Daemon) {
		p, q := d.Peer(t), d.Peer(t)
		// A call that is answered, with early media, its ACK and its BYE.
		p.Send(msg("INVITE", "sip:bob@"+q.Addr(), "one", ""))
		inv := q.Want("INVITE sip:bob@")
		q.Reply(inv, 180, "Ringing")
		p.Want("SIP/2.0 180 ")
		q.Reply(inv, 200, "Fine", "Contact: <sip:bob@ME>")
		p.Want("SIP/2.0 200 ")
		if got, want := line(t, d, "transaction answered", "one"), "transaction answered: timestamp=T;method=INVITE;from_tag=f1;to_tag=peer;call_id=one;code=200;reason=Fine;src_user=alice;src_ip=127.0.0.1;dst_user=bob;avp=reply"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		q.Reply(inv, 200, "Fine", "Contact: <sip:bob@ME>") // a repetition is no news
		p.Want("SIP/2.0 200 ")
		p.Send(msg("ACK", "sip:bob@"+q.Addr(), "one", ";tag=peer"))
		q.Want("ACK sip:bob@")
		if got, want := line(t, d, "request acknowledged", "one"), "request acknowledged: timestamp=T;method=ACK;from_tag=f1;to_tag=peer;call_id=one;code=200;reason=OK;src_user=alice;src_ip=127.0.0.1;dst_user=bob;avp=reply"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if n := strings.Count(d.Log(), "call_id=one;"); n != 2 {
			t.Errorf("%d lines, want 2\n%s", n, d.Log())
		}
		// A failure counts as missed; with the flag it is accounted too.
		p.Send(msg("INVITE", "sip:bob@"+q.Addr(), "two", ""))
		q.Reply(q.Want("INVITE sip:bob@"), 486, "Busy Here")
		q.Want("ACK ")
		p.Want("SIP/2.0 486 ")
		if got, want := line(t, d, "call missed", "two"), "call missed: timestamp=T;method=INVITE;from_tag=f1;to_tag=peer;call_id=two;code=486;reason=Busy Here;src_user=alice;src_ip=127.0.0.1;dst_user=bob;avp=reply"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		p.Send(msg("ACK", "sip:bob@"+q.Addr(), "two", ";tag=peer"))
		p.Send(msg("INVITE", "sip:failed@"+q.Addr(), "three", ""))
		q.Reply(q.Want("INVITE sip:failed@"), 404, "Not Found")
		q.Want("ACK ")
		p.Want("SIP/2.0 404 ")
		p.Send(msg("INVITE", "sip:failed@"+q.Addr(), "four", ""))
		q.Reply(q.Want("INVITE sip:failed@"), 410, "Gone")
		q.Want("ACK ")
		p.Want("SIP/2.0 410 ")
		line(t, d, "transaction answered", "four")
		line(t, d, "call missed", "four")
		if strings.Contains(afterCall(d.Log(), "three"), "transaction answered") {
			t.Errorf("failed_filter lets 404 through:\n%s", d.Log())
		}
		// Serial forking: missed once, by the first leg.
		p.Send(msg("INVITE", "sip:fork@"+q.Addr(), "five", ""))
		q.Reply(q.Want("INVITE sip:fork@"), 480, "Away")
		q.Want("ACK ")
		q.Reply(q.Want("INVITE sip:second@"), 200, "OK", "Contact: <sip:bob@ME>")
		p.Want("SIP/2.0 200 ")
		for kind, want := range map[string]string{
			"call missed":          "code=480;reason=Away;src_user=alice;src_ip=127.0.0.1;dst_user=fork;avp=reply",
			"transaction answered": "code=200;reason=OK;src_user=alice;src_ip=127.0.0.1;dst_user=second;avp=reply",
		} {
			if got := line(t, d, kind, "five"); !strings.HasSuffix(got, want) {
				t.Errorf("%s: got %s\nwant %s", kind, got, want)
			}
		}
		// Nobody answers.
		p.Send(msg("INVITE", "sip:bob@"+q.Addr(), "six", ""))
		p.Want("SIP/2.0 408 ")
		if got, want := line(t, d, "call missed", "six"), "code=408;reason=Request Timeout;src_user=alice;src_ip=127.0.0.1;dst_user=bob;avp=v1"; !strings.HasSuffix(got, want) {
			t.Errorf("got %s\nwant %s", got, want)
		}
		// From the script.
		p.Send(msg("INVITE", "sip:script@"+q.Addr(), "seven", ""))
		p.Want("SIP/2.0 404 ")
		d.WantLog(t, "request accounted: ", "just so")
		for _, want := range []string{
			"method=INVITE;from_tag=f1;to_tag=;call_id=seven;code=404;reason=Not here script;src_user=alice;src_ip=127.0.0.1;dst_user=script;avp=v1",
			"method=INVITE;from_tag=f1;to_tag=;call_id=seven;code=;reason=just so;src_user=alice;src_ip=127.0.0.1;dst_user=script;avp=v1",
		} {
			if !strings.Contains(d.Log(), want) {
				t.Errorf("no line has %s\n%s", want, d.Log())
			}
		}
	})
}

// afterCall are the lines of a call.
func afterCall(log, id string) string {
	var b strings.Builder
	for l := range strings.Lines(log) {
		if strings.Contains(l, "call_id="+id+";") {
			b.WriteString(l)
		}
	}
	return b.String()
}

// TestLocalReply: a reply of the script's own is missed too, with the tag that
// was sent and the usual phrase of its code, as Kamailio has it.
func TestLocalReply(t *testing.T) {
	livetest.Each(t, config, func(t *testing.T, d *livetest.Daemon) {
		p := d.Peer(t)
		p.Send(msg("INVITE", "sip:local@ADDR", "loc", ""))
		r := p.Want("SIP/2.0 480 Gone home")
		_, tag, _ := strings.Cut(livetest.Value(r, "To"), ";tag=")
		if got, want := line(t, d, "call missed", "loc"), "method=INVITE;from_tag=f1;to_tag="+tag+";call_id=loc;code=480;reason=Temporarily Unavailable;"; !strings.Contains(got, want) {
			t.Errorf("got %s\nwant %s", got, want)
		}
	})
}

func drivers(more ...module.Module) []module.Module {
	return append([]module.Module{dbsqlite.New(), dbmysql.New(), dbpostgres.New(), tm.New()}, more...)
}

// TestTables writes rows of the functions, with extra columns and legs.
func TestTables(t *testing.T) {
	columns := []string{"src_user", "note", "leg"}
	var stmts []string
	for _, c := range columns {
		stmts = append(stmts, "ALTER TABLE acc ADD COLUMN "+c+" VARCHAR(64)")
	}
	moduletest.EachEngine(t, func(t *testing.T, url string, d *db.DB) {
		for _, nullable := range []int{0, 1} {
			r := moduletest.New(t, drivers(acc.New())...).Param("acc", "db_url", url).
				Param("acc", "db_extra", "src_user=$fU;note=$avp(note)").Param("acc", "multi_leg_info", "leg=$avp(leg)").
				Param("acc", "acc_extra_nullable", nullable)
			r.Message(moduletest.Invite)
			r.SetVar("$avp(leg)", "b")
			r.SetVar("$avp(leg)", "a")
			if rc := r.Call("acc_db_request", "486 Busy $rU", "acc"); rc != 1 {
				t.Fatalf("acc_db_request = %d; log %s", rc, r.Log())
			}
		}
		type row struct {
			method, from, to, id, code, reason, user string
			note                                     sql.NullString
			leg                                      string
		}
		rows, err := d.Writer().Query("SELECT method, from_tag, to_tag, callid, sip_code, sip_reason, src_user, note, leg FROM acc ORDER BY id")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for i := range 4 {
			var got row
			if !rows.Next() {
				t.Fatalf("%d rows, want 4", i)
			}
			if err := rows.Scan(&got.method, &got.from, &got.to, &got.id, &got.code, &got.reason, &got.user, &got.note, &got.leg); err != nil {
				t.Fatal(err)
			}
			want := row{"INVITE", "1928301774", "", "a84b4c76e66710@192.0.2.1", "486", "Busy bob", "alice", sql.NullString{Valid: i < 2}, []string{"a", "b"}[i%2]}
			if got != want {
				t.Errorf("row %d: %+v, want %+v", i, got, want)
			}
		}
		if rows.Next() {
			t.Error("more than 4 rows")
		}
	}, stmts...)
}

// TestRows: transactions fill both tables, by the flags.
func TestRows(t *testing.T) {
	for mode := range 3 {
		url, d := moduletest.Tables(t, db.SQLite, "ALTER TABLE acc ADD COLUMN time_attr DOUBLE", "ALTER TABLE missed_calls ADD COLUMN time_attr DOUBLE")
		srv := livetest.Start(t, fmt.Sprintf(`
loadmodule "db_sqlite.so"
loadmodule "tm.so"
loadmodule "pv.so"
loadmodule "acc.so"
modparam("acc", "db_url", "%s")
modparam("acc", "db_flag", 1)
modparam("acc", "db_missed_flag", 2)
modparam("acc", "failed_transaction_flag", 1)
modparam("acc", "time_mode", 2)
modparam("acc", "db_insert_mode", %d)
request_route { setflag(1); setflag(2); t_relay(); }
`, url, mode))
		p, q := srv.Peer(t), srv.Peer(t)
		p.Send(msg("INVITE", "sip:bob@"+q.Addr(), "one", ""))
		q.Reply(q.Want("INVITE "), 486, "Busy Here")
		p.Want("SIP/2.0 486 ")
		p.Send(msg("OPTIONS", "sip:bob@"+q.Addr(), "two", ""))
		for {
			if m := q.Recv(); strings.HasPrefix(m, "OPTIONS") {
				q.Reply(m, 200, "OK")
				break
			}
		}
		p.Want("SIP/2.0 200 ")
		for table, want := range map[string]int{"acc": 2, "missed_calls": 1} {
			limit := time.Now().Add(5 * time.Second)
			for n := -1; n != want; {
				if err := d.Reader().QueryRow("SELECT count(*) FROM " + table + " WHERE time_attr > 1e9").Scan(&n); err != nil {
					t.Fatal(err)
				}
				if n > want || time.Now().After(limit) {
					t.Fatalf("db_insert_mode %d: %d rows in %s, want %d", mode, n, table, want)
				}
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	url, _ := moduletest.Tables(t, db.SQLite)
	for _, tt := range []struct {
		name  string
		value any
		want  string
	}{
		{"failed_filter", "404,99", "want codes from 300 to 699"},
		{"log_extra", "a=b", "a:"},
		{"log_extra", "a $fU", "want NAME=$variable"},
		{"log_extra", "a=$fU b=$tU", "want a ;"},
		{"multi_leg_info", "a=$fU", "only attributes"},
		{"db_extra", "nowhere=$fU", `no column nowhere, wanted the column; run: sipctl db exec "ALTER TABLE acc ADD COLUMN nowhere VARCHAR(128) NOT NULL DEFAULT ''"`},
		{"db_table_acc", "calls", "no such table"},
		{"detect_direction", 1, `"append_fromtag", 1`},
		{"time_format", "%Q", "unknown %Q"},
	} {
		r := moduletest.New(t, drivers(rr.New(), acc.New())...).Param("acc", "db_url", url).Param("acc", "db_flag", 1).Param("rr", "append_fromtag", 0).Param("acc", tt.name, tt.value)
		if err := r.TryStart(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s=%v: %v, want %q", tt.name, tt.value, err, tt.want)
		}
	}
	r := moduletest.New(t, drivers(acc.New())...).Param("acc", "db_flag", 1).Start()
	if !strings.Contains(r.Log(), "have no effect without db_url") {
		t.Errorf("log: %s", r.Log())
	}
	if _, err := r.Compile("acc_db_request", "x", "acc"); err == nil || !strings.Contains(err.Error(), "no database") {
		t.Errorf("acc_db_request without database: %v", err)
	}
	r.Message(moduletest.Invite)
	if rc := r.Call("acc_request", "x", "acc"); rc != 1 || !strings.Contains(r.Log(), "ACC: request accounted: timestamp=") {
		t.Errorf("acc_request = %d, log %s", rc, r.Log())
	}
	if err := moduletest.New(t, acc.New()).TryStart(); err == nil || !strings.Contains(err.Error(), "tm.so") {
		t.Errorf("without tm: %v", err)
	}
}

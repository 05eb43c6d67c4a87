package avpops_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"sipd/db"
	"sipd/router/livetest"
	"sipd/router/module/moduletest"
)

var update = flag.Bool("update", false, "record testdata/database.* from a Kamailio again")

const liveConfig = `
loadmodule "db_sqlite.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "avpops.so"
modparam("avpops", "db_url", "URL")
modparam("avpops", "avp_table", "usr_preferences")
modparam("avpops", "use_domain", USEDOMAIN)
modparam("avpops", "db_scheme", "mail:table=subscriber;value_col=password;value_type=string;username_col=username;domain_col=domain")
modparam("avpops", "db_scheme", "number:value_col=id;value_type=integer;table=subscriber;uuid_col=username")
request_route {
	$var(r) = "";
	switch ($rU) {
CASES	}
	append_to_reply("X-Found: $var(r)|\r\n");
	sl_send_reply("299", "Found");
	exit;
}
`

// liveRows are what each daemon begins with.
var liveRows = []string{
	"INSERT INTO usr_preferences (uuid, username, domain, attribute, type, value) VALUES " +
		"('u1','','','color',0,'red'), ('u1','','','color',0,'blue'), ('u1','','','age',1,'30'), ('u1','','','7',3,'70'), ('u1','','','9',2,'nine'), " +
		"('','alice','example.com','fwd',0,'sip:carol@example.com'), ('','alice','example.net','fwd',0,'sip:dave@example.com'), " +
		"('u2','','','bad',1,'x'), ('u2','','','neg',1,'-5'), ('u2','','','empty',0,''), ('u3','','','x8',2,'name'), ('','','example.com','dom',0,'all')",
	"INSERT INTO subscriber (id, username, domain, password, ha1, ha1b) VALUES (7,'alice','example.com','pw7','',''), (8,'alice','example.net','pw8','','')",
}

// cases reads pieces of script, each with what $var(r) was behind it in a Kamailio.
func cases(t *testing.T, name string) (scripts, want []string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		if v, ok := strings.CutPrefix(line, "\t= "); ok && len(want) < len(scripts) {
			want = append(want, v)
		} else if line != "" {
			for len(want) < len(scripts) {
				want = append(want, "")
			}
			scripts = append(scripts, line)
		}
	}
	for len(want) < len(scripts) {
		want = append(want, "")
	}
	return scripts, want
}

// TestDatabaseAsKamailio runs pieces of script on a database of its own each in
// sipd and in Kamailio. Without use_domain Kamailio binds NULL for the domain when
// it stores, which its SQLite tables refuse: those pieces stand in database.1 alone.
func TestDatabaseAsKamailio(t *testing.T) {
	for _, domain := range []string{"0", "1"} {
		name := "testdata/database." + domain
		scripts, want := cases(t, name)
		var b strings.Builder
		for i, s := range scripts {
			fmt.Fprintf(&b, "\t\tcase \"t%d\":\n\t\t\t%s\n\t\tbreak;\n", i, s)
		}
		run := func(t *testing.T, start func(t testing.TB, config string) *livetest.Daemon) []string {
			t.Helper()
			url, _ := moduletest.Tables(t, db.SQLite, liveRows...)
			url = "sqlite:///" + strings.TrimPrefix(url, "sqlite:") // as Kamailio names a path from the root
			p := start(t, strings.NewReplacer("URL", url, "USEDOMAIN", domain, "CASES", b.String()).Replace(liveConfig)).Peer(t)
			var out []string
			for i := range scripts {
				p.Send(fmt.Sprintf("OPTIONS sip:t%d@ADDR SIP/2.0\nVia: SIP/2.0/UDP ME;branch=z9hG4bK%[1]d\nFrom: <sip:alice@example.com>;tag=1\nTo: <sip:bob@example.net>\nCall-ID: c%[1]d\nCSeq: 1 OPTIONS\nMax-Forwards: 9\n", i))
				out = append(out, livetest.Value(p.Want("SIP/2.0 299"), "X-Found"))
			}
			return out
		}
		compare := func(t *testing.T, got []string) {
			t.Helper()
			for i := range got {
				if got[i] != want[i] {
					t.Errorf("%s\ngot  %q\nwant %q", scripts[i], got[i], want[i])
				}
			}
		}
		t.Run("kamailio, use_domain "+domain, func(t *testing.T) {
			got := run(t, livetest.Kamailio)
			if !*update {
				compare(t, got)
				return
			}
			want = got
			var text strings.Builder
			for i := range got {
				fmt.Fprintf(&text, "%s\n\t= %s\n", scripts[i], got[i])
			}
			if err := os.WriteFile(name, []byte(text.String()), 0o666); err != nil {
				t.Fatal(err)
			}
		})
		t.Run("sipd, use_domain "+domain, func(t *testing.T) { compare(t, run(t, livetest.Start)) })
	}
}

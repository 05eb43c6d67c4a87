package avpops_test

import (
	"flag"
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

// TestDatabaseAsKamailio runs pieces of script on a database of its own each in
// sipd and in Kamailio. Without use_domain Kamailio binds NULL for the domain when
// it stores, which its SQLite tables refuse: those pieces stand in database.1 alone.
func TestDatabaseAsKamailio(t *testing.T) {
	for _, domain := range []string{"0", "1"} {
		t.Run("use_domain "+domain, func(t *testing.T) {
			livetest.Recording{File: "testdata/database." + domain, Update: *update, Config: func(t *testing.T) string {
				url, _ := moduletest.Tables(t, db.SQLite, liveRows...)
				url = "sqlite:///" + strings.TrimPrefix(url, "sqlite:") // as Kamailio names a path from the root
				return strings.NewReplacer("URL", url, "USEDOMAIN", domain).Replace(liveConfig)
			}}.Run(t)
		})
	}
}

package schema

import (
	"fmt"
	"strings"

	"sipd/db"
)

// What the elders renamed, split or moved between releases. A rule counts when
// the release wanted has the new column, the database has the old ones and not
// yet the new.

// renamed maps table and new column to the old name.
var renamed = map[string]string{
	"acc.method": "sip_method", "acc.from_tag": "fromtag", "acc.to_tag": "totag", "acc.callid": "sip_callid",
	"missed_calls.method": "sip_method", "missed_calls.from_tag": "fromtag", "missed_calls.to_tag": "totag", "missed_calls.callid": "sip_callid",
	"usr_preferences.last_modified": "modified",
	"silo.id":                       "mid",
	"carrierroute.description":      "comment", "domainpolicy.description": "comment",
	"sip_trace.time_stamp":      "date",
	"watchers.watcher_username": "w_user", "watchers.watcher_domain": "w_domain",
	// SER 0.8.10 and older named users otherwise.
	"subscriber.username": "user_id", "subscriber.domain": "realm", "pending.username": "user_id", "pending.domain": "realm",
	"aliases.username": "user", "location.username": "user", "grp.username": "user", "acc.username": "user",
	"missed_calls.username": "user", "phonebook.username": "user", "version.table_version": "version",
	"reserved.username": "user_id", "event.username": "user",
}

// renamedTables maps the new name of a table to the old one.
var renamedTables = map[string]string{"userblocklist": "userblacklist", "globalblocklist": "globalblacklist"}

// computed is a column whose values come from others by an expression.
type computed struct {
	table, column string
	needs         []string // columns of the table; the column itself where its kind changes
	from          Kind     // kind of the first of needs
	expr          func(x sqlText) string
}

// sqlText writes expressions for an engine.
type sqlText struct {
	db.Dialect
	id string // what tells the rows of the table apart
}

func (x sqlText) concat(parts ...string) string {
	if x.Engine == db.MySQL {
		return "CONCAT(" + strings.Join(parts, ", ") + ")"
	}
	return strings.Join(parts, " || ")
}

// text is a value as text.
func (x sqlText) text(v string) string {
	if x.Engine == db.MySQL {
		return "CAST(" + v + " AS CHAR)"
	}
	return "CAST(" + v + " AS TEXT)"
}

func (x sqlText) integer(v string) string {
	if x.Engine == db.MySQL {
		return "CAST(" + v + " AS SIGNED)"
	}
	return "CAST(" + v + " AS INTEGER)"
}

// digits tells whether the first three characters of a value are a number.
func (x sqlText) digits(v string) string {
	switch x.Engine {
	case db.MySQL:
		return v + " REGEXP '^[0-9][0-9][0-9]'"
	case db.PostgreSQL:
		return v + " ~ '^[0-9][0-9][0-9]'"
	}
	return v + " GLOB '[0-9][0-9][0-9]*'"
}

// byteOf is the byte at place n, from the lowest, of an integer.
func (x sqlText) byteOf(v string, n int) string {
	divisor := []string{"1", "256", "65536", "16777216"}[n]
	if x.Engine == db.MySQL {
		return x.text("(" + v + " DIV " + divisor + ") % 256")
	}
	return x.text("(" + v + " / " + divisor + ") % 256")
}

// instant reads a time out of a text that holds a wall clock or Unix seconds.
func (x sqlText) instant(v string) string {
	clock := v + " LIKE '____-__-__ __:__:__%'"
	seconds := v + " LIKE '__________%' AND " + x.digits(v)
	switch x.Engine {
	case db.MySQL:
		return "CASE WHEN " + clock + " THEN CAST(SUBSTR(" + v + ", 1, 19) AS DATETIME) WHEN " + seconds + " THEN FROM_UNIXTIME(CAST(SUBSTR(" + v + ", 1, 10) AS UNSIGNED)) ELSE '2000-01-01 00:00:00' END"
	case db.PostgreSQL:
		return "CASE WHEN " + clock + " THEN CAST(SUBSTR(" + v + ", 1, 19) AS TIMESTAMP) WHEN " + seconds + " THEN CAST(to_timestamp(CAST(SUBSTR(" + v + ", 1, 10) AS BIGINT)) AS TIMESTAMP) ELSE TIMESTAMP '2000-01-01 00:00:00' END"
	}
	return "CASE WHEN " + clock + " THEN SUBSTR(" + v + ", 1, 19) WHEN " + seconds + " THEN CAST(" + v + " AS REAL) / 86400 + 2440587.5 ELSE '2000-01-01 00:00:00' END"
}

// number reads a fraction out of a text, 0 where there is none.
func (x sqlText) number(v string) string {
	real := map[db.Engine]string{db.MySQL: "DECIMAL(13,3)", db.PostgreSQL: "REAL", db.SQLite: "REAL"}[x.Engine]
	one := map[db.Engine]string{db.MySQL: v + " REGEXP '^[0-9]+([.][0-9]*)?$'", db.PostgreSQL: v + " ~ '^[0-9]+([.][0-9]*)?$'", db.SQLite: v + " GLOB '[0-9]*'"}[x.Engine]
	return "CASE WHEN " + one + " THEN CAST(" + v + " AS " + real + ") ELSE 0 END"
}

// statusCode takes the number at the beginning of a SIP status.
func statusCode(x sqlText) string {
	return "CASE WHEN " + x.digits("sip_status") + " THEN SUBSTR(sip_status, 1, 3) ELSE '' END"
}

// statusReason takes the words behind the number, or all words without one.
func statusReason(x sqlText) string {
	return "CASE WHEN " + x.digits("sip_status") + " THEN SUBSTR(sip_status, 5) ELSE sip_status END"
}

func statusNumber(x sqlText) string {
	return "CASE WHEN " + x.digits("sip_status") + " THEN " + x.integer("SUBSTR(sip_status, 1, 3)") + " ELSE NULL END"
}

// byName looks up the id that a routing domain got when names went into a table.
func byName(column string) func(sqlText) string {
	return func(x sqlText) string {
		return "COALESCE((SELECT MIN(n.id) FROM domain_name AS n WHERE n.domain = " + column + "), 0)"
	}
}

// unique makes a value that no other row has.
func unique(x sqlText) string { return x.concat("'sipctl-'", x.text(x.id)) }

var computations = []computed{
	{"acc", "sip_code", []string{"sip_status"}, String, statusCode},
	{"acc", "sip_reason", []string{"sip_status"}, String, statusReason},
	{"missed_calls", "sip_code", []string{"sip_status"}, String, statusCode},
	{"missed_calls", "sip_reason", []string{"sip_status"}, String, statusReason},
	{"acc", "sip_status", []string{"sip_status"}, String, statusNumber}, // SER 2.0 to 2011
	{"missed_calls", "sip_status", []string{"sip_status"}, String, statusNumber},
	{"location", "ruid", nil, 0, unique},
	{"aliases", "ruid", nil, 0, unique},
	{"carrierroute", "domain", []string{"domain"}, String, byName("carrierroute.domain")},
	{"carrierfailureroute", "domain", []string{"domain"}, String, byName("carrierfailureroute.domain")},
	{"carrierfailureroute", "next_domain", []string{"next_domain"}, String, byName("carrierfailureroute.next_domain")},
	{"acc_cdrs", "start_time", []string{"start_time"}, String, func(x sqlText) string { return x.instant("start_time") }},
	{"acc_cdrs", "end_time", []string{"end_time"}, String, func(x sqlText) string { return x.instant("end_time") }},
	{"acc_cdrs", "duration", []string{"duration"}, String, func(x sqlText) string { return x.number("duration") }},
	// 1.0 and 1.1 kept an address as a number, its first byte lowest.
	{"gw", "ip_addr", []string{"ip_addr"}, Integer, func(x sqlText) string {
		return x.concat(x.byteOf("ip_addr", 0), "'.'", x.byteOf("ip_addr", 1), "'.'", x.byteOf("ip_addr", 2), "'.'", x.byteOf("ip_addr", 3))
	}},
	{"re_grp", "group_id", []string{"group_id"}, String, func(x sqlText) string { return x.number("group_id") }},
	{"watchers", "presentity_uri", []string{"p_user", "p_domain"}, String, func(x sqlText) string { return x.concat("'sip:'", "p_user", "'@'", "p_domain") }},
	{"watchers", "status", []string{"subs_status"}, String, func(sqlText) string {
		return "CASE subs_status WHEN 'active' THEN 1 WHEN 'terminated' THEN 3 WHEN 'waiting' THEN 4 ELSE 2 END"
	}},
	// SER 0.10 had no did beside a realm, and no aor beside a uid.
	{"credentials", "did", []string{"realm"}, String, func(x sqlText) string {
		return "COALESCE((SELECT MIN(n.did) FROM " + x.Quote("domain") + " AS n WHERE n.domain = realm), '_default')"
	}},
	{"location", "aor", []string{"uid"}, String, func(x sqlText) string {
		return "COALESCE((SELECT MIN(" + x.concat("'sip:'", "u.username", "'@'", "n.domain") + ") FROM uri AS u JOIN " + x.Quote("domain") + " AS n ON n.did = u.did WHERE u.uid = location.uid), '')"
	}},
}

// transient tables hold what the server makes anew: where their form changed
// so that rows cannot be filled, they are emptied.
var transient = []string{
	"dialog", "dialog_vars", "active_watchers", "presentity", "pua", "rls_presentity", "rls_watchers",
	"topos_d", "topos_t", "sca_subscriptions", "mohqcalls",
}

// carry moves rows into another table, as long as that one is empty or plain
// says that it is not done.
type carry struct {
	to        string   // table that is filled
	from      string   // table that has the rows
	needs     []string // its columns
	plain     bool     // while the first of needs is a text, which is until it was converted
	what      string
	statement func(x sqlText, to *Table, from *FoundTable) string
}

var carries = []carry{
	{to: "carrier_name", from: "route_tree", needs: []string{"id", "carrier"}, what: "names of carriers", statement: func(sqlText, *Table, *FoundTable) string {
		return "INSERT INTO carrier_name (id, carrier) SELECT id, carrier FROM route_tree"
	}},
	{to: "domain_name", from: "carrierroute", needs: []string{"domain"}, plain: true, what: "names of routing domains", statement: func(sqlText, *Table, *FoundTable) string {
		return domainNames("carrierroute", "domain")
	}},
	{to: "domain_name", from: "carrierfailureroute", needs: []string{"domain"}, plain: true, what: "names of routing domains", statement: func(sqlText, *Table, *FoundTable) string {
		return domainNames("carrierfailureroute", "domain")
	}},
	{to: "domain_name", from: "carrierfailureroute", needs: []string{"next_domain"}, plain: true, what: "names of next routing domains", statement: func(sqlText, *Table, *FoundTable) string {
		return domainNames("carrierfailureroute", "next_domain")
	}},
	{to: "lcr_gw", from: "gw", needs: []string{"id", "gw_name", "grp_id"}, what: "gateways", statement: gateways},
	{to: "lcr_rule", from: "lcr", needs: []string{"id", "prefix", "from_uri", "grp_id"}, what: "routes", statement: routes},
	{to: "lcr_rule_target", from: "lcr", needs: []string{"id", "prefix", "from_uri", "grp_id"}, what: "gateways of routes", statement: targets},
}

// domainNames gives names of a table ids, once each.
func domainNames(table, column string) string {
	return fmt.Sprintf("INSERT INTO domain_name (domain) SELECT DISTINCT %[2]s FROM %[1]s WHERE %[2]s NOT IN (SELECT domain FROM domain_name WHERE domain IS NOT NULL)", table, column)
}

// gateways copies what both tables have.
func gateways(x sqlText, to *Table, from *FoundTable) string {
	columns, values := []string{"id", "lcr_id"}, []string{"id", "1"}
	for _, c := range []string{"gw_name", "ip_addr", "hostname", "port", "uri_scheme", "transport", "strip", "prefix", "tag", "flags"} {
		if to.Column(c) != nil && from.Has(c) {
			columns, values = append(columns, c), append(values, c)
		}
	}
	return "INSERT INTO lcr_gw (" + x.QuoteAll(columns) + ") SELECT " + strings.Join(values, ", ") + " FROM gw"
}

// pattern turns the LIKE of the caller's URI into the regular expression that
// the newer module wants.
func (x sqlText) pattern(v string) string {
	return "CASE WHEN " + v + " IS NULL OR " + v + " IN ('', '%') THEN NULL ELSE " +
		x.concat("'^'", "REPLACE(REPLACE("+v+", '.', '[.]'), '%', '.*')", "'$'") + " END"
}

func routes(x sqlText, _ *Table, _ *FoundTable) string {
	return "INSERT INTO lcr_rule (lcr_id, prefix, from_uri, stopper, enabled) SELECT DISTINCT 1, prefix, " + x.pattern("from_uri") + ", 0, 1 FROM lcr"
}

func targets(x sqlText, _ *Table, _ *FoundTable) string {
	same := func(a, b string) string { return "(" + a + " = " + b + " OR " + a + " IS NULL AND " + b + " IS NULL)" }
	return "INSERT INTO lcr_rule_target (lcr_id, rule_id, gw_id, priority, weight) SELECT 1, r.id, g.id, MIN(l.priority), 1 FROM lcr AS l" +
		" JOIN lcr_rule AS r ON " + same("r.prefix", "l.prefix") + " AND " + same("r.from_uri", x.pattern("l.from_uri")) +
		" JOIN gw AS g ON g.grp_id = l.grp_id GROUP BY r.id, g.id"
}

// attributes are columns that subscriber lost and usr_preferences keeps.
var attributes = []string{"email_address", "rpid", "first_name", "last_name", "timezone"}

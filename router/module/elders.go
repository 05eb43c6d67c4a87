package module

import (
	"fmt"
	"slices"
	"strings"
)

// elder is a module of SER, OpenSER or Kamailio that this daemon may not have.
type elder struct {
	// does says what it is for.
	does string
	// today names the modules that do it in today's Kamailio, "" when nothing
	// took its place, the same name when it is still there.
	today string
}

// elders are the modules of ser 0.8.8, the merged project of 2010 and
// Kamailio 5 that a configuration may name. Those that the daemon has are here
// too: a build may leave one out.
var elders = map[string]elder{
	"acc":                 {"accounting", "acc"},
	"acc_db":              {"accounting into a database with uid columns", "acc"},
	"acc_diameter":        {"accounting to a Diameter server", "acc_diameter"},
	"acc_radius":          {"accounting to a RADIUS server", "acc_radius"},
	"acc_syslog":          {"accounting into the log", "acc"},
	"alias_db":            {"aliases in a database", "alias_db"},
	"app_lua":             {"Lua scripts", "app_lua"},
	"app_perl":            {"Perl scripts", "app_perl"},
	"app_python":          {"Python scripts", "app_python3"},
	"app_python3":         {"Python scripts", "app_python3"},
	"auth_diameter":       {"digest checks by a Diameter server", "auth_diameter"},
	"auth_identity":       {"Identity headers of RFC 4474", "auth_identity stirshaken secsipid"},
	"auth_radius":         {"digest checks by a RADIUS server", "auth_radius"},
	"avp":                 {"attribute functions of SER", "avp"},
	"avp_db":              {"attributes from a database", "uid_avp_db"},
	"avp_radius":          {"attributes from a RADIUS server", "misc_radius"},
	"avpops":              {"attribute functions and database queries", "avpops"},
	"bdb":                 {"Berkeley DB tables", "db_berkeley"},
	"benchmark":           {"timing of parts of the script", "benchmark"},
	"blst":                {"the destination blacklist", "blst"},
	"call_control":        {"a prepaid engine", "call_control"},
	"carrierroute":        {"routing trees of carriers", "carrierroute"},
	"cfg_db":              {"runtime settings from a database", "cfg_db"},
	"cfgutils":            {"random numbers, locks and pauses", "cfgutils"},
	"counters":            {"counters for the script", "counters"},
	"cpl":                 {"call processing scripts", "cplc"},
	"cpl-c":               {"call processing scripts", "cplc"},
	"cplc":                {"call processing scripts", "cplc"},
	"db_berkeley":         {"Berkeley DB tables", "db_berkeley"},
	"db_flatstore":        {"accounting into plain files", "db_flatstore"},
	"db_ops":              {"SQL in the script", "sqlops db2_ops"},
	"db_oracle":           {"Oracle databases", "db_oracle"},
	"db_unixodbc":         {"databases behind ODBC", "db_unixodbc"},
	"dbtext":              {"tables in text files", "db_text"},
	"debugger":            {"tracing the script", "debugger"},
	"dialog":              {"dialogs", "dialog"},
	"dialplan":            {"rewriting numbers by expressions", "dialplan"},
	"dispatcher":          {"load balancing", "dispatcher"},
	"diversion":           {"Diversion headers", "diversion"},
	"domain":              {"served domains", "domain"},
	"domainpolicy":        {"peering policy in DNS", "domainpolicy"},
	"drouting":            {"routing by prefix to gateways", "drouting"},
	"enum":                {"ENUM queries", "enum"},
	"eval":                {"a stack machine for values", ""},
	"exec":                {"external commands", "exec"},
	"ext":                 {"external commands", "exec"},
	"fifo":                {"a control FIFO", "ctl"},
	"geoip":               {"countries of addresses", "geoip2"},
	"gflags":              {"global flags", "uid_gflags cfgutils"},
	"group":               {"groups of users", "group"},
	"h350":                {"LDAP accounts of H.350", "h350"},
	"htable":              {"tables in memory", "htable"},
	"im":                  {"sending MESSAGE from a FIFO", "tm uac"},
	"imc":                 {"chat rooms", "imc"},
	"iptrtpproxy":         {"media relay by iptables", "rtpengine"},
	"jabber":              {"a Jabber gateway", "xmpp"},
	"lcr":                 {"least cost routing", "lcr"},
	"ldap":                {"LDAP queries", "ldap"},
	"malloc_test":         {"tests of the allocator", ""},
	"mangler":             {"rewriting SDP and Contact", "mangler nathelper"},
	"matrix":              {"who may call whom", "matrix"},
	"mediaproxy":          {"the media relay of AG Projects", "mediaproxy rtpengine"},
	"memcached":           {"a memcached client", "memcached ndb_redis"},
	"mi_datagram":         {"management commands by datagrams", "jsonrpcs"},
	"mi_fifo":             {"management commands by a FIFO", "jsonrpcs"},
	"mi_rpc":              {"management commands by RPC", "ctl"},
	"mi_xmlrpc":           {"management commands by XML-RPC", "xmlrpc jsonrpcs"},
	"misc_radius":         {"RADIUS queries", "misc_radius"},
	"mqueue":              {"message queues", "mqueue"},
	"msilo":               {"messages for users who are away", "msilo"},
	"mtree":               {"prefix trees in memory", "mtree"},
	"nat_traversal":       {"keep-alives and tests for NAT", "nat_traversal nathelper"},
	"nathelper":           {"help for phones behind NAT", "nathelper"},
	"options":             {"answers to OPTIONS", "siputils"},
	"oracle":              {"Oracle databases", "db_oracle"},
	"osp":                 {"OSP peering", "osp"},
	"path":                {"Path headers of edge proxies", "path"},
	"pdb":                 {"number portability queries", "pdb"},
	"pdt":                 {"domains by prefix", "pdt"},
	"peering":             {"peering checks by RADIUS", "peering"},
	"perl":                {"Perl scripts", "app_perl"},
	"perlvdb":             {"databases in Perl", "db_perlvdb"},
	"permissions":         {"access lists", "permissions"},
	"pike":                {"flood detection", "pike"},
	"pipelimit":           {"rate limits", "pipelimit"},
	"prefix_route":        {"routes by number prefix", "prefix_route"},
	"presence":            {"a presence server", "presence"},
	"presence_b2b":        {"subscriptions for a B2BUA", ""},
	"presence_dialoginfo": {"presence of dialogs", "presence_dialoginfo"},
	"presence_mwi":        {"message waiting", "presence_mwi"},
	"presence_xml":        {"presence documents", "presence_xml"},
	"print":               {"an example", "print"},
	"print_lib":           {"an example", "print_lib"},
	"privacy":             {"privacy of RFC 3323", "siputils"},
	"pua":                 {"a presence client", "pua"},
	"pua_bla":             {"shared line appearance", "pua_bla"},
	"pua_dialoginfo":      {"publishing dialogs", "pua_dialoginfo"},
	"pua_mi":              {"publishing by management commands", "pua_rpc"},
	"pua_usrloc":          {"publishing registrations", "pua_usrloc"},
	"pua_xmpp":            {"presence for XMPP", "pua_xmpp"},
	"purple":              {"a gateway to other messengers", "purple"},
	"qos":                 {"following SDP", "qos"},
	"radius_acc":          {"accounting to a RADIUS server", "acc_radius"},
	"radius_auth":         {"digest checks by a RADIUS server", "auth_radius"},
	"ratelimit":           {"rate limits", "ratelimit pipelimit"},
	"regex":               {"Perl regular expressions", "regex"},
	"rls":                 {"resource lists", "rls"},
	"rtimer":              {"routes run by a timer", "rtimer"},
	"rtpengine":           {"media relay", "rtpengine"},
	"rtpproxy":            {"media relay", "rtpproxy"},
	"seas":                {"an application server", "seas"},
	"siptrace":            {"recording of messages", "siptrace"},
	"sms":                 {"an SMS gateway", "sms"},
	"snmpstats":           {"SNMP", "snmpstats"},
	"speeddial":           {"short numbers", "speeddial"},
	"sqlops":              {"SQL in the script", "sqlops"},
	"sst":                 {"session timers", "sst"},
	"statistics":          {"statistics for the script", "statistics counters"},
	"timer":               {"routes run by a timer", "rtimer"},
	"tls":                 {"TLS", "tls"},
	"topoh":               {"hiding of topology", "topoh topos"},
	"uac":                 {"rewriting From and To, authentication as a client", "uac"},
	"uac_redirect":        {"following redirections", "uac_redirect"},
	"unixsock":            {"a control socket", "ctl jsonrpcs"},
	"uri":                 {"tests of URIs", "siputils"},
	"uri_db":              {"users of URIs", "uri_db"},
	"uri_radius":          {"users by a RADIUS server", "misc_radius"},
	"userblacklist":       {"numbers a user may not call", "userblocklist"},
	"userblocklist":       {"numbers a user may not call", "userblocklist"},
	"utils":               {"HTTP queries", "utils http_client"},
	"xcap":                {"XCAP queries", "xcap_client"},
	"xcap_client":         {"XCAP queries", "xcap_client"},
	"xcap_server":         {"an XCAP server", "xcap_server"},
	"xhttp":               {"an HTTP server", "xhttp"},
	"xmlops":              {"XPath variables", "xmlops"},
	"xmlrpc":              {"XML-RPC", "xmlrpc jsonrpcs"},
	"xmpp":                {"an XMPP gateway", "xmpp"},
	"xprint":              {"logging with %-formats", "xlog"},
	"uid_auth_db":         {"digest checks against table credentials", "auth_db"},
	"uid_domain":          {"served domains by did", "domain"},
	"uid_gflags":          {"global flags", "gflags"},
	"uid_uri_db":          {"users of URIs by uid", "uri_db"},
	"uid_avp_db":          {"attributes from a database", "avp_db"},
}

// advice says of a module that the daemon does not have what it was and what
// does its work here; "" when the name is nobody's. have lists the daemon's.
func advice(name string, have []string) string {
	e, ok := elders[name]
	if !ok {
		return ""
	}
	head := fmt.Sprintf("module %q (%s) is not in sipd", name, e.does)
	successors := strings.Fields(e.today)
	for _, s := range successors {
		if slices.Contains(have, s) {
			return fmt.Sprintf("%s; its successor is: loadmodule \"%s.so\"", head, s)
		}
	}
	switch {
	case len(successors) == 0:
		return head + "; nothing took its place: the script language does what it did"
	case len(successors) == 1 && successors[0] == name:
		return head + "; take the line out, or put #!ifdef around all that needs it"
	}
	return fmt.Sprintf("%s, nor is its successor (%s); take the line out, or put #!ifdef around all that needs it",
		head, strings.Join(successors, ", "))
}

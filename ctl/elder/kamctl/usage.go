package kamctl

import (
	"fmt"
	"strings"
)

// help is one family of commands: how each is written, and what it does.
type family struct {
	name, title string
	lines       []string // "command arguments|what it does"
}

var families = []family{
	{"start", "'start|stop|restart' - the daemon's process", []string{
		"start|run KAMBIN with ETCDIR/kamailio.cfg", "stop|end the process of PID_FILE", "restart|both, one after the other", "trap, pstrap|refused here",
	}},
	{"acl", "'acl' - groups of users", []string{
		"acl show [<username>]|groups of a user, or all", "acl grant <username> <group>...|put a user into groups", "acl revoke <username> [<group>]|take a user out of a group, or all",
	}},
	{"lcr", "'lcr' - least cost routing", []string{
		"lcr show_gws, show_routes, dump_gws, dump_routes, reload|disabled, as in the elder", "lcr eval_weights <weight>...|how often each weight comes first",
	}},
	{"cr", "'cr' - carrierroute tables", []string{
		"cr show|the tables", "cr reload|have the daemon read them again", "cr dump|what the daemon has",
		"cr addcn <carrier id> <carrier name>|add a carrier", "cr rmcn <carrier id>|remove it",
		"cr adddn <domain id> <domain name>|add a domain", "cr rmdn <domain id>|remove it",
		"cr addcarrier <carrier> <scan_prefix> <domain> <rewrite_host> [<prob> [<strip> [<rewrite_prefix> [<rewrite_suffix> [<mask> [<flags> [<comment>]]]]]]]|add a route",
		"cr rmcarrier <carrier> <scan_prefix> <domain>|remove it",
	}},
	{"rpid", "'rpid' - Remote-Party-ID of users (tables before 5.2)", []string{
		"rpid add <username> <rpid>|set it", "rpid rm <username>|remove it", "rpid show [<username>]|show it",
	}},
	{"subscriber", "'add|show|passwd|rm|sets|setn' - users", []string{
		"add <username> <password>|add a user", "show <username>|the row of a user", "passwd <username> <password>|change the password",
		"rm <username>|remove a user", "sets <username> <column> <text>|set a column to a text", "setn <username> <column> <number>|set a column to a number",
	}},
	{"trusted", "'trusted' - peers that need no password", []string{
		"trusted show|the table", "trusted dump|what the daemon has", "trusted reload|have the daemon read it again",
		"trusted add <src_ip> <proto> [<from_pattern> [<tag>]]|add a peer", "trusted rm <src_ip>|remove it",
	}},
	{"address", "'address' - groups of addresses", []string{
		"address show|the table", "address dump|what the daemon has", "address reload|have the daemon read it again",
		"address add <grp> <ipaddr> [<mask> [<port> [<tag>]]]|add an address or a network", "address rm <grp> <ipaddr>|remove it",
	}},
	{"dispatcher", "'dispatcher' - sets of destinations", []string{
		"dispatcher show|the table", "dispatcher reload|have the daemon read it again", "dispatcher dump|what the daemon has",
		"dispatcher add <setid> <destination> [<flags> [<priority> [<attrs> [<description>]]]]|add a destination", "dispatcher rm <id>|remove it",
	}},
	{"dialog", "'dialog' - calls", []string{"dialog show|what the daemon has", "dialog showdb|the table"}},
	{"dialplan", "'dialplan' - number translation", []string{
		"dialplan show [<dpid>]|the table", "dialplan reload|have the daemon read it again",
		"dialplan addrule <dpid> <prio> equal|regexp|fnmatch <match_exp> [<match_len> [<subst_exp> [<repl_exp> [<attrs>]]]]|add a rule",
		"dialplan rm|remove all rules", "dialplan rmdpid <dpid>|remove a dialplan", "dialplan rmrule <dpid> <prio>|remove a rule",
	}},
	{"srv", "'srv' - the running daemon", []string{
		"srv sockets|where it listens", "srv aliases|names that are its own", "srv rpclist|its RPC methods", "srv debug [<level>]|its debug level",
		"srv modules|its modules", "srv version|its version",
	}},
	{"mtree", "'mtree' - prefix trees", []string{
		"mtree showdb <table>|the table", "mtree dump [<tname>]|what the daemon has", "mtree reload [<tname>]|have the daemon read it again",
		"mtree add <table> <tprefix> <tvalue>|add a prefix", "mtree rm <table> <tprefix>|remove it",
	}},
	{"acc", "'acc' - accounting records", []string{
		"acc initdb|add the columns of the default configuration", "acc showdb|the table", "acc recent [<secs>]|the records of the last seconds (300)",
	}},
	{"tls", "'tls' - certificates", []string{
		"tls rootCA [<etcdir>]|make a CA", "tls userCERT <user> [<etcdir>]|make the certificate of a user", "tls gen-certs [<domain>]|make a self-signed certificate",
	}},
	{"db", "'db' - the database", []string{
		"db exec <query>|run SQL", "db roexec <query>|run SQL that reads", "db run <name>, db rorun <name>|run the SQL of a variable",
		"db show <table>, db showg <table>|a table, or a column a line", "db smatch <table> <column> <text>|rows that have a text",
		"db nmatch <table> <column> <number>|rows that have a number", "db connect|the engine's own program", "db version add|set|update <table> <number>|the number of a table",
	}},
	{"speeddial", "'speeddial' - short numbers", []string{
		"speeddial show <short>|what a short number is", "speeddial list [<sip-id>]|the short numbers of a user, or all",
		"speeddial add <sip-id> <short> <new-uri> [<description>]|add one", "speeddial rm <sip-id> <short>|remove it", "speeddial help|this",
	}},
	{"avp", "'avp' - attributes of users", []string{
		"avp list [-T table] [-u <sip-id|uuid>] [-a attribute] [-v value] [-t type]|list them",
		"avp add [-T table] <sip-id|uuid> <attribute> <type> <value>|add one", "avp rm [-T table] [-u <sip-id|uuid>] [-a attribute] [-v value] [-t type]|remove them", "avp help|this",
	}},
	{"alias_db", "'alias_db' - aliases in the database", []string{
		"alias_db show <alias>|whose it is", "alias_db list [<sip-id>]|the aliases of a user, or all", "alias_db add <alias> <sip-id>|add one", "alias_db rm <alias>|remove it", "alias_db help|this",
	}},
	{"domain", "'domain' - domains served here", []string{
		"domain reload|have the daemon read the table again", "domain show|what the daemon has", "domain showdb|the table", "domain add <domain>|add one", "domain rm <domain>|remove it",
	}},
	{"uid_domain", "'uid_domain' - domains of the uid tables", []string{
		"uid_domain reload|have the daemon read the table again", "uid_domain show|what the daemon has", "uid_domain showdb|the table",
		"uid_domain add <domain> [<did> [<flags>]]|add one", "uid_domain rm <domain>|remove it",
	}},
	{"cisco_restart", "'cisco_restart' - restart a phone", []string{"cisco_restart <uri>|have the phone at a URI restart (NOTIFY check-sync)"}},
	{"online", "'online' - who is registered", []string{"online|the addresses with contacts"}},
	{"monitor", "'monitor' - figures of the daemon, again and again", []string{"monitor [<cycles>]|show them"}},
	{"ping", "'ping' - is a URI there", []string{"ping <uri>|send OPTIONS to a URI"}},
	{"ul", "'ul|alias' - contacts in the daemon's memory", []string{
		"ul show [<username>]|all contacts, or those of a user", "ul show --brief|the same in short", "ul rm <username> [<contact URI>]|remove contacts",
		"ul add <username> <uri> [<expires> [<path>]]|add a contact, for ever or for seconds", "ul dbclean [<secs>]|remove stored contacts that expired so long ago (3600)",
	}},
	{"ps", "'ps|psa|uptime|stats' - figures of the daemon", []string{"ps, psa|its processes", "uptime|since when it runs", "stats [<group>]|its statistics"}},
	{"rpc", "'rpc' - any RPC method", []string{
		"rpc <method> [<parameter>...]|call it; s:TEXT and i:NUMBER say the type", "rpcprint <method> [<parameter>...]|show the request", "fifo <command> [<parameter>...]|the pipe of Kamailio 3",
	}},
	{"kamcmd", "'kamcmd' - the RPC shell", []string{"kamcmd <method> [<parameter>...]|call a method over BinRPC"}},
}

// usage prints all families, as the elder does for whatever it does not know.
func (k *control) usage() {
	fmt.Fprintf(k.Out, "%s %s\n\nExisting commands:\n", k.name, Version)
	for _, f := range families {
		k.family(f)
	}
	fmt.Fprintln(k.Out)
}

// help prints one family.
func (k *control) help(name string) {
	for _, f := range families {
		if f.name == name {
			k.family(f)
		}
	}
}

const helpColumn = 38

func (k *control) family(f family) {
	fmt.Fprintln(k.Out)
	k.echo(" -- command %s", f.title)
	fmt.Fprintln(k.Out)
	for _, l := range f.lines {
		i := strings.LastIndexByte(l, '|')
		command, what := l[:i], l[i+1:]
		fmt.Fprintf(k.Out, " %s %s %s\n", command, strings.Repeat(".", max(helpColumn-len(command), 3)), what)
	}
}

package ctl

import "sync"

// nounVerbs are what the running server does for a noun, beside reload and live.
var nounVerbs = sync.OnceValue(func() map[string][]verb {
	return map[string][]verb{
		"address": {
			{name: "subnets", short: "Show the networks that the running server has", method: "permissions.subnetDump"},
			{name: "names", short: "Show the host names that the running server has", method: "permissions.domainDump"},
		},
		"dispatcher": {
			{name: "memadd", short: "Add a destination in the running server only", method: "dispatcher.add", args: "i:SET s:URI i:FLAGS? i:PRIORITY? s:ATTRS?", example: "1 sip:192.0.2.11:5060"},
			{name: "memrm", short: "Remove a destination in the running server only", method: "dispatcher.remove", args: "i:SET s:URI", example: "1 sip:192.0.2.11:5060"},
			{name: "state", short: "Set the state of a destination: a active, i inactive, d disabled, t trying; p after it to probe", method: "dispatcher.set_state", args: "s:STATE i:SET s:URI", example: "ip 1 sip:192.0.2.11:5060"},
			{name: "ping", short: "Show or set whether destinations are pinged", method: "dispatcher.ping_active", args: "i:STATE?", example: "1"},
		},
		"dialplan": {
			{name: "translate", short: "Show what a dial plan makes of a number", method: "dialplan.translate", args: "i:DPID s:NUMBER", example: "1 0049301234"},
		},
		"uacreg": {
			{name: "info", short: "Show one registration of the running server by a column", method: "uac.reg_info", args: "s:COLUMN s:VALUE", example: "l_uuid trunk1"},
			{name: "enable", short: "Start a registration", method: "uac.reg_enable", args: "s:COLUMN s:VALUE", example: "l_uuid trunk1"},
			{name: "disable", short: "End a registration", method: "uac.reg_disable", args: "s:COLUMN s:VALUE", example: "l_uuid trunk1"},
			{name: "refresh", short: "Let the running server read one registration again", method: "uac.reg_refresh", args: "s:UUID", example: "trunk1"},
		},
		"mtree": {
			{name: "entries", short: "Show the entries of a tree of the running server, or of all", method: "mtree.list", args: "s:NAME?", example: "ptree"},
			{name: "match", short: "Show what a tree gives for a number", method: "mtree.match", args: "s:NAME s:NUMBER i:MODE", example: "ptree 4930 0"},
		},
		"htable": {
			{name: "tables", short: "Show the hash tables of the running server", method: "htable.listTables"},
			{name: "stats", short: "Show how full the hash tables are", method: "htable.stats"},
			{name: "get", short: "Show a key of the running server", method: "htable.get", args: "s:NAME s:KEY", example: "ipban 192.0.2.66"},
			{name: "sets", short: "Set a key of the running server to a text", method: "htable.sets", args: "s:NAME s:KEY s:TEXT", example: "ipban 192.0.2.66 yes"},
			{name: "seti", short: "Set a key of the running server to a number", method: "htable.seti", args: "s:NAME s:KEY i:NUMBER", example: "ipban 192.0.2.66 1"},
			{name: "setex", short: "Set when a key ends, in seconds from now", method: "htable.setex", args: "s:NAME s:KEY i:SECONDS", example: "ipban 192.0.2.66 600"},
			{name: "setxs", short: "Set a key to a text that ends", method: "htable.setxs", args: "s:NAME s:KEY s:TEXT i:SECONDS", example: "ipban 192.0.2.66 yes 600"},
			{name: "setxi", short: "Set a key to a number that ends", method: "htable.setxi", args: "s:NAME s:KEY i:NUMBER i:SECONDS", example: "ipban 192.0.2.66 1 600"},
			{name: "delete", short: "Remove a key of the running server", method: "htable.delete", args: "s:NAME s:KEY", example: "ipban 192.0.2.66"},
			{name: "flush", short: "Empty a hash table of the running server", method: "htable.flush", args: "s:NAME", example: "ipban"},
			{name: "store", short: "Write a hash table of the running server to the database", method: "htable.store", args: "s:NAME", example: "ipban"},
		},
		"pipelimit": {
			{name: "pipe", short: "Set the algorithm and the limit of a pipe of the running server", method: "pl.set_pipe", args: "s:PIPE s:ALGORITHM i:LIMIT", example: "calls TAILDROP 50"},
			{name: "reset", short: "Set the count of a pipe to zero", method: "pl.reset_pipe", args: "s:PIPE", example: "calls"},
			{name: "stats", short: "Show load and count of the pipes", method: "pl.stats"},
		},
		"rtpengine": {
			{name: "ping", short: "Ask a media relay for a sign of life", method: "rtpengine.ping", args: "s:URL", example: "all"},
			{name: "use", short: "Take a media relay into use (1) or out of it (0)", method: "rtpengine.enable", args: "s:URL i:STATE", example: "udp:192.0.2.40:2223 0"},
		},
		"secfilter": {
			{name: "stats", short: "Show how many requests were refused", method: "secfilter.stats"},
		},
	}
})

// tlsVerbs ask about TLS.
var tlsVerbs = []verb{
	{name: "list", aliases: []string{"connections"}, short: "Show the TLS connections", method: "tls.list"},
	{name: "info", short: "Show figures of TLS", method: "tls.info"},
	{name: "options", short: "Show the options in force", method: "tls.options"},
	{name: "domains", aliases: []string{"profiles"}, short: "Show the profiles (TLS domains) in force", method: "tls.domains"},
	{name: "reload", short: "Read the TLS configuration again", method: "tls.reload"},
	{name: "kill", short: "Close a TLS connection", method: "tls.kill", args: "i:ID", example: "3"},
}

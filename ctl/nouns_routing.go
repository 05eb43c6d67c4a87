package ctl

// matchOps are the operators of dialplan rules.
var matchOps = map[string]string{"equal": "0", "regexp": "1", "fnmatch": "2"}

func routingNouns() []*noun {
	return []*noun{
		{
			name: "dispatcher", short: "Destinations by set (module dispatcher)", thing: "destination", reload: "dispatcher.reload", live: "dispatcher.list",
			example: "1 sip:192.0.2.10:5060 --priority 10 --attrs weight=50",
			in: kamailio(place{
				table: "dispatcher", add: []arg{val("SET", "setid"), checked("URI", "destination", isURI), opt("FLAGS", "flags"), opt("PRIORITY", "priority"), opt("ATTRS", "attrs"), opt("DESCRIPTION", "description")},
				key: []arg{val("SET", "setid"), val("URI", "destination")},
			}),
		},
		{
			name: "dialplan", short: "Number rewriting rules (module dialplan)", thing: "rule", reload: "dialplan.reload", live: "dialplan.dump",
			example: "1 '^00(.*)$' '^00(.*)$' '+\\1' --match-op 1",
			in: kamailio(place{
				table: "dialplan", add: []arg{val("DPID", "dpid"), val("MATCH", "match_exp"), opt("SUBSTITUTE", "subst_exp"), opt("REPLACE", "repl_exp"), word("OPERATOR", "match_op", matchOps).or()},
				key: []arg{val("DPID", "dpid"), val("MATCH", "match_exp")}, preset: map[string]string{"pr": "0", "match_op": "0", "match_len": "0", "subst_exp": "", "repl_exp": "", "attrs": ""},
				screen: []string{"id", "dpid", "pr", "match_op", "match_exp", "match_len", "subst_exp", "repl_exp", "attrs"},
			}),
		},
		{
			name: "lcr gw", ids: true, short: "Gateways of least cost routing (module lcr)", thing: "gateway", reload: "lcr.reload", live: "lcr.dump_gws", example: "1 gw1 192.0.2.20 --port 5060",
			in: both(
				place{
					table: "lcr_gw", add: []arg{val("LCR", "lcr_id"), val("NAME", "gw_name"), checked("IP", "ip_addr", isIP).or(), opt("PORT", "port")},
					key: []arg{val("LCR", "lcr_id"), val("NAME", "gw_name")}, preset: map[string]string{"defunct": "0"},
					screen: []string{"id", "lcr_id", "gw_name", "ip_addr", "hostname", "port", "strip", "prefix", "flags", "defunct"},
				},
				place{
					table: "gw", add: []arg{val("GROUP", "grp_id"), val("NAME", "gw_name"), packedIP("IP", "ip_addr"), opt("PORT", "port")},
					key: []arg{val("GROUP", "grp_id"), val("NAME", "gw_name")}, preset: map[string]string{"prefix": ""},
				}),
		},
		{
			name: "lcr group", short: "Names of gateway groups (ser flavour)", thing: "group", example: "carriers",
			in: ser(place{table: "gw_grp", add: []arg{val("NAME", "grp_name")}, key: []arg{val("NAME", "grp_name")}}),
		},
		{
			name: "lcr rule", ids: true, short: "Prefixes of least cost routing", thing: "rule", reload: "lcr.reload", live: "lcr.dump_rules", example: "1 +49",
			in: both(
				place{
					table: "lcr_rule", add: []arg{val("LCR", "lcr_id"), val("PREFIX", "prefix"), opt("FROM", "from_uri")},
					key: []arg{val("LCR", "lcr_id"), val("PREFIX", "prefix"), opt("FROM", "from_uri")},
				},
				place{
					table: "lcr", add: []arg{val("GROUP", "grp_id"), val("PREFIX", "prefix"), opt("FROM", "from_uri"), opt("PRIORITY", "priority")},
					key: []arg{val("GROUP", "grp_id"), val("PREFIX", "prefix"), opt("FROM", "from_uri")},
				}),
		},
		{
			name: "lcr target", short: "Which gateways serve a rule", thing: "target", reload: "lcr.reload", example: "1 1 1 --priority 1 --weight 10",
			in: kamailio(place{
				table: "lcr_rule_target", add: []arg{val("LCR", "lcr_id"), val("RULE", "rule_id"), val("GATEWAY", "gw_id"), opt("PRIORITY", "priority"), opt("WEIGHT", "weight")},
				key: []arg{val("LCR", "lcr_id"), val("RULE", "rule_id"), val("GATEWAY", "gw_id")}, preset: map[string]string{"priority": "1"},
			}),
		},
		{
			name: "carrierroute route", short: "Routes by carrier, domain and prefix (module carrierroute)", thing: "route", reload: "cr.reload_routes", live: "cr.dump_routes", example: "1 49 1 gw.example.com --prob 0.5",
			in: kamailio(place{
				table: "carrierroute", add: []arg{val("CARRIER", "carrier"), val("PREFIX", "scan_prefix"), val("DOMAIN", "domain"), val("HOST", "rewrite_host"), opt("PROB", "prob"), opt("STRIP", "strip"), opt("REWRITE_PREFIX", "rewrite_prefix"), opt("REWRITE_SUFFIX", "rewrite_suffix"), opt("MASK", "mask"), opt("FLAGS", "flags"), opt("DESCRIPTION", "description")},
				key: []arg{val("CARRIER", "carrier"), val("PREFIX", "scan_prefix"), opt("DOMAIN", "domain"), opt("HOST", "rewrite_host")}, preset: map[string]string{"prob": "1"},
				screen: []string{"id", "carrier", "domain", "scan_prefix", "prob", "strip", "rewrite_host", "rewrite_prefix", "rewrite_suffix"},
			}),
		},
		{
			name: "carrierroute failure", short: "Where a failed route goes on", thing: "failure route", reload: "cr.reload_routes", example: "1 1 49 gw.example.com 503 2",
			in: kamailio(place{
				table: "carrierfailureroute", add: []arg{val("CARRIER", "carrier"), val("DOMAIN", "domain"), val("PREFIX", "scan_prefix"), val("HOST", "host_name"), val("CODE", "reply_code"), val("NEXT_DOMAIN", "next_domain")},
				key: []arg{val("CARRIER", "carrier"), val("DOMAIN", "domain"), val("PREFIX", "scan_prefix"), opt("HOST", "host_name"), opt("CODE", "reply_code")},
			}),
		},
		{
			name: "carrierroute carrier", ids: true, short: "Names of carriers", thing: "carrier", reload: "cr.reload_routes", example: "default 1",
			in: kamailio(place{table: "carrier_name", add: []arg{val("NAME", "carrier"), opt("ID", "id")}, key: []arg{val("NAME", "carrier")}}),
		},
		{
			name: "carrierroute domain", ids: true, short: "Names of routing domains", thing: "routing domain", reload: "cr.reload_routes", example: "start",
			in: kamailio(place{table: "domain_name", add: []arg{val("NAME", "domain"), opt("ID", "id")}, key: []arg{val("NAME", "domain")}}),
		},
		{
			name: "drouting gw", ids: true, short: "Gateways (module drouting)", thing: "gateway", reload: "drouting.reload", example: "192.0.2.30 --description fast",
			in: kamailio(place{
				table: "dr_gateways", add: []arg{val("ADDRESS", "address"), opt("STRIP", "strip"), opt("PREFIX", "pri_prefix"), opt("TYPE", "type"), opt("ATTRS", "attrs")},
				key: []arg{val("ADDRESS", "address")},
			}),
		},
		{
			name: "drouting rule", short: "Prefixes (module drouting)", thing: "rule", reload: "drouting.reload", example: "8 49 1,2",
			in: kamailio(place{
				table: "dr_rules", add: []arg{val("GROUPS", "groupid"), val("PREFIX", "prefix"), val("GATEWAYS", "gwlist"), opt("PRIORITY", "priority"), opt("ROUTE", "routeid"), opt("TIME", "timerec")},
				key: []arg{val("GROUPS", "groupid"), val("PREFIX", "prefix")}, preset: map[string]string{"timerec": "", "routeid": ""},
			}),
		},
		{
			name: "drouting list", short: "Lists of gateways (module drouting)", thing: "list", reload: "drouting.reload", example: "1,2",
			in: kamailio(place{table: "dr_gw_lists", add: []arg{val("GATEWAYS", "gwlist"), opt("DESCRIPTION", "description")}, key: []arg{val("GATEWAYS", "gwlist")}}),
		},
		{
			name: "drouting group", short: "Groups of users (module drouting)", thing: "group", reload: "drouting.reload", example: "alice@example.com 8",
			in: kamailio(place{table: "dr_groups", add: []arg{pair("USER", "username", "domain"), val("GROUP", "groupid"), opt("DESCRIPTION", "description")}, key: []arg{pair("USER", "username", "domain"), opt("GROUP", "groupid")}}),
		},
		{
			name: "mtree", short: "Prefix trees (module mtree)", thing: "prefix", reload: "mtree.reload", live: "mtree.summary", anyTable: true, example: "49 germany",
			in: kamailio(place{table: "mtree", add: []arg{val("PREFIX", "tprefix"), val("VALUE", "tvalue")}, key: []arg{val("PREFIX", "tprefix")}}),
		},
		{
			name: "mtrees", short: "Prefix trees of one table, by name (module mtree)", thing: "prefix", reload: "mtree.reload", example: "ptree 49 germany",
			in: kamailio(place{table: "mtrees", add: []arg{val("TREE", "tname"), val("PREFIX", "tprefix"), val("VALUE", "tvalue")}, key: []arg{val("TREE", "tname"), val("PREFIX", "tprefix"), opt("VALUE", "tvalue")}}),
		},
		{
			name: "pdt", short: "Prefixes to domains (module pdt)", thing: "prefix", reload: "pdt.reload", live: "pdt.list", example: "'*' 49 example.net",
			in: both(
				place{table: "pdt", add: []arg{val("FROM_DOMAIN", "sdomain"), val("PREFIX", "prefix"), val("DOMAIN", "domain")}, key: []arg{val("FROM_DOMAIN", "sdomain"), val("PREFIX", "prefix")}},
				place{table: "pdt", add: []arg{val("PREFIX", "prefix"), val("DOMAIN", "domain")}, key: []arg{val("PREFIX", "prefix")}}),
		},
		{
			name: "matrix", short: "Results by two numbers (module matrix)", thing: "cell", reload: "matrix.reload", example: "1 2 3",
			in: kamailio(place{table: "matrix", add: []arg{val("FIRST", "first"), val("SECOND", "second"), val("RESULT", "res")}, key: []arg{val("FIRST", "first"), val("SECOND", "second")}}),
		},
		{
			name: "rtpengine", short: "Media relays (module rtpengine)", thing: "relay", reload: "rtpengine.reload", live: "rtpengine.show", example: "0 udp:192.0.2.40:2223",
			in: kamailio(place{table: "rtpengine", add: []arg{val("SET", "setid"), val("URL", "url"), opt("WEIGHT", "weight"), opt("DISABLED", "disabled")}, key: []arg{val("SET", "setid"), val("URL", "url")}, stamp: "stamp"}),
		},
		{
			name: "rtpproxy", short: "Media relays (module rtpproxy)", thing: "relay", live: "rtpproxy.list", example: "0 udp:192.0.2.40:7722",
			in: kamailio(place{table: "rtpproxy", add: []arg{val("SET", "setid"), val("URL", "url"), opt("WEIGHT", "weight"), opt("FLAGS", "flags"), opt("DESCRIPTION", "description")}, key: []arg{val("SET", "setid"), val("URL", "url")}}),
		},
		{
			name: "pipelimit", short: "Pipes that limit traffic (module pipelimit)", thing: "pipe", live: "pl.list", example: "calls TAILDROP 100",
			in: kamailio(place{table: "pl_pipes", add: []arg{val("PIPE", "pipeid"), val("ALGORITHM", "algorithm"), val("LIMIT", "plimit")}, key: []arg{val("PIPE", "pipeid")}}),
		},
	}
}

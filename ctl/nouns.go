package ctl

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"sipd/db"
)

// nouns are the simple tables, by what they are for. They are made when they
// are wanted: most runs of sipctl are about users and end sooner without.
var nouns = sync.OnceValue(func() []*noun {
	return slices.Concat(accessNouns(), routingNouns(), userNouns(), bookNouns(), presenceNouns(), otherNouns(), tlsNouns())
})

// kamailio is a noun that the Kamailio flavour alone has.
func kamailio(p place) map[db.Flavour]place { return map[db.Flavour]place{db.Kamailio: p} }

func both(kam, ser place) map[db.Flavour]place {
	return map[db.Flavour]place{db.Kamailio: kam, db.SER: ser}
}

// isIP wants an IP address.
func isIP(field, v string) error {
	if _, err := netip.ParseAddr(strings.Trim(v, "[]")); err != nil {
		return &db.FieldError{Field: field, Value: v, Why: "is no IP address"}
	}
	return nil
}

// isURI wants a SIP URI without blanks and control characters.
func isURI(field, v string) error {
	scheme, rest, _ := strings.Cut(v, ":")
	switch strings.ToLower(scheme) {
	case "sip", "sips", "tel":
	default:
		return &db.FieldError{Field: field, Value: v, Why: "is no SIP URI; it begins with sip: or sips:"}
	}
	if rest == "" {
		return &db.FieldError{Field: field, Value: v, Why: "is no SIP URI: nothing follows the scheme"}
	}
	return noBlanks(field, v)
}

// noBlanks wants a word.
func noBlanks(field, v string) error {
	if v == "" {
		return &db.FieldError{Field: field, Why: "is empty"}
	}
	if strings.ContainsAny(v, " \t") {
		return &db.FieldError{Field: field, Value: v, Why: "has a blank"}
	}
	return db.CheckText(field, v)
}

// network is an IP address, with /BITS after it or not, or a host name, in the
// columns of the address and of the bits.
func network(name, ip, bits string) arg {
	return arg{name: name, columns: []string{ip, bits}, split: func(s, _ string) ([]string, error) {
		host, mask, has := strings.Cut(s, "/")
		addr, err := netip.ParseAddr(host)
		if err != nil {
			return []string{host, "32"}, db.CheckDomain(ip, host)
		}
		if !has {
			return []string{host, strconv.Itoa(addr.BitLen())}, nil
		}
		if n, err := strconv.Atoi(mask); err != nil || n < 0 || n > addr.BitLen() {
			return nil, &db.FieldError{Field: bits, Value: mask, Why: "is no number of bits from 0 to " + strconv.Itoa(addr.BitLen())}
		}
		return []string{host, mask}, nil
	}}
}

// word is one of a few names for the numbers of a column, or the number.
func word(name, column string, words map[string]string) arg {
	return arg{name: name, columns: []string{column}, split: func(s, _ string) ([]string, error) {
		if n, ok := words[strings.ToLower(s)]; ok {
			return []string{n}, nil
		}
		if _, err := strconv.ParseInt(s, 10, 64); err != nil {
			return nil, &db.FieldError{Field: column, Value: s, Why: "is none of " + strings.Join(slices.Sorted(maps.Keys(words)), ", ")}
		}
		return []string{s}, nil
	}}
}

// oneOf wants one of a few words.
func oneOf(words ...string) func(field, v string) error {
	return func(field, v string) error {
		for _, w := range words {
			if v == w {
				return nil
			}
		}
		return &db.FieldError{Field: field, Value: v, Why: "is none of " + strings.Join(words, ", ")}
	}
}

func accessNouns() []*noun {
	return []*noun{
		{
			name: "address", short: "Networks by group (module permissions)", thing: "network", reload: "permissions.addressReload", live: "permissions.addressDump",
			example: "1 192.0.2.0/24 --tag office",
			in: both(
				place{
					table: "address", add: []arg{val("GROUP", "grp"), network("IP[/BITS]", "ip_addr", "mask"), opt("PORT", "port"), opt("TAG", "tag")},
					key: []arg{val("GROUP", "grp"), network("IP[/BITS]", "ip_addr", "mask"), opt("PORT", "port")},
				},
				place{
					table: "ipmatch", add: []arg{val("MARK", "mark"), val("IP", "ip"), opt("VALUE", "avp_val")},
					key: []arg{val("MARK", "mark"), val("IP", "ip")},
				}),
		},
		{
			name: "trusted", short: "Peers that need no password (module permissions)", thing: "peer", reload: "permissions.trustedReload", live: "permissions.trustedDump",
			example: "192.0.2.7 udp '^sip:.*@example\\.com$'",
			in: both(
				place{
					table: "trusted", add: []arg{checked("IP", "src_ip", isIP), checked("PROTOCOL", "proto", oneOf("any", "udp", "tcp", "tls", "sctp", "ws", "wss", "none")), opt("FROM", "from_pattern"), opt("TAG", "tag")},
					key: []arg{val("IP", "src_ip"), opt("PROTOCOL", "proto"), opt("FROM", "from_pattern")},
				},
				place{
					table: "trusted", add: []arg{checked("IP", "src_ip", isIP), checked("PROTOCOL", "proto", oneOf("any", "udp", "tcp", "tls", "sctp", "none")), val("FROM", "from_pattern")},
					key: []arg{val("IP", "src_ip"), opt("PROTOCOL", "proto"), opt("FROM", "from_pattern")},
				}),
		},
		{
			name: "regroup", short: "Groups by regular expression on the URI (module group)", thing: "expression", example: "'^sip:\\+49' 10",
			in: kamailio(place{
				table: "re_grp", add: []arg{val("EXPRESSION", "reg_exp"), val("GROUP", "group_id")},
				key: []arg{val("EXPRESSION", "reg_exp")},
			}),
		},
		{
			name: "domainpolicy", short: "Rules between domains (module domainpolicy)", thing: "rule", example: "example.net domain --att replace --val sip:example.net --description peer",
			in: kamailio(place{
				table: "domainpolicy", add: []arg{val("RULE", "rule"), val("TYPE", "type"), opt("ATTRIBUTE", "att"), opt("VALUE", "val"), opt("DESCRIPTION", "description")},
				key: []arg{val("RULE", "rule"), opt("ATTRIBUTE", "att"), opt("VALUE", "val")}, preset: map[string]string{"description": ""},
			}),
		},
		{
			name: "secfilter", short: "Words that requests must or must not have (module secfilter)", thing: "word", reload: "secfilter.reload", live: "secfilter.print", example: "black ua friendly-scanner",
			in: kamailio(place{
				table: "secfilter", add: []arg{
					word("LIST", "action", map[string]string{"black": "0", "white": "1", "destination": "2"}),
					word("KIND", "type", map[string]string{"ua": "0", "country": "1", "domain": "2", "ip": "3", "user": "4", "other": "5"}), val("WORD", "data"),
				},
				key: []arg{
					word("LIST", "action", map[string]string{"black": "0", "white": "1", "destination": "2"}),
					word("KIND", "type", map[string]string{"ua": "0", "country": "1", "domain": "2", "ip": "3", "user": "4", "other": "5"}), val("WORD", "data"),
				},
			}),
		},
		{
			name: "blocklist", short: "Prefixes that a user may not call (module userblocklist)", thing: "prefix", example: "alice@example.com 0900",
			in: kamailio(place{
				table: "userblocklist", add: []arg{ofUser("username", "domain"), val("PREFIX", "prefix"), word("ALLOW", "allowlist", map[string]string{"no": "0", "yes": "1"}).or()},
				key: []arg{ofUser("username", "domain"), val("PREFIX", "prefix")},
			}),
		},
		{
			name: "globalblocklist", short: "Prefixes that nobody may call (module userblocklist)", thing: "prefix", reload: "userblocklist.reload_blocklist", live: "userblocklist.dump_blocklist", example: "0900",
			in: kamailio(place{
				table: "globalblocklist", add: []arg{val("PREFIX", "prefix"), word("ALLOW", "allowlist", map[string]string{"no": "0", "yes": "1"}).or(), opt("DESCRIPTION", "description")},
				key: []arg{val("PREFIX", "prefix")},
			}),
		},
	}
}

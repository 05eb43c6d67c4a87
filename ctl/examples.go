package ctl

import "sync"

// examples are those of commands that are written by hand: what follows
// "sipctl" and the name of the command.
var examples = sync.OnceValue(func() map[string]string {
	return map[string]string{
		"domain add":       "example.com --alias example.org",
		"domain alias add": "example.com example.net",
		"domain alias rm":  "example.net",
		"domain list":      "--match example",
		"domain rm":        "example.com --cascade",
		"domain show":      "example.com -o json",

		"user add":     "alice@example.com --password-file FILE --alias 100@example.com",
		"user disable": "alice@example.com",
		"user enable":  "alice@example.com",
		"user export":  "--domain example.com --secrets",
		"user import":  "users.csv",
		"user list":    "--domain example.com --columns user,disabled --sort -user",
		"user passwd":  "alice@example.com",
		"user rm":      "alice@example.com bob@example.com",
		"user show":    "100@example.com -o yaml",

		"alias export":   "--domain example.com",
		"alias import":   "aliases.csv",
		"domain enable":  "example.com",
		"domain disable": "example.com",
		"user verify":    "alice@example.com --password-file FILE",
		"user mark":      "alice@example.com",
		"user purge":     "alice@example.com",
		"user set":       "alice@example.com email_address=alice@example.net",
		"attr add":       "alice@example.com lang=de --type string",
		"domain export":  "",
		"domain import":  "domains.csv",
		"attr export":    "-o jsonl",
		"attr import":    "attributes.csv",
		"alias add":      "alice@example.com 100@example.com 101@example.com",
		"alias list":     "alice@example.com",
		"alias rm":       "100@example.com",

		"attr rm":   "alice@example.com lang",
		"attr set":  "alice@example.com lang=cs --type string",
		"attr show": "--of-domain example.com",

		"acl list":   "--domain example.com --sort group",
		"acl grant":  "alice@example.com int voicemail",
		"acl revoke": "alice@example.com int",
		"acl show":   "alice@example.com",

		"rpid add":  "alice@example.com sip:+4930100@example.com",
		"rpid list": "--domain example.com -o json",
		"rpid rm":   "alice@example.com",
		"rpid set":  "alice@example.com sip:+4930101@example.com",
		"rpid show": "alice@example.com",

		"compat install": "/usr/local/bin --only kamctl,kamdbctl",
		"compat list":    "",

		"config aliases": "",
		"config check":   "",
		"config list":    "",
		"config paths":   "",
		"config set":     "db sqlite:///var/lib/sipd/lab.db --in lab",
		"config show":    "-o json",
		"config use":     "lab",

		"db create":         "--flavour kamailio",
		"db migrate plan":   "--from sqlite:old.db",
		"db migrate run":    "--from sqlite:old.db",
		"db migrate verify": "--from sqlite:old.db",
		"db version":        "subscriber location",
	}
})

package ctl

import (
	"strconv"

	"sipd/db"
)

// bookNouns are the operator's books: read, and cleaned by hand.
func bookNouns() []*noun {
	return []*noun{
		{
			name: "acc call", short: "Answered and failed calls (module acc)", thing: "call", noAdd: true,
			in: both(
				place{table: "acc", key: []arg{val("CALLID", "callid")}, screen: []string{"id", "time", "method", "sip_code", "sip_reason", "callid", "src_user", "dst_user"}},
				place{table: "acc", key: []arg{val("CALLID", "sip_callid")}, screen: []string{"id", "request_timestamp", "sip_method", "sip_status", "from_uri", "to_uri", "sip_callid"}}),
		},
		{
			name: "acc missed", short: "Calls that nobody took (module acc)", thing: "call", noAdd: true,
			in: both(
				place{table: "missed_calls", key: []arg{val("CALLID", "callid")}, screen: []string{"id", "time", "method", "sip_code", "sip_reason", "callid", "src_user", "dst_user"}},
				place{table: "missed_calls", key: []arg{val("CALLID", "sip_callid")}, screen: []string{"id", "request_timestamp", "sip_method", "sip_status", "from_uri", "to_uri", "sip_callid"}}),
		},
		{
			name: "acc cdr", short: "Records of calls that the server writes (table acc_cdrs, modules acc and dialog)", thing: "record", noAdd: true,
			in: kamailio(place{table: "acc_cdrs", key: []arg{val("ID", "id")}}),
		},
		{
			name: "acc cdrs", short: "Records of calls that are made of table acc (table cdrs), with their cost", thing: "record", noAdd: true, more: (*App).cdrsCommands,
			in: kamailio(place{
				table: "cdrs", key: []arg{val("CALLID", "sip_call_id"), opt("FROM_TAG", "sip_from_tag"), opt("TO_TAG", "sip_to_tag")},
				screen: []string{"cdr_id", "call_start_time", "duration", "src_username", "src_domain", "dst_username", "dst_domain", "rated", "cost"},
			}),
		},
		{
			name: "acc rates", short: "Prices of calls by group and prefix (table billing_rates)", thing: "price", example: "default 4930 2 60", more: (*App).ratesCommands,
			in: kamailio(place{
				table: "billing_rates", add: []arg{val("GROUP", "rate_group"), val("PREFIX", "prefix"), val("RATE", "rate_unit"), checked("SECONDS", "time_unit", isPositive)},
				key: []arg{val("GROUP", "rate_group"), val("PREFIX", "prefix")},
			}),
		},
		{
			name: "dialog stored", short: "Dialogs as the database has them", thing: "dialog", noAdd: true,
			in: kamailio(place{table: "dialog", key: []arg{val("CALLID", "callid"), opt("FROM_TAG", "from_tag"), opt("TO_TAG", "to_tag")}, screen: []string{"id", "callid", "from_uri", "to_uri", "state", "start_time", "timeout"}}),
		},
		{
			name: "dialog var", short: "Variables of dialogs as the database has them", thing: "variable", noAdd: true,
			in: kamailio(place{table: "dialog_vars", key: []arg{val("HASH_ENTRY", "hash_entry"), val("HASH_ID", "hash_id"), opt("NAME", "dialog_key")}}),
		},
		{
			name: "trace", short: "Traced messages (module siptrace)", thing: "message", noAdd: true,
			in: kamailio(place{table: "sip_trace", key: []arg{val("CALLID", "callid")}, screen: []string{"id", "time_stamp", "method", "status", "fromip", "toip", "callid"}}),
		},
	}
}

// isPositive wants a number from 1 on.
func isPositive(field, v string) error {
	if n, err := strconv.ParseInt(v, 10, 64); err != nil || n < 1 {
		return &db.FieldError{Field: field, Value: v, Why: "is no number from 1 on"}
	}
	return nil
}

// presenceNouns are the tables of the presence modules.
func presenceNouns() []*noun {
	return []*noun{
		{
			name: "presence state", short: "Published states (table presentity)", thing: "state", noAdd: true, live: "presence.presentity_list",
			in: both(
				place{table: "presentity", key: []arg{pair("USER", "username", "domain"), opt("EVENT", "event")}, screen: []string{"id", "username", "domain", "event", "etag", "expires", "sender"}},
				place{table: "presentity", key: []arg{ofUID()}, screen: []string{"pres_id", "uri", "uid", "pdomain"}}),
		},
		{
			name: "presence watcher", short: "Who may watch whom (table watchers)", thing: "watcher", example: "sip:alice@example.com bob@example.com --status 1",
			in: both(
				place{
					table: "watchers", add: []arg{checked("PRESENTITY", "presentity_uri", isURI), pair("WATCHER", "watcher_username", "watcher_domain"), opt("EVENT", "event"), word("STATUS", "status", watcherStatus).or()},
					key: []arg{val("PRESENTITY", "presentity_uri"), pair("WATCHER", "watcher_username", "watcher_domain").or(), opt("EVENT", "event")}, preset: map[string]string{"event": "presence", "status": "2", "inserted_time": "0"},
				},
				place{table: "watcherinfo", key: []arg{val("WATCHER", "w_uri")}, screen: []string{"s_id", "w_uri", "package", "status", "event", "expires"}}),
		},
		{
			name: "presence subscription", short: "Who watches whom now (table active_watchers)", thing: "subscription", noAdd: true,
			in: kamailio(place{table: "active_watchers", key: []arg{val("PRESENTITY", "presentity_uri")}, screen: []string{"id", "presentity_uri", "watcher_username", "watcher_domain", "event", "status", "expires"}}),
		},
		{
			name: "presence xcap", short: "XCAP documents (table xcap)", thing: "document", noAdd: true,
			in: kamailio(place{table: "xcap", key: []arg{pair("USER", "username", "domain")}, screen: []string{"id", "username", "domain", "doc_type", "doc_uri", "etag"}}),
		},
		{
			name: "presence pua", short: "What the server itself publishes and watches (table pua)", thing: "record", noAdd: true,
			in: kamailio(place{table: "pua", key: []arg{val("PRESENTITY", "pres_uri")}, screen: []string{"id", "pres_uri", "event", "expires", "flag", "watcher_uri"}}),
		},
		{
			name: "presence rls", short: "Subscriptions to lists (table rls_watchers)", thing: "subscription", noAdd: true,
			in: both(
				place{table: "rls_watchers", key: []arg{val("PRESENTITY", "presentity_uri")}, screen: []string{"id", "presentity_uri", "watcher_username", "watcher_domain", "event", "status", "expires"}},
				place{table: "rls_subscription", key: []arg{val("ID", "id")}, screen: []string{"id", "uri", "package", "w_uri", "expires"}}),
		},
		{
			name: "presence resource", short: "States of the members of lists (table rls_presentity)", thing: "state", noAdd: true,
			in: kamailio(place{table: "rls_presentity", key: []arg{val("RESOURCE", "resource_uri")}, screen: []string{"id", "resource_uri", "content_type", "expires", "auth_state"}}),
		},
	}
}

// watcherStatus are the numbers of a watcher's status.
var watcherStatus = map[string]string{"active": "1", "pending": "2", "terminated": "3", "waiting": "4"}

func otherNouns() []*noun {
	return []*noun{
		{
			name: "htable", aliases: []string{"sht"}, short: "Hash tables as they are filled from the database (module htable)", thing: "key", reload: "htable.reload", live: "htable.dump", anyTable: true, noTell: true, example: "ipban 192.0.2.66 --value-type 1 --key-value 1",
			in: kamailio(place{
				table: "htable", add: []arg{val("KEY", "key_name"), val("VALUE", "key_value"), word("KIND", "value_type", map[string]string{"string": "0", "int": "1"}).or()},
				key: []arg{val("KEY", "key_name")},
			}),
		},
		{
			name: "mohqueue", short: "Queues with music on hold (module mohqueue)", thing: "queue", example: "support sip:support@example.com moh --debug 0",
			in: kamailio(place{table: "mohqueues", add: []arg{val("NAME", "name"), checked("URI", "uri", isURI), val("FILE", "mohfile"), opt("FOLDER", "mohdir")}, key: []arg{val("NAME", "name")}, preset: map[string]string{"debug": "0"}}),
		},
		{
			name: "purplemap", short: "Accounts of other networks (module purple)", thing: "account", example: "sip:alice@example.com alice prpl-jabber",
			in: kamailio(place{table: "purplemap", add: []arg{checked("URI", "sip_user", isURI), val("ACCOUNT", "ext_user"), val("PROTOCOL", "ext_prot")}, key: []arg{val("URI", "sip_user"), opt("ACCOUNT", "ext_user")}, secret: []string{"ext_pass"}}),
		},
		{
			name: "i18n", short: "Reason phrases by language (ser flavour)", thing: "phrase", example: "404 de 'Nicht gefunden'",
			in: ser(place{table: "i18n", add: []arg{val("CODE", "code"), val("LANGUAGE", "lang"), val("PHRASE", "new_reason")}, key: []arg{val("CODE", "code"), val("LANGUAGE", "lang")}}),
		},
	}
}

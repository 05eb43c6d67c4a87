package ctl

import (
	"encoding/binary"
	"net/netip"
	"strconv"

	"sipd/db"
)

func ser(p place) map[db.Flavour]place { return map[db.Flavour]place{db.SER: p} }

// packedIP is an IPv4 address in a column of numbers, as SER's lcr module keeps
// it: its bytes in memory order on the machines SER ran on, lowest first.
func packedIP(name, column string) arg {
	return arg{name: name, columns: []string{column}, split: func(s, _ string) ([]string, error) {
		a, err := netip.ParseAddr(s)
		if err != nil || !a.Is4() {
			return nil, &db.FieldError{Field: column, Value: s, Why: "is no IPv4 address"}
		}
		b := a.As4()
		return []string{strconv.FormatUint(uint64(binary.LittleEndian.Uint32(b[:])), 10)}, nil
	}}
}

func userNouns() []*noun {
	return []*noun{
		{
			name: "avp", short: "Attributes of users as avpops reads them, by user or uuid", thing: "attribute", example: "alice@example.com lang en",
			in: kamailio(place{
				table: "usr_preferences", add: []arg{pair("USER", "username", "domain"), val("ATTRIBUTE", "attribute"), val("VALUE", "value"), opt("TYPE", "type")},
				key: []arg{pair("USER", "username", "domain"), val("ATTRIBUTE", "attribute"), opt("VALUE", "value")}, stamp: "last_modified",
				screen: []string{"id", "uuid", "username", "domain", "attribute", "type", "value"},
				repeat: true,
			}),
		},
		{
			name: "speeddial", aliases: []string{"sd"}, short: "Short numbers of users (module speeddial)", thing: "short number", example: "alice@example.com 11@example.com sip:bob@example.com",
			in: both(
				place{
					table: "speed_dial", add: []arg{ofUser("username", "domain"), pair("SHORT", "sd_username", "sd_domain"), checked("URI", "new_uri", isURI), opt("DESCRIPTION", "description")},
					key: []arg{ofUser("username", "domain"), pair("SHORT", "sd_username", "sd_domain")},
				},
				place{
					table: "speed_dial", add: []arg{ofUID(), didPair("SHORT", "dial_username", "dial_did"), checked("URI", "new_uri", isURI)},
					key: []arg{ofUID(), didPair("SHORT", "dial_username", "dial_did")},
				}),
		},
		{
			name: "uacreg", short: "Registrations at other servers (module uac)", thing: "registration", reload: "uac.reg_reload", live: "uac.reg_dump",
			example: "trunk1 100 example.com 4930 provider.example --auth-username 4930 --auth-password-file FILE --auth-proxy sip:provider.example --expires 600",
			in: kamailio(place{
				table: "uacreg", add: []arg{val("UUID", "l_uuid"), val("USER", "l_username"), val("DOMAIN", "l_domain"), val("REMOTE_USER", "r_username"), val("REMOTE_DOMAIN", "r_domain"), opt("REALM", "realm")},
				key:    []arg{val("UUID", "l_uuid")},
				secret: []string{"auth_password", "auth_ha1"}, screen: []string{"l_uuid", "l_username", "l_domain", "r_username", "r_domain", "realm", "auth_proxy", "expires", "flags"},
			}),
		},
		{
			name: "silo", short: "Messages stored for users that are away (module msilo)", thing: "message", noAdd: true,
			in: both(
				place{table: "silo", key: []arg{pair("USER", "username", "domain")}, screen: []string{"id", "src_addr", "dst_addr", "inc_time", "exp_time", "ctype", "body"}},
				place{table: "silo", key: []arg{ofUID()}, screen: []string{"mid", "from_hdr", "to_hdr", "inc_time", "exp_time", "ctype", "body"}}),
		},
		{
			name: "cpl", short: "Call processing scripts (module cpl-c)", thing: "script", noAdd: true,
			in: both(
				place{table: "cpl", key: []arg{pair("USER", "username", "domain")}, screen: []string{"username", "domain"}},
				place{table: "cpl", key: []arg{ofUID()}, screen: []string{"uid"}}),
		},
		{
			name: "uri", part: "users", short: "URIs of users: their own and their others (ser flavour), and those of module uri_db", thing: "URI user", example: "alice@example.com 100@example.com",
			in: both(
				place{table: "uri", add: []arg{ofUser("username", "domain"), val("URI_USER", "uri_user")}, key: []arg{ofUser("username", "domain"), val("URI_USER", "uri_user")}, stamp: "last_modified"},
				place{
					table: "uri", add: []arg{ofUID(), didPair("URI", "username", "did")}, key: []arg{ofUID(), didPair("URI", "username", "did")},
					preset: map[string]string{"flags": "57", "scheme": "sip"}, flags: true,
				}),
		},
		credNoun(),
		{
			name: "attrtype", part: "users", short: "Which attributes there are: type, flags, description (ser flavour)", thing: "attribute type", example: "color --raw-type 2 --rich-type string --default-flags sw --priority 256",
			in: ser(place{
				table: "attr_types", add: []arg{checked("NAME", "name", noBlanks)}, key: []arg{val("NAME", "name")}, flags: true, preset: map[string]string{"default_flags": "33"},
				screen: []string{"name", "rich_type", "raw_type", "default_flags", "flags", "priority", "access", "grp"},
			}),
		},
		{
			name: "uriattr", part: "users", short: "Attributes of single URIs (ser flavour)", thing: "attribute", example: "100@example.com lang cs",
			in: ser(place{
				table: "uri_attrs", add: []arg{didPair("URI", "username", "did"), checked("NAME", "name", noBlanks), val("VALUE", "value")},
				key: []arg{didPair("URI", "username", "did"), val("NAME", "name"), opt("VALUE", "value")}, flags: true, preset: map[string]string{"type": "2", "flags": "33", "scheme": "sip"}, repeat: true,
			}),
		},
		{
			name: "phonebook", short: "Address books (ser flavour)", thing: "entry", example: "alice@example.com sip:bob@example.com --fname Bob",
			in: ser(place{table: "phonebook", add: []arg{ofUID(), checked("URI", "sip_uri", isURI)}, key: []arg{ofUID(), val("URI", "sip_uri")}}),
		},
		{
			name: "ul stored", short: "Registered contacts as the database has them (table location)", thing: "contact", noAdd: true,
			in: both(
				place{table: "location", key: []arg{pair("USER", "username", "domain"), opt("CONTACT", "contact")}, screen: []string{"username", "domain", "contact", "expires", "q", "user_agent"}},
				place{table: "location", key: []arg{ofUID(), opt("CONTACT", "contact")}, screen: []string{"uid", "aor", "contact", "expires", "q", "flags", "user_agent"}}),
		},
		{
			name: "ul attr", short: "Attributes of registered contacts", thing: "attribute", noAdd: true,
			in: both(
				place{table: "location_attrs", key: []arg{pair("USER", "username", "domain")}},
				place{table: "contact_attrs", key: []arg{ofUID()}}),
		},
		{
			name: "imc room", short: "Rooms of conferences (module imc)", thing: "room", example: "lobby example.com 0",
			in: kamailio(place{table: "imc_rooms", add: []arg{val("NAME", "name"), val("DOMAIN", "domain"), opt("FLAG", "flag")}, key: []arg{val("NAME", "name"), val("DOMAIN", "domain")}, preset: map[string]string{"flag": "0"}}),
		},
		{
			name: "imc member", short: "Members of conferences (module imc)", thing: "member", example: "alice@example.com sip:chat-lobby@example.com 1",
			in: kamailio(place{table: "imc_members", add: []arg{pair("USER", "username", "domain"), val("ROOM", "room"), opt("FLAG", "flag")}, key: []arg{pair("USER", "username", "domain"), val("ROOM", "room")}, preset: map[string]string{"flag": "0"}}),
		},
	}
}

// didPair is user@domain in the columns of a user part and of a did.
func didPair(name, user, did string) arg {
	x := pair(name, user, did)
	x.did = true
	return x
}

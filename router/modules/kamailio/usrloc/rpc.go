package usrloc

import (
	"context"
	"strconv"
	"strings"
	"time"

	"sipd/router/usrloc"
	"sipd/rpc"
)

// contactReply is what ul.lookup and ul.dump show of a contact.
const contactReply = "struct {Address: string, Expires: int or string, Q: double or int, Call-ID: string, CSeq: int, User-Agent, Received, " +
	"Path, State: string, Flags, CFlags: int, Socket: string, Methods: int, Ruid, Instance: string, Reg-Id, Server-Id, Tcpconn-Id, " +
	"Keepalive, Last-Keepalive, KA-Roundtrip, Last-Modified: int}"

// methods are the RPC methods; texts and codes of faults are Kamailio's.
func (m *mod) methods() []*rpc.Method {
	table := rpc.Param{Name: "table", Type: rpc.TString, Help: "the location table"}
	aor := rpc.Param{Name: "aor", Type: rpc.TString, Convert: true, Help: "address of record, as user or user@domain"}
	contact := rpc.Param{Name: "contact", Type: rpc.TString, Help: "the contact's URI"}
	num := func(name, help string) rpc.Param { return rpc.Param{Name: name, Type: rpc.TInt, Help: help} }
	opt := func(name, help string) rpc.Param {
		return rpc.Param{Name: name, Type: rpc.TString, Convert: true, Optional: true, Help: help}
	}
	noTable := &rpc.Fault{Code: 500, Text: "Not enough parameters (table to lookup)"}
	noAOR := &rpc.Fault{Code: 500, Text: "Not enough parameters (table and AOR to lookup)"}
	const lookup = "location alice@example.com"
	return []*rpc.Method{
		{
			Name: "ul.dump", Help: `Lists the addresses of record and their contacts; "brief" leaves the contacts out.`,
			Params: append([]rpc.Param{{Name: "brief", Type: rpc.TString, Optional: true, Help: `"brief", or "" for all`}}, rpc.SelectParams()...),
			Reply: "struct {Domains: list of Domain: struct {Domain: string, Size: int, AoRs: list of Info: struct {AoR: string, HashID: int, " +
				"Contacts: list of Contact: …} (brief: AoR: string), Stats: struct {Records, Max-Slots: int}}}",
			Example: `"" alice* 10`, Handler: m.dump,
		},
		{
			Name: "ul.lookup", Help: "Shows an address of record.", Params: []rpc.Param{table, aor}, BadParams: noAOR,
			Reply: "struct {AoR: string, Contacts: list of Contact: " + contactReply + "}", Example: lookup, Handler: m.lookup,
		},
		{
			Name: "ul.rm", Help: "Removes an address of record.", Params: []rpc.Param{table, aor}, BadParams: noAOR, Changes: true,
			Example: lookup, Handler: m.remove,
		},
		{
			Name: "ul.rm_contact", Help: "Removes a contact.", Params: []rpc.Param{table, aor, contact}, Changes: true,
			BadParams: &rpc.Fault{Code: 500, Text: "Not enough parameters (table, AOR and contact)"},
			Example:   lookup + " sip:alice@192.0.2.7:5060", Handler: m.removeContact,
		},
		{Name: "ul.flush", Help: "Writes the contacts to the database.", Changes: true, Handler: m.flush},
		{
			Name: "ul.add", Help: "Adds a contact.", Changes: true, Handler: m.add,
			Params: []rpc.Param{
				table, aor, contact, num("expires", "seconds; 0 for ever"),
				{Name: "q", Type: rpc.TDouble, Help: "preference, 0 to 1"},
				{Name: "path", Type: rpc.TString, Convert: true, Help: `Path set; "", "0" or "." for none`},
				num("flags", "flags of the table"), num("cflags", "branch flags"), num("methods", "mask of methods; -1 for all"),
				opt("received", "URI that the contact really is at"), opt("socket", "socket to send from, proto:address:port"),
			},
			BadParams: &rpc.Fault{Code: 500, Text: "Not enough parameters or wrong format"},
			Example:   lookup + ` sip:alice@192.0.2.7:5060 3600 0.5 "" 0 0 -1`,
		},
		{
			Name: "ul.db_users", Help: "Counts the addresses of record in the database.", Params: []rpc.Param{table}, BadParams: noTable,
			Reply: "int", Example: "location", Handler: m.count(countUsers),
		},
		{
			Name: "ul.db_contacts", Help: "Counts the valid contacts in the database.", Params: []rpc.Param{table}, BadParams: noTable,
			Reply: "int", Example: "location", Handler: m.count(countContacts),
		},
		{
			Name: "ul.db_expired_contacts", Help: "Counts the ended contacts in the database.", Params: []rpc.Param{table}, BadParams: noTable,
			Reply: "int", Example: "location", Handler: m.count(countExpired),
		},
	}
}

func notSet(s string) rpc.Value {
	if s == "" {
		return rpc.String("[not set]")
	}
	return rpc.String(s)
}

// contact is one contact as ul.dump shows it.
func contact(t *usrloc.Table, c *usrloc.Contact, now int64) rpc.Struct {
	var expires rpc.Value = rpc.Int(c.Left(now))
	switch {
	case c.Expires() == 0:
		expires = rpc.String("permanent")
	case !c.Valid(now):
		expires = rpc.String("expired")
	}
	var q rpc.Value = rpc.Int(-1)
	if c.Q() >= 0 {
		q = rpc.Double(float64(c.Q()) / 1000)
	}
	path := rpc.M("Path", notSet(c.Path()))
	return rpc.Struct{
		rpc.M("Address", rpc.String(c.URI())), rpc.M("Expires", expires), rpc.M("Q", q),
		rpc.M("Call-ID", rpc.String(c.CallID())), rpc.M("CSeq", rpc.Int(int32(c.CSeq()))),
		rpc.M("User-Agent", notSet(c.UserAgent())), rpc.M("Received", notSet(c.Received())), path,
		rpc.M("State", rpc.String(t.State(c).String())), rpc.M("Flags", rpc.Int(int32(c.Flags()))),
		rpc.M("CFlags", rpc.Int(int32(c.CFlags()))), rpc.M("Socket", notSet(t.Socket(c))),
		rpc.M("Methods", rpc.Int(int32(c.Methods()))), rpc.M("Ruid", notSet(c.RUID())),
		rpc.M("Instance", notSet(c.Instance())), rpc.M("Reg-Id", rpc.Int(c.RegID())),
		rpc.M("Server-Id", rpc.Int(c.ServerID())), rpc.M("Tcpconn-Id", rpc.Int(c.Conn())),
		rpc.M("Keepalive", rpc.Int(0)), rpc.M("Last-Keepalive", rpc.Int(c.LastKeepalive())),
		rpc.M("KA-Roundtrip", rpc.Int(c.Trip().Microseconds())), rpc.M("Last-Modified", rpc.Int(c.Modified())),
	}
}

func contacts(t *usrloc.Table, list []*usrloc.Contact, now int64) rpc.Items {
	items := make(rpc.Items, 0, len(list))
	for _, c := range list {
		items = append(items, rpc.M("Contact", contact(t, c, now)))
	}
	return items
}

// dump streams the tables: a million contacts are not built in memory.
func (m *mod) dump(_ context.Context, c *rpc.Call) error {
	brief := c.Has(0) && c.Str(0) == "brief"
	sel := c.ReadSelection(1)
	left := new(int)
	now := time.Now().Unix()
	var domains rpc.Items
	for i, t := range m.all.Tables() {
		records, most := t.Fill()
		domains = append(domains, rpc.M("Domain", rpc.Struct{
			rpc.M("Domain", rpc.String(t.Name())), rpc.M("Size", rpc.Int(t.Slots())), rpc.M("AoRs", aors(t, brief, sel, left, i == 0, now)),
			rpc.M("Stats", rpc.Struct{rpc.M("Records", rpc.Int(records)), rpc.M("Max-Slots", rpc.Int(most))}),
		}))
	}
	c.Add(rpc.Struct{rpc.M("Domains", domains)})
	return nil
}

// aors lists the addresses of record of a table that are selected; left is how
// many more may come, all tables together, which the first sets.
func aors(t *usrloc.Table, brief bool, sel rpc.Selection, left *int, first bool, now int64) rpc.Stream {
	return func(yield func(rpc.Member) bool) {
		if first {
			*left = sel.Limit
		}
		for r := range t.All() {
			if !sel.Matches(r.AOR) {
				continue
			}
			if sel.Limit > 0 {
				if *left == 0 {
					return
				}
				*left--
			}
			item := rpc.M("AoR", rpc.String(r.AOR))
			if !brief {
				item = rpc.M("Info", rpc.Struct{item, rpc.M("HashID", rpc.Int(int32(r.Hash))), rpc.M("Contacts", contacts(t, r.Contacts, now))})
			}
			if !yield(item) {
				return
			}
		}
	}
}

var (
	faultTable   = &rpc.Fault{Code: 500, Text: "Domain table not found"}
	faultDomain  = &rpc.Fault{Code: 500, Text: "Domain missing in AOR"}
	faultAOR     = &rpc.Fault{Code: 404, Text: "AOR not found"}
	faultContact = &rpc.Fault{Code: 404, Text: "Contact not found"}
)

// record reads table and address of record.
func (m *mod) record(c *rpc.Call) (*usrloc.Table, string, error) {
	t := m.all.Lookup(c.Str(0))
	if t == nil {
		return nil, "", faultTable
	}
	aor := c.Str(1)
	user, domain, has := strings.Cut(aor, "@")
	switch {
	case !m.useDomain:
		aor = user
	case !has:
		return nil, "", faultDomain
	default:
		aor = user + "@" + strings.ToLower(domain)
	}
	if !m.caseSensitive() {
		aor = strings.ToLower(aor)
	}
	return t, aor, nil
}

// caseSensitive asks registrar's runtime variable; without registrar case does
// not count.
func (m *mod) caseSensitive() bool {
	v, ok := m.host.Cfg.Lookup("registrar", "case_sensitive")
	return ok && v.Value(m.host.Cfg.Snapshot()) != rpc.Int(0)
}

func (m *mod) lookup(_ context.Context, c *rpc.Call) error {
	t, aor, err := m.record(c)
	if err != nil {
		return err
	}
	list := t.Get(aor, nil)
	if len(list) == 0 {
		return &rpc.Fault{Code: 500, Text: "AOR not found in location table"}
	}
	c.Add(rpc.Struct{rpc.M("AoR", rpc.String(aor)), rpc.M("Contacts", contacts(t, list, time.Now().Unix()))})
	return nil
}

func (m *mod) remove(ctx context.Context, c *rpc.Call) error {
	t, aor, err := m.record(c)
	if err != nil {
		return err
	}
	c.Changed(t.Name()+" "+aor, countText(len(t.Get(aor, nil))), "none")
	_, err = t.Remove(ctx, aor)
	return err
}

func (m *mod) removeContact(ctx context.Context, c *rpc.Call) error {
	t, aor, err := m.record(c)
	if err != nil {
		return err
	}
	x := t.Begin(aor)
	if x.First() == nil {
		_ = x.End(ctx)
		return faultAOR
	}
	for e := x.First(); e != nil; e = e.Next() {
		if e.URI() == c.Str(2) {
			x.Delete(e)
			c.Changed(t.Name()+" "+aor, e.URI(), "")
			return x.End(ctx)
		}
	}
	_ = x.End(ctx)
	return faultContact
}

func (m *mod) flush(ctx context.Context, _ *rpc.Call) error {
	for _, t := range m.all.Tables() {
		if err := t.Sweep(ctx, time.Now().Unix()); err != nil {
			return err
		}
	}
	return nil
}

// unset reads a text for which "0" and "." mean none.
func unset(c *rpc.Call, i int) string {
	if !c.Has(i) || c.Str(i) == "0" || c.Str(i) == "." {
		return ""
	}
	return c.Str(i)
}

func (m *mod) add(ctx context.Context, c *rpc.Call) error {
	t, aor, err := m.record(c)
	if err != nil {
		return err
	}
	i := m.newInfo(c, c.Int(3), c.Double(4))
	i.Path, i.Flags, i.CFlags, i.Methods = unset(c, 5), uint32(c.Int(6)), uint32(c.Int(7)), uint32(c.Int(8))
	i.Received, i.Socket = unset(c, 9), unset(c, 10)
	return put(ctx, c, t, aor, &i)
}

// newInfo is the contact that parameter 2 of a call names, as one that no
// phone registered: expires is in seconds, 0 for ever.
func (m *mod) newInfo(c *rpc.Call, expires int, q float64) usrloc.Info {
	now := time.Now().Unix()
	i := usrloc.Info{
		URI: c.Str(2), CallID: "dfjrewr12386fd6-343@kamailio.rpc", CSeq: 1, UserAgent: "kamailio SIP Router - RPC Server",
		Q: int(q*1000 + 0.5), RUID: m.added.Next(), Conn: -1, ServerID: m.host.Env.ServerID, Modified: now,
	}
	if expires != 0 {
		i.Expires = now + int64(expires)
	}
	if i.Q < 0 || i.Q > 1000 {
		i.Q = usrloc.QUnset
	}
	return i
}

// put stores a contact, in place of the one with the same URI.
func put(ctx context.Context, c *rpc.Call, t *usrloc.Table, aor string, i *usrloc.Info) error {
	what := t.Name() + " " + aor
	x := t.Begin(aor)
	for e := x.First(); e != nil; e = e.Next() {
		if e.URI() == i.URI {
			_, err := x.Update(e, i)
			c.Changed(what, e.URI(), i.URI)
			return firstOf(err, x.End(ctx))
		}
	}
	_, err := x.Insert(i)
	c.Changed(what, "", i.URI)
	return firstOf(err, x.End(ctx))
}

// countText is how the log tells a number of contacts.
func countText(n int) string { return strconv.Itoa(n) + " contacts" }

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func (m *mod) count(what counting) func(context.Context, *rpc.Call) error {
	return func(ctx context.Context, c *rpc.Call) error {
		if m.store == nil {
			return &rpc.Fault{Code: 500, Text: "Command is not supported in db_mode=0"}
		}
		if m.all.Lookup(c.Str(0)) == nil {
			return faultTable
		}
		n, err := m.store.count(ctx, c.Str(0), what, time.Now())
		if err != nil {
			return err
		}
		c.Add(rpc.Int(n))
		return nil
	}
}

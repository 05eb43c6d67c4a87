package usrloc

import (
	"context"
	"time"

	"sipd/router/usrloc"
	"sipd/rpc"
)

// serMethods are the methods of SER's usrloc (2010), which names the owner of
// contacts by user id: here the address of record.
func (m *mod) serMethods() []*rpc.Method {
	table := rpc.Param{Name: "table", Type: rpc.TString, Help: "the location table"}
	uid := rpc.Param{Name: "uid", Type: rpc.TString, Convert: true, Help: "whose contacts: the address of record"}
	contact := rpc.Param{Name: "contact", Type: rpc.TString, Help: "the contact's URI"}
	num := func(name, help string) rpc.Param { return rpc.Param{Name: name, Type: rpc.TInt, Help: help} }
	const example = "location alice@example.com"
	return []*rpc.Method{
		{
			Name: "usrloc.stats", Help: "Tells how many users and ended contacts each table has.", List: true,
			Reply: "struct {domain: string, users, expired: int}", Handler: m.serStats,
		},
		{
			Name: "usrloc.show_contacts", Help: "Lists the contacts of a user.", List: true, Params: []rpc.Param{table, uid},
			Reply: "struct {contact: string, q: double, expires: int or string, ua, recv: string}", Example: example, Handler: m.serShow,
		},
		{
			Name: "usrloc.add_contact", Help: "Adds a contact.", Changes: true,
			Params: []rpc.Param{
				table, uid, contact, num("expires", "seconds; 0 for ever"),
				{Name: "q", Type: rpc.TDouble, Help: "preference, 0 to 1"},
				num("flags", "branch flags"), num("sid", "id of the server that adds it; 0 for this one"),
			},
			Example: example + " sip:alice@192.0.2.7:5060 3600 0.5 0 0", Handler: m.serAdd,
		},
		{
			Name: "usrloc.delete_contact", Help: "Removes a contact.", Changes: true, Params: []rpc.Param{table, uid, contact},
			Example: example + " sip:alice@192.0.2.7:5060", Handler: m.removeContact,
		},
		{
			Name: "usrloc.delete_uid", Help: "Removes all contacts of a user.", Changes: true, Params: []rpc.Param{table, uid},
			Example: example, Handler: m.remove,
		},
		{
			Name: "usrloc.dump", Help: "Lists the contacts of all users, as ul.dump.", Handler: m.dump,
			Params:  append([]rpc.Param{{Name: "brief", Type: rpc.TString, Optional: true, Help: `"brief": without contacts`}}, rpc.SelectParams()...),
			Reply:   "as ul.dump",
			Example: `"" alice* 10`,
		},
		{
			Name: "usrloc.dump_file", Help: "Is refused: this server writes no files for its callers; redirect usrloc.dump.",
			Params: []rpc.Param{{Name: "filename", Type: rpc.TString, Help: "where to"}}, Example: "/tmp/contacts",
			Handler: func(context.Context, *rpc.Call) error {
				return &rpc.Fault{Code: 500, Text: "files are not written for callers; use: sipcmd -o json ul.dump >FILE"}
			},
		},
		{Name: "usrloc.flush", Help: "Writes the contacts to the database.", Changes: true, Handler: m.flush},
	}
}

func (m *mod) serStats(_ context.Context, c *rpc.Call) error {
	for _, t := range m.all.Tables() {
		c.Add(rpc.Struct{
			rpc.M("domain", rpc.String(t.Name())), rpc.M("users", rpc.Int(t.Users())), rpc.M("expired", rpc.Int(t.Ended())),
		})
	}
	return nil
}

func (m *mod) serShow(_ context.Context, c *rpc.Call) error {
	t, aor, err := m.record(c)
	if err != nil {
		return err
	}
	list := t.Get(aor, nil)
	if len(list) == 0 {
		return faultAOR
	}
	now := time.Now().Unix()
	for _, e := range list {
		var expires rpc.Value = rpc.Int(e.Left(now))
		switch {
		case e.Expires() == 0:
			expires = rpc.String("never")
		case !e.Valid(now):
			expires = rpc.String("expired")
		}
		c.Add(rpc.Struct{
			rpc.M("contact", rpc.String(e.URI())), rpc.M("q", rpc.Double(max(0, float64(e.Q()))/1000)), rpc.M("expires", expires),
			rpc.M("ua", rpc.String(e.UserAgent())), rpc.M("recv", rpc.String(e.Received())),
		})
	}
	return nil
}

func (m *mod) serAdd(ctx context.Context, c *rpc.Call) error {
	t, aor, err := m.record(c)
	if err != nil {
		return err
	}
	i := m.newInfo(c, c.Int(3), c.Double(4))
	i.CFlags, i.Methods = uint32(c.Int(5)), usrloc.AllMethods
	if sid := c.Int(6); sid != 0 {
		i.ServerID = sid
	}
	return put(ctx, c, t, aor, &i)
}

package tm

import (
	"slices"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/tm"
)

// contacts is serial forking: t_load_contacts() puts the fork set aside in
// groups of equal q, the highest last, t_next_contacts() takes one.
type contacts struct {
	avp, flows string
	xavp       string
}

func (s *contacts) params() []module.Param {
	return []module.Param{
		{Name: "contacts_avp", Help: "has no effect: the groups are kept with the transaction", Value: &s.avp},
		{Name: "contact_flows_avp", Help: "has no effect", Value: &s.flows},
		{Name: "xavp_contact", Help: "has no effect", Value: &s.xavp},
	}
}

func (m *mod) loadContacts(c *run.Context) int {
	if len(c.Branches) == 0 && !c.RURINew {
		return -1
	}
	if len(c.Branches) == 0 {
		return 1 // one contact needs no order
	}
	all := slices.Clone(c.Branches)
	if c.RURINew {
		b := c.Main
		if b.URI == "" {
			b.URI = c.Msg.RequestURI()
		}
		if b.Sock == nil {
			b.Sock = c.SendSock
		}
		all = append([]run.Branch{b}, all...)
	}
	slices.SortStableFunc(all, func(a, b run.Branch) int { return b.Q - a.Q })
	c.Branches = c.Branches[:0]
	c.RURINew = false
	m.keep(c, all)
	return 1
}

// keep stores what is left where the next call finds it.
func (m *mod) keep(c *run.Context, all []run.Branch) {
	if t := tm.Of(c); t != nil {
		t.Contacts = all
		return
	}
	m.table.KeepContacts(c, all)
}

func (m *mod) nextContacts(c *run.Context) int {
	var all []run.Branch
	t := tm.Of(c)
	if t != nil {
		all = t.Contacts
	}
	if t == nil {
		all = m.table.KeptContacts(c)
	}
	if len(all) == 0 {
		return -2
	}
	n := 1
	for n < len(all) && all[n].Q == all[0].Q {
		n++
	}
	group := all[:n]
	c.Main = group[0]
	c.SendSock = group[0].Sock
	c.RURINew = true
	c.Branches = append(c.Branches[:0], group[1:]...)
	m.keep(c, all[n:])
	return 1
}

package registrar

import (
	"fmt"
	"strings"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/usrloc"
)

// profiles are what reg_fetch_contacts got, by name. They belong to the run of
// the message.
type profiles map[string]*profile

type profile struct {
	table *usrloc.Table
	aor   string
	list  []*usrloc.Contact
}

// kept holds the two things that registrar keeps for a message.
func (r *registrar) profiles(c *run.Context) profiles {
	p, _ := c.Slots[r.ulcSlot].(profiles)
	return p
}

func (r *registrar) newFetch(a module.Args) (run.Func, error) {
	t, err := r.table(a)
	if err != nil {
		return nil, err
	}
	name := a[2].Const.Text()
	return func(c *run.Context) int {
		u, err := r.uriOf(c, a.Str(c, 1))
		if err != nil {
			return -1
		}
		aor, why := r.aor(c, u)
		if why != codeOK {
			return -1
		}
		all := r.profiles(c)
		if all == nil {
			all = make(profiles)
			c.Slots[r.ulcSlot] = all
		}
		p := &profile{table: t, aor: aor, list: t.Get(aor, nil)}
		if len(p.list) == 0 {
			delete(all, name)
			return -1
		}
		all[name] = p
		return 1
	}, nil
}

func (r *registrar) newFree(a module.Args) (run.Func, error) {
	name := a[0].Const.Text()
	return func(c *run.Context) int {
		delete(r.profiles(c), name)
		return 1
	}, nil
}

// ulcFields are the attributes of $ulc(profile=>attribute).
var ulcFields = map[string]func(p *profile, k *usrloc.Contact) run.Value{
	"aor":        func(p *profile, _ *usrloc.Contact) run.Value { return run.Str(p.aor) },
	"domain":     func(p *profile, _ *usrloc.Contact) run.Value { return run.Str(p.table.Name()) },
	"aorhash":    func(p *profile, _ *usrloc.Contact) run.Value { return run.Int(int(int32(usrloc.Hash(p.aor)))) },
	"count":      func(p *profile, _ *usrloc.Contact) run.Value { return run.Int(len(p.list)) },
	"addr":       func(_ *profile, k *usrloc.Contact) run.Value { return run.Str(k.URI()) },
	"path":       func(_ *profile, k *usrloc.Contact) run.Value { return orNull(k.Path()) },
	"received":   func(_ *profile, k *usrloc.Contact) run.Value { return orNull(k.Received()) },
	"expires":    func(_ *profile, k *usrloc.Contact) run.Value { return run.Int(int(k.Expires())) },
	"callid":     func(_ *profile, k *usrloc.Contact) run.Value { return run.Str(k.CallID()) },
	"q":          func(_ *profile, k *usrloc.Contact) run.Value { return run.Int(k.Q()) },
	"cseq":       func(_ *profile, k *usrloc.Contact) run.Value { return run.Int(int(k.CSeq())) },
	"flags":      func(_ *profile, k *usrloc.Contact) run.Value { return run.Int(int(k.Flags())) },
	"cflags":     func(_ *profile, k *usrloc.Contact) run.Value { return run.Int(int(k.CFlags())) },
	"user_agent": func(_ *profile, k *usrloc.Contact) run.Value { return run.Str(k.UserAgent()) },
	"socket":     func(p *profile, k *usrloc.Contact) run.Value { return orNull(p.table.Socket(k)) },
	"modified":   func(_ *profile, k *usrloc.Contact) run.Value { return run.Int(int(k.Modified())) },
	"methods":    func(_ *profile, k *usrloc.Contact) run.Value { return run.Int(int(int32(k.Methods()))) },
	"ruid":       func(_ *profile, k *usrloc.Contact) run.Value { return run.Str(k.RUID()) },
	"regid":      func(_ *profile, k *usrloc.Contact) run.Value { return run.Int(k.RegID()) },
	"instance":   func(_ *profile, k *usrloc.Contact) run.Value { return orNull(k.Instance()) },
	"server_id":  func(_ *profile, k *usrloc.Contact) run.Value { return run.Int(k.ServerID()) },
	"conid": func(_ *profile, k *usrloc.Contact) run.Value {
		if k.Conn() < 0 {
			return run.Null
		}
		return run.Int(int(k.Conn()))
	},
}

func orNull(s string) run.Value {
	if s == "" {
		return run.Null
	}
	return run.Str(s)
}

// newULC compiles $ulc(profile=>attribute)[index].
func (r *registrar) newULC(n *pv.Name) (pv.Var, error) {
	name, attr, ok := strings.Cut(n.Inner, "=>")
	get := ulcFields[strings.TrimSpace(attr)]
	if !ok || get == nil {
		return pv.Var{}, fmt.Errorf("$ulc(%s): want $ulc(profile=>attribute), as $ulc(caller=>addr)", n.Inner)
	}
	name = strings.TrimSpace(name)
	return pv.Var{Get: func(c *run.Context) run.Value {
		p := r.profiles(c)[name]
		if p == nil {
			return run.Null
		}
		i := n.Index
		if n.IndexEval != nil {
			i = n.IndexEval(c).Int()
		}
		if i < 0 {
			i += len(p.list)
		}
		if i < 0 || i >= len(p.list) {
			return run.Null
		}
		return get(p, p.list[i])
	}}, nil
}

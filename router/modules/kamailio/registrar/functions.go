package registrar

import (
	"context"
	"errors"
	"strconv"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/usrloc"
)

func (r *registrar) functions() []module.Function {
	table := module.Arg{Name: "table", Type: module.ArgConst}
	uri := module.Arg{Name: "uri", Type: module.ArgFormat, Optional: true}
	need := module.Arg{Name: "uri", Type: module.ArgFormat}
	profile := module.Arg{Name: "profile", Type: module.ArgConst}
	replies := run.ReplyRoute | run.CoreReplyRoute
	return []module.Function{
		{
			Name: "save", Help: "store what a REGISTER asks for, and reply", In: anyRequest | replies, New: r.newSave,
			Args: []module.Arg{table, {Name: "flags", Type: module.ArgStr, Optional: true}, uri},
		},
		{Name: "lookup", Help: "put the contacts of the request URI into the fork set", In: anyRequest, Args: []module.Arg{table, uri}, New: r.newLookup(false)},
		{Name: "lookup_to_dset", Help: "add contacts to the fork set, and leave the request URI", In: anyRequest, Args: []module.Arg{table, uri}, New: r.newLookup(true)},
		{Name: "lookup_branches", Help: "lookup for the request URI and the branches", In: anyRequest, Args: []module.Arg{table}, New: r.newLookupBranches},
		{
			Name: "registered", Help: "true when an address of record has a contact", In: run.AnyRoute, New: r.newRegistered,
			Args: []module.Arg{table, uri, {Name: "match", Type: module.ArgInt, Optional: true}, {Name: "action", Type: module.ArgInt, Optional: true}},
		},
		{
			Name: "unregister", Help: "remove the contacts of an address of record", In: run.AnyRoute, New: r.newUnregister,
			Args: []module.Arg{table, need, {Name: "ruid", Type: module.ArgFormat, Optional: true}},
		},
		{
			Name: "add_sock_hdr", Help: "add a header with the socket that the request came in on", In: run.RequestRoute, New: r.newAddSockHdr,
			Args: []module.Arg{{Name: "header", Type: module.ArgFormat}},
		},
		{Name: "reg_fetch_contacts", Help: "get contacts for $ulc(profile=>…)", In: anyRequest | replies, Args: []module.Arg{table, need, profile}, New: r.newFetch},
		{Name: "reg_free_contacts", Help: "forget what reg_fetch_contacts got", In: anyRequest | replies, Args: []module.Arg{profile}, New: r.newFree},
		{Name: "reg_send_reply", Help: "reply what save kept back", In: anyRequest, New: r.newSendReply},
	}
}

func (r *registrar) newSave(a module.Args) (run.Func, error) {
	t, err := r.table(a)
	if err != nil {
		return nil, err
	}
	flags := func(c *run.Context) int { return number(a.Str(c, 1)) }
	if a.Has(1) && a[1].IsConst {
		n, err := strconv.ParseUint(a[1].Const.Text(), 0, 8)
		if err != nil || n > 0x1f {
			return nil, &module.ArgError{I: 1, Err: errors.New("flags are a sum of 1, 2, 4, 8 and 0x10")}
		}
		flags = func(*run.Context) int { return int(n) }
	}
	return func(c *run.Context) int { return r.save(c, t, flags(c), r.given(c, a.Str(c, 2))) }, nil
}

// given is the address of record that a call names, else that of aor_avp.
func (r *registrar) given(c *run.Context, uri string) string {
	if uri == "" && r.owns != nil {
		return r.owns(c).Text()
	}
	return uri
}

func number(s string) int {
	n, err := strconv.ParseUint(s, 0, 8)
	if err != nil {
		return 0
	}
	return int(n)
}

func (r *registrar) newLookup(dset bool) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		t, err := r.table(a)
		if err != nil {
			return nil, err
		}
		return func(c *run.Context) int { return r.lookup(c, t, r.given(c, a.Str(c, 1)), dset) }, nil
	}
}

func (r *registrar) newLookupBranches(a module.Args) (run.Func, error) {
	t, err := r.table(a)
	if err != nil {
		return nil, err
	}
	return func(c *run.Context) int { return r.lookupBranches(c, t) }, nil
}

func (r *registrar) newRegistered(a module.Args) (run.Func, error) {
	t, err := r.table(a)
	if err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		return r.registered(c, t, r.given(c, a.Str(c, 1)), a.Int(c, 2, 0), a.Int(c, 3, 0))
	}, nil
}

func (r *registrar) newUnregister(a module.Args) (run.Func, error) {
	t, err := r.table(a)
	if err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		u, err := r.uriOf(c, a.Str(c, 1))
		if err != nil || a.Str(c, 1) == "" {
			return -1
		}
		aor, why := r.aor(c, u)
		if why != codeOK {
			return -1
		}
		return r.unregister(t, aor, a.Str(c, 2))
	}, nil
}

// unregister removes all contacts, or the one with an id.
func (r *registrar) unregister(t *usrloc.Table, aor, ruid string) int {
	x := t.Begin(aor)
	found := false
	for k := x.First(); k != nil; {
		next := k.Next()
		if ruid == "" || k.RUID() == ruid {
			x.Delete(k)
			found = true
		}
		k = next
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	switch err := x.End(ctx); {
	case err != nil:
		return -2
	case !found:
		return -3
	}
	return 1
}

func (r *registrar) newAddSockHdr(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		name := a.Str(c, 0)
		if name == "" || c.Recv.Sock == nil {
			return -1
		}
		c.Msg.Edits.Insert(c.Msg.HeaderEnd(), name+": "+c.Recv.Sock.String()+"\r\n")
		return 1
	}, nil
}

func (r *registrar) newSendReply(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		status, ok := c.Slots[r.slot].(int)
		if !ok {
			status = 200
		}
		if r.send(c, status) != nil {
			return -1
		}
		return 1
	}, nil
}

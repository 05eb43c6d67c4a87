package domain

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"

	"sipd/db"
	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/rpc"
)

// entry is a domain: its id and the attributes of that.
type entry struct {
	name, did string
	attrs     []attr
}

type attr struct {
	name  string
	value run.Value
}

// list is what was read; it does not change.
type list struct {
	byName map[string]*entry
	order  []*entry
	// owners are the ids that have attributes, in the order of the table.
	owners []string
	attrs  map[string][]attr
}

// lists holds the list of now.
type lists struct{ now atomic.Pointer[list] }

// read reads both tables and swaps the list when all of them is right.
func (d *domain) read(ctx context.Context) error {
	l := &list{byName: make(map[string]*entry), attrs: make(map[string][]attr)}
	if d.conn.DB != nil {
		if err := d.readAttrs(ctx, l); err != nil {
			return err
		}
		if err := d.readDomains(ctx, l); err != nil {
			return err
		}
	}
	d.list.now.Store(l)
	return nil
}

func (d *domain) readAttrs(ctx context.Context, l *list) error {
	s := d.conn.Select(d.attrTable, []string{d.didCol, d.nameCol, d.typeCol, d.valueCol}, nil, "")
	defer s.Close()
	return s.Each(ctx, nil, func(scan func(...any) error) error {
		var did, name, value db.Text
		var typ int
		if err := scan(&did, &name, &typ, &value); err != nil {
			return err
		}
		id := strings.ToLower(string(did))
		v := run.Str(string(value))
		if typ == 0 {
			n, ok := run.ParseInt(string(value))
			if !ok || value == "" {
				return fmt.Errorf("table %s: attribute %s of %s is not the number that its type says: %q", d.attrTable, name, did, value)
			}
			v = run.Int(n)
		}
		if did == "" || name == "" || typ != 0 && typ != 2 {
			return fmt.Errorf("table %s: a row wants did, name and a type of 0 (number) or 2 (text); found did %q, name %q, type %d", d.attrTable, did, name, typ)
		}
		if l.attrs[id] == nil {
			l.owners = append(l.owners, string(did))
		}
		l.attrs[id] = append(l.attrs[id], attr{string(name), v})
		return nil
	})
}

func (d *domain) readDomains(ctx context.Context, l *list) error {
	s := d.conn.Select(d.table, []string{d.domCol, d.didCol}, nil, "")
	defer s.Close()
	return s.Each(ctx, nil, func(scan func(...any) error) error {
		var name, did db.Text
		if err := scan(&name, &did); err != nil {
			return err
		}
		if name == "" {
			return fmt.Errorf("table %s: a row has no domain", d.table)
		}
		if did == "" { // NULL: the domain is its own id
			did = name
		}
		e := &entry{name: string(name), did: string(did), attrs: l.attrs[strings.ToLower(string(did))]}
		l.byName[strings.ToLower(string(name))] = e
		l.order = append(l.order, e)
		return nil
	})
}

// find is the domain of a name, nil when it is not served here.
func (d *domain) find(name string) *entry {
	l := d.list.now.Load()
	if e, ok := l.byName[name]; ok {
		return e
	}
	return l.byName[strings.ToLower(name)]
}

func (d *domain) isLocal(name string) int {
	if d.find(name) == nil {
		return -1
	}
	return 1
}

func (d *domain) newFrom(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		n, err := c.Msg.From()
		if err != nil {
			return -2
		}
		u, err := n.ParseURI()
		if err != nil {
			return -2
		}
		return d.isLocal(u.Host)
	}, nil
}

// newURI compiles is_uri_host_local. In a failure route Kamailio looks at the
// first branch that was appended there.
func (d *domain) newURI(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		if c.Route == run.FailureRoute {
			if len(c.Branches) == 0 {
				return -1
			}
			u, err := sip.ParseURI(c.Branches[0].URI)
			if err != nil {
				return -1
			}
			return d.isLocal(u.Host)
		}
		u, err := c.ParsedRURI()
		if err != nil {
			return -1
		}
		return d.isLocal(u.Host)
	}, nil
}

func (d *domain) newIs(a module.Args) (run.Func, error) {
	return func(c *run.Context) int { return d.isLocal(a.Str(c, 0)) }, nil
}

// newLookup compiles lookup_domain.
func (d *domain) newLookup(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		e := d.find(a.Str(c, 0))
		if e == nil {
			return -1
		}
		prefix := a.Str(c, 1)
		for _, x := range e.attrs {
			c.AVPs.Add(run.AVPFromURI, run.AVPName{S: prefix + x.name}, x.value, 0)
		}
		c.AVPs.Add(run.AVPFromURI, run.AVPName{S: prefix + "did"}, run.Str(e.did), 0)
		return 1
	}, nil
}

// reload serves domain.reload.
func (d *domain) reload(ctx context.Context, c *rpc.Call) error {
	if err := d.read(ctx); err != nil {
		d.log.LogAttrs(ctx, slog.LevelError, "domains not read", slog.Any("err", err))
		return &rpc.Fault{Code: 500, Text: "Failed to reload domain table"}
	}
	return nil
}

// dump serves domain.dump.
func (d *domain) dump(_ context.Context, c *rpc.Call) error {
	l := d.list.now.Load()
	domains, attrs := rpc.Array{}, rpc.Array{}
	for _, e := range l.order {
		domains = append(domains, rpc.Struct{rpc.M("domain", rpc.String(e.name)), rpc.M("did", rpc.String(e.did))})
	}
	for _, did := range l.owners {
		names := rpc.Array{}
		for _, a := range l.attrs[strings.ToLower(did)] {
			names = append(names, rpc.String(a.name))
		}
		attrs = append(attrs, rpc.Struct{rpc.M("did", rpc.String(did)), rpc.M("attrs", names)})
	}
	c.Add(rpc.Struct{rpc.M("domains", domains), rpc.M("attributes", attrs)})
	return nil
}

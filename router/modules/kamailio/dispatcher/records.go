package dispatcher

import (
	"context"
	"log/slog"
	"strings"

	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

// What is kept for failover lies in $xavp(_dsdst_), or in the attributes of
// Kamailio 3 when dst_avp is set.

// Bits of xavp_dst_mode.
const (
	skipAttrs = 1 << iota
	addSocket
	addSockName
)

// keepsRecords says whether there is a place for records.
func (d *dispatcher) keepsRecords() bool { return d.xavpDst != "" || d.avps.dst != nil }

// keep puts the records of a selection on the message, and their number.
func (d *dispatcher) keep(c *run.Context, sel *selection) {
	if d.avps.dst != nil {
		d.keepAVPs(c, sel)
		return
	}
	if c.XAVPs == nil {
		c.XAVPs = new(run.XAVPs)
	}
	for i := len(sel.records) - 1; i >= 0; i-- {
		c.XAVPs.Push(d.xavpDst, d.fields(&sel.records[i]))
	}
	if d.xavpCtxMode&1 == 0 && d.xavpCtx != "" {
		c.XAVPs.Push(d.xavpCtx, run.XRecord{{Name: "cnt", Value: run.Int(len(sel.records))}})
	}
}

func (d *dispatcher) fields(r *record) run.XRecord {
	x := r.dest
	f := run.XRecord{{Name: "uri", Value: run.Str(x.uri)}, {Name: "grp", Value: run.Int(r.set)}}
	if d.xavpDstMode&skipAttrs == 0 && x.attrs.body != "" {
		f.Add("attrs", run.Str(x.attrs.body))
	}
	if x.sock != nil {
		f.Add("sock", run.Str(socketText(x.sock)))
		if d.xavpDstMode&addSocket != 0 && x.attrs.socket != "" {
			f.Add("socket", run.Str(x.attrs.socket))
		}
		if d.xavpDstMode&addSockName != 0 && x.attrs.sockname != "" {
			f.Add("sockname", run.Str(x.attrs.sockname))
		}
	}
	if r.load {
		f.Add("dstid", run.Str(x.attrs.duid))
	}
	return f
}

func socketText(s *transport.Socket) string {
	if s == nil {
		return ""
	}
	return strings.ToLower(s.Proto.Upper()) + ":" + s.Addr.String()
}

// keepAVPs keeps records as Kamailio 3 did: one list of attributes for each
// thing, the chosen destination on top.
func (d *dispatcher) keepAVPs(c *run.Context, sel *selection) {
	add := func(a *pv.Attr, v run.Value) {
		if a != nil {
			c.AVPs.Add(a.Class, a.Name, v, 0)
		}
	}
	for i := len(sel.records) - 1; i >= 0; i-- {
		x := sel.records[i].dest
		add(d.avps.dst, run.Str(x.uri))
		add(d.avps.grp, run.Int(sel.records[i].set))
		add(d.avps.attrs, run.Str(x.attrs.body))
		add(d.avps.sock, run.Str(socketText(x.sock)))
		if sel.records[i].load {
			add(d.avps.dstid, run.Str(x.attrs.duid))
		}
	}
	add(d.avps.cnt, run.Int(len(sel.records)))
}

// current is the destination that the message is at.
type current struct {
	uri, sock, duid string
	set             int
}

// top reads the current record; ok is false when there is none.
func (d *dispatcher) top(c *run.Context) (r current, ok bool) {
	if d.avps.dst == nil {
		p := c.XAVPs.Record(d.xavpDst, 0)
		if p == nil {
			return r, false
		}
		uri := p.Get("uri", 0)
		return current{uri.Text(), p.Get("sock", 0).Text(), p.Get("dstid", 0).Text(), p.Get("grp", 0).Int()}, uri.IsStr()
	}
	get := func(a *pv.Attr) run.Value {
		if a == nil {
			return run.Null
		}
		return c.AVPs.Get(a.Class, a.Name, 0)
	}
	uri := get(d.avps.dst)
	return current{uri.Text(), get(d.avps.sock).Text(), get(d.avps.dstid).Text(), get(d.avps.grp).Int()}, uri.IsStr()
}

// drop forgets the current record.
func (d *dispatcher) drop(c *run.Context) bool {
	if d.avps.dst == nil {
		return c.XAVPs.Drop(d.xavpDst, 0)
	}
	for _, a := range []*pv.Attr{d.avps.grp, d.avps.attrs, d.avps.sock, d.avps.dstid} {
		if a != nil {
			c.AVPs.DeleteAt(a.Class, a.Name, 0)
		}
	}
	return c.AVPs.DeleteAt(d.avps.dst.Class, d.avps.dst.Name, 0)
}

// update sends the message to the current record, or to the next one.
func (d *dispatcher) update(c *run.Context, next bool, mode int) int {
	if !d.keepsRecords() || next && d.flags&flagFailover == 0 {
		return -1
	}
	for {
		if next && !d.drop(c) {
			return -1
		}
		r, ok := d.top(c)
		if !ok {
			return -1
		}
		var sock *transport.Socket
		if r.sock != "" {
			sock, _ = d.findSocket(r.sock, false)
		}
		if !d.sendTo(c, r.uri, sock, mode) {
			return -1
		}
		if r.duid == "" || !next {
			return 1
		}
		switch d.moveLoad(c, r.duid) {
		case moved:
			return 1
		case unknownCall:
			return -1
		}
	}
}

// sendTo gives the message its way: the next hop, or host and port of the
// request URI.
func (d *dispatcher) sendTo(c *run.Context, uri string, sock *transport.Socket, mode int) bool {
	if mode == toRURI {
		_, rest, _ := strings.Cut(uri, ":")
		to, err := setHostAll(c.RURI(), rest)
		if err != nil {
			d.warn(c, "the request URI cannot have this host", slog.String("dst", uri), slog.Any("err", err))
			return false
		}
		c.SetRURI(to)
	} else {
		c.SetDstURI(uri)
	}
	if sock != nil {
		c.SendSock = sock
	}
	return true
}

// setHostAll puts host, port and parameters of a destination behind the user of
// a request URI.
func setHostAll(ruri, rest string) (string, error) {
	u, err := sip.ParseURI(ruri)
	if err != nil {
		return "", err
	}
	if _, after, ok := strings.Cut(rest, "@"); ok {
		rest = after
	}
	to := u.Scheme.String() + ":"
	if u.User != "" {
		to += u.User
		if u.Password != "" {
			to += ":" + u.Password
		}
		to += "@"
	}
	to += rest
	_, err = sip.ParseURI(to)
	return to, err
}

func (d *dispatcher) warn(c *run.Context, msg string, a ...slog.Attr) {
	d.host.Log.LogAttrs(context.Background(), slog.LevelWarn, msg, append(a, slog.String("module", "dispatcher"), slog.String("call_id", c.Msg.CallID()))...)
}

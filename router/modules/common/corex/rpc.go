package corex

import (
	"context"
	"fmt"
	"strconv"

	"sipd/router/cfg"
	"sipd/router/corerpc"
	"sipd/rpc"
)

// listSockets answers the listening addresses in Kamailio's form.
func (x *corex) listSockets(_ context.Context, c *rpc.Call) error {
	if x.env.Transport == nil {
		return nil
	}
	dash := func(s string) rpc.Value {
		if s == "" {
			s = "-"
		}
		return rpc.String(s)
	}
	for _, s := range x.env.Transport.Sockets() {
		ip := rpc.String(s.Addr.Addr().Unmap().String())
		adv := s.AdvHost
		if adv != "" && s.AdvPort != 0 {
			adv += ":" + strconv.Itoa(int(s.AdvPort))
		}
		c.Add(rpc.Struct{
			rpc.M("PROTO", rpc.String(s.Proto.String())),
			rpc.M("NAME", ip),
			rpc.M("ADDRLIST", rpc.Struct{rpc.M("ADDR", ip)}),
			rpc.M("PORT", rpc.String(strconv.Itoa(int(s.Addr.Port())))),
			rpc.M("MCAST", rpc.String("no")),
			rpc.M("MHOMED", rpc.String("no")),
			rpc.M("VIRTUAL", rpc.String("no")),
			rpc.M("SOCKNAME", dash(s.Name)),
			rpc.M("ADVERTISE", dash(adv)),
		})
	}
	return nil
}

// debug reads or sets core.debug.
func (x *corex) debug(_ context.Context, c *rpc.Call) error {
	ref := cfg.Ref{Group: "core"}
	old, err := x.env.Cfg.Get(ref, "debug")
	if err != nil {
		return err
	}
	if !c.Has(0) {
		c.Add(rpc.Struct{rpc.M("debug", old)})
		return nil
	}
	if err := x.env.Cfg.Set(ref, "debug", rpc.Int(c.Int(0))); err != nil {
		return rpc.Faultf(500, "%v", err)
	}
	c.Changed("core.debug", fmt.Sprint(old), strconv.Itoa(c.Int(0)))
	c.Add(rpc.Struct{rpc.M("old", old), rpc.M("new", rpc.Int(c.Int(0)))})
	return nil
}

// daemon is what the methods ask of the whole daemon.
type daemon interface{ Aliases() []corerpc.Alias }

// listAliases answers the names that are myself besides the sockets.
func (x *corex) listAliases(_ context.Context, c *rpc.Call) error {
	if x.daemon == nil {
		return nil
	}
	star := func(s string) rpc.String {
		if s == "" {
			s = "*"
		}
		return rpc.String(s)
	}
	for _, a := range x.daemon.Aliases() {
		c.Add(rpc.Struct{rpc.M("PROTO", star(a.Proto)), rpc.M("ADDR", star(a.Host)), rpc.M("PORT", rpc.Int(a.Port))})
	}
	return nil
}

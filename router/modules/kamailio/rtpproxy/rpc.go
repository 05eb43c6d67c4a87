package rtpproxy

import (
	"context"
	"time"

	"sipd/rpc"
)

// list serves rtpproxy.list. recheck is the seconds until a relay is tried
// again, -1 when it is not by itself.
func (m *mod) list(_ context.Context, c *rpc.Call) error {
	now := time.Now().Unix()
	for _, n := range m.nodes {
		disabled, recheck := 0, 0
		switch until := n.disabledUntil.Load(); {
		case n.off.Load() || until < 0:
			disabled, recheck = 1, -1
		case until > now:
			disabled, recheck = 1, int(until-now)
		}
		c.Add(rpc.Struct{
			rpc.M("setid", rpc.Int(n.set)), rpc.M("url", rpc.String(n.url)), rpc.M("index", rpc.Int(n.index)),
			rpc.M("disabled", rpc.Int(disabled)), rpc.M("weight", rpc.Int(n.weight)), rpc.M("recheck", rpc.Int(recheck)),
		})
	}
	return nil
}

func (m *mod) enable(_ context.Context, c *rpc.Call) error {
	found := false
	for _, n := range m.nodes {
		if n.url != c.Str(0) {
			continue
		}
		found = true
		before := !n.off.Load()
		n.off.Store(c.Int(1) == 0)
		if c.Int(1) != 0 {
			n.disabledUntil.Store(0)
		}
		c.Changed("rtpproxy "+n.url, onOff(before), onOff(c.Int(1) != 0))
	}
	if !found {
		return &rpc.Fault{Code: 404, Text: "RTPProxy not found"}
	}
	return nil
}

func onOff(on bool) string {
	if on {
		return "enabled"
	}
	return "disabled"
}

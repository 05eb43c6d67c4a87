package rtpengine

import (
	"context"
	"time"

	"sipd/rpc"
)

// named are the relays of a URL, or all.
func (m *mod) named(c *rpc.Call) ([]*node, error) {
	url := urlOf(c.Str(0))
	var list []*node
	for _, n := range *m.nodes.Load() {
		if url == "all" || n.url == url {
			list = append(list, n)
		}
	}
	if len(list) == 0 && url != "all" {
		return nil, rpc.Faultf(404, "Instance Not Found")
	}
	return list, nil
}

func (m *mod) show(_ context.Context, c *rpc.Call) error {
	list, err := m.named(c)
	if err != nil {
		return err
	}
	now := time.Now()
	for _, n := range list {
		disabled, ticks := rpc.Value(rpc.Int(0)), rpc.Value(rpc.Int(0))
		switch left := n.disabledUntil.Load() - now.Unix(); {
		case n.off.Load():
			disabled, ticks = rpc.String("1(permanent)"), rpc.String("N/A")
		case left > 0:
			disabled, ticks = rpc.Int(1), rpc.Int(left)
		}
		c.Add(rpc.Struct{
			rpc.M("url", rpc.String(n.url)), rpc.M("set", rpc.Int(n.set)), rpc.M("index", rpc.Int(n.index)),
			rpc.M("weight", rpc.Int(n.weight)), rpc.M("disabled", disabled), rpc.M("recheck_ticks", ticks),
		})
	}
	return nil
}

func (m *mod) enable(ctx context.Context, c *rpc.Call) error {
	list, err := m.named(c)
	if err != nil {
		return err
	}
	for _, n := range list {
		status := "disable"
		if c.Int(1) > 0 {
			n.off.Store(false)
			if status = "enable"; !m.alive(ctx, n) {
				status = "fail"
			}
		} else {
			n.off.Store(true)
		}
		c.Add(rpc.Struct{rpc.M("url", rpc.String(n.url)), rpc.M("status", rpc.String(status))})
	}
	return nil
}

func (m *mod) ping(ctx context.Context, c *rpc.Call) error {
	list, err := m.named(c)
	if err != nil {
		return err
	}
	for _, n := range list {
		status := "fail"
		if m.alive(ctx, n) {
			status = "success"
		}
		c.Add(rpc.Struct{rpc.M("url", rpc.String(n.url)), rpc.M("status", rpc.String(status))})
	}
	return nil
}

func (m *mod) reload(ctx context.Context, c *rpc.Call) error {
	if m.conn == nil {
		return rpc.Faultf(500, "No db_url configured")
	}
	if err := m.readTable(ctx); err != nil {
		return rpc.Faultf(500, "the table was not read, the relays stay as they are: %v", err)
	}
	c.Add(rpc.String("RTPEngine nodes reloaded"))
	return nil
}

func (m *mod) total(_ context.Context, c *rpc.Call) error {
	c.Add(rpc.Int(m.calls.count()))
	return nil
}

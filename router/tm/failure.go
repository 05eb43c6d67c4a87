package tm

import (
	"sipd/router/run"
)

// failureRoute runs a failure route on the request as the script left it:
// request URI and flags as they were when it was relayed, the edits from
// before; changes made here are for the legs that it starts.
func (t *Transaction) failureRoute(route run.Block, name string, kind run.Kind, leg int) {
	t.routeAgain(route, name, kind, leg, false)
}

// routeAgain is failureRoute; newURI says that the request URI makes a leg as
// it is.
func (t *Transaction) routeAgain(route run.Block, name string, kind run.Kind, leg int, newURI bool) {
	c := t.table.borrow()
	own, avps, xavps := c.Msg, c.AVPs, c.XAVPs
	t.environment(c)
	c.RURINew = newURI
	c.Route, c.RouteName, c.Branch = kind, name, leg
	picked := leg
	if picked < 0 {
		picked = t.winner
	}
	c.Main.Flags = t.LegFlags(picked)
	edits := t.msg.Edits.Clone()
	route.Run(c)
	t.msg.Edits = edits
	if len(c.Branches) > 0 { // appended and not relayed: Kamailio sends them
		c.Branches = c.Branches[:0]
	}
	t.avps, t.xavps = c.AVPs, c.XAVPs
	c.Msg, c.AVPs, c.XAVPs = own, avps, xavps
	t.table.Release(c)
	t.table.giveBack(c)
}

// environment gives c what the run of the request had when it was relayed.
func (t *Transaction) environment(c *run.Context) {
	c.Msg, c.AVPs, c.XAVPs = t.msg, t.avps, t.xavps
	c.Recv, c.ID, c.Cfg, c.Flags = t.recv, t.id, t.cfg, t.flags
	c.Main, c.RURINew = t.main, false
	c.SendSock, c.AdvHost, c.AdvPort = t.adv.sock, t.adv.host, t.adv.port
	c.AddLocalRport, c.FwdNoConnect, c.RecordRoute = t.adv.addRport, t.adv.noConn, t.adv.record
	c.ForceRport = t.forceR
	c.Tx = t
}

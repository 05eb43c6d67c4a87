package sl

import (
	"sipd/router/run"
	"sipd/router/sip"
)

// The event routes.
const (
	evFilteredACK   = "sl:filtered-ack"
	evLocalResponse = "sl:local-response"
)

// events are the blocks of the event routes, nil where there is none; they are
// looked up once, for the blocks of a configuration do not change.
type events struct{ filteredACK, localResponse run.Block }

func findEvents(env *run.Env) events {
	if env.Block == nil {
		return events{}
	}
	return events{env.Block(run.EventRoute, evFilteredACK), env.Block(run.EventRoute, evLocalResponse)}
}

// runFiltered shows an ACK that was swallowed to event_route[sl:filtered-ack].
func (s *sl) runFiltered(c *run.Context) {
	route := s.events().filteredACK
	if route == nil {
		return
	}
	c.Route, c.RouteName = run.EventRoute, evFilteredACK
	route.Run(c)
}

// runResponse shows a reply that was sent to event_route[sl:local-response];
// nothing that it changes counts but attributes.
func (s *sl) runResponse(c *run.Context, b []byte) {
	route := s.events().localResponse
	if route == nil {
		return
	}
	m, err := sip.Parse(string(b))
	if err != nil {
		return
	}
	r := new(run.Context)
	r.Reset(c.Env)
	r.Msg, r.AVPs, r.XAVPs, r.Flags, r.Cfg, r.ID, r.Recv = m, c.AVPs, c.XAVPs, c.Flags, c.Cfg, c.ID, c.Recv
	r.Route, r.RouteName = run.EventRoute, evLocalResponse
	route.Run(r)
	c.AVPs, c.XAVPs = r.AVPs, r.XAVPs
}

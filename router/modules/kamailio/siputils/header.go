package siputils

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/sip"
)

// headerFunctions write headers and answer OPTIONS.
func (s *siputils) headerFunctions() []module.Function {
	request := run.RequestRoute | run.FailureRoute | run.BranchRoute
	rpid := "add Remote-Party-ID from the attribute rpid_avp"
	return []module.Function{
		{Name: "options_reply", Help: "answer OPTIONS that are for this daemon", In: run.RequestRoute, New: s.newOptionsReply},
		{Name: "append_rpid_hf", Help: rpid, In: request, New: s.newAppendRPID},
		{Name: "append_rpid_hf", Help: rpid, Args: []module.Arg{format("prefix"), format("suffix")}, In: request, New: s.newAppendRPID},
		{Name: "is_rpid_user_e164", Help: "true when the user of the URI in rpid_avp is + and 2 to 15 digits", In: run.RequestRoute, New: s.newIsRPIDE164},
		{Name: "sip_p_charging_vector", Help: "P-Charging-Vector: r removes, g adds where there is none, f does both", Args: []module.Arg{{Name: "flags", Type: module.ArgConst}}, In: run.AnyRoute, New: newChargingVector},
	}
}

func (s *siputils) newOptionsReply(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		u, err := c.ParsedRURI()
		if c.Msg.Method() != sip.OPTIONS || err != nil || u.User != "" {
			return -1
		}
		c.ReplyExtra += "Accept: " + s.accept + "\r\nAccept-Encoding: " + s.encoding +
			"\r\nAccept-Language: " + s.language + "\r\nSupported: " + s.support + "\r\n"
		if s.hooks.Stateful != nil {
			if done, err := s.hooks.Stateful(c, 200, "OK"); done {
				return code(err == nil)
			}
		}
		if s.hooks.Stateless == nil {
			return c.Fail(500, `options_reply needs loadmodule "sl.so"`)
		}
		return code(s.hooks.Stateless(c, 200, "OK") == nil)
	}, nil
}

// remoteParty is the URI for Remote-Party-ID, "" for none.
func (s *siputils) remoteParty(c *run.Context) string {
	if s.rpid == nil {
		return ""
	}
	return s.rpid(c).Text()
}

func (s *siputils) newAppendRPID(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		uri := s.remoteParty(c)
		prefix, suffix := s.rpidPrefix, s.rpidSuffix
		if a.Has(1) {
			prefix, suffix = a.Str(c, 0), a.Str(c, 1)
		}
		line := prefix + uri + suffix
		if uri == "" || strings.ContainsAny(line, "\r\n") {
			return -1
		}
		c.Msg.Edits.Insert(c.Msg.HeaderEnd(), "Remote-Party-ID: "+line+"\r\n")
		return 1
	}, nil
}

func (s *siputils) newIsRPIDE164(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		n, err := sip.ParseNameAddr(s.remoteParty(c))
		return code(err == nil && userIsE164(n.URI))
	}, nil
}

func newChargingVector(a module.Args) (run.Func, error) {
	flags := a[0].Text
	remove := strings.ContainsAny(flags, "rf")
	add := strings.ContainsAny(flags, "gf")
	if flags == "" || strings.Trim(flags, "rgf") != "" {
		return nil, &module.ArgError{I: 0, Err: errors.New("flags are r, g and f")}
	}
	return func(c *run.Context) int {
		m := c.Msg
		present := false
		for h := m.First(sip.HdrPChargingVector); h != nil; h = m.Next(h) {
			present = true
			if remove {
				_ = m.Edits.Delete(h.Start(), h.End()) // fails only where it is out already
			}
		}
		if add && (remove || !present) {
			m.Edits.Insert(m.HeaderEnd(), "P-Charging-Vector: "+chargingVector(c)+"\r\n")
		}
		return 1
	}, nil
}

// chargingVector is a new identity for charging (RFC 7315 §5.6) and where it was made.
func chargingVector(c *run.Context) string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails: it ends the program rather
	host := c.Recv.Dst.Addr().Unmap().String()
	if c.Recv.Sock != nil {
		host = c.Recv.Sock.SentByHost()
	}
	return "icid-value=" + hex.EncodeToString(id[:]) + ";icid-generated-at=" + host
}

// newPCV compiles $pcv(part) of the header as received.
func newPCV(n *pv.Name) (pv.Var, error) {
	field := map[string]string{"all": "", "value": "icid-value", "genaddr": "icid-generated-at", "orig": "orig-ioi", "term": "term-ioi"}
	name, ok := field[n.Inner]
	if !ok {
		return pv.Var{}, errors.New("$pcv has the parts all, value, genaddr, orig, term")
	}
	return pv.Var{Get: func(c *run.Context) run.Value {
		h := c.Msg.First(sip.HdrPChargingVector)
		if h == nil {
			return run.Null
		}
		if name == "" {
			return run.Str(c.Msg.Value(h))
		}
		for rest := c.Msg.Value(h); rest != ""; {
			var p string
			p, rest, _ = strings.Cut(rest, ";")
			if k, v, ok := strings.Cut(p, "="); ok && strings.EqualFold(strings.TrimSpace(k), name) {
				return run.Str(strings.TrimSpace(v)) // quotes stay, as in Kamailio
			}
		}
		return run.Null
	}}, nil
}

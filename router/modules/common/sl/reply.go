package sl

import (
	"errors"
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
)

// errACK says that an ACK has no reply (RFC 3261 §17).
var errACK = errors.New("an ACK is not answered")

// reply sends a reply without state; it serves the whole daemon as
// Hooks.Stateless.
func (s *sl) reply(c *run.Context, code int, reason string) error {
	if c.Foreign != nil {
		return c.Foreign.Reply(c, code, reason)
	}
	m := c.Msg
	if !m.IsRequest() {
		return errors.New("a reply is not answered")
	}
	if m.Method() == sip.ACK {
		return errACK
	}
	r := sip.Reply{
		Code: code, Reason: reason, Extra: c.ReplyExtra, Server: c.Env.Server,
		Body: c.ReplyBody, ContentType: c.ReplyType,
		Source: c.Recv.Src, ForceRPort: c.ForceRport,
	}
	if code >= 300 && code < 400 {
		r.Extra += string(c.AppendContacts(nil))
	}
	switch {
	case c.ToTagOverride != "":
		r.ToTag = c.ToTagOverride
	case code > 100: // RFC 3261 §8.2.6.2
		r.ToTag, r.TagHash = s.tag, s.hash(m)
	}
	b := m.AppendReply(c.TakeScratch(), &r)
	err := s.send(c.ReplyDest(), b)
	if err == nil {
		s.runResponse(c, b)
	}
	c.GiveScratch(b)
	if err != nil {
		s.count.failures.Inc()
		return fmt.Errorf("send %d: %w", code, err)
	}
	s.count.reply(code)
	return nil
}

// hash is the part of the To-tag that depends on the request: what a repetition
// of it and its ACK have in common (RFC 3261 §17.1.1.3), so that both get the
// same. It is never 0.
func (s *sl) hash(m *sip.Message) uint32 {
	const mix = 0x9e3779b97f4a7c15
	h := maphash.String(s.seed, m.CallID())
	if v, err := m.Via(); err == nil {
		if strings.HasPrefix(v.Branch, "z9hG4bK") {
			h = h*mix ^ maphash.String(s.seed, v.Branch)
		} else {
			h = h*mix ^ maphash.String(s.seed, v.Host)
		}
	}
	if q, err := m.CSeq(); err == nil {
		h = h*mix ^ uint64(q.Num)
	}
	h = h*mix ^ maphash.String(s.seed, m.FromTag())
	return uint32(h>>32) | 1
}

// filterACK swallows the ACKs to replies that were sent from here: their To-tag
// is the one that this request gets.
func (s *sl) filterACK(c *run.Context) bool {
	m := c.Msg
	if m.Method() != sip.ACK {
		return true
	}
	tag := m.ToTag()
	if len(tag) != len(s.tag)+9 || !strings.HasPrefix(tag, s.tag) {
		return true
	}
	var want [32]byte
	if tag != string(sip.AppendTag(want[:0], s.tag, s.hash(m))) {
		return true
	}
	s.count.acks.Inc()
	s.runFiltered(c)
	return false
}

// status answers code and reason of a call, with the defaults where they are
// not given.
func (s *sl) status(c *run.Context, a module.Args) (int, string) {
	code := a.Int(c, 0, 0)
	if code < 100 || code > 699 {
		return s.defaultCode, s.defaultReason
	}
	reason := a.Str(c, 1)
	if reason == "" {
		reason = s.defaultReason
	}
	return code, reason
}

func checkStatus(a module.Args) error {
	if a[0].IsConst {
		if code := a[0].Const.Int(); code < 100 || code > 699 {
			return &module.ArgError{I: 0, Err: fmt.Errorf("a status code is between 100 and 699, not %s", a[0].Const.Text())}
		}
	}
	return nil
}

// result is the script's code for the outcome of a reply.
func result(c *run.Context, err error) int {
	if err == nil {
		return 1
	}
	if !errors.Is(err, errACK) {
		return c.Fail(477, "")
	}
	return -1
}

func (s *sl) newStateless(a module.Args) (run.Func, error) {
	if err := checkStatus(a); err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		code, reason := s.status(c, a)
		return result(c, s.reply(c, code, reason))
	}, nil
}

func (s *sl) newSendReply(a module.Args) (run.Func, error) {
	if err := checkStatus(a); err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		code, reason := s.status(c, a)
		if s.bindTM && s.hooks.Stateful != nil {
			if done, err := s.hooks.Stateful(c, code, reason); done {
				return result(c, err)
			}
		}
		return result(c, s.reply(c, code, reason))
	}, nil
}

func (s *sl) newReplyError(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		code, reason := failure(c)
		err := s.reply(c, code, reason)
		if err == nil {
			s.count.errors.Inc()
		}
		return result(c, err)
	}, nil
}

// failureTexts are what the failures of actions are called to the peer.
var failureTexts = map[int]string{
	400: "Bad Request",
	476: "Regretfully, we were not able to process the URI",
	477: "Unfortunately error on sending to next hop occurred",
	478: "Unresolvable destination",
	479: "Regretfully, we were not able to process the URI",
	513: "Message too large",
}

// failure is the reply for what the action before left in the context.
func failure(c *run.Context) (code int, reason string) {
	number := c.Err
	code, reason = c.Err, c.ErrText
	if code < 300 || code > 699 {
		code, number = 500, 1
	}
	if reason == "" {
		reason = failureTexts[code]
	}
	if reason == "" {
		reason = "I'm terribly sorry, server error occurred"
	}
	return code, reason + " (" + strconv.Itoa(number) + "/SL)"
}

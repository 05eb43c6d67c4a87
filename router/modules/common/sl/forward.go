package sl

import (
	"errors"
	"strings"

	"sipd/router/forward"
	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/sip"
)

// newForwardReply is sl_forward_reply([code[, reason]]): it sends the reply that
// came on at once, with another code of its class. The changes so far go along;
// that of the first line is for this copy.
func (s *sl) newForwardReply(a module.Args) (run.Func, error) {
	if len(a) > 0 && a[0].IsConst && a[0].Const.Text() != "" && !isCode(a[0].Const.Text()) {
		return nil, &module.ArgError{I: 0, Err: errors.New("a status code has three digits")}
	}
	return func(c *run.Context) int {
		m := c.Msg
		if m.IsRequest() {
			return -1
		}
		code, reason := a.Str(c, 0), a.Str(c, 1)
		line := m.Raw()[:m.FirstLine().End]
		at := strings.IndexByte(line, ' ') + 1
		if code != "" && (!isCode(code) || code[0] != line[at]) {
			return -1
		}
		edits := m.Edits.Clone()
		err := firstLine(m, at, code, reason)
		if err == nil {
			err = forward.Reply(c)
		}
		m.Edits = edits
		if err != nil {
			return -1
		}
		return 1
	}, nil
}

// firstLine puts code and reason, where they are given, into a reply whose code
// starts at.
func firstLine(m *sip.Message, at int, code, reason string) error {
	if code != "" {
		if err := m.Edits.Replace(at, at+3, code); err != nil {
			return err
		}
	}
	if reason == "" {
		return nil
	}
	reason, _, _ = strings.Cut(strings.ReplaceAll(reason, "\r", "\n"), "\n")
	if m.Reason() == "" {
		m.Edits.Insert(at+4, reason)
		return nil
	}
	return m.Edits.Replace(at+4, at+4+len(m.Reason()), reason)
}

func isCode(s string) bool {
	return len(s) == 3 && s[0] >= '1' && s[0] <= '6' && s[1] >= '0' && s[1] <= '9' && s[2] >= '0' && s[2] <= '9'
}

// Bits of send_reply_mode().
const (
	modeNoConnect = 1
	modeClose     = 2
)

func (s *sl) newSendReplyMode(a module.Args) (run.Func, error) {
	send, err := s.newSendReply(a)
	if err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		switch mode := a.Int(c, 2, 0); { // as Kamailio: the one or the other
		case mode&modeNoConnect != 0:
			c.RplNoConnect = true
		case mode&modeClose != 0:
			c.RplClose = true
		}
		return send(c)
	}, nil
}

// newTag compiles $ltt(key): the To tag that a reply made here has.
func (s *sl) newTag(n *pv.Name) (pv.Var, error) {
	stateless := func(c *run.Context) run.Value {
		return run.Str(string(sip.AppendTag(nil, s.tag, s.hash(c.Msg))))
	}
	stateful := func(c *run.Context) run.Value {
		t, ok := c.Tx.(interface{ LocalTag() string })
		if !ok || !s.bindTM {
			return run.Null
		}
		return run.Str(t.LocalTag())
	}
	switch n.Inner {
	case "s":
		return pv.Var{Get: stateless}, nil
	case "t":
		return pv.Var{Get: stateful}, nil
	case "x":
		return pv.Var{Get: func(c *run.Context) run.Value {
			if v := stateful(c); !v.IsNull() {
				return v
			}
			return stateless(c)
		}}, nil
	}
	return pv.Var{}, errors.New("$ltt has x (the transaction's where there is one), s (without state) and t (the transaction's)")
}

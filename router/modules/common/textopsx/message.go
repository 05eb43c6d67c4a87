package textopsx

import (
	"sipd/router/module"
	"sipd/router/regex"
	"sipd/router/run"
	"sipd/router/sip"
)

type sipMessage = sip.Message

// newApply compiles msg_apply_changes: the message is printed and parsed
// again. As in Kamailio the request URI of the new message is the current one.
// Once there is a transaction the message belongs to it and stays.
func newApply(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		if c.Tx != nil {
			return -1
		}
		text := string(c.Msg.AppendTo(nil, &sip.PrintOptions{RequestURI: c.Main.URI}, &c.Msg.Edits))
		return code(replace(c, text))
	}, nil
}

// maxMessage bounds what msg_set_buffer takes, as Kamailio's receive buffer does.
const maxMessage = 65535

// newSetBuffer compiles msg_set_buffer. Edits made before are gone with the
// message that they were made of.
func newSetBuffer(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		text := a.Str(c, 0)
		if c.Tx != nil || text == "" || len(text) >= maxMessage {
			return -1
		}
		return code(replace(c, text))
	}, nil
}

// replace makes the message of the text the one that the script works on. It
// stays as it is when the text is none, or one of the other kind.
func replace(c *run.Context, text string) bool {
	next := new(sip.Message)
	if next.Parse(text) != nil || next.IsRequest() != c.Msg.IsRequest() {
		return false
	}
	c.Msg = next
	if c.Main.URI != "" {
		isNew := c.RURINew
		c.RevertRURI()
		c.RURINew = isNew
	}
	return true
}

func newRemoveBody(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		m := c.Msg
		from, to := m.BodyOffset(), len(m.Raw())
		return code(from == to || m.Edits.Delete(from, to) == nil)
	}, nil
}

// kept says whether keep_hf never removes headers of this kind.
func kept(k sip.HeaderKind) bool {
	switch k {
	case sip.HdrFrom, sip.HdrTo, sip.HdrCallID, sip.HdrCSeq, sip.HdrVia, sip.HdrContact, sip.HdrContentLength,
		sip.HdrContentType, sip.HdrRoute, sip.HdrRecordRoute, sip.HdrMaxForwards:
		return true
	}
	return false
}

// newKeepHF compiles keep_hf, which answers -1 in any case, as Kamailio's.
func newKeepHF(a module.Args) (run.Func, error) {
	var re *regex.Regexp
	if a.Has(0) {
		var err error
		if re, err = regex.Compile(a[0].Text, regex.IgnoreCase|regex.Newline); err != nil {
			return nil, &module.ArgError{I: 0, Err: err}
		}
	}
	return func(c *run.Context) int {
		m := c.Msg
		hs := m.Headers()
		for i := range hs {
			if h := &hs[i]; !kept(h.Kind) && (re == nil || !re.Match(m.Name(h))) {
				_ = m.Edits.Delete(h.Start(), h.End()) // only fails where the field is edited already
			}
		}
		return -1
	}, nil
}

// mayBecome says whether a reply may get another code: 100 to 699, and no
// provisional or positive one another class.
func mayBecome(m *sip.Message, code int) bool {
	old := m.StatusCode()
	if m.IsRequest() || code < 100 || code > 699 {
		return false
	}
	return code >= 300 && old >= 300 || code/100 == old/100
}

func newChangeCode(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		status := a.Int(c, 0, 0)
		if !mayBecome(c.Msg, status) {
			return -1
		}
		c.Msg.SetStatusCode(status)
		return 1
	}, nil
}

func newChangeStatus(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		m := c.Msg
		status, reason := a.Int(c, 0, 0), a.Str(c, 1)
		if reason == "" || !mayBecome(m, status) {
			return -1
		}
		m.SetStatusCode(status)
		line := m.FirstLine()
		at := line.Start + len(m.Version()) + len(" 200 ")
		return code(m.Edits.Replace(at, at+len(m.Reason()), reason) == nil)
	}, nil
}

package textops

import (
	"errors"
	"strings"
	"time"

	"sipd/router/module"
	"sipd/router/regex"
	"sipd/router/run"
	"sipd/router/sip"
)

// headerFunctions add, remove and look for header fields.
func (x *textops) headerFunctions() []module.Function {
	text, name := format("header lines"), format("name")
	place := []module.Arg{text, optional(name)}
	all := run.AnyRoute
	return []module.Function{
		{Name: "append_hf", Help: "add header lines behind the last header, or behind the first one of a name", Args: place, In: editable, New: newAppendHF},
		{Name: "insert_hf", Help: "add header lines before the first header, or before the first one of a name", Args: place, In: editable, New: newInsertHF},
		{Name: "append_urihf", Help: "add a header of prefix, received request URI and suffix", Args: []module.Arg{format("prefix"), format("suffix")}, In: editable, New: newAppendURIHF},
		{Name: "remove_hf", Help: "remove all headers of a name", Args: []module.Arg{name}, In: editable, New: newRemoveHF},
		{Name: "remove_hf_re", Help: "remove all headers whose name matches", Args: []module.Arg{regexArg()}, In: editable, New: newRemoveHFRe},
		{
			Name: "remove_hf_exp", Help: "remove all headers whose name matches the first expression and not the second",
			Args: []module.Arg{regexArg(), regexArg()}, In: editable, New: newRemoveHFExp,
		},
		{Name: "is_present_hf", Help: "true when there is a header of that name", Args: []module.Arg{name}, In: all, New: newIsPresentHF},
		{Name: "is_present_hf_re", Help: "true when there is a header whose name matches", Args: []module.Arg{regexArg()}, In: all, New: newIsPresentHFRe},
		{Name: "append_to_reply", Help: "add header lines to the reply that is built later", Args: []module.Arg{text}, In: run.RequestRoute | run.FailureRoute | run.BranchRoute | run.EventRoute, New: newAppendToReply},
		{Name: "append_time", Help: "add a Date header to the reply that is built later", In: run.RequestRoute | run.FailureRoute | run.BranchRoute, New: newAppendTime},
		{Name: "append_time_to_request", Help: "add a Date header to the request", In: editable, New: newAppendTimeToRequest},
	}
}

var errNoHeader = errors.New(`header lines end in \r\n and hold no empty line, as in "X-Test: 1\r\n"`)

// checkLines refuses constant text that would break the message.
func checkLines(a module.Args, i int) error {
	if a[i].IsConst {
		if _, ok := lines(a[i].Const.Text()); !ok {
			return &module.ArgError{I: i, Err: errNoHeader}
		}
	}
	return nil
}

// lines is header text ready to be put into a message: with a CRLF at its end.
// Text that has none, no name, or an empty line in it would break the headers
// behind it; it is refused.
func lines(s string) (string, bool) {
	if s == "" || strings.IndexByte(s, ':') <= 0 || strings.Contains(s, "\r\n\r\n") || strings.Contains(s, "\n\n") {
		return "", false
	}
	if !strings.HasSuffix(s, "\n") {
		s += "\r\n"
	}
	return s, true
}

// end is the place behind the last header.
func end(m *sip.Message) int {
	hs := m.Headers()
	if len(hs) == 0 {
		return m.FirstLine().End
	}
	return hs[len(hs)-1].End()
}

// start is the place before the first header.
func start(m *sip.Message) int {
	if hs := m.Headers(); len(hs) > 0 {
		return hs[0].Start()
	}
	return end(m)
}

func newAppendHF(a module.Args) (run.Func, error) {
	if err := checkLines(a, 0); err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		text, ok := lines(a.Str(c, 0))
		if !ok {
			return -1
		}
		at := end(c.Msg)
		if a.Has(1) {
			if h := c.Msg.FindName(headerName(a.Str(c, 1))); h != nil {
				at = h.End()
			}
		}
		c.Msg.Edits.Insert(at, text)
		return 1
	}, nil
}

func newInsertHF(a module.Args) (run.Func, error) {
	if err := checkLines(a, 0); err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		text, ok := lines(a.Str(c, 0))
		if !ok {
			return -1
		}
		at := start(c.Msg)
		if a.Has(1) {
			if h := c.Msg.FindName(headerName(a.Str(c, 1))); h != nil {
				at = h.Start()
			}
		}
		c.Msg.Edits.Insert(at, text)
		return 1
	}, nil
}

func newAppendURIHF(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		text, ok := lines(a.Str(c, 0) + c.Msg.RequestURI() + a.Str(c, 1))
		if !ok || !c.Msg.IsRequest() {
			return -1
		}
		c.Msg.Edits.Insert(end(c.Msg), text)
		return 1
	}, nil
}

func newRemoveHF(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		name := headerName(a.Str(c, 0))
		if name == "" {
			return -1
		}
		found := false
		for h := c.Msg.FindName(name); h != nil; h = c.Msg.Next(h) {
			found = remove(c.Msg, h)
		}
		return code(found)
	}, nil
}

// remove takes a header out; one that another edit has touched already is left
// to that edit.
func remove(m *sip.Message, h *sip.Header) bool {
	_ = m.Edits.Delete(h.Start(), h.End()) // only fails where the field is edited already
	return true
}

// removeWhere removes the headers whose name passes.
func removeWhere(m *sip.Message, match func(name string) bool) bool {
	found := false
	hs := m.Headers()
	for i := range hs {
		if match(m.Name(&hs[i])) {
			found = remove(m, &hs[i])
		}
	}
	return found
}

func newRemoveHFExp(a module.Args) (run.Func, error) {
	match, err := compile(a, 0)
	if err != nil {
		return nil, err
	}
	var skip *regex.Regexp
	if a[1].Text != "" {
		if skip, err = compile(a, 1); err != nil {
			return nil, err
		}
	}
	return func(c *run.Context) int {
		removeWhere(c.Msg, func(name string) bool {
			return match.Match(name) && (skip == nil || !skip.Match(name))
		})
		return 1
	}, nil
}

func newIsPresentHF(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		name := headerName(a.Str(c, 0))
		return code(name != "" && c.Msg.FindName(name) != nil)
	}, nil
}

func newAppendToReply(a module.Args) (run.Func, error) {
	if err := checkLines(a, 0); err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		text, ok := lines(a.Str(c, 0))
		if !ok {
			return -1
		}
		c.ReplyExtra += text
		return 1
	}, nil
}

// date is a Date header as RFC 3261 §20.17 has it.
func date(t time.Time) string {
	return "Date: " + t.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT") + "\r\n"
}

func newAppendTime(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		c.ReplyExtra += date(c.Now())
		return 1
	}, nil
}

func newAppendTimeToRequest(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		if !c.Msg.IsRequest() {
			return -1
		}
		c.Msg.Edits.Insert(end(c.Msg), date(c.Now()))
		return 1
	}, nil
}

package textops

import (
	"errors"
	"strings"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/regex"
	"sipd/router/run"
	"sipd/router/sip"
)

// searchFunctions find and replace by regular expression: extended, without
// regard to case, ^ and $ at line ends (script.md §20).
func (x *textops) searchFunctions() []module.Function {
	re, text, expr := regexArg(), format("text"), constant("expression")
	all := run.AnyRoute
	return []module.Function{
		{Name: "search", Help: "true when the expression is found in headers or body", Args: []module.Arg{re}, In: all, New: newSearch(afterFirstLine)},
		{Name: "search_body", Help: "true when the expression is found in the body", Args: []module.Arg{re}, In: all, New: newSearch(body)},
		{
			Name: "search_hf", Help: `true when the expression is found in the values of a header: "a" all, "f" first, "l" last`,
			Args: []module.Arg{format("header"), re, optional(constant("which"))}, In: all, New: newSearchHeader,
		},
		{Name: "search_append", Help: "insert text behind the first match in headers or body", Args: []module.Arg{re, text}, In: editable, New: newSearchAppend(afterFirstLine)},
		{Name: "search_append_body", Help: "insert text behind the first match in the body", Args: []module.Arg{re, text}, In: editable, New: newSearchAppend(body)},
		{Name: "replace", Help: "replace the first match in headers or body", Args: []module.Arg{re, text}, In: editable, New: newReplace(afterFirstLine, 1)},
		{Name: "replace_all", Help: "replace every match in headers or body", Args: []module.Arg{re, text}, In: editable, New: newReplace(afterFirstLine, -1)},
		{Name: "replace_body", Help: "replace the first match in the body", Args: []module.Arg{re, text}, In: editable, New: newReplace(body, 1)},
		{Name: "replace_body_all", Help: "replace every match in the body, line by line", Args: []module.Arg{re, text}, In: editable, New: newReplace(body, -1)},
		{Name: "replace_body_atonce", Help: "replace every match in the body as a whole", Args: []module.Arg{re, text}, In: editable, New: newReplaceAtOnce},
		{Name: "subst", Help: "/pattern/replacement/flags on headers and body", Args: []module.Arg{expr}, In: editable, New: x.newSubst(afterFirstLine)},
		{Name: "subst_body", Help: "/pattern/replacement/flags on the body", Args: []module.Arg{expr}, In: editable, New: x.newSubst(body)},
		{Name: "subst_uri", Help: "/pattern/replacement/flags on the request URI", Args: []module.Arg{expr}, In: editable, New: x.newSubstURI},
		{Name: "subst_user", Help: "/pattern/replacement/flags on the user of the request URI", Args: []module.Arg{expr}, In: editable, New: x.newSubstUser},
		{
			Name: "subst_hf", Help: `/pattern/replacement/flags on the values of a header: "a" all, "f" first, "l" last`,
			Args: []module.Arg{format("header"), expr, optional(constant("which"))}, In: editable, New: x.newSubstHeader,
		},
	}
}

// part is where a function looks: offsets in the message.
type part func(m *sip.Message) (start, end int)

func afterFirstLine(m *sip.Message) (int, int) { return m.FirstLine().End, len(m.Raw()) }
func body(m *sip.Message) (int, int)           { return m.BodyOffset(), len(m.Raw()) }

func compile(a module.Args, i int) (*regex.Regexp, error) {
	re, err := regex.Compile(a[i].Text, regex.IgnoreCase|regex.Newline)
	if err != nil {
		return nil, &module.ArgError{I: i, Err: err}
	}
	return re, nil
}

func newSearch(where part) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		re, err := compile(a, 0)
		if err != nil {
			return nil, err
		}
		return func(c *run.Context) int {
			from, to := where(c.Msg)
			return code(re.Match(c.Msg.Raw()[from:to]))
		}, nil
	}
}

func newSearchAppend(where part) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		re, err := compile(a, 0)
		if err != nil {
			return nil, err
		}
		return func(c *run.Context) int {
			from, to := where(c.Msg)
			_, end, ok := re.Find(c.Msg.Raw()[from:to])
			if !ok {
				return -1
			}
			c.Msg.Edits.Insert(from+end, a.Str(c, 1))
			return 1
		}, nil
	}
}

func newReplace(where part, n int) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		re, err := compile(a, 0)
		if err != nil {
			return nil, err
		}
		return func(c *run.Context) int {
			from, to := where(c.Msg)
			return replaceMatches(c, re.FindAll(c.Msg.Raw()[from:to], n), from, a)
		}, nil
	}
}

// newReplaceAtOnce lets the expression see the body as one text, without lines.
func newReplaceAtOnce(a module.Args) (run.Func, error) {
	re, err := regex.Compile(a[0].Text, regex.IgnoreCase)
	if err != nil {
		return nil, &module.ArgError{I: 0, Err: err}
	}
	return func(c *run.Context) int {
		from, to := body(c.Msg)
		return replaceMatches(c, re.FindAll(c.Msg.Raw()[from:to], -1), from, a)
	}, nil
}

// replaceMatches makes an edit of each match that is not empty. What another
// edit has taken already stays with that one.
func replaceMatches(c *run.Context, matches [][]int, from int, a module.Args) int {
	done := false
	text := a.Str(c, 1)
	for _, m := range matches {
		if m[0] < m[1] && c.Msg.Edits.Replace(from+m[0], from+m[1], text) == nil {
			done = true
		}
	}
	return code(done)
}

// vars compiles the variables of a replacement.
func vars(reg *pv.Registry) regex.VarParser {
	return func(s string) (regex.Appender, int, error) {
		v, n, err := reg.ParseVar(s, pv.Kamailio)
		if err != nil {
			return nil, 0, err
		}
		return v.AppendTo, n, nil
	}
}

func (x *textops) subst(a module.Args, i int) (*regex.Subst, error) {
	s, err := regex.ParseSubst(a[i].Text, vars(x.vars))
	if err != nil {
		return nil, &module.ArgError{I: i, Err: err}
	}
	return s, nil
}

func (x *textops) newSubst(where part) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		s, err := x.subst(a, 0)
		if err != nil {
			return nil, err
		}
		return func(c *run.Context) int {
			from, to := where(c.Msg)
			return code(applySubst(c, s, from, to))
		}, nil
	}
}

func applySubst(c *run.Context, s *regex.Subst, from, to int) bool {
	done := false
	for _, e := range s.Edits(c, c.Msg.Raw()[from:to]) {
		if c.Msg.Edits.Replace(from+e.Start, from+e.End, e.Text) == nil {
			done = true
		}
	}
	return done
}

func (x *textops) newSubstURI(a module.Args) (run.Func, error) {
	s, err := x.subst(a, 0)
	if err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		uri, n := s.Replace(c, c.RURI())
		if n == 0 || uri == "" {
			return -1
		}
		c.SetRURI(uri)
		return 1
	}, nil
}

func (x *textops) newSubstUser(a module.Args) (run.Func, error) {
	s, err := x.subst(a, 0)
	if err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		u, err := c.ParsedRURI()
		if err != nil {
			return -1
		}
		user, n := s.Replace(c, u.User)
		if n == 0 {
			return -1
		}
		uri, err := sip.SetUser(c.RURI(), user)
		if err != nil {
			return -1
		}
		c.SetRURI(uri)
		return 1
	}, nil
}

// which is the third argument of search_hf and subst_hf.
type which byte

func newWhich(a module.Args, i int) (which, error) {
	if !a.Has(i) || a[i].Text == "" {
		return 'a', nil
	}
	w := which(a[i].Text[0])
	if w != 'a' && w != 'f' && w != 'l' {
		return 0, &module.ArgError{I: i, Err: errors.New("there are a (all), f (first) and l (last)")}
	}
	return w, nil
}

// each calls f for the headers of a name that are wanted, until it answers
// false.
func (w which) each(m *sip.Message, name string, f func(*sip.Header) bool) {
	if name == "" {
		return
	}
	h := m.FindName(name)
	if w == 'l' {
		for h != nil {
			next := m.Next(h)
			if next == nil {
				f(h)
			}
			h = next
		}
		return
	}
	for h != nil && f(h) && w == 'a' {
		h = m.Next(h)
	}
}

func newSearchHeader(a module.Args) (run.Func, error) {
	re, err := compile(a, 1)
	if err != nil {
		return nil, err
	}
	w, err := newWhich(a, 2)
	if err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		found := false
		w.each(c.Msg, headerName(a.Str(c, 0)), func(h *sip.Header) bool {
			found = re.Match(c.Msg.Value(h))
			return !found
		})
		return code(found)
	}, nil
}

func (x *textops) newSubstHeader(a module.Args) (run.Func, error) {
	s, err := x.subst(a, 1)
	if err != nil {
		return nil, err
	}
	w, err := newWhich(a, 2)
	if err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		done := false
		w.each(c.Msg, headerName(a.Str(c, 0)), func(h *sip.Header) bool {
			if applySubst(c, s, h.ValueStart(), h.ValueEnd()) {
				done = true
			}
			return true
		})
		return code(done)
	}, nil
}

// headerName is a name as scripts write it, perhaps with its colon.
func headerName(s string) string { return strings.TrimRight(strings.TrimSpace(s), ": ") }

// newReTrans compiles {re.subst,/pattern/replacement/flags}.
func newReTrans(member string, a *pv.TransArgs) (pv.Transform, error) {
	if member != "subst" {
		return nil, a.Unknown("re", member, []string{"subst"})
	}
	expr, err := a.Rest()
	if err != nil {
		return nil, err
	}
	s, err := regex.ParseSubst(expr, vars(a.Registry()))
	if err != nil {
		return nil, err
	}
	return func(c *run.Context, v run.Value) run.Value {
		if v.IsNull() {
			return v
		}
		text, _ := s.Replace(c, v.Text())
		return run.Str(text)
	}, nil
}

package textops

import (
	"strings"

	"sipd/router/module"
	"sipd/router/regex"
	"sipd/router/run"
)

// variableFunctions are those whose expressions may come in variables.
func (x *textops) variableFunctions() []module.Function {
	name, re := format("name"), format("regex")
	all := run.AnyRoute
	return []module.Function{
		{Name: "remove_hf_pv", Help: "as remove_hf, true without such a header too", Args: []module.Arg{name}, In: editable, New: newRemoveHFPV},
		{Name: "remove_hf_re_pv", Help: "as remove_hf_re, with variables in the expression", Args: []module.Arg{re}, In: editable, New: newRemoveHFRe},
		{Name: "remove_hf_exp_pv", Help: "as remove_hf_exp, with variables in the expressions", Args: []module.Arg{re, format("but")}, In: editable, New: newRemoveHFExpPV},
		{Name: "is_present_hf_pv", Help: "the same as is_present_hf", Args: []module.Arg{name}, In: all, New: newIsPresentHF},
		{Name: "is_present_hf_re_pv", Help: "as is_present_hf_re, with variables in the expression", Args: []module.Arg{re}, In: all, New: newIsPresentHFRe},
		{Name: "search_str", Help: "true when the expression is found in the text", Args: []module.Arg{format("text"), re}, In: all, New: newSearchStr},
		{Name: "ends_with", Help: "true when the text ends with the other", Args: []module.Arg{format("text"), format("other")}, In: all, New: newEndsWith},
	}
}

// expression is argument i, compiled when it changes; one that is constant and
// wrong is an error at once. Expressions that do not compile are nil.
func expression(a module.Args, i int) (func(*run.Context) *regex.Regexp, error) {
	last := regex.Last[*regex.Regexp]{Make: func(text string) (*regex.Regexp, error) {
		return regex.Compile(text, regex.IgnoreCase|regex.Newline)
	}}
	if a[i].IsConst {
		if _, err := last.Get(a[i].Const.Text()); err != nil {
			return nil, &module.ArgError{I: i, Err: err}
		}
	}
	return func(c *run.Context) *regex.Regexp {
		re, err := last.Get(a.Str(c, i))
		if err != nil {
			return nil
		}
		return re
	}, nil
}

func newRemoveHFPV(a module.Args) (run.Func, error) {
	remove, err := newRemoveHF(a)
	return func(c *run.Context) int {
		if a.Str(c, 0) == "" {
			return -1
		}
		remove(c)
		return 1
	}, err
}

func newRemoveHFRe(a module.Args) (run.Func, error) {
	match, err := expression(a, 0)
	if err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		re := match(c)
		return code(re != nil && removeWhere(c.Msg, re.Match))
	}, nil
}

func newRemoveHFExpPV(a module.Args) (run.Func, error) {
	match, err := expression(a, 0)
	if err != nil {
		return nil, err
	}
	skip, err := expression(a, 1)
	if err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		re, but := match(c), skip(c)
		if re == nil || but == nil {
			return -1
		}
		// Unlike remove_hf_exp it says whether there was one, as in Kamailio.
		return code(removeWhere(c.Msg, func(name string) bool { return re.Match(name) && !but.Match(name) }))
	}, nil
}

func newIsPresentHFRe(a module.Args) (run.Func, error) {
	match, err := expression(a, 0)
	if err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		re := match(c)
		if re == nil {
			return -1
		}
		hs := c.Msg.Headers()
		for i := range hs {
			if re.Match(c.Msg.Name(&hs[i])) {
				return 1
			}
		}
		return -1
	}, nil
}

func newSearchStr(a module.Args) (run.Func, error) {
	find, err := expression(a, 1)
	if err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		re, text := find(c), a.Str(c, 0)
		if re == nil || text == "" {
			return -2
		}
		return code(re.Match(text))
	}, nil
}

// newEndsWith compiles ends_with: -1 where the text is shorter or its end is
// greater, -2 where it is less, as in Kamailio.
func newEndsWith(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		text, other := a.Str(c, 0), a.Str(c, 1)
		if len(other) > len(text) {
			return -1
		}
		switch strings.Compare(text[len(text)-len(other):], other) {
		case 0:
			return 1
		case 1:
			return -1
		}
		return -2
	}, nil
}

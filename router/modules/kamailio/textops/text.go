package textops

import (
	"errors"
	"strings"

	"sipd/router/module"
	"sipd/router/regex"
	"sipd/router/run"
	"sipd/router/sip"
)

// textFunctions replace plain texts, and remove headers by their value.
func (x *textops) textFunctions() []module.Function {
	str := []module.Arg{format("text"), format("by"), format("mode")}
	name := format("name")
	return []module.Function{
		{Name: "replace_str", Help: `replace a text in headers or body: mode "f" the first, "a" all`, Args: str, In: editable, New: newReplaceStr(afterFirstLine)},
		{Name: "replace_body_str", Help: `replace a text in the body: mode "f" the first, "a" all`, Args: str, In: editable, New: newReplaceStr(body)},
		{Name: "replace_hdrs_str", Help: `replace a text in the headers: mode "f" the first, "a" all`, Args: str, In: editable, New: newReplaceStr(headers)},
		{Name: "replace_hdrs", Help: "replace the first match in the headers", Args: []module.Arg{regexArg(), format("text")}, In: editable, New: newReplace(headers, 1)},
		{
			Name: "remove_hf_idx", Help: "remove one header of a name: 0 the first, -1 the last",
			Args: []module.Arg{name, {Name: "index", Type: module.ArgInt}}, In: editable, New: newRemoveHFIdx,
		},
		{
			Name: "remove_hf_match", Help: `remove the headers of a name by their value: "eq" the same, "ne" another, "in" with it in, "re" matched`,
			Args: []module.Arg{name, format("operator"), format("value")}, In: editable, New: newRemoveHFMatch,
		},
		{
			Name: "regex_substring", Help: "put a part of what an expression matches into a variable",
			Args: []module.Arg{
				format("text"), format("regex"),
				{Name: "index", Type: module.ArgInt},
				{Name: "count", Type: module.ArgInt},
				{Name: "variable", Type: module.ArgVar},
			}, In: run.AnyRoute, New: newRegexSubstring,
		},
	}
}

// headers is the part with the header lines, the empty line behind them left out.
func headers(m *sip.Message) (int, int) { return m.FirstLine().End, end(m) }

// newReplaceStr compiles replace_str and its kind. They answer 1 when the text
// is not there, too, as in Kamailio; -1 when there is nothing to look in.
func newReplaceStr(where part) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		return func(c *run.Context) int {
			text, by, mode := a.Str(c, 0), a.Str(c, 1), a.Str(c, 2)
			from, to := where(c.Msg)
			if from == to {
				return -1
			}
			first := mode == "" || mode[0]|0x20 == 'f'
			for raw := c.Msg.Raw()[:to]; text != ""; from += len(text) {
				i := strings.Index(raw[from:], text)
				if i < 0 {
					break
				}
				from += i
				// Only fails where another edit has taken the place already.
				_ = c.Msg.Edits.Replace(from, from+len(text), by)
				if first {
					break
				}
			}
			return 1
		}, nil
	}
}

// newRemoveHFIdx compiles remove_hf_idx: 1 removed, or counted from the end and
// not there; 2 not there.
func newRemoveHFIdx(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		name, index := headerName(a.Str(c, 0)), a.Int(c, 1, 0)
		if name == "" {
			return -1
		}
		missing := 2
		if index < 0 {
			missing = 1
			for h := c.Msg.FindName(name); h != nil; h = c.Msg.Next(h) {
				index++
			}
		}
		h := c.Msg.FindName(name)
		for ; h != nil && index > 0; index-- {
			h = c.Msg.Next(h)
		}
		if h == nil || index < 0 {
			return missing
		}
		remove(c.Msg, h)
		return 1
	}, nil
}

// operators are those of remove_hf_match but "re".
var operators = map[string]func(value, text string) bool{
	"eq": func(value, text string) bool { return value == text },
	"ne": func(value, text string) bool { return value != text },
	"in": strings.Contains,
}

var errOperator = errors.New("there are eq (the same), ne (another), in (with it in) and re (a regular expression)")

// newRemoveHFMatch compiles remove_hf_match: 1 removed, -2 none, -1 for a wrong
// operator or expression.
func newRemoveHFMatch(a module.Args) (run.Func, error) {
	if a[1].IsConst {
		op := strings.ToLower(a[1].Const.Text())
		if operators[op] == nil && op != "re" {
			return nil, &module.ArgError{I: 1, Err: errOperator}
		}
	}
	last := regex.Last[*regex.Regexp]{Make: func(text string) (*regex.Regexp, error) {
		return regex.Compile(text, regex.IgnoreCase|regex.Newline)
	}}
	return func(c *run.Context) int {
		name, op, value := headerName(a.Str(c, 0)), strings.ToLower(a.Str(c, 1)), a.Str(c, 2)
		match := operators[op]
		if op == "re" {
			re, err := last.Get(value)
			if err != nil {
				return -1
			}
			match = func(value, _ string) bool { return re.Match(value) }
		}
		if name == "" || match == nil {
			return -1
		}
		found := -2
		for h := c.Msg.FindName(name); h != nil; h = c.Msg.Next(h) {
			if match(c.Msg.Value(h), value) {
				remove(c.Msg, h)
				found = 1
			}
		}
		return found
	}, nil
}

// newRegexSubstring compiles regex_substring: 1 found, -2 no match, -1 for a
// part that there is not, is empty, or is not among the first count ones.
func newRegexSubstring(a module.Args) (run.Func, error) {
	last := regex.Last[*regex.Regexp]{Make: func(text string) (*regex.Regexp, error) { return regex.Compile(text, 0) }}
	if a[1].IsConst {
		if _, err := last.Get(a[1].Const.Text()); err != nil {
			return nil, &module.ArgError{I: 1, Err: err}
		}
	}
	set := a[4].Var.Set
	return func(c *run.Context) int {
		text, index := a.Str(c, 0), a.Int(c, 2, 0)
		re, err := last.Get(a.Str(c, 1))
		if err != nil || index < 0 || index >= a.Int(c, 3, 0) {
			return -1
		}
		at := re.Submatches(text)
		if at == nil {
			return -2
		}
		if 2*index >= len(at) || at[2*index] < 0 || at[2*index] == at[2*index+1] {
			return -1
		}
		return code(set(c, run.Str(text[at[2*index]:at[2*index+1]])))
	}, nil
}

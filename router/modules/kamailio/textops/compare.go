package textops

import (
	"strings"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
)

// testFunctions compare and look things up.
func (x *textops) testFunctions() []module.Function {
	two := []module.Arg{format("text"), format("other")}
	list := []module.Arg{format("text"), format("list"), format("separator")}
	all := run.AnyRoute
	return []module.Function{
		{Name: "is_method", Help: `true when the method is in a list: "INVITE|SUBSCRIBE"; of a reply, the CSeq's`, Args: []module.Arg{constant("methods")}, In: all, New: newIsMethod},
		{Name: "is_privacy", Help: "true when the Privacy header names this value", Args: []module.Arg{constant("value")}, In: all, New: newIsPrivacy},
		{Name: "cmp_str", Help: "true when two texts are equal", Args: two, In: all, New: compare(func(a, b string) bool { return a == b })},
		{Name: "cmp_istr", Help: "true when two texts are equal but for case", Args: two, In: all, New: compare(strings.EqualFold)},
		{Name: "starts_with", Help: "true when the text starts with the other", Args: two, In: all, New: newStartsWith},
		{Name: "str_find", Help: "true when the other is in the text", Args: two, In: all, New: compare(strings.Contains)},
		{Name: "str_ifind", Help: "true when the other is in the text, but for case", Args: two, In: all, New: compare(containsFold)},
		{Name: "in_list", Help: "true when the text is an item of the list", Args: list, In: all, New: inList(func(text, item string) bool { return text == item })},
		{Name: "in_list_prefix", Help: "true when an item of the list starts the text", Args: list, In: all, New: inList(func(text, item string) bool { return item != "" && strings.HasPrefix(text, item) })},
	}
}

// newIsMethod compiles a list of methods: known ones are bits of a word, others
// compare as text. Case does not matter, as in Kamailio.
func newIsMethod(a module.Args) (run.Func, error) {
	var known sip.Method
	var others []string
	for _, name := range strings.Split(a[0].Text, "|") {
		name = strings.ToUpper(strings.TrimSpace(name))
		if name == "" {
			continue
		}
		if m := sip.ParseMethod(name); m != sip.Other {
			known |= m
		} else {
			others = append(others, name)
		}
	}
	return func(c *run.Context) int {
		if m := c.Msg.Method(); m != sip.Other {
			return code(known&m != 0)
		}
		for _, o := range others {
			if strings.EqualFold(c.Msg.MethodName(), o) {
				return 1
			}
		}
		return -1
	}, nil
}

func newIsPrivacy(a module.Args) (run.Func, error) {
	want := a[0].Text
	return func(c *run.Context) int {
		for h := c.Msg.First(sip.HdrPrivacy); h != nil; h = c.Msg.Next(h) {
			for rest := c.Msg.Value(h); rest != ""; {
				var v string
				v, rest, _ = strings.Cut(rest, ";")
				if strings.EqualFold(strings.TrimSpace(v), want) {
					return 1
				}
			}
		}
		return -1
	}, nil
}

func compare(ok func(a, b string) bool) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		return func(c *run.Context) int { return code(ok(a.Str(c, 0), a.Str(c, 1))) }, nil
	}
}

// newStartsWith answers -2 for "no", as Kamailio does; -1 would be an error.
func newStartsWith(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		if strings.HasPrefix(a.Str(c, 0), a.Str(c, 1)) {
			return 1
		}
		return -2
	}, nil
}

func containsFold(s, sub string) bool {
	for i := 0; i+len(sub) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(sub)], sub) {
			return true
		}
	}
	return false
}

func inList(ok func(text, item string) bool) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		return func(c *run.Context) int {
			text, rest, sep := a.Str(c, 0), a.Str(c, 1), a.Str(c, 2)
			if sep == "" {
				sep = ","
			}
			for more := rest != ""; more; {
				var item string
				item, rest, more = strings.Cut(rest, sep)
				if ok(text, strings.TrimSpace(item)) {
					return 1
				}
			}
			return -1
		}, nil
	}
}

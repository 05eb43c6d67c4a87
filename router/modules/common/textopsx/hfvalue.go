package textopsx

import (
	"errors"
	"strings"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
)

// finder looks for a parameter in raw[i:end].
type finder func(raw string, i, end int, name string) param

func valueFunctions() []module.Function {
	header, text := module.Arg{Name: "header", Type: module.ArgConst}, format("value")
	one, two := []module.Arg{header}, []module.Arg{header, text}
	in := editable &^ run.OnSendRoute
	f := func(n, help string, args []module.Arg, compile func(module.Args) (run.Func, error)) module.Function {
		return module.Function{Name: n, Help: help, Args: args, In: in, New: compile}
	}
	return []module.Function{
		f("append_hf_value", "add a value behind another one, or a header at the end when no index is given", two, newAppendValue),
		f("insert_hf_value", "add a value before another one, or a header before the first when no index is given", two, newInsertValue),
		f("remove_hf_value", "remove a value, a header with [*], or a parameter of a value", one, newChangeValue(false)),
		f("assign_hf_value", "change a value, or a parameter of a value", two, newChangeValue(true)),
		f("remove_hf_value2", "remove a header, or one of its parameters that commas separate", one, newChangeHeader(false)),
		f("assign_hf_value2", "change a header, or one of its parameters that commas separate", two, newChangeHeader(true)),
		f("include_hf_value", "add a value to a header that lists values, unless it is there", two, newInclude),
		f("exclude_hf_value", "remove a value from all headers of a name", two, newExclude),
		f("hf_value_exists", "true when a value is in one of the headers of a name", two, newExists),
	}
}

var (
	errNoParam = errors.New("the header takes no [*] and no parameter here")
	errPlain   = errors.New("the header takes neither an index nor a parameter here")
	errAll     = errors.New("[*] needs a parameter behind it here")
)

// newField compiles argument 0 and refuses what check says.
func newField(a module.Args, index int, check func(field) error) (field, error) {
	f, err := parseField(a[0].Text, index)
	if err == nil && check != nil {
		err = check(f)
	}
	if err != nil {
		return f, &module.ArgError{I: 0, Err: err}
	}
	return f, nil
}

func noParam(f field) error {
	if f.all || f.param != "" {
		return errNoParam
	}
	return nil
}

func plain(f field) error {
	if f.indexed || f.param != "" {
		return errPlain
	}
	return nil
}

// oneLine says whether a text can stand in a header.
func oneLine(s string) bool { return !strings.ContainsAny(s, "\r\n") }

func newAppendValue(a module.Args) (run.Func, error) {
	f, err := newField(a, -1, noParam)
	return func(c *run.Context) int {
		m, text := c.Msg, a.Str(c, 1)
		if !oneLine(text) {
			return -1
		}
		var v *value
		if f.indexed {
			v = pick(allValues(m, f.name), f.index)
		}
		if v == nil {
			addHeader(m, m.HeaderEnd(), f.name, text)
		} else {
			addValue(m, v.h, v.outer.End, text)
		}
		return 1
	}, err
}

func newInsertValue(a module.Args) (run.Func, error) {
	f, err := newField(a, 1, noParam)
	return func(c *run.Context) int {
		m, text := c.Msg, a.Str(c, 1)
		v := pick(allValues(m, f.name), f.index)
		switch {
		case !oneLine(text) || v == nil && f.index != 1:
			return -1
		case v == nil:
			addHeader(m, m.HeaderEnd(), f.name, text)
		case f.indexed:
			addValue(m, v.h, v.outer.Start, text)
		default:
			addHeader(m, v.h.Start(), f.name, text)
		}
		return 1
	}, err
}

// newChanged reads what is to be assigned or removed: all values can be removed,
// but not be one.
func newChanged(a module.Args, assign bool) (field, error) {
	return newField(a, 1, func(f field) error {
		if assign && f.all && f.param == "" {
			return errAll
		}
		return nil
	})
}

// newChangeValue compiles assign_hf_value and remove_hf_value.
func newChangeValue(assign bool) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		f, err := newChanged(a, assign)
		return func(c *run.Context) int {
			m, text := c.Msg, textIf(c, a, assign)
			switch vs := allValues(m, f.name); {
			case !oneLine(text):
				return -1
			case !f.all:
				v := pick(vs, f.index)
				return code(v != nil && changeValue(m, v, &f, assign, text))
			case f.param == "":
				return code(removeAll(m, f.name))
			default:
				done := false
				for i := range vs {
					done = changeValue(m, &vs[i], &f, assign, text) || done
				}
				return code(done)
			}
		}, err
	}
}

// changeValue assigns or removes one value, or its parameter when f names one.
func changeValue(m *sip.Message, v *value, f *field, assign bool, text string) bool {
	switch {
	case f.param != "":
		from := paramsFrom(m.Raw(), v.inner)
		return changeParam(m, findParam, from, v.inner.End, f.param, assign, text)
	case assign:
		return m.Edits.Replace(v.inner.Start, v.inner.End, text) == nil
	}
	return erase(m, v)
}

// changeParam sets a parameter in raw[from:end], or removes all of its name.
func changeParam(m *sip.Message, find finder, from, end int, name string, assign bool, text string) bool {
	p := find(m.Raw(), from, end, name)
	if assign {
		return p.assign(m, name, text)
	}
	done := false
	for ; p.found; p = find(m.Raw(), p.whole.End, end, name) {
		done = m.Edits.Delete(p.whole.Start, p.whole.End) == nil || done
	}
	return done
}

// removeAll removes all headers of a name.
func removeAll(m *sip.Message, name string) bool {
	h := m.FindName(name)
	found := h != nil
	for ; h != nil; h = m.Next(h) {
		_ = m.Edits.Delete(h.Start(), h.End()) // only fails where the field is edited already
	}
	return found
}

// newChangeHeader compiles assign_hf_value2 and remove_hf_value2: an index
// counts headers, and parameters belong to the header.
func newChangeHeader(assign bool) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		f, err := newChanged(a, assign)
		return func(c *run.Context) int {
			m, text := c.Msg, textIf(c, a, assign)
			if !oneLine(text) {
				return -1
			}
			var hs []value
			for h := m.FindName(f.name); h != nil; h = m.Next(h) {
				hs = append(hs, value{h: h})
			}
			if !f.all {
				v := pick(hs, f.index)
				return code(v != nil && changeHeader(m, v.h, &f, assign, text))
			}
			done := false
			for _, v := range hs {
				done = changeHeader(m, v.h, &f, assign, text) || done
			}
			return code(done)
		}, err
	}
}

func changeHeader(m *sip.Message, h *sip.Header, f *field, assign bool, text string) bool {
	switch {
	case f.param != "":
		return changeParam(m, findListed, h.ValueStart(), h.ValueEnd(), f.param, assign, text)
	case assign:
		return m.Edits.Replace(h.ValueStart(), h.ValueEnd(), text) == nil
	}
	return m.Edits.Delete(h.Start(), h.End()) == nil
}

// same says whether a value is text, in any case.
func same(m *sip.Message, v *value, text string) bool {
	return strings.EqualFold(m.Raw()[v.inner.Start:v.inner.End], text)
}

func newInclude(a module.Args) (run.Func, error) {
	f, err := newField(a, 1, plain)
	return func(c *run.Context) int {
		m, text := c.Msg, a.Str(c, 1)
		if text == "" || !oneLine(text) {
			return -1
		}
		vs := allValues(m, f.name)
		for i := range vs {
			if same(m, &vs[i], text) {
				return 1
			}
		}
		if len(vs) == 0 {
			addHeader(m, m.HeaderEnd(), f.name, text)
		} else {
			addValue(m, vs[0].h, vs[0].h.ValueEnd(), text)
		}
		return 1
	}, err
}

func newExclude(a module.Args) (run.Func, error) {
	f, err := newField(a, 1, plain)
	return func(c *run.Context) int {
		text := a.Str(c, 1)
		if text == "" {
			return -1
		}
		vs := allValues(c.Msg, f.name)
		for i := range vs {
			if same(c.Msg, &vs[i], text) {
				_ = erase(c.Msg, &vs[i]) // only fails where the value is edited already
			}
		}
		return 1
	}, err
}

func newExists(a module.Args) (run.Func, error) {
	f, err := newField(a, 1, plain)
	return func(c *run.Context) int {
		text := a.Str(c, 1)
		vs := allValues(c.Msg, f.name)
		for i := range vs {
			if text != "" && same(c.Msg, &vs[i], text) {
				return 1
			}
		}
		return -1
	}, err
}

// textIf is argument 1 where there is one.
func textIf(c *run.Context, a module.Args, assign bool) string {
	if assign {
		return a.Str(c, 1)
	}
	return ""
}

package textopsx

import (
	"errors"
	"strings"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/sip"
)

// maxIterators bounds the iterators of a kind in one message.
const maxIterators = 16

// none is the place of an iterator that stands nowhere.
const none = -1

// iterators are those of one message.
type iterators struct {
	headers []headerIterator
	lines   []lineIterator
}

// headerIterator stands at a header by its number. prev is the one before, for
// hf_iterator_prev; end is set when it ran past the last.
type headerIterator struct {
	name     string
	msg      *sip.Message
	at, prev int
	end      bool
}

// lineIterator stands at the line raw[from:to] of a body.
type lineIterator struct {
	name     string
	msg      *sip.Message
	from, to int // equal when it stands nowhere
	end      bool
}

func (x *textopsx) iteratorFunctions() []module.Function {
	name := []module.Arg{format("iterator")}
	headers := []module.Arg{name[0], format("header lines")}
	lines := []module.Arg{name[0], format("text")}
	f := func(n, help string, args []module.Arg, compile func(module.Args) (run.Func, error)) module.Function {
		return module.Function{Name: n, Help: help, Args: args, In: run.AnyRoute, New: compile}
	}
	return []module.Function{
		f("hf_iterator_start", "begin to walk through the headers: before the first", name, x.newHeaderStart),
		f("hf_iterator_next", "go to the next header; false behind the last", name, x.onHeader((*headerIterator).next)),
		f("hf_iterator_prev", "go back to the header before, or before the first", name, x.onHeader((*headerIterator).back)),
		f("hf_iterator_end", "end the walk", name, x.onHeader((*headerIterator).stop)),
		f("hf_iterator_rm", "remove the header", name, x.onHeader((*headerIterator).remove)),
		f("hf_iterator_append", "add header lines behind the header", headers, x.newHeaderInsert(true)),
		f("hf_iterator_insert", "add header lines before the header", headers, x.newHeaderInsert(false)),
		f("bl_iterator_start", "begin to walk through the lines of the body: before the first", name, x.newLineStart),
		f("bl_iterator_next", "go to the next line; false behind the last", name, x.onLine((*lineIterator).next)),
		f("bl_iterator_end", "end the walk", name, x.onLine((*lineIterator).stop)),
		f("bl_iterator_rm", "remove the line", name, x.onLine((*lineIterator).remove)),
		f("bl_iterator_append", "add text behind the line", lines, x.newLineInsert(true)),
		f("bl_iterator_insert", "add text before the line", lines, x.newLineInsert(false)),
	}
}

// of are the message's iterators, nil when it has none yet.
func (x *textopsx) of(c *run.Context) *iterators {
	its, _ := c.Slots[x.slot].(*iterators)
	return its
}

// begin are the message's iterators, made when it has none.
func (x *textopsx) begin(c *run.Context) *iterators {
	its := x.of(c)
	if its == nil {
		its = new(iterators)
		c.Slots[x.slot] = its
	}
	return its
}

// header is an iterator by name, nil when none of this name was begun on the
// message as it is now.
func (x *textopsx) header(c *run.Context, name string) *headerIterator {
	if its := x.of(c); its != nil {
		for i := range its.headers {
			if it := &its.headers[i]; it.name == name && it.msg == c.Msg {
				return it
			}
		}
	}
	return nil
}

func (x *textopsx) newHeaderStart(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		its, name := x.begin(c), a.Str(c, 0)
		fresh := headerIterator{name: strings.Clone(name), msg: c.Msg, at: none, prev: none}
		for i := range its.headers {
			if its.headers[i].name == name {
				its.headers[i] = fresh
				return 1
			}
		}
		if name == "" || len(its.headers) == maxIterators {
			return -1
		}
		its.headers = append(its.headers, fresh)
		return 1
	}, nil
}

func (x *textopsx) onHeader(do func(*headerIterator) bool) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		return func(c *run.Context) int {
			it := x.header(c, a.Str(c, 0))
			return code(it != nil && do(it))
		}, nil
	}
}

func (it *headerIterator) next() bool {
	if it.end {
		return false
	}
	if it.at != none {
		it.prev = it.at
	}
	it.at++
	if it.at == len(it.msg.Headers()) {
		it.at, it.end = none, true
	}
	return !it.end
}

// back goes one header back; from the first ones it goes before all, as
// Kamailio does.
func (it *headerIterator) back() bool {
	switch {
	case it.end:
		return false
	case it.prev == none || it.prev == it.at && it.at < 2 && len(it.msg.Headers()) > 2:
		it.at, it.prev = none, none
	case it.prev != it.at:
		it.at = it.prev
	default:
		it.at--
		it.prev = it.at - 1
	}
	return true
}

func (it *headerIterator) stop() bool {
	it.at, it.end = none, false
	return true
}

// current is the header it stands at, nil for none.
func (it *headerIterator) current() *sip.Header {
	if it == nil || it.at == none {
		return nil
	}
	return &it.msg.Headers()[it.at]
}

func (it *headerIterator) remove() bool {
	h := it.current()
	return h != nil && it.msg.Edits.Delete(h.Start(), h.End()) == nil
}

var errNoHeader = errors.New(`header lines end in \r\n and hold no empty line, as in "X-Test: 1\r\n"`)

// headerLines is text ready to be put between headers, with a line end. What
// has none, no name, or an empty line in it would break the headers behind it.
func headerLines(s string) (string, bool) {
	if strings.IndexByte(s, ':') <= 0 || strings.Contains(s, "\r\n\r\n") || strings.Contains(s, "\n\n") {
		return "", false
	}
	if !strings.HasSuffix(s, "\n") {
		s += "\r\n"
	}
	return s, true
}

func (x *textopsx) newHeaderInsert(behind bool) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		if a[1].IsConst {
			if _, ok := headerLines(a[1].Const.Text()); !ok {
				return nil, &module.ArgError{I: 1, Err: errNoHeader}
			}
		}
		return func(c *run.Context) int {
			h := x.header(c, a.Str(c, 0)).current()
			text, ok := headerLines(a.Str(c, 1))
			if h == nil || !ok {
				return -1
			}
			at := h.Start()
			if behind {
				at = h.End()
			}
			c.Msg.Edits.Insert(at, text)
			return 1
		}, nil
	}
}

// newHeaderVar compiles $hfitname and $hfitbody.
func (x *textopsx) newHeaderVar(get func(*sip.Message, *sip.Header) string) func(*pv.Name) (pv.Var, error) {
	return func(n *pv.Name) (pv.Var, error) {
		name, err := iteratorName(n)
		return pv.Var{Get: func(c *run.Context) run.Value {
			h := x.header(c, name).current()
			if h == nil {
				return run.Null
			}
			return run.Str(get(c.Msg, h))
		}}, err
	}
}

func iteratorName(n *pv.Name) (string, error) {
	if n.Inner == "" {
		return "", errors.New("$" + n.Class + " wants the name of an iterator, as in $" + n.Class + "(one)")
	}
	return n.Inner, nil
}

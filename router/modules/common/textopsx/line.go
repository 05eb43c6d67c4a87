package textopsx

import (
	"strings"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
)

// line is an iterator by name, nil when none of this name was begun on the
// message as it is now.
func (x *textopsx) line(c *run.Context, name string) *lineIterator {
	if its := x.of(c); its != nil {
		for i := range its.lines {
			if it := &its.lines[i]; it.name == name && it.msg == c.Msg {
				return it
			}
		}
	}
	return nil
}

func (x *textopsx) newLineStart(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		its, name := x.begin(c), a.Str(c, 0)
		at := c.Msg.BodyOffset()
		fresh := lineIterator{name: strings.Clone(name), msg: c.Msg, from: at, to: at}
		for i := range its.lines {
			if its.lines[i].name == name {
				its.lines[i] = fresh
				return 1
			}
		}
		if name == "" || len(its.lines) == maxIterators {
			return -1
		}
		its.lines = append(its.lines, fresh)
		return 1
	}, nil
}

func (x *textopsx) onLine(do func(*lineIterator) bool) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		return func(c *run.Context) int {
			it := x.line(c, a.Str(c, 0))
			return code(it != nil && do(it))
		}, nil
	}
}

func (it *lineIterator) next() bool {
	if it.end {
		return false
	}
	raw := it.msg.Raw()
	it.from = it.to
	if it.from == len(raw) {
		it.end = true
		return false
	}
	if n := strings.IndexByte(raw[it.from:], '\n'); n >= 0 {
		it.to = it.from + n + 1
	} else {
		it.to = len(raw)
	}
	return true
}

// stop ends the walk: as in Kamailio it has to be started again.
func (it *lineIterator) stop() bool {
	it.from, it.to, it.end = 0, 0, true
	return true
}

func (it *lineIterator) stands() bool { return it != nil && it.from < it.to }

func (it *lineIterator) remove() bool {
	return it.stands() && it.msg.Edits.Delete(it.from, it.to) == nil
}

func (x *textopsx) newLineInsert(behind bool) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		return func(c *run.Context) int {
			it := x.line(c, a.Str(c, 0))
			if !it.stands() {
				return -1
			}
			at := it.from
			if behind {
				at = it.to
			}
			c.Msg.Edits.Insert(at, a.Str(c, 1))
			return 1
		}, nil
	}
}

// newLineVar compiles $blitval.
func (x *textopsx) newLineVar(n *pv.Name) (pv.Var, error) {
	name, err := iteratorName(n)
	return pv.Var{Get: func(c *run.Context) run.Value {
		it := x.line(c, name)
		if !it.stands() {
			return run.Null
		}
		return run.Str(it.msg.Raw()[it.from:it.to])
	}}, err
}

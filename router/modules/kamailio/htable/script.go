package htable

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/regex"
	"sipd/router/run"
)

// state is what a run has of tables: locks, iterators, the item that ended.
type state struct {
	locks     []*slotLock
	iterators map[string]*iterator
	record    *entry
}

// iterator goes over a copy of the keys.
type iterator struct {
	t    *table
	list []entry
	at   int // of the present one, -1 before the first
}

func (h *htable) state(c *run.Context) *state {
	s, _ := c.Slots[h.slot].(*state)
	if s == nil {
		s = &state{}
		c.Slots[h.slot] = s
	}
	return s
}

// release gives back the locks that a run forgot.
func (h *htable) release(c *run.Context) {
	s, _ := c.Slots[h.slot].(*state)
	if s == nil {
		return
	}
	for _, l := range s.locks {
		l.unlock(c, true)
	}
	c.Slots[h.slot] = nil
}

func (h *htable) vars() []pv.Def {
	keyed := func(name, help string, f func(t *table, key pv.Getter) pv.Var) pv.Def {
		return pv.Def{Name: name, Help: help, RawInner: true, New: func(n *pv.Name) (pv.Var, error) {
			t, key, err := h.keyed(n.Reg, n.Inner)
			if err != nil {
				return pv.Var{}, err
			}
			return f(t, key), nil
		}}
	}
	get := func(f func(t *table, key string) run.Value) func(*table, pv.Getter) pv.Var {
		return func(t *table, key pv.Getter) pv.Var {
			return pv.Var{Get: func(c *run.Context) run.Value { return f(t, key(c).Text()) }}
		}
	}
	return []pv.Def{
		keyed("sht", "$sht(table=>key): an item; $null removes it", newItem),
		keyed("shtex", "$shtex(table=>key): seconds until an item ends; can be set", newExpires),
		keyed("shtinc", "$shtinc(table=>key): add one and read", get(func(t *table, k string) run.Value { return t.add(k, 1) })),
		keyed("shtdec", "$shtdec(table=>key): take one off and read", get(func(t *table, k string) run.Value { return t.add(k, -1) })),
		keyed("shtcn", "$shtcn(table=>expression): how many keys match", get(func(t *table, k string) run.Value { return count(t, k, false) })),
		keyed("shtcv", "$shtcv(table=>expression): how many values match", get(func(t *table, k string) run.Value { return count(t, k, true) })),
		{Name: "shtitkey", Help: "$shtitkey(iterator): the key", New: h.newIterVar(func(e *entry) run.Value { return run.Str(e.key) })},
		{Name: "shtitval", Help: "$shtitval(iterator): the value", New: h.newIterVar(func(e *entry) run.Value { return e.value })},
		{Name: "shtrecord", Help: "$shtrecord(key|value) of the item that ended, in event_route[htable:expired:TABLE]", New: h.newRecord},
	}
}

func newItem(t *table, key pv.Getter) pv.Var {
	return pv.Var{
		Get: func(c *run.Context) run.Value { return t.get(key(c).Text()) },
		Set: func(c *run.Context, v run.Value) bool {
			t.set(key(c).Text(), v)
			return true
		},
	}
}

func newExpires(t *table, key pv.Getter) pv.Var {
	return pv.Var{
		Get: func(c *run.Context) run.Value {
			_, expires, ok := t.item(key(c).Text())
			if !ok {
				return run.Null
			}
			if expires == 0 {
				return run.Int(0)
			}
			return run.Int(int(expires - t.now()))
		},
		Set: func(c *run.Context, v run.Value) bool { return t.setExpires(key(c).Text(), v.Int()) },
	}
}

// count counts the keys or values that match: "==text" all of it, "%~text" its
// beginning, "~%text" its end, "eqNUMBER" numbers, "**" all, "~~" and else a
// regular expression.
func count(t *table, expr string, values bool) run.Value {
	op, rest := "", expr
	if len(expr) >= 2 {
		op, rest = expr[:2], expr[2:]
	}
	n, isNumber := run.ParseInt(rest)
	var match func(s string) bool
	switch {
	case op == "**":
		match = func(string) bool { return true }
	case op == "==":
		match = func(s string) bool { return s == rest }
	case op == "%~":
		match = func(s string) bool { return strings.HasPrefix(s, rest) }
	case op == "~%":
		match = func(s string) bool { return strings.HasSuffix(s, rest) }
	case op == "eq" && isNumber && rest != "":
		return run.Int(len(t.entries(func(_ string, v run.Value) bool { return values && v.IsInt() && v.Int() == n })))
	default:
		re, err := regex.Compile(strings.TrimPrefix(expr, "~~"), 0)
		if err != nil {
			return run.Int(0)
		}
		match = re.Match
	}
	return run.Int(len(t.entries(func(k string, v run.Value) bool {
		if values {
			return match(v.Text()) && v.IsStr() || op == "**"
		}
		return match(k)
	})))
}

func (h *htable) newIterVar(f func(*entry) run.Value) func(*pv.Name) (pv.Var, error) {
	return func(n *pv.Name) (pv.Var, error) {
		if n.Inner == "" {
			return pv.Var{}, errors.New("want the name of an iterator: $shtitkey(name)")
		}
		name := func(*run.Context) string { return n.Inner }
		if n.InnerEval != nil {
			name = func(c *run.Context) string { return n.InnerEval(c).Text() }
		}
		return pv.Var{Get: func(c *run.Context) run.Value {
			if it := h.iterator(c, name(c)); it != nil && it.current() != nil {
				return f(it.current())
			}
			return run.Null
		}}, nil
	}
}

func (h *htable) newRecord(n *pv.Name) (pv.Var, error) {
	if n.Inner != "key" && n.Inner != "value" {
		return pv.Var{}, fmt.Errorf("want $shtrecord(key) or $shtrecord(value), not %q", n.Inner)
	}
	return pv.Var{Get: func(c *run.Context) run.Value {
		s, _ := c.Slots[h.slot].(*state)
		switch {
		case s == nil || s.record == nil:
			return run.Null
		case n.Inner == "key":
			return run.Str(s.record.key)
		}
		return s.record.value
	}}, nil
}

func (h *htable) iterator(c *run.Context, name string) *iterator {
	s, _ := c.Slots[h.slot].(*state)
	if s == nil {
		return nil
	}
	return s.iterators[name]
}

func (it *iterator) current() *entry {
	if it.at < 0 || it.at >= len(it.list) {
		return nil
	}
	return &it.list[it.at]
}

// next goes on to the next item that is still there.
func (it *iterator) next() bool {
	for it.at++; it.at < len(it.list); it.at++ {
		if v, _, ok := it.t.item(it.list[it.at].key); ok {
			it.list[it.at].value = v
			return true
		}
	}
	return false
}

func code(ok bool) int {
	if ok {
		return 1
	}
	return -1
}

func (h *htable) functions() []module.Function {
	f := func(name, help string, new func(module.Args) (run.Func, error), args ...string) module.Function {
		fn := module.Function{Name: name, Help: help, In: run.AnyRoute, New: new}
		for _, a := range args {
			t := module.ArgFormat
			switch a {
			case "ival", "exval":
				t = module.ArgInt
			case "table=>key", "table=>regexp":
				t = module.ArgConst
			}
			fn.Args = append(fn.Args, module.Arg{Name: a, Type: t})
		}
		return fn
	}
	return []module.Function{
		f("sht_print", "write all tables into the log", h.newPrint),
		f("sht_rm", "remove an item", h.onItem(func(t *table, k string, a module.Args, c *run.Context) int { t.remove(k); return 1 }), "table", "key"),
		f("sht_rm_name_re", "remove the items whose key matches", h.newRemoveRE(false), "table=>regexp"),
		f("sht_rm_value_re", "remove the items whose value matches", h.newRemoveRE(true), "table=>regexp"),
		f("sht_rm_name", "the same with an operator: re, sw, ew, in", h.newRemove(false), "table", "op", "val"),
		f("sht_rm_value", "the same for values", h.newRemove(true), "table", "op", "val"),
		f("sht_reset", "remove all items", h.newReset, "table"),
		f("sht_setxs", "set an item to a text and let it end", h.onItem(setText), "table", "key", "val", "exval"),
		f("sht_setxi", "set an item to a number and let it end", h.onItem(setNumber), "table", "key", "ival", "exval"),
		f("sht_lock", "keep others that lock the same slot waiting", h.newLock(true), "table=>key"),
		f("sht_unlock", "let them go on", h.newLock(false), "table=>key"),
		f("sht_inc", "add one", h.onItem(func(t *table, k string, a module.Args, c *run.Context) int { return code(!t.add(k, 1).IsNull()) }), "table", "key"),
		f("sht_dec", "take one off", h.onItem(func(t *table, k string, a module.Args, c *run.Context) int { return code(!t.add(k, -1).IsNull()) }), "table", "key"),
		f("sht_is_null", "true when an item is not there", h.onItem(isNull), "table", "key"),
		f("sht_match_name", "true when a key matches: eq, ne, re, sw", h.newMatch(false), "table", "op", "val"),
		f("sht_has_name", "the same as sht_match_name", h.newMatch(false), "table", "op", "val"),
		f("sht_match_str_value", "true when a text value matches", h.newMatch(true), "table", "op", "val"),
		f("sht_has_str_value", "the same as sht_match_str_value", h.newMatch(true), "table", "op", "val"),
		f("sht_iterator_start", "begin to go over a table", h.newIterStart, "iterator", "table"),
		f("sht_iterator_next", "go on to the next item; false at the end", h.onIter(func(it *iterator, a module.Args, c *run.Context) int { return code(it.next()) }), "iterator"),
		f("sht_iterator_end", "end it", h.newIterEnd, "iterator"),
		f("sht_iterator_rm", "remove the present item and go on", h.onIter(iterRemove), "iterator"),
		f("sht_iterator_sets", "set the present item to a text", h.onIter(iterSet), "iterator", "sval"),
		f("sht_iterator_seti", "set the present item to a number", h.onIter(iterSet), "iterator", "ival"),
		f("sht_iterator_setex", "let the present item end", h.onIter(iterExpires), "iterator", "exval"),
	}
}

// table compiles the name of a table in argument i.
func (h *htable) table(a module.Args, i int) (func(*run.Context) *table, error) {
	if a[i].IsConst {
		t, err := h.find(a[i].Const.Text())
		if err != nil {
			return nil, &module.ArgError{I: i, Err: err}
		}
		return func(*run.Context) *table { return t }, nil
	}
	return func(c *run.Context) *table { return h.byName[a.Str(c, i)] }, nil
}

func (h *htable) onItem(f func(*table, string, module.Args, *run.Context) int) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		find, err := h.table(a, 0)
		if err != nil {
			return nil, err
		}
		return func(c *run.Context) int {
			t := find(c)
			if t == nil {
				return -1
			}
			return f(t, a.Str(c, 1), a, c)
		}, nil
	}
}

func setText(t *table, key string, a module.Args, c *run.Context) int {
	t.put(key, run.Str(a.Str(c, 2)), ends(t, a.Int(c, 3, 0)))
	return 1
}

func setNumber(t *table, key string, a module.Args, c *run.Context) int {
	t.put(key, run.Int(a.Int(c, 2, 0)), ends(t, a.Int(c, 3, 0)))
	return 1
}

// ends is when something ends that ends in some seconds; 0 is never.
func ends(t *table, seconds int) int64 {
	if seconds <= 0 {
		return 0
	}
	return t.now() + int64(seconds)
}

func isNull(t *table, key string, _ module.Args, _ *run.Context) int {
	switch _, _, ok := t.item(key); {
	case ok:
		return -2
	case !t.initial.IsNull():
		return -1
	}
	return 1
}

func (h *htable) newReset(a module.Args) (run.Func, error) {
	find, err := h.table(a, 0)
	if err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		t := find(c)
		if t != nil {
			t.removeAll(nil)
		}
		return code(t != nil)
	}, nil
}

func (h *htable) newRemoveRE(values bool) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		t, expr, err := h.keyed(h.host.Vars, a[0].Text)
		if err != nil {
			return nil, &module.ArgError{I: 0, Err: err}
		}
		return func(c *run.Context) int {
			re, err := regex.Compile(expr(c).Text(), 0)
			if err != nil {
				return -1
			}
			t.removeAll(onPart(values, re.Match))
			return 1
		}, nil
	}
}

// onPart applies a test to the text of values, or to keys.
func onPart(values bool, f func(string) bool) func(string, run.Value) bool {
	return func(k string, v run.Value) bool {
		if values {
			return v.IsStr() && f(v.Text())
		}
		return f(k)
	}
}

var errOps = errors.New("operators are eq, ne, re, sw, ew and in")

// operator makes the test of "re", "sw" and the like.
func operator(op, val string) (func(string) bool, error) {
	switch op {
	case "eq":
		return func(s string) bool { return s == val }, nil
	case "ne":
		return func(s string) bool { return s != val }, nil
	case "sw":
		return func(s string) bool { return strings.HasPrefix(s, val) }, nil
	case "ew":
		return func(s string) bool { return strings.HasSuffix(s, val) }, nil
	case "in":
		return func(s string) bool { return strings.Contains(s, val) }, nil
	case "re":
		re, err := regex.Compile(val, 0)
		if err != nil {
			return nil, err
		}
		return re.Match, nil
	}
	return nil, errOps
}

// withOp compiles table, operator and value.
func (h *htable) withOp(f func(*table, func(string) bool) int) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		find, err := h.table(a, 0)
		if err != nil {
			return nil, err
		}
		if a[1].IsConst && a[2].IsConst {
			if _, err := operator(a[1].Const.Text(), a[2].Const.Text()); err != nil {
				return nil, &module.ArgError{I: 1, Err: err}
			}
		}
		return func(c *run.Context) int {
			t := find(c)
			test, err := operator(a.Str(c, 1), a.Str(c, 2))
			if t == nil || err != nil {
				return -1
			}
			return f(t, test)
		}, nil
	}
}

func (h *htable) newRemove(values bool) func(module.Args) (run.Func, error) {
	return h.withOp(func(t *table, test func(string) bool) int {
		t.removeAll(onPart(values, test))
		return 1
	})
}

func (h *htable) newMatch(values bool) func(module.Args) (run.Func, error) {
	return h.withOp(func(t *table, test func(string) bool) int {
		return code(len(t.entries(onPart(values, test))) > 0)
	})
}

func (h *htable) newLock(lock bool) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		t, key, err := h.keyed(h.host.Vars, a[0].Text)
		if err != nil {
			return nil, &module.ArgError{I: 0, Err: err}
		}
		return func(c *run.Context) int {
			l := &t.locks[t.slot(key(c).Text())]
			if !lock {
				return code(l.unlock(c, false))
			}
			if !l.lock(c) {
				h.host.Log.LogAttrs(context.Background(), slog.LevelError, "a lock was not free in time",
					slog.String("module", "htable"), slog.String("table", t.name), slog.Duration("waited", lockPatience), slog.String("call_id", c.Msg.CallID()))
				return -1
			}
			s := h.state(c)
			s.locks = append(s.locks, l)
			return 1
		}, nil
	}
}

// mostIterators bounds those of one run.
const mostIterators = 4

func (h *htable) newIterStart(a module.Args) (run.Func, error) {
	find, err := h.table(a, 1)
	if err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		t, s, name := find(c), h.state(c), a.Str(c, 0)
		if t == nil || name == "" || s.iterators[name] == nil && len(s.iterators) >= mostIterators {
			return -1
		}
		if s.iterators == nil {
			s.iterators = make(map[string]*iterator)
		}
		s.iterators[strings.Clone(name)] = &iterator{t: t, list: t.entries(nil), at: -1}
		return 1
	}, nil
}

func (h *htable) newIterEnd(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		if h.iterator(c, a.Str(c, 0)) == nil {
			return -1
		}
		delete(h.state(c).iterators, a.Str(c, 0))
		return 1
	}, nil
}

func (h *htable) onIter(f func(*iterator, module.Args, *run.Context) int) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		return func(c *run.Context) int {
			it := h.iterator(c, a.Str(c, 0))
			if it == nil {
				return -1
			}
			return f(it, a, c)
		}, nil
	}
}

func iterRemove(it *iterator, _ module.Args, _ *run.Context) int {
	e := it.current()
	if e == nil {
		return -1
	}
	it.t.remove(e.key)
	if !it.next() {
		return -2
	}
	return 1
}

func iterSet(it *iterator, a module.Args, c *run.Context) int {
	e := it.current()
	if e == nil {
		return -1
	}
	e.value = a[1].Eval(c).Keep()
	if a[1].IsConst {
		e.value = a[1].Const
	}
	it.t.set(e.key, e.value)
	return 1
}

func iterExpires(it *iterator, a module.Args, c *run.Context) int {
	e := it.current()
	return code(e != nil && it.t.setExpires(e.key, a.Int(c, 1, 0)))
}

func (h *htable) newPrint(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		for _, t := range h.tables {
			for _, e := range t.entries(nil) {
				c.Logger().LogAttrs(context.Background(), slog.LevelError, "item", slog.String("module", "htable"), slog.String("table", t.name),
					slog.String("key", e.key), slog.String("value", e.value.Text()), slog.Int64("expires", e.expires))
			}
		}
		return 1
	}, nil
}

// stamp writes an end as RPC shows it.
func stamp(expires int64) string {
	if expires == 0 {
		return "NEVER"
	}
	return time.Unix(expires, 0).Format("2006-01-02 15:04:05")
}

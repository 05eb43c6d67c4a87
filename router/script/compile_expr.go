package script

import (
	"errors"

	"sipd/router/pv"
	"sipd/router/regex"
	"sipd/router/run"
)

// valueType is what is known of an expression's type when it is compiled.
type valueType uint8

const (
	anyType valueType = iota // attributes, variables, selects
	intType
	strType
)

func (t valueType) String() string { return [...]string{"a value", "a number", "a string"}[t] }

// evalFunc computes a value. ok is false when there is none: an error, which
// was reported, or the script ended inside (c.Exited).
type evalFunc func(c *run.Context) (v run.Value, ok bool)

// testFunc computes a truth value; ok as in evalFunc.
type testFunc func(c *run.Context) (yes, ok bool)

// intFunc computes a number; ok as in evalFunc.
type intFunc func(c *run.Context) (n int, ok bool)

// operand is a compiled expression.
type operand struct {
	typ valueType
	// konst says that val is its value for ever; eval is set all the same.
	konst bool
	val   run.Value
	eval  evalFunc
	// test is set for what yields 0 or 1, num for what yields a number: they
	// spare the way over a run.Value.
	test testFunc
	num  intFunc
	// get is set for what cannot fail.
	get func(*run.Context) run.Value
	// null is set for $null.
	null bool
	// variable is set for variables.
	variable *pv.Var
	// joined are the parts of a concatenation.
	joined []*operand
}

func constant(v run.Value) *operand {
	o := &operand{konst: true, val: v}
	switch {
	case v.IsInt():
		o.typ = intType
	case v.IsStr():
		o.typ = strType
	}
	o.eval = func(*run.Context) (run.Value, bool) { return v, true }
	o.get = func(*run.Context) run.Value { return v }
	return o
}

// fromTest makes an operand of 0 or 1.
func fromTest(t testFunc) *operand {
	return &operand{typ: intType, test: t, eval: func(c *run.Context) (run.Value, bool) {
		yes, ok := t(c)
		if yes {
			return run.Int(1), ok
		}
		return run.Int(0), ok
	}}
}

// fromInt makes an operand of a number.
func fromInt(f intFunc) *operand {
	return &operand{typ: intType, num: f, eval: func(c *run.Context) (run.Value, bool) {
		n, ok := f(c)
		return run.Int(n), ok
	}}
}

// expr compiles an expression; nil after a mistake, which was told.
func (x *compiler) expr(e Expr) *operand {
	switch e := e.(type) {
	case *IntLit:
		return constant(run.Int(int(e.Value)))
	case *StrLit:
		return constant(run.Str(e.Value))
	case *Var:
		v, ok := x.pvar(e)
		if !ok {
			return nil
		}
		return fromVar(v, e.Text)
	case *Select:
		return x.selectExpr(e)
	case *Binary:
		return x.binary(e)
	case *Unary:
		return x.unary(e)
	case *Cast:
		return x.cast(e)
	case *Builtin:
		return x.builtin(e)
	case *Cond:
		return x.cond(e)
	case *Call:
		return x.callExpr(e)
	case *AssignExpr:
		f := x.assign(e.Pos, e.Left, e.Right)
		if f == nil {
			return nil
		}
		return fromStmts([]stmtFunc{f})
	case *BlockExpr:
		body := x.stmts(e.Body)
		return fromStmts(body)
	case *Name:
		x.errs.add(e.Pos, "%q is no value", e.Text).hint("text goes in quotes")
	case *Addr:
		x.errs.add(e.Pos, "an address cannot stand here").hint("put it in quotes")
	}
	return nil
}

// rawExpr compiles what stands behind "=": a call alone keeps its code.
func (x *compiler) rawExpr(e Expr) *operand {
	call, ok := e.(*Call)
	if !ok || !x.dial.assignRawCode {
		return x.expr(e)
	}
	f := x.call(call)
	if f == nil {
		return nil
	}
	return fromInt(intFunc(f))
}

// callExpr is a call as a value: 1 when its code is above 0, else 0.
func (x *compiler) callExpr(e *Call) *operand {
	f := x.call(e)
	if f == nil {
		return nil
	}
	at := placeOf(e.Pos)
	return fromTest(func(c *run.Context) (bool, bool) {
		at.enter(c)
		code, ok := f(c)
		return code > 0, ok
	})
}

// fromStmts makes a value of statements: 1 when the code of the last is above 0.
func fromStmts(body []stmtFunc) *operand {
	return fromTest(func(c *run.Context) (bool, bool) {
		code, sig := runBody(c, body)
		return code > 0, sig != exits
	})
}

func fromVar(v pv.Var, text string) *operand {
	get := v.Get
	o := &operand{variable: &v, null: text == "$null" || text == "$(null)", get: get}
	o.eval = func(c *run.Context) (run.Value, bool) { return get(c), true }
	if v.Const && !o.null {
		if val := get(nil); !val.IsNull() {
			return constant(val)
		}
	}
	return o
}

// pvar parses a variable.
func (x *compiler) pvar(e *Var) (pv.Var, bool) {
	v, n, err := x.conf.env.PV.ParseVar(e.Text, pvFlavour(e.Flavour))
	if err != nil {
		x.pvError(e.Pos, 0, err)
		return v, false
	}
	if n != len(e.Text) {
		x.errs.add(e.Pos.part(n, len(e.Text)-n), "%q does not belong to the variable %s", e.Text[n:], e.Text[:n])
		return v, false
	}
	return v, true
}

func pvFlavour(f Flavour) pv.Flavour {
	switch f {
	case SER:
		return pv.SER
	case Kamailio:
		return pv.Kamailio
	}
	return pv.MaxCompat
}

// pvError tells an error of package pv about the text that starts off octets
// behind p.
func (x *compiler) pvError(p Pos, off int, err error) {
	if e, ok := errors.AsType[*pv.Error](err); ok {
		x.errs.add(p.part(off+e.Off, 1), "%s", e.Msg).hint("%s", e.Hint)
		return
	}
	x.errs.add(p, "%v", err)
}

func (x *compiler) regexError(e Expr, err error) {
	if re, ok := errors.AsType[*regex.Error](err); ok {
		x.errs.add(strPart(e, re.Off), "regular expression: %s", re.Msg)
		return
	}
	x.errs.add(e.Position(), "regular expression: %v", err)
}

// strPart is the place of an octet inside a string's value: exact when the
// source has the value as it is.
func strPart(e Expr, off int) Pos {
	p := e.Position()
	s, ok := e.(*StrLit)
	if !ok || p.Src == nil || p.End-p.Off != len(s.Value)+2 || p.Src.Text[p.Off+1:p.End-1] != s.Value {
		return p
	}
	return p.part(1+off, 1)
}

func (x *compiler) selectExpr(e *Select) *operand {
	get, n, err := x.conf.env.PV.ParseSelect(e.Text)
	if err != nil {
		x.pvError(e.Pos, 0, err)
		return nil
	}
	if n != len(e.Text) {
		x.errs.add(e.Pos.part(n, len(e.Text)-n), "%q does not belong to the select %s", e.Text[n:], e.Text[:n])
		return nil
	}
	return &operand{get: get, eval: func(c *run.Context) (run.Value, bool) { return get(c), true }}
}

// intOf is an operand as a number: undefined and text that is no number are 0
// (script.md §12).
func (x *compiler) intOf(o *operand) intFunc {
	switch {
	case o.konst:
		n := o.val.Int()
		return func(*run.Context) (int, bool) { return n, true }
	case o.num != nil:
		return o.num
	case o.test != nil:
		t := o.test
		return func(c *run.Context) (int, bool) {
			yes, ok := t(c)
			if yes {
				return 1, ok
			}
			return 0, ok
		}
	}
	eval, rep := o.eval, &x.prog.rep
	return func(c *run.Context) (int, bool) {
		v, ok := eval(c)
		if v.IsStr() {
			n, good := run.ParseInt(v.Text())
			if !good {
				rep.report(c, "text is no number and counts as 0", v.Text())
			}
			return n, ok
		}
		return v.Int(), ok
	}
}

// truth is C's truth: anything but 0.
func (x *compiler) truth(o *operand) testFunc {
	if o.test != nil {
		return o.test
	}
	n := x.intOf(o)
	return func(c *run.Context) (bool, bool) {
		v, ok := n(c)
		return v != 0, ok
	}
}

// condition is the truth of an if: above 0.
func (x *compiler) condition(e Expr) testFunc {
	o := x.expr(e)
	if o == nil {
		return nil
	}
	if o.konst && o.val.Int() <= 0 && x.check {
		x.conf.Warnings.add(e.Position(), "this condition is never true").hint("only numbers above 0 are true; text counts as its number, or 0")
	}
	if o.test != nil {
		return o.test
	}
	n := x.intOf(o)
	return func(c *run.Context) (bool, bool) {
		v, ok := n(c)
		return v > 0 && ok, ok
	}
}

func (x *compiler) cast(e *Cast) *operand {
	o := x.expr(e.X)
	if o == nil {
		return nil
	}
	if !e.Str {
		if o.konst {
			return constant(run.Int(o.val.Int()))
		}
		return fromInt(x.intOf(o))
	}
	if o.konst {
		return constant(run.Str(o.val.Text()))
	}
	eval := o.eval
	return &operand{typ: strType, eval: func(c *run.Context) (run.Value, bool) {
		v, ok := eval(c)
		return run.Str(v.Text()), ok
	}}
}

func (x *compiler) builtin(e *Builtin) *operand {
	var args []*operand
	for _, a := range e.Args {
		o := x.expr(a)
		if o == nil {
			return nil
		}
		args = append(args, o)
	}
	eval := args[0].eval
	switch e.Name {
	case "strlen":
		if args[0].konst {
			return constant(run.Int(len(args[0].val.Text())))
		}
		return fromInt(func(c *run.Context) (int, bool) {
			v, ok := eval(c)
			return len(v.Text()), ok
		})
	case "strempty":
		if args[0].konst {
			return constant(boolInt(args[0].val.Text() == ""))
		}
		return fromTest(func(c *run.Context) (bool, bool) {
			v, ok := eval(c)
			return !v.IsInt() && v.Text() == "" && ok, ok
		})
	}
	return x.selval(args[0], args[1], args[2])
}

// selval is one of two values; the condition counts as that of an if, and an
// undefined value becomes "".
func (x *compiler) selval(cond, a, b *operand) *operand {
	n := x.intOf(cond)
	typ := a.typ
	if b.typ != typ {
		typ = anyType
	}
	return &operand{typ: typ, eval: func(c *run.Context) (run.Value, bool) {
		yes, ok := n(c)
		if !ok {
			return run.Null, false
		}
		o := b
		if yes > 0 {
			o = a
		}
		v, ok := o.eval(c)
		if v.IsNull() {
			v = run.Str("")
		}
		return v, ok
	}}
}

func boolInt(yes bool) run.Value {
	if yes {
		return run.Int(1)
	}
	return run.Int(0)
}

func (x *compiler) unary(e *Unary) *operand {
	o := x.expr(e.X)
	if o == nil {
		return nil
	}
	if o.typ == strType && e.Op != OpNot && e.Op != OpDefined {
		x.errs.add(e.X.Position(), "%q wants a number, not a string", e.Op.String())
		return nil
	}
	switch e.Op {
	case OpDefined:
		if o.variable == nil && !o.null {
			if s, ok := e.X.(*Select); !ok || s == nil {
				return constant(run.Int(1)) // compound expressions always are
			}
		}
		eval := o.eval
		return fromTest(func(c *run.Context) (bool, bool) {
			v, ok := eval(c)
			return !v.IsNull() && ok, ok
		})
	case OpNot:
		if o.konst {
			return constant(boolInt(o.val.Int() == 0))
		}
		t := x.truth(o)
		return fromTest(func(c *run.Context) (bool, bool) {
			yes, ok := t(c)
			return !yes && ok, ok
		})
	}
	if o.konst {
		n := o.val.Int()
		if e.Op == OpBitNot {
			return constant(run.Int(^n))
		}
		return constant(run.Int(-n))
	}
	n := x.intOf(o)
	if e.Op == OpBitNot {
		return fromInt(func(c *run.Context) (int, bool) {
			v, ok := n(c)
			return ^v, ok
		})
	}
	return fromInt(func(c *run.Context) (int, bool) {
		v, ok := n(c)
		return int(int32(-v)), ok
	})
}

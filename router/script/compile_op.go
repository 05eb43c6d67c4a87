package script

import (
	"strconv"

	"sipd/router/regex"
	"sipd/router/run"
)

// binary compiles x op y.
func (x *compiler) binary(e *Binary) *operand {
	l, r := x.expr(e.X), x.expr(e.Y)
	if l == nil || r == nil || !x.typesFit(e, l, r) {
		return nil
	}
	o := x.operator(e, l, r)
	if o != nil && !o.konst && l.konst && r.konst && foldable(e.Op) {
		if v, ok := o.eval(x.fold); ok {
			return constant(v)
		}
	}
	return o
}

func foldable(op Op) bool { return op != OpDiv && op != OpMod }

// typesFit tells what constant types cannot do: these are mistakes when the
// configuration is read, not when it runs.
func (x *compiler) typesFit(e *Binary, l, r *operand) bool {
	wrong := func(side Expr, o *operand, want valueType) bool {
		x.errs.add(side.Position(), "%q wants %s, not %s", e.Op.String(), want, o.typ)
		return false
	}
	switch e.Op {
	case OpSub, OpMul, OpDiv, OpMod, OpBitOr, OpBitAnd, OpBitXor, OpShl, OpShr, OpLt, OpGt, OpLe, OpGe:
		if l.typ == strType {
			return wrong(e.X, l, intType)
		}
		if r.typ == strType {
			return wrong(e.Y, r, intType)
		}
	case OpAdd:
		if l.typ == intType && r.typ == strType {
			x.errs.add(e.Y.Position(), `a string cannot be added to a number`).hint("(int) or (str) in front of one side says what is meant")
			return false
		}
	case OpMatch:
		if l.typ == intType {
			return wrong(e.X, l, strType)
		}
		if r.typ == intType {
			return wrong(e.Y, r, strType)
		}
	}
	return true
}

func (x *compiler) operator(e *Binary, l, r *operand) *operand {
	switch e.Op {
	case OpAnd, OpOr:
		return x.logic(e.Op == OpAnd, l, r)
	case OpAdd:
		return x.add(l, r)
	case OpEq:
		return fromTest(x.equal(l, r))
	case OpNe:
		return fromTest(negate(x.equal(l, r)))
	case OpStrEq:
		return fromTest(x.textEqual(l, r))
	case OpStrNe:
		return fromTest(negate(x.textEqual(l, r)))
	case OpIntEq:
		return fromTest(x.intEqual(l, r))
	case OpIntNe:
		return fromTest(negate(x.intEqual(l, r)))
	case OpMatch:
		return x.match(e.Y, l, r, regex.IgnoreCase)
	}
	a, b := x.intOf(l), x.intOf(r)
	switch e.Op {
	case OpLt:
		return fromTest(compare(a, b, func(m, n int) bool { return m < n }))
	case OpGt:
		return fromTest(compare(a, b, func(m, n int) bool { return m > n }))
	case OpLe:
		return fromTest(compare(a, b, func(m, n int) bool { return m <= n }))
	case OpGe:
		return fromTest(compare(a, b, func(m, n int) bool { return m >= n }))
	case OpDiv, OpMod:
		return x.divide(e, a, b, r)
	}
	return fromInt(arithmetic(e.Op, a, b))
}

func negate(t testFunc) testFunc {
	return func(c *run.Context) (bool, bool) {
		yes, ok := t(c)
		return !yes && ok, ok
	}
}

func compare(a, b intFunc, f func(m, n int) bool) testFunc {
	return func(c *run.Context) (bool, bool) {
		m, ok := a(c)
		if !ok {
			return false, false
		}
		n, ok := b(c)
		return ok && f(m, n), ok
	}
}

// arithmetic computes in 32 bits with wrap.
func arithmetic(op Op, a, b intFunc) intFunc {
	var f func(m, n int32) int32
	switch op {
	case OpSub:
		f = func(m, n int32) int32 { return m - n }
	case OpMul:
		f = func(m, n int32) int32 { return m * n }
	case OpBitOr:
		f = func(m, n int32) int32 { return m | n }
	case OpBitAnd:
		f = func(m, n int32) int32 { return m & n }
	case OpBitXor:
		f = func(m, n int32) int32 { return m ^ n }
	case OpShl:
		f = func(m, n int32) int32 { return m << (uint32(n) & 31) }
	case OpShr:
		f = func(m, n int32) int32 { return m >> (uint32(n) & 31) }
	}
	return func(c *run.Context) (int, bool) {
		m, ok := a(c)
		if !ok {
			return 0, false
		}
		n, ok := b(c)
		return int(f(int32(m), int32(n))), ok
	}
}

// divide compiles / and mod: the quotient is cut towards zero, the remainder
// has the dividend's sign, and by zero there is no result.
func (x *compiler) divide(e *Binary, a, b intFunc, r *operand) *operand {
	if r.konst && r.val.Int() == 0 {
		x.errs.add(e.Y.Position(), "division by zero")
		return nil
	}
	rep, mod := &x.prog.rep, e.Op == OpMod
	return fromInt(func(c *run.Context) (int, bool) {
		m, ok := a(c)
		if !ok {
			return 0, false
		}
		n, ok := b(c)
		switch {
		case !ok:
			return 0, false
		case n == 0:
			rep.report(c, "division by zero", "")
			return 0, false
		case mod:
			return m % n, true
		}
		return int(int32(m / n)), true
	})
}

// logic compiles && and ||. With a constant that decides nothing the other
// side stands alone, and then an if asks whether it is above 0, as 5.6 does.
func (x *compiler) logic(and bool, l, r *operand) *operand {
	neutral := func(o *operand) bool { return o.konst && (o.val.Int() != 0) == and }
	switch {
	case neutral(r) && !l.konst:
		return l
	case neutral(l) && !r.konst:
		return r
	}
	a, b := x.truth(l), x.truth(r)
	if and {
		return fromTest(func(c *run.Context) (bool, bool) {
			if yes, ok := a(c); !yes || !ok {
				return false, ok
			}
			return b(c)
		})
	}
	return fromTest(func(c *run.Context) (bool, bool) {
		if yes, ok := a(c); yes || !ok {
			return yes && ok, ok
		}
		return b(c)
	})
}

// add compiles +: the left side decides whether it adds or joins.
func (x *compiler) add(l, r *operand) *operand {
	switch l.typ {
	case intType:
		a, b := x.intOf(l), x.intOf(r)
		return fromInt(func(c *run.Context) (int, bool) {
			m, ok := a(c)
			if !ok {
				return 0, false
			}
			n, ok := b(c)
			return int(int32(m) + int32(n)), ok
		})
	case strType:
		return join(l, r)
	}
	n := x.intOf(r)
	return &operand{eval: func(c *run.Context) (run.Value, bool) {
		v, ok := l.eval(c)
		switch {
		case !ok:
			return run.Null, false
		case v.IsInt():
			m, ok := n(c)
			return run.Int(int(int32(v.Int()) + int32(m))), ok
		}
		w, ok := r.eval(c)
		if !ok {
			return run.Null, false
		}
		buf := append(c.TakeScratch(), v.Text()...)
		buf = appendText(buf, w)
		s := string(buf)
		c.GiveScratch(buf)
		return run.Str(s), true
	}}
}

// appendText appends a value's text; undefined is nothing.
func appendText(dst []byte, v run.Value) []byte {
	switch {
	case v.IsInt():
		return strconv.AppendInt(dst, int64(v.Int()), 10)
	case v.IsStr():
		return append(dst, v.Text()...)
	}
	return dst
}

// join concatenates; what is joined already is joined in one go.
func join(l, r *operand) *operand {
	parts := append(l.parts(), r)
	return &operand{typ: strType, joined: parts, eval: func(c *run.Context) (run.Value, bool) {
		buf := c.TakeScratch()
		for _, p := range parts {
			v, ok := p.eval(c)
			if !ok {
				c.GiveScratch(buf)
				return run.Null, false
			}
			buf = appendText(buf, v)
		}
		s := string(buf)
		c.GiveScratch(buf)
		return run.Str(s), true
	}}
}

func (o *operand) parts() []*operand {
	if o.joined != nil {
		return append([]*operand(nil), o.joined...)
	}
	return []*operand{o}
}

// equal compiles ==: the left side decides how it compares (script.md §12).
func (x *compiler) equal(l, r *operand) testFunc {
	switch {
	case r.null:
		return isNull(l.eval)
	case l.null:
		return isNull(r.eval)
	case l.typ == intType:
		return x.intEqual(l, r)
	case l.typ == strType:
		return x.textEqual(l, r)
	case r.konst && r.val.IsStr() && l.get != nil: // $x == "text", the usual case
		get, want := l.get, r.val.Text()
		wantInt := r.val.Int()
		return func(c *run.Context) (bool, bool) {
			v := get(c)
			if v.IsInt() {
				return v.Int() == wantInt, true
			}
			return v.Text() == want, true
		}
	}
	return func(c *run.Context) (bool, bool) {
		a, ok := l.eval(c)
		if !ok {
			return false, false
		}
		b, ok := r.eval(c)
		switch {
		case !ok:
			return false, false
		case a.IsInt():
			return a.Int() == b.Int(), true
		case a.IsNull() && b.IsInt():
			return b.Int() == 0, true
		}
		return sameText(a, b), true
	}
}

func isNull(eval evalFunc) testFunc {
	return func(c *run.Context) (bool, bool) {
		v, ok := eval(c)
		return v.IsNull() && ok, ok
	}
}

// sameText compares as text without making strings of numbers.
func sameText(a, b run.Value) bool {
	if a.IsInt() {
		if b.IsInt() {
			return a.Int() == b.Int()
		}
		a, b = b, a
	}
	if b.IsInt() {
		var buf [12]byte
		return string(strconv.AppendInt(buf[:0], int64(b.Int()), 10)) == a.Text()
	}
	return a.Text() == b.Text()
}

func (x *compiler) textEqual(l, r *operand) testFunc {
	return func(c *run.Context) (bool, bool) {
		a, ok := l.eval(c)
		if !ok {
			return false, false
		}
		b, ok := r.eval(c)
		return ok && sameText(a, b), ok
	}
}

func (x *compiler) intEqual(l, r *operand) testFunc {
	return compare(x.intOf(l), x.intOf(r), func(m, n int) bool { return m == n })
}

// match compiles =~.
func (x *compiler) match(right Expr, l, r *operand, f regex.Flags) *operand {
	find := x.matcher(right, r, f)
	if find == nil {
		return nil
	}
	eval := l.eval
	return fromTest(func(c *run.Context) (bool, bool) {
		v, ok := eval(c)
		if !ok {
			return false, false
		}
		return find(c, v.Text())
	})
}

// matcher compiles the right side of =~: a constant expression now, a computed
// one when it changes.
func (x *compiler) matcher(right Expr, r *operand, f regex.Flags) func(c *run.Context, s string) (yes, ok bool) {
	if r.konst {
		re, err := regex.Compile(r.val.Text(), f)
		if err != nil {
			x.regexError(right, err)
			return nil
		}
		return func(_ *run.Context, s string) (bool, bool) { return re.Match(s), true }
	}
	last := regex.Last[*regex.Regexp]{Make: func(text string) (*regex.Regexp, error) { return regex.Compile(text, f) }}
	rep, eval := &x.prog.rep, r.eval
	return func(c *run.Context, s string) (bool, bool) {
		v, ok := eval(c)
		if !ok {
			return false, false
		}
		re, err := last.Get(v.Text())
		if err != nil {
			rep.report(c, "regular expression does not compile", err.Error())
			return false, false
		}
		return re.Match(s), true
	}
}

package script

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
)

// callFunc is a compiled call. ok is false when the script ended inside it
// (c.Exited is set then).
type callFunc func(c *run.Context) (code int, ok bool)

// call compiles a call: of a route, of a module's function, of the core's.
func (x *compiler) call(e *Call) callFunc {
	return x.watchedCall(e, x.plainCall(e))
}

func (x *compiler) plainCall(e *Call) callFunc {
	if e.Name == "route" {
		return x.routeCall(e)
	}
	fn, wrong, owner := x.conf.env.Modules.Function(e.Name, len(e.Args))
	if fn != nil {
		return x.moduleCall(e, fn, owner)
	}
	if f := x.funcs[e.Name]; f != nil {
		return x.coreCall(e, f)
	}
	if wrong != nil {
		lo, hi := wrong.Arity()
		x.arity(e, lo, hi)
		return nil
	}
	x.unknownFunction(e)
	return nil
}

func (x *compiler) unknownFunction(e *Call) {
	er := x.errs.add(e.NamePos, "unknown function %q", e.Name)
	if who := x.conf.env.Modules.WhoExports(e.Name); len(who) > 0 {
		er.hint(`it needs: loadmodule "%s.so"`, strings.Join(who, `.so" or "`))
		return
	}
	known := x.conf.env.Modules.FunctionNames()
	for name := range x.funcs {
		known = append(known, name)
	}
	var elsewhere []string
	for _, a := range x.conf.env.Modules.Available() {
		for _, f := range a.New().Exports().Functions {
			elsewhere = append(elsewhere, f.Name)
		}
	}
	slices.Sort(known)
	sim := similar(e.Name, append(known, elsewhere...))
	if sim == "" {
		return
	}
	if _, ok := slices.BinarySearch(known, sim); ok {
		er.hint("did you mean %q?", sim)
		return
	}
	if who := x.conf.env.Modules.WhoExports(sim); len(who) > 0 {
		er.hint(`did you mean %q? It needs: loadmodule "%s.so"`, sim, strings.Join(who, `.so" or "`))
	}
}

// arity tells that a call has another number of arguments than it may.
func (x *compiler) arity(e *Call, lo, hi int) {
	want := ""
	switch {
	case hi < 0:
		want = fmt.Sprintf("at least %d", lo)
	case lo == hi:
		want = fmt.Sprint(lo)
	default:
		want = fmt.Sprintf("%d to %d", lo, hi)
	}
	plural := "s"
	if want == "1" || want == "at least 1" {
		plural = ""
	}
	x.errs.add(e.NamePos, "%s wants %s argument%s, not %d", e.Name, want, plural, len(e.Args))
}

// routeCall compiles route(NAME).
func (x *compiler) routeCall(e *Call) callFunc {
	if len(e.Args) != 1 {
		x.arity(e, 1, 1)
		return nil
	}
	at := placeOf(e.Pos)
	if name, ok := constText(e.Args[0]); ok {
		b := x.findRoute(run.RequestRoute, e.Args[0].Position(), name)
		if b == nil {
			return nil
		}
		return func(c *run.Context) (int, bool) { return enterRoute(c, b, at) }
	}
	o := x.expr(e.Args[0])
	if o == nil {
		return nil
	}
	x.cur.dynamic = true
	prog := x.prog
	return func(c *run.Context) (int, bool) {
		v, ok := o.eval(c)
		if !ok {
			return -1, !c.Exited
		}
		b := prog.blocks[keyOf(run.RequestRoute, mainName(v.Text()))]
		if b == nil { // $rc stays, as in Kamailio
			at.enter(c)
			prog.rep.report(c, "there is no such route", v.Text())
			return -1, true
		}
		return enterRoute(c, b, at)
	}
}

func enterRoute(c *run.Context, b *block, at place) (int, bool) {
	code, ended := b.call(c)
	at.enter(c)
	c.RC = code
	return code, !ended
}

// mainName is the name of a block: "0" is the main one of its kind.
func mainName(name string) string {
	if name == "0" {
		return ""
	}
	return name
}

// findRoute finds the block that a constant names, and notes that it is used.
func (x *compiler) findRoute(kind run.Kind, pos Pos, name string) *block {
	key := keyOf(kind, mainName(name))
	b := x.prog.blocks[key]
	if b == nil {
		er := x.errs.add(pos, "there is no %s[%s]", key.kind, name)
		var names []string
		for k := range x.prog.blocks {
			if k.kind == key.kind && k.name != "" {
				names = append(names, k.name)
			}
		}
		slices.Sort(names)
		if sim := similar(name, names); sim != "" {
			er.hint("did you mean %q?", sim)
		} else {
			er.hint("define it: %s[%s] { … }", key.kind, name)
		}
		return nil
	}
	x.cur.calls = append(x.cur.calls, b)
	return b
}

// constText is the text of an argument that is a word, a string or a number.
func constText(e Expr) (string, bool) {
	switch e := e.(type) {
	case *StrLit:
		return e.Value, true
	case *IntLit:
		return itoa(int32(e.Value)), true
	case *Name:
		return e.Text, true
	case *Addr:
		return e.Src.Text[e.Off:e.End], true
	}
	return "", false
}

// moduleCall compiles a call of a module's function.
func (x *compiler) moduleCall(e *Call, fn *module.Function, owner string) callFunc {
	args := make(module.Args, 0, len(e.Args))
	bad := false
	for i, a := range e.Args {
		arg, ok := x.arg(&fn.Args[min(i, len(fn.Args)-1)], a)
		bad = bad || !ok
		args = append(args, arg)
	}
	x.cur.uses = append(x.cur.uses, use{e.NamePos, e.Name, fn.In})
	if bad {
		return nil
	}
	if x.check { // its New may need what Init makes
		return func(*run.Context) (int, bool) { return 1, true }
	}
	f, err := fn.New(args)
	if err != nil {
		pos := e.NamePos
		if ae, ok := errors.AsType[*module.ArgError](err); ok && ae.I < len(e.Args) {
			pos = e.Args[ae.I].Position()
		}
		if shared, ok := errors.AsType[*module.SharedError](err); ok {
			if x.told[shared.Error()] {
				return nil
			}
			x.told[shared.Error()] = true
		}
		x.errs.add(pos, "%s (module %s): %v", e.Name, owner, err)
		return nil
	}
	at := placeOf(e.Pos)
	return func(c *run.Context) (int, bool) {
		at.enter(c)
		code := f(c)
		c.RC = code
		if code == 0 {
			c.Exited = true
			return 0, false
		}
		return code, true
	}
}

// arg compiles an argument as the function declares it.
func (x *compiler) arg(a *module.Arg, e Expr) (module.Expr, bool) {
	arg, ok := x.argOf(a, e)
	if ok && a.Route != 0 && !arg.IsConst {
		x.cur.dynamic = true
	}
	return arg, ok
}

func (x *compiler) argOf(a *module.Arg, e Expr) (module.Expr, bool) {
	reg := x.conf.env.PV
	fail := func(err error) (module.Expr, bool) {
		if pe, ok := errors.AsType[*pv.Error](err); ok {
			x.errs.add(strPart(e, pe.Off), "%s", pe.Msg).hint("%s", pe.Hint)
		} else {
			x.errs.add(e.Position(), "%v", err)
		}
		return module.Expr{}, false
	}
	if v, ok := e.(*Var); ok {
		p, ok := x.pvar(v)
		if !ok {
			return module.Expr{}, false
		}
		arg, err := module.VarArg(a, p)
		if err != nil {
			return fail(err)
		}
		return arg, true
	}
	if text, ok := constText(e); ok {
		arg, err := x.constArg(reg, a, e, text)
		if err != nil {
			return fail(err)
		}
		named := a.Type == module.ArgRoute || a.Route != 0 && arg.IsConst
		if named && text != "" && text != "0" && x.findRoute(a.Route, e.Position(), text) == nil {
			return module.Expr{}, false
		}
		return arg, true
	}
	o := x.expr(e)
	if o == nil {
		return module.Expr{}, false
	}
	if o.konst {
		if o.val.IsInt() {
			arg, err := module.NumberArg(a, o.val.Int())
			if err != nil {
				return fail(err)
			}
			return arg, true
		}
		return module.ConstExpr(o.val, o.val.Text()), true
	}
	switch a.Type {
	case module.ArgConst, module.ArgRegex, module.ArgRoute:
		return fail(fmt.Errorf("%s must be a constant", argName(a)))
	case module.ArgVar, module.ArgRead:
		return fail(fmt.Errorf("%s wants a variable", argName(a)))
	}
	if o.get != nil {
		return module.Expr{Eval: o.get}, true
	}
	eval := o.eval
	return module.Expr{Eval: func(c *run.Context) run.Value {
		v, _ := eval(c)
		return v
	}}, true
}

func argName(a *module.Arg) string {
	if a.Name != "" {
		return a.Name
	}
	return "the argument"
}

// constArg compiles a word, a string or a number.
func (x *compiler) constArg(reg *pv.Registry, a *module.Arg, e Expr, text string) (module.Expr, error) {
	switch e := e.(type) {
	case *IntLit:
		return module.NumberArg(a, int(e.Value))
	case *Name:
		if bit, ok := x.conf.Flags[text]; ok && a.Type == module.ArgInt {
			return module.NumberArg(a, bit)
		}
	}
	return module.StringArg(reg, a, text)
}

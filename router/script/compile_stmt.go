package script

import (
	"sipd/router/pv"
	"sipd/router/regex"
	"sipd/router/run"
)

// stmts compiles statements in order. What stands behind a jump is told as
// unreachable.
func (x *compiler) stmts(list []Stmt) []stmtFunc {
	var out []stmtFunc
	left := false
	for _, s := range list {
		if _, empty := s.(*Empty); empty {
			continue
		}
		if left && x.check {
			x.conf.Warnings.add(s.Position(), "this is never reached")
			left = false
		}
		if f := x.traced(s, x.watched(s, x.stmt(s))); f != nil {
			out = append(out, f)
		}
		if _, jump := s.(*Jump); jump {
			left = true
		}
	}
	return out
}

func (x *compiler) stmt(s Stmt) stmtFunc {
	switch s := s.(type) {
	case *CallStmt:
		return x.callStmt(s)
	case *Assign:
		return x.assign(s.Pos, s.Left, s.Right)
	case *If:
		return x.ifStmt(s)
	case *While:
		return x.while(s)
	case *Switch:
		return x.switchStmt(s)
	case *Jump:
		return x.jump(s)
	}
	return nil
}

func (x *compiler) callStmt(s *CallStmt) stmtFunc {
	call := x.call(s.Call)
	if call == nil {
		return nil
	}
	at := placeOf(s.Pos)
	return func(c *run.Context) (int, signal) {
		at.enter(c)
		code, ok := call(c)
		if !ok && c.Exited {
			return code, exits
		}
		return code, goOn
	}
}

func (x *compiler) assign(pos Pos, left, right Expr) stmtFunc {
	lv, ok := left.(*Var)
	if !ok {
		x.errs.add(left.Position(), "only a variable can be assigned to")
		return nil
	}
	v, ok := x.pvar(lv)
	r := x.rawExpr(right)
	if !ok || r == nil {
		return nil
	}
	if v.Set == nil {
		x.errs.add(lv.Pos, "%s cannot be assigned to", lv.Text).hint("%s", x.readOnlyHint(v))
		return nil
	}
	at, set, rep := placeOf(pos), v.Set, &x.prog.rep
	text := lv.Text
	if r.konst {
		val := r.val
		return func(c *run.Context) (int, signal) {
			if !set(c, val) {
				at.enter(c)
				rep.report(c, "value cannot be assigned", text)
				return -1, goOn
			}
			return 1, goOn
		}
	}
	eval := r.eval
	return func(c *run.Context) (int, signal) {
		at.enter(c)
		val, ok := eval(c)
		if !ok {
			if c.Exited {
				return exitCode(c), exits
			}
			return -1, goOn // the variable keeps its value
		}
		if !set(c, val) {
			rep.report(c, "value cannot be assigned", text)
			return -1, goOn
		}
		return 1, goOn
	}
}

func (x *compiler) readOnlyHint(v pv.Var) string {
	if v.Attr != nil {
		switch v.Attr.Class {
		case run.AVPFromDomain, run.AVPToDomain, run.AVPGlobal:
			return "domain and global attributes are filled by modules"
		}
	}
	return "it is read-only"
}

// exitCode is the code of a script that ended: 0 with drop, 1 with exit.
func exitCode(c *run.Context) int {
	if c.Dropped {
		return 0
	}
	return 1
}

func (x *compiler) ifStmt(s *If) stmtFunc {
	if a, ok := s.Cond.(*AssignExpr); ok && x.check {
		x.conf.Warnings.add(a.Pos, "this condition assigns").hint("to compare write ==")
	}
	cond := x.tracedTest("if", s.Cond, x.condition(s.Cond))
	then, els := x.stmts(s.Then), x.stmts(s.Else)
	if cond == nil {
		return nil
	}
	at := placeOf(s.Pos)
	return func(c *run.Context) (int, signal) {
		at.enter(c)
		yes, ok := cond(c)
		if !ok && c.Exited {
			return exitCode(c), exits
		}
		if yes {
			return runBody(c, then)
		}
		return runBody(c, els)
	}
}

func (x *compiler) while(s *While) stmtFunc {
	o := x.expr(s.Cond)
	x.breakable++
	body := x.stmts(s.Body)
	x.breakable--
	if o == nil {
		return nil
	}
	cond := x.tracedTest("while", s.Cond, x.truth(o)) // negative counts as true here, unlike in an if
	at, rep, limit := placeOf(s.Pos), &x.prog.rep, x.conf.env.MaxWhileLoops
	return func(c *run.Context) (int, signal) {
		most := 100
		if limit != nil {
			most = limit.Get(c.Cfg)
		}
		code := 1
		for n := 0; ; n++ {
			at.enter(c)
			yes, ok := cond(c)
			if !ok && c.Exited {
				return exitCode(c), exits
			}
			if !yes {
				return code, goOn
			}
			if most > 0 && n >= most {
				rep.report(c, "while loop was cut", "core.max_while_loops")
				return code, goOn
			}
			var sig signal
			switch code, sig = runBody(c, body); sig {
			case breaks:
				return code, goOn
			case returns, exits:
				return code, sig
			}
		}
	}
}

func (x *compiler) jump(s *Jump) stmtFunc {
	var o *operand
	if s.Value != nil {
		if o = x.expr(s.Value); o == nil {
			return nil
		}
	}
	at, zeroExits := placeOf(s.Pos), x.dial.returnZeroExits
	// value evaluates the code; ended says that the script ended meanwhile.
	value := func(c *run.Context, def int) (code int, ended bool) {
		switch {
		case o == nil:
			return def, false
		case o.konst:
			return o.val.Int(), false
		}
		at.enter(c)
		v, ok := o.eval(c)
		if !ok {
			return def, c.Exited
		}
		return v.Int(), false
	}
	switch s.Kind {
	case JumpBreak:
		return func(*run.Context) (int, signal) { return 0, breaks }
	case JumpReturn:
		return func(c *run.Context) (int, signal) {
			code, ended := value(c, 1)
			if ended || code == 0 && zeroExits {
				c.Exited = true
				return code, exits
			}
			return code, returns
		}
	case JumpExit:
		return func(c *run.Context) (int, signal) {
			code, _ := value(c, 1)
			c.Exited = true
			return code, exits
		}
	}
	return func(c *run.Context) (int, signal) {
		code, _ := value(c, 0)
		c.Exited, c.Dropped = true, true
		return code, exits
	}
}

// label is one case of a switch.
type label struct {
	n  int
	s  string
	re *regex.Regexp
	to int // index into the statements of all cases
}

func (x *compiler) switchStmt(s *Switch) stmtFunc {
	o := x.expr(s.Value)
	x.breakable++
	defer func() { x.breakable-- }()
	var ints, strs []label
	var body []stmtFunc
	def := -1
	ok := true
	starts := make([]int, len(s.Cases))
	for i := range s.Cases {
		cs := &s.Cases[i]
		starts[i] = len(body)
		switch l, isInt, good := x.label(cs); {
		case cs.Default:
			if def >= 0 {
				x.errs.add(cs.Pos, "a second default in one switch")
			}
			def = len(body)
		case !good:
			ok = false
		case isInt:
			l.to = len(body)
			ints = append(ints, l)
		default:
			l.to = len(body)
			strs = append(strs, l)
		}
		if len(ints) > 0 && len(strs) > 0 && ok {
			x.errs.add(cs.Pos, "labels of one switch are all numbers or all strings")
			ok = false
		}
		body = append(body, x.stmts(cs.Body)...)
	}
	if o == nil || !ok {
		return nil
	}
	if len(s.Cases) == 0 && x.check {
		x.conf.Warnings.add(s.Pos, "switch has no case")
	}
	at := placeOf(s.Pos)
	find := x.tracedCase(s, starts, x.finder(o, ints, strs, def))
	return func(c *run.Context) (int, signal) {
		at.enter(c)
		to, ok := find(c)
		if !ok && c.Exited {
			return exitCode(c), exits
		}
		if to < 0 {
			return 1, goOn
		}
		code, sig := runBody(c, body[to:])
		if sig == breaks {
			sig = goOn
		}
		return code, sig
	}
}

// label folds a case's label.
func (x *compiler) label(cs *Case) (l label, isInt, ok bool) {
	if cs.Default {
		return l, false, true
	}
	o := x.expr(cs.Label)
	if o == nil {
		return l, false, false
	}
	if !o.konst {
		x.errs.add(cs.Label.Position(), "a label must be constant")
		return l, false, false
	}
	if o.val.IsInt() && !cs.Regex {
		l.n = o.val.Int()
		return l, true, true
	}
	l.s = o.val.Text()
	if cs.Regex {
		// Unlike =~, labels tell upper from lower case.
		re, err := regex.Compile(l.s, 0)
		if err != nil {
			x.regexError(cs.Label, err)
			return l, false, false
		}
		l.re = re
	}
	return l, false, true
}

// finder compiles the choice of a label: the index of the statement to start
// with, -1 for none.
func (x *compiler) finder(o *operand, ints, strs []label, def int) func(*run.Context) (int, bool) {
	if len(strs) == 0 {
		eval := x.intOf(o)
		return func(c *run.Context) (int, bool) {
			n, ok := eval(c)
			if !ok {
				return -1, false
			}
			for i := range ints {
				if ints[i].n == n {
					return ints[i].to, true
				}
			}
			return def, true
		}
	}
	return func(c *run.Context) (int, bool) {
		v, ok := o.eval(c)
		if !ok {
			return -1, false
		}
		text := v.Text()
		for i := range strs {
			if l := &strs[i]; l.re != nil && l.re.Match(text) || l.re == nil && l.s == text {
				return l.to, true
			}
		}
		return def, true
	}
}

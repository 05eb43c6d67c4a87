package avpops

import (
	"errors"
	"fmt"
	"strings"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/regex"
	"sipd/router/run"
)

// newOp compiles avp_op("$avp(x)/$avp(y)", "add/i:5/gd").
func (m *avpops) newOp(a module.Args) (run.Func, error) {
	text, to, two := strings.Cut(a[0].Text, "/")
	src, err := m.attr(text)
	if err != nil {
		return nil, at(0, err)
	}
	dst := src
	if two && to != "" {
		if dst, err = m.attr(to); err != nil {
			return nil, at(0, err)
		}
	}
	o, err := m.operand(a[1].Text, "add sub mul div mod and or xor not", "gd")
	if err == nil && o.v.Get == nil && !o.value.IsInt() {
		err = fmt.Errorf("%q does not compute with a number; write i: before it", a[1].Text)
	}
	if err != nil {
		return nil, at(1, err)
	}
	return func(c *run.Context) int {
		from, ok := src.name(c)
		to, ok2 := dst.name(c)
		if !ok || !ok2 {
			return -1
		}
		return code(m.compute(c, from, to, o))
	}, nil
}

// compute adds a result for each number of an attribute, and for each of the
// operand's: those go on with the result before. All numbers are taken, with
// or without the flag g, as in Kamailio.
func (m *avpops) compute(c *run.Context, from, to run.AVPName, o *operand) bool {
	old := values(c, from)
	found := false
	for i, v := range old {
		if !v.IsInt() {
			continue
		}
		found = true
		operands, _ := o.values(c)
		n, used := v.Int(), false
		for _, w := range operands {
			if !w.IsInt() {
				continue
			}
			used = true
			var err error
			if n, err = calculate(o.op, n, w.Int()); err != nil {
				m.failed.Log(c, err)
			}
			c.AVPs.Add(list, to, run.Int(n), 0)
		}
		if !used {
			return false
		}
		if o.flags['d'] {
			remove(c, from, i, len(old))
		}
	}
	return found
}

// calculate answers 0 where there is no result.
func calculate(op string, a, b int) (int, error) {
	switch op {
	case "add":
		a += b
	case "sub":
		a -= b
	case "mul":
		a *= b
	case "div", "mod":
		switch {
		case b == 0:
			return 0, errors.New("division by 0")
		case op == "div":
			a /= b
		default:
			a %= b
		}
	case "and":
		a &= b
	case "or":
		a |= b
	case "xor":
		a ^= b
	case "not":
		a = ^b
	}
	return int(int32(a)), nil
}

// substitution is what avp_subst names: from, to and flags.
type substitution struct {
	from, to attr
	move     bool // the old values go
	all      bool
}

// substitution reads "$avp(x)", "$avp(x)/gd" or "$avp(x)/$avp(y)/gd".
func (m *avpops) substitution(text string) (*substitution, error) {
	parts := strings.SplitN(text, "/", 3)
	x, err := m.attr(parts[0])
	if err != nil {
		return nil, err
	}
	s := &substitution{from: x, to: x, move: true}
	rest := parts[1:]
	if len(rest) > 0 && strings.HasPrefix(rest[0], "$") {
		s.move = false
		if rest[0] != "$" {
			if s.to, err = m.attr(rest[0]); err != nil {
				return nil, err
			}
		} else {
			s.move = true // "$avp(x)/$/g": no other attribute
		}
		rest = rest[1:]
	}
	set, err := flags(strings.Join(rest, "/"), "gd")
	s.all, s.move = set['g'], s.move || set['d']
	return s, err
}

// apply replaces in the values that are texts and match.
func (s *substitution) apply(c *run.Context, expr *regex.Subst) int {
	from, ok := s.from.name(c)
	to, ok2 := s.to.name(c)
	if !ok || !ok2 {
		return -1
	}
	old := values(c, from)
	done := false
	for i, v := range old {
		if !v.IsStr() {
			continue
		}
		text, n := expr.Replace(c, v.Text())
		if n == 0 {
			continue
		}
		done = true
		c.AVPs.Add(list, to, run.Str(text), 0)
		if s.move {
			remove(c, from, i, len(old))
		}
		if !s.all {
			break
		}
	}
	return code(done)
}

func (m *avpops) expression(text string) (*regex.Subst, error) {
	return regex.ParseSubst(text, func(s string) (regex.Appender, int, error) {
		v, n, err := m.vars.ParseVar(s, pv.Kamailio)
		if err != nil {
			return nil, 0, err
		}
		return v.AppendTo, n, nil
	})
}

// newSubst compiles avp_subst.
func (m *avpops) newSubst(a module.Args) (run.Func, error) {
	s, err := m.substitution(a[0].Text)
	if err != nil {
		return nil, at(0, err)
	}
	expr, err := m.expression(a[1].Text)
	if err != nil {
		return nil, at(1, err)
	}
	return func(c *run.Context) int { return s.apply(c, expr) }, nil
}

// newSubstPV compiles avp_subst_pv.
func (m *avpops) newSubstPV(a module.Args) (run.Func, error) {
	s, err := m.substitution(a[0].Text)
	if err != nil {
		return nil, at(0, err)
	}
	last := regex.Last[*regex.Subst]{Make: m.expression}
	return func(c *run.Context) int {
		text := a.Str(c, 1)
		expr, err := last.Get(text)
		if err != nil {
			m.failed.Log(c, fmt.Errorf("%w in %q", err, text))
			return -3
		}
		return s.apply(c, expr)
	}, nil
}

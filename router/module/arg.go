package module

import (
	"errors"
	"fmt"
	"strings"

	"sipd/router/pv"
	"sipd/router/regex"
	"sipd/router/run"
)

// StringArg compiles a string constant given for a parameter as the parameter
// declares: expanded, as a number, as a variable, or as it is. SER's xl formats
// are not known here; functions that take one declare ArgConst and parse it.
func StringArg(reg *pv.Registry, a *Arg, text string) (Expr, error) {
	switch a.Type {
	case ArgFormat, ArgAny:
		f, err := reg.ParseFormat(text, pv.Kamailio)
		if err != nil {
			return Expr{}, err
		}
		return FormatExpr(f, text), nil
	case ArgInt:
		return intArg(reg, a, text)
	case ArgVar, ArgRead:
		v, n, err := reg.ParseVar(text, pv.MaxCompat)
		if err != nil {
			return Expr{}, err
		}
		if n != len(text) {
			return Expr{}, fmt.Errorf("%s wants one variable, there is more in %q", a.label(), text)
		}
		return VarArg(a, v)
	case ArgRegex:
		if _, err := regex.Compile(text, 0); err != nil {
			return Expr{}, err
		}
	}
	return ConstExpr(run.Str(text), text), nil
}

func (a *Arg) label() string {
	if a.Name != "" {
		return a.Name
	}
	return "the argument"
}

func intArg(reg *pv.Registry, a *Arg, text string) (Expr, error) {
	text = strings.TrimSpace(text)
	if n, ok := run.ParseInt(text); ok && text != "" {
		return ConstExpr(run.Int(n), text), nil
	}
	if n, ok := hexInt(text); ok {
		return ConstExpr(run.Int(n), text), nil
	}
	if !strings.HasPrefix(text, "$") {
		return Expr{}, fmt.Errorf("%s wants a number, not %q", a.label(), text)
	}
	f, err := reg.ParseFormat(text, pv.Kamailio)
	if err != nil {
		return Expr{}, err
	}
	return Expr{Text: text, Eval: f.Value}, nil
}

func hexInt(s string) (int, bool) {
	if !strings.HasPrefix(s, "0x") && !strings.HasPrefix(s, "0X") || len(s) < 3 || len(s) > 10 {
		return 0, false
	}
	n := 0
	for _, c := range []byte(strings.ToLower(s[2:])) {
		i := strings.IndexByte("0123456789abcdef", c)
		if i < 0 {
			return 0, false
		}
		n = n<<4 | i
	}
	return int(int32(uint32(n))), true
}

// VarArg compiles a bare variable given for a parameter. What it is used for
// decides whether it must be writable.
func VarArg(a *Arg, v pv.Var) (Expr, error) {
	switch a.Type {
	case ArgConst, ArgRegex, ArgRoute:
		return Expr{}, fmt.Errorf("%s must be a constant, not %s", a.label(), v.Name)
	case ArgVar:
		if v.Set == nil {
			return Expr{}, fmt.Errorf("%s is read-only", v.Name)
		}
	}
	return Expr{Eval: v.Get, Var: v}, nil
}

// NumberArg compiles a number given for a parameter.
func NumberArg(a *Arg, n int) (Expr, error) {
	if a.Type == ArgVar || a.Type == ArgRead {
		return Expr{}, errors.New(a.label() + " wants a variable, not a number")
	}
	return ConstExpr(run.Int(n), run.Int(n).Text()), nil
}

// ConstExpr is an argument that never changes.
func ConstExpr(v run.Value, text string) Expr {
	return Expr{IsConst: true, Const: v, Text: text, Eval: func(*run.Context) run.Value { return v }}
}

// FormatExpr is an argument of a compiled format.
func FormatExpr(f *pv.Format, text string) Expr {
	if s, ok := f.IsConst(); ok {
		return ConstExpr(run.Str(s), text)
	}
	return Expr{Text: text, Eval: func(c *run.Context) run.Value { return run.Str(f.Eval(c)) }}
}

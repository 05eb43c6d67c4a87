package pv

import (
	"strconv"
	"strings"

	"sipd/router/run"
)

// Flavour is how $name is read (the #!SER and #!KAMAILIO lines).
type Flavour uint8

// The flavours. MaxCompat is the default: attributes where the text can only
// mean one, or where no pseudo-variable of the name exists.
const (
	MaxCompat Flavour = iota
	SER
	Kamailio
)

// maxNesting bounds variables inside variables.
const maxNesting = 16

// ParseVar compiles the variable at the start of s ("$ru",
// "$(hdr(Via)[1]{s.len})", "$f.x[2]") and says how many octets it took. Errors
// are *[Error].
func (r *Registry) ParseVar(s string, fl Flavour) (Var, int, error) {
	return r.parseVar(s, fl, 0)
}

func (r *Registry) parseVar(s string, fl Flavour, depth int) (Var, int, error) {
	if len(s) < 2 || s[0] != '$' {
		return Var{}, 0, errf(0, "a variable starts with $ and a name").hint("write $$ for a dollar sign")
	}
	if depth > maxNesting {
		return Var{}, 0, errf(0, "variables are nested more than %d deep", maxNesting)
	}
	if isAttr(r, s, fl) {
		return r.ParseAVP(s)
	}
	p := &varParser{r: r, s: s, fl: fl, depth: depth, i: 1}
	v, err := p.parse()
	if err != nil {
		return Var{}, 0, err
	}
	if r.Seen != nil {
		r.Seen(v)
	}
	return v, p.i, nil
}

// isAttr decides between a SER attribute and a pseudo-variable (script.md §3.7).
func isAttr(r *Registry, s string, fl Flavour) bool {
	if fl == Kamailio || s[1] == '?' {
		return false
	}
	if s[1] == '(' {
		return fl == SER
	}
	end := scanName(s, 1)
	name := s[1:end]
	if name == "rc" || name == "retcode" {
		return false
	}
	if fl == SER {
		return true
	}
	if end < len(s) {
		switch s[end] {
		case '[':
			return scanIndex(s, end) > 0
		case '(':
			return false
		}
	}
	if i := strings.IndexByte(name, '.'); i > 0 {
		_, ok := attrClasses[name[:i]]
		return ok && !r.Has(name)
	}
	return !r.Has(name) && isNameStart(s[1])
}

type varParser struct {
	r     *Registry
	s     string
	i     int
	fl    Flavour
	depth int
}

func (p *varParser) parse() (Var, error) {
	enclosed := p.s[p.i] == '('
	if enclosed {
		p.i++
	}
	def, n, err := p.name(enclosed)
	if err != nil {
		return Var{}, err
	}
	if p.peek() == '(' {
		if err := p.inner(def, n); err != nil {
			return Var{}, err
		}
	}
	nameEnd := p.i
	var trans []Transform
	if enclosed {
		if p.peek() == '[' {
			if err := p.index(n); err != nil {
				return Var{}, err
			}
		}
		if trans, err = p.transforms(); err != nil {
			return Var{}, err
		}
		if p.peek() != ')' {
			return Var{}, errf(p.i, "the variable is not closed").hint("a ) is missing")
		}
		p.i++
	}
	v, err := compileDef(def, n)
	if err != nil {
		return Var{}, at(nameEnd-len(n.Inner), err)
	}
	v.Name = p.s[:p.i]
	return withTransforms(v, trans), nil
}

func (p *varParser) peek() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

// name reads the class and finds its definition.
func (p *varParser) name(enclosed bool) (*Def, *Name, error) {
	start := p.i
	if p.peek() == '?' {
		p.i++
	} else {
		p.i = scanName(p.s, p.i)
	}
	name := p.s[start:p.i]
	if name == "" {
		e := errf(start, "a variable's name is missing")
		if !enclosed {
			return nil, nil, e.hint("write $$ for a dollar sign")
		}
		return nil, nil, e
	}
	def := p.r.vars[name]
	if def == nil && !enclosed {
		// "$rd.example.com": the longest name that exists, up to a dot
		for i := strings.LastIndexByte(name, '.'); i > 0 && def == nil; i = strings.LastIndexByte(name[:i], '.') {
			if def = p.r.vars[name[:i]]; def != nil {
				p.i, name = start+i, name[:i]
			}
		}
	}
	if def == nil {
		return nil, nil, errf(start, "unknown variable $%s", name).hint("%s", p.r.elsewhere("$", name, p.r.Names()))
	}
	return def, &Name{Reg: p.r, Class: name}, nil
}

// inner reads (text).
func (p *varParser) inner(def *Def, n *Name) error {
	end := scanGroup(p.s, p.i, '(', ')')
	if end == 0 {
		return errf(p.i, "$%s(…) is not closed", n.Class).hint("a ) is missing")
	}
	n.HasInner = true
	n.Inner = p.s[p.i+1 : end-1]
	if strings.TrimSpace(n.Inner) == "" {
		return errf(p.i, "$%s() has nothing in its parentheses", n.Class)
	}
	if !def.RawInner && strings.Contains(n.Inner, "$") {
		f, err := p.r.parseFormat(n.Inner, Kamailio, p.depth+1)
		if err != nil {
			return at(p.i+1, err)
		}
		n.InnerEval = func(c *run.Context) run.Value { return f.Value(c) }
	}
	p.i = end
	return nil
}

// index reads [n], [*] or [$var].
func (p *varParser) index(n *Name) error {
	start := p.i
	p.i++
	n.HasIndex = true
	switch c := p.peek(); {
	case c == '*':
		n.IndexAll = true
		p.i++
	case c == '$':
		v, took, err := p.r.parseVar(p.s[p.i:], Kamailio, p.depth+1)
		if err != nil {
			return at(p.i, err)
		}
		n.IndexEval = v.Get
		p.i += took
	default:
		end := p.i
		for end < len(p.s) && (p.s[end] == '-' || p.s[end] == '+' || p.s[end] >= '0' && p.s[end] <= '9') {
			end++
		}
		x, err := strconv.Atoi(p.s[p.i:end])
		if err != nil || x > 1<<20 || x < -1<<20 {
			return errf(p.i, "an index is a number, * or a variable")
		}
		n.Index = x
		p.i = end
	}
	if p.peek() != ']' {
		return errf(start, "the index is not closed").hint("a ] is missing")
	}
	p.i++
	return nil
}

// transforms reads {class.member,args}… .
func (p *varParser) transforms() ([]Transform, error) {
	var ts []Transform
	for p.peek() == '{' {
		t, err := p.transform()
		if err != nil {
			return nil, err
		}
		ts = append(ts, t)
	}
	return ts, nil
}

func (p *varParser) transform() (Transform, error) {
	p.i++
	p.blanks()
	start := p.i
	for isNameByte(p.peek()) {
		p.i++
	}
	class := p.s[start:p.i]
	def := p.r.trans[class]
	if def == nil {
		return nil, errf(start, "unknown transformation {%s.…}", class).hint("%s", p.r.elsewhere("{", class, p.r.TransNames()))
	}
	member := ""
	if p.peek() == '.' {
		p.i++
		start = p.i
		for isNameByte(p.peek()) || p.peek() == '.' {
			p.i++
		}
		member = strings.ToLower(p.s[start:p.i])
	}
	p.blanks()
	a := &TransArgs{p: p}
	t, err := def.New(member, a)
	if err != nil {
		if _, ok := err.(*Error); ok {
			return nil, err // positions are already of the whole
		}
		return nil, at(start, err)
	}
	p.blanks()
	if p.peek() == ',' {
		return nil, errf(p.i, "{%s.%s} takes no more arguments", class, member)
	}
	if p.peek() != '}' {
		return nil, errf(p.i, "{%s.%s} is not closed", class, member).hint("a } is missing")
	}
	p.i++
	return t, nil
}

func (p *varParser) blanks() {
	for p.i < len(p.s) && (p.s[p.i] == ' ' || p.s[p.i] == '\t' || p.s[p.i] == '\n' || p.s[p.i] == '\r') {
		p.i++
	}
}

// compileDef makes a Var of a definition and a name.
func compileDef(def *Def, n *Name) (Var, error) {
	if def.New != nil {
		return def.New(n)
	}
	switch {
	case n.HasInner:
		return Var{}, errf(0, "$%s takes nothing in parentheses", n.Class)
	case n.HasIndex:
		return Var{}, errf(0, "$%s has no index", n.Class)
	}
	return Var{Get: def.Simple, Set: def.SimpleSet, Append: def.SimpleAppend}, nil
}

func withTransforms(v Var, ts []Transform) Var {
	if len(ts) == 0 {
		return v
	}
	get := v.Get
	v.Set, v.Append, v.Attr, v.Quiet = nil, nil, nil, true
	if len(ts) == 1 {
		t := ts[0]
		v.Get = func(c *run.Context) run.Value { return t(c, get(c)) }
		return v
	}
	v.Get = func(c *run.Context) run.Value {
		x := get(c)
		for _, t := range ts {
			x = t(c, x)
		}
		return x
	}
	return v
}

// TransArgs reads the arguments of a transformation as it is compiled. Each
// method takes the next comma and what follows.
type TransArgs struct{ p *varParser }

// TransArg is one argument: a constant, or a variable.
type TransArg struct {
	// Text is the constant as written.
	Text string
	// Get reads the variable, nil for constants.
	Get Getter
	n   int
}

// Str is the argument as text; empty for an undefined variable.
func (a *TransArg) Str(c *run.Context) string {
	if a.Get == nil {
		return a.Text
	}
	return a.Get(c).Text()
}

// Int is the argument as a number.
func (a *TransArg) Int(c *run.Context) int {
	if a.Get == nil {
		return a.n
	}
	return a.Get(c).Int()
}

// More says whether another argument follows.
func (a *TransArgs) More() bool { return a.p.peek() == ',' }

func (a *TransArgs) comma() error {
	if a.p.peek() != ',' {
		return errf(a.p.i, "an argument is missing")
	}
	a.p.i++
	return nil
}

// Str reads text up to the next comma or brace, or a variable.
func (a *TransArgs) Str() (TransArg, error) {
	if err := a.comma(); err != nil {
		return TransArg{}, err
	}
	p := a.p
	p.blanks()
	if p.peek() == '$' {
		v, took, err := p.r.parseVar(p.s[p.i:], Kamailio, p.depth+1)
		if err != nil {
			return TransArg{}, at(p.i, err)
		}
		p.i += took
		return TransArg{Get: v.Get}, nil
	}
	start := p.i
	for p.i < len(p.s) && p.s[p.i] != ',' && p.s[p.i] != '}' {
		p.i++
	}
	return TransArg{Text: p.s[start:p.i]}, nil
}

// Int reads a number with an optional sign, or a variable.
func (a *TransArgs) Int() (TransArg, error) {
	start := a.p.i + 1
	arg, err := a.Str()
	if err != nil || arg.Get != nil {
		return arg, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(arg.Text), 10, 32)
	if err != nil {
		return arg, errf(start, "%q is not a number", strings.TrimSpace(arg.Text))
	}
	arg.n = int(n)
	return arg, nil
}

// Char reads one octet, whatever it is.
func (a *TransArgs) Char() (byte, error) {
	if err := a.comma(); err != nil {
		return 0, err
	}
	if a.p.i >= len(a.p.s) {
		return 0, errf(a.p.i, "an argument is missing")
	}
	a.p.i++
	return a.p.s[a.p.i-1], nil
}

// CharArg reads one octet, or a variable whose first octet counts.
func (a *TransArgs) CharArg() (TransArg, error) {
	rest := a.p.s[min(a.p.i+1, len(a.p.s)):]
	if v, took, err := a.p.r.parseVar(rest, Kamailio, a.p.depth+1); err == nil && a.More() {
		a.p.i += 1 + took
		return TransArg{Get: v.Get}, nil
	}
	c, err := a.Char()
	return TransArg{Text: string([]byte{c})}, err
}

// Rest reads everything up to the brace that closes the transformation; pairs
// of braces inside and braces behind a backslash belong to it.
func (a *TransArgs) Rest() (string, error) {
	if err := a.comma(); err != nil {
		return "", err
	}
	p := a.p
	start, depth := p.i, 0
	for ; p.i < len(p.s); p.i++ {
		switch p.s[p.i] {
		case '\\':
			p.i++
		case '{':
			depth++
		case '}':
			if depth == 0 {
				return p.s[start:p.i], nil
			}
			depth--
		}
	}
	p.i = len(p.s)
	return "", errf(start, "the transformation is not closed").hint("a } is missing")
}

// Registry is the registry that compiles the transformation.
func (a *TransArgs) Registry() *Registry { return a.p.r }

// Unknown is the error for a member that a class does not have.
func (a *TransArgs) Unknown(class, member string, members []string) error {
	e := errf(a.p.i-len(member), "unknown transformation {%s.%s}", class, member)
	if s := similar(member, members); s != "" {
		return e.hint("did you mean {%s.%s}?", class, s)
	}
	return e
}

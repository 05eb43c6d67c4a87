package script

import (
	"fmt"
)

// ReadFunc reads a file. It answers an error that is fs.ErrNotExist for a file
// that is missing.
type ReadFunc func(path string) (string, error)

// Options of [Parse].
type Options struct {
	// Defines are -A options: "ID" or "ID=text".
	Defines []string
	// Predefined are names that exist from the start, like KAMAILIO_5.
	Predefined []string
	// Getenv finds variables of the environment for #!defenv.
	Getenv func(name string) (string, bool)
}

// Parse reads a configuration with all it includes. The error is an
// [ErrorList] of everything that is wrong; the file then holds what could be
// understood, so that a checker can go on.
func Parse(read ReadFunc, path string, opts *Options) (*File, error) {
	if opts == nil {
		opts = &Options{}
	}
	pp := &preproc{read: read, opts: opts, defines: make(map[string]*Define)}
	text, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	main := pp.source(path, text, Pos{})
	pp.start()
	pp.run(main)

	p := &parser{toks: pp.toks, defines: pp}
	p.errs, p.warns = pp.errs, pp.warns
	p.applySubst()
	f := &File{Path: path, Sources: pp.sources, Defines: pp.order, Flavour: pp.flavour}
	f.Items = p.items()
	f.Warnings = p.warns.sort()
	if len(p.errs) > 0 {
		return f, p.errs.sort()
	}
	return f, nil
}

// parser turns tokens into the tree. After a mistake it is "lost": further
// mistakes are not told until it has found the next statement.
type parser struct {
	toks   []token
	i      int
	depth  int
	lost   bool
	inArgs int // depth of function arguments
	// unclosed is the token before which a "}" was found missing.
	unclosed int
	defines  *preproc
	errs     ErrorList
	warns    ErrorList
}

func (p *parser) tok() *token { return &p.toks[p.i] }

func (p *parser) peek(n int) *token {
	if p.i+n >= len(p.toks) {
		return &p.toks[len(p.toks)-1]
	}
	return &p.toks[p.i+n]
}

func (p *parser) next() *token {
	t := &p.toks[p.i]
	if p.i < len(p.toks)-1 {
		p.i++
	}
	return t
}

func (p *parser) at(k kind) bool { return p.toks[p.i].kind == k }

// got moves over a token of kind k.
func (p *parser) got(k kind) bool {
	if p.at(k) && k != tEOF {
		p.next()
		return true
	}
	return false
}

// prevEnd is the position of the token before.
func (p *parser) prev() Pos {
	if p.i == 0 {
		return p.toks[0].pos
	}
	return p.toks[p.i-1].pos
}

// fail tells a mistake at a token, unless the parser is lost already.
func (p *parser) fail(pos Pos, format string, a ...any) *Error {
	e := &Error{Pos: pos, Msg: fmt.Sprintf(format, a...)}
	// A string or comment that does not end has swallowed the rest.
	if !p.lost && len(p.errs) < maxErrors && !(p.at(tEOF) && p.defines.swallowed) {
		p.errs = append(p.errs, e)
	}
	p.lost = true
	return e
}

// unexpected tells that something else was wanted at the current token.
func (p *parser) unexpected(want string) *Error {
	t := p.tok()
	e := p.fail(t.pos, "%s expected, not %s", want, t.what())
	if want == `")"` {
		e.hint(`a "(" before this is not closed; put ")" before this`)
	}
	p.explain(e, t)
	return e
}

// explain adds what often is the reason for a mistake at t.
func (p *parser) explain(e *Error, t *token) {
	switch {
	case t.def != nil:
		e.hint("%s comes from the define %s", t.what(), t.def.Name)
		if t.def.Pos.IsValid() {
			e.hint("%s comes from the define %s at %s", t.what(), t.def.Name, t.def.Pos)
		}
	case p.i > 0:
		for j := max(0, p.i-1); j <= p.i; j++ {
			if s := &p.toks[j]; s.kind == tString && s.pos.IsValid() && s.pos.Line() != s.pos.EndLine() {
				e.hint("the string that starts in line %d goes on over lines; is a quote missing?", s.pos.Line())
			}
		}
	}
}

// want moves over a token of kind k or tells that it is missing.
func (p *parser) want(k kind) bool {
	if p.got(k) {
		return true
	}
	p.unexpected(k.String())
	return false
}

// semicolon ends a statement. What is missing is missing behind the word
// before, which may stand lines above.
func (p *parser) semicolon() {
	if p.lost || p.got(tSemi) {
		return
	}
	t := p.tok()
	pos := p.prev()
	if pos.Src != t.pos.Src || !t.nl {
		p.unexpected(`";"`)
		return
	}
	pos.Off = max(pos.Off, pos.End-1)
	e := p.fail(pos, `";" is missing`)
	e.hint(`put ";" behind this`)
	p.explain(e, t)
}

// enter counts nesting; false when it is too deep.
func (p *parser) enter() bool {
	p.depth++
	if p.depth > MaxNesting {
		p.fail(p.tok().pos, "nested more than %d deep", MaxNesting)
		return false
	}
	return true
}

func (p *parser) leave() { p.depth-- }

// syncStmt finds the end of a statement that could not be read: behind the
// next ";" or "}" of a block that started in it, or before the "}" of the block
// it stands in.
func (p *parser) syncStmt(start int) {
	p.lost = false
	depth := 0
	if p.i == start && !p.at(tRBrace) { // always move
		if p.at(tLBrace) {
			depth++
		}
		if p.next().kind == tSemi {
			return
		}
	}
	for {
		switch t := p.tok(); t.kind {
		case tEOF:
			return
		case tSemi:
			p.next()
			if depth == 0 {
				return
			}
			continue
		case tLBrace:
			depth++
		case tRBrace:
			if depth == 0 {
				return
			}
			if depth--; depth == 0 {
				p.next()
				if p.tok().is("else") {
					continue
				}
				p.got(tSemi)
				return
			}
		case tIdent:
			if t.nl && depth == 0 && (routeKeywords[t.text] && p.peek(1).kind != tLParen || t.text == "modparam" || t.text == "loadmodule") {
				return
			}
		}
		p.next()
	}
}

// syncItem finds the next statement outside of routes.
func (p *parser) syncItem(start int) {
	p.lost = false
	if p.i == start {
		p.next()
	}
	depth := 0
	for {
		t := p.tok()
		switch t.kind {
		case tEOF:
			return
		case tLBrace:
			depth++
		case tRBrace:
			depth--
			if depth <= 0 {
				p.next()
				return
			}
		case tSemi:
			if depth <= 0 {
				return
			}
		case tIdent:
			if t.nl && p.startsItem(t) && (depth <= 0 || t.text == "modparam" || t.text == "loadmodule" || t.pos.Col() == 1 && routeKeywords[t.text] && p.peek(1).kind != tLParen) {
				return
			}
		}
		p.next()
	}
}

// startsItem says whether t can be the first word of a top-level statement.
func (p *parser) startsItem(t *token) bool {
	switch t.text {
	case "loadmodule", "loadpath", "mpath", "modparam", "flags", "bool", "avpflags", "listen", "alias":
		return true
	}
	if routeKeywords[t.text] {
		return true
	}
	n := p.peek(1)
	return n.kind == tAssign || n.kind == tDot && p.peek(3).kind == tAssign
}

// applySubst runs the #!subst rules over strings. They are applied after the
// whole was read and joined; a rule works on what comes behind it.
func (p *parser) applySubst() {
	for i := range p.toks {
		t := &p.toks[i]
		if t.kind != tString {
			continue
		}
		for _, r := range p.defines.substs {
			if i >= r.from {
				t.text = r.apply(t.text)
			}
		}
	}
}

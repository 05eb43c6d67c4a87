package script

// block reads { … } with the brace at the current token. An empty one is a
// mistake, as in the elders: what a conditional emptied needs a "return;".
func (p *parser) block() []Stmt {
	open := p.next()
	var body []Stmt
	if !p.enter() {
		p.leave()
		return nil
	}
	defer p.leave()
	for {
		switch t := p.tok(); {
		case t.kind == tRBrace:
			if len(body) == 0 && !p.lost {
				p.errs.add(open.pos, "block is empty").hint(`put "return;" or ";" in it`)
			}
			p.next()
			return body
		case t.kind == tEOF:
			p.fail(open.pos, `"{" is not closed`)
			return body
		case t.kind == tIdent && t.nl && p.newBlock(t):
			// Told once for all the blocks around it; what follows is outside.
			if p.unclosed != p.i {
				p.fail(open.pos, `"{" is not closed`).hint("%s at %s starts outside of it", t.what(), t.pos)
			}
			p.unclosed = p.i
			p.lost = false
			return body
		}
		start := p.i
		s := p.stmt()
		if p.lost {
			p.syncStmt(start)
			body = append(body, &Empty{p.toks[start].pos})
			continue
		}
		if s != nil {
			body = append(body, s)
		}
	}
}

// newBlock says whether t starts something that never stands in a block: then
// a brace is missing.
func (p *parser) newBlock(t *token) bool {
	if t.text == "modparam" || t.text == "loadmodule" {
		return true
	}
	return routeKeywords[t.text] && (p.peek(1).kind == tLBrace || p.peek(1).kind == tLBracket)
}

// body reads the statement behind if, else and while: one, or a block.
func (p *parser) body() []Stmt {
	if p.at(tLBrace) {
		return p.block()
	}
	if !p.enter() {
		p.leave()
		return nil
	}
	defer p.leave()
	s := p.stmt()
	if s == nil {
		return nil
	}
	return []Stmt{s}
}

// stmt reads one statement.
func (p *parser) stmt() Stmt {
	t := p.tok()
	switch t.kind {
	case tSemi:
		p.next()
		return &Empty{t.pos}
	case tVar, tSelect:
		return p.assign()
	case tLBrace:
		p.fail(t.pos, "a block cannot stand alone").hint("it needs an if, while or route before it")
		return nil
	case tIdent:
	default:
		p.unexpected("a statement")
		return nil
	}
	switch t.text {
	case "if":
		return p.ifStmt()
	case "switch":
		return p.switchStmt()
	case "while":
		return p.whileStmt()
	case "return":
		return p.jump(JumpReturn)
	case "break":
		return p.jump(JumpBreak)
	case "exit":
		return p.jump(JumpExit)
	case "drop":
		return p.jump(JumpDrop)
	case "else":
		p.fail(t.pos, "else without if").hint(`a ";" behind the "}" of an if ends it`)
		return nil
	case "case", "default":
		p.fail(t.pos, "%s outside of a switch", t.text)
		return nil
	}
	if keywords[t.text] && t.text != "route" && t.text != "log" && t.text != "forward" {
		p.unexpected("a statement")
		return nil
	}
	s := &CallStmt{Pos: t.pos}
	switch p.peek(1).kind {
	case tLParen:
		s.Call = p.call()
	case tSemi:
		if !bareCalls[t.text] {
			p.fail(t.pos, "%q is no statement", t.text).hint("a call needs parentheses: %s()", t.text)
			return nil
		}
		p.next()
		s.Call = &Call{Pos: t.pos, Name: t.text, NamePos: t.pos, Bare: true}
	default:
		e := p.fail(t.pos, "unknown statement %q", t.text)
		if p.peek(1).kind == tAssign {
			e.hint("settings stand outside of routes, variables start with $")
		} else if sim := similar(t.text, []string{"if", "else", "switch", "while", "return", "break", "exit", "drop", "case", "route"}); sim != "" {
			e.hint("did you mean %q?", sim)
		}
		return nil
	}
	s.Pos = s.Pos.to(p.prev())
	p.semicolon()
	return s
}

func (p *parser) assign() Stmt {
	t := p.tok()
	left := p.operand()
	s := &Assign{Pos: t.pos, Left: left}
	switch {
	case p.at(tPlusAssign):
		p.fail(p.tok().pos, `"+=" is not part of the language`).hint("write %s = %s + …", t.text, t.text)
		return nil
	case !p.at(tAssign):
		p.unexpected(`"="`)
		return nil
	case t.kind == tSelect:
		p.fail(t.pos, "a select cannot be assigned to")
		return nil
	}
	p.next()
	s.Right = p.assignValue()
	s.Pos = s.Pos.to(p.prev())
	p.semicolon()
	return s
}

// assignValue is the right side of "=", which may be an assignment itself.
func (p *parser) assignValue() Expr {
	v := p.expr()
	if l, ok := v.(*Var); ok && p.at(tAssign) {
		p.next()
		if !p.enter() {
			p.leave()
			return v
		}
		defer p.leave()
		r := p.assignValue()
		return &AssignExpr{Pos: l.Pos.to(p.prev()), Left: l, Right: r}
	}
	return v
}

// condition reads the expression behind if, while and switch. When it cannot
// be understood, reading goes on at the block it guards.
func (p *parser) condition() Expr {
	c := p.expr()
	if !p.lost {
		return c
	}
	for depth := 0; ; p.next() {
		switch t := p.tok(); t.kind {
		case tEOF, tSemi, tRBrace:
			return c
		case tLParen:
			depth++
		case tRParen:
			depth--
		case tLBrace:
			p.lost = false
			return c
		case tIdent:
			if t.nl && depth < 0 {
				p.lost = false
				return c
			}
		}
	}
}

func (p *parser) ifStmt() Stmt {
	t := p.next()
	s := &If{Pos: t.pos, Cond: p.condition()}
	if p.lost {
		return nil
	}
	s.Then = p.body()
	if !p.lost && p.tok().is("else") {
		p.next()
		s.Else = p.body()
		if s.Else == nil {
			s.Else = []Stmt{}
		}
	}
	s.Pos = s.Pos.to(p.prev())
	return s
}

func (p *parser) whileStmt() Stmt {
	t := p.next()
	s := &While{Pos: t.pos, Cond: p.condition()}
	if p.lost {
		return nil
	}
	s.Body = p.body()
	s.Pos = s.Pos.to(p.prev())
	return s
}

func (p *parser) switchStmt() Stmt {
	t := p.next()
	s := &Switch{Pos: t.pos, Value: p.condition()}
	if p.lost || !p.want(tLBrace) {
		return nil
	}
	if !p.enter() {
		p.leave()
		return nil
	}
	defer p.leave()
	for !p.at(tRBrace) {
		if p.at(tEOF) {
			p.fail(t.pos, "switch is not closed")
			return nil
		}
		start := p.i
		if p.tok().is("case") || p.tok().is("default") {
			s.Cases = append(s.Cases, p.oneCase())
		} else {
			p.unexpected(`"case" or "default"`)
		}
		if p.lost {
			p.syncStmt(start)
		}
	}
	p.next()
	s.Pos = s.Pos.to(p.prev())
	return s
}

func (p *parser) oneCase() Case {
	t := p.next()
	c := Case{Pos: t.pos, Default: t.text == "default"}
	if !c.Default {
		c.Regex = p.got(tSlash)
		c.Label = p.expr()
	}
	if p.want(tColon); p.lost && p.tok().nl { // the colon alone is missing
		p.lost = false
	}
	c.Pos = c.Pos.to(p.prev())
	for !p.lost && !p.at(tRBrace) && !p.at(tEOF) && !p.tok().is("case") && !p.tok().is("default") {
		start := p.i
		s := p.stmt()
		if p.lost {
			p.syncStmt(start)
			s = &Empty{p.toks[start].pos}
		}
		if s != nil {
			c.Body = append(c.Body, s)
		}
	}
	return c
}

// jump reads return, break, exit and drop: "()" is the same as nothing.
func (p *parser) jump(k JumpKind) Stmt {
	t := p.next()
	s := &Jump{Pos: t.pos, Kind: k}
	if p.at(tLParen) && p.peek(1).kind == tRParen {
		p.next()
		p.next()
	} else if !p.at(tSemi) && !(p.tok().nl && !p.startsValue()) && !p.at(tRBrace) {
		if k == JumpBreak {
			p.unexpected(`";"`)
			return nil
		}
		s.Value = p.expr()
	}
	s.Pos = s.Pos.to(p.prev())
	p.semicolon()
	return s
}

// startsValue says whether the token can start an expression, for "return" at
// the end of a line that lacks its semicolon.
func (p *parser) startsValue() bool {
	switch p.tok().kind {
	case tNumber, tString, tLParen, tMinus:
		return true
	}
	return false
}

package script

// binding is the precedence of a binary operator, 0 for tokens that are none
// (script.md §12; all are left associative).
func (p *parser) binding() (Op, int) {
	t := p.tok()
	switch t.kind {
	case tOrOr:
		return OpOr, 2
	case tAndAnd:
		return OpAnd, 3
	case tOr:
		return OpBitOr, 4
	case tAnd:
		return OpBitAnd, 5
	case tXor:
		return OpBitXor, 6
	case tShl:
		return OpShl, 7
	case tShr:
		return OpShr, 8
	case tEq:
		return OpEq, precEq
	case tNe:
		return OpNe, precEq
	case tMatch:
		return OpMatch, precEq
	case tLt:
		return OpLt, 10
	case tGt:
		return OpGt, 10
	case tLe:
		return OpLe, 10
	case tGe:
		return OpGe, 10
	case tPlus:
		return OpAdd, 11
	case tMinus:
		return OpSub, 11
	case tStar:
		return OpMul, 12
	case tSlash:
		return OpDiv, 12
	case tIdent:
		switch t.text {
		case "or":
			return OpOr, 2
		case "and":
			return OpAnd, 3
		case "eq":
			return OpStrEq, precEq
		case "ne":
			return OpStrNe, precEq
		case "ieq":
			return OpIntEq, precEq
		case "ine":
			return OpIntNe, precEq
		case "mod":
			return OpMod, 12
		}
	}
	return 0, 0
}

const precEq = 9

// expr reads an expression.
func (p *parser) expr() Expr { return p.binary(1) }

func (p *parser) binary(least int) Expr {
	if !p.enter() {
		p.leave()
		return &IntLit{Pos: p.tok().pos}
	}
	defer p.leave()
	x := p.unary()
	for n := 0; !p.lost; n++ {
		op, prec := p.binding()
		if prec < least || prec == 0 {
			break
		}
		if n > 1000 {
			p.fail(p.tok().pos, "expression is too long")
			break
		}
		at := p.next().pos
		y := p.binary(prec + 1)
		x = &Binary{Pos: x.Position().to(y.Position()), Op: op, OpPos: at, X: x, Y: y}
	}
	return x
}

func (p *parser) unary() Expr {
	if !p.enter() {
		p.leave()
		return &IntLit{Pos: p.tok().pos}
	}
	defer p.leave()
	t := p.tok()
	op := Op(0)
	switch {
	case t.kind == tNot, t.is("not"):
		op = OpNot
	case t.kind == tMinus:
		op = OpNeg
	case t.kind == tTilde:
		op = OpBitNot
	case t.is("defined"):
		op = OpDefined
	case t.kind == tLParen && p.peek(2).kind == tRParen && (p.peek(1).is("int") || p.peek(1).is("str")):
		c := &Cast{Pos: t.pos, Str: p.peek(1).text == "str"}
		p.next()
		p.next()
		p.next()
		c.X = p.unary()
		c.Pos = c.Pos.to(c.X.Position())
		return c
	default:
		return p.operand()
	}
	p.next()
	x := p.unary()
	if n, ok := x.(*IntLit); ok && op == OpNeg && n.Word == "" && p.toks[p.i-1].kind == tNumber && n.Value >= 0 {
		return &IntLit{Pos: t.pos.to(n.Pos), Value: -n.Value}
	}
	return &Unary{Pos: t.pos.to(x.Position()), Op: op, X: x}
}

// operand reads a primary expression.
func (p *parser) operand() Expr {
	t := p.tok()
	switch t.kind {
	case tNumber:
		p.next()
		return &IntLit{Pos: t.pos, Value: t.num}
	case tString:
		p.next()
		return &StrLit{Pos: t.pos, Value: t.text, Raw: t.raw}
	case tVar:
		p.next()
		return &Var{Pos: t.pos, Text: t.text, Flavour: t.flavour}
	case tSelect:
		p.next()
		return &Select{Pos: t.pos, Text: t.text}
	case tLParen:
		p.next()
		x := p.assignValue()
		p.want(tRParen)
		return x
	case tLBrace:
		return &BlockExpr{Body: p.block(), Pos: t.pos.to(p.prev())}
	case tIdent:
		return p.wordOperand(t)
	case tIP:
		e := p.fail(t.pos, "an address can only stand behind src_ip, dst_ip and the like")
		e.hint("put it in quotes to compare it as text")
		return &IntLit{Pos: t.pos}
	}
	p.unexpected("a value")
	return &IntLit{Pos: t.pos}
}

// wordOperand reads a primary that starts with a bare word.
func (p *parser) wordOperand(t *token) Expr {
	if n, ok := boolWords[t.text]; ok {
		p.next()
		return &IntLit{Pos: t.pos, Value: n, Word: t.text}
	}
	if k := condKeywords[t.text]; k != condNone {
		return p.cond(t, k)
	}
	switch t.text {
	case "strlen", "strempty", "selval":
		return p.builtin(t)
	case "uri:host", "uri:port", "max_len", "INET", "inet", "INET6", "inet6", "UDP", "udp", "TCP", "tcp", "TLS", "tls", "SCTP", "sctp":
		p.next()
		return &Name{Pos: t.pos, Text: t.text}
	}
	if p.peek(1).kind == tLParen && (!keywords[t.text] || t.text == "route" || t.text == "log" || t.text == "forward") {
		return p.call()
	}
	e := p.fail(t.pos, "%q is no value", t.text)
	switch {
	case keywords[t.text]:
		e.Msg = "a value expected, not " + quote(t.text)
	case p.defines != nil && similar(t.text, p.defines.defineNames()) != "":
		e.hint("did you mean the define %s? Text goes in quotes", similar(t.text, p.defines.defineNames()))
	default:
		e.hint("text goes in quotes, calls need parentheses")
	}
	return &IntLit{Pos: t.pos}
}

func (p *parser) builtin(t *token) Expr {
	p.next()
	b := &Builtin{Pos: t.pos, Name: t.text}
	if !p.at(tLParen) {
		p.unexpected(`"(" behind ` + t.text)
		return b
	}
	p.next()
	n := 1
	if t.text == "selval" {
		n = 3
	}
	for i := range n {
		if i > 0 {
			p.want(tComma)
		}
		b.Args = append(b.Args, p.expr())
	}
	p.want(tRParen)
	b.Pos = b.Pos.to(p.prev())
	return b
}

// cond reads a test with a condition keyword; it is one primary, so that
// !uri == myself means !(uri == myself).
func (p *parser) cond(t *token, k condKind) Expr {
	p.next()
	c := &Cond{Pos: t.pos, Keyword: t.text}
	op, prec := p.binding()
	ok := prec == precEq && (op == OpEq || op == OpNe || op == OpStrEq || op == OpStrNe)
	switch k {
	case condStr, condIP:
		ok = ok || op == OpMatch && prec == precEq
	case condInt:
		ok = ok || prec == 10
	}
	if !ok {
		o := p.tok()
		if prec == 0 {
			p.fail(t.pos, "%q must be compared with something", t.text).hint(`as in %s`, condExample(t.text))
		} else {
			p.fail(o.pos, "%q cannot be compared with %s", t.text, o.what()).hint(`as in %s`, condExample(t.text))
		}
		return &IntLit{Pos: t.pos}
	}
	switch op {
	case OpStrEq:
		op = OpEq
	case OpStrNe:
		op = OpNe
	}
	c.Op = op
	p.next()
	r := p.tok()
	if k == condSelf {
		c.Reversed = true
		switch r.text {
		case "uri", "from_uri", "to_uri", "src_ip", "dst_ip":
			if r.kind == tIdent {
				p.next()
				c.Keyword = r.text
				c.Right = &Name{Pos: t.pos, Text: "myself"}
				c.Pos = c.Pos.to(r.pos)
				return c
			}
		}
		p.unexpected("uri, from_uri, to_uri, src_ip or dst_ip")
		return c
	}
	c.Right = p.condRight(t.text, k, op)
	c.Pos = c.Pos.to(p.prev())
	return c
}

// condRight reads what a condition keyword is compared with.
func (p *parser) condRight(keyword string, k condKind, op Op) Expr {
	r := p.tok()
	name := func() Expr {
		p.next()
		return &Name{Pos: r.pos, Text: r.text}
	}
	if r.is("myself") && op != OpMatch && k != condInt && k != condProto && keyword != "method" && keyword != "status" {
		return name()
	}
	switch k {
	case condStr:
		if keyword == "method" && r.kind == tIdent && p.peek(1).kind != tLParen && !keywords[r.text] {
			return name()
		}
	case condIP:
		if r.kind == tIP || r.kind == tIdent && p.peek(1).kind != tLParen && !keywords[r.text] {
			return p.addr()
		}
	case condProto:
		if r.kind == tIdent && protoWords[r.text] != "" {
			return name()
		}
	case condInt:
		if r.is("max_len") {
			return name()
		}
	}
	return p.binary(precEq + 1)
}

func condExample(keyword string) string {
	switch condKeywords[keyword] {
	case condIP:
		return keyword + " == 10.0.0.0/8"
	case condInt:
		if keyword == "af" || keyword == "snd_af" {
			return keyword + " == INET6"
		}
		return keyword + " > 5060"
	case condProto:
		return keyword + " == TCP"
	case condSelf:
		return "uri == myself"
	}
	if keyword == "method" {
		return `method == "INVITE"`
	}
	return keyword + ` =~ "regex"`
}

// call reads name(args).
func (p *parser) call() *Call {
	t := p.next()
	c := &Call{Pos: t.pos, Name: t.text, NamePos: t.pos}
	if p.inArgs > 0 {
		p.fail(t.pos, "%s() cannot be called in the arguments of another call", t.text).hint("assign its result to a variable first")
	}
	p.inArgs++
	defer func() { p.inArgs-- }()
	p.next()
	if !p.enter() {
		p.leave()
		return c
	}
	defer p.leave()
	if p.got(tRParen) {
		c.Pos = c.Pos.to(p.prev())
		return c
	}
	for {
		c.Args = append(c.Args, p.arg(t.text))
		if p.lost {
			return c
		}
		if p.got(tComma) {
			continue
		}
		if !p.got(tRParen) {
			p.unexpected(`"," or ")"`)
		}
		c.Pos = c.Pos.to(p.prev())
		return c
	}
}

// addrCalls are the functions that take bare addresses.
var addrCalls = map[string]bool{
	"forward": true, "forward_udp": true, "forward_tcp": true, "forward_tls": true, "forward_sctp": true,
	"send": true, "send_tcp": true, "force_send_socket": true, "set_advertised_address": true,
}

// arg reads an argument: an expression, or a bare word that names a flag, a
// route, a protocol or an address.
func (p *parser) arg(fn string) Expr {
	t := p.tok()
	if addrCalls[fn] && (t.kind == tIP || t.kind == tIdent && p.peek(1).kind != tLParen && t.text != "uri:host" && t.text != "uri:port") {
		return p.addr()
	}
	end := p.peek(1).kind
	if (end == tComma || end == tRParen) && (t.kind == tIdent && boolWordless(t.text)) {
		if fn == "route" && reserved[t.text] {
			p.fail(t.pos, "%q is a word of the language", t.text).hint("a route of that name needs quotes: route(%q)", t.text)
			return &IntLit{Pos: t.pos}
		}
		p.next()
		return &Name{Pos: t.pos, Text: t.text}
	}
	return p.expr()
}

func boolWordless(s string) bool {
	_, ok := boolWords[s]
	return !ok
}

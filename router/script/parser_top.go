package script

import "slices"

// items reads everything outside of routes.
func (p *parser) items() []Item {
	var items []Item
	for !p.at(tEOF) {
		if p.got(tSemi) {
			continue
		}
		start := p.i
		if it := p.item(); it != nil && !p.lost {
			items = append(items, it)
		}
		if p.lost {
			p.syncItem(start)
		}
	}
	return items
}

func (p *parser) item() Item {
	t := p.tok()
	if t.kind != tIdent {
		e := p.unexpected("a setting or a route")
		if t.kind == tRBrace {
			e.Msg = `"}" closes nothing`
			e.hint(`there is one "}" too many above`)
		}
		return nil
	}
	switch t.text {
	case "loadmodule":
		return p.loadModule()
	case "loadpath", "mpath":
		p.next()
		p.got(tAssign)
		it := &LoadPath{Pos: t.pos}
		it.Path, _ = p.str()
		it.Pos = it.Pos.to(p.prev())
		return it
	case "modparam":
		return p.modParam()
	case "flags", "bool":
		return p.flagList()
	case "avpflags":
		return &AVPFlags{Names: p.flagNames(false), Pos: t.pos.to(p.prev())}
	case "listen":
		return p.listen()
	case "alias":
		return p.alias()
	case "cfgengine":
		p.next()
		p.got(tAssign)
		if s, pos := p.str(); s != "" && s != "native" && s != "default" {
			p.fail(pos, "configuration engine %q is not supported", s).hint(`only "native" is`)
		}
		return nil
	case "include_file", "import_file":
		p.fail(t.pos, "%s needs a file name in quotes", t.text)
		return nil
	}
	if routeKeywords[t.text] {
		return p.route()
	}
	return p.setting()
}

// str reads a string; "" and a mistake when there is none.
func (p *parser) str() (string, Pos) {
	t := p.tok()
	if t.kind != tString {
		p.unexpected("a string")
		return "", t.pos
	}
	p.next()
	return t.text, t.pos
}

func (p *parser) loadModule() Item {
	it := &LoadModule{Pos: p.next().pos}
	paren := p.got(tLParen)
	it.Path, it.PathPos = p.str()
	if paren {
		if p.got(tComma) { // dlopen flags of 5.x: "g", "l"
			p.str()
		}
		p.want(tRParen)
	}
	if !p.lost && it.Path == "" {
		p.fail(it.PathPos, "loadmodule needs a module's name")
	}
	it.Pos = it.Pos.to(p.prev())
	return it
}

func (p *parser) modParam() Item {
	it := &ModParam{Pos: p.next().pos}
	p.want(tLParen)
	it.Module, it.ModulePos = p.str()
	p.want(tComma)
	it.Param, it.ParamPos = p.str()
	p.want(tComma)
	it.Value = p.constant("a string or a number")
	p.want(tRParen)
	it.Pos = it.Pos.to(p.prev())
	return it
}

// constant reads what a setting or a parameter takes.
func (p *parser) constant(want string) Const {
	t := p.tok()
	c := Const{Pos: t.pos}
	sign := int32(1)
	for p.at(tMinus) || p.at(tPlus) {
		if p.next().kind == tMinus {
			sign = -sign
		}
		t = p.tok()
		if t.kind != tNumber {
			p.unexpected("a number")
			return c
		}
	}
	switch t.kind {
	case tNumber:
		c.Kind, c.Int = ConstInt, sign*t.num
	case tString:
		c.Kind, c.Str, c.Raw = ConstStr, t.text, t.raw
	case tIP:
		c.Kind, c.Str = ConstIP, t.text
	case tIdent:
		if n, ok := boolWords[t.text]; ok {
			c.Kind, c.Int, c.Bool, c.Str = ConstInt, n, true, t.text
			break
		}
		if t.nl && p.startsItem(t) { // the value is missing
			p.fail(p.prev(), "%s is missing here", want)
			return c
		}
		c.Kind = ConstWord
		c.Str = p.host()
		c.Pos = c.Pos.to(p.prev())
		return c
	case tSlash: // tcp_poll_method = /dev/poll
		c.Kind = ConstWord
		for c.Str == "" || p.tok().glued && (p.at(tSlash) || p.at(tIdent)) {
			c.Str += p.next().text
		}
		c.Pos = c.Pos.to(p.prev())
		return c
	default:
		e := p.unexpected(want)
		if t.kind == tVar || t.kind == tSelect {
			e.hint("only constants can stand here")
		}
		return c
	}
	p.next()
	c.Pos = c.Pos.to(t.pos)
	return c
}

// setting reads name = value, or group.name = value.
func (p *parser) setting() Item {
	t := p.next()
	if p.at(tDot) || p.at(tLBracket) {
		return p.customVar(t)
	}
	it := &Setting{Pos: t.pos, Name: t.text, NamePos: t.pos}
	if !p.at(tAssign) {
		p.unknownItem(t)
		return nil
	}
	p.next()
	it.Value = p.constant("a value")
	it.Pos = it.Pos.to(p.prev())
	return it
}

// itemWords are what can start a top-level statement, for suggestions.
var itemWords = []string{
	"loadmodule", "loadpath", "mpath", "modparam", "flags", "avpflags", "listen", "alias", "include_file", "import_file",
	"route", "request_route", "onreply_route", "reply_route", "failure_route", "branch_route", "onsend_route", "event_route",
}

func (p *parser) unknownItem(t *token) {
	n := p.tok()
	e := p.fail(t.pos, `"=" expected behind %q, not %s`, t.text, n.what())
	switch sim := similar(t.text, itemWords); {
	case sim != "":
		e.Msg = "unknown statement " + quote(t.text)
		e.hint("did you mean %q?", sim)
	case t.text == "if" || n.kind == tLParen:
		e.Msg = quote(t.text) + " can only stand inside a route"
		e.hint(`is there one "}" too many above?`)
	default:
		p.explain(e, t)
	}
}

func (p *parser) customVar(t *token) Item {
	it := &CustomVar{Pos: t.pos, Group: t.text}
	if p.got(tLBracket) {
		n := int(p.tok().num)
		if p.want(tNumber) {
			it.Instance = &n
		}
		p.want(tRBracket)
	}
	p.want(tDot)
	if n := p.tok(); n.kind == tIdent {
		it.Name = n.text
		p.next()
	} else {
		p.unexpected("a variable's name")
	}
	p.want(tAssign)
	it.Value = p.constant("a string or a number")
	if k := it.Value.Kind; !p.lost && k != ConstInt && k != ConstStr {
		p.fail(it.Value.Pos, "a string or a number expected").hint("put text in quotes")
	}
	if d := p.tok(); d.is("desc") || d.is("descr") || d.is("description") {
		p.next()
		it.Desc, _ = p.str()
	}
	it.Pos = it.Pos.to(p.prev())
	return it
}

func (p *parser) flagList() Item {
	t := p.tok()
	return &Flags{Names: p.flagNames(true), Pos: t.pos.to(p.prev())}
}

// flagNames reads NAME[:bit], …
func (p *parser) flagNames(bits bool) []FlagName {
	p.next()
	var names []FlagName
	for {
		t := p.tok()
		if t.kind != tIdent && t.kind != tString {
			p.unexpected("a flag's name")
			return names
		}
		p.next()
		f := FlagName{Pos: t.pos, Name: t.text, Bit: -1}
		if bits && p.got(tColon) {
			n := p.tok()
			if !p.want(tNumber) {
				return names
			}
			if n.num < 0 || n.num > 31 {
				p.errs.add(n.pos, "flag %s: position %d is not in 0..31", t.text, n.num)
			}
			f.Bit = int(n.num)
		}
		f.Pos = f.Pos.to(p.prev())
		names = append(names, f)
		if !p.got(tComma) {
			return names
		}
	}
}

var routeKinds = map[string]RouteKind{
	"route": RouteRequest, "request_route": RouteRequest, "onreply_route": RouteReply, "reply_route": RouteReply,
	"failure_route": RouteFailure, "branch_route": RouteBranch, "onsend_route": RouteOnSend, "event_route": RouteEvent,
}

func (p *parser) route() Item {
	t := p.next()
	it := &Route{Pos: t.pos, Kind: routeKinds[t.text], NamePos: t.pos}
	named := t.text != "request_route" && t.text != "reply_route" && t.text != "onsend_route"
	if p.at(tLBracket) {
		if !named {
			p.fail(p.tok().pos, "%s takes no name", t.text).hint("use %s[NAME]", routeKindNames[it.Kind])
		} else {
			p.next()
			it.Name, it.NamePos = p.routeName(it.Kind)
			p.want(tRBracket)
		}
	} else if slices.Contains([]RouteKind{RouteFailure, RouteBranch, RouteEvent}, it.Kind) {
		// 2010 has unnamed failure and branch routes, which are number 0.
		if it.Kind == RouteEvent {
			p.unexpected(`"[" and an event's name`)
		}
	}
	if !p.lost && !p.at(tLBrace) {
		p.unexpected(`"{"`)
	}
	if !p.lost {
		it.Body = p.block()
	}
	it.Pos = it.Pos.to(p.prev())
	return it
}

// routeName reads what stands between the brackets; number 0 is the main block.
func (p *parser) routeName(k RouteKind) (string, Pos) {
	t := p.tok()
	switch {
	case t.kind == tEvent && k == RouteEvent:
		p.next()
		return t.text, t.pos
	case k == RouteEvent:
		p.unexpected("an event's name").hint("as in event_route[xhttp:request]")
		return "", t.pos
	case t.kind == tIdent && !boolWordless(t.text):
		p.next()
		if n := boolWords[t.text]; n != 0 {
			return itoa(n), t.pos // a number everywhere
		}
		return "", t.pos
	case t.kind == tIdent && reserved[t.text]:
		p.fail(t.pos, "%q is a word of the language", t.text).hint("a route of that name needs quotes: [%q]", t.text)
		return "", t.pos
	case t.kind == tIdent, t.kind == tString:
		p.next()
		if t.text == "0" {
			return "", t.pos
		}
		return t.text, t.pos
	case t.kind == tNumber:
		p.next()
		if t.num == 0 {
			return "", t.pos
		}
		return itoa(t.num), t.pos
	}
	p.unexpected("a route's name")
	return "", t.pos
}

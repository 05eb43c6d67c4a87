package script

import "strings"

// directive acts on the directive whose word stands at f.off.
func (p *preproc) directive(f *frame) {
	s := f.src.Text
	start := f.off - 2
	word := directiveAt(s, f.off)
	f.off += len(word)
	pos := f.place(start, f.off)
	if f.def != nil {
		f.off = len(s)
		p.errs.add(pos, "a define's text cannot hold a directive")
		return
	}
	switch m := directives[word]; m {
	case "flavour":
		p.flavour = flavourWords[word]
		f.off = lineEnd(s, f.off)
	case "define", "trydef", "redef":
		p.define(f, pos, m)
	case "ifdef", "ifndef":
		p.ifdef(f, pos, m)
	case "else", "endif":
		p.closeCond(pos, m)
		if c := len(p.conds); c > 0 && !p.conds[c-1].holds {
			p.skip(f)
		}
	case "subst", "substdef", "substdefs":
		p.subst(f, pos, m)
	case "defenv", "defenvs", "trydefenv", "trydefenvs":
		p.defenv(f, pos, m)
	default:
		f.off = lineEnd(s, f.off)
		p.errs.add(pos, "#!%s is not supported", word).hint("it came with Kamailio 5.7; use #!ifdef and #!define")
	}
}

// argument takes the rest of the directive's line, joined over backslashes,
// and the position where it starts.
func (p *preproc) argument(f *frame) (text string, pos Pos) {
	s := f.src.Text
	i := f.off
	for i < len(s) && (s[i] == ' ' || s[i] == '\t') {
		i++
	}
	start := i
	var b strings.Builder
	for {
		end := lineEnd(s, i)
		line := strings.TrimSuffix(s[i:end], "\r")
		if strings.HasSuffix(line, "\\") && end < len(s) {
			b.WriteString(line[:len(line)-1])
			i = end + 1
			continue
		}
		b.WriteString(line)
		f.off = end
		text = strings.TrimRight(b.String(), " \t")
		return text, Pos{f.src, start, min(end, max(start, start+len(text)))}
	}
}

// name cuts the identifier from the start of a directive's argument.
func (p *preproc) name(text string, pos Pos, what string) (name, rest string, ok bool) {
	n := 0
	for n < len(text) && (isLetter(text[n]) || n > 0 && isDigit(text[n])) {
		n++
	}
	if n == 0 {
		p.errs.add(pos, "%s needs a name", what)
		return "", "", false
	}
	rest = text[n:]
	if rest != "" && rest[0] != ' ' && rest[0] != '\t' && rest[0] != '=' {
		p.errs.add(pos.part(0, n+1), "%s: a name is made of letters, digits and _", what)
		return "", "", false
	}
	return text[:n], strings.TrimLeft(rest, " \t"), true
}

func (p *preproc) define(f *frame, pos Pos, kind string) {
	text, at := p.argument(f)
	name, value, ok := p.name(text, at, "#!"+kind)
	if !ok {
		return
	}
	p.setDefine(&Define{Name: name, Value: value, Pos: at.part(0, len(name))}, kind, pos)
}

// setDefine defines as #!define, #!trydef or #!redef does.
func (p *preproc) setDefine(d *Define, kind string, pos Pos) {
	if old := p.defines[d.Name]; old != nil {
		switch kind {
		case "trydef":
			return
		case "define":
			e := p.errs.add(d.Pos, "%s is defined already", d.Name)
			if old.Pos.IsValid() {
				e.hint("the first stands at %s; #!redef replaces, #!trydef keeps it", old.Pos)
			} else {
				e.hint("#!redef replaces, #!trydef keeps it")
			}
			return
		}
	} else if len(p.order) >= MaxDefines {
		p.errs.add(pos, "more than %d defines", MaxDefines)
		return
	}
	p.add(d)
}

func (p *preproc) ifdef(f *frame, pos Pos, kind string) {
	text, at := p.argument(f)
	// What follows the name on the line is read on: a comment, mostly.
	n := 0
	for n < len(text) && (isLetter(text[n]) || n > 0 && isDigit(text[n])) {
		n++
	}
	name := text[:n]
	f.off = at.Off + n
	if name == "" {
		p.errs.add(pos, "#!%s needs a name", kind)
		f.off = lineEnd(f.src.Text, f.off)
	}
	outer := len(p.conds) == 0 || p.conds[len(p.conds)-1].holds
	if len(p.conds) >= MaxConditions {
		p.errs.add(pos, "conditionals are nested more than %d deep", MaxConditions)
		p.full = true
		return
	}
	holds := (p.defines[name] != nil) == (kind == "ifdef")
	p.conds = append(p.conds, cond{pos: pos, holds: outer && holds, outer: outer})
	if !p.conds[len(p.conds)-1].holds {
		p.skip(f)
	}
}

// closeCond acts on #!else and #!endif.
func (p *preproc) closeCond(pos Pos, kind string) {
	base := 0
	if n := len(p.stack); n > 0 {
		base = p.stack[n-1].conds
	}
	if len(p.conds) <= base {
		p.errs.add(pos, "#!%s without #!ifdef", kind)
		return
	}
	c := &p.conds[len(p.conds)-1]
	if kind == "endif" {
		p.conds = p.conds[:len(p.conds)-1]
		return
	}
	if c.hasElse {
		p.errs.add(pos, "a second #!else for one conditional").hint("it was opened at %s", c.pos)
	}
	c.hasElse = true
	c.holds = c.outer && !c.holds
}

// skip moves f over text that a conditional leaves out, up to the directive
// that ends it. Nothing but conditionals is looked for: the text may hold
// anything.
func (p *preproc) skip(f *frame) {
	s := f.src.Text
	depth := 0
	for f.off < len(s) {
		i := nextDirective(s, f.off)
		if i < 0 {
			f.off = len(s)
			return
		}
		word := directiveAt(s, i+2)
		switch directives[word] {
		case "ifdef", "ifndef", "ifexp":
			depth++
		case "endif":
			if depth == 0 {
				f.off = i
				return
			}
			depth--
		case "else":
			if depth == 0 {
				f.off = i
				return
			}
		}
		f.off = i + 2
	}
}

func nextDirective(s string, i int) int {
	for ; i+1 < len(s); i++ {
		if s[i+1] == '!' && (s[i] == '#' || s[i] == '!') {
			return i
		}
	}
	return -1
}

// defenv defines a name by a variable of the environment: "ENV" or "ID=ENV".
// The forms that end in s make a string of it, the try forms pass over
// variables that are not set.
func (p *preproc) defenv(f *frame, pos Pos, kind string) {
	text, at := p.argument(f)
	name, rest, ok := p.name(text, at, "#!"+kind)
	if !ok {
		return
	}
	env := name
	if strings.HasPrefix(rest, "=") {
		env = strings.TrimSpace(rest[1:])
	}
	value, set := "", false
	if p.opts.Getenv != nil {
		value, set = p.opts.Getenv(env)
	}
	if !set {
		if !strings.HasPrefix(kind, "try") {
			p.errs.add(at, "environment variable %s is not set", env).hint("#!try%s passes over it", strings.TrimPrefix(kind, "try"))
		}
		return
	}
	if strings.HasSuffix(kind, "s") {
		value = quote(value)
	}
	p.setDefine(&Define{Name: name, Value: value, Pos: at.part(0, len(name))}, "define", pos)
}

// quote writes a string as the script reads it.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"', '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		case '\a':
			b.WriteString(`\a`)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

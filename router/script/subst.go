package script

import (
	"regexp"
	"strings"

	"sipd/router/script/regex"
)

// subst is one #!subst rule: a sed-like replacement in every later string.
type subst struct {
	re     *regexp.Regexp
	repl   string
	global bool
	from   int // tokens before this one are left alone
}

// apply replaces the first match, or all of them with flag g.
func (r *subst) apply(s string) string {
	var b strings.Builder
	at := 0
	for at <= len(s) {
		m := r.re.FindStringSubmatchIndex(s[at:])
		if m == nil {
			break
		}
		b.WriteString(s[at : at+m[0]])
		r.expand(&b, s[at:], m)
		next := at + m[1]
		if m[1] == m[0] { // an empty match moves on by an octet
			if next < len(s) {
				b.WriteByte(s[next])
			}
			next++
		}
		at = next
		if !r.global {
			break
		}
	}
	if at < len(s) {
		b.WriteString(s[at:])
	}
	return b.String()
}

// expand writes the replacement: \0 to \9 are groups, \n \r \t \\ what they say.
func (r *subst) expand(b *strings.Builder, s string, m []int) {
	t := r.repl
	for i := 0; i < len(t); i++ {
		if t[i] != '\\' || i+1 == len(t) {
			b.WriteByte(t[i])
			continue
		}
		i++
		switch c := t[i]; {
		case isDigit(c):
			if g := 2 * int(c-'0'); g+1 < len(m) && m[g] >= 0 {
				b.WriteString(s[m[g]:m[g+1]])
			}
		case c == 'n':
			b.WriteByte('\n')
		case c == 'r':
			b.WriteByte('\r')
		case c == 't':
			b.WriteByte('\t')
		default:
			b.WriteByte(c)
		}
	}
}

// subst reads #!subst, #!substdef and #!substdefs: "/regex/replacement/flags"
// with any delimiter.
func (p *preproc) subst(f *frame, pos Pos, kind string) {
	text, at := p.argument(f)
	body := text
	if len(body) >= 2 && (body[0] == '"' || body[0] == '\'') {
		end := strings.LastIndexByte(body[1:], body[0])
		if end < 0 {
			p.errs.add(at, "#!%s: the rule's quote does not end", kind)
			return
		}
		body = body[1 : 1+end]
	} else {
		p.errs.add(pos, "#!%s needs a rule in quotes", kind).hint(`as in #!%s "/regex/replacement/g"`, kind)
		return
	}
	parts := splitRule(body)
	if len(parts) != 3 {
		p.errs.add(at, "#!%s: the rule is not of the form /regex/replacement/flags", kind)
		return
	}
	r := &subst{repl: parts[1], from: len(p.toks)}
	var mode regex.Mode
	for _, c := range parts[2] {
		switch c {
		case 'g':
			r.global = true
		case 'i':
			mode |= regex.Fold
		case 's':
			mode |= regex.DotNL
		default:
			p.errs.add(at, "#!%s: unknown flag %q", kind, c).hint("the flags are g, i and s")
			return
		}
	}
	re, err := regex.Compile(parts[0], mode)
	if err != nil {
		p.errs.add(at, "#!%s: %v", kind, err)
		return
	}
	r.re = re
	p.substs = append(p.substs, r)
	if kind == "subst" {
		return
	}
	name, rest, ok := p.name(parts[0], at, "#!"+kind)
	if !ok {
		return
	}
	if rest != "" {
		p.errs.add(at, "#!%s needs a plain name before the value", kind)
		return
	}
	value := parts[1]
	if kind == "substdefs" {
		value = quote(value)
	}
	p.setDefine(&Define{Name: name, Value: value, Pos: at}, "define", pos)
}

// splitRule cuts "/a/b/flags" at its first octet; a backslash guards the
// delimiter.
func splitRule(s string) []string {
	if s == "" {
		return nil
	}
	delim := s[0]
	var parts []string
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			if s[i+1] != delim {
				b.WriteByte('\\')
			}
			i++
			b.WriteByte(s[i])
		case s[i] == delim:
			parts = append(parts, b.String())
			b.Reset()
		default:
			b.WriteByte(s[i])
		}
	}
	return append(parts, b.String())
}

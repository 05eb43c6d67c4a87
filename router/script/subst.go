package script

import (
	"errors"
	"strings"

	"sipd/router/regex"
)

// subst is one #!subst rule: a sed-like replacement in every later string.
type subst struct {
	sub  *regex.Subst
	from int // tokens before this one are left alone
}

func (r *subst) apply(s string) string {
	out, _ := r.sub.Replace(nil, s)
	return out
}

// unescape replaces the escapes of a string in double quotes.
func unescape(s string) string {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	var b []byte
	for ; i >= 0; i = strings.IndexByte(s, '\\') {
		b = append(b, s[:i]...)
		n := 0
		b, n = escape(b, s[i:])
		s = s[i+n:]
	}
	return string(append(b, s...))
}

// subst reads #!subst, #!substdef and #!substdefs: "/regex/replacement/flags"
// with any delimiter.
func (p *preproc) subst(f *frame, pos Pos, kind string) {
	text, at := p.argument(f)
	end := -1
	if len(text) >= 2 && (text[0] == '"' || text[0] == '\'') {
		end = strings.LastIndexByte(text[1:], text[0])
	}
	if end < 0 {
		p.errs.add(pos, "#!%s needs a rule in quotes", kind).hint(`as in #!%s "/regex/replacement/g"`, kind)
		return
	}
	rule := text[1 : 1+end]
	if text[0] == '"' {
		rule = unescape(rule)
	}
	sub, err := regex.ParseSubst(rule, nil)
	if err != nil {
		if e, ok := errors.AsType[*regex.Error](err); ok {
			at = at.part(1+e.Off, 1)
		}
		p.errs.add(at, "#!%s: %v", kind, err)
		return
	}
	p.substs = append(p.substs, &subst{sub, len(p.toks)})
	if kind == "subst" {
		return
	}
	name, value, _ := strings.Cut(rule[1:], rule[:1])
	value, _, _ = strings.Cut(value, rule[:1])
	if _, rest, ok := p.name(name, at.part(2, len(name)), "#!"+kind); !ok {
		return
	} else if rest != "" {
		p.errs.add(at, "#!%s needs a plain name before the value", kind)
		return
	}
	if kind == "substdefs" {
		value = quote(value)
	}
	p.setDefine(&Define{Name: name, Value: value, Pos: at.part(2, len(name))}, "define", pos)
}

package pv

import (
	"strconv"
	"strings"

	"sipd/router/run"
)

// maxSelectParts bounds the depth of a select, as the elders do.
const maxSelectParts = 32

// ParseSelect compiles the select at the start of s ("@from.uri.host",
// "@via[-1].branch", `@msg.header["X-A"]`) and says how many octets it took.
// The getter answers run.Null where there is nothing; a script reads that as
// "". Errors are *[Error].
func (r *Registry) ParseSelect(s string) (Getter, int, error) {
	n := ScanSelect(s)
	if n == 0 {
		return nil, 0, errf(0, "a select is @ and a name, as in @from.uri")
	}
	get, err := r.CompileSelect(s[1:n])
	if err != nil {
		return nil, 0, at(1, err)
	}
	return get, n, nil
}

// CompileSelect compiles a whole select without its @, as in $sel(from.uri).
func (r *Registry) CompileSelect(s string) (Getter, error) {
	parts, err := splitSelect(s)
	if err != nil {
		return nil, err
	}
	def := r.selects[parts[0].Name]
	if def == nil {
		return nil, errf(0, "unknown select @%s", parts[0].Name).
			hint("%s", r.elsewhere("@", parts[0].Name, r.SelectNames()))
	}
	get, err := def.New(parts)
	if err != nil {
		return nil, at(0, err)
	}
	return get, nil
}

// splitSelect reads name[index].name["key"]… .
func splitSelect(s string) ([]SelectPart, error) {
	var parts []SelectPart
	for i := 0; ; {
		start := i
		for i < len(s) && isNameByte(s[i]) {
			i++
		}
		if i == start {
			return nil, errf(i, "a name is missing in the select")
		}
		p := SelectPart{Name: s[start:i]}
		if len(parts) == 0 {
			p.Name = strings.ToLower(p.Name)
		}
		if i < len(s) && s[i] == '[' {
			n := scanIndex(s, i)
			if n == 0 {
				return nil, errf(i, "the index is not closed").hint("a ] is missing")
			}
			if err := p.setIndex(strings.TrimSpace(s[i+1 : n-1])); err != nil {
				return nil, at(i+1, err)
			}
			i = n
		}
		if parts = append(parts, p); len(parts) > maxSelectParts {
			return nil, errf(i, "a select has at most %d parts", maxSelectParts)
		}
		if i == len(s) {
			return parts, nil
		}
		if s[i] != '.' {
			return nil, errf(i, "unexpected %q in a select", s[i])
		}
		i++
	}
}

func (p *SelectPart) setIndex(text string) error {
	if len(text) >= 2 && (text[0] == '"' || text[0] == '\'') && text[len(text)-1] == text[0] {
		p.Key, p.HasKey = text[1:len(text)-1], true
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		if text == "" || text == "*" || text[0] == '-' || text[0] == '$' {
			return errf(0, "a select's index is a number or a text in quotes")
		}
		p.Key, p.HasKey = text, true // the form without quotes that $sel(…) allows
		return nil
	}
	p.Index, p.HasIndex = n, true
	return nil
}

// String is the part as written.
func (p SelectPart) String() string {
	switch {
	case p.HasKey:
		return p.Name + `["` + p.Key + `"]`
	case p.HasIndex:
		return p.Name + "[" + strconv.Itoa(p.Index) + "]"
	}
	return p.Name
}

// unknownPart is the error for a part that does not exist behind others.
func unknownPart(parts []SelectPart, i int, names ...string) error {
	var b strings.Builder
	for j := 0; j <= i && j < len(parts); j++ {
		if j > 0 {
			b.WriteByte('.')
		}
		b.WriteString(parts[j].String())
	}
	e := errf(0, "unknown select @%s", b.String())
	if s := similar(parts[i].Name, names); s != "" {
		return e.hint("did you mean .%s?", s)
	}
	if len(names) > 0 {
		return e.hint("there are: %s", strings.Join(names, " "))
	}
	return e.hint("nothing can follow there")
}

// str makes a value of text that may be absent.
func str(s string, ok bool) run.Value {
	if !ok {
		return run.Null
	}
	return run.Str(s)
}

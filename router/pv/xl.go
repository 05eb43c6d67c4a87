package pv

import (
	"strconv"
	"strings"

	"sipd/router/run"
)

// ParseXL compiles a string of the SER flavour: %-specifiers ("%fu", "%@ruri",
// "%$f.uid", "%{X-Header[1]}"), %% for a percent sign. Errors are *[Error].
func (r *Registry) ParseXL(s string) (*Format, error) {
	f := new(Format)
	text := ""
	for i := 0; ; {
		j := strings.IndexByte(s[i:], '%')
		if j < 0 {
			f.addText(text + s[i:])
			return f, nil
		}
		text += s[i : i+j]
		i += j
		if i+1 < len(s) && s[i+1] == '%' {
			text += "%"
			i += 2
			continue
		}
		v, n, err := r.parseXLSpec(s[i:])
		if err != nil {
			return nil, at(i, err)
		}
		f.addText(text)
		text = ""
		f.addVar(v)
		if i += n; strings.HasPrefix(s[i:], "%|") || strings.HasPrefix(s[i:], "% ") {
			i += 2 // the explicit end of a select or an attribute
		}
	}
}

// parseXLSpec reads one specifier; s starts with %.
func (r *Registry) parseXLSpec(s string) (Var, int, error) {
	if len(s) < 2 {
		return Var{}, 0, errf(0, "a specifier is missing behind %%").hint("write %%%% for a percent sign")
	}
	switch s[1] {
	case '@':
		get, n, err := r.ParseSelect(s[1:])
		if err != nil {
			return Var{}, 0, at(1, err)
		}
		return Var{Get: get}, n + 1, nil
	case '$':
		v, n, err := r.ParseAVP(s[1:])
		if err != nil {
			return Var{}, 0, at(1, err)
		}
		return v, n + 1, nil
	case '<':
		return r.xlOldAttr(s)
	case '{':
		return xlHeader(s)
	case 'C':
		if len(s) < 4 || !isColour(s[2], s[3]) {
			return Var{}, 0, errf(1, "a colour is %%C and two letters of "+colours)
		}
		return Var{Const: true, Get: fixed(run.Str(""))}, 4, nil
	}
	if len(s) >= 3 {
		if v, ok := r.xl[s[1:3]]; ok {
			return v, 3, nil
		}
	}
	spec := s[1:min(3, len(s))]
	return Var{}, 0, errf(0, "unknown specifier %%%s", spec).hint("write %%%% for a percent sign")
}

// xlOldAttr reads %<attr[n]>.
func (r *Registry) xlOldAttr(s string) (Var, int, error) {
	end := strings.IndexByte(s, '>')
	if end < 0 {
		return Var{}, 0, errf(1, "%%<…> is not closed").hint("a > is missing")
	}
	name := s[2:end]
	v, n, err := r.ParseAVP("$" + name)
	if err != nil {
		return Var{}, 0, at(1, err)
	}
	if n != len(name)+1 {
		return Var{}, 0, errf(1+n, "%q does not name an attribute", name)
	}
	return v, end + 1, nil
}

// xlHeader reads %{name[N]}: the N-th header of a name, from 0; negative from
// the end; * all.
func xlHeader(s string) (Var, int, error) {
	end := strings.IndexByte(s, '}')
	if end < 0 {
		return Var{}, 0, errf(1, "%%{…} is not closed").hint("a } is missing")
	}
	name, idx, has := strings.Cut(s[2:end], "[")
	n := &Name{Class: "hdr", Inner: name, HasInner: true}
	if has {
		idx, closed := strings.CutSuffix(idx, "]")
		if !closed {
			return Var{}, 0, errf(1, "the index is not closed").hint("a ] is missing")
		}
		n.HasIndex = true
		if n.IndexAll = idx == "*"; !n.IndexAll {
			var err error
			if n.Index, err = strconv.Atoi(idx); err != nil {
				return Var{}, 0, errf(3+len(name), "a header's index is a number or *")
			}
		}
	}
	if name == "" {
		return Var{}, 0, errf(1, "a header's name is missing")
	}
	v, err := newHdr(n)
	return v, end + 1, err
}

const colours = "xsrgybpcwSRGYBPCW"

func isColour(fg, bg byte) bool {
	return strings.IndexByte(colours, fg) >= 0 && strings.IndexByte(colours, bg) >= 0
}

package pv

import (
	"strings"

	"sipd/router/run"
)

// Format is a compiled string with variables in it: the pv format of Kamailio
// ("$rU@$rd") or the xl format of SER ("%fu to %tu").
type Format struct {
	parts []part
	// size is a guess at the length of what comes out.
	size int
}

// part is constant text, or a variable behind it.
type part struct {
	text   string
	get    Getter
	append func(dst []byte, c *run.Context) []byte
	quiet  bool // undefined prints as nothing
}

// ParseFormat compiles a string of the Kamailio flavour: $name and $(…) are
// variables, $$ is a dollar sign. fl says how a name is read; Kamailio's own
// formats never hold SER attributes. Errors are *[Error].
func (r *Registry) ParseFormat(s string, fl Flavour) (*Format, error) {
	return r.parseFormat(s, fl, 0)
}

func (r *Registry) parseFormat(s string, fl Flavour, depth int) (*Format, error) {
	f := new(Format)
	text := ""
	for i := 0; ; {
		j := strings.IndexByte(s[i:], '$')
		if j < 0 {
			f.addText(text + s[i:])
			return f, nil
		}
		text += s[i : i+j]
		i += j
		if i+1 < len(s) && s[i+1] == '$' {
			text += "$"
			i += 2
			continue
		}
		v, n, err := r.parseVar(s[i:], fl, depth)
		if err != nil {
			return nil, at(i, err)
		}
		f.addText(text)
		text = ""
		f.addVar(v)
		i += n
	}
}

// Text makes a format of constant text.
func Text(s string) *Format {
	f := new(Format)
	f.addText(s)
	return f
}

func (f *Format) addText(s string) {
	if s == "" {
		return
	}
	f.size += len(s)
	if n := len(f.parts); n > 0 && f.parts[n-1].get == nil {
		f.parts[n-1].text += s
		return
	}
	f.parts = append(f.parts, part{text: s})
}

func (f *Format) addVar(v Var) {
	if v.Const && v.Get != nil {
		f.addText(string(v.AppendTo(nil, nil)))
		return
	}
	f.size += 24
	f.parts = append(f.parts, part{get: v.Get, append: v.Append, quiet: v.Quiet})
}

// IsConst answers the text of a format without variables.
func (f *Format) IsConst() (string, bool) {
	switch {
	case len(f.parts) == 0:
		return "", true
	case len(f.parts) == 1 && f.parts[0].get == nil:
		return f.parts[0].text, true
	}
	return "", false
}

// Eval is the text with the values of now; undefined prints as "<null>". One
// allocation at most, none when it is one string variable alone.
func (f *Format) Eval(c *run.Context) string {
	switch len(f.parts) {
	case 0:
		return ""
	case 1:
		if p := &f.parts[0]; p.get == nil {
			return p.text
		} else if p.append == nil {
			v := p.get(c)
			if p.quiet {
				return v.Text()
			}
			return v.Format()
		}
	}
	buf := f.AppendTo(c.TakeScratch(), c)
	s := string(buf)
	c.GiveScratch(buf)
	return s
}

// Value is Eval as a value, except that one variable alone keeps its type: an
// undefined one is run.Null.
func (f *Format) Value(c *run.Context) run.Value {
	if len(f.parts) == 1 && f.parts[0].get != nil {
		return f.parts[0].get(c)
	}
	return run.Str(f.Eval(c))
}

// AppendTo appends what Eval answers to dst.
func (f *Format) AppendTo(dst []byte, c *run.Context) []byte {
	for i := range f.parts {
		switch p := &f.parts[i]; {
		case p.get == nil:
			dst = append(dst, p.text...)
		case p.append != nil:
			dst = p.append(dst, c)
		case p.quiet:
			if v := p.get(c); !v.IsNull() {
				dst = v.AppendTo(dst)
			}
		default:
			dst = p.get(c).AppendTo(dst)
		}
	}
	return dst
}

// AppendTo appends the variable's value as a format prints it.
func (v *Var) AppendTo(dst []byte, c *run.Context) []byte {
	if v.Append != nil {
		return v.Append(dst, c)
	}
	x := v.Get(c)
	if v.Quiet && x.IsNull() {
		return dst
	}
	return x.AppendTo(dst)
}

package pv

import (
	"errors"
	"strconv"
	"strings"

	"sipd/router/run"
	"sipd/router/sip"
)

// branchVars are the fork set.
func branchVars() []Def {
	return []Def{
		{Name: "br", Help: "first branch beside the request URI; assigning appends one", Simple: func(c *run.Context) run.Value {
			if len(c.Branches) == 0 {
				return run.Null
			}
			return run.Str(c.Branches[0].URI)
		}, SimpleSet: func(c *run.Context, v run.Value) bool {
			if v.IsNull() {
				c.Branches = c.Branches[:0]
				return true
			}
			return v.Text() != "" && c.AddBranch(run.Branch{URI: v.Text(), Q: run.QUnset})
		}},
		{Name: "bR", Help: "all branches beside the request URI", Simple: func(c *run.Context) run.Value {
			if len(c.Branches) == 0 || !c.Msg.IsRequest() {
				return run.Null
			}
			return run.Str(string(appendContacts(nil, c.Branches)))
		}},
		{Name: "ds", Help: "the fork set as a Contact header", Simple: redirectSet},
		{Name: "ruid", Help: "unique name of the stored contact that the request goes to", Simple: ofMain(func(b *run.Branch) string { return b.Ruid })},
		{Name: "location_ua", Help: "User-Agent of the stored contact that the request goes to", Simple: ofMain(func(b *run.Branch) string { return b.LocationUA })},
		{Name: "sbranch", Help: "$sbranch(uri): a field of a branch under construction, for sbranch_append() and sbranch_set_ruri()", New: newStaticBranch},
		{Name: "branch", Help: "$(branch(uri)[n]): a field of branch n, from 0; $branch(count)", New: newBranch},
	}
}

func ofMain(f func(b *run.Branch) string) Getter {
	return func(c *run.Context) run.Value {
		s := f(&c.Main)
		return str(s, s != "" && c.Msg.IsRequest())
	}
}

// redirectSet is the Contact header of a redirection.
func redirectSet(c *run.Context) run.Value {
	b := c.AppendContacts(nil)
	return str(strings.TrimSuffix(string(b), "\r\n"), c.Msg.IsRequest() && len(b) > 0)
}

// appendContacts lists URIs as $bR does: those with a q in angle brackets.
func appendContacts(b []byte, set []run.Branch) []byte {
	for i := range set {
		if i > 0 {
			b = append(b, ", "...)
		}
		if set[i].Q == run.QUnset {
			b = append(b, set[i].URI...)
			continue
		}
		b = append(append(append(b, '<'), set[i].URI...), ">;q="...)
		b = sip.AppendQ(b, set[i].Q)
	}
	return b
}

// newStaticBranch compiles $sbranch(field).
func newStaticBranch(n *Name) (Var, error) {
	key := strings.TrimSpace(n.Inner)
	f, ok := branchFields[key]
	if !ok {
		return Var{}, errf(0, "$sbranch(%s) does not exist", n.Inner).hint("there are: %s", strings.Join(sortedKeys(branchFields), " "))
	}
	v := Var{Get: func(c *run.Context) run.Value {
		if c.Static == nil || c.Static.URI == "" {
			return run.Null
		}
		return f.get(c.Static)
	}}
	if f.set == nil {
		return v, nil
	}
	v.Set = func(c *run.Context, x run.Value) bool {
		if key == "uri" && x.Text() == "" {
			c.Static = nil
			return true
		}
		if c.Static == nil {
			c.Static = &run.Branch{Q: run.QUnset}
		}
		return f.set(c, c.Static, x)
	}
	return v, nil
}

// branchFields read and write one field of a branch.
var branchFields = map[string]struct {
	get func(*run.Branch) run.Value
	set func(*run.Context, *run.Branch, run.Value) bool
}{
	"uri": {
		func(b *run.Branch) run.Value { return str(b.URI, true) },
		func(_ *run.Context, b *run.Branch, v run.Value) bool {
			if v.Text() == "" {
				return false
			}
			b.URI = v.Text()
			return true
		},
	},
	"dst_uri": {
		func(b *run.Branch) run.Value { return str(b.DstURI, b.DstURI != "") },
		func(_ *run.Context, b *run.Branch, v run.Value) bool { b.DstURI = v.Text(); return true },
	},
	"path": {
		func(b *run.Branch) run.Value { return str(b.Path, b.Path != "") },
		func(_ *run.Context, b *run.Branch, v run.Value) bool { b.Path = v.Text(); return true },
	},
	"q": {
		func(b *run.Branch) run.Value {
			if b.Q == run.QUnset {
				return run.Null
			}
			return run.Int(b.Q)
		},
		func(_ *run.Context, b *run.Branch, v run.Value) bool {
			b.Q = v.Int()
			if v.IsNull() {
				b.Q = run.QUnset
			}
			return true
		},
	},
	"send_socket": {
		func(b *run.Branch) run.Value {
			if b.Sock == nil {
				return run.Null
			}
			return run.Str(b.Sock.String())
		},
		func(c *run.Context, b *run.Branch, v run.Value) bool {
			if v.Text() == "" {
				b.Sock = nil
				return true
			}
			s := FindSocket(c, v.Text())
			if s != nil {
				b.Sock = s
			}
			return s != nil
		},
	},
	"flags": {
		func(b *run.Branch) run.Value { return run.Int(int(b.Flags)) },
		func(_ *run.Context, b *run.Branch, v run.Value) bool { b.Flags = uint32(v.Int()); return true },
	},
	"instance": {func(b *run.Branch) run.Value { return str(b.Instance, b.Instance != "") }, nil},
	"otcpid": {
		func(b *run.Branch) run.Value { return run.Int(int(b.Conn)) },
		func(_ *run.Context, b *run.Branch, v run.Value) bool { b.Conn = uint64(max(v.Int(), 0)); return true },
	},
	"ruid":        {func(b *run.Branch) run.Value { return str(b.Ruid, b.Ruid != "") }, nil},
	"location_ua": {func(b *run.Branch) run.Value { return str(b.LocationUA, b.LocationUA != "") }, nil},
}

func newBranch(n *Name) (Var, error) {
	key := strings.TrimSpace(n.Inner)
	if key == "count" {
		return Var{Get: func(c *run.Context) run.Value { return run.Int(len(c.Branches)) }}, nil
	}
	f, ok := branchFields[key]
	if !ok {
		return Var{}, errf(0, "$branch(%s) does not exist", n.Inner).hint("there are: count %s", strings.Join(sortedKeys(branchFields), " "))
	}
	if n.IndexAll {
		return Var{}, errf(0, "$branch has no [*]")
	}
	at := func(c *run.Context) *run.Branch {
		i := n.At(c)
		if i < 0 {
			i += len(c.Branches)
		}
		if i < 0 || i >= len(c.Branches) {
			return nil
		}
		return &c.Branches[i]
	}
	v := Var{Get: func(c *run.Context) run.Value {
		if b := at(c); b != nil {
			return f.get(b)
		}
		return run.Null
	}}
	v.Set = func(c *run.Context, x run.Value) bool {
		i, b := n.At(c), at(c)
		switch {
		case b == nil:
			return false
		case key == "uri" && x.IsNull(): // takes the branch out of the set
			if i < 0 {
				i += len(c.Branches)
			}
			c.Branches = append(c.Branches[:i], c.Branches[i+1:]...)
			return true
		case f.set == nil:
			return false
		}
		return f.set(c, b, x)
	}
	return v, nil
}

// flagVars are the flag words, decimal and as eight hexadecimal digits.
func flagVars() []Def {
	type word struct {
		dec, hex, one, what string
		of                  func(*run.Context) *uint32
	}
	var defs []Def
	for _, w := range []word{
		{"mf", "mF", "Mf", "message", func(c *run.Context) *uint32 { return &c.Flags }},
		{"bf", "bF", "Bf", "branch", func(c *run.Context) *uint32 { return &c.Main.Flags }},
		{"sf", "sF", "Sf", "script", func(c *run.Context) *uint32 { return &c.SFlags }},
	} {
		of := w.of
		set := func(c *run.Context, v run.Value) bool {
			if v.IsStr() {
				return false
			}
			*of(c) = uint32(v.Int())
			return true
		}
		defs = append(
			defs,
			Def{
				Name: w.dec, Help: w.what + " flags as a number",
				Simple: func(c *run.Context) run.Value { return run.Int(int(*of(c))) }, SimpleSet: set,
			},
			Def{
				Name: w.hex, Help: w.what + " flags as 8 hexadecimal digits",
				Simple: func(c *run.Context) run.Value { return run.Str(hex8(*of(c))) }, SimpleSet: set,
			},
			Def{
				Name: w.one, Help: "$" + w.one + "(n): 1 when " + w.what + " flag n is set, else 0",
				New: func(n *Name) (Var, error) { return newFlag(n, of) },
			},
		)
	}
	return defs
}

// newFlag compiles $Mf(n), $Bf(n) and $Sf(n); the flag may have a name.
func newFlag(n *Name, of func(*run.Context) *uint32) (Var, error) {
	i, err := n.Reg.flagNumber(strings.TrimSpace(n.Inner))
	if err != nil {
		return Var{}, errf(0, "$%s(%s): %s", n.Class, n.Inner, err.Error())
	}
	mask := uint32(1) << i
	return Var{
		Get: func(c *run.Context) run.Value {
			if *of(c)&mask != 0 {
				return run.Int(1)
			}
			return run.Int(0)
		},
		Set: func(c *run.Context, v run.Value) bool {
			if v.IsStr() {
				return false
			}
			if v.Int() > 0 {
				*of(c) |= mask
			} else {
				*of(c) &^= mask
			}
			return true
		},
	}, nil
}

func (r *Registry) flagNumber(s string) (int, error) {
	if i, ok := run.ParseInt(s); ok && s != "" {
		if i < 0 || i > 31 {
			return 0, errors.New("flags are 0 to 31")
		}
		return i, nil
	}
	if r.Flag != nil {
		if i, ok := r.Flag(s); ok {
			return i, nil
		}
	}
	return 0, errors.New("there is no flag of that name")
}

func hex8(n uint32) string {
	s := strconv.FormatUint(uint64(n), 16)
	return "00000000"[len(s):] + s
}

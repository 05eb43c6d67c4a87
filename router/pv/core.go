package pv

import (
	"os"
	"slices"
	"strings"
	"time"

	"sipd/router/run"
)

// builtinVars are the variables that need no module.
func builtinVars() []Def {
	rc := func(c *run.Context) run.Value { return run.Int(c.RC) }
	return []Def{
		{Name: "null", Help: "the undefined value", Simple: fixed(run.Null)},
		{Name: "rc", Help: "code of the last function or route", Simple: rc},
		{Name: "retcode", Help: "code of the last function or route", Simple: rc},
		{Name: "?", Help: "code of the last function or route", Simple: rc},
		{Name: "_s", Help: "$_s(format): a format's text", RawInner: true, New: newFormatVar},
		{Name: "env", Help: "$env(NAME): a variable of the daemon's environment", RawInner: true, New: newEnv},
		{Name: "envn", Help: "$envn(NAME): the same as a number", RawInner: true, New: newEnv},
		{Name: "def", Help: "$def(NAME): the text of a #!define", RawInner: true, New: newDefine},
		{Name: "defn", Help: "$defn(NAME): the same as a number, 0 when there is none", RawInner: true, New: newDefine},
	}
}

func newFormatVar(n *Name) (Var, error) {
	f, err := n.Reg.parseFormat(n.Inner, Kamailio, 1)
	if err != nil {
		return Var{}, err
	}
	return Var{Get: func(c *run.Context) run.Value { return run.Str(f.Eval(c)) }, Append: f.AppendTo}, nil
}

// newEnv reads the environment when the configuration is read: it does not
// change afterwards.
func newEnv(n *Name) (Var, error) {
	if !n.HasInner {
		return Var{}, errf(0, "$%s wants a name: $%s(HOME)", n.Class, n.Class)
	}
	s, ok := os.LookupEnv(n.Inner)
	v := str(s, ok)
	if n.Class == "envn" && ok {
		v = run.Int(v.Int())
	}
	return Var{Get: fixed(v)}, nil
}

// newDefine reads what the name is defined as when all of the configuration has
// been read.
func newDefine(n *Name) (Var, error) {
	if !n.HasInner {
		return Var{}, errf(0, "$%s wants a name: $%s(DBURL)", n.Class, n.Class)
	}
	text, ok := "", false
	if n.Reg.Define != nil {
		text, ok = n.Reg.Define(strings.TrimSpace(n.Inner))
	}
	v := str(text, ok)
	if n.Class == "defn" {
		v = run.Int(v.Int())
	}
	return Var{Get: fixed(v)}, nil
}

// CoreVars are the variables that module pv brings.
func CoreVars() []Def {
	return slices.Concat(uriVars(), headerVars(), identityVars(), networkVars(), branchVars(), flagVars(),
		storeVars(), timeVars(), messageVars(), daemonVars())
}

// storeVars are the variables that keep what the script assigns.
func storeVars() []Def {
	return []Def{
		{Name: "avp", Help: "$avp(name): an attribute; assigning pushes", New: newAVP},
		{Name: "xavp", Help: "$xavp(name=>field): an extended attribute", RawInner: true, New: newXAVP},
		{Name: "xavi", Help: "$xavi(name=>field): an extended attribute whose names compare without case", RawInner: true, New: newXAVP},
		{Name: "xavu", Help: "$xavu(name=>field): an extended attribute of one value a name", RawInner: true, New: newXAVU},
		{Name: "var", Help: "$var(name): a script variable, 0 at first", New: newScriptVar},
		{Name: "vz", Help: "$vz(name): the same as $var(name)", New: newScriptVar},
		{Name: "vn", Help: "$vn(name): a script variable, undefined at first", New: newScriptVar},
		{Name: "shv", Help: "$shv(name): a variable shared by all messages", New: newShared},
		{Name: "cnt", Help: "$cnt($avp(x)): how many values there are", RawInner: true, New: newCount},
		{Name: "sel", Help: "$sel(from.uri): a select", RawInner: true, New: newSel},
	}
}

// newScriptVar compiles $var(name). As in the elders it is private to whoever
// runs the script and keeps its value from one message to the next.
func newScriptVar(n *Name) (Var, error) {
	switch {
	case !n.HasInner:
		return Var{}, errf(0, "$%s wants a name: $%s(name)", n.Class, n.Class)
	case n.InnerEval != nil:
		return Var{}, errf(0, "the name of $%s cannot be computed", n.Class)
	}
	cleared, key := run.Int(0), n.Inner
	if n.Class == "vn" { // a store of its own
		cleared, key = run.Null, "vn:"+n.Inner
	}
	def, ok := n.Reg.presets[key]
	if !ok {
		def = cleared
	}
	i := n.Reg.slot(key)
	get := func(c *run.Context) run.Value {
		if i < len(c.ScriptVars) {
			if v := c.ScriptVars[i]; !v.IsNull() {
				return v
			}
		}
		return def
	}
	set := func(c *run.Context, v run.Value) bool {
		if i >= len(c.ScriptVars) {
			c.ScriptVars = append(c.ScriptVars, make([]run.Value, i+1-len(c.ScriptVars))...)
		}
		if v.IsNull() {
			v = cleared
		}
		c.ScriptVars[i] = v.Keep()
		return true
	}
	return Var{Get: get, Set: set}, nil
}

func newShared(n *Name) (Var, error) {
	switch {
	case !n.HasInner:
		return Var{}, errf(0, "$shv wants a name: $shv(name)")
	case n.InnerEval != nil:
		return Var{}, errf(0, "the name of $shv cannot be computed")
	}
	name := n.Inner
	return Var{
		Get: func(c *run.Context) run.Value { return c.Env.Vars.Shared(name) },
		Set: func(c *run.Context, v run.Value) bool {
			c.Env.Vars.SetShared(name, v)
			return true
		},
	}, nil
}

// newCount compiles $cnt($avp(x)) and $cnt($xavp(x)).
func newCount(n *Name) (Var, error) {
	inner := strings.TrimSpace(n.Inner)
	v, took, err := n.Reg.parseVar(inner, Kamailio, 1)
	if err != nil {
		return Var{}, err
	}
	if took != len(inner) {
		return Var{}, errf(took, "$cnt takes one variable")
	}
	if a := v.Attr; a != nil {
		return Var{Get: func(c *run.Context) run.Value {
			name, ok := a.name(c)
			if !ok {
				return run.Int(0)
			}
			return run.Int(c.AVPs.Count(a.Class, name))
		}}, nil
	}
	if x, ok := strings.CutPrefix(inner, "$xavp("); ok && !strings.Contains(x, "=>") {
		name := strings.TrimSuffix(x, ")")
		return Var{Get: func(c *run.Context) run.Value { return run.Int(c.XAVPs.Count(name)) }}, nil
	}
	return Var{Get: func(c *run.Context) run.Value {
		if v.Get(c).IsNull() {
			return run.Int(0)
		}
		return run.Int(1)
	}}, nil
}

func newSel(n *Name) (Var, error) {
	if !n.HasInner {
		return Var{}, errf(0, "$sel wants a select: $sel(from.uri)")
	}
	get, err := n.Reg.CompileSelect(strings.TrimPrefix(strings.TrimSpace(n.Inner), "@"))
	return Var{Get: get}, err
}

// timeVars are the clock.
func timeVars() []Def {
	boot := time.Now()
	return []Def{
		{Name: "Ts", Help: "seconds since 1970, one value per message", Simple: func(c *run.Context) run.Value { return run.Int(int(c.Now().Unix())) }},
		{Name: "TS", Help: "seconds since 1970, now", Simple: func(*run.Context) run.Value { return run.Int(int(time.Now().Unix())) }},
		{Name: "Tb", Help: "seconds since 1970 when the daemon started", Simple: fixed(run.Int(int(boot.Unix())))},
		{Name: "Tf", Help: "date and time as text, one value per message", Simple: func(c *run.Context) run.Value { return run.Str(c.Now().Format(time.ANSIC)) }},
		{Name: "TF", Help: "date and time as text, now", Simple: func(*run.Context) run.Value { return run.Str(time.Now().Format(time.ANSIC)) }},
		{Name: "TV", Help: "$TV(s|u|sn|un|Sn|Sm): time with microseconds", New: newTimeval},
		{Name: "time", Help: "$time(hour): a part of the local time", New: newTimePart},
		{Name: "utime", Help: "$utime(hour): a part of the time in UTC", New: newTimePart},
		{Name: "timef", Help: "$timef(%H:%M): the local time by strftime", New: newTimeFormat},
		{Name: "utimef", Help: "$utimef(%H:%M): the time in UTC by strftime", New: newTimeFormat},
	}
}

func newTimeval(n *Name) (Var, error) {
	secs := func(t time.Time) run.Value { return run.Int(int(t.Unix())) }
	usecs := func(t time.Time) run.Value { return run.Int(t.Nanosecond() / 1000) }
	both := func(t time.Time) run.Value { return run.Str(unixMicro(t)) }
	old := func(f func(time.Time) run.Value) Getter {
		return func(c *run.Context) run.Value { return f(c.Now()) }
	}
	fresh := func(f func(time.Time) run.Value) Getter {
		return func(*run.Context) run.Value { return f(time.Now()) }
	}
	gets := map[string]Getter{
		"s": old(secs), "u": old(usecs), "sn": fresh(secs), "un": fresh(usecs), "Sn": fresh(both), "Sm": old(both),
	}
	return pick(n, gets)
}

func unixMicro(t time.Time) string {
	var b [32]byte
	d := appendInt(b[:0], int(t.Unix()))
	d = append(d, '.')
	us := t.Nanosecond() / 1000
	for div := 100000; div > 0; div /= 10 {
		d = append(d, byte('0'+us/div%10))
	}
	return string(d)
}

func newTimePart(n *Name) (Var, error) {
	utc := n.Class == "utime"
	part := func(f func(time.Time) int) Getter {
		return func(c *run.Context) run.Value {
			t := c.Now()
			if utc {
				t = t.UTC()
			}
			return run.Int(f(t))
		}
	}
	return pick(n, map[string]Getter{
		"sec":  part(func(t time.Time) int { return t.Second() }),
		"min":  part(func(t time.Time) int { return t.Minute() }),
		"hour": part(func(t time.Time) int { return t.Hour() }),
		"mday": part(func(t time.Time) int { return t.Day() }),
		"mon":  part(func(t time.Time) int { return int(t.Month()) }),
		"year": part(func(t time.Time) int { return t.Year() }),
		"wday": part(func(t time.Time) int { return int(t.Weekday()) + 1 }), // Sunday is 1, as in Kamailio
		"yday": part(func(t time.Time) int { return t.YearDay() }),
		"isdst": part(func(t time.Time) int {
			if t.IsDST() {
				return 1
			}
			return 0
		}),
	})
}

func newTimeFormat(n *Name) (Var, error) {
	if !n.HasInner || n.InnerEval != nil {
		return Var{}, errf(0, "$%s wants a constant format: $%s(%%Y-%%m-%%d)", n.Class, n.Class)
	}
	if err := checkStrftime(n.Inner); err != nil {
		return Var{}, err
	}
	layout, utc := n.Inner, n.Class == "utimef"
	return Var{Get: func(c *run.Context) run.Value {
		t := c.Now()
		if utc {
			t = t.UTC()
		}
		return run.Str(string(appendStrftime(nil, layout, t)))
	}}, nil
}

// pick compiles a variable whose inner name is one of a few words.
func pick(n *Name, gets map[string]Getter) (Var, error) {
	word := strings.TrimSpace(n.Inner)
	get, ok := gets[word]
	if !ok {
		words := sortedKeys(gets)
		e := errf(0, "$%s(%s) does not exist", n.Class, n.Inner)
		if s := similar(word, words); s != "" {
			return Var{}, e.hint("did you mean $%s(%s)?", n.Class, s)
		}
		return Var{}, e.hint("there are: %s", strings.Join(words, " "))
	}
	return Var{Get: get}, nil
}

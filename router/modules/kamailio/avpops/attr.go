package avpops

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
)

// list is where the attributes of this module live, as those of $avp.
const list = run.AVPFromURI

// attr is an attribute that a call names.
type attr struct{ pv.Var }

// variable compiles the one variable that text is.
func (m *avpops) variable(text string) (pv.Var, error) {
	if !strings.HasPrefix(text, "$") {
		return pv.Var{}, fmt.Errorf("%q is not a variable", text)
	}
	v, n, err := m.vars.ParseVar(text, pv.MaxCompat)
	if err == nil && n != len(text) {
		err = fmt.Errorf("there is more than one variable in %q", text)
	}
	return v, err
}

// attribute compiles the $avp(name) that text is.
func (m *avpops) attr(text string) (attr, error) {
	v, err := m.variable(text)
	if err == nil && v.Attr == nil {
		err = fmt.Errorf("%s is not an attribute; write $avp(name)", text)
	}
	return attr{v}, err
}

// name is the attribute's name in this run; false when it is undefined.
func (a attr) name(c *run.Context) (run.AVPName, bool) {
	if a.Attr.Eval == nil {
		return a.Attr.Name, true
	}
	switch v := a.Attr.Eval(c); {
	case v.IsInt():
		return run.AVPName{N: v.Int(), Num: true}, true
	case v.IsStr() && v.Text() != "":
		return run.AVPName{S: strings.TrimPrefix(v.Text(), "s:")}, true
	}
	return run.AVPName{}, false
}

// values are an attribute's values, newest first.
func values(c *run.Context, name run.AVPName) []run.Value {
	var out []run.Value
	c.AVPs.Each(list, func(n run.AVPName, v run.Value, _ uint32) bool {
		if n == name {
			out = append(out, v)
		}
		return true
	})
	return out
}

// remove deletes the i-th of what were n values when a call began, newest
// first. Values that were added since stand before them, and newer ones are
// deleted before older ones, so that a place counted from the oldest holds.
func remove(c *run.Context, name run.AVPName, i, n int) {
	c.AVPs.DeleteAt(list, name, -(n - i))
}

// kinds is which names an attribute without a name means.
type kinds struct {
	strings, numbers bool
	flags            uint32
}

func (k kinds) has(n run.AVPName) bool {
	return n.Num && k.numbers || !n.Num && k.strings
}

// parseKinds reads *, a, s or i, with flags behind: s5.
func parseKinds(s string) (kinds, error) {
	if s == "" {
		return kinds{}, errors.New("a name is missing; write $avp(name), *, s or i")
	}
	var k kinds
	switch s[0] {
	case 's', 'S':
		k.strings = true
	case 'i', 'I':
		k.numbers = true
	case '*', 'a', 'A':
		k.strings, k.numbers = true, true
	default:
		return k, fmt.Errorf("%q is none of $avp(name), *, s and i", s)
	}
	if s = s[1:]; s != "" {
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil {
			return k, fmt.Errorf("the flags behind the letter are a number, not %q", s)
		}
		k.flags = uint32(n)
	}
	return k, nil
}

// flags reads letters, each once or more, and answers which are there.
func flags(s, known string) (map[byte]bool, error) {
	set := make(map[byte]bool)
	for _, b := range []byte(strings.ToLower(s)) {
		if strings.IndexByte(known, b) < 0 {
			return nil, fmt.Errorf("unknown flag %c; there are %s", b, strings.Join(strings.Split(known, ""), ", "))
		}
		set[b] = true
	}
	return set, nil
}

// at makes an error one of an argument.
func at(i int, err error) error {
	if err == nil {
		return nil
	}
	return &module.ArgError{I: i, Err: err}
}

func code(ok bool) int {
	if ok {
		return 1
	}
	return -1
}

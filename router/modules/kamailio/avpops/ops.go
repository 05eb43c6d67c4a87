package avpops

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"sipd/router/module"
	"sipd/router/run"
)

// newDelete compiles avp_delete("$avp(x)[/g]") and avp_delete("*").
func (m *avpops) newDelete(a module.Args) (run.Func, error) {
	text, letters, _ := strings.Cut(a[0].Text, "/")
	set, err := flags(letters, "g")
	if err != nil {
		return nil, at(0, err)
	}
	if !strings.HasPrefix(text, "$") {
		k, err := parseKinds(text)
		if err != nil {
			return nil, at(0, err)
		}
		return func(c *run.Context) int { return code(deleteKinds(c, k)) }, nil
	}
	x, err := m.attr(text)
	if err != nil {
		return nil, at(0, err)
	}
	return func(c *run.Context) int {
		name, ok := x.name(c)
		if !ok {
			return -1
		}
		if set['g'] {
			return code(c.AVPs.Delete(list, name) > 0)
		}
		return code(c.AVPs.DeleteAt(list, name, 0))
	}, nil
}

func deleteKinds(c *run.Context, k kinds) bool {
	var names []run.AVPName
	c.AVPs.Each(list, func(n run.AVPName, _ run.Value, _ uint32) bool {
		if k.has(n) && !slices.Contains(names, n) {
			names = append(names, n)
		}
		return true
	})
	for _, n := range names {
		c.AVPs.Delete(list, n)
	}
	return len(names) > 0
}

// newCopy compiles avp_copy("$avp(x)", "$avp(y)/gdns").
func (m *avpops) newCopy(a module.Args) (run.Func, error) {
	src, err := m.attr(a[0].Text)
	if err != nil {
		return nil, at(0, err)
	}
	text, letters, _ := strings.Cut(a[1].Text, "/")
	dst, err := m.attr(text)
	if err != nil {
		return nil, at(1, err)
	}
	set, err := flags(letters, "gdns")
	if err != nil {
		return nil, at(1, err)
	}
	return func(c *run.Context) int {
		from, ok := src.name(c)
		to, ok2 := dst.name(c)
		if !ok || !ok2 {
			return -1
		}
		old := values(c, from)
		for i, v := range old {
			if v, ok = cast(v, set['n'], set['s']); !ok {
				m.failed.Log(c, fmt.Errorf("%s has a value that is no number", src.Name))
				return -1
			}
			c.AVPs.Add(list, to, v, 0)
			if set['d'] {
				remove(c, from, i, len(old))
			}
			if !set['g'] {
				break
			}
		}
		return code(len(old) > 0)
	}, nil
}

// cast makes a number of a text, or a text of a number; false when it is none.
func cast(v run.Value, toInt, toStr bool) (run.Value, bool) {
	switch {
	case v.IsStr() && toInt:
		n, err := strconv.ParseUint(v.Text(), 10, 32)
		return run.Int(int(int32(n))), err == nil
	case v.IsInt() && toStr:
		return run.Str(v.Text()), true
	}
	return v, true
}

// newIsSet compiles is_avp_set("$avp(x)[i]/esn").
func (m *avpops) newIsSet(a module.Args) (run.Func, error) {
	text, letters, _ := strings.Cut(a[0].Text, "/")
	x, err := m.attr(text)
	if err != nil {
		return nil, at(0, err)
	}
	set, err := flags(letters, "esn")
	if err == nil && set['s'] && set['n'] {
		err = errors.New("s and n exclude each other: a value is text or a number")
	}
	if err != nil {
		return nil, at(0, err)
	}
	n, err := index(text)
	if err != nil {
		return nil, at(0, err)
	}
	return func(c *run.Context) int {
		name, ok := x.name(c)
		if !ok {
			return -1
		}
		v := c.AVPs.Get(list, name, n)
		switch {
		case v.IsNull(), set['s'] && !v.IsStr(), set['n'] && !v.IsInt():
			return -1
		case set['e']:
			return code(v.IsStr() && v.Text() == "" || v.IsInt() && v.Int() == 0)
		}
		return 1
	}, nil
}

// index is the number at the end of $(avp(x)[2]); 0 for none, [*] and below 0,
// as in Kamailio.
func index(text string) (int, error) {
	text = strings.TrimSuffix(text, ")")
	i := strings.LastIndexByte(text, '[')
	if i < 0 || !strings.HasSuffix(text, "]") {
		return 0, nil
	}
	inner := text[i+1 : len(text)-1]
	if inner == "*" {
		return 0, nil
	}
	n, err := strconv.Atoi(inner)
	if err != nil {
		return 0, fmt.Errorf("the index is a number or *, not %q", inner)
	}
	return max(n, 0), nil
}

// newPrintf compiles avp_printf("$avp(x)", "format").
func (m *avpops) newPrintf(a module.Args) (run.Func, error) {
	x, err := m.attr(a[0].Text)
	if err != nil {
		return nil, at(0, err)
	}
	return func(c *run.Context) int {
		name, ok := x.name(c)
		if !ok {
			return -1
		}
		c.AVPs.Add(list, name, run.Str(strings.Clone(a.Str(c, 1))), 0)
		return 1
	}, nil
}

// newPrint compiles avp_print.
func newPrint(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		c.AVPs.Each(list, func(n run.AVPName, v run.Value, fl uint32) bool {
			name := n.S
			if n.Num {
				name = "i:" + strconv.Itoa(n.N)
			}
			value := slog.String("text", v.Text())
			if v.IsInt() {
				value = slog.Int("number", v.Int())
			}
			c.Logger().LogAttrs(context.Background(), slog.LevelInfo, "attribute", slog.String("module", "avpops"),
				slog.String("name", name), value, slog.Uint64("flags", uint64(fl&^inDB)), slog.String("call_id", c.Msg.CallID()))
			return true
		})
		return 1
	}, nil
}

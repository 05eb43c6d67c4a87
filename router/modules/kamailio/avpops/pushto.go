package avpops

import (
	"errors"
	"fmt"
	"strings"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
)

// newPushTo compiles avp_pushto("$ru/username", "$avp(x)/g").
func (m *avpops) newPushTo(a module.Args) (run.Func, error) {
	push, err := pusher(a[0].Text)
	if err != nil {
		return nil, at(0, err)
	}
	text, letters, _ := strings.Cut(a[1].Text, "/")
	src, err := m.variable(text)
	if err != nil {
		return nil, at(1, err)
	}
	set, err := flags(letters, "g")
	if err != nil {
		return nil, at(1, err)
	}
	return func(c *run.Context) int {
		list, ok := valuesOf(c, src)
		if !ok {
			return -1
		}
		if !set['g'] {
			list = list[:1]
		}
		for i, v := range list {
			if err := push(c, v, i); err != nil {
				m.failed.Log(c, err)
				return -1
			}
		}
		return 1
	}, nil
}

// pusher answers what puts the i-th value into a destination.
func pusher(text string) (func(c *run.Context, v run.Value, i int) error, error) {
	dst, part, more := strings.Cut(text, "/")
	uri := func(set func(uri, s string) (string, error)) func(*run.Context, run.Value, int) error {
		return func(c *run.Context, v run.Value, i int) error {
			u, err := set(c.RURI(), v.Text())
			if err != nil {
				return err
			}
			if i > 0 && !c.AppendBranch("", run.QUnset) {
				return errBranches
			}
			c.SetRURI(u)
			return nil
		}
	}
	switch {
	case dst == "$ru" && !more:
		return uri(func(_, s string) (string, error) {
			_, err := sip.ParseURI(s)
			return s, err
		}), nil
	case dst == "$ru" && strings.EqualFold(part, "username"):
		return uri(sip.SetUser), nil
	case dst == "$ru" && strings.EqualFold(part, "domain"):
		return uri(sip.SetHost), nil
	case dst == "$ru":
		return nil, fmt.Errorf("unknown part %q of $ru; there are username and domain", part)
	case dst == "$du" && !more:
		return func(c *run.Context, v run.Value, _ int) error {
			if !v.IsStr() {
				return errText
			}
			c.SetDstURI(v.Text())
			return nil
		}, nil
	case dst == "$br" && !more:
		return func(c *run.Context, v run.Value, _ int) error {
			if !v.IsStr() {
				return errText
			}
			if !c.AppendBranch(v.Text(), run.QUnset) {
				return errBranches
			}
			return nil
		}, nil
	}
	return nil, fmt.Errorf("%q is none of $ru, $ru/username, $ru/domain, $du and $br; headers are added by append_hf of textops", text)
}

var (
	errText     = errors.New("a destination takes a text, not a number")
	errBranches = errors.New("no branch could be added")
)

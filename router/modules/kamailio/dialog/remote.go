package dialog

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sipd/router/module"
	"sipd/router/run"
)

// remote is a call of another server that is counted in a profile.
type remote struct {
	value, uid string
	expires    int64 // seconds since 1970, 0 for never
}

// maxRemote bounds the calls of other servers in one profile.
const maxRemote = 1 << 20

// addRemote counts a call of another server; false when there are too many.
func (p *profile) addRemote(r remote) bool {
	p.mu.Lock()
	full := len(p.remote) >= maxRemote
	if !full {
		p.remote = append(p.remote, r)
	}
	p.mu.Unlock()
	if !full {
		p.add(r.value, 1)
	}
	return !full
}

// dropRemote forgets those that gone says, at most n; -1 for all.
func (p *profile) dropRemote(n int, gone func(remote) bool) {
	var list []remote
	p.mu.Lock()
	p.remote = slices.DeleteFunc(p.remote, func(r remote) bool {
		if len(list) == n || !gone(r) {
			return false
		}
		list = append(list, r)
		return true
	})
	p.mu.Unlock()
	for _, r := range list {
		p.add(r.value, -1)
	}
}

// sweepRemote forgets the calls of other servers whose time is over.
func (t *table) sweepRemote(now time.Time) {
	t.mu.Lock()
	list := make([]*profile, 0, len(t.profiles))
	for _, p := range t.profiles {
		list = append(list, p)
	}
	t.mu.Unlock()
	for _, p := range list {
		p.dropRemote(-1, func(r remote) bool { return r.expires > 0 && r.expires < now.Unix() })
	}
}

// newRemote compiles dlg_remote_profile.
func (m *mod) newRemote(a module.Args) (run.Func, error) {
	if a[0].IsConst && a[0].Const.Text() != "add" && a[0].Const.Text() != "rm" {
		return nil, &module.ArgError{I: 0, Err: fmt.Errorf(`a command is "add" or "rm", not %q`, a[0].Const.Text())}
	}
	return func(c *run.Context) int {
		p := m.t.profile(a.Str(c, 1))
		r := remote{value: strings.Clone(a.Str(c, 2)), uid: strings.Clone(a.Str(c, 3)), expires: int64(a.Int(c, 4, 0))}
		if p == nil || r.uid == "" || p.values && r.value == "" {
			return -1
		}
		switch a.Str(c, 0) {
		case "add":
			return code(p.addRemote(r))
		case "rm": // as Kamailio: true also when there was none
			p.dropRemote(1, func(x remote) bool { return x.uid == r.uid && x.value == r.value })
			return 1
		}
		return -1
	}, nil
}

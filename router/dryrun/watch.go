package dryrun

import (
	"fmt"
	"strings"

	"sipd/router"
	"sipd/router/pv"
	"sipd/router/run"
)

// watched is a variable whose changes are told.
type watched struct {
	name  string
	get   func(c *run.Context) run.Value
	value string
	msg   uint64 // the message that value belongs to
}

func newWatched(r *router.Router, name string) (watched, error) {
	text := name
	if !strings.HasPrefix(text, "$") {
		text = "$" + text
	}
	v, n, err := r.Vars().ParseVar(text, pv.MaxCompat)
	if err != nil {
		return watched{}, err
	}
	if n != len(text) {
		return watched{}, fmt.Errorf("there is more than a variable in %q", name)
	}
	return watched{name: text, get: v.Get}, nil
}

// look reads the variable; changed says whether it is another value than
// before, or the first of a message.
func (w *watched) look(c *run.Context) (v string, changed bool) {
	v = w.get(c).Format()
	changed = v != w.value || c.ID != w.msg
	w.value, w.msg = v, c.ID
	return v, changed
}

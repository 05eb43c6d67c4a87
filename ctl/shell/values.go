package shell

import (
	"context"
	"errors"
	"slices"
	"strings"

	"sipd/ctl/shell/reply"
	"sipd/rpc"
)

// source is where the values of a parameter come from: members called field in
// the reply of a method of the same daemon.
type source struct {
	methods string // that take such a parameter, blank-separated; * ends one early
	at      int    // which one, from 0
	ask     string // the method asked
	args    string // its arguments: $0, $1 are those typed before, $ the beginning of this one
	field   string // "" for bare texts
	fixed   string // values that need no asking
}

// sources in order; all that fit are used.
var sources = []source{
	{methods: "ul.* usrloc.*", at: 0, ask: "ul.dump", args: "brief $nothing 1", field: "Domain"},
	{methods: "ul.lookup ul.rm ul.rm_contact ul.add", at: 1, ask: "ul.dump", args: "brief $* 100", field: "AoR"},
	{methods: "ul.rm_contact", at: 2, ask: "ul.lookup", args: "$0 $1", field: "Address"},
	{methods: "ul.dump", at: 0, fixed: "brief"},
	{methods: "htable.*", at: 0, ask: "htable.listTables", field: "name"},
	{methods: "htable.get htable.delete htable.set*", at: 1, ask: "htable.dump", args: "$0", field: "name"},
	{methods: "dispatcher.set_state dispatcher.set_duid_state", at: 0, fixed: "a i d t ap ip dp tp"},
	{methods: "dispatcher.set_state dispatcher.set_duid_state", at: 1, ask: "dispatcher.list", field: "ID"},
	{methods: "dispatcher.set_state", at: 2, ask: "dispatcher.list", field: "URI"},
	{methods: "dispatcher.set_duid_state", at: 2, ask: "dispatcher.list", field: "DUID"},
	{methods: "dispatcher.add dispatcher.remove", at: 0, ask: "dispatcher.list", field: "ID"},
	{methods: "dispatcher.remove", at: 1, ask: "dispatcher.list", field: "URI"},
	{methods: "pv.shv*", at: 0, ask: "pv.shvGet", field: "name"},
	{methods: "pv.shvSet", at: 1, fixed: "int str"},
	{methods: "cfg.set_now_int cfg.set_delayed_int cfg.seti cfg.set_now_string cfg.set_delayed_string cfg.sets cfg.set cfg.set_delayed", at: 2, ask: "cfg.get", args: "$0 $1"},
	{methods: "stats.*", at: -1, fixed: "all"},
	{methods: "stats.*", at: -1, ask: "stats.fetch", args: "all", field: "*"},
	{methods: "mtree.*", at: 0, ask: "mtree.summary", field: "table"},
	{methods: "pl.list", at: 0, ask: "pl.list", field: "name"},
	{methods: "dbg.set_mod_level dbg.get_mod_level dbg.set_mod_facility dbg.get_mod_facility", at: 0, ask: "core.modules"},
	{methods: "tm.cancel tm.reply_callid", at: 0, ask: "tm.list", field: "callid"},
	{methods: "uac.reg_info uac.reg_enable uac.reg_disable uac.reg_refresh uac.reg_remove", at: 0, fixed: "l_uuid l_username r_username auth_username"},
	{methods: "uac.reg_enable uac.reg_disable uac.reg_refresh", at: 1, ask: "uac.reg_dump", field: "l_uuid"},
	{methods: "system.methodHelp system.methodSignature system.describe", at: -1, ask: "system.listMethods"},
}

// takes says whether the source is for argument at of a method.
func (r source) takes(method string, at int) bool {
	if r.at != at && r.at != -1 {
		return false
	}
	for m := range strings.FieldsSeq(r.methods) {
		if prefix, all := strings.CutSuffix(m, "*"); m == method || all && strings.HasPrefix(method, prefix) {
			return true
		}
	}
	return false
}

// values are what a daemon has to put in the place of the word that begins
// with prefix, behind the method and its first arguments.
func (s *Shell) values(ctx context.Context, before []string, prefix string) []string {
	var list []string
	for _, r := range sources {
		if !r.takes(before[0], len(before)-1) {
			continue
		}
		list = append(list, strings.Fields(r.fixed)...)
		if r.ask != "" {
			list = append(list, s.fields(ctx, r, before[1:], prefix)...)
		}
	}
	return list
}

// maxValues bounds how many values are offered.
const maxValues = 200

// fields asks for the values of one source.
func (s *Shell) fields(ctx context.Context, r source, typed []string, prefix string) []string {
	words := strings.Fields(r.args)
	args := make([]rpc.Value, len(words))
	for i, w := range words {
		switch {
		case w == "$nothing":
			w = ""
		case strings.HasPrefix(w, "$") && len(w) == 2 && w[1] >= '0' && w[1] <= '9':
			n := int(w[1] - '0')
			if n >= len(typed) {
				return nil
			}
			w = typed[n]
		case strings.HasPrefix(w, "$"):
			w = prefix + w[1:]
		}
		args[i] = rpc.String(w)
		if n, ok := strtol(w); ok && i == 2 { // a limit
			args[i] = rpc.Int(n)
		}
	}
	c := collector{field: r.field}
	_ = s.Servers[0].visit(ctx, &c, r.ask, args...) // what cannot be asked is not offered
	return c.found
}

// errEnough ends a reply of which no more is wanted.
var errEnough = errors.New("enough")

// collector gathers the texts of members of one name, or with "*" the names of
// all members, or with "" bare values.
type collector struct {
	field string
	found []string
}

func (c *collector) Value(name string, v rpc.Value) error {
	text := ""
	switch {
	case c.field == "*":
		text = name
	case c.field == name:
		text = reply.Text(v)
	}
	if text == "" || slices.Contains(c.found, text) {
		return nil
	}
	if c.found = append(c.found, text); len(c.found) >= maxValues {
		return errEnough
	}
	return nil
}

func (c *collector) Open(string, bool) error { return nil }
func (c *collector) Close() error            { return nil }

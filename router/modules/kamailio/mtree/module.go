// Package mtree is the module of prefix trees in memory, loaded from tables.
package mtree

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"sipd/router/dbx"
	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
)

type mtree struct {
	url, table                          string
	nameCol, prefixCol, valueCol        string
	chars                               string
	value, values, dstid, weight, count string
	fetchRows, kind, ignore, allow      int
	specs                               []*spec

	host    *module.Host
	conn    *dbx.Conn
	failed  dbx.Failures
	out     struct{ value, values, dstid, weight, count pv.Var }
	loading sync.Mutex              // held while trees are loaded
	trees   atomic.Pointer[[]*tree] // sorted by name
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &mtree{
		url: "mysql://kamailio:kamailiorw@localhost/kamailio", nameCol: "tname", prefixCol: "tprefix", valueCol: "tvalue",
		chars: "0123456789", value: "$avp(s:tvalue)", values: "$avp(s:tvalues)", dstid: "$avp(s:tdstid)", weight: "$avp(s:tweight)",
		count: "$avp(s:tcount)", fetchRows: 1000,
	}
}

// Exports lists what the module brings.
func (m *mtree) Exports() *module.Exports {
	return &module.Exports{
		Name: "mtree",
		Help: "prefix trees in memory",
		Params: []module.Param{
			{Name: "mtree", Help: "a tree, name=…;dbtable=…;type=…;multi=…;cols='…'; repeatable", Value: m.addSpec},
			{Name: "db_url", Help: "the database", Value: &m.url},
			{Name: "db_table", Help: "the table of many trees, where no mtree names one", Value: &m.table},
			{Name: "tname_column", Help: "column of the tree's name", Value: &m.nameCol},
			{Name: "tprefix_column", Help: "column of the prefix", Value: &m.prefixCol},
			{Name: "tvalue_column", Help: "column of the value", Value: &m.valueCol},
			{Name: "char_list", Help: "characters of prefixes", Value: &m.chars, Check: m.checkChars},
			{Name: "fetch_rows", Help: "rows at a time; rows are always streamed here", Value: &m.fetchRows},
			{Name: "pv_value", Help: "variable for the value of the longest prefix", Value: &m.value},
			{Name: "pv_values", Help: "attribute for the values of all prefixes", Value: &m.values},
			{Name: "pv_dstid", Help: "attribute for the destinations of a tree of type 1", Value: &m.dstid},
			{Name: "pv_weight", Help: "attribute for their weights", Value: &m.weight},
			{Name: "pv_count", Help: "variable for their number", Value: &m.count},
			{Name: "mt_tree_type", Help: "type of the trees of db_table: 0 text, 1 destinations, 2 numbers", Value: &m.kind, Max: numberTree},
			{Name: "mt_ignore_duplicates", Help: "not 0: of two values of a prefix the first counts", Value: &m.ignore},
			{Name: "mt_allow_duplicates", Help: "not 0: a prefix may have several values", Value: &m.allow},
		},
		Functions: []module.Function{{
			Name: "mt_match", Help: "look a text's prefixes up in a tree",
			Args: []module.Arg{{Name: "tree", Type: module.ArgFormat}, {Name: "text", Type: module.ArgFormat}, {Name: "mode", Type: module.ArgInt}},
			In:   run.RequestRoute | run.FailureRoute | run.BranchRoute | run.ReplyRoute | run.CoreReplyRoute | run.EventRoute,
			New:  m.newMatch,
		}},
		RPC: m.methods(),
	}
}

func (m *mtree) checkChars() error {
	for i := range len(m.chars) {
		if strings.IndexByte(m.chars[:i], m.chars[i]) >= 0 {
			return fmt.Errorf("the character %q is there twice", m.chars[i])
		}
	}
	if m.chars == "" {
		return errors.New("it is empty")
	}
	return nil
}

// Init loads the trees.
func (m *mtree) Init(ctx context.Context, h *module.Host) (err error) {
	m.host, m.failed.Module, m.failed.Text = h, h.Name, "prefix not looked up"
	for _, v := range []struct {
		name, text string
		to         *pv.Var
		attr       bool
	}{
		{"pv_value", m.value, &m.out.value, false},
		{"pv_values", m.values, &m.out.values, true},
		{"pv_dstid", m.dstid, &m.out.dstid, true},
		{"pv_weight", m.weight, &m.out.weight, true},
		{"pv_count", m.count, &m.out.count, false},
	} {
		x, n, err := h.Vars.ParseVar(v.text, pv.MaxCompat)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", v.name, err)
		case n != len(v.text) || x.Set == nil:
			return fmt.Errorf("%s: %s cannot be written to", v.name, v.text)
		case v.attr && (x.Attr == nil || x.Attr.Eval != nil):
			return fmt.Errorf("%s: %s is not an $avp(name)", v.name, v.text)
		}
		*v.to = x
	}
	if len(m.specs) == 0 && m.table == "" {
		return errors.New(`there is no tree; set modparam("mtree", "mtree", "name=NAME;dbtable=mtree") or modparam("mtree", "db_table", "mtrees")`)
	}
	if m.conn, err = dbx.Open(ctx, h, m.url); err != nil {
		return err
	}
	return m.loadAll(ctx, "")
}

// Close gives the database back.
func (m *mtree) Close() error { return m.conn.Close() }

func (m *mtree) all() []*tree {
	if l := m.trees.Load(); l != nil {
		return *l
	}
	return nil
}

func (m *mtree) tree(name string) *tree {
	for _, t := range m.all() {
		if t.name == name {
			return t
		}
	}
	return nil
}

// newMatch compiles mt_match.
func (m *mtree) newMatch(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		t := m.tree(a.Str(c, 0))
		if t == nil || !m.match(c, t, a.Str(c, 1), a.Int(c, 2, 0)) {
			return -1
		}
		return 1
	}, nil
}

func (m *mtree) match(c *run.Context, t *tree, text string, mode int) bool {
	add := func(v pv.Var, x run.Value) { c.AVPs.Add(run.AVPFromURI, v.Attr.Name, x, 0) }
	switch {
	case t.kind == weightTree:
		list, n := t.weighted(m.chars, text)
		for _, d := range list {
			add(m.out.weight, run.Int(d.weight))
			add(m.out.dstid, run.Int(d.id))
		}
		return n > 0 && m.out.count.Set(c, run.Int(n))
	case mode == 2:
		c.AVPs.Delete(run.AVPFromURI, m.out.values.Attr.Name)
		n := 0
		_, ok := t.walk(m.chars, text, func(_ int, x *cell) {
			for _, v := range x.values {
				n++
				add(m.out.values, v)
			}
		})
		return ok && n > 0
	}
	v, _ := t.longest(m.chars, text)
	return !v.IsNull() && m.out.value.Set(c, v)
}

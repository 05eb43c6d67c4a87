package corerpc

import (
	"context"
	"strconv"
	"strings"

	"sipd/router/stat"
	"sipd/rpc"
)

// statistics is the methods stats.* (of Kamailio's kex) and cnt.* (of its
// counters). Here they belong to the core: there is one set of statistics.
func (s *Source) statistics() []*rpc.Method {
	which := []rpc.Param{{Name: "statistic", Type: rpc.TString}, {Name: "more", Type: rpc.TString, Optional: true, Rest: true}}
	missing := &rpc.Fault{Code: 400, Text: "Please provide which stats to retrieve"}
	group := rpc.Param{Name: "group", Type: rpc.TString}
	name := rpc.Param{Name: "name", Type: rpc.TString}
	maybe := rpc.Param{Name: "name", Type: rpc.TString, Optional: true}
	const selection = ": names, groups with a colon (core:), or all."
	return []*rpc.Method{
		{
			Name: "stats.get_statistics", Reply: "string: GROUP:NAME = VALUE", Example: "core: usrloc:", Help: "Shows statistics as text" + selection, List: true,
			Params: which, BadParams: missing, Handler: s.statText,
		},
		{
			Name: "stats.fetch", Reply: "struct {GROUP.NAME: string, …}", Example: "core:", Help: "Shows statistics as a struct of texts" + selection,
			Params: which, BadParams: missing, Handler: s.statFetch(func(n int64) rpc.Value {
				return rpc.String(strconv.FormatInt(n, 10))
			}),
		},
		{
			Name: "stats.fetchn", Reply: "struct {GROUP.NAME: int, …}", Example: "core:", Help: "Shows statistics as a struct of numbers" + selection,
			Params: which, BadParams: missing, Handler: s.statFetch(func(n int64) rpc.Value { return rpc.Double(n) }),
		},
		{
			Name: "stats.clear_statistics", Reply: "string: GROUP:NAME = NEW (OLD)", Example: "sl:200_replies", Help: "Sets statistics to zero and shows them" + selection,
			Params: which, BadParams: missing, Changes: true, Handler: s.statClear,
		},
		{
			Name: "stats.reset_statistics", Example: "sl:200_replies", Help: "Sets statistics to zero" + selection,
			Params: which, BadParams: missing, Changes: true, Handler: func(_ context.Context, c *rpc.Call) error {
				for _, e := range s.selected(c) {
					e.Reset()
				}
				return nil
			},
		},

		{Name: "cnt.get", Reply: "int, or struct {NAME: int, …}", Example: "core rcv_requests", Help: "Shows a counter, or all counters of a group.", Params: []rpc.Param{group, maybe}, Handler: s.cntGet},
		{Name: "cnt.get_raw", Reply: "int", Example: "core rcv_requests", Help: "Shows a counter's stored value.", Params: []rpc.Param{group, name}, Handler: s.cntGet},
		{Name: "cnt.grp_get_all", Reply: "struct {NAME: int, …}", Example: "core", Help: "Shows all counters of a group.", Params: []rpc.Param{group}, Handler: s.cntGet},
		{Name: "cnt.get_vars", Reply: "struct {NAME: int, …}", Example: "core", Help: "Shows all counters of a group.", Params: []rpc.Param{group}, Handler: s.cntGet},
		{Name: "cnt.grps_list", Reply: "string", Help: "Lists the groups of counters.", List: true, Handler: handler(s.cntGroups)},
		{Name: "cnt.list_groups", Reply: "string", Help: "Lists the groups of counters.", List: true, Handler: handler(s.cntGroups)},
		{Name: "cnt.var_list", Reply: "string", Example: "core", Help: "Lists the counters of a group.", List: true, Params: []rpc.Param{group}, Handler: s.cntVars},
		{Name: "cnt.list_vars", Reply: "string", Example: "core", Help: "Lists the counters of a group.", List: true, Params: []rpc.Param{group}, Handler: s.cntVars},
		{Name: "cnt.help", Reply: "string", Example: "core rcv_requests", Help: "Says what a counter counts.", Params: []rpc.Param{group, name}, Handler: s.cntHelp},
		{
			Name: "cnt.reset", Example: "core fwd_requests", Help: "Sets a counter to zero.", Params: []rpc.Param{group, name}, Changes: true,
			Handler: func(_ context.Context, c *rpc.Call) error {
				e, err := s.counter(c)
				if err == nil {
					e.Reset()
				}
				return err
			},
		},
	}
}

// selected is the statistics that a call names: "all", "group:",
// "group:name", or a name alone. What is not there is left out, as Kamailio
// does.
func (s *Source) selected(c *rpc.Call) []stat.Entry {
	var out []stat.Entry
	for i := range c.Len() {
		sel := c.Str(i)
		if sel == "all" {
			out = append(out, s.Stats.All()...)
			continue
		}
		if group, name, ok := strings.Cut(sel, ":"); ok {
			if name == "" {
				entries, _ := s.Stats.Group(group)
				out = append(out, entries...)
			} else if e, ok := s.Stats.Lookup(group, name); ok {
				out = append(out, e)
			}
			continue
		}
		if e, ok := s.Stats.Find(sel); ok {
			out = append(out, e)
		}
	}
	return out
}

func line(e stat.Entry, n int64) string {
	return e.Group + ":" + e.Name + " = " + strconv.FormatInt(n, 10)
}

func (s *Source) statText(_ context.Context, c *rpc.Call) error {
	for _, e := range s.selected(c) {
		c.Add(rpc.String(line(e, e.Source.Value())))
	}
	return nil
}

func (s *Source) statFetch(show func(int64) rpc.Value) func(context.Context, *rpc.Call) error {
	return func(_ context.Context, c *rpc.Call) error {
		out := rpc.Struct{}
		for _, e := range s.selected(c) {
			out = append(out, rpc.M(e.Group+"."+e.Name, show(e.Source.Value())))
		}
		c.Add(out)
		return nil
	}
}

// statClear shows what each figure is now and, when that differs, in
// parentheses what it was.
func (s *Source) statClear(_ context.Context, c *rpc.Call) error {
	for _, e := range s.selected(c) {
		before := e.Source.Value()
		e.Reset()
		now := e.Source.Value()
		if now == before {
			c.Printf("%s", line(e, now))
		} else {
			c.Printf("%s (%d)", line(e, now), before)
		}
	}
	return nil
}

// counter is the one a call names by group and name.
func (s *Source) counter(c *rpc.Call) (stat.Entry, error) {
	e, ok := s.Stats.Lookup(c.Str(0), c.Str(1))
	if !ok { // the line end is Kamailio's
		return e, rpc.Faultf(400, "non-existent counter %s.%s\n", c.Str(0), c.Str(1))
	}
	return e, nil
}

func (s *Source) cntGet(_ context.Context, c *rpc.Call) error {
	if c.Has(1) {
		e, err := s.counter(c)
		if err == nil {
			c.Add(rpc.Int(e.Source.Value()))
		}
		return err
	}
	entries, _ := s.Stats.Group(c.Str(0))
	out := rpc.Struct{}
	for _, e := range entries {
		out = append(out, rpc.M(e.Name, rpc.Int(e.Source.Value())))
	}
	c.Add(out)
	return nil
}

func (s *Source) cntGroups() ([]rpc.Value, error) { return texts(s.Stats.Groups()), nil }

func (s *Source) cntVars(_ context.Context, c *rpc.Call) error {
	entries, _ := s.Stats.Group(c.Str(0))
	for _, e := range entries {
		c.Add(rpc.String(e.Name))
	}
	return nil
}

func (s *Source) cntHelp(_ context.Context, c *rpc.Call) error {
	e, err := s.counter(c)
	switch {
	case err != nil:
		return err
	case e.Help == "":
		c.Add(rpc.String("no description"))
	default:
		c.Add(rpc.String(e.Help))
	}
	return nil
}

// Package regex is the module of Perl-compatible regular expressions: one in
// the script, or groups of them in a file that can be read again.
package regex

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"

	"sipd/router/module"
	engine "sipd/router/regex"
	"sipd/router/run"
	"sipd/rpc"
)

type regex struct {
	file                                  string
	maxGroups, groupSize                  int
	caseless, multiline, dotall, extended int
	path                                  string
	flags                                 engine.PCREFlags
	groups                                atomic.Pointer[[]*engine.PCRE]
	host                                  *module.Host
	silent                                atomic.Int64 // seconds since 1970: nothing is logged before
}

// New makes the module; it is what the list of modules names.
func New() module.Module { return &regex{maxGroups: 20, groupSize: 8192} }

// Exports lists what the module brings.
func (r *regex) Exports() *module.Exports {
	in := run.RequestRoute | run.FailureRoute | run.ReplyRoute | run.CoreReplyRoute | run.BranchRoute | run.EventRoute
	return &module.Exports{
		Name: "regex",
		Help: "Perl-compatible regular expressions, in the script or in groups in a file",
		Params: []module.Param{
			{Name: "file", Help: "file of the groups; without it there are none", Value: &r.file},
			{Name: "max_groups", Help: "how many groups the file may have", Value: &r.maxGroups, Min: 1, Max: 1 << 20},
			{Name: "group_max_size", Help: "how many octets a group may have", Value: &r.groupSize, Min: 8, Max: 64 << 10},
			{Name: "pcre_caseless", Help: "not 0: letters match in either case, as (?i)", Value: &r.caseless},
			{Name: "pcre_multiline", Help: "not 0: ^ and $ match at each line, as (?m)", Value: &r.multiline},
			{Name: "pcre_dotall", Help: "not 0: a dot matches a line's end too, as (?s)", Value: &r.dotall},
			{Name: "pcre_extended", Help: "not 0: space and #comments in patterns do not count, as (?x)", Value: &r.extended},
		},
		Functions: []module.Function{
			{
				Name: "pcre_match", Help: "true when a text matches a regular expression",
				Args: []module.Arg{{Name: "text", Type: module.ArgFormat}, {Name: "pcre", Type: module.ArgFormat}},
				In:   in, New: r.newMatch,
			},
			{
				Name: "pcre_match_group", Help: "true when a text matches one of a group of the file",
				Args: []module.Arg{{Name: "text", Type: module.ArgFormat}, {Name: "group", Type: module.ArgFormat, Optional: true}},
				In:   in, New: r.newMatchGroup,
			},
		},
		RPC: []*rpc.Method{{
			Name: "regex.reload", Help: "Reads the file of the groups again.", Changes: true, Handler: r.reload,
		}},
	}
}

// Init reads the file.
func (r *regex) Init(_ context.Context, h *module.Host) error {
	r.host = h
	if r.file == "" {
		return nil // the pcre_ parameters count for nothing then, as in Kamailio
	}
	r.flags = engine.PCREFlags{
		Caseless: r.caseless != 0, Multiline: r.multiline != 0, DotAll: r.dotall != 0, Extended: r.extended != 0,
	}
	r.path = r.file
	if !filepath.IsAbs(r.path) && h.ConfigPath != "" {
		r.path = filepath.Join(filepath.Dir(h.ConfigPath), r.path)
	}
	return r.load()
}

func (r *regex) load() error {
	groups, err := readGroups(r.path, r.maxGroups, r.groupSize, r.flags)
	if err != nil {
		return err
	}
	r.groups.Store(&groups)
	return nil
}

func (r *regex) reload(context.Context, *rpc.Call) error {
	if r.file == "" {
		return &rpc.Fault{Code: 500, Text: "Group matching not enabled"}
	}
	if err := r.load(); err != nil {
		r.host.Log.Error("the regular expressions are not read again, the ones before stay", slog.String("module", "regex"), slog.Any("error", err))
		return &rpc.Fault{Code: 500, Text: "Failed to reload"}
	}
	return nil
}

// newMatch compiles pcre_match.
func (r *regex) newMatch(a module.Args) (run.Func, error) {
	last := engine.Last[*engine.PCRE]{Make: func(text string) (*engine.PCRE, error) { return engine.CompilePCRE(text, r.flags) }}
	if a[1].IsConst {
		if _, err := last.Get(a[1].Const.Text()); err != nil {
			return nil, &module.ArgError{I: 1, Err: err}
		}
	}
	return func(c *run.Context) int {
		pattern := a.Str(c, 1)
		re, err := last.Get(pattern)
		if err != nil {
			r.log(c, fmt.Errorf("%w in the regular expression %q", err, pattern))
			return -4
		}
		return r.match(c, re, a.Str(c, 0))
	}, nil
}

// newMatchGroup compiles pcre_match_group.
func (r *regex) newMatchGroup(a module.Args) (run.Func, error) {
	if r.file == "" {
		r.host.Log.Warn(`there are no groups, pcre_match_group is false; set modparam("regex", "file", "/etc/kamailio/regex_groups")`,
			slog.String("module", "regex"))
	}
	return func(c *run.Context) int {
		groups := r.groups.Load()
		if groups == nil {
			return -2
		}
		n := groupNumber(a.Str(c, 1))
		if n >= len(*groups) {
			r.log(c, fmt.Errorf("there is no group %d, the file has %d, the first is 0", n, len(*groups)))
			return -4
		}
		return r.match(c, (*groups)[n], a.Str(c, 0))
	}, nil
}

// groupNumber is the digits at the start of s, as Kamailio reads them; 0 without.
func groupNumber(s string) int {
	n := 0
	for i := 0; i < len(s) && s[i] >= '0' && s[i] <= '9' && n < 1<<24; i++ {
		n = n*10 + int(s[i]-'0')
	}
	return n
}

func (r *regex) match(c *run.Context, re *engine.PCRE, text string) int {
	ok, err := re.Match(text)
	switch {
	case errors.Is(err, engine.ErrPCRETime):
		r.log(c, err)
		return -1
	case ok:
		return 1
	}
	return -1
}

// log says what a run met, once a second at most.
func (r *regex) log(c *run.Context, err error) {
	now, until := c.Now().Unix(), r.silent.Load()
	if now < until || !r.silent.CompareAndSwap(until, now+1) {
		return
	}
	c.Logger().LogAttrs(context.Background(), slog.LevelError, err.Error(),
		slog.String("module", "regex"), slog.String("call_id", c.Msg.CallID()), slog.String("route", c.RouteName), slog.Int("line", c.Line))
}

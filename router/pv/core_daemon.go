package pv

import (
	"strings"

	"sipd/router/cfg"
	"sipd/router/run"
	"sipd/rpc"
)

// Version is what $version tells about the daemon.
type Version struct {
	// Number is "1.4.0", Full "sipd 1.4.0 (x86_64/linux)", Revision what it was
	// built from.
	Number, Full, Revision string
}

// The release whose language this is, for $ksr: configurations ask for it
// before they use what is new.
const (
	languageVersion = "5.6.3"
	languageNumber  = 5006003
)

// daemonVars are about the daemon, not the message.
func daemonVars() []Def {
	undefined := fixed(run.Null)
	return []Def{
		{Name: "sid", Help: "server_id", Simple: func(c *run.Context) run.Value { return run.Int(c.Env.ServerID) }},
		{Name: "version", Help: "$version(num|full|hash): the daemon's version", New: newVersion},
		{Name: "ksr", Help: "$ksr(ver|verval): the Kamailio release whose language this is", New: newLanguage},
		{Name: "true", Help: "the number 1", Simple: fixed(run.Int(1))},
		{Name: "ccp", Help: "$ccp(group.name): a runtime variable; assigning changes it for the messages that follow", RawInner: true, New: newRuntime},
		{Name: "err.class", Help: "undefined, as in Kamailio", Simple: undefined},
		{Name: "err.level", Help: "undefined, as in Kamailio", Simple: undefined},
		{Name: "err.info", Help: "undefined, as in Kamailio", Simple: undefined},
		{Name: "err.rcode", Help: "undefined, as in Kamailio", Simple: undefined},
		{Name: "err.rreason", Help: "undefined, as in Kamailio", Simple: undefined},
	}
}

func newVersion(n *Name) (Var, error) {
	v := n.Reg.Version
	return pick(n, map[string]Getter{"num": fixed(run.Str(v.Number)), "full": fixed(run.Str(v.Full)), "hash": fixed(run.Str(v.Revision))})
}

func newLanguage(n *Name) (Var, error) {
	return pick(n, map[string]Getter{"ver": fixed(run.Str(languageVersion)), "verval": fixed(run.Int(languageNumber))})
}

// newRuntime compiles $ccp(group.name). A message sees the settings that it
// started with, so one that assigns reads the old value until its end.
func newRuntime(n *Name) (Var, error) {
	group, name, ok := strings.Cut(strings.TrimSpace(n.Inner), ".")
	if !ok || group == "" || name == "" || strings.Contains(n.Inner, "$") {
		return Var{}, errf(0, "$ccp wants a group and a name: $ccp(core.debug)")
	}
	get, err := newCfgSelect([]SelectPart{{Name: "ccp"}, {Name: group}, {Name: name}})
	if err != nil {
		return Var{}, err
	}
	return Var{Get: get, Set: func(c *run.Context, v run.Value) bool {
		if v.IsNull() || c.Env == nil || c.Env.Cfg == nil {
			return false
		}
		var val rpc.Value = rpc.String(v.Text())
		if v.IsInt() {
			val = rpc.Int(v.Int())
		}
		return c.Env.Cfg.Set(cfg.Ref{Group: group}, name, val) == nil
	}}, nil
}

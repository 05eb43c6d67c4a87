package shell

import (
	"path/filepath"
	"slices"
	"strings"
)

// Persona is the name a program is called by and the manners that go with it.
type Persona struct {
	Name string
	// Elder keeps to what kamcmd and sercmd do, bad habits included: faults
	// on standard output with exit status 0, numbers cut to 32 bits, no quotes
	// in lines, banner and prompt also on pipes.
	Elder bool
	// Aliases are short names of methods, in the order help shows them.
	Aliases []Alias
}

// Alias is a short name of a method, with the format its reply is printed in.
type Alias struct{ Name, Method, Format string }

var elderAliases = []Alias{
	{"ps", "core.ps", "%v\\t%v\\n"},
	{"psx", "core.psx", ""},
	{"list", "system.listMethods", ""},
	{"ls", "system.listMethods", ""},
	{"ver", "core.version", ""},
	{"version", "core.version", ""},
	{"who", "ctl.who", "[%v] %v: %v %v -> %v %v\\n"},
	{"listen", "ctl.listen", "[%v] %v: %v %v\\n"},
	{"dns_mem_info", "dns.mem_info", "%v / %v\\n"},
	{"dns_debug", "dns.debug", "%v (%v): size=%v ref=%v expire=%vs last=%vs ago f=%v\\n"},
	{"dns_debug_all", "dns.debug_all", "%v (%v) [%v]: size=%v ref=%v expire=%vs last=%vs ago f=%v\\n\\t\\t%v:%v expire=%vs f=%v\\n"},
	{"dst_blacklist_mem_info", "dst_blacklist.mem_info", "%v / %v\\n"},
	{"dst_blacklist_debug", "dst_blacklist.debug", "%v:%v:%v expire:%v flags: %v\\n"},
}

// newer are the names that sipcmd has beside its elders'.
var newer = []Alias{
	{"server", "core.version", ""},
	{"uptime", "core.uptime", ""},
	{"dst_blocklist_mem_info", "dst_blocklist.mem_info", "%v / %v\\n"},
	{"dst_blocklist_debug", "dst_blocklist.debug", "%v:%v:%v expire:%v flags: %v\\n"},
}

// PersonaFor is the persona of a program called by argv0: kamcmd and sercmd
// are the elders, everything else is sipcmd.
func PersonaFor(argv0 string) *Persona {
	switch name := filepath.Base(argv0); name {
	case "kamcmd":
		return &Persona{Name: name, Elder: true, Aliases: elderAliases}
	case "sercmd":
		// Of 2009: what kamcmd calls ver and version is server here.
		a := slices.Clone(elderAliases)
		a[4].Name, a[5].Name = "server", "serversion"
		return &Persona{Name: name, Elder: true, Aliases: a}
	}
	return &Persona{Name: "sipcmd", Aliases: append(slices.Clone(elderAliases), newer...)}
}

func (p *Persona) prompt() string { return p.Name + "> " }

func (p *Persona) alias(name string) (Alias, bool) {
	i := slices.IndexFunc(p.Aliases, func(a Alias) bool { return a.Name == name })
	if i < 0 {
		return Alias{}, false
	}
	return p.Aliases[i], true
}

// split cuts a line into words. The elders know no quotes.
func (p *Persona) split(line string) ([]Word, error) {
	if p.Elder {
		return Words(strings.Fields(line)), nil
	}
	return Split(line)
}

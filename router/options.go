package router

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"runtime"
	"runtime/debug"
	"slices"

	"sipd/router/module"
	"sipd/router/modules"
	"sipd/router/script"
	"sipd/router/transport"
)

// DefaultConfig is the configuration that is read without -f.
const DefaultConfig = "/etc/sipd/sipd.cfg"

// DefaultRunDir is where control sockets live without -Y and run_dir.
const DefaultRunDir = "/var/run/sipd"

// buildVersion is set when the program is linked (-X sipd/router.buildVersion=…).
var buildVersion = "dev"

// Options are what the command line says about a daemon. The zero value of a
// field leaves the configuration's word; ServerID does so with -1.
type Options struct {
	// Config is the configuration file; "-" reads standard input.
	Config string
	// Defines are preprocessor names, "ID" or "ID=text".
	Defines []string
	// Listen and Aliases are addresses as in listen and alias lines. Listen
	// lines of the configuration do not count when there are any.
	Listen, Aliases []string
	// LoadModules are loaded before those of the configuration, ModParams
	// ("mod:name:s|i:value") set after its own.
	LoadModules, ModParams []string
	// LoadPath chooses the module flavour as loadpath does.
	LoadPath string
	// Children are the workers of each UDP socket, TCPChildren those of TCP.
	Children, TCPChildren int
	// Verbose raises the debug level; Debug sets it ("" leaves it).
	Verbose int
	Debug   string
	// LogStderr logs to Stderr whatever log_stderror says.
	LogStderr bool
	// DBURL is the database of every module that has one, whatever its db_url
	// says; "" leaves them.
	DBURL   string
	PIDFile string
	RunDir  string
	// NameServers, address:port, are asked instead of those of resolv.conf.
	NameServers []string
	WorkDir     string
	Chroot      string
	// User and Group are names or numbers to run as once the sockets are open.
	User, Group string
	// DNS, RevDNS and CheckVia set the parameters of these names.
	DNS, RevDNS, CheckVia bool
	ServerID              int
	// AutoAliases is "yes", "no" or "".
	AutoAliases string
	DisableTCP  bool
	// CheckOnly reads and checks; it opens databases, to look at their tables, and
	// nothing else.
	CheckOnly bool
	// Offline leaves the databases of a check alone, too.
	Offline bool
	// Args is the command line, for core.arg.
	Args []string
	// Stderr is where the log goes before and without syslog; nil is nowhere.
	Stderr io.Writer
	// Warn is told the oddities of the configuration that do not stop the start;
	// nil writes them to Stderr.
	Warn func(*script.Error)
	// Dry runs the configuration without a network; nil for the real thing.
	Dry *Dry
}

// Dry is what a run without a network works with: messages come by
// [Router.Deliver], and what would be sent goes to Wire. Nothing is opened but,
// without Offline, databases.
type Dry struct {
	Wire transport.Wire
	// Socket is what the daemon listens on where the configuration has no
	// listen line.
	Socket netip.AddrPort
	// ReadFile reads configurations; nil reads files.
	ReadFile func(path string) (string, error)
	// Log gets the daemon's lines that core.debug lets through.
	Log slog.Handler
	// Trace follows the script; nil does not.
	Trace script.TraceFunc
}

// Version is what sipd -v prints behind "version: ".
func Version() string {
	return fmt.Sprintf("sipd %s (%s/%s)", buildVersion, arch(), runtime.GOOS)
}

// revision is what the daemon was built from, "unknown" where that was not
// recorded.
func revision() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value[:min(len(s.Value), 12)]
			}
		}
	}
	return "unknown"
}

// arch is the machine as uname spells it, which is what User-Agent and Server
// headers of the elders carry.
func arch() string {
	switch runtime.GOARCH {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	case "386":
		return "i386"
	}
	return runtime.GOARCH
}

// ListModules writes the modules this daemon was built with, one a line: name,
// flavours, what it is for.
func ListModules(w io.Writer) {
	list := modules.List()
	slices.SortStableFunc(list, func(a, b module.Available) int {
		switch {
		case a.Name < b.Name:
			return -1
		case a.Name > b.Name:
			return 1
		}
		return int(a.Flavour) - int(b.Flavour)
	})
	for _, a := range list {
		fmt.Fprintf(w, "%-12s %-9s %s\n", a.Name, a.Flavour, a.New().Exports().Help)
	}
}

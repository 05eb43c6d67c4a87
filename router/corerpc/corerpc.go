// Package corerpc is the RPC methods that every daemon has, whatever it loads:
// core.* (what runs, and on what), system.* (which methods there are), stats.*
// and cnt.* (statistics). Names, order and shape of the replies are those of
// Kamailio 5.6.3, because kamcmd, kamctl and kamcli read them.
//
// What only the running daemon knows comes through [Daemon].
package corerpc

import (
	"context"
	"os"
	"slices"
	"syscall"
	"time"

	"sipd/router/cfg"
	"sipd/router/stat"
	"sipd/router/transport"
	"sipd/rpc"
)

// Daemon is what these methods ask of the running daemon. All of it is safe
// for concurrent use.
type Daemon interface {
	// Build says what this program is.
	Build() Build
	// Started is when it began to serve.
	Started() time.Time
	// Args is its command line, the program's name first.
	Args() []string
	// Modules names the loaded modules in order of loading.
	Modules() []string
	// Workers says what it runs.
	Workers() []Worker
	// Sockets are its SIP sockets in order of the configuration.
	Sockets() []Socket
	// Aliases are the further names that are myself.
	Aliases() []Alias
	// Defines are the names given with #!define and -A, in order.
	Defines() []Define
	// TCP is the state of the stream transports.
	TCP() TCP
	// Resolver finds hosts.
	Resolver() *transport.Resolver
	// Reload puts the configuration, read again, into service; it names the
	// file and says how often that happened. An error, of a line or many, says
	// why the present one stays.
	Reload(ctx context.Context) (config string, count int, err error)
	// Signal does what the signal does when the process gets it. It returns at
	// once.
	Signal(sig syscall.Signal) error
}

// Build is what a program says about itself.
type Build struct {
	Name    string // "sipd"
	Version string // "0.1.0"
	Source  string // revision of the source, "" when unknown
	Date    string // when it was built, "" when unknown
	Flags   []string
}

// Worker is something that runs: a process of the elders, a group of
// goroutines here.
type Worker struct {
	Name string // "udp receiver child=0 sock=127.0.0.1:5060"
	Rank int    // as the elders number them: 0 main, 1.. receivers, -1 timers, -2 others
}

// Socket is a SIP socket.
type Socket struct {
	Proto     string // udp, tcp, tls
	Address   string // as configured
	IP        string
	Port      int
	Multicast bool
	Mhomed    bool
	Virtual   bool
}

// Alias is a name that is myself; "" or 0 means any.
type Alias struct {
	Proto, Host string
	Port        int
}

// Define is a preprocessor name; Value "" when it has none.
type Define struct{ Name, Value string }

// TCP is the state of the stream transports.
type TCP struct {
	Readers     int // workers that read
	Connections []Conn
	Queued      int // octets waiting to be written
}

// Conn is an open connection.
type Conn struct {
	ID         int
	TLS        bool
	State      string        // "CONN_OK" and its like
	Timeout    time.Duration // until it is closed when nothing comes
	Lifetime   time.Duration
	References int
	SrcIP      string
	SrcPort    int
	DstIP      string
	DstPort    int
}

// Source is what the methods are made of.
type Source struct {
	Daemon   Daemon
	Registry *rpc.Registry
	Stats    *stat.Registry
	Cfg      *cfg.Store
	Memory   *stat.MemoryReader
}

// Register adds the methods to the source's registry.
func Register(s Source) error {
	return s.Registry.Add(slices.Concat(s.core(), s.system(), s.statistics(), s.dns(), blocklist())...)
}

// handler is a method without parameters that answers values.
func handler(f func() ([]rpc.Value, error)) func(context.Context, *rpc.Call) error {
	return func(_ context.Context, c *rpc.Call) error {
		vals, err := f()
		c.Add(vals...)
		return err
	}
}

func texts(in []string) []rpc.Value {
	out := make([]rpc.Value, len(in))
	for i, t := range in {
		out[i] = rpc.String(t)
	}
	return out
}

func workingDir() ([]rpc.Value, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, &rpc.Fault{Code: 500, Text: "getcwd failed"}
	}
	return []rpc.Value{rpc.String(dir)}, nil
}

package corerpc

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sipd/router/stat"
	"sipd/rpc"
)

// core is the methods core.*, in order of their names.
func (s *Source) core() []*rpc.Method {
	d := s.Daemon
	echo := func(_ context.Context, c *rpc.Call) error {
		for i := range c.Len() {
			c.Add(c.Arg(i))
		}
		return nil
	}
	return []*rpc.Method{
		{Name: "core.aliases_list", Reply: "struct {myself_callbacks: string, aliases: list of alias: struct {proto, address, port: string}}", Help: "Lists the host names that are myself.", Handler: handler(s.aliases)},
		{
			Name: "core.arg", Reply: "string", Help: "Lists the command line.", List: true,
			Handler: handler(func() ([]rpc.Value, error) { return texts(d.Args()), nil }),
		},
		{
			Name: "core.echo", Reply: "string", Example: "one two", Help: "Gives back its parameters as text.", List: true, Handler: echo,
			Params: []rpc.Param{{Name: "value", Type: rpc.TString, Convert: true, Optional: true, Rest: true}},
		},
		{
			Name: "core.flags", Reply: "string", Help: "Tells what was built in.",
			Handler: handler(func() ([]rpc.Value, error) { return texts([]string{flags(d)}), nil }),
		},
		{Name: "core.info", Reply: "struct {version, id, compiler, compiled, flags: string}", Help: "Tells version and build of the server.", Handler: handler(s.info)},
		{
			Name: "core.kill", Help: "Answers, then sends the server a signal (15 unless told).", Changes: true,
			Params:  []rpc.Param{{Name: "signal", Type: rpc.TInt, Optional: true, Help: "number of the signal"}},
			Example: "15", Handler: s.kill,
		},
		{
			Name: "core.modules", Reply: "string", Help: "Lists the loaded modules, the last loaded first.", List: true,
			Handler: handler(func() ([]rpc.Value, error) {
				mods := slices.Clone(d.Modules())
				slices.Reverse(mods)
				return texts(mods), nil
			}),
		},
		{
			Name: "core.ppdefines", Reply: "string", Help: "Lists the names that are defined for the configuration.", List: true,
			Handler: handler(func() ([]rpc.Value, error) {
				var out []rpc.Value
				for _, def := range d.Defines() {
					out = append(out, rpc.String(def.Name))
				}
				return out, nil
			}),
		},
		{
			Name: "core.ppdefines_full", Reply: "struct {name: string, type: int, value: string}", Help: "Lists the names that are defined, with their values.", List: true,
			Handler: handler(s.definesFull),
		},
		{
			Name: "core.printi", Reply: "int", Example: "1 -5", Help: "Gives back its parameters, numbers.", List: true, Handler: echo,
			Params: []rpc.Param{{Name: "number", Type: rpc.TInt, Optional: true, Rest: true}},
		},
		{
			Name: "core.prints", Reply: "string", Example: "one two", Help: "Gives back its parameters, texts.", List: true, Handler: echo,
			Params: []rpc.Param{{Name: "text", Type: rpc.TString, Optional: true, Rest: true}},
		},
		{
			Name: "core.ps", List: true, Reply: "int and string in turns", Help: "Tells what runs: process id and description in turns.",
			Handler: handler(func() ([]rpc.Value, error) {
				var out []rpc.Value
				for _, w := range d.Workers() {
					out = append(out, rpc.Int(os.Getpid()), rpc.String(w.Name))
				}
				return out, nil
			}),
		},
		{Name: "core.psa", Reply: "struct {index, pid, status, rank: int, description: string}", Help: "Tells everything about what runs.", List: true, Handler: handler(s.psa)},
		{Name: "core.psx", Reply: "struct {IDX, PID: int, DSC: string}", Help: "Tells what runs, with numbers.", List: true, Handler: handler(s.psx)},
		{Name: "core.pwd", Reply: "string", Help: "Tells the working directory.", List: true, Handler: handler(workingDir)},
		{Name: "core.runinfo", Reply: "struct {name, version, sourceid, compiler, compiled, time_now, time_started: string, uptime_secs: int, utime_days: string}", Help: "Tells version, build, clock and run time.", Handler: handler(s.runinfo)},
		{
			Name: "core.reload", Changes: true, Reply: "struct {config: text, reloads: int}", Handler: s.reload,
			Help: "Reads the configuration again and puts it into service; one with mistakes changes nothing.",
		},
		{
			Name: "core.shmmem", Reply: "struct {total, free, used, real_used, max_used, fragments: int}", Example: "m", Help: "Tells the memory in use, in octets or the unit given (b, k, m, g).",
			Params:  []rpc.Param{{Name: "unit", Type: rpc.TString, Optional: true}},
			Handler: s.shmmem,
		},
		{Name: "core.sockets_list", Reply: "list of socket: struct {proto, address, ipaddress, port, mcast, mhomed, virtual: string}", Help: "Lists the SIP sockets.", Handler: handler(s.sockets)},
		{Name: "core.stacks", Reply: "string", Help: "Tells what every goroutine does: its state and its stack. The server stands still for the moment in which they are read; after 4 MB the list is cut.", List: true, Handler: handler(stacks)},
		{Name: "core.tcp_info", Reply: "struct {readers, max_connections, max_tls_connections, opened_connections, opened_tls_connections, write_queued_bytes: int}", Help: "Tells how many stream connections there are and may be.", Handler: handler(s.tcpInfo)},
		{Name: "core.tcp_list", Reply: "struct {id: int, type, state: string, timeout, lifetime, ref_count: int, src_ip: string, src_port: int, dst_ip: string, dst_port: int}", Help: "Lists the stream connections.", List: true, Handler: handler(s.tcpList)},
		{Name: "core.tcp_options", Reply: "struct {connect_timeout, send_timeout, …: int}", Help: "Tells the settings of the stream transports.", Handler: handler(s.tcpOptions)},
		{Name: "core.uptime", Help: "Tells the time, the time of the start, and the seconds between.", Reply: "struct {now: string, up_since: string, uptime: int}", Handler: handler(s.uptime)},
		{
			Name: "core.udp4_raw_info", Help: "Tells how UDP over IPv4 is sent: always by ordinary sockets, so the first number is 0.",
			Reply: "struct {udp4_raw, udp4_raw_mtu, udp4_raw_ttl: int}", Handler: handler(s.rawInfo),
		},
		{
			Name: "core.version", Reply: "string", Help: "Tells name, version and platform.",
			Handler: handler(func() ([]rpc.Value, error) {
				b := d.Build()
				return texts([]string{fmt.Sprintf("%s %s (%s/%s)", b.Name, b.Version, arch(), runtime.GOOS)}), nil
			}),
		},
	}
}

func (s *Source) aliases() ([]rpc.Value, error) {
	list := rpc.Items{}
	for _, a := range s.Daemon.Aliases() {
		port := "*"
		if a.Port != 0 {
			port = strconv.Itoa(a.Port)
		}
		list = append(list, rpc.M("alias", rpc.Struct{
			rpc.M("proto", rpc.String(orAny(a.Proto))),
			rpc.M("address", rpc.String(orAny(a.Host))),
			rpc.M("port", rpc.String(port)),
		}))
	}
	return []rpc.Value{rpc.Struct{rpc.M("myself_callbacks", rpc.String("no")), rpc.M("aliases", list)}}, nil
}

func orAny(s string) string {
	if s == "" {
		return "*"
	}
	return s
}

// rawInfo shows the settings of raw sockets, which sipd does not use. A TTL of
// -1 is the system's.
func (s *Source) rawInfo() ([]rpc.Value, error) {
	ttl := s.coreInt("udp4_raw_ttl")
	if ttl < 0 {
		ttl = 64
		if b, err := os.ReadFile("/proc/sys/net/ipv4/ip_default_ttl"); err == nil {
			if n, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
				ttl = n
			}
		}
	}
	return []rpc.Value{rpc.Struct{
		rpc.M("udp4_raw", rpc.Int(0)), rpc.M("udp4_raw_mtu", rpc.Int(s.coreInt("udp4_raw_mtu"))), rpc.M("udp4_raw_ttl", rpc.Int(ttl)),
	}}, nil
}

func flags(d Daemon) string { return strings.Join(d.Build().Flags, ", ") }

func (s *Source) info() ([]rpc.Value, error) {
	b := s.Daemon.Build()
	return []rpc.Value{rpc.Struct{
		rpc.M("version", rpc.String(b.Name+" "+b.Version)),
		rpc.M("id", rpc.String(orUnknown(b.Source))),
		rpc.M("compiler", rpc.String(runtime.Version())),
		rpc.M("compiled", rpc.String(b.Date)),
		rpc.M("flags", rpc.String(flags(s.Daemon))),
	}}, nil
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// kill sends the signal when the reply is out, as the elders do.
func (s *Source) kill(_ context.Context, c *rpc.Call) error {
	sig := syscall.SIGTERM
	if c.Has(0) {
		sig = syscall.Signal(c.Int(0))
	}
	if sig < 0 || sig > 64 {
		return rpc.Faultf(400, "no signal has the number %d", int(sig))
	}
	c.After(func() { _ = s.Daemon.Signal(sig) }) // nobody is left to tell
	return nil
}

// reload answers with all mistakes of a configuration that cannot take over.
func (s *Source) reload(ctx context.Context, c *rpc.Call) error {
	config, n, err := s.Daemon.Reload(context.WithoutCancel(ctx)) // a caller who hangs up does not stop it
	if err != nil {
		return rpc.Faultf(500, "not reloaded, the configuration before stays in service:\n%s", strings.TrimRight(err.Error(), "\n"))
	}
	c.Add(rpc.Struct{rpc.M("config", rpc.String(config)), rpc.M("reloads", rpc.Int(n))})
	return nil
}

func (s *Source) definesFull() ([]rpc.Value, error) {
	var out []rpc.Value
	for _, d := range s.Daemon.Defines() {
		value := d.Value
		if value == "" {
			value = "none"
		}
		out = append(out, rpc.Struct{
			rpc.M("name", rpc.String(d.Name)), rpc.M("type", rpc.Int(0)), rpc.M("value", rpc.String(value)),
		})
	}
	return out, nil
}

func (s *Source) psa() ([]rpc.Value, error) {
	var out []rpc.Value
	for i, w := range s.Daemon.Workers() {
		out = append(out, rpc.Struct{
			rpc.M("index", rpc.Int(i)), rpc.M("pid", rpc.Int(os.Getpid())), rpc.M("status", rpc.Int(1)),
			rpc.M("rank", rpc.Int(w.Rank)), rpc.M("description", rpc.String(w.Name)),
		})
	}
	return out, nil
}

func (s *Source) psx() ([]rpc.Value, error) {
	var out []rpc.Value
	for i, w := range s.Daemon.Workers() {
		out = append(out, rpc.Struct{
			rpc.M("IDX", rpc.Int(i)), rpc.M("PID", rpc.Int(os.Getpid())), rpc.M("DSC", rpc.String(w.Name)),
		})
	}
	return out, nil
}

// stackRoom bounds what core.stacks reads, octets.
const stackRoom = 4 << 20

// stacks are those of all goroutines, one a value. They hold no data of
// messages: arguments are shown as addresses.
func stacks() ([]rpc.Value, error) {
	room := make([]byte, 64<<10)
	n := runtime.Stack(room, true)
	for n == len(room) && n < stackRoom {
		room = make([]byte, 2*len(room))
		n = runtime.Stack(room, true)
	}
	out := texts(strings.Split(strings.TrimSpace(string(room[:n])), "\n\n"))
	if n == stackRoom {
		out = append(out, rpc.String("cut here: there are more goroutines than fit"))
	}
	return out, nil
}

// clock writes a time as C's ctime does, which is what clients show.
func clock(t time.Time) rpc.String { return rpc.String(t.Local().Format(time.ANSIC)) }

func (s *Source) uptime() ([]rpc.Value, error) {
	now, start := time.Now(), s.Daemon.Started()
	return []rpc.Value{rpc.Struct{
		rpc.M("now", clock(now)), rpc.M("up_since", clock(start)), rpc.M("uptime", rpc.Int(now.Sub(start)/time.Second)),
	}}, nil
}

func (s *Source) runinfo() ([]rpc.Value, error) {
	now, start, b := time.Now(), s.Daemon.Started(), s.Daemon.Build()
	up := int(now.Sub(start) / time.Second)
	return []rpc.Value{rpc.Struct{
		rpc.M("name", rpc.String(b.Name)), rpc.M("version", rpc.String(b.Version)),
		rpc.M("sourceid", rpc.String(orUnknown(b.Source))), rpc.M("compiler", rpc.String(runtime.Version())),
		rpc.M("compiled", rpc.String(b.Date)),
		rpc.M("time_now", clock(now)), rpc.M("time_started", clock(start)), rpc.M("uptime_secs", rpc.Int(up)),
		rpc.M("utime_days", rpc.String(fmt.Sprintf("%dd %dh %dm %ds", up/86400, up/3600%24, up/60%60, up%60))),
	}}, nil
}

// shmmem answers for the Go heap, in the place of the elders' shared memory.
func (s *Source) shmmem(_ context.Context, c *rpc.Call) error {
	shift := 0
	if unit := strings.ToLower(c.Str(0)); unit != "" {
		i := strings.IndexByte("bkmg", unit[0])
		if i < 0 {
			return &rpc.Fault{Code: 500, Text: "bad param, (use b|k|m|g)"}
		}
		shift = 10 * i
	}
	var m stat.Memory
	if s.Memory != nil {
		m = s.Memory.Read()
	}
	c.Add(rpc.Struct{
		rpc.M("total", rpc.Int(m.Total>>shift)), rpc.M("free", rpc.Int(m.Free>>shift)),
		rpc.M("used", rpc.Int(m.Used>>shift)), rpc.M("real_used", rpc.Int(m.RealUsed>>shift)),
		rpc.M("max_used", rpc.Int(m.MaxUsed>>shift)), rpc.M("fragments", rpc.Int(m.Fragments)),
	})
	return nil
}

func (s *Source) sockets() ([]rpc.Value, error) {
	yes := func(b bool) rpc.Value {
		if b {
			return rpc.String("yes")
		}
		return rpc.String("no")
	}
	list := rpc.Items{}
	for _, k := range s.Daemon.Sockets() {
		list = append(list, rpc.M("socket", rpc.Struct{
			rpc.M("proto", rpc.String(k.Proto)), rpc.M("address", rpc.String(k.Address)),
			rpc.M("ipaddress", rpc.String(k.IP)), rpc.M("port", rpc.String(strconv.Itoa(k.Port))),
			rpc.M("mcast", yes(k.Multicast)), rpc.M("mhomed", yes(k.Mhomed)), rpc.M("virtual", yes(k.Virtual)),
		}))
	}
	return []rpc.Value{list}, nil
}

func (s *Source) tcpInfo() ([]rpc.Value, error) {
	t := s.Daemon.TCP()
	secure := 0
	for _, c := range t.Connections {
		if c.TLS {
			secure++
		}
	}
	return []rpc.Value{rpc.Struct{
		rpc.M("readers", rpc.Int(t.Readers)),
		rpc.M("max_connections", s.setting("max_connections")),
		rpc.M("max_tls_connections", s.setting("max_tls_connections")),
		rpc.M("opened_connections", rpc.Int(len(t.Connections))),
		rpc.M("opened_tls_connections", rpc.Int(secure)),
		rpc.M("write_queued_bytes", rpc.Int(t.Queued)),
	}}, nil
}

// setting is a variable of the group tcp, 0 where there is none.
func (s *Source) setting(name string) rpc.Value {
	if v, ok := s.Cfg.Lookup("tcp", name); ok {
		return v.Value(s.Cfg.Snapshot())
	}
	return rpc.Int(0)
}

func (s *Source) tcpList() ([]rpc.Value, error) {
	var out []rpc.Value
	for _, c := range s.Daemon.TCP().Connections {
		kind := "TCP"
		if c.TLS {
			kind = "TLS"
		}
		out = append(out, rpc.Struct{
			rpc.M("id", rpc.Int(c.ID)), rpc.M("type", rpc.String(kind)), rpc.M("state", rpc.String(c.State)),
			rpc.M("timeout", rpc.Int(c.Timeout/time.Second)), rpc.M("lifetime", rpc.Int(c.Lifetime/time.Second)),
			rpc.M("ref_count", rpc.Int(c.References)),
			rpc.M("src_ip", rpc.String(c.SrcIP)), rpc.M("src_port", rpc.Int(c.SrcPort)),
			rpc.M("dst_ip", rpc.String(c.DstIP)), rpc.M("dst_port", rpc.Int(c.DstPort)),
		})
	}
	return out, nil
}

// tcpOptions are the settings that core.tcp_options shows, in its order.
var tcpOptions = [...]string{
	"connect_timeout", "send_timeout", "connection_lifetime", "max_connections", "max_tls_connections",
	"no_connect", "fd_cache", "async", "connect_wait", "conn_wq_max", "wq_max", "defer_accept", "delayed_ack",
	"syncnt", "linger2", "keepalive", "keepidle", "keepintvl", "keepcnt", "crlf_ping", "accept_aliases",
	"alias_flags", "new_conn_alias_flags",
}

func (s *Source) tcpOptions() ([]rpc.Value, error) {
	snap := s.Cfg.Snapshot()
	out := make(rpc.Struct, 0, len(tcpOptions))
	for _, name := range tcpOptions {
		v, ok := s.Cfg.Lookup("tcp", name)
		if !ok {
			continue
		}
		shown := name
		if strings.HasPrefix(name, "max_") {
			shown += "(soft)"
		}
		out = append(out, rpc.M(shown, v.Value(snap)))
	}
	return []rpc.Value{out}, nil
}

// arch is the machine as uname spells it, which is what the elders print.
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

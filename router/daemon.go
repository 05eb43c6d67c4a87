package router

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"sipd/router/corerpc"
	"sipd/router/module"
	"sipd/router/transport"
)

// daemon shows the router to the methods of the core (corerpc.Daemon).
type daemon Router

var _ corerpc.Daemon = (*daemon)(nil)

// Build says what this program is.
func (d *daemon) Build() corerpc.Build {
	return corerpc.Build{Name: "sipd", Version: buildVersion, Flags: []string{"STATS: On", "USE_TCP", "USE_TLS", "USE_IPV6"}}
}

// Started is when it began to serve.
func (d *daemon) Started() time.Time { return d.started }

// Args is the command line.
func (d *daemon) Args() []string { return d.opt.Args }

// Modules names the loaded modules in order of loading.
func (d *daemon) Modules() []string {
	var names []string
	for _, l := range d.set.Loaded() {
		names = append(names, l.Name)
	}
	return names
}

// Workers lists what runs, in the words of the elders' process table.
func (d *daemon) Workers() []corerpc.Worker {
	list := []corerpc.Worker{{Name: "main process - attendant", Rank: 0}}
	rank, tcp := 0, false
	for _, s := range d.transport.Sockets() {
		if s.Proto != transport.UDP {
			tcp = true
			continue
		}
		for i := range d.conf.Int("children") {
			rank++
			list = append(list, corerpc.Worker{Name: fmt.Sprintf("udp receiver child=%d sock=%s", i, s.HostPort()), Rank: rank})
		}
	}
	for _, l := range d.set.Loaded() {
		if _, ok := l.Module.(module.Server); ok {
			list = append(list, corerpc.Worker{Name: l.Name + " handler", Rank: -2})
		}
	}
	if tcp {
		list = append(list, corerpc.Worker{Name: "tcp main process", Rank: -4})
	}
	return list
}

// Sockets are the SIP sockets.
func (d *daemon) Sockets() []corerpc.Socket {
	var list []corerpc.Socket
	for _, s := range d.transport.Sockets() {
		ip := s.Addr.Addr().Unmap().String()
		list = append(list, corerpc.Socket{
			Proto: s.Proto.String(), Address: ip, IP: ip, Port: int(s.Addr.Port()), Mhomed: d.conf.Int("mhomed") != 0,
		})
	}
	return list
}

// Aliases are the names that are myself besides the sockets.
func (d *daemon) Aliases() []corerpc.Alias {
	var list []corerpc.Alias
	sockets := d.transport.Sockets()
	d.myself.list(func(host string, port uint16, p transport.Proto) {
		for _, s := range sockets {
			if s.Addr.Addr().Unmap().String() == host && s.Addr.Port() == port {
				return
			}
		}
		a := corerpc.Alias{Host: host, Port: int(port)}
		if p != transport.ProtoNone {
			a.Proto = p.String()
		}
		list = append(list, a)
	})
	slices.SortFunc(list, func(a, b corerpc.Alias) int {
		return cmp.Or(strings.Compare(a.Host, b.Host), cmp.Compare(a.Port, b.Port), strings.Compare(a.Proto, b.Proto))
	})
	return list
}

// Defines are the preprocessor names.
func (d *daemon) Defines() []corerpc.Define {
	var list []corerpc.Define
	for _, def := range d.conf.File.Defines {
		list = append(list, corerpc.Define{Name: def.Name, Value: def.Value})
	}
	return list
}

// TCP is the state of the stream transports.
func (d *daemon) TCP() corerpc.TCP {
	t := corerpc.TCP{Readers: d.conf.Int("tcp_children"), Queued: d.transport.Queued()}
	if t.Readers == 0 {
		t.Readers = d.conf.Int("children")
	}
	for _, c := range d.transport.Conns() {
		t.Connections = append(t.Connections, corerpc.Conn{
			ID: int(c.ID), TLS: c.Proto == transport.TLS, State: c.State, Timeout: c.Timeout, Lifetime: c.Lifetime, References: c.Refs,
			SrcIP: c.Src.Addr().Unmap().String(), SrcPort: int(c.Src.Port()),
			DstIP: c.Dst.Addr().Unmap().String(), DstPort: int(c.Dst.Port()),
		})
	}
	return t
}

// Reload reads the configuration again.
func (d *daemon) Reload(ctx context.Context) (config string, count int, err error) {
	err = d.line.Reload(ctx)
	return d.opt.Config, int(d.reloads.Load()), err
}

// Resolver finds hosts.
func (d *daemon) Resolver() *transport.Resolver { return d.transport.Resolver() }

// Signal does what the process does on sig: TERM and INT end it.
func (d *daemon) Signal(sig syscall.Signal) error {
	switch sig {
	case syscall.SIGHUP:
		go func() { _ = d.line.Reload(context.Background()) }() // logged there
		return nil
	case syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL:
		if stop := d.stop.Load(); stop != nil {
			(*stop)()
			return nil
		}
	}
	return syscall.Kill(syscall.Getpid(), sig)
}

package routetest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sipd/router"
	"sipd/router/dryrun"
	"sipd/router/transport"
)

// Dry is a dry run of this daemon as a [Target].
type Dry struct {
	e     *dryrun.Engine
	proxy *transport.Socket
	peers map[netip.AddrPort]string
	// Debug gets what is no result: the daemon's own log lines and the steps of
	// the script. nil drops it.
	Debug func(dryrun.Event)
}

// NewDry makes a target of an engine.
func NewDry(e *dryrun.Engine) (*Dry, error) {
	d := &Dry{e: e, peers: make(map[netip.AddrPort]string)}
	for _, s := range e.Sockets() {
		if s.Proto == transport.UDP {
			d.proxy = s
			return d, nil
		}
	}
	return nil, errors.New("the configuration listens on no UDP address")
}

// DryOptions are the options of an engine for a test: its configuration and
// hosts, defines, and a debug level at which the script's lines are written.
func DryOptions(f *File, config string, defines []string) dryrun.Options {
	o := dryrun.Options{Config: config, Defines: defines, Hosts: f.Hosts, OnlyHosts: true}
	if f.Config != "" {
		o.Config, o.Text = f.Path, f.Config
	}
	return o
}

// RunDry runs a test without a network. config is the configuration of tests
// that have none of their own.
func RunDry(ctx context.Context, f *File, config string, defines []string, debug func(dryrun.Event), update bool) ([]Failure, error) {
	o := DryOptions(f, config, defines)
	o.Trace = debug != nil
	e, err := dryrun.New(ctx, o)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	d, err := NewDry(e)
	if err != nil {
		return nil, err
	}
	d.Debug = debug
	return Run(f, d, true, update)
}

// Proxy is the daemon's first UDP socket.
func (d *Dry) Proxy() netip.AddrPort { return d.proxy.Addr }

// Peer gives each name an address of its own.
func (d *Dry) Peer(name string) (netip.AddrPort, error) {
	i := slices.Index(Peers, name)
	if i < 0 {
		return netip.AddrPort{}, fmt.Errorf("there is no peer %q", name)
	}
	a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, byte(2 + i)}), uint16(15062+i))
	d.peers[a] = name
	return a, nil
}

// Send runs the message to its end.
func (d *Dry) Send(peer, msg string) error {
	a, err := d.Peer(peer)
	if err == nil {
		d.e.Receive(a, d.proxy, msg)
	}
	return err
}

// Wait lets the time of transactions run.
func (d *Dry) Wait(t time.Duration) error {
	d.e.Advance(t)
	return nil
}

// Take gives what was sent and what the script logged.
func (d *Dry) Take() ([]Out, error) {
	var outs []Out
	for _, ev := range d.e.Events() {
		switch {
		case ev.Sent != nil:
			name := d.peers[ev.Sent.To]
			if name == "" {
				name = ev.Sent.To.String()
			}
			outs = append(outs, Out{Peer: name, Text: ev.Sent.Text})
		case ev.Log != nil && ev.Log.Module == "<script>":
			outs = append(outs, Out{Level: router.LevelName(ev.Log.Level), Text: strings.TrimRight(ev.Log.Text, "\n")})
		case d.Debug != nil:
			d.Debug(ev)
		}
	}
	return outs, nil
}

// Package livetest runs a daemon in the test's process and talks SIP to it as
// text, so that a test shows what is on the wire. The same test runs against a
// Kamailio where one is installed: what both do is the same, or the test says
// why not.
//
//	livetest.Each(t, config, func(t *testing.T, d *livetest.Daemon) {
//		p := d.Peer(t)
//		p.Send("OPTIONS sip:x SIP/2.0\n…")
//		p.Want("SIP/2.0 200 ")
//	})
package livetest

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sipd/router"
	"sipd/rpc/peertest"
	"sipd/rpc/socket/sockettest"
)

// Daemon is a running daemon.
type Daemon struct {
	// Addr is where it listens, over UDP and TCP; Dir its folder.
	Addr, Dir string
	Port      int
	// Ours is false for a Kamailio.
	Ours bool

	log    *peertest.Log
	path   string         // of the configuration
	router *router.Router // nil for a Kamailio
}

// patience is how long a message may take.
const patience = 30 * time.Second

// Each runs f against sipd and, where it is installed, against Kamailio 5.6.
// The configuration has no listen line; DIR in it is a folder of the test,
// ADDR and PORT are the daemon's.
func Each(t *testing.T, config string, f func(t *testing.T, d *Daemon)) {
	t.Helper()
	t.Run("sipd", func(t *testing.T) { f(t, Start(t, config)) })
	t.Run("kamailio", func(t *testing.T) { f(t, Kamailio(t, config)) })
}

// Start starts sipd on a configuration.
func Start(t testing.TB, config string) *Daemon {
	t.Helper()
	return StartWith(t, config, func(*router.Options) {})
}

// StartWith is Start with options that the test sets.
func StartWith(t testing.TB, config string, set func(*router.Options)) *Daemon {
	t.Helper()
	d := prepare(t)
	d.Ours, d.log = true, peertest.NewLog()
	path := d.write(t, config, "")
	o := router.Options{Config: path, RunDir: d.Dir, Stderr: d.log, LogStderr: true, Debug: "2", ServerID: -1}
	set(&o)
	r, err := router.Load(t.Context(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, d.Log())
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.path, d.router = path, r
	done := make(chan error, 1)
	go func() { done <- r.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("sipd ended with %v", err)
		}
		if t.Failed() {
			t.Logf("log:\n%s", d.log.Tail())
		}
	})
	return d
}

// Kamailio starts a Kamailio on a configuration; the test is skipped when none
// is installed.
func Kamailio(t testing.TB, config string) *Daemon {
	t.Helper()
	mods, _ := filepath.Glob("/usr/lib*/*/kamailio/modules")
	if len(mods) == 0 {
		t.Skip("skipped: kamailio has no modules here (Debian package kamailio)")
	}
	d := prepare(t)
	path := d.write(t, config, "mpath=\""+mods[0]+"/\"\ndebug=2\n")
	d.log = peertest.Kamailio(t, path, d.Dir, d.listens, "-w", d.Dir, "-n", "2", "-N", "1")
	return d
}

// listens says whether the daemon has its ports: Kamailio binds all of UDP
// before TCP, and before its workers start.
func (d *Daemon) listens() bool {
	c, err := net.Dial("tcp4", d.Addr)
	return err == nil && c.Close() == nil
}

// prepare makes a folder and finds a port.
func prepare(t testing.TB) *Daemon {
	t.Helper()
	// Unix sockets have short names: the test's own folder may be too deep.
	dir, err := os.MkdirTemp("", "live")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	port := sockettest.Port(t)
	return &Daemon{Dir: dir, Port: port, Addr: fmt.Sprintf("127.0.0.1:%d", port)}
}

func (d *Daemon) write(t testing.TB, config, head string) string {
	t.Helper()
	config = "#!KAMAILIO\n" + head + "listen=udp:" + d.Addr + "\nlisten=tcp:" + d.Addr + "\nchildren=2\n" + d.Expand(config)
	path := filepath.Join(d.Dir, "test.cfg")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Reload puts another configuration in the place of the one before.
func (d *Daemon) Reload(t testing.TB, config string) error {
	t.Helper()
	d.write(t, config, "")
	return d.router.Reload(t.Context())
}

// Expand puts the daemon's folder and address for DIR, ADDR and PORT.
func (d *Daemon) Expand(s string) string {
	return strings.NewReplacer("DIR", d.Dir, "ADDR", d.Addr, "PORT", fmt.Sprint(d.Port)).Replace(s)
}

// Log is what the daemon logged so far.
func (d *Daemon) Log() string { return d.log.String() }

// WantLog waits until a line of the log has all the texts, and answers the line.
func (d *Daemon) WantLog(t testing.TB, texts ...string) string {
	t.Helper()
	limit := time.Now().Add(patience)
	for {
		more := d.log.More()
		for line := range strings.Lines(d.Log()) {
			if !slices.ContainsFunc(texts, func(s string) bool { return !strings.Contains(line, s) }) {
				return line
			}
		}
		if time.Now().After(limit) {
			t.Fatalf("no line of the log has %q", texts)
		}
		select {
		case <-more:
		case <-time.After(time.Until(limit)):
		}
	}
}

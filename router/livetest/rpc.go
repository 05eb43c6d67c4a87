package livetest

import (
	"testing"
	"time"

	"sipd/rpc"
	"sipd/rpc/dial"
)

// RPC calls a method of the daemon; the configuration has
//
//	loadmodule "ctl.so"
//	modparam("ctl", "binrpc", "unix:DIR/ctl")
//
// An error is what the daemon refused.
func (d *Daemon) RPC(t testing.TB, method string, args ...rpc.Value) ([]rpc.Value, error) {
	t.Helper()
	c, err := dial.Dial(t.Context(), "unix:"+d.Dir+"/ctl", dial.Options{Timeout: 30 * time.Second})
	// A Kamailio listens for SIP before its process of ctl runs.
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(30 * time.Second); err != nil && !d.Ours && time.Now().Before(limit); {
		<-tick.C
		c, err = dial.Dial(t.Context(), "unix:"+d.Dir+"/ctl", dial.Options{Timeout: 30 * time.Second})
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.Call(t.Context(), method, args...)
}

package dial

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"sipd/rpc"
	"sipd/rpc/binrpc"
)

func TestDial(t *testing.T) {
	reg := rpc.NewRegistry()
	if err := reg.Add(&rpc.Method{Name: "m", Handler: func(_ context.Context, c *rpc.Call) error {
		c.Add(rpc.Int(1))
		return nil
	}}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &binrpc.Server{Registry: reg, Log: slog.New(slog.DiscardHandler), File: binrpc.FileMode{UID: -1, GID: -1}}
	for _, a := range []binrpc.Address{{Net: "unixs", Path: filepath.Join(dir, "s")}, {Net: "unixd", Path: filepath.Join(dir, "d")}} {
		if err := s.Listen(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v", err)
		}
	}()
	for _, address := range []string{dir + "/s", "unix:" + dir + "/s", "unixs:" + dir + "/s", "UNIXD:" + dir + "/d"} {
		c, err := Dial(t.Context(), address, Options{Timeout: 10 * time.Second})
		if err != nil {
			t.Errorf("Dial(%q) = %v", address, err)
			continue
		}
		if v, err := c.Call(t.Context(), "m"); err != nil || len(v) != 1 || v[0] != rpc.Int(1) {
			t.Errorf("call over %q = %v, %v", address, v, err)
		}
		_ = c.Close()
	}
}

func TestDialErrors(t *testing.T) {
	for _, tt := range []struct {
		address string
		syntax  bool
	}{{"tcp:a:b", true}, {"", true}, {"unixs:/no/such/socket", false}, {"unixd:/no/such/socket", false}} {
		c, err := Dial(t.Context(), tt.address, Options{Timeout: time.Second})
		if err == nil || c != nil || errors.Is(err, binrpc.ErrAddress) != tt.syntax {
			t.Errorf("Dial(%q) = %v, %v; want nil and an error, of syntax %v", tt.address, c, err, tt.syntax)
		}
	}
}

package dial

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"testing"

	"sipd/rpc/binrpc"
)

// TestWires: the scheme chooses the wire.
func TestWires(t *testing.T) {
	for address, want := range map[string]string{
		"http://127.0.0.1:5060/RPC2":         "*xmlrpc.Client",
		"https://127.0.0.1/":                 "*xmlrpc.Client",
		"xmlrpc+http://127.0.0.1/jsonrpc":    "*xmlrpc.Client",
		"http://127.0.0.1:5060/jsonrpc":      "*jsonrpc.Client",
		"jsonrpc+http://127.0.0.1:5060/RPC2": "*jsonrpc.Client",
		"JSONRPC+HTTPS://127.0.0.1":          "*jsonrpc.Client",
	} {
		c, err := Dial(t.Context(), address, Options{})
		if got := fmt.Sprintf("%T", c); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", address, got, err, want)
		}
		if err == nil {
			c.Close()
		}
	}
	absent := filepath.Join(t.TempDir(), "absent")
	for _, scheme := range []string{"unixd:", "fifo:", "FIFO:", "jsonrpc+fifo:", "jsonrpc+unixd:"} {
		dir := t.TempDir()
		if c, err := Dial(t.Context(), scheme+absent, Options{LocalDir: dir}); !errors.Is(err, fs.ErrNotExist) || c != nil {
			t.Errorf("%s without a file: %v, %v; want ErrNotExist", scheme, c, err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
			t.Errorf("%s without a file leaves %v behind", scheme, left)
		}
	}
	for _, address := range []string{"http://", "jsonrpc+http:x", "http://[::1"} {
		if _, err := Dial(t.Context(), address, Options{}); !errors.Is(err, binrpc.ErrAddress) {
			t.Errorf("%s: %v, want ErrAddress", address, err)
		}
	}
}

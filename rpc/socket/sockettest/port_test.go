package sockettest

import (
	"fmt"
	"net"
	"testing"
)

// TestPort: ports differ, can be bound, and one that is taken is passed over.
func TestPort(t *testing.T) {
	seen := make(map[int]bool)
	for range 200 {
		port := Port(t)
		if seen[port] || port < lowest || port >= highest {
			t.Fatalf("port %d", port)
		}
		seen[port] = true
	}
	l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", Port(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if free(l.Addr().(*net.TCPAddr).Port) {
		t.Error("a port that TCP holds is called free")
	}
}

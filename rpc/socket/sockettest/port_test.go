package sockettest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestPort: ports differ, can be bound, and one that is taken is passed over.
func TestPort(t *testing.T) {
	seen := make(map[int]bool)
	for range stride + 1 { // a block does not do
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

// TestNeighbours: programs that run at the same time hold different blocks.
func TestNeighbours(t *testing.T) {
	if os.Getenv("SOCKETTEST_NEIGHBOUR") != "" {
		fmt.Println("block", (Port(t)-lowest)/stride)
		_, _ = os.Stdin.Read(make([]byte, 1)) // until the test has seen all
		return
	}
	seen := map[string]bool{}
	for range 5 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestNeighbours$")
		cmd.Env = append(os.Environ(), "SOCKETTEST_NEIGHBOUR=1")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
		b := make([]byte, 100)
		n, err := out.Read(b)
		block := strings.TrimSpace(string(b[:n]))
		if err != nil || !strings.HasPrefix(block, "block ") || seen[block] {
			t.Fatalf("a neighbour has %q (%v), others %v", block, err, seen)
		}
		seen[block] = true
	}
}

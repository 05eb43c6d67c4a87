// Package sockettest gives tests ports to tell to other programs.
package sockettest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// Ports below those that the kernel chooses for whoever asks for none
// (32768 and up on Linux): one of these does not go to a neighbour in the
// moment between its choice and its use.
const (
	lowest  = 20000
	highest = 32000
	stride  = 200 // ports of a block; a test program holds whole blocks
)

// held is what this program holds: the ports from next up to end are its own
// among test programs of this machine.
var held struct {
	mu sync.Mutex
	// mu guards the fields below.
	next, end int
	locks     []*os.File // of the blocks; closed when the program ends
}

// Port is free for UDP and TCP on 127.0.0.1, for a program that must be told
// where to listen. Each call gives another, in this program and in those that
// run beside it.
func Port(tb testing.TB) int {
	tb.Helper()
	held.mu.Lock()
	defer held.mu.Unlock()
	for {
		if held.next == held.end {
			if err := takeBlock(); err != nil {
				tb.Fatal(err)
			}
		}
		port := held.next
		held.next++
		if free(port) {
			return port
		}
	}
}

// takeBlock locks a block that no program holds, for as long as this one runs.
func takeBlock() error {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("sipd-test-ports-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	const blocks = (highest - lowest) / stride
	for i := range blocks {
		low := lowest + (os.Getpid()+i)%blocks*stride // those who begin together look at different ones
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprint(low)), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
			_ = f.Close()
			continue
		}
		held.next, held.end, held.locks = low, low+stride, append(held.locks, f)
		return nil
	}
	return fmt.Errorf("all %d blocks of ports are locked by test programs (%s)", blocks, dir)
}

func free(port int) bool {
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	l, err := net.Listen("tcp4", addr)
	if err != nil {
		return false
	}
	defer l.Close()
	u, err := net.ListenPacket("udp4", addr)
	if err != nil {
		return false
	}
	return u.Close() == nil
}

// Package sockettest gives tests ports to tell to other programs.
package sockettest

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"testing"
)

// Ports below those that the kernel chooses for whoever asks for none
// (32768 and up on Linux): one of these does not go to a neighbour in the
// moment between its choice and its use.
const (
	lowest  = 20000
	highest = 32000
	stride  = 60 // a test program's share, so that neighbours rarely meet
)

var taken atomic.Int64

// Port is free for UDP and TCP on 127.0.0.1, for a program that must be told
// where to listen. Each call of a test program gives another; two programs
// look from different places on.
func Port(tb testing.TB) int {
	tb.Helper()
	for range (highest - lowest) / 2 {
		n := os.Getpid()*stride + int(taken.Add(1))
		port := lowest + n%(highest-lowest)
		if free(port) {
			return port
		}
	}
	tb.Fatalf("no port from %d to %d is free for UDP and TCP", lowest, highest)
	return 0
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

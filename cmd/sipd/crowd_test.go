package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"sipd/rpc/binrpc"
)

// crowdWires are the stream wires of httpConfig and how to ask over each.
func crowdWires(s httpWires) []crowdWire {
	bin, _ := binrpc.AppendRequest(nil, 1, "core.version", nil)
	long, _ := binrpc.AppendRequest(nil, 1, "system.listMethods", nil)
	xmlLong := strings.ReplaceAll(xmlCall, "core.version", "system.listMethods")
	jsonLong := strings.ReplaceAll(jsonCall, "core.version", "system.listMethods")
	web := func(addr, path, call, long string) crowdWire {
		return crowdWire{"tcp", addr, httpRequest(path, call), httpRequest(path, long), readHTTP}
	}
	return []crowdWire{
		{"unix", s.conf + "/ctl", string(bin), string(long), readBinRPC},
		{"tcp", s.binrpc, string(bin), string(long), readBinRPC},
		{"unix", s.conf + "/lines", ":core.version:\n\n", ":system.listMethods:\n\n", readLines},
		web(s.xml, "/RPC2", xmlCall, xmlLong),
		web(s.json, "/RPC", jsonCall, jsonLong),
		web(s.Addr, "/RPC2", xmlCall, xmlLong),
		web(s.Addr, "/jsonrpc", jsonCall, jsonLong),
	}
}

type crowdWire struct {
	network, addr string
	call, long    string // a request for core.version, and one with a long answer
	read          func(*bufio.Reader) (string, error)
}

func readBinRPC(in *bufio.Reader) (string, error) {
	for n := 4; ; n++ {
		head, err := in.Peek(n)
		if err != nil {
			return "", err
		}
		if h, err := binrpc.ParseHeader(head); err == nil {
			b := make([]byte, h.Size+h.Len)
			_, err = io.ReadFull(in, b)
			return string(b), err
		}
	}
}

func readLines(in *bufio.Reader) (string, error) {
	status, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	line, err := in.ReadString('\n')
	return status + line, err
}

func readHTTP(in *bufio.Reader) (string, error) {
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

// TestThousandConnections opens a thousand at once on each stream wire, half of
// them with half a request sent, and wants each to be answered, and a new
// caller among them.
func TestThousandConnections(t *testing.T) {
	s := serveHTTPWires(t)
	for _, w := range crowdWires(s) {
		t.Run(w.network+" "+strings.ReplaceAll(w.addr, s.conf, "")+" "+firstLine(w.call), func(t *testing.T) {
			conns := make([]net.Conn, 1000)
			for i := range conns {
				conns[i] = dialPatiently(t, w.network, w.addr)
				defer conns[i].Close()
				if i%2 == 0 {
					_, _ = io.WriteString(conns[i], w.call[:len(w.call)/2])
				}
			}
			for i, c := range conns {
				rest := w.call
				if i%2 == 0 {
					rest = w.call[len(w.call)/2:]
				}
				_, _ = io.WriteString(c, rest)
			}
			for i, c := range conns {
				if got, err := w.read(bufio.NewReader(c)); err != nil || !strings.Contains(got, "sipd ") {
					t.Fatalf("connection %d is answered %q, %v", i, got, err)
				}
			}
			w.askNew(t)
		})
	}
}

// TestSlowClients: clients that say nothing, that stop in the middle, and that
// read no answer hold up nobody.
func TestSlowClients(t *testing.T) {
	s := serveHTTPWires(t)
	for _, w := range crowdWires(s) {
		t.Run(w.network+" "+strings.ReplaceAll(w.addr, s.conf, "")+" "+firstLine(w.call), func(t *testing.T) {
			for i := range 30 {
				c := dialPatiently(t, w.network, w.addr)
				defer c.Close()
				switch i % 3 {
				case 0: // silent
				case 1:
					_, _ = io.WriteString(c, w.call[:len(w.call)-1])
				case 2: // deaf: writes until the daemon takes no more
					_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
					flood := bytes.Repeat([]byte(w.long), 1000)
					_, _ = c.Write(flood)
				}
				w.askNew(t)
			}
		})
	}
}

// askNew asks on a connection of its own.
func (w crowdWire) askNew(t *testing.T) {
	t.Helper()
	c := dialPatiently(t, w.network, w.addr)
	defer c.Close()
	_, _ = io.WriteString(c, w.call)
	if got, err := w.read(bufio.NewReader(c)); err != nil || !strings.Contains(got, "sipd ") {
		t.Fatalf("a new caller is answered %q, %v", got, err)
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\r\n")
	return strings.TrimFunc(fmt.Sprintf("%.18s", line), func(r rune) bool { return r < ' ' || r > '~' })
}

// dialPatiently goes on while more connections wait than the kernel queues.
func dialPatiently(t *testing.T, network, addr string) net.Conn {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; {
		c, err := net.DialTimeout(network, addr, 10*time.Second)
		if err == nil {
			_ = c.SetDeadline(time.Now().Add(20 * time.Second))
			return c
		}
		if time.Now().After(end) || os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
}

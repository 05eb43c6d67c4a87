package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
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

// crowdWires are the stream wires of a daemon and how to ask over each.
func crowdWires(s httpWires) []crowdWire {
	bin, _ := binrpc.AppendRequest(nil, 1, "core.version", nil)
	long, _ := binrpc.AppendRequest(nil, 1, "system.listMethods", nil)
	xmlLong := strings.ReplaceAll(xmlCall, "core.version", "system.listMethods")
	jsonLong := strings.ReplaceAll(jsonCall, "core.version", "system.listMethods")
	web := func(addr, path, call, long string) crowdWire {
		return crowdWire{s.network, addr, httpRequest(path, call), httpRequest(path, long), readHTTP}
	}
	wires := []crowdWire{
		{s.network, s.binrpc, string(bin), string(long), readBinRPC},
		web(s.xml, "/RPC2", xmlCall, xmlLong),
		web(s.json, "/RPC", jsonCall, jsonLong),
		web(s.sip, "/RPC2", xmlCall, xmlLong),
		web(s.sip, "/jsonrpc", jsonCall, jsonLong),
	}
	if s.network == "tls" {
		return wires
	}
	return append(wires,
		crowdWire{"unix", s.conf + "/ctl", string(bin), string(long), readBinRPC},
		crowdWire{"unix", s.conf + "/lines", ":core.version:\n\n", ":system.listMethods:\n\n", readLines})
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

// onEachWire runs a test on each stream wire, without TLS and with it.
func onEachWire(t *testing.T, f func(t *testing.T, w crowdWire)) {
	t.Helper()
	for _, s := range []httpWires{serveHTTPWires(t), serveTLSWires(t)} {
		for _, w := range crowdWires(s) {
			t.Run(w.network+" "+strings.ReplaceAll(w.addr, s.conf, "")+" "+firstLine(w.call), func(t *testing.T) { f(t, w) })
		}
	}
}

// TestThousandConnections opens a thousand at once on each stream wire, calls
// over each, sends half a request over half of them, and wants each to be
// answered, and a new caller among them.
func TestThousandConnections(t *testing.T) {
	onEachWire(t, func(t *testing.T, w crowdWire) {
		conns := make([]net.Conn, 1000)
		in := make([]*bufio.Reader, len(conns))
		ask := func(i int) {
			if got, err := w.read(in[i]); err != nil || !strings.Contains(got, "sipd ") {
				t.Fatalf("connection %d is answered %q, %v", i, got, err)
			}
		}
		for i := range conns {
			conns[i] = dialPatiently(t, w.network, w.addr)
			defer conns[i].Close()
			in[i] = bufio.NewReader(conns[i])
			_, _ = io.WriteString(conns[i], w.call)
			ask(i)
		}
		for i := 0; i < len(conns); i += 2 {
			_, _ = io.WriteString(conns[i], w.call[:len(w.call)/2])
		}
		w.askNew(t)
		for i, c := range conns {
			rest := w.call
			if i%2 == 0 {
				rest = w.call[len(w.call)/2:]
			}
			_, _ = io.WriteString(c, rest)
		}
		for i := range conns {
			ask(i)
		}
		w.askNew(t)
	})
}

// TestSlowClients: clients that say nothing, that stop in the middle, and that
// read no answer hold up nobody.
func TestSlowClients(t *testing.T) {
	onEachWire(t, func(t *testing.T, w crowdWire) {
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
// Over "tls" the handshake is done, whatever the certificate.
func dialPatiently(t *testing.T, network, addr string) net.Conn {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; {
		c, err := dial(network, addr)
		if err == nil {
			_ = c.SetDeadline(time.Now().Add(5 * time.Minute)) // of a thousand, the first waits for the last
			return c
		}
		if time.Now().After(end) || os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
}

func dial(network, addr string) (net.Conn, error) {
	d := &net.Dialer{Timeout: 20 * time.Second}
	if network == "tls" {
		return tls.DialWithDialer(d, "tcp", addr, &tls.Config{InsecureSkipVerify: true})
	}
	return d.Dial(network, addr)
}

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// malformedConfig serves the wires that TestMalformed leaves out.
const malformedConfig = `
loadmodule "sl.so"
loadmodule "ctl.so"
loadmodule "mi_fifo.so"
loadmodule "jsonrpcs.so"
modparam("ctl", "binrpc", "unixs:DIR/ctl")
modparam("ctl", "binrpc", "unixd:DIR/ctl.d")
modparam("ctl", "binrpc", "tcp:127.0.0.1:TCPPORT")
modparam("ctl", "binrpc", "udp:127.0.0.1:UDPPORT")
modparam("ctl", "fifo", "fifo:DIR/ser_fifo")
modparam("mi_fifo", "fifo_name", "DIR/mi_fifo")
modparam("jsonrpcs", "transport", 2)
modparam("jsonrpcs", "fifo_name", "DIR/json_fifo")
request_route { sl_send_reply("200", "OK"); }
`

// mangled is the i-th broken packet of a kind: a seed with one octet changed,
// cut short, or with octets behind it.
func mangled(seeds []string, i int) []byte {
	b := []byte(seeds[i%len(seeds)])
	i /= len(seeds)
	at := i % len(b)
	switch i % 3 {
	case 0:
		b[at] ^= byte(1 + i%255)
	case 1:
		b = b[:at]
	default:
		b = append(b, b[at:]...)
	}
	return b
}

var (
	brokenBinRPC = []string{
		"\xa1\x0e\x8c\x5d\xb0\xc0\x49\x60\xa5\x8b\xfa\xea", "\xa1\x00\x10\x01\x91\x08cfg.get\x00\xe1\x02\x7e\x96\xbe\x9e\x95\x6c",
		"\xa1\x00\x0f\x01\x91\x0dcore.version\x00", "\xa1\x0f\xff\xff\xff\xff\x00\x00\x00\x01", "\xa1\x00\x08\x01\xf1\x80\x00\x00\x02a\x00",
	}
	brokenLines = []string{
		":core.echo:\n\\q\n\n", ":core.version:../x\nabc\n\n", ":which:reply\n\n", ":" + strings.Repeat("x", 2000) + ":\n\n", "::\n\n\n",
		`{"jsonrpc":"2.0","method":"core.echo","params":["\\"]}` + "\n", "[[[[[[[[{\"a\":\n",
	}
)

// TestMalformedPackets sends 10,000 broken packets to each wire of ctl, mi_fifo
// and the FIFO of jsonrpcs: the daemon lives, its memory stays, and the next
// call on each wire is answered.
func TestMalformedPackets(t *testing.T) {
	dir := t.TempDir()
	config, port := withPorts(t, strings.ReplaceAll(malformedConfig, "DIR", dir))
	s := serve(t, configFile(t, config), "-l", "udp:ADDR")
	tcp, udp := fmt.Sprintf("127.0.0.1:%d", port["TCPPORT"]), fmt.Sprintf("127.0.0.1:%d", port["UDPPORT"])
	wires := []struct {
		network, addr string
		seeds         []string
		call          string // how sipcmd names it, "" when it has no name for it
	}{
		{"unix", dir + "/ctl", brokenBinRPC, "unixs:" + dir + "/ctl"},
		{"unixgram", dir + "/ctl.d", brokenBinRPC, "unixd:" + dir + "/ctl.d"},
		{"tcp", tcp, brokenBinRPC, "tcp:" + tcp},
		{"udp", udp, brokenBinRPC, "udp:" + udp},
		{"fifo", dir + "/ser_fifo", brokenLines, ""},
		{"fifo", dir + "/mi_fifo", brokenLines, ""},
		{"fifo", dir + "/json_fifo", brokenLines, ""},
	}
	for _, w := range wires {
		flood := func(n int) {
			for i := range n {
				if err := throw(w.network, w.addr, mangled(w.seeds, i)); err != nil {
					t.Fatalf("packet %d to %s: %v\n%s", i, w.addr, err, s.Log)
				}
			}
		}
		s.keepsMemory(t, "10000 packets to "+w.addr, func() { flood(1000) }, func() { flood(9000) })
		if w.call != "" {
			if got := command(t, tool(t, "sipcmd"), "-s", w.call, "core.version"); !strings.HasPrefix(got, "sipd ") {
				t.Errorf("after it core.version on %s is %q", w.call, got)
			}
		}
	}
	for pipe, method := range map[string]string{"ser_fifo": "core.version", "mi_fifo": "version"} {
		overPipe(t, filepath.Join(dir, pipe), "\n\n:"+method+":REPLY\n\n") // behind the rests of what was broken
	}
}

// throw sends one packet and does not wait for an answer.
func throw(network, addr string, packet []byte) error {
	if network == "fifo" {
		f, err := os.OpenFile(addr, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_ = f.SetWriteDeadline(time.Now().Add(10 * time.Second))
		_, err = f.Write(packet)
		return err
	}
	c, err := net.DialTimeout(network, addr, 10*time.Second)
	for end := time.Now().Add(10 * time.Second); errors.Is(err, syscall.EAGAIN) && time.Now().Before(end); {
		runtime.Gosched() // more connections wait than the kernel queues
		c, err = net.DialTimeout(network, addr, 10*time.Second)
	}
	if err != nil {
		return err
	}
	defer c.Close()
	_, _ = c.Write(packet) // the daemon may have closed it already
	return nil
}

// keepsMemory floods a daemon twice, the first time to let it take what it
// needs, and wants its memory to stay there the second time.
func (s *server) keepsMemory(t *testing.T, what string, first, second func()) {
	t.Helper()
	first()
	before := s.resident(t)
	second()
	if after := s.resident(t); after > before+32<<20 {
		t.Errorf("by %s memory went from %d to %d KiB", what, before>>10, after>>10)
	}
}

// resident is the daemon's memory in octets.
func (s *server) resident(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.cmd.Process.Pid))
	if err != nil {
		t.Skipf("skipped: there is no /proc here: %v", err)
	}
	var size, pages int
	_, _ = fmt.Sscan(string(b), &size, &pages)
	return pages * os.Getpagesize()
}

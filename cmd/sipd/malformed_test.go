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

	"sipd/rpc/socket/sockettest"
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
	tcp, udp := sockettest.Port(t), sockettest.Port(t)
	config := strings.NewReplacer("DIR", dir, "TCPPORT", fmt.Sprint(tcp), "UDPPORT", fmt.Sprint(udp)).Replace(malformedConfig)
	s := serve(t, configFile(t, config), "-l", "udp:ADDR")
	wires := []struct {
		network, addr string
		seeds         []string
		call          string // how sipcmd names it, "" when it has no name for it
	}{
		{"unix", dir + "/ctl", brokenBinRPC, "unixs:" + dir + "/ctl"},
		{"unixgram", dir + "/ctl.d", brokenBinRPC, "unixd:" + dir + "/ctl.d"},
		{"tcp", fmt.Sprintf("127.0.0.1:%d", tcp), brokenBinRPC, fmt.Sprintf("tcp:127.0.0.1:%d", tcp)},
		{"udp", fmt.Sprintf("127.0.0.1:%d", udp), brokenBinRPC, fmt.Sprintf("udp:127.0.0.1:%d", udp)},
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
		flood(1000)
		before := resident(t, s)
		flood(9000)
		if after := resident(t, s); after > before+32<<20 {
			t.Errorf("after 10000 packets to %s memory went from %d to %d KiB", w.addr, before>>10, after>>10)
		}
		if w.call != "" {
			if got := command(t, tool(t, "sipcmd"), "-s", w.call, "core.version"); !strings.HasPrefix(got, "sipd ") {
				t.Errorf("after it core.version on %s is %q", w.call, got)
			}
		}
	}
	for pipe, method := range map[string]string{"ser_fifo": "core.version", "mi_fifo": "version"} {
		askPipe(t, s, filepath.Join(dir, pipe), method)
	}
	if strings.Contains(s.Log.String(), "panic") {
		t.Errorf("something panicked:\n%s", s.Log)
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

// askPipe calls a method over a pipe, behind the rests of what was broken, and
// wants an answer.
func askPipe(t *testing.T, s *server, pipe, method string) {
	t.Helper()
	reply := fmt.Sprintf("sipd_test_%d_%s", os.Getpid(), filepath.Base(pipe))
	path := filepath.Join("/tmp", reply)
	if err := syscall.Mkfifo(path, 0o666); err != nil {
		t.Skip("no pipes here:", err)
	}
	defer os.Remove(path)
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := throw("fifo", pipe, []byte("\n\n:"+method+":"+reply+"\n\n")); err != nil {
		t.Fatal(err)
	}
	_ = f.SetReadDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, 4096)
	n, err := f.Read(b)
	if err != nil || n == 0 {
		t.Errorf("%s answers nothing after it: %v\n%s", pipe, err, s.Log)
	}
}

// resident is the daemon's memory in octets.
func resident(t *testing.T, s *server) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.cmd.Process.Pid))
	if err != nil {
		t.Skip("no /proc here")
	}
	var size, pages int
	_, _ = fmt.Sscan(string(b), &size, &pages)
	return pages * os.Getpagesize()
}

package routetest

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sipd/rpc/socket/sockettest"
)

// kamailio is a real Kamailio as a Target: it listens on a port of 127.0.0.1,
// peers are sockets on addresses of their own.
type kamailio struct {
	addr    netip.AddrPort
	control *net.UDPConn // sends the marks
	peers   map[string]*net.UDPConn
	marks   int
	ended   chan struct{} // closed when it has ended

	mu sync.Mutex
	// mu guards the fields below.
	lines []Out
	seen  chan string // marks that were read
	last  *Out
}

// patience is how long Kamailio may take to deal with a message.
const patience = time.Minute

// startKamailio runs Kamailio on a configuration until the test ends.
func startKamailio(t *testing.T, config string) *kamailio {
	t.Helper()
	exe, err := exec.LookPath("kamailio")
	if err != nil {
		t.Skip("skipped: there is no kamailio to record from")
	}
	dir, err := os.MkdirTemp("", "kam")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "kamailio.cfg")
	if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	k := &kamailio{peers: make(map[string]*net.UDPConn), seen: make(chan string, 64), ended: make(chan struct{})}
	k.control = listen(t, "127.0.0.1")
	k.addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(sockettest.Port(t)))
	cmd := exec.Command(exe, "-f", path, "-DD", "-E", "-n", "1", "-m", "32", "-Y", dir, "-l", "udp:"+k.addr.String())
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	log := make(chan string, 1)
	go func() {
		log <- k.read(bufio.NewReaderSize(stderr, 1<<20))
		close(k.ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		// It deadlocks at times when it ends: the group is ended whole then.
		kill := time.AfterFunc(5*time.Second, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		text := <-log
		kill.Stop()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("kamailio said:\n%s", text)
		}
	})
	if err := k.mark(patience); err != nil {
		t.Fatalf("kamailio does not start: %v", err)
	}
	if _, err := k.Take(); err != nil {
		t.Fatal(err)
	}
	return k
}

func listen(t *testing.T, ip string) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(ip)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// logRE takes a line of Kamailio's log apart: process, level, module, text.
var logRE = regexp.MustCompile(`^ *\d+\(\d+\) ([A-Z]+): (\{[^}]*\} )?(<[a-z]+>|[a-z_0-9]+)?(?: \[[^\]]*\])?:? ?(.*)$`)

// beginRE is the beginning of a log line.
var beginRE = regexp.MustCompile(` ?\d+\(\d{2,}\) (?:ALERT|BUG|CRITICAL|ERROR|WARNING|NOTICE|INFO|DEBUG): `)

// noiseRE is what the marks leave in the log.
var noiseRE = regexp.MustCompile(`message=<MARK|bad message \(offset|core parsing of SIP message failed|^>?$|sctp|SCTP`)

var markRE = regexp.MustCompile(`message=<MARK (\d+)`)

// read takes the log in until it ends, and answers its last part.
func (k *kamailio) read(r *bufio.Reader) string {
	var all []string
	for {
		line, err := r.ReadString('\n')
		if line != "" {
			if !noiseRE.MatchString(line) {
				all = append(all, line)
			}
			// xlog ends no line: another may begin in its midst.
			line = beginRE.ReplaceAllString(strings.TrimRight(line, "\n"), "\n$0")
			for part := range strings.SplitSeq(strings.TrimPrefix(line, "\n"), "\n") {
				k.line(part)
			}
		}
		if err != nil {
			return strings.Join(all[max(0, len(all)-60):], "")
		}
	}
}

func (k *kamailio) line(s string) {
	if m := markRE.FindStringSubmatch(s); m != nil {
		k.seen <- m[1]
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	m := logRE.FindStringSubmatch(s)
	switch {
	case m == nil:
		if k.last != nil && s != "" { // a line of many lines
			k.last.Text += "\n" + s
		}
	case m[3] == "<script>":
		k.lines = append(k.lines, Out{Level: m[1], Text: m[4]})
		k.last = &k.lines[len(k.lines)-1]
	default:
		k.last = nil
	}
}

// mark sends what Kamailio only logs, and waits for that line: the one worker
// has then dealt with everything before.
func (k *kamailio) mark(patience time.Duration) error {
	k.marks++
	want := fmt.Sprint(k.marks)
	deadline := time.Now().Add(patience)
	for {
		if _, err := k.control.WriteToUDPAddrPort([]byte("MARK "+want+" is a line that is no SIP\r\n\r\n"), k.addr); err != nil && time.Now().After(deadline) {
			return err
		}
		again := time.After(300 * time.Millisecond)
		for waiting := true; waiting; {
			select {
			case got := <-k.seen:
				if got == want {
					return nil
				}
			case <-k.ended:
				return errors.New("kamailio has ended")
			case <-again:
				waiting = false
			}
		}
		if time.Now().After(deadline) {
			return errors.New("kamailio does not answer")
		}
	}
}

func (k *kamailio) Proxy() netip.AddrPort { return k.addr }

func (k *kamailio) Peer(name string) (netip.AddrPort, error) {
	if c := k.peers[name]; c != nil {
		return c.LocalAddr().(*net.UDPAddr).AddrPort(), nil
	}
	i := slices.Index(Peers, name)
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, byte(2+i))})
	if err != nil {
		return netip.AddrPort{}, err
	}
	k.peers[name] = c
	return c.LocalAddr().(*net.UDPAddr).AddrPort(), nil
}

func (k *kamailio) Send(peer, msg string) error {
	if _, err := k.Peer(peer); err != nil {
		return err
	}
	if _, err := k.peers[peer].WriteToUDPAddrPort([]byte(msg), k.addr); err != nil {
		return err
	}
	return k.mark(patience)
}

// Wait waits in real time: Kamailio has no other.
func (k *kamailio) Wait(d time.Duration) error {
	<-time.After(d + 150*time.Millisecond)
	return k.mark(patience)
}

func (k *kamailio) Take() ([]Out, error) {
	k.mu.Lock()
	outs := k.lines
	k.lines, k.last = nil, nil
	k.mu.Unlock()
	buf := make([]byte, 65536)
	for _, name := range Peers {
		c := k.peers[name]
		if c == nil {
			continue
		}
		for {
			if err := c.SetReadDeadline(time.Now().Add(2 * time.Millisecond)); err != nil {
				return nil, err
			}
			n, _, err := c.ReadFromUDPAddrPort(buf)
			if err != nil {
				break
			}
			outs = append(outs, Out{Peer: name, Text: string(buf[:n])})
		}
	}
	return outs, nil
}

// Command demo tells the whole story of sipd unattended: it makes a database,
// starts the daemon, provisions two users, registers two phones with digest,
// sets a call up and tears it down, shows the live state, tunes a value, and
// ends with 0 when everything was as it should be.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"sipd/cmd/sipd/internal/phone"
)

func main() {
	bin := flag.String("bin", "bin", "folder of sipd, sipctl and sipcmd")
	config := flag.String("config", "docs/sipd.cfg", "configuration to serve")
	flag.Parse()
	if err := tell(*bin, *config, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// story is what the steps share.
type story struct {
	bin, dir, config string
	port             int
	out              io.Writer
	daemon           *exec.Cmd
	ended            chan error
	log              string
}

func tell(bin, config string, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "sipd-demo")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := &story{bin: bin, dir: dir, config: config, out: out, log: filepath.Join(dir, "sipd.log")}
	if s.port, err = freePort(); err != nil {
		return err
	}
	defer func() {
		if s.daemon != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	for _, step := range []struct {
		title string
		do    func() error
	}{
		{"An embedded database, a domain, two users", s.provision},
		{"The daemon serves it", s.start},
		{"Both phones register with digest, a wrong password does not; alice calls bob", s.call},
		{"A value is tuned while it runs", s.tune},
	} {
		fmt.Fprintf(out, "\n== %s\n", step.title)
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", strings.ToLower(step.title), err)
		}
	}
	fmt.Fprintln(out, "\nThat was all of it: every step did what it should.")
	return nil
}

func (s *story) db() string  { return "sqlite://" + filepath.Join(s.dir, "sipd.db") }
func (s *story) ctl() string { return "unixs:" + filepath.Join(s.dir, "sipd_ctl") }

// tool runs one of our commands and shows it as a person would have typed it.
func (s *story) tool(stdin, name string, args ...string) (string, error) {
	fmt.Fprintf(s.out, "$ %s %s\n", name, strings.Join(args, " "))
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Env = append(os.Environ(), "SIPCTL_DB="+s.db(), "SIPCMD_SERVER="+s.ctl())
	cmd.Stdin = strings.NewReader(stdin)
	b, err := cmd.CombinedOutput()
	fmt.Fprint(s.out, string(b))
	if err != nil {
		return string(b), fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return string(b), nil
}

func (s *story) provision() error {
	for _, step := range []struct {
		stdin string
		args  []string
	}{
		{"", []string{"db", "create", "--flavour", "kamailio"}},
		{"", []string{"domain", "add", "example.com"}},
		{"wonderland\n", []string{"user", "add", "alice@example.com", "--password-stdin"}},
		{"builder\n", []string{"user", "add", "bob@example.com", "--password-stdin"}},
		{"", []string{"user", "list"}},
	} {
		if _, err := s.tool(step.stdin, "sipctl", step.args...); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) start() error {
	logFile, err := os.Create(s.log)
	if err != nil {
		return err
	}
	defer logFile.Close()
	listen := fmt.Sprintf("127.0.0.1:%d", s.port)
	s.daemon = exec.Command(filepath.Join(s.bin, "sipd"), "-f", s.config, "-E", "-Y", s.dir,
		"-A", fmt.Sprintf("DBURL=%q", s.db()), "-A", "LISTEN=udp:"+listen, "-A", "LISTEN_TCP=tcp:"+listen)
	s.daemon.Stdout, s.daemon.Stderr = logFile, logFile
	if err := s.daemon.Start(); err != nil {
		s.daemon = nil
		return err
	}
	s.ended = make(chan error, 1)
	go func() { s.ended <- s.daemon.Wait() }()
	probe, err := phone.New("probe", "example.com", "", listen)
	if err != nil {
		return err
	}
	defer probe.Close()
	for range 100 {
		ctx, cancel := phone.Within(100 * time.Millisecond)
		err = probe.Options(ctx)
		cancel()
		if err == nil {
			_, err = s.tool("", "sipcmd", "core.version")
			return err
		}
		select {
		case <-s.ended:
			s.daemon = nil
			text, _ := os.ReadFile(s.log)
			return fmt.Errorf("sipd did not start:\n%s", text)
		default:
		}
	}
	return fmt.Errorf("sipd does not answer OPTIONS: %w", err)
}

func (s *story) call() error {
	server := fmt.Sprintf("127.0.0.1:%d", s.port)
	open := func(user, password string) (*phone.Phone, error) {
		p, err := phone.New(user, "example.com", password, server)
		if err == nil {
			p.Log = func(line string) { fmt.Fprintf(s.out, "  %-5s %s\n", user, line) }
		}
		return p, err
	}
	ctx, cancel := phone.Within(10 * time.Second)
	defer cancel()
	mallory, err := open("alice", "guessed")
	if err != nil {
		return err
	}
	defer mallory.Close()
	var refused *phone.StatusError
	if _, err := mallory.Register(ctx, 60); !errors.As(err, &refused) {
		return fmt.Errorf("a wrong password got %v, want a refusal", err)
	}
	alice, err := open("alice", "wonderland")
	if err != nil {
		return err
	}
	defer alice.Close()
	bob, err := open("bob", "builder")
	if err != nil {
		return err
	}
	defer bob.Close()
	for _, p := range []*phone.Phone{alice, bob} {
		if _, err := p.Register(ctx, 600); err != nil {
			return err
		}
	}
	if out, err := s.tool("", "sipcmd", "ul.lookup", "location", "bob@example.com"); err != nil || !strings.Contains(out, bob.Addr()) {
		return fmt.Errorf("bob's phone is not registered: %v", err)
	}
	if err := talk(ctx, alice, bob); err != nil {
		return err
	}
	_, err = s.tool("", "sipcmd", "tm.stats")
	return err
}

func talk(ctx context.Context, alice, bob *phone.Phone) error {
	call, err := alice.Invite(ctx, bob.AOR())
	if err != nil {
		return err
	}
	in := <-bob.Ringing
	for _, wait := range []struct {
		what string
		ch   chan struct{}
		do   func() error
	}{
		{"ACK", in.Acked, func() error { return nil }},
		{"BYE", in.Ended, func() error { return call.Bye(ctx) }},
	} {
		if err := wait.do(); err != nil {
			return err
		}
		select {
		case <-wait.ch:
		case <-ctx.Done():
			return fmt.Errorf("bob never saw the %s", wait.what)
		}
	}
	return nil
}

func (s *story) tune() error {
	p, err := phone.New("alice", "example.com", "wonderland", fmt.Sprintf("127.0.0.1:%d", s.port))
	if err != nil {
		return err
	}
	defer p.Close()
	ctx, cancel := phone.Within(10 * time.Second)
	defer cancel()
	var status *phone.StatusError
	if _, err := p.Invite(ctx, "0123@example.com"); !errors.As(err, &status) || status.Code != 403 {
		return fmt.Errorf("a number without a gateway got %v, want 403", err)
	}
	gateway, err := phone.New("gw", "example.com", "", fmt.Sprintf("127.0.0.1:%d", s.port))
	if err != nil {
		return err
	}
	defer gateway.Close()
	for _, args := range [][]string{
		{"cfg.get", "pstn", "gw_ip"},
		{"cfg.set_now_string", "pstn", "gw_ip", gateway.Addr()},
		{"cfg.get", "pstn", "gw_ip"},
	} {
		if _, err := s.tool("", "sipcmd", args...); err != nil {
			return err
		}
	}
	call, err := p.Invite(ctx, "0123@example.com")
	if err != nil {
		return fmt.Errorf("the same number with a gateway: %w", err)
	}
	fmt.Fprintln(s.out, "  the gateway answered the next call")
	return call.Bye(ctx)
}

// stop ends the daemon and wants it to end well.
func (s *story) stop() error {
	if err := s.daemon.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-s.ended:
		if err != nil {
			text, _ := os.ReadFile(s.log)
			return fmt.Errorf("sipd ended badly: %w\n%s", err, text)
		}
		return nil
	case <-time.After(10 * time.Second):
		return errors.Join(errors.New("sipd does not end on SIGTERM"), s.daemon.Process.Kill())
	}
}

// freePort asks the kernel for a port that UDP and TCP have free.
func freePort() (int, error) {
	for range 20 {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		l.Close()
		if err == nil {
			u.Close()
			return port, nil
		}
	}
	return 0, errors.New("no port is free for UDP and TCP")
}

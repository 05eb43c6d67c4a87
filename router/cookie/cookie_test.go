package cookie

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// peer answers as its function says; nothing for "".
func peer(t *testing.T, answer func(cookie, question string) []string) *Peer {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 4096)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			cookie, question, _ := strings.Cut(string(b[:n]), " ")
			for _, a := range answer(cookie, question) {
				_, _ = c.WriteTo([]byte(a), from)
			}
		}
	}()
	p := &Peer{Network: "udp4", Addr: c.LocalAddr().String()}
	t.Cleanup(func() {
		_ = c.Close()
		<-done
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// TestAsk: the answer is the one with the question's cookie, whole; others, and
// cookies that only begin alike, are passed over.
func TestAsk(t *testing.T) {
	p := peer(t, func(cookie, question string) []string {
		if question == "empty" {
			return []string{cookie + "\n"}
		}
		return []string{"0_stale old", cookie + "9 alike", cookie + " got " + question}
	})
	for question, want := range map[string]string{"a b": "got a b", "empty": ""} {
		got, err := p.Ask(t.Context(), []byte(question), time.Second, 1)
		if err != nil || got != want {
			t.Errorf("%q is answered %q, %v; want %q", question, got, err, want)
		}
	}
}

// TestRepeats: a question is repeated as often as told, then given up. An answer may
// be late on a busy machine: then the question came more often.
func TestRepeats(t *testing.T) {
	asked := make(chan string, 100)
	thirds := 0
	p := peer(t, func(cookie, question string) []string {
		asked <- question
		if question == "third" {
			if thirds++; thirds >= 3 {
				return []string{cookie + " at last"}
			}
		}
		return nil
	})
	if got, err := p.Ask(t.Context(), []byte("third"), 200*time.Millisecond, 50); err != nil || got != "at last" {
		t.Errorf("answered %q, %v", got, err)
	}
	if _, err := p.Ask(t.Context(), []byte("never"), 20*time.Millisecond, 2); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("no answer: %v", err)
	}
	count := make(map[string]int)
	for count["never"] < 2 {
		select {
		case q := <-asked:
			count[q]++
		case <-time.After(time.Minute):
			t.Fatalf("asked %v, want never twice", count)
		}
	}
	if count["third"] < 3 {
		t.Errorf("asked %v, want third three times", count)
	}
}

// TestGivenUp: a question ends with its context.
func TestGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := peer(t, func(_, _ string) []string { cancel(); return nil })
	if _, err := p.Ask(ctx, []byte("x"), time.Hour, 5); !errors.Is(err, context.Canceled) {
		t.Errorf("the question ends with %v", err)
	}
}

// TestSocket: questions leave from the address and with the type of service that
// are told; what is asked behind Close keeps no socket.
func TestSocket(t *testing.T) {
	p := peer(t, func(cookie, _ string) []string { return []string{cookie + " ok"} })
	p.Local, p.TOS = &net.UDPAddr{IP: net.IPv4(127, 0, 0, 77)}, 0xb8
	if _, err := p.Ask(t.Context(), []byte("x"), 10*time.Second, 5); err != nil {
		t.Skipf("skipped: no socket at 127.0.0.77: %v", err)
	}
	c := p.idle[0].(*net.UDPConn)
	if got := c.LocalAddr().(*net.UDPAddr).IP.String(); got != "127.0.0.77" {
		t.Errorf("the question left from %s", got)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	tos := 0
	if err := raw.Control(func(fd uintptr) { tos, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_TOS) }); err != nil || tos != 0xb8 {
		t.Errorf("the type of service is %#x, %v", tos, err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Ask(t.Context(), []byte("x"), 10*time.Second, 5); err != nil || len(p.idle) != 0 {
		t.Errorf("behind Close: %v, %d sockets are kept", err, len(p.idle))
	}
}

// TestAtOnce: questions that are under way together do not take each other's
// answers.
func TestAtOnce(t *testing.T) {
	p := peer(t, func(cookie, question string) []string { return []string{cookie + " " + question} })
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			question := time.Now().String()
			if got, err := p.Ask(t.Context(), []byte(question), 5*time.Second, 1); err != nil || got != question {
				t.Errorf("%q is answered %q, %v", question, got, err)
			}
		})
	}
	wg.Wait()
	if n := len(p.idle); n == 0 || n > maxIdle {
		t.Errorf("%d sockets are kept", n)
	}
}

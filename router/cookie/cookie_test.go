package cookie

import (
	"errors"
	"net"
	"os"
	"strings"
	"sync"
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
		got, err := p.Ask(t.Context(), []byte(question), time.Second, 1, nil)
		if err != nil || got != want {
			t.Errorf("%q is answered %q, %v; want %q", question, got, err, want)
		}
	}
}

// TestRepeats: a question is repeated as often as told, then given up.
func TestRepeats(t *testing.T) {
	var mu sync.Mutex
	asked := make(map[string]int)
	p := peer(t, func(cookie, question string) []string {
		mu.Lock()
		defer mu.Unlock()
		asked[question]++
		if question == "third" && asked[question] == 3 {
			return []string{cookie + " at last"}
		}
		return nil
	})
	if got, err := p.Ask(t.Context(), []byte("third"), 20*time.Millisecond, 5, nil); err != nil || got != "at last" {
		t.Errorf("answered %q, %v", got, err)
	}
	if _, err := p.Ask(t.Context(), []byte("never"), 20*time.Millisecond, 2, nil); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("no answer: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if asked["third"] != 3 || asked["never"] != 2 {
		t.Errorf("asked %v", asked)
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
			if got, err := p.Ask(t.Context(), []byte(question), 5*time.Second, 1, nil); err != nil || got != question {
				t.Errorf("%q is answered %q, %v", question, got, err)
			}
		})
	}
	wg.Wait()
	if n := len(p.idle); n == 0 || n > maxIdle {
		t.Errorf("%d sockets are kept", n)
	}
}

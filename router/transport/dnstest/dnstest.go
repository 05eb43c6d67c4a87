// Package dnstest is a name server for tests.
package dnstest

import (
	"errors"
	"maps"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// ServerFailure as a record has the server answer that it failed.
const ServerFailure = "SERVFAIL"

// Zone is a name server on a port of the loopback. It is safe for concurrent use.
type Zone struct {
	// Addr is its address and port.
	Addr string

	mu sync.Mutex
	// mu guards the fields below.
	records map[string][]string
	silent  map[string]bool
	asked   map[string]int
}

// Start serves records until the test ends: by "name. TYPE", without name and
// type.
func Start(t testing.TB, records map[string][]string) *Zone {
	t.Helper()
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	z := &Zone{Addr: pc.LocalAddr().String(), records: maps.Clone(records), silent: make(map[string]bool), asked: make(map[string]int)}
	ready := make(chan struct{})
	s := &dns.Server{PacketConn: pc, Handler: z, NotifyStartedFunc: func() { close(ready) }}
	done := make(chan error, 1)
	go func() { done <- s.ActivateAndServe() }()
	<-ready
	t.Cleanup(func() {
		if err := errors.Join(s.Shutdown(), <-done); err != nil {
			t.Error(err)
		}
	})
	return z
}

// Add adds a record.
func (z *Zone) Add(key, text string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.records[key] = append(z.records[key], text)
}

// Silence leaves questions for a name ("name.") without an answer.
func (z *Zone) Silence(name string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.silent[name] = true
}

// Asked is how often a question came.
func (z *Zone) Asked(key string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked[key]
}

// ServeDNS answers a question.
func (z *Zone) ServeDNS(w dns.ResponseWriter, in *dns.Msg) {
	q := in.Question[0]
	name, kind := strings.ToLower(q.Name), dns.TypeToString[q.Qtype]
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked[name+" "+kind]++
	if z.silent[name] {
		return
	}
	m := new(dns.Msg)
	m.SetRcode(in, dns.RcodeNameError)
	for _, text := range z.records[name+" "+kind] {
		if text == ServerFailure {
			m.Rcode = dns.RcodeServerFailure
			break
		}
		rr, err := dns.NewRR(q.Name + " 60 IN " + kind + " " + text)
		if err != nil {
			panic(err)
		}
		m.Rcode, m.Answer = dns.RcodeSuccess, append(m.Answer, rr)
	}
	_ = w.WriteMsg(m)
}

package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"sipd/router/cfg"
)

// ErrNoRecords: the name does not exist, or has no record of the kind.
var ErrNoRecords = errors.New("no such host or record")

const (
	// resolveLimit bounds a look-up, and lookupLimit each of its questions with
	// all repetitions, whatever resolv.conf says: a worker waits for it.
	resolveLimit = 5 * time.Second
	lookupLimit  = resolveLimit / 2
	// failureTTL is how long a question that nobody answered is not asked again.
	failureTTL = 5 * time.Second
	// entrySize is what a cached answer is taken to cost, for dns_cache_mem.
	entrySize = 512
	// filesEach is how often the files are looked at for changes.
	filesEach = 5 * time.Second
)

// question is what the cache is kept by.
type question struct {
	name string // lower case, without the last dot
	kind uint16
}

// answer is what is known. ready is closed when the rest is filled.
type answer struct {
	ready   chan struct{}
	rrs     []dns.RR
	err     error
	expires time.Time
	// The cache's mutex guards the fields below.
	used      time.Time
	permanent bool // entered by hand, never expires
}

// live says whether a ready answer still counts.
func (a *answer) live(now time.Time) bool { return a.permanent || now.Before(a.expires) }

// cache holds answers, and questions under way so that each is asked once.
type cache struct {
	mu sync.Mutex
	// mu guards the field below.
	answers map[question]*answer
}

// inHosts says whether the hosts file has a name.
func (r *Resolver) inHosts(name string) bool {
	_, ok := r.files.get(&r.opt).hosts[strings.ToLower(name)]
	return ok
}

// hostAddrs are the addresses of one family of a name, from the hosts file or
// the name servers.
func (r *Resolver) hostAddrs(ctx context.Context, snap *cfg.Snapshot, name string, kind uint16) ([]netip.Addr, error) {
	conf := r.files.get(&r.opt)
	if list, ok := conf.hosts[strings.ToLower(name)]; ok {
		var out []netip.Addr
		for _, a := range list {
			if a.Is4() == (kind == dns.TypeA) {
				out = append(out, a)
			}
		}
		if len(out) == 0 {
			return nil, ErrNoRecords
		}
		return out, nil
	}
	rrs, err := r.lookup(ctx, snap, name, kind)
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, rr := range rrs {
		var ip net.IP
		switch rr := rr.(type) {
		case *dns.A:
			ip = rr.A
		case *dns.AAAA:
			ip = rr.AAAA
		}
		if a, ok := netip.AddrFromSlice(ip); ok {
			out = append(out, a.Unmap())
		}
	}
	if len(out) == 0 {
		return nil, ErrNoRecords
	}
	return out, nil
}

// lookup answers a question from the cache or asks it.
func (r *Resolver) lookup(ctx context.Context, snap *cfg.Snapshot, name string, kind uint16) ([]dns.RR, error) {
	q := question{strings.ToLower(name), kind}
	if _, ok := dns.IsDomainName(q.name); !ok || q.name == "" {
		return nil, ErrNoRecords
	}
	now := time.Now()
	r.cache.mu.Lock()
	a := r.cache.answers[q]
	if a != nil {
		select {
		case <-a.ready:
			if a.live(now) {
				a.used = now
				r.cache.mu.Unlock()
				return a.rrs, a.err
			}
			a = nil
		default:
		}
	}
	if a != nil { // somebody is asking
		r.cache.mu.Unlock()
		select {
		case <-a.ready:
			return a.rrs, a.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	a = &answer{ready: make(chan struct{}), used: now}
	r.put(snap, q, a, now)
	r.cache.mu.Unlock()

	var ttl time.Duration
	a.rrs, ttl, a.err = r.ask(ctx, snap, q)
	a.expires = time.Now().Add(r.keep(snap, ttl, a.err))
	close(a.ready)
	return a.rrs, a.err
}

// put enters an answer, and makes room for it where there is none. cache.mu is
// held.
func (r *Resolver) put(snap *cfg.Snapshot, q question, a *answer, now time.Time) {
	c := &r.cache
	if c.answers == nil {
		c.answers = make(map[question]*answer)
	}
	if limit := max(r.core.DNSCacheMem.Get(snap)*1024/entrySize, 16); len(c.answers) >= limit {
		room := len(c.answers) / 8
		for _, live := range []bool{false, true} { // the expired first
			for k, old := range c.answers {
				if room == 0 {
					break
				}
				select {
				case <-old.ready:
					if !old.permanent && (live || now.After(old.expires)) {
						delete(c.answers, k)
						room--
					}
				default:
				}
			}
		}
	}
	c.answers[q] = a
}

// keep is how long an answer counts.
func (r *Resolver) keep(snap *cfg.Snapshot, ttl time.Duration, err error) time.Duration {
	c := r.core
	if !c.UseDNSCache.Bool(snap) {
		return 0
	}
	negative := time.Duration(c.DNSCacheNegativeTTL.Get(snap)) * time.Second
	switch {
	case errors.Is(err, ErrNoRecords):
		return negative
	case errors.Is(err, context.Canceled):
		return 0
	case err != nil:
		return min(negative, failureTTL)
	}
	ttl = max(ttl, time.Duration(c.DNSCacheMinTTL.Get(snap))*time.Second)
	if n := c.DNSCacheMaxTTL.Get(snap); n >= 0 {
		ttl = min(ttl, time.Duration(n)*time.Second)
	}
	return ttl
}

// Forget empties the cache.
func (r *Resolver) Forget() {
	r.cache.mu.Lock()
	defer r.cache.mu.Unlock()
	r.cache.answers = nil
}

// ask asks the name servers, the names of the search list one after another.
func (r *Resolver) ask(ctx context.Context, snap *cfg.Snapshot, q question) ([]dns.RR, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	start := time.Now()
	conf := r.files.get(&r.opt)
	names := []string{dns.Fqdn(q.name)}
	if r.core.DNSUseSearchList.Bool(snap) && (q.kind == dns.TypeA || q.kind == dns.TypeAAAA) {
		names = conf.client.NameList(q.name)
	}
	var rrs []dns.RR
	var ttl time.Duration
	err := ErrNoRecords
	for _, n := range names {
		rrs, ttl, err = r.askName(ctx, snap, conf, n, q.kind)
		if !errors.Is(err, ErrNoRecords) {
			break
		}
	}
	took := time.Since(start)
	if slow := r.core.DNSSlowQueryMS.Get(snap); slow > 0 && took > time.Duration(slow)*time.Millisecond {
		r.log.LogAttrs(ctx, slog.LevelWarn, "a slow look-up", slog.String("name", q.name),
			slog.String("type", dns.TypeToString[q.kind]), slog.Duration("took", took), slog.Any("err", err))
	}
	return rrs, ttl, err
}

// askName asks each server, as often as the settings say.
func (r *Resolver) askName(ctx context.Context, snap *cfg.Snapshot, conf *systemConf, name string, kind uint16) ([]dns.RR, time.Duration, error) {
	servers := conf.servers
	if n := r.core.DNSServersNo.Get(snap); n > 0 && n < len(servers) {
		servers = servers[:n]
	}
	timeout := time.Duration(conf.client.Timeout) * time.Second
	if n := r.core.DNSRetrTime.Get(snap); n > 0 {
		timeout = time.Duration(n) * time.Second
	}
	// Leave each server its turn inside the limit.
	timeout = min(timeout, lookupLimit/time.Duration(max(len(servers), 2)))
	if r.opt.Timeout > 0 {
		timeout = r.opt.Timeout
	}
	attempts := conf.client.Attempts
	if n := r.core.DNSRetrNo.Get(snap); n >= 0 {
		attempts = n + 1
	}
	err := errors.New("no name server is configured")
	for range max(attempts, 1) {
		for _, s := range servers {
			var rrs []dns.RR
			var ttl time.Duration
			rrs, ttl, err = r.exchange(ctx, s, name, kind, timeout)
			if err == nil || errors.Is(err, ErrNoRecords) {
				return rrs, ttl, err
			}
			if ctx.Err() != nil {
				return nil, 0, err
			}
		}
	}
	return nil, 0, err
}

// exchange asks one server once; over TCP when the answer does not fit.
func (r *Resolver) exchange(ctx context.Context, server, name string, kind uint16, timeout time.Duration) ([]dns.RR, time.Duration, error) {
	m := new(dns.Msg)
	m.SetQuestion(name, kind)
	m.SetEdns0(1232, false)
	c := dns.Client{Timeout: timeout, UDPSize: 1232}
	in, _, err := c.ExchangeContext(ctx, m, server)
	if err == nil && in.Truncated {
		c.Net = "tcp"
		in, _, err = c.ExchangeContext(ctx, m, server)
	}
	if err != nil {
		return nil, 0, err
	}
	switch in.Rcode {
	case dns.RcodeSuccess:
	case dns.RcodeNameError:
		return nil, 0, ErrNoRecords
	default:
		return nil, 0, fmt.Errorf("name server %s: %s", server, dns.RcodeToString[in.Rcode])
	}
	var rrs []dns.RR
	ttl := uint32(7 * 24 * 3600)
	for _, rr := range in.Answer {
		switch h := rr.Header(); {
		case h.Rrtype == kind:
			rrs = append(rrs, rr)
			ttl = min(ttl, h.Ttl)
		case h.Rrtype == dns.TypeCNAME: // the server followed it
			ttl = min(ttl, h.Ttl)
		}
	}
	if len(rrs) == 0 {
		return nil, 0, ErrNoRecords
	}
	return rrs, time.Duration(ttl) * time.Second, nil
}

// systemConf is what the system's files say.
type systemConf struct {
	client  *dns.ClientConfig
	servers []string
	hosts   map[string][]netip.Addr
}

// files keeps a systemConf and reads it again when the files change.
type files struct {
	mu sync.Mutex
	// mu guards the fields below.
	conf    *systemConf
	checked time.Time
	stamps  [2]time.Time
}

func (f *files) get(o *ResolverOptions) *systemConf {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if f.conf != nil && now.Sub(f.checked) < filesEach {
		return f.conf
	}
	f.checked = now
	stamps := [2]time.Time{modified(o.ResolvConf), modified(o.Hosts)}
	if f.conf == nil || stamps != f.stamps {
		f.conf, f.stamps = readSystem(o), stamps
	}
	return f.conf
}

func modified(path string) time.Time {
	st, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return st.ModTime()
}

func readSystem(o *ResolverOptions) *systemConf {
	conf := &systemConf{servers: o.Servers, hosts: readHosts(o.Hosts)}
	c, err := dns.ClientConfigFromFile(o.ResolvConf)
	if err != nil {
		c = &dns.ClientConfig{Servers: []string{"127.0.0.1"}, Port: "53", Ndots: 1, Timeout: 5, Attempts: 2} // resolv.conf(5)
	}
	conf.client = c
	if len(conf.servers) == 0 {
		for _, s := range c.Servers {
			conf.servers = append(conf.servers, net.JoinHostPort(s, c.Port))
		}
	} else {
		c.Search = nil // they belong to the system's servers
	}
	return conf
}

// readHosts reads hosts(5); a file that is not there has no hosts.
func readHosts(path string) map[string][]netip.Addr {
	hosts := make(map[string][]netip.Addr)
	text, err := os.ReadFile(path)
	if err != nil {
		return hosts
	}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		a, err := netip.ParseAddr(words[0])
		if err != nil {
			continue
		}
		for _, name := range words[1:] {
			name = strings.ToLower(strings.TrimSuffix(name, "."))
			if !slices.Contains(hosts[name], a.Unmap()) {
				hosts[name] = append(hosts[name], a.Unmap())
			}
		}
	}
	return hosts
}

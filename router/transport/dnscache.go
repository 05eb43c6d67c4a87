package transport

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"sipd/router/cfg"
)

// CacheEntry is one question that the resolver knows the answer to.
type CacheEntry struct {
	Name      string
	Kind      uint16 // as in RFC 1035: 1 is A
	Size      int    // octets that it is taken to cost
	Permanent bool   // entered by hand, never expires
	Negative  bool   // the answer is that there is none
	Expires   time.Duration
	Unused    time.Duration // since it was last asked for
	Records   []dns.RR
}

// errDNSName is a name that DNS has no room for.
var errDNSName = errors.New("not a name of the DNS")

// ParseKind reads a type of records: "A", "srv".
func ParseKind(s string) (uint16, bool) {
	k, ok := dns.StringToType[strings.ToUpper(s)]
	return k, ok
}

// KindName is the name of a type of records.
func KindName(kind uint16) string { return dns.TypeToString[kind] }

// snapshot is the runtime variables of now; nil, the defaults, before a manager
// gave the resolver any.
func (r *Resolver) snapshot() *cfg.Snapshot {
	if s := r.cfg.Load(); s != nil {
		return s.Snapshot()
	}
	return nil
}

// Resolver is the one that the manager asks.
func (m *Manager) Resolver() *Resolver { return m.opt.Resolver }

// Entries lists what is known now, sorted by name and type.
func (r *Resolver) Entries() []CacheEntry {
	now := time.Now()
	r.cache.mu.Lock()
	defer r.cache.mu.Unlock()
	var out []CacheEntry
	for q, a := range r.cache.answers {
		if e, ok := a.entry(q, now); ok {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b CacheEntry) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
	return out
}

// entry shows an answer; false for one that is under way or past its life. The
// cache's mutex is held.
func (a *answer) entry(q question, now time.Time) (CacheEntry, bool) {
	select {
	case <-a.ready:
	default:
		return CacheEntry{}, false
	}
	if !a.live(now) || a.err != nil && !errors.Is(a.err, ErrNoRecords) {
		return CacheEntry{}, false
	}
	e := CacheEntry{
		Name: q.name, Kind: q.kind, Size: entrySize, Permanent: a.permanent, Negative: a.err != nil,
		Unused: now.Sub(a.used), Records: a.rrs,
	}
	if !a.permanent {
		e.Expires = a.expires.Sub(now)
	}
	return e, true
}

// Used is how many octets the cache is taken to hold.
func (r *Resolver) Used() int {
	r.cache.mu.Lock()
	defer r.cache.mu.Unlock()
	return len(r.cache.answers) * entrySize
}

// Query answers one question as the routing would, from the cache or the name
// servers. An error is ErrNoRecords, or why nobody answered.
func (r *Resolver) Query(ctx context.Context, name string, kind uint16) (CacheEntry, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveLimit)
	defer cancel()
	rrs, err := r.lookup(ctx, r.snapshot(), strings.TrimSuffix(name, "."), kind)
	if err != nil {
		return CacheEntry{}, err
	}
	q := question{strings.ToLower(strings.TrimSuffix(name, ".")), kind}
	now := time.Now()
	r.cache.mu.Lock()
	defer r.cache.mu.Unlock()
	if a := r.cache.answers[q]; a != nil {
		if e, ok := a.entry(q, now); ok {
			return e, nil
		}
	}
	return CacheEntry{Name: q.name, Kind: kind, Size: entrySize, Records: rrs}, nil // not kept
}

// Enter puts an answer into the cache in place of what is there: rr is nil for
// "there is none". It counts for ttl, or for ever when permanent.
func (r *Resolver) Enter(name string, kind uint16, rr dns.RR, ttl time.Duration, permanent bool) error {
	q := question{strings.ToLower(strings.TrimSuffix(name, ".")), kind}
	if _, ok := dns.IsDomainName(q.name); !ok || q.name == "" {
		return errDNSName
	}
	now := time.Now()
	a := &answer{ready: make(chan struct{}), expires: now.Add(ttl), used: now, permanent: permanent, err: ErrNoRecords}
	if rr != nil {
		a.rrs, a.err = []dns.RR{rr}, nil
	}
	close(a.ready)
	r.cache.mu.Lock()
	defer r.cache.mu.Unlock()
	r.put(r.snapshot(), q, a, now)
	return nil
}

// Remove takes an answer out of the cache; false when there is none.
func (r *Resolver) Remove(name string, kind uint16) bool {
	q := question{strings.ToLower(strings.TrimSuffix(name, ".")), kind}
	r.cache.mu.Lock()
	defer r.cache.mu.Unlock()
	_, ok := r.cache.answers[q]
	delete(r.cache.answers, q)
	return ok
}

// Flush empties the cache; what never expires stays unless all is set.
func (r *Resolver) Flush(all bool) {
	r.cache.mu.Lock()
	defer r.cache.mu.Unlock()
	for q, a := range r.cache.answers {
		if all || !a.permanent {
			delete(r.cache.answers, q)
		}
	}
}

// AddressRecord is an A or AAAA record.
func AddressRecord(name string, a netip.Addr) dns.RR {
	h := dns.RR_Header{Name: dns.Fqdn(name), Class: dns.ClassINET, Rrtype: dns.TypeA}
	if a.Is4() {
		return &dns.A{Hdr: h, A: net.IP(a.AsSlice())}
	}
	h.Rrtype = dns.TypeAAAA
	return &dns.AAAA{Hdr: h, AAAA: net.IP(a.AsSlice())}
}

// ServiceRecord is an SRV record.
func ServiceRecord(name string, priority, weight, port uint16, target string) dns.RR {
	h := dns.RR_Header{Name: dns.Fqdn(name), Class: dns.ClassINET, Rrtype: dns.TypeSRV}
	return &dns.SRV{Hdr: h, Priority: priority, Weight: weight, Port: port, Target: dns.Fqdn(target)}
}

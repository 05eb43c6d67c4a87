package transport

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"sipd/router/cfg"
)

// query is one look-up of a host.
type query struct {
	r      *Resolver
	snap   *cfg.Snapshot
	name   string
	served []Proto
	v4, v6 bool
}

func (q *query) resolve(ctx context.Context, port uint16, p Proto, sips bool) ([]Dest, error) {
	if port != 0 {
		if p == ProtoNone {
			p = plainProto(sips)
		}
		return q.addresses(ctx, nil, q.name, port, p)
	}
	if p == ProtoNone && q.r.core.DNSTryNAPTR.Bool(q.snap) {
		if ds, err := q.naptr(ctx, sips); err != nil || len(ds) > 0 {
			return ds, err
		}
	}
	var failure error
	for _, try := range q.srvProtos(p, sips) {
		if q.r.inHosts(q.name) {
			break // the hosts file is the last word on its names
		}
		ds, err := q.srv(ctx, nil, srvPrefix(try)+q.name, try)
		if len(ds) > 0 {
			return ds, nil
		}
		if failure = err; err != nil {
			break // nobody answers: waiting again would cost the caller's time
		}
	}
	if p == ProtoNone {
		p = plainProto(sips)
	}
	ds, err := q.addresses(ctx, nil, q.name, p.DefaultPort(), p)
	if err != nil && failure != nil && errors.Is(err, ErrNoRecords) {
		err = failure // that the server did not answer says more
	}
	return ds, err
}

func srvPrefix(p Proto) string {
	switch p {
	case TCP:
		return "_sip._tcp."
	case TLS:
		return "_sips._tcp."
	case SCTP:
		return "_sip._sctp."
	case WS:
		return "_sip._ws."
	case WSS:
		return "_sips._ws."
	}
	return "_sip._udp."
}

// srvProtos are the protocols to ask SRV for, the preferred first.
func (q *query) srvProtos(p Proto, sips bool) []Proto {
	switch {
	case p != ProtoNone:
		return []Proto{p}
	case sips:
		return []Proto{TLS}
	}
	list := slices.DeleteFunc(slices.Clone(q.served), func(p Proto) bool { return q.preference(p) < 0 })
	slices.SortStableFunc(list, func(a, b Proto) int { return cmp.Compare(q.preference(b), q.preference(a)) })
	return list
}

// preference is dns_udp_pref and its like: the greater the better.
func (q *query) preference(p Proto) int {
	c := q.r.core
	switch p {
	case UDP:
		return c.DNSUDPPref.Get(q.snap)
	case TCP:
		return c.DNSTCPPref.Get(q.snap)
	case TLS:
		return c.DNSTLSPref.Get(q.snap)
	case SCTP:
		return c.DNSSCTPPref.Get(q.snap)
	}
	return -1
}

// naptrServices are the services of RFC 3263 §4.1.
var naptrServices = map[string]Proto{"SIP+D2U": UDP, "SIP+D2T": TCP, "SIPS+D2T": TLS, "SIP+D2S": SCTP}

// naptr asks for NAPTR records and follows those of protocols that are served,
// by order and preference of the zone (RFC 3263 §4.1), or with
// dns_naptr_ignore_rfc by our own preference first, as the elders.
func (q *query) naptr(ctx context.Context, sips bool) ([]Dest, error) {
	rrs, err := q.r.lookup(ctx, q.snap, q.name, dns.TypeNAPTR)
	if err != nil {
		return nil, ignoreMissing(err)
	}
	type choice struct {
		*dns.NAPTR
		p Proto
	}
	var list []choice
	for _, rr := range rrs {
		n, ok := rr.(*dns.NAPTR)
		if !ok || !strings.EqualFold(n.Flags, "s") || n.Regexp != "" {
			continue
		}
		p, ok := naptrServices[strings.ToUpper(n.Service)]
		if ok && slices.Contains(q.served, p) && (!sips || p == TLS) {
			list = append(list, choice{n, p})
		}
	}
	own := q.r.core.DNSNAPTRIgnoreRFC.Bool(q.snap)
	slices.SortStableFunc(list, func(a, b choice) int {
		zone := cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.Preference, b.Preference))
		if local := cmp.Compare(q.preference(b.p), q.preference(a.p)); own && local != 0 && q.preference(a.p) >= 0 && q.preference(b.p) >= 0 {
			return local
		}
		return zone
	})
	var ds []Dest
	for _, c := range list {
		var serr error
		if ds, serr = q.srv(ctx, ds, strings.TrimSuffix(c.Replacement, "."), c.p); serr != nil {
			err = serr
		}
	}
	if len(ds) > 0 {
		return ds, nil
	}
	return nil, ignoreMissing(err)
}

// ignoreMissing makes the absence of records no error: something else is asked.
func ignoreMissing(err error) error {
	if errors.Is(err, ErrNoRecords) {
		return nil
	}
	return err
}

// srv appends the destinations of SRV records.
func (q *query) srv(ctx context.Context, ds []Dest, name string, p Proto) ([]Dest, error) {
	rrs, err := q.r.lookup(ctx, q.snap, name, dns.TypeSRV)
	if err != nil {
		return ds, ignoreMissing(err)
	}
	list := make([]*dns.SRV, 0, len(rrs))
	for _, rr := range rrs {
		// The target "." says that there is decidedly no such service (RFC 2782).
		if s, ok := rr.(*dns.SRV); ok && s.Target != "." && s.Port != 0 {
			list = append(list, s)
		}
	}
	sortSRV(list, q.r.core.DNSSRVLB.Bool(q.snap), rand.IntN)
	for _, s := range list {
		if len(ds) >= maxDests {
			break
		}
		var aerr error
		if ds, aerr = q.addresses(ctx, ds, strings.TrimSuffix(s.Target, "."), s.Port, p); aerr != nil {
			err = aerr
		}
	}
	return ds, err
}

// sortSRV orders by priority, and inside one by weight: the greater first, or
// at random with the weight as chance (RFC 2782) when balance is set.
func sortSRV(list []*dns.SRV, balance bool, random func(n int) int) {
	slices.SortStableFunc(list, func(a, b *dns.SRV) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(b.Weight, a.Weight))
	})
	if !balance {
		return
	}
	for start := 0; start < len(list); {
		end := start
		for end < len(list) && list[end].Priority == list[start].Priority {
			end++
		}
		for i := start; i < end-1; i++ {
			sum := 0
			for _, s := range list[i:end] {
				sum += int(s.Weight)
			}
			pick := random(sum + 1)
			for j := i; j < end; j++ {
				if pick -= int(list[j].Weight); pick <= 0 {
					list[i], list[j] = list[j], list[i]
					break
				}
			}
		}
		start = end
	}
}

// The bits of core.dns_cache_flags.
const (
	onlyIPv4 = 1 << iota
	onlyIPv6
	preferIPv6
)

// addresses appends a host's addresses: IPv6 ones when there are no others, or
// the other way round where IPv6 is preferred, as with the elders.
func (q *query) addresses(ctx context.Context, ds []Dest, name string, port uint16, p Proto) ([]Dest, error) {
	if a, ok := parseLiteral(name); ok { // a target that should be a name
		return append(ds, Dest{Proto: p, Addr: netip.AddrPortFrom(a, port)}), nil
	}
	flags := q.r.core.DNSCacheFlags.Get(q.snap)
	v4 := q.v4 && flags&onlyIPv6 == 0
	v6 := q.v6 && flags&onlyIPv4 == 0 && q.r.core.DNSTryIPv6.Bool(q.snap)
	types := make([]uint16, 0, 2)
	if v4 {
		types = append(types, dns.TypeA)
	}
	if v6 {
		types = append(types, dns.TypeAAAA)
	}
	if flags&preferIPv6 != 0 {
		slices.Reverse(types)
	}
	err := ErrNoRecords
	for _, t := range types {
		list, lerr := q.r.hostAddrs(ctx, q.snap, name, t)
		if lerr != nil {
			if !errors.Is(lerr, ErrNoRecords) {
				err = lerr
			}
			continue
		}
		for _, a := range list {
			if len(ds) < maxDests {
				ds = append(ds, Dest{Proto: p, Addr: netip.AddrPortFrom(a, port)})
			}
		}
		return ds, nil
	}
	return ds, err
}

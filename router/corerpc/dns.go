package corerpc

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"sipd/router/transport"
	"sipd/rpc"
)

// Flags of an entry of the name cache, as the elders number them.
const (
	dnsNegative  = 1
	dnsPermanent = 2
)

// dnsTypes are the types of records that have methods of their own.
var dnsTypes = []string{"a", "aaaa", "cname", "ebl", "naptr", "ptr", "srv", "txt"}

// faultDNS is that of a name or type that is not in the cache.
var faultDNS = &rpc.Fault{Code: 400, Text: "Not found"}

// dns is the methods dns.*: the cache of the resolver.
func (s *Source) dns() []*rpc.Method {
	str := func(name, help string) rpc.Param { return rpc.Param{Name: name, Type: rpc.TString, Help: help} }
	num := func(name, help string) rpc.Param { return rpc.Param{Name: name, Type: rpc.TInt, Help: help} }
	name, ttl := str("name", "the domain name"), num("ttl", "seconds that it counts")
	flags := num("flags", "1: there is no such record, 2: it never expires")
	const entry = "struct {name, type: string, size_bytes, reference_counter: int, permanent: string, expires, last_used: int, " +
		"negative_entry: string, records: array of struct {rr_idx: int, …, rr_permanent: string, rr_expires: int}}"
	methods := []*rpc.Method{
		{
			Name: "dns.add_a", Help: "Puts an A record into the name cache.", Changes: true, Example: "host.example.com 300 192.0.2.9 0",
			Params: []rpc.Param{name, ttl, str("ip", "IPv4 address"), flags}, Handler: s.dnsAddAddress(dns.TypeA),
		},
		{
			Name: "dns.add_aaaa", Help: "Puts an AAAA record into the name cache.", Changes: true, Example: "host.example.com 300 2001:db8::9 0",
			Params: []rpc.Param{name, ttl, str("ip", "IPv6 address"), flags}, Handler: s.dnsAddAddress(dns.TypeAAAA),
		},
		{
			Name: "dns.add_srv", Help: "Puts an SRV record into the name cache.", Changes: true,
			Example: "_sip._udp.example.com 300 10 20 5060 host.example.com 0",
			Params: []rpc.Param{
				name, ttl, num("priority", "lower is tried first"), num("weight", "share among equals"), num("port", "port"),
				str("target", "the host"), flags,
			},
			Handler: s.dnsAddService,
		},
		{
			Name: "dns.debug", Help: "Lists the name cache: name, type, size, references, seconds to live, seconds unused, flags.",
			Reply:   "values: string, int, int, int, int, int, int for each name",
			Handler: func(_ context.Context, c *rpc.Call) error { return s.dnsDebug(c, false) },
		},
		{
			Name: "dns.debug_all", Help: "Lists the records of the name cache: name, type, index, size, references, seconds to live, " +
				"seconds unused, flags, what it is, the record, its seconds to live.",
			Reply:   "values: string, int, int, int, int, int, int, int, string, string, int for each record",
			Handler: func(_ context.Context, c *rpc.Call) error { return s.dnsDebug(c, true) },
		},
		{
			Name: "dns.delete_all", Help: "Empties the name cache but for what never expires.", Changes: true,
			Reply: "struct {status: string}", Handler: s.dnsFlush(false),
		},
		{
			Name: "dns.delete_all_force", Help: "Empties the name cache.", Changes: true,
			Reply: "struct {status: string}", Handler: s.dnsFlush(true),
		},
		{
			Name: "dns.lookup", Help: "Looks a name up and shows what is in the cache then.", Reply: entry, Example: "A example.com",
			Params: []rpc.Param{str("type", "A, AAAA, SRV, NAPTR, CNAME, TXT, PTR"), name}, Handler: s.dnsLookup,
		},
		{
			Name: "dns.mem_info", Help: "Tells the octets that the name cache uses and may use.", Reply: "values: int, int",
			Handler: func(_ context.Context, c *rpc.Call) error {
				c.Add(rpc.Int(s.Daemon.Resolver().Used()), rpc.Int(s.coreInt("dns_cache_mem")*1024))
				return nil
			},
		},
		{
			Name: "dns.view", Help: "Lists the name cache with the records.", List: true, Reply: entry,
			Handler: func(_ context.Context, c *rpc.Call) error {
				for _, e := range s.Daemon.Resolver().Entries() {
					c.Add(dnsEntry(&e))
				}
				return nil
			},
		},
	}
	for _, t := range dnsTypes {
		kind, known := transport.ParseKind(t)
		methods = append(methods, &rpc.Method{
			Name: "dns.delete_" + t, Help: "Takes the " + strings.ToUpper(t) + " records of a name out of the name cache.",
			Changes: true, Params: []rpc.Param{name}, Example: "host.example.com",
			Handler: func(_ context.Context, c *rpc.Call) error {
				if !known || !s.Daemon.Resolver().Remove(c.Str(0), kind) { // EBL is a type that nobody serves
					return faultDNS
				}
				return nil
			},
		})
	}
	return methods
}

// coreInt is a number of the group core.
func (s *Source) coreInt(name string) int {
	if v, ok := s.Cfg.Lookup("core", name); ok {
		n, _ := v.Value(s.Cfg.Snapshot()).(rpc.Int)
		return int(n)
	}
	return 0
}

var faultDNSAdd = &rpc.Fault{Code: 400, Text: "Failed to add the entry to the cache"}

// enter puts a record into the cache.
func (s *Source) enter(c *rpc.Call, kind uint16, rr dns.RR, flags int) error {
	if flags&dnsNegative != 0 {
		rr = nil
	}
	err := s.Daemon.Resolver().Enter(c.Str(0), kind, rr, time.Duration(c.Int(1))*time.Second, flags&dnsPermanent != 0)
	if err != nil || c.Int(1) < 0 {
		return faultDNSAdd
	}
	return nil
}

func (s *Source) dnsAddAddress(kind uint16) func(context.Context, *rpc.Call) error {
	return func(_ context.Context, c *rpc.Call) error {
		ip, err := netip.ParseAddr(c.Str(2))
		if err != nil || ip.Is4() != (kind == dns.TypeA) {
			return faultDNSAdd
		}
		return s.enter(c, kind, transport.AddressRecord(c.Str(0), ip), c.Int(3))
	}
}

func (s *Source) dnsAddService(_ context.Context, c *rpc.Call) error {
	for i := 2; i <= 4; i++ {
		if c.Int(i) < 0 || c.Int(i) > 0xffff {
			return faultDNSAdd
		}
	}
	if _, ok := dns.IsDomainName(c.Str(5)); !ok {
		return faultDNSAdd
	}
	rr := transport.ServiceRecord(c.Str(0), uint16(c.Int(2)), uint16(c.Int(3)), uint16(c.Int(4)), c.Str(5))
	return s.enter(c, dns.TypeSRV, rr, c.Int(6))
}

func (s *Source) dnsFlush(all bool) func(context.Context, *rpc.Call) error {
	return func(_ context.Context, c *rpc.Call) error {
		s.Daemon.Resolver().Flush(all)
		c.Add(rpc.Struct{rpc.M("status", rpc.String("ok"))})
		return nil
	}
}

func (s *Source) dnsLookup(ctx context.Context, c *rpc.Call) error {
	kind, ok := transport.ParseKind(c.Str(0))
	if !ok {
		return &rpc.Fault{Code: 400, Text: "Invalid type"}
	}
	e, err := s.Daemon.Resolver().Query(ctx, c.Str(1), kind)
	switch {
	case errors.Is(err, transport.ErrNoRecords):
		return faultDNS
	case err != nil:
		return rpc.Faultf(400, "Not found: %v", err)
	}
	c.Add(dnsEntry(&e))
	return nil
}

func seconds(d time.Duration) rpc.Int { return rpc.Int(d / time.Second) }

// left is seconds to live, begun ones counted.
func left(e *transport.CacheEntry) rpc.Int { return seconds(e.Expires + time.Second - 1) }

func (s *Source) dnsDebug(c *rpc.Call, records bool) error {
	for _, e := range s.Daemon.Resolver().Entries() {
		e := &e
		flags := rpc.Int(0)
		if e.Negative {
			flags |= dnsNegative
		}
		if e.Permanent {
			flags |= dnsPermanent
		}
		name, kind, size := rpc.String(e.Name), rpc.Int(e.Kind), rpc.Int(e.Size)
		if !records {
			c.Add(name, kind, size, rpc.Int(1), left(e), seconds(e.Unused), flags)
			continue
		}
		for i, rr := range e.Records {
			what, text := recordText(rr)
			c.Add(name, kind, rpc.Int(i), size, rpc.Int(1), left(e), seconds(e.Unused), flags,
				rpc.String(what), rpc.String(text), left(e))
		}
	}
	return nil
}

// recordText is what dns.debug_all says of a record.
func recordText(rr dns.RR) (what, text string) {
	switch rr := rr.(type) {
	case *dns.A:
		return "ip", rr.A.String()
	case *dns.AAAA:
		return "ip", rr.AAAA.String()
	case *dns.SRV:
		return "srv", host(rr.Target)
	case *dns.NAPTR:
		return "naptr", host(rr.Replacement)
	case *dns.CNAME:
		return "cname", host(rr.Target)
	case *dns.PTR:
		return "ptr", host(rr.Ptr)
	case *dns.TXT:
		return "txt", strings.Join(rr.Txt, "")
	}
	return "unknown", rr.String()
}

func host(name string) string { return strings.TrimSuffix(name, ".") }

func yesNo(b bool) rpc.String {
	if b {
		return "yes"
	}
	return "no"
}

// dnsEntry is one name of the cache as dns.view shows it.
func dnsEntry(e *transport.CacheEntry) rpc.Struct {
	out := rpc.Struct{
		rpc.M("name", rpc.String(e.Name)), rpc.M("type", rpc.String(transport.KindName(e.Kind))),
		rpc.M("size_bytes", rpc.Int(e.Size)), rpc.M("reference_counter", rpc.Int(1)),
		rpc.M("permanent", yesNo(e.Permanent)), rpc.M("expires", left(e)),
		rpc.M("last_used", seconds(e.Unused)), rpc.M("negative_entry", yesNo(e.Negative)),
	}
	if len(e.Records) == 0 {
		return out
	}
	records := rpc.Array{}
	for i, rr := range e.Records {
		r := append(rpc.Struct{rpc.M("rr_idx", rpc.Int(i))}, recordMembers(rr)...)
		records = append(records, append(r, rpc.M("rr_permanent", yesNo(e.Permanent)), rpc.M("rr_expires", left(e))))
	}
	return append(out, rpc.M("records", records))
}

func recordMembers(rr dns.RR) rpc.Struct {
	switch rr := rr.(type) {
	case *dns.SRV:
		return rpc.Struct{
			rpc.M("rr_name", rpc.String(host(rr.Target))), rpc.M("rr_port", rpc.Int(rr.Port)),
			rpc.M("rr_priority", rpc.Int(rr.Priority)), rpc.M("rr_weight", rpc.Int(rr.Weight)),
		}
	case *dns.NAPTR:
		return rpc.Struct{
			rpc.M("rr_order", rpc.Int(rr.Order)), rpc.M("rr_preference", rpc.Int(rr.Preference)),
			rpc.M("rr_flags", rpc.String(rr.Flags)), rpc.M("rr_service", rpc.String(rr.Service)),
			rpc.M("rr_regular_expression", rpc.String(rr.Regexp)), rpc.M("rr_replacement", rpc.String(host(rr.Replacement))),
		}
	case *dns.TXT:
		return rpc.Struct{rpc.M("rr_txt", rpc.String(strings.Join(rr.Txt, "")))}
	}
	what, text := recordText(rr)
	if what == "ip" {
		return rpc.Struct{rpc.M("rr_ip", rpc.String(text))}
	}
	return rpc.Struct{rpc.M("rr_name", rpc.String(text))}
}

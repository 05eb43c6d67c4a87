package permissions

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"sipd/db"
	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/rpc"
)

// address is a row: an address, a network or a domain of a group.
type address struct {
	group, port int
	addr        netip.Addr
	net         netip.Prefix
	domain      string
	tag         string
	hasTag      bool
}

// addressList is what was read; it does not change.
type addressList struct {
	byAddr   map[netip.Addr][]address
	byDomain map[string][]address
	nets     []address // by group, as Kamailio has them
	order    []address // addresses and domains as read
}

func (l *addressList) add(a address, ip string, mask, mostNets int) error {
	if a.group < 1 {
		return fmt.Errorf("address %q: a group is 1 or more, not %d", ip, a.group)
	}
	if a.port < 0 || a.port > 65535 {
		return fmt.Errorf("address %q: port %d", ip, a.port)
	}
	addr, ok := sip.ParseHostAddr(ip)
	switch {
	case !ok && ip == "":
		return fmt.Errorf("group %d: the address is empty", a.group)
	case !ok:
		a.domain = strings.ToLower(ip)
		l.byDomain[a.domain] = append(l.byDomain[a.domain], a)
		l.order = append(l.order, a)
		return nil
	}
	if mask == 0 {
		mask = addr.BitLen()
	}
	if mask < 0 || mask > addr.BitLen() {
		return fmt.Errorf("address %q: a mask is 0 to %d, not %d", ip, addr.BitLen(), mask)
	}
	if mask == addr.BitLen() {
		a.addr = addr
		l.byAddr[addr] = append(l.byAddr[addr], a)
		l.order = append(l.order, a)
		return nil
	}
	if len(l.nets) >= mostNets {
		return fmt.Errorf("more than %d networks; raise max_subnets", mostNets)
	}
	a.addr, a.net = addr, netip.PrefixFrom(addr, mask).Masked()
	l.nets = append(l.nets, a)
	return nil
}

// readAddresses reads the file or the table and swaps the list when all is right.
func (p *permissions) readAddresses(ctx context.Context) error {
	l := &addressList{byAddr: make(map[netip.Addr][]address), byDomain: make(map[string][]address)}
	var err error
	switch {
	case p.addressFile != "":
		err = p.addressesFromFile(l)
	case p.conn != nil && p.conn.DB != nil:
		err = p.addressesFromTable(ctx, l)
	}
	if err != nil {
		return err
	}
	slices.SortStableFunc(l.nets, func(a, b address) int { return a.group - b.group })
	p.addresses.Store(l)
	return nil
}

func (p *permissions) addressesFromTable(ctx context.Context, l *addressList) error {
	s := p.conn.Select(p.addressTable, []string{p.grpCol, p.ipCol, p.maskCol, p.portCol, p.tagCol}, nil, "")
	defer s.Close()
	return s.Each(ctx, nil, func(scan func(...any) error) error {
		var a address
		var ip db.Text
		var mask int
		var tag *string
		if err := scan(&a.group, &ip, &mask, &a.port, &tag); err != nil {
			return err
		}
		if tag != nil {
			a.tag, a.hasTag = *tag, true
		}
		if err := l.add(a, string(ip), mask, p.maxSubnets); err != nil {
			return fmt.Errorf("table %s: %w", p.addressTable, err)
		}
		return nil
	})
}

// addressesFromFile reads lines "group address [mask [port [tag]]]".
func (p *permissions) addressesFromFile(l *addressList) error {
	path := p.path(p.addressFile)
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("address_file: %w", err)
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	for n := 1; in.Scan(); n++ {
		line, _, _ := strings.Cut(in.Text(), "#")
		w := strings.Fields(line)
		if len(w) == 0 {
			continue
		}
		if err := l.addLine(w, p.maxSubnets); err != nil {
			return fmt.Errorf("%s: line %d: %w", path, n, err)
		}
	}
	return in.Err()
}

func (l *addressList) addLine(w []string, mostNets int) error {
	if len(w) < 2 || len(w) > 5 {
		return fmt.Errorf("want GROUP ADDRESS [MASK [PORT [TAG]]]")
	}
	var nums [4]int
	for i, at := range []int{0, 2, 3} {
		if at >= len(w) {
			break
		}
		n, err := strconv.Atoi(w[at])
		if err != nil {
			return fmt.Errorf("want a number, not %q", w[at])
		}
		nums[i] = n
	}
	a := address{group: nums[0], port: nums[2]}
	if len(w) == 5 {
		a.tag, a.hasTag = w[4], true
	}
	return l.add(a, w[1], nums[1], mostNets)
}

// find is the entry for an address or a domain; group 0 is any.
func (p *permissions) find(group int, host string, addr netip.Addr, port int) *address {
	l := p.addresses.Load()
	if l == nil {
		return nil
	}
	fits := func(a *address) bool {
		return (group == 0 || a.group == group) && (a.port == 0 || a.port == port)
	}
	list := l.byAddr[addr]
	if !addr.IsValid() {
		list = l.byDomain[strings.ToLower(host)]
	}
	for i := range list {
		if fits(&list[i]) {
			return &list[i]
		}
	}
	var best *address
	for i := range l.nets {
		a := &l.nets[i]
		if !fits(a) || !a.net.Contains(addr) {
			continue
		}
		if p.subnetMode == 0 {
			return a
		}
		if best == nil || a.net.Bits() > best.net.Bits() {
			best = a
		}
	}
	return best
}

func (p *permissions) allow(c *run.Context, group int, host string, addr netip.Addr, port int) *address {
	a := p.find(group, host, addr, port)
	if a != nil {
		p.tagged(c, a.tag, a.hasTag)
	}
	return a
}

func source(c *run.Context) (netip.Addr, int) {
	return c.Recv.Src.Addr().Unmap(), int(c.Recv.Src.Port())
}

func (p *permissions) newSource(a module.Args) (run.Func, error) {
	if err := p.wantAddresses(); err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		addr, port := source(c)
		return code(p.allow(c, a.Int(c, 0, 1), "", addr, port) != nil)
	}, nil
}

func (p *permissions) newAddress(a module.Args) (run.Func, error) {
	if err := p.wantAddresses(); err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		host := a.Str(c, 1)
		addr, _ := sip.ParseHostAddr(host)
		return code(p.allow(c, a.Int(c, 0, 0), host, addr, a.Int(c, 2, 0)) != nil)
	}, nil
}

func groupCode(a *address) int {
	if a == nil {
		return -1
	}
	return a.group
}

func (p *permissions) newSourceGroup(module.Args) (run.Func, error) {
	if err := p.wantAddresses(); err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		addr, port := source(c)
		return groupCode(p.allow(c, 0, "", addr, port))
	}, nil
}

func (p *permissions) newAddressGroup(a module.Args) (run.Func, error) {
	if err := p.wantAddresses(); err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		host := a.Str(c, 0)
		addr, _ := sip.ParseHostAddr(host)
		return groupCode(p.allow(c, 0, host, addr, a.Int(c, 1, 0)))
	}, nil
}

// wantAddresses refuses functions that could never be true.
func (p *permissions) wantAddresses() error {
	if p.addresses.Load() == nil {
		return fmt.Errorf(`there are no addresses; set modparam("permissions", "db_url", "…") or "address_file", and bit 1 of load_backends`)
	}
	return nil
}

// reload makes the handler of an RPC reload: one at a time, and not too often.
func (p *permissions) reload(read func(context.Context) error, backend int) func(context.Context, *rpc.Call) error {
	return func(ctx context.Context, c *rpc.Call) error {
		now, last := time.Now().Unix(), p.reloaded.Load()
		if last != 0 && now < last+int64(p.reloadDelta) || !p.reloaded.CompareAndSwap(last, now) {
			return &rpc.Fault{Code: 500, Text: "ongoing reload"}
		}
		if p.backends&backend == 0 {
			return &rpc.Fault{Code: 500, Text: "Reload failed."}
		}
		if err := read(ctx); err != nil {
			p.logError(ctx, "reload failed; what was read before stays", err)
			return &rpc.Fault{Code: 500, Text: "Reload failed."}
		}
		c.Add(rpc.Text("Reload OK"))
		return nil
	}
}

func tagText(a *address) rpc.Value {
	if !a.hasTag {
		return rpc.String("NULL")
	}
	return rpc.String(a.tag)
}

// slot numbers the rows as the tables of the elder do, in which they hash.
func slot(s string) rpc.Int {
	n := 0
	for i := range len(s) {
		n = (n*31 + int(s[i])) & 127
	}
	return rpc.Int(n)
}

func (p *permissions) dumpAddresses(_ context.Context, c *rpc.Call) error {
	l := p.addresses.Load()
	if l == nil {
		return &rpc.Fault{Code: 500, Text: "No address table"}
	}
	for i := range l.order {
		a := &l.order[i]
		if a.domain != "" {
			continue
		}
		c.Add(rpc.Struct{rpc.M("table", slot(a.addr.String())), rpc.M("group", rpc.Int(a.group)), rpc.M("item", rpc.Struct{
			rpc.M("ip", rpc.String(a.addr.String())), rpc.M("port", rpc.Int(a.port)), rpc.M("tag", tagText(a)),
		})})
	}
	return nil
}

func (p *permissions) dumpSubnets(_ context.Context, c *rpc.Call) error {
	l := p.addresses.Load()
	if l == nil {
		return &rpc.Fault{Code: 500, Text: "No subnet table"}
	}
	for i := range l.nets {
		a := &l.nets[i]
		c.Add(rpc.Struct{rpc.M("id", rpc.Int(i)), rpc.M("group", rpc.Int(a.group)), rpc.M("item", rpc.Struct{
			rpc.M("ip", rpc.String(a.addr.String())), rpc.M("mask", rpc.Int(a.net.Bits())), rpc.M("port", rpc.Int(a.port)), rpc.M("tag", tagText(a)),
		})})
	}
	return nil
}

// dumpDomains repeats the members of one struct for each domain, as Kamailio.
func (p *permissions) dumpDomains(_ context.Context, c *rpc.Call) error {
	l := p.addresses.Load()
	if l == nil {
		return &rpc.Fault{Code: 500, Text: "No domain list table"}
	}
	s := rpc.Struct{}
	for i := range l.order {
		if a := &l.order[i]; a.domain != "" {
			s = append(s, rpc.M("table", slot(a.domain)), rpc.M("group", rpc.Int(a.group)), rpc.M("item", rpc.Struct{
				rpc.M("domain_name", rpc.String(a.domain)), rpc.M("port", rpc.Int(a.port)), rpc.M("tag", tagText(a)),
			}))
		}
	}
	c.Add(s)
	return nil
}

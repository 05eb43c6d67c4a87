package pv

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"sipd/router/run"
	"sipd/router/sip"
)

// coreSelects are the selects that need no module.
func coreSelects(r *Registry) []SelectDef {
	defs := slices.Concat(uriSelects(), addressSelects(), plainSelects(), messageSelects(), environmentSelects(r))
	alias := map[string]string{
		"request_uri": "ruri", "f": "from", "t": "to", "m": "contact", "v": "via", "rr": "record_route",
		"remote_party_id": "rpid", "code": "status", "message": "msg", "r": "refer_to",
	}
	for _, d := range slices.Clone(defs) {
		for name, of := range alias {
			if of == d.Name {
				d2 := d
				d2.Name, d2.Help = name, "the same as @"+of
				defs = append(defs, d2)
			}
		}
	}
	return defs
}

// leaf ends a select: nothing may follow part i.
func leaf(get Getter, parts []SelectPart, i int) (Getter, error) {
	if i < len(parts) {
		return nil, unknownPart(parts, i)
	}
	return get, nil
}

// --- URIs

func uriSelects() []SelectDef {
	text := func(f func(*run.Context) string) Getter {
		return func(c *run.Context) run.Value { s := f(c); return str(s, s != "") }
	}
	ruri := func(c *run.Context) string {
		if !c.Msg.IsRequest() {
			return ""
		}
		return c.RURI()
	}
	dst := func(c *run.Context) string { return c.Main.DstURI }
	return []SelectDef{
		{Name: "ruri", Help: "request URI", New: func(p []SelectPart) (Getter, error) { return drillURI(text(ruri), rURI, p, 1) }},
		{Name: "dst_uri", Help: "next hop URI", New: func(p []SelectPart) (Getter, error) { return drillURI(text(dst), dURI, p, 1) }},
		{Name: "next_hop", Help: "next hop: @dst_uri, else @ruri", New: func(p []SelectPart) (Getter, error) {
			if len(p) == 2 && p[1].Name == "src_ip" {
				return nil, errf(0, "@next_hop.src_ip is not known before the request is sent")
			}
			return drillURI(text(nextHop), func(c *run.Context) (sip.URI, bool) { return parsed(nextHop(c)) }, p, 1)
		}},
	}
}

var uriMembers = []string{"type", "user", "rn_user", "pwd", "host", "port", "hostport", "params", "transport", "nameaddr", "headers"}

// drillURI compiles what follows a URI: parts[i] and on.
func drillURI(whole Getter, of uriOf, parts []SelectPart, i int) (Getter, error) {
	if i >= len(parts) {
		return whole, nil
	}
	part := func(f func(*sip.URI) run.Value) (Getter, error) { return leaf(uriPart(of, f), parts, i+1) }
	text := func(f func(*sip.URI) string) (Getter, error) {
		return part(func(u *sip.URI) run.Value { s := f(u); return str(s, s != "") })
	}
	switch parts[i].Name {
	case "type":
		return part(uriScheme)
	case "user":
		return text(func(u *sip.URI) string { return u.User })
	case "rn_user": // the user without the separators that RFC 3966 allows
		return text(func(u *sip.URI) string {
			return strings.NewReplacer("-", "", ".", "", "(", "", ")", "").Replace(u.User)
		})
	case "pwd":
		return text(func(u *sip.URI) string { return u.Password })
	case "host":
		return text(func(u *sip.URI) string { return u.Host })
	case "port":
		return part(func(u *sip.URI) run.Value { return str(portText(u.Port), u.Port != 0) })
	case "hostport":
		return text(hostPort)
	case "transport":
		return text(func(u *sip.URI) string {
			switch {
			case u.Transport != "":
				return u.Transport
			case u.Scheme == sip.SIPS:
				return "tls"
			}
			return "udp"
		})
	case "headers":
		return text(func(u *sip.URI) string { return u.Headers })
	case "params":
		name, n := paramName(parts, i)
		if name == "" {
			return text(func(u *sip.URI) string { return u.Params })
		}
		return leaf(uriPart(of, func(u *sip.URI) run.Value { return str(u.Param(name)) }), parts, n)
	case "nameaddr":
		return drillNameAddr(whole, parts, i+1)
	}
	return nil, unknownPart(parts, i, uriMembers...)
}

func hostPort(u *sip.URI) string {
	if u.Port == 0 {
		return u.Host
	}
	return u.Host + ":" + portText(u.Port)
}

// paramName reads params["x"] or params.x; n is the part behind it. An empty
// name means all parameters.
func paramName(parts []SelectPart, i int) (name string, n int) {
	switch {
	case parts[i].HasKey:
		return parts[i].Key, i + 1
	case i+1 < len(parts):
		return parts[i+1].Name, i + 2
	}
	return "", i + 1
}

// --- name-addr headers

// nameAddrOf finds a name-addr in the message.
type nameAddrOf func(c *run.Context) (sip.NameAddr, bool)

func addressSelects() []SelectDef {
	from := func(c *run.Context) (sip.NameAddr, bool) { return deref(c.Msg.From()) }
	to := func(c *run.Context) (sip.NameAddr, bool) { return deref(c.Msg.To()) }
	def := func(name, help string, whole Getter, of nameAddrOf, extra ...string) SelectDef {
		return SelectDef{Name: name, Help: help, New: func(p []SelectPart) (Getter, error) {
			if p[0].HasIndex || p[0].HasKey {
				return nil, errf(0, "@%s has no index", p[0].Name)
			}
			return drillAddress(whole, of, p, 1, extra)
		}}
	}
	listed := func(k sip.HeaderKind) nameAddrOf {
		return func(c *run.Context) (sip.NameAddr, bool) { return identity(c.Msg, k) }
	}
	return []SelectDef{
		def("from", "From", header(sip.HdrFrom), from, "tag"),
		def("to", "To", header(sip.HdrTo), to, "tag"),
		def("contact", "first Contact", header(sip.HdrContact), listed(sip.HdrContact),
			"q", "expires", "methods", "received", "instance"),
		def("record_route", "first Record-Route", header(sip.HdrRecordRoute), listed(sip.HdrRecordRoute)),
		def("route", "first Route", header(sip.HdrRoute), listed(sip.HdrRoute)),
		def("rpid", "Remote-Party-ID", header(sip.HdrRPID), listed(sip.HdrRPID), "tag"),
		def("refer_to", "Refer-To", header(sip.HdrReferTo), listed(sip.HdrReferTo), "tag"),
	}
}

func deref(n *sip.NameAddr, err error) (sip.NameAddr, bool) {
	if err != nil {
		return sip.NameAddr{}, false
	}
	return *n, true
}

// drillAddress compiles what follows a name-addr header. extra are parameters
// that have a name of their own there.
func drillAddress(whole Getter, of nameAddrOf, parts []SelectPart, i int, extra []string) (Getter, error) {
	if i >= len(parts) {
		return whole, nil
	}
	part := func(f func(*sip.NameAddr) run.Value) Getter {
		return func(c *run.Context) run.Value {
			n, ok := of(c)
			if !ok {
				return run.Null
			}
			return f(&n)
		}
	}
	name := parts[i].Name
	if slices.Contains(extra, name) {
		key := name
		if name == "instance" {
			key = "+sip.instance"
		}
		return leaf(part(func(n *sip.NameAddr) run.Value { return str(n.Param(key)) }), parts, i+1)
	}
	switch name {
	case "uri":
		whole := part(func(n *sip.NameAddr) run.Value { return str(n.URI, n.URI != "") })
		uri := func(c *run.Context) (sip.URI, bool) {
			n, ok := of(c)
			if !ok {
				return sip.URI{}, false
			}
			return parsed(n.URI)
		}
		return drillURI(whole, uri, parts, i+1)
	case "name":
		return leaf(part(func(n *sip.NameAddr) run.Value { return str(n.Display, n.Display != "") }), parts, i+1)
	case "params":
		key, n := paramName(parts, i)
		if key == "" {
			return leaf(part(func(n *sip.NameAddr) run.Value {
				return str(strings.TrimPrefix(n.Params, ";"), n.Params != "")
			}), parts, n)
		}
		return leaf(part(func(n *sip.NameAddr) run.Value { return str(n.Param(key)) }), parts, n)
	case "nameaddr":
		return drillAddress(whole, of, parts, i+1, extra)
	}
	return nil, unknownPart(parts, i, append([]string{"uri", "name", "params"}, extra...)...)
}

// drillNameAddr compiles what follows .nameaddr of any value.
func drillNameAddr(whole Getter, parts []SelectPart, i int) (Getter, error) {
	return drillAddress(whole, func(c *run.Context) (sip.NameAddr, bool) {
		n, err := sip.ParseNameAddr(whole(c).Text())
		return n, err == nil
	}, parts, i, nil)
}

// Drill compiles the parts from i on behind a value that is a name-addr or a
// URI: nameaddr, uri and params, and what follows them.
func Drill(whole Getter, parts []SelectPart, i int) (Getter, error) {
	if i >= len(parts) {
		return whole, nil
	}
	switch parts[i].Name {
	case "nameaddr":
		return drillNameAddr(whole, parts, i+1)
	case "uri", "params", "name":
		return drillNameAddr(whole, parts, i)
	}
	return nil, unknownPart(parts, i, "nameaddr", "uri", "params", "name")
}

// --- plain headers and the first line

func plainSelects() []SelectDef {
	plain := func(name string, get Getter) SelectDef {
		return SelectDef{Name: name, Help: strings.ReplaceAll(name, "_", " "), New: func(p []SelectPart) (Getter, error) {
			return leaf(get, p, 1)
		}}
	}
	defs := []SelectDef{
		plain("method", func(c *run.Context) run.Value { return run.Str(c.Msg.MethodName()) }),
		plain("version", func(c *run.Context) run.Value { return run.Str(c.Msg.Version()) }),
		plain("reason", func(c *run.Context) run.Value { return str(c.Msg.Reason(), !c.Msg.IsRequest()) }),
		plain("status", func(c *run.Context) run.Value {
			return str(strconv.Itoa(c.Msg.StatusCode()), !c.Msg.IsRequest())
		}),
		{Name: "cseq", Help: "CSeq", New: newCSeqSelect},
		{Name: "session_expires", Help: "Session-Expires", New: func(p []SelectPart) (Getter, error) {
			h := header(sip.HdrSessionExpires)
			if len(p) == 2 && p[1].Name == "refresher" {
				return func(c *run.Context) run.Value { return headerParam(h(c).Text(), "refresher") }, nil
			}
			return leaf(h, p, 1)
		}},
	}
	for name, k := range map[string]sip.HeaderKind{
		"call_id": sip.HdrCallID, "subject": sip.HdrSubject, "organization": sip.HdrOrganization,
		"priority": sip.HdrPriority, "user_agent": sip.HdrUserAgent, "content_type": sip.HdrContentType,
		"content_length": sip.HdrContentLength, "max_forwards": sip.HdrMaxForwards, "expires": sip.HdrExpires,
		"event": sip.HdrEvent, "date": sip.HdrDate, "min_se": sip.HdrMinSE, "sip_if_match": sip.HdrSIPIfMatch,
		"accept": sip.HdrAccept, "allow": sip.HdrAllow, "require": sip.HdrRequire, "supported": sip.HdrSupported,
		"unsupported": sip.HdrUnsupported, "server": sip.HdrServer,
	} {
		defs = append(defs, plain(name, header(k)))
	}
	for name, hdr := range map[string]string{"identity": "Identity", "identity_info": "Identity-Info"} {
		defs = append(defs, plain(name, namedHeader(hdr, 0)))
	}
	return defs
}

// namedHeader reads the i-th header of a name.
func namedHeader(name string, i int) Getter {
	return func(c *run.Context) run.Value {
		h := nthHeader(c.Msg, name, i)
		if h == nil {
			return run.Null
		}
		return run.Str(c.Msg.Value(h))
	}
}

func newCSeqSelect(p []SelectPart) (Getter, error) {
	if len(p) == 1 {
		return header(sip.HdrCSeq), nil
	}
	switch p[1].Name {
	case "num":
		return leaf(cseqNumber, p, 2)
	case "method":
		return leaf(func(c *run.Context) run.Value {
			q, err := c.Msg.CSeq()
			return str(q.MethodName, err == nil)
		}, p, 2)
	}
	return nil, unknownPart(p, 1, "num", "method")
}

// headerParam is a ;name=value parameter of a header's body.
func headerParam(body, name string) run.Value {
	_, rest, _ := strings.Cut(body, ";")
	v, ok := findParam(rest, name, ';')
	return str(v, ok)
}

// --- where the message came from, the fork set, the system, run-time settings

func environmentSelects(r *Registry) []SelectDef {
	byVar := func(name string) Getter {
		return func(c *run.Context) run.Value { return networkVar(r, name)(c) }
	}
	source := func(name, ip, port, sas string) SelectDef {
		members := map[string]Getter{"ip": byVar(ip), "port": byVar(port)}
		members["ip_port"] = func(c *run.Context) run.Value {
			_, s, _ := strings.Cut(members["proto_ip_port"](c).Text(), ":")
			return run.Str(s)
		}
		members["proto_ip_port"] = byVar(sas)
		members["proto"] = byVar("pr")
		return SelectDef{Name: name, Help: "address and port: " + name, New: func(p []SelectPart) (Getter, error) {
			if len(p) == 2 && members[p[1].Name] != nil {
				return members[p[1].Name], nil
			}
			return nil, unknownPart(p, len(p)-1, sortedKeys(members)...)
		}}
	}
	return []SelectDef{
		source("src", "si", "sp", "sas"),
		source("dst", "Ri", "Rp", ""),
		source("received", "Ri", "Rp", ""),
		{Name: "branch", Help: "fork set", New: newBranchSelect},
		{Name: "sys", Help: "daemon and clock", New: newSysSelect},
		{Name: "cfg_selected", Help: "@cfg_selected.group: the instance that cfg_select picked", New: newCfgSelected},
		{Name: "cfg_get", Help: "@cfg_get.group.name: a run-time setting", New: newCfgSelect},
	}
}

// networkVar finds a getter of networkVars; "" is the local socket with its
// protocol.
func networkVar(_ *Registry, name string) Getter {
	if name == "" {
		return func(c *run.Context) run.Value {
			b := append(append([]byte(nil), c.Recv.Proto.String()...), ':')
			return run.Str(string(appendAddrPort(b, c.Recv.Dst)))
		}
	}
	for _, d := range networkVars() {
		if d.Name == name {
			return d.Simple
		}
	}
	return fixed(run.Null)
}

func newBranchSelect(p []SelectPart) (Getter, error) {
	if len(p) < 2 {
		return nil, unknownPart(p, 0, "count", "uri", "dst_uri")
	}
	i := p[1].Index
	at := func(c *run.Context) *run.Branch {
		n := i
		if n < 0 {
			n += len(c.Branches)
		}
		if n < 0 || n >= len(c.Branches) {
			return nil
		}
		return &c.Branches[n]
	}
	field := func(f func(*run.Branch) run.Value) Getter {
		return func(c *run.Context) run.Value {
			if b := at(c); b != nil {
				return f(b)
			}
			return run.Null
		}
	}
	switch p[1].Name {
	case "count":
		return leaf(func(c *run.Context) run.Value { return run.Int(len(c.Branches)) }, p, 2)
	case "dst_uri":
		return leaf(field(func(b *run.Branch) run.Value { return str(b.DstURI, b.DstURI != "") }), p, 2)
	case "uri":
		if len(p) == 3 && p[2].Name == "q" {
			return field(func(b *run.Branch) run.Value {
				return str(string(strconv.AppendFloat(nil, float64(b.Q)/1000, 'f', -1, 64)), b.Q != run.QUnset)
			}), nil
		}
		return leaf(field(func(b *run.Branch) run.Value { return run.Str(b.URI) }), p, 2)
	}
	return nil, unknownPart(p, 1, "count", "uri", "dst_uri")
}

func newSysSelect(p []SelectPart) (Getter, error) {
	if len(p) < 2 {
		return nil, unknownPart(p, 0, "pid", "server_id", "unique", "now")
	}
	switch p[1].Name {
	case "pid":
		return leaf(fixed(run.Str(strconv.Itoa(os.Getpid()))), p, 2)
	case "server_id":
		return leaf(func(c *run.Context) run.Value { return run.Str(strconv.Itoa(c.Env.ServerID)) }, p, 2)
	case "unique":
		return leaf(func(c *run.Context) run.Value { return run.Str(uniqueID(c)) }, p, 2)
	case "now":
		return newNowSelect(p)
	}
	return nil, unknownPart(p, 1, "pid", "server_id", "unique", "now")
}

func newNowSelect(p []SelectPart) (Getter, error) {
	if len(p) == 2 {
		return func(c *run.Context) run.Value { return run.Str(strconv.FormatInt(c.Now().Unix(), 10)) }, nil
	}
	utc := p[2].Name == "gmt"
	if !utc && p[2].Name != "local" {
		return nil, unknownPart(p, 2, "local", "gmt")
	}
	layout := "%c"
	if p[2].HasKey {
		layout = p[2].Key
	}
	if err := checkStrftime(layout); err != nil {
		return nil, err
	}
	return leaf(func(c *run.Context) run.Value {
		var t time.Time
		if t = c.Now(); utc {
			t = t.UTC()
		}
		return run.Str(string(appendStrftime(nil, layout, t)))
	}, p, 3)
}

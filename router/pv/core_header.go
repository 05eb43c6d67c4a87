package pv

import (
	"os"
	"strings"

	"sipd/router/run"
	"sipd/router/sip"
)

// headerVars are the header fields, the body and the message as a whole.
func headerVars() []Def {
	fu := func(c *run.Context) run.Value { return nameAddrURI(c.Msg.From()) }
	tu := func(c *run.Context) run.Value { return nameAddrURI(c.Msg.To()) }
	fU, fd := uriPart(fromURI, uriUser), uriPart(fromURI, uriHost)
	tU, td := uriPart(toURI, uriUser), uriPart(toURI, uriHost)
	return []Def{
		{Name: "fu", Help: "URI of From", Simple: fu, SimpleSet: setAddress((*sip.Message).From, wholeURI)},
		{Name: "from", Help: "the same as $fu", Simple: fu, SimpleSet: setAddress((*sip.Message).From, wholeURI)},
		{Name: "fU", Help: "user of From", Simple: fU, SimpleSet: setAddress((*sip.Message).From, uriUserPart)},
		{Name: "fUl", Help: "length of $fU", Simple: length(fU)},
		{Name: "from.user", Help: "the same as $fU", Simple: fU, SimpleSet: setAddress((*sip.Message).From, uriUserPart)},
		{Name: "fd", Help: "host of From", Simple: fd, SimpleSet: setAddress((*sip.Message).From, uriHostPart)},
		{Name: "from.domain", Help: "the same as $fd", Simple: fd, SimpleSet: setAddress((*sip.Message).From, uriHostPart)},
		{Name: "fn", Help: "display name of From, quotes kept", Simple: func(c *run.Context) run.Value { return displayName(c.Msg.From()) }, SimpleSet: setAddress((*sip.Message).From, displayPart)},
		{Name: "ft", Help: "tag of From", Simple: func(c *run.Context) run.Value { return str(c.Msg.FromTag(), c.Msg.FromTag() != "") }},
		{Name: "tu", Help: "URI of To", Simple: tu, SimpleSet: setAddress((*sip.Message).To, wholeURI)},
		{Name: "to", Help: "the same as $tu", Simple: tu, SimpleSet: setAddress((*sip.Message).To, wholeURI)},
		{Name: "tU", Help: "user of To", Simple: tU, SimpleSet: setAddress((*sip.Message).To, uriUserPart)},
		{Name: "tUl", Help: "length of $tU", Simple: length(tU)},
		{Name: "to.user", Help: "the same as $tU", Simple: tU, SimpleSet: setAddress((*sip.Message).To, uriUserPart)},
		{Name: "td", Help: "host of To", Simple: td, SimpleSet: setAddress((*sip.Message).To, uriHostPart)},
		{Name: "to.domain", Help: "the same as $td", Simple: td, SimpleSet: setAddress((*sip.Message).To, uriHostPart)},
		{Name: "tn", Help: "display name of To, quotes kept", Simple: func(c *run.Context) run.Value { return displayName(c.Msg.To()) }, SimpleSet: setAddress((*sip.Message).To, displayPart)},
		{Name: "tt", Help: "tag of To", Simple: func(c *run.Context) run.Value { return str(c.Msg.ToTag(), c.Msg.ToTag() != "") }},
		{Name: "ci", Help: "Call-ID", Simple: func(c *run.Context) run.Value { return str(c.Msg.CallID(), c.Msg.CallID() != "") }},
		{Name: "cs", Help: "number of CSeq, as text", Simple: cseqNumber},
		{Name: "csb", Help: "body of CSeq", Simple: header(sip.HdrCSeq)},
		{Name: "ct", Help: "body of the first Contact", Simple: header(sip.HdrContact)},
		{Name: "cT", Help: "Content-Type", Simple: header(sip.HdrContentType)},
		{Name: "cl", Help: "Content-Length", Simple: contentLength},
		{Name: "ua", Help: "User-Agent", Simple: header(sip.HdrUserAgent)},
		{Name: "route_uri", Help: "URI of the first Route", Simple: routeURI},
		{Name: "rb", Help: "body", Simple: func(c *run.Context) run.Value { return str(c.Msg.Body(), c.Msg.Body() != "") }},
		{Name: "mb", Help: "the whole message", Simple: func(c *run.Context) run.Value { return run.Str(c.Msg.Raw()) }},
		{Name: "ml", Help: "length of the message, octets", Simple: func(c *run.Context) run.Value { return run.Int(len(c.Msg.Raw())) }},
		{Name: "mi", Help: "number of the message in this daemon", Simple: func(c *run.Context) run.Value { return run.Int(int(c.ID)) }},
		{Name: "pp", Help: "process id of the daemon", Simple: fixed(run.Int(os.Getpid()))},
		{Name: "hdr", Help: "$hdr(Name): a header's body; $(hdr(Name)[n]) counts from 0", New: newHdr},
		{Name: "hdrc", Help: "$hdrc(Name): how many headers of that name there are", New: newHdrCount},
		{Name: "hfl", Help: "$hfl(Name): like $hdr, over the values of comma-separated lists", New: newHfl},
		{Name: "hflc", Help: "$hflc(Name): how many values $hfl sees", New: newHflCount},
	}
}

func nameAddrURI(n *sip.NameAddr, err error) run.Value {
	if err != nil {
		return run.Null
	}
	return run.Str(n.URI)
}

func displayName(n *sip.NameAddr, err error) run.Value {
	if err != nil || n.Display == "" {
		return run.Null
	}
	return run.Str(n.Display)
}

func fromURI(c *run.Context) (sip.URI, bool) { return naURI(c.Msg.From()) }
func toURI(c *run.Context) (sip.URI, bool)   { return naURI(c.Msg.To()) }

func naURI(n *sip.NameAddr, err error) (sip.URI, bool) {
	if err != nil {
		return sip.URI{}, false
	}
	u, err := n.ParseURI()
	if err != nil {
		return sip.URI{}, false
	}
	return *u, true
}

// header reads the body of the first header of a kind.
func header(k sip.HeaderKind) Getter {
	return func(c *run.Context) run.Value {
		h := c.Msg.First(k)
		if h == nil {
			return run.Null
		}
		return run.Str(c.Msg.Value(h))
	}
}

func cseqNumber(c *run.Context) run.Value {
	h := c.Msg.First(sip.HdrCSeq)
	if h == nil {
		return run.Null
	}
	v := c.Msg.Value(h)
	i := 0
	for i < len(v) && v[i] >= '0' && v[i] <= '9' {
		i++
	}
	return str(v[:i], i > 0)
}

func contentLength(c *run.Context) run.Value {
	n, ok := c.Msg.ContentLength()
	if !ok {
		return run.Null
	}
	return run.Int(n)
}

func routeURI(c *run.Context) run.Value {
	h := c.Msg.First(sip.HdrRoute)
	if h == nil {
		return run.Null
	}
	n, err := sip.ParseNameAddr(firstOfList(c.Msg.Value(h)))
	if err != nil {
		return run.Null
	}
	return run.Str(n.URI)
}

// hdrName answers the header name in this run.
func hdrName(n *Name) (func(c *run.Context) string, error) {
	if !n.HasInner {
		return nil, errf(0, "$%s wants a header's name: $%s(Subject)", n.Class, n.Class)
	}
	if n.InnerEval != nil {
		return func(c *run.Context) string { return n.InnerEval(c).Text() }, nil
	}
	name := strings.TrimSpace(n.Inner)
	return func(*run.Context) string { return name }, nil
}

// newHdr compiles $hdr(Name)[n]: n from 0, negative from the end, [*] all
// joined with commas.
func newHdr(n *Name) (Var, error) {
	name, err := hdrName(n)
	if err != nil {
		return Var{}, err
	}
	switch {
	case n.IndexAll:
		return Var{Get: func(c *run.Context) run.Value { return joinHeaders(c.Msg, name(c)) }}, nil
	case !n.HasIndex && n.InnerEval == nil: // the common case
		if k := sip.KindOf(name(nil)); k != sip.HdrOther {
			return Var{Get: header(k)}, nil
		}
	}
	return Var{Get: func(c *run.Context) run.Value {
		h := nthHeader(c.Msg, name(c), n.At(c))
		if h == nil {
			return run.Null
		}
		return run.Str(c.Msg.Value(h))
	}}, nil
}

// nthHeader is the i-th header of a name from 0, or from the end from -1.
func nthHeader(m *sip.Message, name string, i int) *sip.Header {
	if name == "" {
		return nil
	}
	if i < 0 {
		if i += countHeaders(m, name); i < 0 {
			return nil
		}
	}
	h := m.FindName(name)
	for ; h != nil && i > 0; i-- {
		h = m.Next(h)
	}
	return h
}

func countHeaders(m *sip.Message, name string) int {
	n := 0
	if name == "" {
		return 0
	}
	for h := m.FindName(name); h != nil; h = m.Next(h) {
		n++
	}
	return n
}

func joinHeaders(m *sip.Message, name string) run.Value {
	first := nthHeader(m, name, 0)
	if first == nil {
		return run.Null
	}
	next := m.Next(first)
	if next == nil {
		return run.Str(m.Value(first))
	}
	b := append([]byte(nil), m.Value(first)...)
	for ; next != nil; next = m.Next(next) {
		b = append(append(b, ','), m.Value(next)...)
	}
	return run.Str(string(b))
}

func newHdrCount(n *Name) (Var, error) {
	name, err := hdrName(n)
	if err != nil {
		return Var{}, err
	}
	return Var{Get: func(c *run.Context) run.Value { return run.Int(countHeaders(c.Msg, name(c))) }}, nil
}

// newHfl compiles $hfl(Name)[n].
func newHfl(n *Name) (Var, error) {
	name, err := hdrName(n)
	if err != nil {
		return Var{}, err
	}
	if n.IndexAll {
		return Var{Get: func(c *run.Context) run.Value { return joinHeaders(c.Msg, name(c)) }}, nil
	}
	return Var{Get: func(c *run.Context) run.Value {
		i, hn := n.At(c), name(c)
		if i < 0 {
			if i += countListed(c.Msg, hn); i < 0 {
				return run.Null
			}
		}
		found := run.Null
		eachListed(c.Msg, hn, func(v string) bool {
			if i == 0 {
				found = run.Str(v)
			}
			i--
			return i >= 0
		})
		return found
	}}, nil
}

func newHflCount(n *Name) (Var, error) {
	name, err := hdrName(n)
	if err != nil {
		return Var{}, err
	}
	return Var{Get: func(c *run.Context) run.Value { return run.Int(countListed(c.Msg, name(c))) }}, nil
}

func countListed(m *sip.Message, name string) int {
	n := 0
	eachListed(m, name, func(string) bool { n++; return true })
	return n
}

// eachListed calls f for each value of the headers of a name. Only headers
// that are lists by their grammar are split at commas.
func eachListed(m *sip.Message, name string, f func(string) bool) {
	if name == "" {
		return
	}
	for h := m.FindName(name); h != nil; h = m.Next(h) {
		rest := m.Value(h)
		if !isList(h.Kind) {
			if !f(rest) {
				return
			}
			continue
		}
		for rest != "" {
			v := firstOfList(rest)
			if !f(strings.TrimSpace(v)) {
				return
			}
			rest = strings.TrimPrefix(rest[len(v):], ",")
		}
	}
}

// isList says whether a kind of header holds a comma-separated list.
func isList(k sip.HeaderKind) bool {
	switch k {
	case sip.HdrVia, sip.HdrContact, sip.HdrRoute, sip.HdrRecordRoute, sip.HdrPath, sip.HdrAllow, sip.HdrSupported,
		sip.HdrRequire, sip.HdrProxyRequire, sip.HdrUnsupported, sip.HdrAccept, sip.HdrDiversion, sip.HdrPAI,
		sip.HdrPPI, sip.HdrRPID:
		return true
	}
	return false
}

// firstOfList is the text up to the first comma outside quotes and angle
// brackets.
func firstOfList(s string) string {
	quoted, angle := false, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<':
			angle = true
		case c == '>':
			angle = false
		case c == ',' && !angle:
			return s[:i]
		}
	}
	return s
}

package rtpproxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"

	"sipd/router/run"
	"sipd/router/sip"
)

// rcProxied says that another relay changed the description already, rcNoRelay
// that no relay is up.
const (
	rcProxied = -2
	rcNoRelay = -3
)

// describe has a relay take each stream of the message's description, and writes
// where the relay receives them.
func (m *mod) describe(c *run.Context, o *options, ip string, offer bool) int {
	if o.lookup && !offer {
		return -1
	}
	body := c.Msg.Body()
	k, err := callOf(c)
	if err == nil && !hasSDP(c.Msg) {
		err = errors.New("the message has no session description")
	}
	if err != nil {
		return m.failed(c, err)
	}
	w := &work{m: m, c: c, o: o, body: body, ip: ip, create: offer && !o.lookup}
	if w.name, err = m.name(c, k, o); err != nil {
		return m.failed(c, err)
	}
	if w.from, w.to = k.from, k.to; o.lookup && c.Msg.IsRequest() || !o.lookup && c.Msg.IsRequest() != offer {
		w.from, w.to = k.to, k.from
	}
	if w.from == "" || o.lookup && w.to == "" {
		return -1
	}
	proxied := m.marker != "" && strings.Contains("\n"+strings.ReplaceAll(body, "\r", "\n"), "\n"+m.marker)
	if proxied && !o.forced {
		return rcProxied
	}
	if w.sdp, err = sip.ParseSDP(body); err == nil && len(w.sdp.Media) == 0 {
		err = errors.New("the session description has no media")
	}
	if err != nil {
		return m.failed(c, err)
	}
	for i := range w.sdp.Media {
		if err := w.stream(i, k.id); err != nil {
			if errors.Is(err, errNoRelay) {
				m.failed(c, err)
				return rcNoRelay
			}
			return m.failed(c, err)
		}
	}
	if !proxied && m.marker != "" {
		at := len(strings.TrimRight(body, "\r\n"))
		c.Msg.Edits.Insert(c.Msg.BodyOffset()+at, "\r\n"+m.marker)
	}
	return 1
}

// errNoRelay is a description that nobody takes.
var errNoRelay = errors.New("no media relay takes the session")

// work is one description on its way through a relay.
type work struct {
	m          *mod
	c          *run.Context
	o          *options
	body, ip   string
	name       string
	from, to   string
	create     bool
	sdp        sip.SDP
	bridged    bool // the letters of flag x were sent
	common     string
	session    bool // the session's address was replaced
	originDone bool
}

// stream has a relay take the ith stream.
func (w *work) stream(i int, callID string) error {
	media := &w.sdp.Media[i]
	addr, ok := w.sdp.Addr(i)
	if !ok {
		return errors.New("the session description has no c= line")
	}
	reply, err := w.ask(i, callID, media, addr)
	if err != nil {
		return err
	}
	port, relay, err := w.read(reply, addr)
	if err != nil {
		return err
	}
	e := editor{msg: w.c.Msg, body: w.body}
	old := w.body[media.PortAt.Start:media.PortAt.End]
	if old != "0" { // 0 turns the stream off
		e.replace(media.PortAt.Start, media.PortAt.End, strconv.Itoa(port))
	}
	if media.RTCP.End > 0 {
		number, _, _ := strings.Cut(w.body[media.RTCP.Start:media.RTCP.End], " ")
		e.replace(media.RTCP.Start, media.RTCP.Start+len(number), strconv.Itoa(port+1))
	}
	w.candidates(&e, i, relay, port)
	if media.Conn.End > 0 {
		e.address(media.Conn, relay)
	} else if !w.session {
		e.address(w.sdp.Conn, relay)
		w.session = true
	}
	if w.o.session && w.sdp.Conn.End > 0 && !w.session {
		e.address(w.sdp.Conn, relay)
		w.session = true
	}
	if !w.originDone && w.sdp.Origin.End > 0 {
		e.address(w.sdp.Origin, relay)
		w.originDone = true
	}
	return e.err
}

// ask sends the command for a stream: U or L, options, call, address and port
// that the party named, and the tags, each with the stream's number.
func (w *work) ask(i int, callID string, media *sip.SDPMedia, addr sip.SDPAddr) (string, error) {
	ip, v6 := w.body[addr.Start:addr.End], addr.V6
	if !w.o.real {
		src := w.c.Recv.Src.Addr().Unmap()
		ip = src.String()
	}
	letter := "L"
	if w.create {
		letter = "U"
	}
	if w.common == "" {
		w.common = w.o.common
	}
	if w.o.bridge && !w.bridged {
		w.bridged = true
		if v6 {
			w.common += "EI"
		} else {
			w.common += "IE"
		}
	}
	if v6 {
		w.common += "6"
	}
	tail := fmt.Sprintf(" %s %s %s %s;%d", w.name, ip, w.body[media.PortAt.Start:media.PortAt.End], w.from, i+1)
	if w.to != "" {
		tail += fmt.Sprintf(" %s;%d", w.to, i+1)
	}
	if w.create && w.m.timeoutSocket != "" {
		tag := w.m.tagFormat.Eval(w.c)
		if tag == "" {
			return "", errors.New("timeout_tag_pv is empty for this call")
		}
		tail += " " + w.m.timeoutSocket + " " + tag
	}
	reply, err := w.m.send(w.c, callID, func(n *node) string { return letter + w.common + w.perNode(n, media) + tail })
	if err != nil {
		return "", fmt.Errorf("%w: %w", errNoRelay, err)
	}
	return reply, nil
}

// perNode are the options that not every relay understands.
func (w *work) perNode(n *node, media *sip.SDPMedia) string {
	s := ""
	if w.o.repacket != "" {
		if n.repacket.Load() {
			s = w.o.repacket
		} else {
			w.c.Logger().LogAttrs(context.Background(), slog.LevelWarn, "the media relay cannot change packet times", slog.String("module", "rtpproxy"), slog.String("dst", n.url))
		}
	}
	if strings.Contains(media.Proto, "RTP") && n.payloads.Load() {
		if words := strings.Fields(w.body[media.Line.Start:media.Line.End]); len(words) > 3 {
			s += "c" + strings.Join(words[3:], ",")
		}
	}
	return s
}

// address is where a relay receives.
type address struct {
	text string
	v6   bool
}

// read takes a reply apart: port, address, 6 for IPv6.
func (w *work) read(reply string, old sip.SDPAddr) (int, address, error) {
	words := strings.Fields(reply)
	if len(words) == 0 {
		return 0, address{}, errors.New("the media relay's reply is empty")
	}
	port, err := strconv.Atoi(words[0])
	if err != nil || port <= 0 || port > 65535 {
		return 0, address{}, fmt.Errorf("the media relay answers %q", reply)
	}
	a := address{v6: old.V6}
	switch {
	case len(words) == 2:
		a.v6 = false
	case len(words) > 2:
		a.v6 = words[2] == "6"
	}
	was := w.body[old.Start:old.End]
	switch {
	case isNull(was, old.V6): // on hold
		if a.text = "0.0.0.0"; a.v6 {
			a.text = "::"
		}
	case w.ip != "":
		a.text = w.ip
	case len(words) > 1:
		a.text = words[1]
	default:
		a.text = w.c.Recv.Dst.Addr().Unmap().String()
	}
	if _, err := netip.ParseAddr(a.text); err != nil && w.ip == "" {
		return 0, address{}, fmt.Errorf("the media relay answers %q", reply)
	}
	return port, a, nil
}

func isNull(ip string, v6 bool) bool {
	if v6 {
		return strings.Trim(ip, "0:") == ""
	}
	return ip == "0.0.0.0"
}

// candidates adds the relay to the candidates of ICE, where the attribute says so.
func (w *work) candidates(e *editor, i int, relay address, port int) {
	if w.m.icePriorityVar.Get == nil {
		return
	}
	priority := 2
	if v := w.m.icePriorityVar.Get(w.c); !v.IsNull() {
		priority = v.Int()
	}
	media := &w.sdp.Media[i]
	at := strings.Index(w.body[media.Line.Start:media.Behind], "\na=candidate:")
	if priority <= 0 || at < 0 {
		return
	}
	foundation := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, relay.text)
	high, low := 2197815295, 2197815294
	if priority == 2 {
		high, low = 16777215, 16777214
	}
	e.insert(media.Line.Start+at+1, fmt.Sprintf("a=candidate:%s 2 UDP %d %s %d typ relay\r\na=candidate:%s 1 UDP %d %s %d typ relay\r\n",
		foundation, low, relay.text, port+1, foundation, high, relay.text, port))
}

// editor changes a body.
type editor struct {
	msg  *sip.Message
	body string
	err  error
}

func (e *editor) replace(from, to int, text string) {
	if e.body[from:to] == text || e.err != nil {
		return
	}
	at := e.msg.BodyOffset()
	e.err = e.msg.Edits.Replace(at+from, at+to, text)
}

func (e *editor) insert(at int, text string) { e.msg.Edits.Insert(e.msg.BodyOffset()+at, text) }

// address replaces an address, with its type when that changes.
func (e *editor) address(old sip.SDPAddr, a address) {
	if was := e.body[old.Start:old.End]; old.V6 == a.v6 && isNull(was, old.V6) {
		return
	}
	if old.V6 != a.v6 {
		kind := "IP4"
		if a.v6 {
			kind = "IP6"
		}
		e.replace(old.Type.Start, old.Type.End, kind)
	}
	e.replace(old.Start, old.End, a.text)
}

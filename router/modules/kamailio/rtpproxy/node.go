package rtpproxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"sipd/router/cookie"
)

// node is one media relay.
type node struct {
	url    string      // as written
	socket string      // path of a unix socket, "" for peer
	peer   cookie.Peer // over UDP
	set    int
	index  int
	weight int

	// disabledUntil is the Unix second from which it is tried again, 0 when it
	// is up, -1 when it is not tried by itself. off says that an operator turned
	// it off.
	disabledUntil atomic.Int64
	off           atomic.Bool
	// repacket and payloads say what it can do besides, tested that it was asked.
	repacket, payloads, tested atomic.Bool
}

// maxReply bounds what a unix socket answers.
const maxReply = 4096

// Versions of the control protocol, as relays tell them: what every one must
// have, and what adds a feature.
const (
	protocol    = "20040107"
	needed      = "20050322"
	canRepacket = "20071116"
	canPayloads = "20081102"
)

func setID(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 0 {
		return 0, fmt.Errorf("a set is a number, not %q", strings.TrimSpace(text))
	}
	return n, nil
}

// newNode reads udp:host:port, udp6:host:port, unix:path or a path.
func newNode(url string, set, weight int) (*node, error) {
	n := &node{url: url, set: set, weight: weight}
	if scheme, path, ok := strings.Cut(url, ":"); ok && strings.EqualFold(scheme, "unix") {
		n.socket = path
		return n, nil
	}
	if strings.HasPrefix(url, "/") {
		n.socket = url
		return n, nil
	}
	err := n.peer.SetURL(url)
	if errors.Is(err, cookie.ErrScheme) {
		err = fmt.Errorf("%q is no media relay; %w or unix:PATH", url, err)
	}
	return n, err
}

// addSet reads a value of rtpproxy_sock: [SET ==] relays, each with =WEIGHT.
func (m *mod) addSet(text string) error {
	set := 0
	if head, rest, ok := strings.Cut(text, "=="); ok {
		var err error
		if set, err = setID(head); err != nil {
			return err
		}
		text = rest
	}
	none := true
	for word := range strings.FieldsSeq(text) {
		url, w, has := strings.Cut(word, "=")
		weight := 1
		if has {
			var err error
			if weight, err = strconv.Atoi(w); err != nil || weight < 0 {
				return fmt.Errorf("the weight of %s is a number, not %q", url, w)
			}
		}
		n, err := newNode(url, set, weight)
		if err != nil {
			return err
		}
		m.add(n)
		none = false
	}
	if none {
		return errors.New("no media relay is named")
	}
	return nil
}

func (m *mod) add(n *node) {
	n.peer.Local = m.local
	n.index = len(m.nodes)
	m.nodes = append(m.nodes, n)
}

// inherit takes over what is known of the same relay.
func (n *node) inherit(o *node) {
	n.disabledUntil.Store(o.disabledUntil.Load())
	n.off.Store(o.off.Load())
	n.repacket.Store(o.repacket.Load())
	n.payloads.Store(o.payloads.Load())
	n.tested.Store(o.tested.Load())
}

// up says whether the relay may be asked now, or be tried again.
func (n *node) up(now time.Time) bool {
	until := n.disabledUntil.Load()
	return !n.off.Load() && until >= 0 && until <= now.Unix()
}

// ready asks a relay what it can do, when that is not known or it was down; it
// says whether the relay may be used.
func (n *node) ready(ctx context.Context, m *mod) bool {
	switch {
	case n.off.Load():
		return false
	case n.tested.Load() && n.disabledUntil.Load() == 0:
		return true
	}
	return n.test(ctx, m)
}

// test asks for the versions of the protocol.
func (n *node) test(ctx context.Context, m *mod) bool {
	version, err := n.ask(ctx, m, "V")
	if err == nil && version != protocol {
		err = fmt.Errorf("media relay %s speaks version %q of the protocol, not %s", n.url, version, protocol)
	}
	if err == nil && !n.can(ctx, m, needed) {
		err = fmt.Errorf("media relay %s lacks what version %s of the protocol brought", n.url, needed)
	}
	if err != nil {
		if ctx.Err() == nil { // else nobody waits for it
			n.disable(m, err)
		}
		return false
	}
	n.repacket.Store(n.can(ctx, m, canRepacket))
	n.payloads.Store(n.can(ctx, m, canPayloads))
	n.tested.Store(true)
	n.disabledUntil.Store(0)
	return true
}

func (n *node) can(ctx context.Context, m *mod, version string) bool {
	s, err := n.ask(ctx, m, "VF "+version)
	return err == nil && s == "1"
}

// disable leaves the relay alone for rtpproxy_disable_tout.
func (n *node) disable(m *mod, why error) {
	until := int64(-1)
	if m.disableTimeout >= 0 {
		until = time.Now().Unix() + int64(m.disableTimeout)
	}
	n.disabledUntil.Store(until)
	m.log.Warn("media relay is not used", slog.String("module", "rtpproxy"), slog.String("dst", n.url), slog.Any("err", why))
}

// ask sends a command and waits for the reply, which has no line end.
func (n *node) ask(ctx context.Context, m *mod, command string) (string, error) {
	if n.socket != "" {
		return n.askUnix(ctx, m, command)
	}
	reply, err := n.peer.Ask(ctx, []byte(command), m.wait(), m.tries)
	if err != nil {
		return "", fmt.Errorf("media relay %s: %w", n.url, err)
	}
	return strings.TrimSpace(reply), nil
}

// askUnix has a connection for each command, and no cookies.
func (n *node) askUnix(ctx context.Context, m *mod, command string) (string, error) {
	d := net.Dialer{Timeout: m.wait()}
	c, err := d.DialContext(ctx, "unix", n.socket)
	if err != nil {
		return "", fmt.Errorf("media relay %s: %w", n.url, err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	if err := c.SetDeadline(time.Now().Add(m.wait())); err != nil {
		return "", err
	}
	if _, err := c.Write([]byte(command)); err != nil {
		return "", fmt.Errorf("media relay %s: %w", n.url, err)
	}
	buf := make([]byte, maxReply)
	k, err := c.Read(buf)
	if k == 0 && err != nil {
		return "", fmt.Errorf("media relay %s: %w", n.url, err)
	}
	return strings.TrimSpace(string(buf[:k])), nil
}

// choose is the relay of a set for a call: by the sum of the Call-ID's octets
// and the weights of those that are up, as Kamailio chooses. When all are down
// each of them is tried once more. nil when none is left.
func (m *mod) choose(ctx context.Context, set int, callID string) *node {
	sum := 0
	for i := range len(callID) {
		sum += int(callID[i])
	}
	sum &= 0xff
	for range len(m.nodes) + 1 {
		fit, weights := m.fit(set)
		if weights == 0 {
			if !m.retry(ctx, set) {
				return nil
			}
			continue
		}
		cut := sum % weights
		for _, n := range fit {
			if cut < n.weight {
				if n.ready(ctx, m) {
					return n
				}
				break
			}
			cut -= n.weight
		}
	}
	return nil
}

// fit are the relays of a set that may be asked, with the sum of their weights.
func (m *mod) fit(set int) (fit []*node, weights int) {
	now := time.Now()
	for _, n := range m.nodes {
		if n.set == set && n.up(now) {
			fit = append(fit, n)
			weights += n.weight
		}
	}
	return fit, weights
}

// retry asks all relays of a set that are down; it says whether one is back. The
// only relay of a set has its rest, as with Kamailio: each call would wait for it.
func (m *mod) retry(ctx context.Context, set int) bool {
	n := 0
	for _, x := range m.nodes {
		if x.set == set {
			n++
		}
	}
	if n < 2 {
		return false
	}
	back := false
	for _, n := range m.nodes {
		if n.set == set && !n.off.Load() && n.weight > 0 && n.disabledUntil.Load() != 0 && n.test(ctx, m) {
			back = true
		}
	}
	return back
}

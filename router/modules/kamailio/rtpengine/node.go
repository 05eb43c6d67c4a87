package rtpengine

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// node is one media relay.
type node struct {
	url    string // as written
	addr   string // host:port
	net    string // "udp", "udp4" or "udp6"
	set    int
	index  int
	weight int

	// disabledUntil is the Unix second from which it is tried again; 0 when it
	// is up. off says that an operator turned it off.
	disabledUntil atomic.Int64
	off           atomic.Bool
	next          atomic.Uint64 // cookies

	mu sync.Mutex
	// mu guards idle: sockets that are not in use.
	idle []net.Conn
}

// maxIdle bounds the sockets kept for a node.
const maxIdle = 32

// parseNode reads udp:host:port[=weight].
func parseNode(text string, set int) (*node, error) {
	url, weight, has := strings.Cut(text, "=")
	n := &node{url: url, set: set, weight: 1}
	if has {
		var err error
		if n.weight, err = strconv.Atoi(weight); err != nil || n.weight < 0 {
			return nil, fmt.Errorf("the weight of %s is a number, not %q", url, weight)
		}
	}
	scheme, addr, _ := strings.Cut(url, ":")
	switch scheme {
	case "udp":
		n.net = "udp4"
	case "udp6":
		n.net = "udp6"
	case "ws", "wss":
		return nil, fmt.Errorf("%s: media relays over WebSocket are not supported; use udp:HOST:PORT", url)
	default:
		return nil, fmt.Errorf("%q is no media relay; want udp:HOST:PORT or udp6:HOST:PORT", text)
	}
	i := strings.LastIndexByte(addr, ':')
	if i <= 0 || i == len(addr)-1 {
		return nil, fmt.Errorf("%s has no port; want udp:HOST:PORT", url)
	}
	if p, err := strconv.ParseUint(addr[i+1:], 10, 16); err != nil || p == 0 {
		return nil, fmt.Errorf("%s: %q is no port", url, addr[i+1:])
	}
	n.addr = net.JoinHostPort(strings.Trim(addr[:i], "[]"), addr[i+1:])
	return n, nil
}

// parseNodes reads a value of rtpengine_sock: [SET ==] nodes.
func parseNodes(text string, def int) ([]*node, error) {
	set := def
	if head, rest, ok := strings.Cut(text, "=="); ok {
		var err error
		if set, err = strconv.Atoi(strings.TrimSpace(head)); err != nil || set < 0 {
			return nil, fmt.Errorf("a set is a number, not %q", strings.TrimSpace(head))
		}
		text = rest
	}
	var list []*node
	for word := range strings.FieldsSeq(text) {
		n, err := parseNode(word, set)
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	if len(list) == 0 {
		return nil, errors.New("no media relay is named")
	}
	return list, nil
}

// up says whether a node may be asked now.
func (n *node) up(now time.Time) bool { return !n.off.Load() && n.disabledUntil.Load() <= now.Unix() }

// ask sends a command and waits for its reply, tries times for timeout each.
func (n *node) ask(ctx context.Context, command dict, timeout time.Duration, tries int, local *net.UDPAddr) (dict, error) {
	c, err := n.conn(local)
	if err != nil {
		return nil, err
	}
	cookie := strconv.FormatUint(n.next.Add(1), 36) + "_" + strconv.FormatInt(time.Now().UnixNano(), 36)
	packet := encode(append([]byte(cookie), ' '), command)
	buf := make([]byte, 64<<10)
	for range max(tries, 1) {
		if _, err = c.Write(packet); err != nil {
			break
		}
		var reply dict
		if reply, err = await(ctx, c, buf, cookie, timeout); err == nil {
			n.keep(c)
			return reply, nil
		}
		if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
			break
		}
	}
	_ = c.Close() // a late reply must not meet the next command
	return nil, fmt.Errorf("media relay %s: %w", n.url, err)
}

// await reads until the reply to a cookie comes.
func await(ctx context.Context, c net.Conn, buf []byte, cookie string, timeout time.Duration) (dict, error) {
	deadline := time.Now().Add(timeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := c.SetReadDeadline(deadline); err != nil {
		return nil, err
	}
	for {
		k, err := c.Read(buf)
		if err != nil {
			return nil, err
		}
		text, ok := strings.CutPrefix(string(buf[:k]), cookie+" ")
		if !ok {
			continue // of an earlier command
		}
		v, err := decode(text)
		if err != nil {
			return nil, err
		}
		d, ok := v.(dict)
		if !ok {
			return nil, errBencode
		}
		return d, nil
	}
}

func (n *node) conn(local *net.UDPAddr) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if k := len(n.idle); k > 0 {
		c := n.idle[k-1]
		n.idle = n.idle[:k-1]
		return c, nil
	}
	d := net.Dialer{Timeout: 5 * time.Second}
	if local != nil {
		d.LocalAddr = local
	}
	c, err := d.Dial(n.net, n.addr)
	if err != nil {
		return nil, fmt.Errorf("media relay %s: %w", n.url, err)
	}
	return c, nil
}

func (n *node) keep(c net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.idle) < maxIdle {
		n.idle = append(n.idle, c)
		return
	}
	_ = c.Close()
}

func (n *node) close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var errs []error
	for _, c := range n.idle {
		errs = append(errs, c.Close())
	}
	n.idle = nil
	return errors.Join(errs...)
}

// choose is the node of a set for a call: by weight, and always the same for
// the same call while the same nodes are up. not are nodes that failed.
func choose(list []*node, set int, callID string, now time.Time, not []*node) *node {
	var fit []*node
	sum := 0
	for _, n := range list {
		if n.set == set && n.weight > 0 && n.up(now) && !contains(not, n) {
			fit = append(fit, n)
			sum += n.weight
		}
	}
	if sum == 0 {
		return nil
	}
	k := int(crc32.ChecksumIEEE([]byte(callID)) % uint32(sum))
	for _, n := range fit {
		if k -= n.weight; k < 0 {
			return n
		}
	}
	return fit[len(fit)-1]
}

func contains(list []*node, n *node) bool {
	for _, o := range list {
		if o == n {
			return true
		}
	}
	return false
}

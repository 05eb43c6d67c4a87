package rtpengine

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"sipd/router/cookie"
)

// node is one media relay of a set, as the configuration or the table has it.
type node struct {
	*remote

	set, index, weight int
}

// remote is what is known of a relay; it outlives a reload of the table.
type remote struct {
	url  string // as written
	peer cookie.Peer
	// disabledUntil is the Unix second from which it is tried again; 0 when it
	// is up. off says that an operator turned it off.
	disabledUntil atomic.Int64
	off           atomic.Bool
}

// parseNode reads udp:host:port[=weight].
func parseNode(text string, set int) (*node, error) {
	url, weight, has := strings.Cut(text, "=")
	n := &node{remote: &remote{url: url}, set: set, weight: 1}
	if has {
		var err error
		if n.weight, err = strconv.Atoi(weight); err != nil || n.weight < 0 {
			return nil, fmt.Errorf("the weight of %s is a number, not %q", url, weight)
		}
	}
	if scheme, _, _ := strings.Cut(url, ":"); scheme == "ws" || scheme == "wss" {
		return nil, fmt.Errorf("%s: media relays over WebSocket are not supported; use udp:HOST:PORT", url)
	}
	err := n.peer.SetURL(url)
	if errors.Is(err, cookie.ErrScheme) {
		err = fmt.Errorf("%q is no media relay; %w", text, err)
	}
	return n, err
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
func (n *node) ask(ctx context.Context, command dict, timeout time.Duration, tries int) (dict, error) {
	text, err := n.peer.Ask(ctx, encode(nil, command), timeout, tries)
	if err != nil {
		return nil, fmt.Errorf("media relay %s: %w", n.url, err)
	}
	v, err := decode(text)
	if err != nil {
		return nil, fmt.Errorf("media relay %s: %w", n.url, err)
	}
	d, ok := v.(dict)
	if !ok {
		return nil, fmt.Errorf("media relay %s: %w", n.url, errBencode)
	}
	return d, nil
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
		if o.remote == n.remote {
			return true
		}
	}
	return false
}

// Package cookie asks a peer by datagrams whose answers begin with the cookie of
// the question, as media relays of both kinds want to be asked.
package cookie

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxIdle   = 32 // sockets that are kept for a peer
	maxAnswer = 64 << 10
	dialLimit = 5 * time.Second // host names are looked up
)

// Peer is who is asked. Safe for concurrent use: every question that is under way
// has a socket of its own.
type Peer struct {
	// Network is "udp", "udp4" or "udp6", Addr host:port.
	Network, Addr string

	next atomic.Uint64 // cookies

	mu sync.Mutex
	// mu guards idle: sockets that are not in use.
	idle []net.Conn
}

// ErrScheme is a URL that is neither udp: nor udp6:.
var ErrScheme = errors.New("want udp:HOST:PORT or udp6:HOST:PORT")

// SetURL names the peer by udp:HOST:PORT or udp6:HOST:PORT. An error is a
// sentence about the URL, or ErrScheme.
func (p *Peer) SetURL(url string) error {
	scheme, addr, _ := strings.Cut(url, ":")
	switch strings.ToLower(scheme) {
	case "udp":
		p.Network = "udp4"
	case "udp6":
		p.Network = "udp6"
	default:
		return ErrScheme
	}
	i := strings.LastIndexByte(addr, ':')
	if i <= 0 || i == len(addr)-1 {
		return fmt.Errorf("%s has no port; want %s:HOST:PORT", url, strings.ToLower(scheme))
	}
	if n, err := strconv.ParseUint(addr[i+1:], 10, 16); err != nil || n == 0 {
		return fmt.Errorf("%s: %q is no port", url, addr[i+1:])
	}
	p.Addr = net.JoinHostPort(strings.Trim(addr[:i], "[]"), addr[i+1:])
	return nil
}

// Ask sends a question and waits for the answer, which comes back without its
// cookie; tries times for timeout each, and not beyond ctx. local is the address
// to send from, nil for the system's choice. Errors are the network's.
func (p *Peer) Ask(ctx context.Context, question []byte, timeout time.Duration, tries int, local *net.UDPAddr) (string, error) {
	c, err := p.conn(local)
	if err != nil {
		return "", err
	}
	cookie := strconv.FormatUint(p.next.Add(1), 36) + "_" + strconv.FormatInt(time.Now().UnixNano(), 36)
	packet := append(append([]byte(cookie), ' '), question...)
	buf := make([]byte, maxAnswer)
	for range max(tries, 1) {
		if _, err = c.Write(packet); err != nil {
			break
		}
		var answer string
		if answer, err = await(ctx, c, buf, cookie, timeout); err == nil {
			p.keep(c)
			return answer, nil
		}
		if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
			break
		}
	}
	_ = c.Close() // a late answer must not meet the next question
	return "", err
}

// await reads until the answer with a cookie comes.
func await(ctx context.Context, c net.Conn, buf []byte, cookie string, timeout time.Duration) (string, error) {
	deadline := time.Now().Add(timeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := c.SetReadDeadline(deadline); err != nil {
		return "", err
	}
	for {
		n, err := c.Read(buf)
		if err != nil {
			return "", err
		}
		text, ok := strings.CutPrefix(string(buf[:n]), cookie)
		switch {
		case !ok: // of an earlier question
		case text == "" || text[0] == '\r' || text[0] == '\n':
			return "", nil
		case text[0] == ' ':
			return text[1:], nil
		}
	}
}

func (p *Peer) conn(local *net.UDPAddr) (net.Conn, error) {
	p.mu.Lock()
	if k := len(p.idle); k > 0 {
		c := p.idle[k-1]
		p.idle = p.idle[:k-1]
		p.mu.Unlock()
		return c, nil
	}
	p.mu.Unlock() // a look-up holds up nobody else
	d := net.Dialer{Timeout: dialLimit}
	if local != nil {
		d.LocalAddr = local
	}
	c, err := d.Dial(p.Network, p.Addr)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return c, nil
}

func (p *Peer) keep(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) < maxIdle {
		p.idle = append(p.idle, c)
		return
	}
	_ = c.Close()
}

// Close closes the sockets that are not in use.
func (p *Peer) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, c := range p.idle {
		errs = append(errs, c.Close())
	}
	p.idle = nil
	return errors.Join(errs...)
}

// Package cookie asks a peer by datagrams whose answers begin with the cookie of
// the question, as media relays of both kinds want to be asked.
package cookie

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
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
	// Local is the address to send from, nil for the system's choice.
	Local *net.UDPAddr
	// TOS is the type of service of questions (the traffic class over IPv6), 0 for
	// the system's.
	TOS int

	next atomic.Uint64 // cookies

	mu sync.Mutex
	// mu guards the fields below.
	idle   []net.Conn // sockets that are not in use
	closed bool
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
// cookie; tries times for timeout each, and not beyond ctx. Errors are ctx's or the
// network's.
func (p *Peer) Ask(ctx context.Context, question []byte, timeout time.Duration, tries int) (string, error) {
	c, err := p.conn(ctx)
	if err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	cookie := strconv.FormatUint(p.next.Add(1), 36) + "_" + strconv.FormatInt(time.Now().UnixNano(), 36)
	packet := append(append([]byte(cookie), ' '), question...)
	buf := make([]byte, maxAnswer)
	for range max(tries, 1) {
		if _, err = c.Write(packet); err != nil {
			break
		}
		var answer string
		if answer, err = await(c, buf, cookie, timeout); err == nil {
			if stop() { // else it is closed
				p.keep(c)
			}
			return answer, nil
		}
		if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
			break
		}
	}
	_ = c.Close() // a late answer must not meet the next question
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return "", err
}

// await reads until the answer with a cookie comes.
func await(c net.Conn, buf []byte, cookie string, timeout time.Duration) (string, error) {
	if err := c.SetReadDeadline(time.Now().Add(timeout)); err != nil {
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

func (p *Peer) conn(ctx context.Context) (net.Conn, error) {
	p.mu.Lock()
	if k := len(p.idle); k > 0 {
		c := p.idle[k-1]
		p.idle = p.idle[:k-1]
		p.mu.Unlock()
		return c, nil
	}
	p.mu.Unlock() // a look-up holds up nobody else
	d := net.Dialer{Timeout: dialLimit}
	if p.Local != nil {
		d.LocalAddr = p.Local
	}
	if p.TOS > 0 {
		d.Control = p.mark
	}
	c, err := d.DialContext(ctx, p.Network, p.Addr)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return c, nil
}

// mark gives a socket the type of service.
func (p *Peer) mark(network, _ string, raw syscall.RawConn) error {
	level, option := syscall.IPPROTO_IP, syscall.IP_TOS
	if network == "udp6" {
		level, option = syscall.IPPROTO_IPV6, syscall.IPV6_TCLASS
	}
	var failed error
	err := raw.Control(func(fd uintptr) { failed = syscall.SetsockoptInt(int(fd), level, option, p.TOS) })
	if err == nil {
		err = os.NewSyscallError("setsockopt", failed)
	}
	return err
}

func (p *Peer) keep(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) < maxIdle && !p.closed {
		p.idle = append(p.idle, c)
		return
	}
	_ = c.Close()
}

// Close closes the sockets; those in use when their question is done.
func (p *Peer) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	var errs []error
	for _, c := range p.idle {
		errs = append(errs, c.Close())
	}
	p.idle = nil
	return errors.Join(errs...)
}

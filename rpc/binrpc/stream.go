package binrpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"syscall"
	"time"

	"sipd/rpc"
)

const (
	// lingerTime is how long a refused TCP peer may take to read why.
	lingerTime = time.Second
	// datagramWorkers is how many datagrams of one socket are served at once.
	datagramWorkers = 2
	// datagramWrite bounds the wait for a datagram client whose queue is full.
	datagramWrite = 2 * time.Second
)

// errTooLong is a packet that announces more than it may.
var errTooLong = errors.New("binrpc: packet is longer than its limit")

// reader cuts a stream into packets. Its buffer grows to what packets need and
// shrinks again after a long one.
type reader struct {
	r          io.Reader
	max        int // of a packet with its header
	buf        []byte
	start, end int // what was read and not yet taken
}

// buffered takes the next packet out of what was read: ErrShort when there is
// none, a *CorruptError, or errTooLong. The body is valid until fill.
func (r *reader) buffered() (Header, []byte, error) {
	h, err := ParseHeader(r.buf[r.start:r.end])
	if err != nil {
		return h, nil, err
	}
	if h.Len > r.max-h.Size {
		return h, nil, errTooLong
	}
	if r.end-r.start < h.Size+h.Len {
		return h, nil, ErrShort
	}
	body := r.buf[r.start+h.Size : r.start+h.Size+h.Len]
	r.start += h.Size + h.Len
	return h, body, nil
}

// fill reads once. An error is the reader's.
func (r *reader) fill() error {
	const small = 1024
	left := r.end - r.start
	need := small
	if h, err := ParseHeader(r.buf[r.start:r.end]); err == nil {
		need = max(small, h.Size+min(h.Len, r.max))
	}
	switch {
	case len(r.buf) < need || (left == 0 && len(r.buf) > small && need == small):
		b := make([]byte, need)
		copy(b, r.buf[r.start:r.end])
		r.buf = b
	case r.start > 0:
		copy(r.buf, r.buf[r.start:r.end])
	}
	r.start, r.end = 0, left
	n, err := r.r.Read(r.buf[r.end:])
	r.end += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// datagrams serves one datagram socket: a packet each, nothing for cut ones.
func (s *Server) datagrams(ctx context.Context, k *socket) error {
	in := make([]byte, 1<<16)
	var out []byte
	for {
		n, from, err := k.dgram.ReadFrom(in)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if isTransient(err) {
				pause(ctx)
				continue
			}
			return fmt.Errorf("control socket %s: %w", k.addr, err)
		}
		var call *rpc.Call
		out, call = s.datagram(ctx, out[:0], k, from, in[:n])
		if len(out) > 0 && from != nil && from.String() != "" {
			_ = k.dgram.SetWriteDeadline(deadline(datagramWrite))
			if _, err := k.dgram.WriteTo(out, from); err != nil {
				s.log().LogAttrs(ctx, slog.LevelDebug, "control reply not sent", slog.Any("dst", from), slog.Any("err", err))
			}
		}
		if call != nil {
			call.Done()
		}
	}
}

// datagram appends the reply to one datagram.
func (s *Server) datagram(ctx context.Context, out []byte, k *socket, from net.Addr, in []byte) ([]byte, *rpc.Call) {
	h, err := ParseHeader(in)
	switch {
	case errors.Is(err, ErrShort):
		return out, nil
	case err != nil:
		return append(out, corrupt(err)...), nil
	case len(in)-h.Size < h.Len:
		return out, nil
	}
	peer := k.addr.transport()
	if from != nil {
		peer = from.String()
	}
	out, call, _ := s.answer(ctx, out, peer, h, in[h.Size:h.Size+h.Len])
	return out, call
}

// describe says who is at the other end of a connection.
func describe(c net.Conn, local Address) Conn {
	d := Conn{Socket: local.socket()}
	switch p := c.RemoteAddr().(type) {
	case *net.TCPAddr:
		d.Peer, d.PeerPort, d.who = p.IP.String(), strconv.Itoa(p.Port), p.String()
		if own, ok := c.LocalAddr().(*net.TCPAddr); ok {
			d.Address = own.IP.String()
		}
	case *net.UnixAddr:
		d.Peer = "<anonymous unix socket>"
		if p.Name != "" && p.Name != "@" {
			d.Peer = p.Name
		}
		d.who = "unix" + credentials(c)
	}
	return d
}

// credentials are those of the process at the other end of a unix socket.
func credentials(c net.Conn) string {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return ""
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return ""
	}
	var cred *syscall.Ucred
	if cerr := raw.Control(func(fd uintptr) {
		cred, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); cerr != nil || err != nil {
		return ""
	}
	return fmt.Sprintf(" uid=%d pid=%d", cred.Uid, cred.Pid)
}

// isTransient tells errors of a socket that goes on afterwards.
func isTransient(err error) bool {
	for _, e := range []error{
		syscall.ECONNABORTED, syscall.EMFILE, syscall.ENFILE, syscall.EINTR, syscall.ENOBUFS, syscall.ENOMEM,
		syscall.ECONNREFUSED, // a datagram sent earlier found nobody
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// pause waits before a socket that failed for want of resources is tried again.
func pause(ctx context.Context) {
	t := time.NewTimer(100 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func deadline(d time.Duration) time.Time { return time.Now().Add(d) }

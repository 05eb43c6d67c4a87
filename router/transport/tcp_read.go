package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"sipd/router/sip"
)

// minRead is the smallest read buffer; it grows with what comes.
const minRead = 4 << 10

// reader takes messages off a connection.
type reader struct {
	c     *conn
	frame sip.Framer
	buf   []byte // buf[:n] was read and is not dealt with
	n     int

	invited bool // the client was told to send its body
}

// read handles what comes until the connection ends.
func (c *conn) read() {
	r := reader{c: c}
	r.frame.Max = c.t.m.opt.TCP.MaxMessage
	err := r.run()
	m := c.t.m
	if !errors.Is(err, io.EOF) && m.log.Enabled(context.Background(), slog.LevelDebug) {
		m.log.LogAttrs(context.Background(), slog.LevelDebug, "connection closed", slog.Any("src", c.peer), slog.Any("err", err))
	}
	c.close(err)
}

func (r *reader) run() error {
	for {
		if err := r.fill(); err != nil {
			return err
		}
		r.c.touch()
		if err := r.take(); err != nil {
			return err
		}
	}
}

// maxMessage bounds a message.
func (r *reader) maxMessage() int {
	if r.frame.Max > 0 {
		return r.frame.Max
	}
	return sip.DefaultMaxSize
}

// fill reads once, into a buffer that doubles up to a message and a bit.
func (r *reader) fill() error {
	if r.n == len(r.buf) {
		size := min(max(2*len(r.buf), minRead), r.maxMessage()+minRead)
		if size <= r.n {
			return errors.New("more data than a message may have")
		}
		r.buf = append(make([]byte, 0, size), r.buf[:r.n]...)[:size]
	}
	for {
		if err := r.c.nc.SetReadDeadline(r.c.idleUntil()); err != nil {
			return err
		}
		n, err := r.c.nc.Read(r.buf[r.n:])
		r.n += n
		if n > 0 {
			return nil
		}
		if err == nil {
			continue
		}
		// What was written meanwhile keeps the connection as well.
		if !errors.Is(err, os.ErrDeadlineExceeded) || !time.Now().Before(r.c.idleUntil()) {
			return err
		}
	}
}

// lifetime is how long a connection may be idle; 0 and less: for ever.
func (m *Manager) lifetime() time.Duration {
	return time.Duration(m.vars.ConnectionLifetime.Get(m.snapshot())) * time.Second
}

// lifetime is the manager's, or that of TLS connections.
func (c *conn) lifetime() time.Duration {
	if s := c.t.m.secured(); s != nil && c.sock.Proto == TLS {
		if life := s.Lifetime(); life > 0 {
			return life
		}
	}
	return c.t.m.lifetime()
}

// idleUntil is when the connection is to be closed if nothing happens on it;
// zero for never.
func (c *conn) idleUntil() time.Time {
	life := c.lifetime()
	if life <= 0 {
		return time.Time{}
	}
	return time.Unix(0, c.used.Load()).Add(life)
}

// take handles the whole messages in the buffer and moves the rest to its
// start.
func (r *reader) take() error {
	pos := 0
	for pos < r.n {
		n, err := r.next(r.buf[pos:r.n])
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		pos += n
	}
	if pos > 0 {
		copy(r.buf, r.buf[pos:r.n])
		r.n -= pos
		if r.n == 0 && len(r.buf) > 4*minRead {
			r.buf = nil // a large message was an exception; idle connections are many
		}
	}
	return nil
}

// next deals with what b starts with; 0 means that more is needed.
func (r *reader) next(b []byte) (int, error) {
	m := r.c.t.m
	if b[0] != '\r' && b[0] != '\n' {
		if b[0] <= ' ' || b[0] >= 0x7f {
			m.stat.TCPBadData.Inc()
			return 0, fmt.Errorf("octet %#02x starts no SIP message (0x16 is a TLS client's)", b[0])
		}
		if http, _ := sip.LooksLikeHTTP(firstLine(b)); http {
			return r.foreign(b)
		}
	}
	n, err := r.frame.Frame(b)
	switch {
	case errors.Is(err, sip.ErrPing):
		m.stat.TCPPings.Inc()
		if m.vars.CRLFPing.Bool(m.snapshot()) {
			return n, r.c.write([]byte("\r\n"), false)
		}
		return n, nil
	case errors.Is(err, sip.ErrCRLF):
		return n, nil
	case err != nil:
		if n = r.withoutLength(b); n == 0 {
			m.stat.TCPBadData.Inc()
			return 0, err
		}
	case n == 0:
		return 0, nil
	}
	r.handle(b[:n])
	return n, nil
}

// firstLine keeps LooksLikeHTTP from searching a body for a line end.
func firstLine(b []byte) []byte {
	const longest = 4 << 10
	if len(b) > longest {
		return b[:longest]
	}
	return b
}

// handle gives a message to the handler, when one may run.
func (r *reader) handle(b []byte) {
	t := r.c.t
	if t.workers != nil {
		t.workers <- struct{}{}
		defer func() { <-t.workers }()
	}
	t.m.stat.TCPReceived.Inc()
	t.m.opt.Handler(b, Received{Proto: r.c.sock.Proto, Src: r.c.peer, Dst: r.c.local, Sock: r.c.sock, Conn: r.c.id})
}

// withoutLength is the size of a message that has no Content-Length, where
// tcp_accept_no_cl allows that: it has no body. 0 when it is not one.
func (r *reader) withoutLength(b []byte) int {
	m := r.c.t.m
	if !m.vars.AcceptNoCL.Bool(m.snapshot()) {
		return 0
	}
	end := headerEnd(b)
	if end == 0 {
		return 0
	}
	for line := range bytes.Lines(b[:end]) {
		name, _, ok := bytes.Cut(line, []byte(":"))
		name = bytes.TrimRight(name, " \t")
		if ok && (bytes.EqualFold(name, []byte("Content-Length")) || bytes.EqualFold(name, []byte("l"))) {
			return 0 // the fault is another one
		}
	}
	return end
}

// headerEnd is the place behind the empty line, as sip.Framer sees it; 0 when
// it has not come.
func headerEnd(b []byte) int {
	for i := 0; ; {
		lf := bytes.IndexByte(b[i:], '\n')
		if lf < 0 {
			return 0
		}
		i += lf + 1
		switch rest := b[i:]; {
		case bytes.HasPrefix(rest, []byte("\n")):
			return i + 1
		case bytes.HasPrefix(rest, []byte("\r\n")):
			return i + 2
		}
	}
}

// foreign deals with an HTTP request on a SIP port: somebody may want it.
func (r *reader) foreign(b []byte) (int, error) {
	m := r.c.t.m
	end := headerEnd(b)
	limit := min(m.vars.RdBufSize.Get(m.snapshot()), r.maxMessage())
	if m.opt.Foreign == nil {
		return 0, errors.New("an HTTP request that nobody serves")
	}
	if end == 0 {
		if len(b) >= limit {
			return 0, errors.New("an HTTP request larger than tcp_rd_buf_size")
		}
		return 0, nil
	}
	// The framer finds the length; a request without one ends with its header.
	f := sip.Framer{Max: limit}
	n, err := f.Frame(b)
	switch {
	case err != nil:
		n = end
	case n == 0:
		return 0, r.invite(b[:end])
	}
	r.invited = false
	m.stat.TCPReceived.Inc()
	w := &foreignWriter{c: r.c}
	keep := m.opt.Foreign(string(b[:n]), Received{Proto: r.c.sock.Proto, Src: r.c.peer, Dst: r.c.local, Sock: r.c.sock, Conn: r.c.id}, w)
	switch {
	case w.err != nil:
		return 0, w.err
	case !keep:
		return 0, io.EOF
	}
	return n, nil
}

// invite answers "Expect: 100-continue", once: the client waits with its body.
func (r *reader) invite(head []byte) error {
	if r.invited || !bytes.Contains(bytes.ToLower(head), []byte("\nexpect: 100-continue")) {
		return nil
	}
	r.invited = true
	return r.c.write([]byte("HTTP/1.1 100 Continue\r\n\r\n"), false)
}

package fifo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Pipe is how to reach a daemon by named pipes.
type Pipe struct {
	// Path is the daemon's pipe.
	Path string
	// ReplyDir is the folder where the daemon looks for reply pipes; "" is
	// /tmp, as the elders have it.
	ReplyDir string
	// ReplyName is the name of the reply pipe there, without dots and slashes;
	// "" makes one up for each call, which lets clients work side by side.
	ReplyName string
	// Timeout bounds the wait for a reply, and for more of it; 0 waits for ever.
	Timeout time.Duration
}

// Check says whether the daemon's pipe is there and has a reader.
func (p *Pipe) Check() error {
	w, err := p.open()
	if err != nil {
		return err
	}
	return w.Close()
}

// open opens the daemon's pipe for writing. ENXIO is a pipe that nobody reads.
func (p *Pipe) open() (*os.File, error) {
	w, err := os.OpenFile(p.Path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ENXIO) {
		return nil, fmt.Errorf("open %s: nobody reads this fifo: %w", p.Path, syscall.ECONNREFUSED)
	}
	if err != nil {
		return nil, err
	}
	st, err := w.Stat()
	if err == nil && st.Mode()&fs.ModeNamedPipe == 0 {
		err = fmt.Errorf("%s is no fifo", p.Path)
	}
	if err != nil {
		_ = w.Close()
		return nil, err
	}
	return w, nil
}

// Exchange is Open for who wants the whole reply, of MaxReply octets at most.
func (p *Pipe) Exchange(ctx context.Context, build func(replyName string) ([]byte, error)) ([]byte, error) {
	r, err := p.Open(ctx, build)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	reply, err := io.ReadAll(io.LimitReader(r, MaxReply+1))
	if err == nil && len(reply) > MaxReply {
		err = fmt.Errorf("the reply is longer than %d octets", MaxReply)
	}
	return reply, err
}

// Open makes a reply pipe, writes the request that build makes of its name, and
// returns the reply, which ends when the daemon closes the pipe. The timeout
// bounds the wait for each piece of it. Close removes the pipe.
func (p *Pipe) Open(ctx context.Context, build func(replyName string) ([]byte, error)) (io.ReadCloser, error) {
	name := p.ReplyName
	if name == "" {
		name = "sipcmd_" + rand.Text()
	}
	if strings.ContainsAny(name, "./\\\n:") {
		return nil, fmt.Errorf("reply name %q: daemons refuse dots, slashes and colons in it", name)
	}
	request, err := build(name)
	if err != nil {
		return nil, err
	}
	dir := p.ReplyDir
	if dir == "" {
		dir = "/tmp"
	}
	path := filepath.Join(dir, name)
	if err := makeReplyPipe(path); err != nil {
		return nil, err
	}
	r, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		_ = os.Remove(path)
		return nil, err
	}
	reply := &replyPipe{ctx: ctx, file: r, path: path, timeout: p.Timeout}
	if err := p.send(request); err != nil {
		_ = reply.Close()
		return nil, err
	}
	return reply, nil
}

func (p *Pipe) send(request []byte) error {
	w, err := p.open()
	if err != nil {
		return err
	}
	_, err = w.Write(request)
	return errors.Join(err, w.Close())
}

// makeReplyPipe makes a pipe that the daemon, another user perhaps, may write
// to, and only we read. A name that is taken is an error: it may be a trap.
func makeReplyPipe(path string) error {
	if err := unix.Mkfifo(path, 0o600); err != nil {
		return &fs.PathError{Op: "make reply fifo", Path: path, Err: err}
	}
	if err := os.Chmod(path, 0o622); err != nil {
		_ = os.Remove(path)
		return err
	}
	return nil
}

// slice is how long the wait for a reply lasts before the context is asked.
const slice = 50 * time.Millisecond

// replyPipe reads a reply: until the daemon has opened the pipe and closed it
// again. A pipe that nobody has opened yet reads as ended too, so poll says
// which it is.
type replyPipe struct {
	ctx     context.Context //nolint:containedctx // lives as long as one call
	file    *os.File
	path    string
	timeout time.Duration
	ready   bool // for poll: not blocking
}

// Read implements [io.Reader].
func (r *replyPipe) Read(b []byte) (int, error) {
	fd := int(r.file.Fd())
	if !r.ready {
		if err := unix.SetNonblock(fd, true); err != nil { // Fd undid it
			return 0, err
		}
		r.ready = true
	}
	for began := time.Now(); ; {
		if err := r.ctx.Err(); err != nil {
			return 0, err
		}
		if r.timeout > 0 && time.Since(began) > r.timeout {
			return 0, context.DeadlineExceeded
		}
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(slice.Milliseconds()))
		if errors.Is(err, unix.EINTR) || err == nil && n == 0 {
			continue
		}
		if err != nil {
			return 0, os.NewSyscallError("poll", err)
		}
		n, err = unix.Read(fd, b)
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// Close implements [io.Closer].
func (r *replyPipe) Close() error { return errors.Join(r.file.Close(), os.Remove(r.path)) }

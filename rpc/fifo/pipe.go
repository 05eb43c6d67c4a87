package fifo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
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
	// Timeout bounds a call; 0 waits for ever.
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

// Exchange makes a reply pipe, writes the request that build makes of its
// name, and reads the reply to its end.
func (p *Pipe) Exchange(ctx context.Context, build func(replyName string) ([]byte, error)) ([]byte, error) {
	if p.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.Timeout)
		defer cancel()
	}
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
	defer os.Remove(path)
	r, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	w, err := p.open()
	if err != nil {
		return nil, err
	}
	_, err = w.Write(request)
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, err
	}
	return readPipe(ctx, r)
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

// readPipe reads to the end of the reply: until the daemon has opened the pipe
// and closed it again. A pipe that nobody has opened yet reads as ended too, so
// poll says which it is.
func readPipe(ctx context.Context, r *os.File) ([]byte, error) {
	fd := int(r.Fd())
	if err := unix.SetNonblock(fd, true); err != nil { // Fd undid it
		return nil, err
	}
	var reply []byte
	buf := make([]byte, 1<<16)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(slice.Milliseconds()))
		if errors.Is(err, unix.EINTR) || err == nil && n == 0 {
			continue
		}
		if err != nil {
			return nil, os.NewSyscallError("poll", err)
		}
		n, err = unix.Read(fd, buf)
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return nil, os.NewSyscallError("read", err)
		case n == 0:
			return reply, nil
		case len(reply)+n > MaxReply:
			return nil, fmt.Errorf("the reply is longer than %d octets", MaxReply)
		}
		reply = append(reply, buf[:n]...)
	}
}

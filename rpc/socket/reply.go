package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrReplyName is the name of a reply pipe that is refused.
var ErrReplyName = errors.New("a reply fifo's name has no dots, slashes and backslashes")

// ErrReplyPipe is something in the place of a reply pipe that is none, or that
// somebody put there who may not call.
var ErrReplyPipe = errors.New("refused as reply fifo")

// replyPipe writes to a client's pipe. It is opened at the first write.
type replyPipe struct {
	ctx  context.Context //nolint:containedctx // lives as long as one answer
	p    *Pipe
	name string
	f    *os.File
	err  error
}

func (w *replyPipe) Write(b []byte) (int, error) {
	if w.f == nil && w.err == nil {
		w.f, w.err = w.p.openReply(w.ctx, w.name)
	}
	if w.err != nil {
		return 0, w.err
	}
	n := 0
	for n < len(b) { // in pieces: each has its time
		if w.err = w.f.SetWriteDeadline(time.Now().Add(replyWrite)); w.err != nil {
			return n, w.err
		}
		var m int
		m, w.err = w.f.Write(b[n:min(len(b), n+1<<16)])
		n += m
		if w.err != nil {
			return n, w.err
		}
		if w.err = w.ctx.Err(); w.err != nil {
			return n, w.err
		}
	}
	return n, nil
}

func (w *replyPipe) close() error {
	if w.f != nil {
		_ = w.f.Close()
	}
	return w.err
}

// openReply opens a client's pipe, as the elders do with a name from a
// stranger: no way out of the folder, nothing but a pipe with one name, no
// symbolic link. Besides it must belong to somebody who may call.
func (p *Pipe) openReply(ctx context.Context, name string) (*os.File, error) {
	if name == "" || strings.ContainsAny(name, "./\\\x00\n") {
		return nil, fmt.Errorf("%q: %w", name, ErrReplyName)
	}
	dir := p.ReplyDir
	if dir == "" {
		dir = "/tmp/"
	}
	path := dir + name // plainly put together, as the elders do
	retries, wait := p.Retries, p.Wait
	if retries == 0 {
		retries = DefaultReplyRetries
	}
	if wait == 0 {
		wait = DefaultReplyWait
	}
	for {
		f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
		if err == nil {
			if err = p.checkReply(f, path); err != nil {
				_ = f.Close()
				return nil, err
			}
			return f, nil
		}
		if !errors.Is(err, syscall.ENXIO) || retries == 0 { // ENXIO: nobody reads it yet
			return nil, err
		}
		retries--
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, ctx.Err()
		}
	}
}

func (p *Pipe) checkReply(f *os.File, path string) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	there, err := os.Lstat(path)
	if err != nil {
		return err
	}
	st, _ := info.Sys().(*syscall.Stat_t)
	switch {
	case info.Mode()&fs.ModeNamedPipe == 0:
		return fmt.Errorf("%s: %w: it is no fifo", path, ErrReplyPipe)
	case !os.SameFile(info, there):
		return fmt.Errorf("%s: %w: it was changed meanwhile", path, ErrReplyPipe)
	case st == nil || st.Nlink != 1:
		return fmt.Errorf("%s: %w: it has more than one name", path, ErrReplyPipe)
	case !p.mayCall(int(st.Uid)):
		return fmt.Errorf("%s: %w: it belongs to user %d, who may not write to %s", path, ErrReplyPipe, st.Uid, p.Path)
	}
	return nil
}

// mayCall says whether a user may write to the daemon's pipe: only then is an
// answer that user's business.
func (p *Pipe) mayCall(uid int) bool {
	st, _ := p.file.info.Sys().(*syscall.Stat_t)
	mode := p.file.info.Mode().Perm()
	switch {
	case uid == 0, uid == os.Geteuid(), st == nil, uid == int(st.Uid), mode&0o002 != 0:
		return true
	case mode&0o020 == 0:
		return false
	}
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return false
	}
	groups, err := u.GroupIds()
	return err == nil && slices.Contains(groups, strconv.Itoa(int(st.Gid)))
}

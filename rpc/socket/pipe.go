package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sipd/rpc"
)

// PipeProtocol is what is written into a named pipe.
type PipeProtocol interface {
	// Cut takes the next request off data: n octets are dealt with, 0 when more
	// is needed. r.Answer is nil where they were none. An error is a request
	// that is longer than it may be, or none: r may say so to whoever asked, and what
	// follows goes to Skip.
	Cut(data []byte) (n int, r PipeRequest, err error)
	// Skip passes over the rest of a request that was too long or whose end did
	// not come; done at its end.
	Skip(data []byte) (n int, done bool)
}

// PipeRequest is a request that came through a pipe.
type PipeRequest struct {
	// Reply names the pipe for the answer, "" for none.
	Reply string
	// Answer does what is asked and writes the answer; done, when it is not
	// nil, is called after the answer was sent.
	Answer func(ctx context.Context, w io.Writer, who *rpc.Caller) (done func())
}

// The elders' patience with a reply pipe that nobody has opened yet.
const (
	DefaultReplyRetries = 4
	DefaultReplyWait    = 80 * time.Millisecond
)

const (
	// replyWrite is how long a client may take to read a piece of its reply.
	replyWrite = 30 * time.Second
	// halfRequest is how long the end of a request may take to come. One pipe is
	// for everybody: who begins and does not end would hold up all others.
	halfRequest = 5 * time.Second
	// maxAtWork bounds the requests of one pipe that are worked on at once.
	maxAtWork = 64
)

// Pipe serves a protocol on a named pipe that everybody writes into. Set the
// fields, then Open and Serve.
type Pipe struct {
	// Path is where the pipe is made; it may not be there, or be one that
	// nobody reads.
	Path string
	// File is its mode and owner; who may write to it may call everything that
	// Role allows.
	File FileMode
	// ReplyDir is the folder of reply pipes; "" is /tmp/, as the elders have it.
	ReplyDir string
	// Retries and Wait are for reply pipes that nobody reads; 0 is the default.
	Retries int
	Wait    time.Duration
	// Role is the most that may be done; None means Full.
	Role rpc.Role
	// Proto is what is spoken.
	Proto PipeProtocol
	// Log gets what the peer does not; nil means slog.Default.
	Log *slog.Logger

	file *unixSocket
	r    *os.File

	mu sync.Mutex
	// mu guards the field below.
	busy map[string]chan struct{} // by reply name: the end of the last request
}

// Open makes the pipe. One that another daemon reads is an *[InUseError].
func (p *Pipe) Open() (err error) {
	if p.file, err = claimPipe(p.Path); err != nil {
		return err
	}
	err = p.file.bind(p.File, func(name string) error {
		if err := unix.Mkfifo(name, 0o600); err != nil {
			return err
		}
		// Also for writing, so that it never ends.
		p.r, err = os.OpenFile(name, os.O_RDWR|syscall.O_NONBLOCK, 0)
		return err
	})
	if err != nil {
		p.Close()
	}
	return err
}

// Close removes the pipe of a server that is not serving.
func (p *Pipe) Close() {
	if p.r != nil {
		_ = p.r.Close()
		p.r = nil
	}
	if p.file != nil {
		p.file.release()
		p.file = nil
	}
}

// Socket says where the pipe is, in the words of ctl.listen.
func (p *Pipe) Socket() Socket {
	return Socket{Handler: "fifo", Transport: "fifo", Address: p.Path}
}

// Serve answers until ctx ends, then removes the pipe. It returns when all it
// started has ended.
func (p *Pipe) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	r := p.r
	stop := context.AfterFunc(ctx, func() { _ = r.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	defer p.Close()
	work := make(chan struct{}, maxAtWork)
	in := pipeReader{p: p, r: r}
	for {
		req, err := in.next(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("fifo %s: %w", p.Path, err)
		}
		select {
		case work <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		before, done := p.queue(req.Reply)
		wg.Go(func() {
			defer func() { <-work }()
			defer close(done)
			if before != nil {
				<-before
			}
			p.answer(ctx, req)
		})
	}
}

// queue puts requests with one reply pipe, or with none, into the order in
// which they came; others do not wait for each other.
func (p *Pipe) queue(name string) (before <-chan struct{}, done chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy == nil {
		p.busy = make(map[string]chan struct{})
	}
	for n, c := range p.busy { // those that ended need no place
		select {
		case <-c:
			delete(p.busy, n)
		default:
		}
	}
	done = make(chan struct{})
	last := p.busy[name]
	p.busy[name] = done
	return last, done
}

// answer runs one request.
func (p *Pipe) answer(ctx context.Context, req PipeRequest) {
	most := p.Role
	if most == rpc.None {
		most = rpc.Full
	}
	who := &rpc.Caller{Peer: "fifo " + p.Path, Role: most}
	defer func() {
		if e := recover(); e != nil {
			p.log().LogAttrs(ctx, slog.LevelError, "a fifo request panicked", slog.String("path", p.Path),
				slog.Any("err", e), slog.String("stack", string(debug.Stack())))
		}
	}()
	if req.Reply == "" {
		if done := req.Answer(ctx, io.Discard, who); done != nil {
			done()
		}
		return
	}
	w := &replyPipe{ctx: ctx, p: p, name: req.Reply}
	done := req.Answer(ctx, w, who)
	if err := w.close(); err != nil {
		p.log().LogAttrs(ctx, slog.LevelWarn, "no answer through a reply fifo", slog.String("name", req.Reply), slog.Any("err", err))
	}
	if done != nil {
		done()
	}
}

func (p *Pipe) log() *slog.Logger {
	if p.Log != nil {
		return p.Log
	}
	return slog.Default()
}

// pipeReader cuts what comes through the pipe into requests.
type pipeReader struct {
	p        *Pipe
	r        *os.File
	buf      []byte
	skipping bool
	// begun is when the request came that buf begins with, or its first half;
	// read is when anything did.
	begun, read time.Time
}

func (in *pipeReader) next(ctx context.Context) (PipeRequest, error) {
	for {
		if req, ok := in.cut(ctx); ok {
			return req, nil
		}
		if err := in.fill(ctx); err != nil {
			return PipeRequest{}, err
		}
	}
}

// cut takes a request out of what was read; false when there is none.
func (in *pipeReader) cut(ctx context.Context) (PipeRequest, bool) {
	for len(in.buf) > 0 {
		if in.skipping {
			n, done := in.p.Proto.Skip(in.buf)
			in.drop(n)
			in.skipping = !done
			if n == 0 {
				return PipeRequest{}, false
			}
			continue
		}
		n, req, err := in.p.Proto.Cut(in.buf)
		in.drop(n)
		if err != nil {
			in.skipping = true
			in.p.log().LogAttrs(ctx, slog.LevelWarn, "a fifo request was refused", slog.String("path", in.p.Path), slog.Any("err", err))
		}
		switch {
		case req.Answer != nil:
			return req, true
		case n == 0 && err == nil && time.Since(in.begun) < halfRequest:
			return PipeRequest{}, false
		case n == 0 && err == nil: // what stands behind the half is not lost
			in.p.log().LogAttrs(ctx, slog.LevelWarn, "half a fifo request was forgotten", slog.String("path", in.p.Path))
			n, _ = in.p.Proto.Skip(in.buf)
			in.drop(max(n, 1))
		}
	}
	return PipeRequest{}, false
}

// drop takes n octets off. What stands behind them came when last was read, or
// before: a half among it has no more time than that.
func (in *pipeReader) drop(n int) {
	if n == 0 {
		return
	}
	in.begun = in.read
	in.buf = in.buf[:copy(in.buf, in.buf[n:])]
	if len(in.buf) == 0 && cap(in.buf) > 1<<16 {
		in.buf = nil
	}
}

// fill reads once, or waits until half a request has had its time.
func (in *pipeReader) fill(ctx context.Context) error {
	deadline := time.Time{}
	switch {
	case len(in.buf) > 0:
		deadline = in.begun.Add(halfRequest)
	case in.skipping:
		deadline = time.Now().Add(halfRequest)
	}
	if err := in.r.SetReadDeadline(deadline); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil { // it may have ended before the line above
		return err
	}
	var piece [4096]byte
	n, err := in.r.Read(piece[:])
	if n > 0 {
		in.read = time.Now()
		if len(in.buf) == 0 {
			in.begun = in.read
		}
		in.buf = append(in.buf, piece[:n]...)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil {
		in.skipping = false
		return nil
	}
	return err
}

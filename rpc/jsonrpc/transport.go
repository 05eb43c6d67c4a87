package jsonrpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"time"

	"sipd/rpc"
	"sipd/rpc/socket"
)

// writeTime is how long a client may take to read a piece of its reply.
const writeTime = 30 * time.Second

// Name is jsonrpc.
func (s *Server) Name() string { return "jsonrpc" }

// Stream serves a connection on which documents follow each other, with or
// without line ends between; each answer ends with a line end. A document that
// is none ends the connection after the answer that says so.
func (s *Server) Stream(ctx context.Context, c net.Conn, who *rpc.Caller) {
	var in []byte
	buf := make([]byte, 4096)
	for {
		start, end := document(in)
		switch {
		case end > 0:
			if !s.reply(ctx, c, who, in[start:end]) {
				return
			}
			in = in[end:]
			continue
		case start < 0, len(in)-start > MaxRequest:
			s.reply(ctx, c, who, nil) // a parse error
			return
		}
		in = in[start:]
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		in = append(in, buf[:n]...)
	}
}

// reply answers one document; false when the connection is of no more use.
func (s *Server) reply(ctx context.Context, c net.Conn, who *rpc.Caller, doc []byte) bool {
	w := &timedWriter{c: c}
	answered := false
	done := s.Answer(ctx, who, doc, func(int, string) io.Writer { answered = true; return w })
	if answered && w.err == nil {
		_, _ = w.Write([]byte("\n"))
	}
	if done != nil {
		done()
	}
	return w.err == nil
}

type timedWriter struct {
	c   net.Conn
	err error
}

func (w *timedWriter) Write(b []byte) (n int, err error) {
	if w.err == nil {
		w.err = w.c.SetWriteDeadline(time.Now().Add(writeTime))
	}
	if w.err == nil {
		n, w.err = w.c.Write(b)
	}
	return n, w.err
}

// Datagram answers the document in a datagram. A reply that no datagram holds
// is an error that says so.
func (s *Server) Datagram(ctx context.Context, out []byte, who *rpc.Caller, in []byte) ([]byte, func()) {
	b := bytes.NewBuffer(out)
	w := &roomWriter{b: b, room: maxDatagramReply}
	done := s.Answer(ctx, who, in, func(int, string) io.Writer { return w })
	if w.room < 0 {
		b.Truncate(len(out))
		var m message
		_ = json.Unmarshal(in, &m)
		id, _ := idOf(m.ID)
		a := &responder{s: s, who: who, start: func(int, string) io.Writer { return b }}
		a.fault(id, rpc.TooLong("into a datagram", "use HTTP or a fifo, or ask for a part of it"))
		a.flush()
	}
	return b.Bytes(), done
}

// roomWriter fails when more is written than there is room for.
type roomWriter struct {
	b    *bytes.Buffer
	room int
}

func (w *roomWriter) Write(b []byte) (int, error) {
	if w.room -= len(b); w.room < 0 {
		w.room = -1
		return 0, io.ErrShortWrite
	}
	return w.b.Write(b)
}

// Limits of what comes through a pipe.
const maxPipeRequest = 65535

var (
	errTooLong = errors.New("the request is too long")
	errBroken  = errors.New("the request is no JSON")
)

// broken says that what b begins with can become no document whatever follows.
func broken(b []byte) bool {
	var doc json.RawMessage
	_, bad := errors.AsType[*json.SyntaxError](json.NewDecoder(bytes.NewReader(b)).Decode(&doc))
	return bad
}

// document finds the first document in b by its braces or brackets, strings
// left out. end is 0 while it has not come whole; start is -1 when what comes
// first is neither blank nor the start of one.
func document(b []byte) (start, end int) {
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case quoted:
			switch c {
			case '\\':
				i++
			case '"':
				quoted = false
			}
		case depth == 0 && (c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			start = i + 1
		case c == '{' || c == '[':
			depth++
		case depth == 0:
			return -1, 0
		case c == '"':
			quoted = true
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return start, i + 1
			}
		}
	}
	return start, 0
}

// Cut takes the next document off what came through a pipe. Text before it is
// passed over, as Kamailio does. Without a reply_name it is done and nothing
// answered. One that is broken beyond hope takes the rest of its line with it,
// not the requests behind.
func (s *Server) Cut(data []byte) (n int, r socket.PipeRequest, err error) {
	at := bytes.IndexAny(data, "{[")
	if at < 0 {
		return len(data), r, nil
	}
	_, end := document(data[at:])
	switch {
	case end > 0:
	case broken(data[at:]):
		return at + 1, r, errBroken
	case len(data)-at > maxPipeRequest:
		return at + 1, r, errTooLong
	default:
		return at, r, nil
	}
	doc := bytes.Clone(data[at : at+end])
	r.Reply = replyName(doc)
	r.Answer = func(ctx context.Context, w io.Writer, who *rpc.Caller) func() {
		return s.Answer(ctx, who, doc, func(int, string) io.Writer { return w })
	}
	return at + end, r, nil
}

// replyName is the reply pipe that a request names; of a batch the first named.
func replyName(doc []byte) string {
	var list []message
	if json.Unmarshal(doc, &list) != nil {
		list = make([]message, 1)
		_ = json.Unmarshal(doc, &list[0])
	}
	for _, m := range list {
		var name string
		if json.Unmarshal(m.ReplyName, &name) == nil && name != "" {
			return name
		}
	}
	return ""
}

// Skip passes over the rest of a document that was refused: to the end of its
// line.
func (s *Server) Skip(data []byte) (n int, done bool) {
	if lf := bytes.IndexByte(data, '\n'); lf >= 0 {
		return lf + 1, true
	}
	return len(data), false
}

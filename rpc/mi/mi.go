// Package mi is the management interface that Kamailio and OpenSER had beside
// RPC up to 4.4: commands with short names over a named pipe or datagrams,
// answered by a tree of nodes. The commands here are today's methods under
// their old names; scripts and panels that write them go on working.
package mi

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"

	"sipd/rpc"
	"sipd/rpc/socket"
)

// Limits, as of the elders but for MaxRequest (8192).
const (
	MaxRequest = 65535
	maxCommand = 1024
	// maxDatagram is what a datagram holds.
	maxDatagram = 65457
)

// Server answers commands on pipes and datagram sockets.
type Server struct {
	// Registry has the methods that commands stand for.
	Registry *rpc.Registry
	// Indent stands before a node once for each level.
	Indent string
	// Log gets what the peer does not; nil means slog.Default.
	Log *slog.Logger
}

var _ socket.PipeProtocol = (*Server)(nil)

// Reply is what a command answers.
type Reply struct {
	Code   int
	Reason string
	// Lines writes the nodes, a line each.
	Lines func(w *Tree)
	call  *rpc.Call
}

// Done is to be called when the reply was sent.
func (r *Reply) Done() {
	if r.call != nil {
		r.call.Done()
	}
}

// OK says whether the command did what it should.
func (r *Reply) OK() bool { return r.Code >= 200 && r.Code < 300 }

// ErrParse are arguments that are no nodes.
var ErrParse = errors.New("the arguments are no nodes")

// Available says whether there is a command of that name.
func (s *Server) Available(name string) bool {
	c, ok := commands[name]
	if !ok {
		return false
	}
	if c.method == "" {
		return true
	}
	if _, ok = s.Registry.Lookup(c.method); !ok && c.with != "" {
		_, ok = s.Registry.Lookup(c.with)
	}
	return ok
}

// Commands lists what is available, sorted.
func (s *Server) Commands() []string {
	var list []string
	for name := range commands {
		if s.Available(name) {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// Run runs a command.
func (s *Server) Run(ctx context.Context, who *rpc.Caller, name string, args []string) *Reply {
	if !s.Available(name) {
		return &Reply{Code: 500, Reason: "command '" + name + "' not available"}
	}
	c := commands[name]
	if c.method == "" { // which
		return &Reply{Code: 200, Reason: "OK", Lines: func(w *Tree) {
			for _, n := range s.Commands() {
				w.Node(0, "", n)
			}
		}}
	}
	if c.run != nil {
		return c.run(s, ctx, who, args)
	}
	if c.form != nil {
		var wrong *Reply
		if args, wrong = c.form(args); wrong != nil {
			return wrong
		}
	}
	method := c.method
	if c.with != "" && len(args) > 0 {
		method = c.with
	}
	call, fault := s.dispatch(ctx, who, method, args)
	if fault != nil {
		if c.fault != nil {
			return c.fault(fault)
		}
		return &Reply{Code: fault.Code, Reason: fault.Text}
	}
	if c.judge != nil {
		if other := c.judge(call); other != nil {
			return &Reply{Code: other.Code, Reason: other.Reason, Lines: other.Lines, call: call}
		}
	}
	return &Reply{Code: 200, Reason: "OK", call: call, Lines: func(w *Tree) { c.write(w, call) }}
}

// dispatch calls a method with texts, as the line protocol does.
func (s *Server) dispatch(ctx context.Context, who *rpc.Caller, method string, args []string) (*rpc.Call, *rpc.Fault) {
	vals := make([]rpc.Value, len(args))
	for i, a := range args {
		vals[i] = rpc.String(a)
	}
	w := rpc.Wire{Kind: rpc.Line, Log: s.Log}
	return w.Dispatch(ctx, s.Registry, who, method, rpc.Values(vals...))
}

// request is a command as it came.
type request struct {
	name, reply string
	args        []string
	err         error
}

// next cuts a request off data; n is 0 when more is needed. Lines that begin
// none are passed over.
func next(data []byte) (r request, found bool, n int) {
	lf := bytes.IndexByte(data, '\n')
	if lf < 0 {
		return r, false, 0
	}
	rest, ok := strings.CutPrefix(strings.TrimRight(string(data[:lf]), " \t\r"), ":")
	name, reply, colon := strings.Cut(rest, ":")
	if !ok || !colon || name == "" || lf > maxCommand || strings.ContainsAny(reply, `./\`) {
		return r, false, lf + 1
	}
	args, used, err := nodes(data[lf+1:])
	if used < 0 {
		return r, false, 0
	}
	return request{name, reply, args, err}, true, lf + 1 + used
}

// nodes reads the arguments up to the empty line; used is -1 while that has
// not come.
func nodes(b []byte) (args []string, used int, err error) {
	for {
		lf := bytes.IndexByte(b[used:], '\n')
		if lf < 0 {
			return nil, -1, nil
		}
		line := strings.TrimSpace(string(b[used : used+lf]))
		if line == "" {
			return args, used + lf + 1, err
		}
		value := line
		if _, v, ok := strings.Cut(line, "::"); ok {
			value = strings.TrimSpace(v)
		}
		if strings.HasPrefix(value, `"`) { // it may go over several lines
			open := used + bytes.IndexByte(b[used:], '"')
			text, n, ok := quoted(b[open:])
			if n < 0 {
				return nil, -1, nil
			}
			if !ok {
				err = ErrParse
			}
			args = append(args, text)
			used = open + n
			continue
		}
		if strings.Contains(value, `"`) {
			err = ErrParse
		}
		args = append(args, value)
		used += lf + 1
	}
}

// quoted reads a value in quotes and the rest of its line, which must be blank;
// n is -1 while its end has not come.
func quoted(b []byte) (text string, n int, ok bool) {
	var out []byte
	for i := 1; i < len(b); i++ {
		switch {
		case b[i] == '\\' && i+1 < len(b) && b[i+1] == '"':
			out = append(out, '"')
			i++
		case b[i] == '"':
			lf := bytes.IndexByte(b[i:], '\n')
			if lf < 0 {
				return "", -1, false
			}
			return string(out), i + lf + 1, len(bytes.TrimSpace(b[i+1:i+lf])) == 0
		default:
			out = append(out, b[i])
		}
	}
	return "", -1, false
}

// answer writes the reply to a request: a status, the nodes, an empty line.
func (s *Server) answer(ctx context.Context, w io.Writer, who *rpc.Caller, r *request) (done func()) {
	out := bufio.NewWriter(w)
	defer func() {
		if p := recover(); p != nil {
			s.log().LogAttrs(ctx, slog.LevelError, "a management command panicked", slog.String("peer", who.Peer),
				slog.Any("err", p), slog.String("stack", string(debug.Stack())))
		}
		_ = out.Flush()
	}()
	var reply *Reply
	if r.err != nil {
		reply = &Reply{Code: 400, Reason: "parse error in command '" + r.name + "'"}
	} else {
		reply = s.Run(ctx, who, r.name, r.args)
	}
	t := &Tree{W: out, Indent: s.Indent}
	t.status(reply.Code, reply.Reason)
	if reply.Lines != nil {
		reply.Lines(t)
	}
	out.WriteByte('\n')
	return reply.Done
}

var errTooLong = errors.New("the request is too long")

// Cut implements [socket.PipeProtocol].
func (s *Server) Cut(data []byte) (n int, p socket.PipeRequest, err error) {
	r, found, n := next(data)
	switch {
	case !found && n == 0 && len(data) > MaxRequest:
		return 1, p, errTooLong
	case !found:
		return n, p, nil
	}
	p.Reply = r.reply
	p.Answer = func(ctx context.Context, w io.Writer, who *rpc.Caller) func() { return s.answer(ctx, w, who, &r) }
	return n, p, nil
}

// Skip implements [socket.PipeProtocol]: to the next empty line.
func (s *Server) Skip(data []byte) (n int, done bool) {
	if i := bytes.Index(data, []byte("\n\n")); i >= 0 {
		return i + 2, true
	}
	return max(len(data)-1, 0), false
}

func (s *Server) log() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.Default()
}

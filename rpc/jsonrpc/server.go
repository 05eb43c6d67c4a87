package jsonrpc

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"runtime/debug"

	"sipd/rpc"
	"sipd/rpc/socket"
)

// Limits of the server.
const (
	// MaxRequest is the longest document taken, octets.
	MaxRequest = 1 << 20
	// MaxBatch is the most requests in one.
	MaxBatch = 1000
	// maxDatagramReply is what a datagram holds.
	maxDatagramReply = 65507
)

// The faults of the protocol itself (JSON-RPC 2.0, §5.1).
var (
	errParse   = &rpc.Fault{Code: -32700, Text: "Parse error"}
	errRequest = &rpc.Fault{Code: -32600, Text: "Invalid Request"}
)

// Server answers JSON-RPC documents for every transport.
type Server struct {
	// Registry has the methods.
	Registry *rpc.Registry
	// Pretty lays replies out for people.
	Pretty bool
	// Log gets what the peer does not; nil means slog.Default.
	Log *slog.Logger
}

var (
	_ socket.Protocol     = (*Server)(nil)
	_ socket.PipeProtocol = (*Server)(nil)
)

// message is a request as it came.
type message struct {
	Version   json.RawMessage `json:"jsonrpc"`
	Method    json.RawMessage `json:"method"`
	Params    json.RawMessage `json:"params"`
	ID        json.RawMessage `json:"id"`
	ReplyName json.RawMessage `json:"reply_name"`
}

// Start begins an answer: it is called once, with the status that HTTP gives
// it, unless there is nothing to answer.
type Start func(status int, reason string) io.Writer

// Answer does what a document asks: one request or a batch. Notifications are
// done and not answered. done, when it is not nil, is to be called after the
// answer was sent.
func (s *Server) Answer(ctx context.Context, who *rpc.Caller, doc []byte, start Start) (done func()) {
	a := &responder{s: s, who: who, start: start}
	defer func() {
		if p := recover(); p != nil { // of a list that is made while it is written
			s.log().LogAttrs(ctx, slog.LevelError, "a JSON-RPC request panicked", slog.String("peer", who.Peer),
				slog.Any("err", p), slog.String("stack", string(debug.Stack())))
		}
	}()
	defer a.flush()
	defer func() { done = a.done }()
	d := json.NewDecoder(bytes.NewReader(doc)) // what follows the document is not looked at, as Kamailio
	var raw json.RawMessage
	if len(doc) > MaxRequest || d.Decode(&raw) != nil {
		a.fault(nil, errParse)
		return nil
	}
	if raw[0] != '[' {
		a.one(ctx, raw)
		return nil
	}
	a.batch(ctx, raw)
	return nil
}

// responder is a document while it is answered.
type responder struct {
	s       *Server
	who     *rpc.Caller
	start   Start
	e       encoder
	begun   bool
	isBatch bool
	after   []func()
}

func (a *responder) batch(ctx context.Context, raw json.RawMessage) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || len(list) == 0 || len(list) > MaxBatch {
		a.fault(nil, errRequest)
		return
	}
	a.isBatch = true
	for _, r := range list {
		a.one(ctx, r)
	}
	if a.begun {
		a.e.w.WriteByte(']')
	}
}

// begin starts the answer, or the next one of a batch.
func (a *responder) begin(status int, reason string) {
	switch {
	case !a.begun:
		if a.isBatch {
			status, reason = 200, "OK"
		}
		a.e = encoder{bufio.NewWriter(a.start(status, reason)), a.s.Pretty}
		if a.isBatch {
			a.e.w.WriteByte('[')
		}
	case a.s.Pretty:
		a.e.w.WriteString(", ")
	default:
		a.e.w.WriteByte(',')
	}
	a.begun = true
	a.e.open()
	a.e.name(0, "jsonrpc", 0)
	a.e.text("2.0")
}

func (a *responder) end(id json.RawMessage) {
	if id != nil {
		a.e.name(1, "id", 0)
		a.e.w.Write(id)
	}
	a.e.close(0)
}

func (a *responder) flush() {
	if a.begun {
		_ = a.e.w.Flush()
	}
}

func (a *responder) done() {
	for _, f := range a.after {
		f()
	}
}

// fault answers an error object; the status is its code, as with Kamailio.
func (a *responder) fault(id json.RawMessage, f *rpc.Fault) {
	status := f.Code
	if status <= 100 || status > 999 {
		status = 500
	}
	if id == nil {
		id = json.RawMessage("null")
	}
	if f == errParse || f == errRequest {
		status = 400
	}
	a.begin(status, f.Text)
	a.e.name(1, "error", 0)
	a.e.value(rpc.Struct{rpc.M("code", rpc.Int(f.Code)), rpc.M("message", rpc.String(f.Text))}, 1)
	a.end(id)
}

// one does one request.
func (a *responder) one(ctx context.Context, raw json.RawMessage) {
	var m message
	var version, method string
	if json.Unmarshal(raw, &m) != nil {
		a.fault(nil, errRequest)
		return
	}
	id, ok := idOf(m.ID)
	if !ok || json.Unmarshal(m.Version, &version) != nil || version != "2.0" || json.Unmarshal(m.Method, &method) != nil {
		a.fault(id, errRequest)
		return
	}
	args, err := params(m.Params)
	if err != nil {
		a.fault(id, errRequest)
		return
	}
	w := rpc.Wire{Kind: rpc.JSONRPC, Log: a.s.Log}
	call, fault := w.Dispatch(ctx, a.s.Registry, a.who, method, rpc.Values(args...))
	if call != nil {
		a.after = append(a.after, call.Done)
	}
	switch {
	case m.ID == nil && m.ReplyName == nil: // a notification; a reply pipe asks for an answer
	case fault != nil:
		a.fault(id, fault)
	default:
		a.result(id, call)
	}
}

// idOf checks an id: text, a number or null; none is nil.
func idOf(raw json.RawMessage) (json.RawMessage, bool) {
	if len(raw) > 0 && (raw[0] == '{' || raw[0] == '[' || raw[0] == 't' || raw[0] == 'f') || len(raw) > 1024 {
		return nil, false
	}
	return raw, true
}

// params are the parameters: an array's elements, an object's values in order,
// none for anything else, as with Kamailio.
func params(raw json.RawMessage) ([]rpc.Value, error) {
	if len(raw) == 0 || raw[0] != '[' && raw[0] != '{' {
		return nil, nil
	}
	in := scanner{in: bufio.NewReader(bytes.NewReader(raw))}
	v, err := in.whole()
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case rpc.Array:
		return v, nil
	case rpc.Struct:
		args := make([]rpc.Value, len(v))
		for i, m := range v {
			args[i] = m.Value
		}
		return args, nil
	}
	return nil, nil
}

// result answers what a call gave: a list, or the last value, {} for none.
func (a *responder) result(id json.RawMessage, call *rpc.Call) {
	a.begin(200, "OK")
	a.e.name(1, "result", 0)
	vals := call.Reply()
	switch {
	case call.Method.List:
		a.e.list(unnamed(call.Values()), 1)
	case len(vals) == 0:
		a.e.value(rpc.Struct{}, 1)
	default:
		a.e.value(vals[len(vals)-1], 1)
	}
	a.end(id)
}

func (s *Server) log() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.Default()
}

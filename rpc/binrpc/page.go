package binrpc

import (
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"math"
	"runtime/debug"

	"sipd/rpc"
)

// pieceSize is about how many octets of a long reply go into one packet.
const pieceSize = 128 << 10

// errStopped ends the writing of pieces that nobody takes.
var errStopped = errors.New("binrpc: no more pieces are wanted")

// Pieces is the body of a reply of any length in pieces of about size octets:
// what [rpc.PageMethod] hands out. Each is valid until the next is taken; with
// the last one comes true.
func Pieces(vals iter.Seq[rpc.Value], size int) iter.Seq2[[]byte, bool] {
	return func(yield func([]byte, bool) bool) {
		p := packet{typed: true, spill: func(p *packet) error {
			if !yield(p.b, false) {
				return errStopped
			}
			p.b = p.b[:0]
			return nil
		}}
		for v := range vals {
			switch err := p.value(v, 0, size); {
			case errors.Is(err, errStopped):
				return
			case err != nil:
				panic(err) // a method that nests its values too deep
			}
		}
		yield(p.b, true)
	}
}

// pages is the one long reply that a connection reads in pieces.
type pages struct {
	cursor int // of the reply being read; 0: there is none
	last   int // that was given out
	next   func() ([]byte, bool, bool)
	stop   func()
	call   *rpc.Call
}

// drop gives up the reply being read.
func (p *pages) drop() {
	if p.cursor != 0 {
		p.stop()
		p.call.Done()
		*p = pages{last: p.last}
	}
}

var errGone = rpc.Faultf(404, "%s: no reply with this cursor is being read on this connection", rpc.PageMethod)

// page serves rpc.PageMethod; ok is false when the call is to be dispatched as
// any other, to a fault: on a socket without connections, or without a proper
// cursor. What the method deferred waits for the last piece.
func (s *Server) page(ctx context.Context, out []byte, p *pages, w *rpc.Wire, who *rpc.Caller, h Header, args *Decoder) (reply []byte, call *rpc.Call, ok bool) {
	if p == nil {
		return out, nil, false
	}
	probe := *args
	first, err := probe.Next()
	cursor, isInt := first.(rpc.Int)
	if err != nil || !isInt {
		return out, nil, false
	}
	*args = probe
	defer func() {
		if e := recover(); e != nil { // of the sequence that is being written
			s.log().LogAttrs(ctx, slog.LevelError, "binrpc reply panicked", slog.String("peer", who.Peer),
				slog.Any("err", e), slog.String("stack", string(debug.Stack())))
			p.drop()
			reply, call, ok = AppendFault(out, h.Cookie, &rpc.Fault{Code: 500, Text: "internal server error"}), nil, true
		}
	}()
	if cursor == 0 {
		if fault := s.begin(ctx, p, w, who, args); fault != nil {
			return AppendFault(out, h.Cookie, fault), nil, true
		}
	} else if int(cursor) != p.cursor {
		return AppendFault(out, h.Cookie, errGone), nil, true
	}
	piece, last, _ := p.next() // there is one: the cursor went with the last
	next := rpc.Int(p.cursor)
	if last {
		next = 0
	}
	reply, err = AppendReply(out, h.Cookie, []rpc.Value{next, rpc.Bytes(piece)}, math.MaxInt)
	if err != nil {
		panic(err) // without a limit and without depth it fits
	}
	if last {
		p.drop()
	}
	return reply, nil, true
}

// begin calls the method and makes its reply the one being read.
func (s *Server) begin(ctx context.Context, p *pages, w *rpc.Wire, who *rpc.Caller, args *Decoder) *rpc.Fault {
	p.drop()
	v, err := args.Next()
	if errors.Is(err, io.EOF) {
		err = rpc.ErrEnd
	}
	method, isText := v.(rpc.String)
	if err == nil && (!isText || method == rpc.PageMethod) {
		err = rpc.ErrType
	}
	if err != nil {
		return rpc.Faultf(400, "error at parameter 1: expected string type but %s", err)
	}
	call, fault := w.Dispatch(ctx, s.Registry, who, string(method), args)
	if fault != nil {
		return fault
	}
	p.last = p.last%(1<<30) + 1
	p.cursor, p.call = p.last, call
	p.next, p.stop = iter.Pull2(Pieces(call.Values(), pieceSize))
	return nil
}

// PageMethod is how [rpc.PageMethod] shows in the registry. On stream sockets
// the server serves it itself; elsewhere it is a fault.
func PageMethod() *rpc.Method {
	return &rpc.Method{
		Name: rpc.PageMethod,
		Help: "Calls a method and reads its reply, of any length, in pieces: cursor 0 and the call begin, the cursor answered goes on.",
		Params: []rpc.Param{
			{Name: "cursor", Type: rpc.TInt, Help: "0 to begin, then what the call before answered"},
			{Name: "method", Type: rpc.TString, Optional: true, Help: "what to call, with cursor 0"},
			{Name: "argument", Type: rpc.TAny, Optional: true, Rest: true, Help: "its parameters"},
		},
		Reply:   "values: int, the cursor of the next piece or 0; bytes, records of the reply",
		Example: "0 core.version",
		Handler: func(context.Context, *rpc.Call) error {
			return rpc.Faultf(606, "%s works on stream sockets of BinRPC only (unixs:, tcp:)", rpc.PageMethod)
		},
	}
}

package xmlrpc

import (
	"bufio"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"runtime/debug"
	"strconv"
	"strings"

	"sipd/rpc"
)

// MaxRequest is the longest document that the server takes, octets.
const MaxRequest = 1 << 20

// Server answers XML-RPC documents, whatever they come by.
type Server struct {
	// Registry has the methods.
	Registry *rpc.Registry
	// AutoConvert converts parameters into what methods declare.
	AutoConvert bool
	// KeepCR leaves carriage returns in replies as they are (escape_cr=0).
	KeepCR bool
	// DoubleLF turns two line feeds in parameters into CR LF, so that headers
	// can be given (double_lf_to_crlf=1).
	DoubleLF bool
	// Log gets what the peer does not; nil means slog.Default.
	Log *slog.Logger
}

// Method reads the method's name of a document, "" when it has none; for
// scripts that look before they dispatch.
func Method(doc []byte) string {
	d := newDecoder(doc)
	if d.root() != nil {
		return ""
	}
	name, _ := d.method()
	return name
}

// Answer does what a document asks and writes the answer to w. done, when it
// is not nil, is to be called after the answer was sent.
func (s *Server) Answer(ctx context.Context, who *rpc.Caller, doc []byte, w io.Writer) (done func()) {
	e := encoder{bufio.NewWriter(w), !s.KeepCR}
	defer func() {
		if p := recover(); p != nil { // of a list that is made while it is written
			s.log().LogAttrs(ctx, slog.LevelError, "an XML-RPC request panicked", slog.String("peer", who.Peer),
				slog.Any("err", p), slog.String("stack", string(debug.Stack())))
			done = nil
		}
	}()
	call, fault := s.call(ctx, who, doc)
	if fault != nil {
		e.fault(fault)
		_ = e.w.Flush()
		return nil
	}
	e.reply(call)
	_ = e.w.Flush()
	return call.Done
}

func (s *Server) call(ctx context.Context, who *rpc.Caller, doc []byte) (*rpc.Call, *rpc.Fault) {
	if len(bytes.TrimSpace(doc)) == 0 {
		return nil, &rpc.Fault{Code: 400, Text: "Empty XML-RPC Document"}
	}
	if len(doc) > MaxRequest {
		return nil, rpc.Faultf(400, "Document longer than %d KiB", MaxRequest>>10)
	}
	d := newDecoder(doc)
	if err := d.root(); err != nil {
		return nil, documentFault(err)
	}
	method, err := d.method()
	if err != nil {
		return nil, documentFault(err)
	}
	args, err := d.arguments()
	if err != nil {
		return nil, documentFault(err)
	}
	if s.DoubleLF {
		for i, a := range args {
			if t, ok := a.(rpc.String); ok {
				args[i] = rpc.String(strings.ReplaceAll(string(t), "\n\n", "\r\n"))
			}
		}
	}
	w := rpc.Wire{Kind: rpc.XMLRPC, AutoConvert: s.AutoConvert, Log: s.Log}
	return w.Dispatch(ctx, s.Registry, who, method, rpc.Values(args...))
}

// The faults of the document itself, in Kamailio's words.
var (
	errRoot   = &rpc.Fault{Code: 400, Text: "Root Element Is Not methodCall"}
	errMethod = &rpc.Fault{Code: 400, Text: "Method Name Not Found"}
)

func documentFault(err error) *rpc.Fault {
	if f, ok := errors.AsType[*rpc.Fault](err); ok {
		return f
	}
	return &rpc.Fault{Code: 400, Text: "Invalid XML-RPC Document"}
}

func newDecoder(doc []byte) *decoder {
	x := xml.NewDecoder(bytes.NewReader(doc))
	x.CharsetReader = charset
	return &decoder{x: x, lenient: true}
}

// charset reads what clients of these daemons write besides UTF-8.
func charset(name string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(name) {
	case "utf-8", "utf8", "us-ascii", "ascii":
		return in, nil
	case "iso-8859-1", "latin1", "latin-1":
		return &latin1{in: in}, nil
	}
	return nil, bad("character set %q", name)
}

// latin1 turns ISO 8859-1 into UTF-8.
type latin1 struct {
	in   io.Reader
	rest []byte
}

func (l *latin1) Read(b []byte) (int, error) {
	if len(l.rest) == 0 {
		var raw [512]byte
		n, err := l.in.Read(raw[:])
		if n == 0 {
			return 0, err
		}
		for _, c := range raw[:n] {
			l.rest = append(l.rest, string(rune(c))...)
		}
	}
	n := copy(b, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

func (d *decoder) root() error {
	name, err := d.start()
	if err == nil && name != "methodCall" {
		return errRoot
	}
	return err
}

func (d *decoder) method() (string, error) {
	name, err := d.start()
	if err != nil {
		return "", err
	}
	if name != "methodName" {
		return "", errMethod
	}
	return d.text()
}

// arguments reads params to the end of the document.
func (d *decoder) arguments() ([]rpc.Value, error) {
	name, err := d.start()
	if err != nil || name == "" {
		return nil, err
	}
	if name != "params" {
		return nil, bad("<%s> behind the method", name)
	}
	var args []rpc.Value
	for {
		more, err := d.expect("param")
		if err != nil {
			return nil, err
		}
		if !more {
			return args, d.end()
		}
		if more, err = d.expect("value"); err != nil {
			return nil, err
		} else if !more {
			continue // <param></param>
		}
		v, err := rpc.Gather(func(yield func(rpc.Token, error) bool) {
			d.yield = yield
			if err := d.value(0); err != nil && !errors.Is(err, errStopped) {
				yield(rpc.Token{}, err)
			}
		})
		if err != nil {
			return nil, err
		}
		args = append(args, v...)
		if err := d.end(); err != nil { // </param>
			return nil, err
		}
	}
}

// looseScalar reads a value as libxml2's users do: of a whole number what
// stands in front of other text, and the low 32 bits; what is no value of its
// type becomes octets, which no parameter takes.
func looseScalar(name, text string) rpc.Value {
	if name == "int" || name == "i4" {
		text = strings.TrimSpace(text)
		end := 0
		for end < len(text) && (text[end] >= '0' && text[end] <= '9' || end == 0 && (text[0] == '-' || text[0] == '+')) {
			end++
		}
		if n, err := strconv.ParseInt(text[:end], 10, 64); err == nil {
			return rpc.Int(int32(n))
		}
		return rpc.Bytes(text)
	}
	v, err := scalar(name, text)
	if err != nil {
		return rpc.Bytes(text)
	}
	return v
}

func (s *Server) log() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.Default()
}

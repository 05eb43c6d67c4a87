package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strconv"
)

// Kind is a wire's rule book for parameters. The elders differ: the same wrong
// call gets different faults over different wires (and clients print them), so
// binding is per wire, over the one declaration in Method.Params.
type Kind uint8

// The wires.
const (
	BinRPC  Kind = iota // typed records; facts: "error at parameter N: …"
	Line                // one text per line; numbers are read from text
	XMLRPC              // typed values; fault 400 "Invalid Parameter Type"
	JSONRPC             // as XMLRPC
)

func (k Kind) String() string {
	return [...]string{"binrpc", "fifo", "xmlrpc", "jsonrpc"}[k]
}

// Wire is one server's way to call methods.
type Wire struct {
	Kind Kind
	// AutoConvert treats every parameter as if it were declared Convert
	// (module parameter autoconversion of ctl and xmlrpc).
	AutoConvert bool
	// Log gets panics of handlers, and calls that change something; nil means
	// slog.Default.
	Log *slog.Logger
}

// Args is what came with a call. Parameters are read one at a time and only as
// far as the method declares them: what follows is never looked at, however
// broken (as Kamailio).
type Args interface {
	// Next is the next parameter as it came: io.EOF after the last one, or one
	// of the errors below for what cannot be read.
	Next() (Value, error)
}

// TypedArgs are Args of a wire without types, which reads a structure where
// one is wanted.
type TypedArgs interface {
	Args
	NextAs(t Type) (Value, error)
}

// What a parameter may fail with. The texts are those BinRPC faults carry.
var (
	ErrEnd    = errors.New("end of packet encountered")
	ErrType   = errors.New("record doesn't match type")
	ErrMore   = errors.New("more data needed")
	ErrRecord = errors.New("bad record")
	errConv   = errors.New("bug -- internal error")
)

// Values are Args that are already there.
func Values(v ...Value) Args { return (*valueArgs)(&v) }

type valueArgs []Value

func (a *valueArgs) Next() (Value, error) {
	if len(*a) == 0 {
		return nil, io.EOF
	}
	v := (*a)[0]
	*a = (*a)[1:]
	return v, nil
}

// Dispatch looks a method up, binds its parameters and runs it. It answers the
// finished call, or the fault to send. A handler that panics is logged with its
// stack and answers fault 500; the daemon goes on. The caller runs Call.Done
// after the reply was sent.
func Dispatch(ctx context.Context, reg *Registry, w *Wire, peer, method string, args Args) (*Call, *Fault) {
	return w.Dispatch(ctx, reg, Trusted(peer), method, args)
}

// Dispatch is the function Dispatch for a caller whose role counts: what it may
// not do is fault 401 or 403.
func (w *Wire) Dispatch(ctx context.Context, reg *Registry, who *Caller, method string, args Args) (*Call, *Fault) {
	m, ok := reg.Lookup(method)
	if !ok {
		return nil, w.notFound(method)
	}
	if fault := who.may(m); fault != nil {
		w.log().LogAttrs(ctx, slog.LevelWarn, "rpc call refused", slog.String("method", m.Name),
			slog.String("peer", who.Peer), slog.String("name", who.Name), slog.String("why", fault.Text))
		return nil, fault
	}
	vals, late, fault := w.bind(m, args)
	if fault != nil {
		if m.BadParams != nil {
			fault = m.BadParams
		}
		return nil, fault
	}
	c := NewCall(m, w.Kind.String(), who.Peer, vals)
	c.Caller, c.wire = who, w
	err := w.run(ctx, c)
	if m.Changes {
		w.audit(ctx, c, err)
	}
	if err != nil {
		return nil, AsFault(err)
	}
	if late != nil && len(c.reply) == 0 {
		return nil, late
	}
	return c, nil
}

// audit logs a call that may have changed state: who, what, before and after;
// its parameters where the method did not note what it changed. The lines are
// notices that nobody has to ask for: a log that leaves notices out has them,
// since they stand at the level of warnings.
func (w *Wire) audit(ctx context.Context, c *Call, err error) {
	attrs := []slog.Attr{
		slog.String("level_name", "NOTICE"),
		slog.String("method", c.Method.Name), slog.String("peer", c.Caller.String()), slog.String("wire", c.Wire),
	}
	if err != nil {
		attrs = append(attrs, slog.Any("err", err))
	}
	if len(c.changes) == 0 {
		w.log().LogAttrs(ctx, slog.LevelWarn, "rpc call", append(attrs, slog.Any("args", c.shown()))...)
		return
	}
	for _, ch := range c.changes {
		w.log().LogAttrs(ctx, slog.LevelWarn, "rpc call", append(attrs[:len(attrs):len(attrs)],
			slog.String("what", ch.What), slog.String("before", ch.Before), slog.String("after", ch.After))...)
	}
}

// shown is the parameters as the log may show them.
func (c *Call) shown() []string {
	out := make([]string, len(c.args))
	for i, v := range c.args {
		if p, ok := c.Method.param(i); ok && p.Secret {
			out[i] = "(secret)"
			continue
		}
		out[i] = fmt.Sprint(v)
	}
	return out
}

func (w *Wire) run(ctx context.Context, c *Call) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.log().LogAttrs(ctx, slog.LevelError, "rpc handler panicked", slog.String("method", c.Method.Name),
				slog.String("peer", c.Peer), slog.Any("err", p), slog.String("stack", string(debug.Stack())))
			err = &Fault{500, "internal server error"}
		}
	}()
	return c.Method.Handler(ctx, c)
}

func (w *Wire) log() *slog.Logger {
	if w.Log != nil {
		return w.Log
	}
	return slog.Default()
}

func (w *Wire) notFound(method string) *Fault {
	switch w.Kind {
	case BinRPC:
		return Faultf(500, "command %s not found", method)
	case Line:
		return Faultf(500, "Command '%s' not found", method)
	}
	return &Fault{500, "Method Not Found"}
}

// bind reads what m declares. late is a fault that counts only when the method
// itself answers nothing: an optional parameter of the wrong type ends the
// list, and the values before it are used.
func (w *Wire) bind(m *Method, args Args) (vals []Value, late, fault *Fault) {
	for i := 0; ; i++ {
		p, ok := m.param(i)
		if !ok {
			return vals, nil, nil
		}
		raw, err := nextAs(args, p.Type)
		if errors.Is(err, io.EOF) {
			err = ErrEnd
		}
		optional := m.Optional(i)
		if optional && (errors.Is(err, ErrEnd) || errors.Is(err, ErrMore)) {
			return vals, nil, nil
		}
		var v Value
		if err == nil {
			v, err = w.convert(p, raw)
		}
		if err != nil {
			f := w.badParam(i, p, raw, err)
			if optional {
				return vals, f, nil
			}
			return nil, nil, f
		}
		vals = append(vals, v)
	}
}

func nextAs(args Args, t Type) (Value, error) {
	if typed, ok := args.(TypedArgs); ok {
		return typed.NextAs(t)
	}
	return args.Next()
}

// param is the declaration of parameter i; the last one may repeat.
func (m *Method) param(i int) (Param, bool) {
	n := len(m.Params)
	switch {
	case i < n:
		return m.Params[i], true
	case n > 0 && m.Params[n-1].Rest:
		return m.Params[n-1], true
	}
	return Param{}, false
}

// Optional says whether parameter i may be missing: an Optional one and all
// that follow it, and the repetitions of a Rest one.
func (m *Method) Optional(i int) bool {
	for j := 0; j < len(m.Params) && j <= i; j++ {
		if m.Params[j].Optional {
			return true
		}
	}
	return i >= len(m.Params)
}

// badParam is the fault for a parameter that could not be bound.
func (w *Wire) badParam(i int, p Param, raw Value, err error) *Fault {
	switch w.Kind {
	case BinRPC:
		name := p.Type.typeName()
		if p.Convert || w.AutoConvert {
			name = valueName(raw) // the elders then name what came, "any" when nothing did
		}
		return Faultf(400, "error at parameter %d: expected %s type but %s", i, name, err)
	case Line:
		return Faultf(400, "Invalid parameter value on line %d", i+2) // line 1 is the command
	}
	if errors.Is(err, ErrEnd) {
		return Faultf(400, "Parameter %d Missing", i+1)
	}
	return &Fault{400, "Invalid Parameter Type"}
}

// typeName is how BinRPC faults call a declared type.
func (t Type) typeName() string {
	return [...]string{"integer", "float", "string", "integer", "integer", "structure", "any"}[t]
}

// valueName is how BinRPC faults call what came.
func valueName(v Value) string {
	switch v.(type) {
	case Int, Bool, Time:
		return "integer"
	case Double:
		return "float"
	case Bytes:
		return "bytes array"
	case Struct, Items:
		return "structure"
	case Array:
		return "array"
	case String, Text, Null:
		return "string"
	}
	return "any"
}

// convert makes what came what the method declared. Errors are those of this
// file.
func (w *Wire) convert(p Param, v Value) (Value, error) {
	loose := p.Convert || w.AutoConvert
	switch p.Type {
	case TInt, TBool, TTime:
		n, err := w.toInt(v, loose)
		if err != nil {
			return nil, err
		}
		switch p.Type {
		case TBool:
			return Bool(n != 0), nil
		case TTime:
			return Time(n), nil
		}
		return n, nil
	case TDouble:
		return w.toDouble(v, loose)
	case TString:
		return w.toString(v, loose)
	case TStruct:
		return toStruct(w.Kind, v)
	}
	return v, nil
}

func (w *Wire) toInt(v Value, loose bool) (Int, error) {
	switch v := v.(type) {
	case Int:
		return v, nil
	case Time:
		return Int(v), nil
	case Bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case Double:
		if loose || w.Kind == JSONRPC {
			return Int(v), nil
		}
	case String:
		if w.Kind == Line {
			return leadingInt(string(v)), nil
		}
		if loose || w.Kind == JSONRPC { // kamcli sends numbers as text
			if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
				return Int(n), nil
			}
		}
	}
	return 0, ErrType
}

// leadingInt reads a number as strtol with base 0 does: hex and octal by their
// prefix, what follows the digits is ignored, no digits are 0.
func leadingInt(s string) Int {
	for end := min(len(s), 24); end > 0; end-- { // no number is longer
		if n, err := strconv.ParseInt(s[:end], 0, 64); err == nil {
			return Int(n)
		}
	}
	return 0
}

func (w *Wire) toDouble(v Value, loose bool) (Value, error) {
	switch v := v.(type) {
	case Double:
		return v, nil
	case Int:
		return Double(v), nil // 5.6.3 refuses it, its successors take it
	case String:
		if loose || w.Kind == Line {
			if f, err := strconv.ParseFloat(string(v), 64); err == nil {
				return Double(f), nil
			}
		}
	}
	return nil, ErrType
}

func (w *Wire) toString(v Value, loose bool) (Value, error) {
	switch v := v.(type) {
	case String:
		return v, nil
	case Null:
		return String(""), nil
	case Int:
		if loose || w.Kind == JSONRPC { // kamctl sends a user named by digits so
			return String(strconv.FormatInt(int64(v), 10)), nil
		}
	case Bool:
		if loose {
			return String(fmt.Sprint(bool(v))), nil
		}
	case Double:
		if loose && w.Kind == BinRPC {
			return nil, errConv // the elders have no such conversion
		}
		if loose {
			return String(strconv.FormatFloat(float64(v), 'f', -1, 64)), nil
		}
	}
	return nil, ErrType
}

func toStruct(k Kind, v Value) (Value, error) {
	switch v := v.(type) {
	case Struct:
		return v, nil
	case Items:
		return Struct(v), nil
	case Array:
		if len(v) == 0 && k == BinRPC { // an empty one looks the same on the wire
			return Struct{}, nil
		}
	}
	return nil, ErrType
}

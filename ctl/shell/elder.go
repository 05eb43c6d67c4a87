package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"sipd/ctl/shell/reply"
	"sipd/rpc"
	"sipd/rpc/binrpc"
)

// packeter is a client that shows the packet of a reply: BinRPC's.
type packeter interface {
	Packet(ctx context.Context, method string, args ...rpc.Value) (binrpc.Header, []byte, error)
}

// elderCall calls a method and prints as kamcmd does, octet by octet: also
// what it prints before it refuses the rest of a reply, and with -vv and -vvv
// the packets.
func (s *Shell) elderCall(ctx context.Context, method string, words []Word, format string, hasFormat bool) error {
	v := s.Servers[0]
	args := make([]rpc.Value, len(words))
	for i, w := range words {
		args[i] = elderValue(w.Text)
	}
	out, done := s.out()
	err := v.connect(ctx)
	if err != nil {
		return done(s.explain(v, &ConnectError{err}))
	}
	form := s.form(out, format, hasFormat)
	p, packets := v.client.(packeter)
	if packets {
		err = s.elderPacket(ctx, p, out, form, method, args)
		if f, isFault := errors.AsType[*rpc.Fault](err); isFault && f.Code == rpc.CodeTooLong { // the elders have no pieces
			err = v.visit(ctx, form, method, args...)
		}
	} else {
		err = v.visit(ctx, form, method, args...)
	}
	_, isFault := errors.AsType[*rpc.Fault](err)
	switch {
	case isFault:
	case err == nil:
		err = form.End()
	default:
		_ = v.close()
		_, record := errors.AsType[*binrpc.RecordError](err)
		if b, ok := form.(reply.Breaker); ok && (record || !packets) {
			err = errors.Join(err, b.Break())
		}
	}
	switch {
	case s.Verbose == 0:
	case err == nil:
		fmt.Fprintln(out, ".")
	case isFault:
		s.Report(err)
		fmt.Fprintln(out, ".")
		err = &reported{err}
	}
	return done(s.explain(v, err))
}

// elderPacket makes the call and hands the records of its reply to form.
func (s *Shell) elderPacket(ctx context.Context, p packeter, out io.Writer, form reply.Form, method string, args []rpc.Value) error {
	h, packet, err := p.Packet(ctx, method, args...)
	if packet != nil {
		s.elderTrace(out, h, packet)
	}
	if err != nil {
		return err
	}
	body := packet[h.Size:]
	if h.Fault() {
		return elderFault(body)
	}
	to := elderArrays{form}
	for r, err := range binrpc.Records(body) {
		if err == nil {
			err = to.record(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// elderTrace shows a packet: with -vv its header, with -vvv its octets.
func (s *Shell) elderTrace(out io.Writer, h binrpc.Header, packet []byte) {
	if s.Verbose > 2 {
		fmt.Fprintf(out, "received %d bytes in reply (@offset 0):\n%s", len(packet), hexDump(packet))
	}
	if s.Verbose > 1 {
		fmt.Fprintf(out, "new packet: type %02x, len %d, cookie %02x\n", h.Type, h.Len, h.Cookie)
	}
}

// elderFault makes a fault of the first two records, which the elders print
// whatever they are.
func elderFault(body []byte) error {
	var vals []rpc.Value
	for r, err := range binrpc.Records(body) {
		if err != nil {
			return err
		}
		if vals = append(vals, r.Value); len(vals) == 2 {
			break
		}
	}
	vals = append(vals, nil, nil)
	code, isInt := vals[0].(rpc.Int)
	f := &rpc.Fault{Code: int(code), Text: reply.Text(vals[1])}
	if isInt {
		return f
	}
	return &oddFault{f, reply.Text(vals[0])}
}

// oddFault is a fault without a code.
type oddFault struct {
	*rpc.Fault
	code string // what stands in its place
}

func (f *oddFault) Unwrap() error { return f.Fault }

// reported is a fault that was printed already.
type reported struct{ error }

func (r *reported) Unwrap() error { return r.error }

// elderArrays prints records with the brackets that kamcmd gives to array
// records: the first one a step too deep.
type elderArrays struct{ form reply.Form }

func (e elderArrays) record(r binrpc.Record) error {
	switch r.Kind {
	case binrpc.RecordStruct:
		return e.form.Open(r.Name, false)
	case binrpc.RecordStructEnd:
		return e.form.Close()
	case binrpc.RecordArray, binrpc.RecordArrayEnd:
		if b, ok := e.form.(reply.Bracketer); ok {
			return b.Bracket(r.Kind == binrpc.RecordArray)
		}
	}
	return e.form.Value(r.Name, r.Value)
}

// hexDump is kamcmd's: sixteen octets a line, in hexadecimal and as text.
func hexDump(p []byte) string {
	var b strings.Builder
	for len(p) > 0 {
		n := min(len(p), 16)
		for i := range 16 {
			if i < n {
				fmt.Fprintf(&b, "%02x ", p[i])
			} else {
				b.WriteString("   ")
			}
		}
		b.WriteByte(' ')
		for _, c := range p[:n] {
			if c < 0x20 || c > 0x7e {
				c = '.'
			}
			b.WriteByte(c)
		}
		b.WriteByte('\n')
		p = p[n:]
	}
	return b.String()
}

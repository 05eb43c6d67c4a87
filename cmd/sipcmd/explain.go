package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"sipd/ctl/shell"
	"sipd/rpc"
	"sipd/rpc/binrpc"
)

// explain turns an error of the connection into words that say what to check.
func explain(p *shell.Persona, o *options, v *shell.Server, err error) error {
	if p.Elder {
		return &said{elderWords(v.Address, err), err}
	}
	if hint := advice(o, err); hint != "" {
		return fmt.Errorf("%w\n%s", err, hint)
	}
	return err
}

// said is an error in an elder's words.
type said struct {
	text string
	err  error
}

func (s *said) Error() string { return s.text }
func (s *said) Unwrap() error { return s.err }

func advice(o *options, err error) string {
	_, badName := errors.AsType[*net.DNSError](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, notTLS := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case errors.Is(err, rpc.ErrCredential):
		return "Show a token with --token-file FILE or SIPCMD_TOKEN, or a certificate with --cert FILE; the daemon's rpc_credentials says whom it knows."
	case untrusted:
		return "Name the authority that signed the daemon's certificate with --ca FILE; for a certificate that signed itself, that one."
	case notTLS:
		return "The daemon does not speak TLS at this address: is it the port for it?"
	case errors.Is(err, binrpc.ErrAddress):
		return "Other wires: fifo:PATH, jsonrpc+unixd:PATH, jsonrpc+fifo:PATH, jsonrpc+http://…, xmlrpc+http://…."
	case errors.Is(err, fs.ErrNotExist):
		return "Is the daemon running, and is its control socket there? Say another one with -s ADDRESS or SIPCMD_SERVER;\nthe usual ones are " + strings.Join(usualSockets(shell.PersonaFor("")), ", ") + "."
	case errors.Is(err, fs.ErrPermission):
		return "The socket belongs to the daemon's user: run sipcmd as that user or as root (sudo), or let the daemon open it (ctl: mode, user, group)."
	case errors.Is(err, syscall.EPROTOTYPE):
		return "The socket is of the other kind: use unixd: in place of unixs:, or the reverse."
	case errors.Is(err, syscall.ECONNREFUSED):
		return "Nobody listens there: is the daemon running? A socket file may be left over from one that ended."
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Sprintf("No answer within %v: the daemon is busy, or speaks another protocol at this address. -t sets the time, -t 0 waits for ever.", o.timeout)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "The daemon closed the connection without an answer: did it end, or does it have too many connections, or not speak this protocol?"
	case badName:
		return "The name of the host is not known."
	}
	return ""
}

// elderWords says what kamcmd says, "ERROR" included; scripts may look for it.
func elderWords(address string, err error) string {
	_, badName := errors.AsType[*net.DNSError](err)
	a, _ := binrpc.ParseAddress(address)
	errno, isErrno := errors.AsType[syscall.Errno](err)
	record, isRecord := errors.AsType[*binrpc.RecordError](err)
	reply, isReply := errors.AsType[*binrpc.ReplyError](err)
	_, corrupt := errors.AsType[*binrpc.CorruptError](err)
	text := errno.Error()
	text = strings.ToUpper(text[:1]) + text[1:]
	switch {
	case isRecord:
		return fmt.Sprintf("ERROR:: while parsing the record %d, @%d: %02x : %v", record.N, record.At, record.First, record.Err)
	case corrupt:
		return "ERROR while parsing the reply: corrupted packet"
	case isReply && reply.Sent != reply.Got:
		return fmt.Sprintf("bad reply, cookie doesn't match: sent %x and received  %02x\nERROR: cookie does not match", reply.Sent, reply.Got)
	case isReply:
		return "ERROR: not a reply"
	case errors.Is(err, binrpc.ErrAddress):
		return "ERROR: error parsing server socket address " + address
	case badName:
		return "ERROR: could not resolve " + a.Host
	case len(a.Path) > maxElderPath:
		return fmt.Sprintf("ERROR: connect_unix_sock: name too long (%d > %d): %s", len(a.Path), maxElderPath, a.Path)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "ERROR: read reply failed: Success (0)"
	case isErrno && a.Path != "":
		call, _ := errors.AsType[*os.SyscallError](err)
		if op, ok := errors.AsType[*net.OpError](err); ok && op.Source != nil && call != nil && call.Syscall == "bind" {
			return fmt.Sprintf("ERROR: could not bind the unix socket to %s: %s (%d)", op.Source, text, int(errno))
		}
		return fmt.Sprintf("ERROR: connect_unix_sock: connect(%s): %s [%d]", a.Path, text, int(errno))
	case isErrno && a.Net == "udp":
		return fmt.Sprintf("ERROR: read reply failed: %s (%d)", text, int(errno))
	case isErrno:
		return "ERROR: connect: " + text
	}
	return "ERROR: " + err.Error()
}

// maxElderPath is the longest path of a socket that kamcmd takes.
const maxElderPath = 104

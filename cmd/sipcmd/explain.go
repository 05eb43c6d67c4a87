package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"sipd/ctl/shell"
	"sipd/rpc/binrpc"
)

// explain turns an error of the connection into words that say what to check.
func explain(p *shell.Persona, o *options, err error) error {
	if p.Elder {
		return errors.New(elderWords(o, err))
	}
	if hint := advice(o, err); hint != "" {
		return fmt.Errorf("%w\n%s", err, hint)
	}
	return err
}

func advice(o *options, err error) string {
	_, badName := errors.AsType[*net.DNSError](err)
	switch {
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

// elderWords says what kamcmd says; scripts may look for it.
func elderWords(o *options, err error) string {
	address := display(o.servers)
	_, badName := errors.AsType[*net.DNSError](err)
	a, _ := binrpc.ParseAddress(address)
	errno, isErrno := errors.AsType[syscall.Errno](err)
	text := errno.Error()
	text = strings.ToUpper(text[:1]) + text[1:]
	switch {
	case errors.Is(err, binrpc.ErrAddress):
		return "error parsing server socket address " + address
	case badName:
		return "could not resolve " + a.Host
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "read reply failed: Success (0)"
	case isErrno && a.Path != "":
		return fmt.Sprintf("connect_unix_sock: connect(%s): %s [%d]", a.Path, text, int(errno))
	case isErrno && a.Net == "udp":
		return fmt.Sprintf("read reply failed: %s (%d)", text, int(errno))
	case isErrno:
		return "connect: " + text
	}
	return err.Error()
}

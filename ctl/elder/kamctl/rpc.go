package kamctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"sipd/rpc"
	"sipd/rpc/dial"
	"sipd/rpc/fifo"
	"sipd/rpc/jsonrpc"
)

// notFound is the fault that a daemon answers about an address it has not.
const notFound = 404

// callTime bounds a call. The longest is a ping, which waits for SIP's own
// timer of 32 seconds.
const callTime = 60 * time.Second

// fault is the error in a reply.
type fault struct {
	code    int
	message string
}

func (f *fault) Error() string { return fmt.Sprintf("the daemon answers %d %s", f.code, f.message) }

// reply is what a daemon answered: the JSON text as it came, and its error.
type reply struct {
	text  string
	fault *fault
}

// needControl is the elder's require_ctlengine.
func (k *control) needControl() error {
	switch name := k.rc.get("CTLENGINE", "RPCFIFO"); name {
	case "RPCFIFO", "rpcfifo", "BINRPC", "binrpc":
		return nil
	case "FIFO", "fifo", "UNIXSOCK", "unixsock", "SER_MI", "ser_mi":
		return nil // what Kamailio 3 had; its calls are those of RPC now
	default:
		k.warn("no control engine found - tried '%s'", name)
		k.error("This command requires a control engine - none was loaded")
		return noEngine
	}
}

// pipePath is the daemon's pipe for JSON-RPC.
func (k *control) pipePath() string {
	if p := k.rc.get("RPCFIFOPATH", ""); p != "" {
		return p
	}
	const usual = "/var/run/kamailio/kamailio_rpc.fifo"
	if st, err := os.Stat(usual); err == nil && st.Mode()&fs.ModeNamedPipe != 0 {
		return usual
	}
	return "/run/kamailio/kamailio_rpc.fifo"
}

// call calls a method, over the pipe as the elder does, else over the BinRPC
// socket that the settings or sipctl's configuration name. A fault is part of
// the reply, not an error.
func (k *control) call(ctx context.Context, method string, args ...string) (*reply, error) {
	values, err := params(args)
	if err != nil {
		return nil, err
	}
	return k.callValues(ctx, method, values)
}

func (k *control) callValues(ctx context.Context, method string, values []rpc.Value) (*reply, error) {
	address := k.rc.get("RPCADDRESS", "")
	path := k.pipePath()
	if _, err := os.Stat(path); address == "" && err != nil && k.rc.get("RPCFIFOPATH", "") == "" && k.DefaultServer != nil {
		if address, err = k.DefaultServer(); err != nil {
			return nil, err
		}
	}
	if address != "" {
		return k.dialled(ctx, address, method, values)
	}
	id := os.Getpid()
	pipe := fifo.Pipe{Path: path, ReplyDir: k.rc.get("CHROOT_DIR", "") + "/tmp", Timeout: callTime}
	b, err := pipe.Exchange(ctx, func(name string) ([]byte, error) {
		b, err := jsonrpc.AppendRequest(nil, method, name, id, values)
		return append(b, '\n'), err
	})
	if err != nil {
		return nil, err
	}
	return parseReply(string(b))
}

func (k *control) dialled(ctx context.Context, address, method string, values []rpc.Value) (*reply, error) {
	c, err := dial.Dial(ctx, address, dial.Options{Timeout: callTime})
	if err != nil {
		return nil, err
	}
	out, err := c.Call(ctx, method, values...)
	err = errors.Join(err, c.Close())
	if f, ok := errors.AsType[*rpc.Fault](err); ok {
		text := printFault(f, os.Getpid())
		return &reply{text: text, fault: &fault{int(f.Code), f.Text}}, nil
	}
	if err != nil {
		return nil, err
	}
	return &reply{text: printReply(out, os.Getpid())}, nil
}

// parseReply finds the error in a reply. What is no JSON is printed as it is.
func parseReply(text string) (*reply, error) {
	var r struct {
		Error *struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("the daemon answered nothing")
	}
	out := &reply{text: text}
	if json.Unmarshal([]byte(text), &r) == nil && r.Error != nil {
		out.fault = &fault{r.Error.Code, r.Error.Message}
	}
	return out, nil
}

// jsonNumber is what JSON takes as a number. Others that the elder's shell
// takes for one (+49, 0x1f, 007) would break its request and are texts here, so
// that a user named by digits just works.
var jsonNumber = lazy(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

// params types arguments: s:TEXT, i:NUMBER, a number, a text.
func params(args []string) ([]rpc.Value, error) {
	var out []rpc.Value
	for _, a := range args {
		text, isText := strings.CutPrefix(a, "s:")
		number, isNumber := strings.CutPrefix(a, "i:")
		switch {
		case isText:
			out = append(out, rpc.String(text))
		case isNumber && !jsonNumber().MatchString(number):
			return nil, fmt.Errorf("parameter %s: %q is no number", a, number)
		case isNumber || jsonNumber().MatchString(a):
			v, err := numberValue(strings.TrimPrefix(a, "i:"))
			if err != nil {
				return nil, fmt.Errorf("parameter %s: %w", a, err)
			}
			out = append(out, v)
		default:
			out = append(out, rpc.String(a))
		}
	}
	return out, nil
}

func numberValue(s string) (rpc.Value, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return rpc.Int(n), nil
	}
	f, err := strconv.ParseFloat(s, 64)
	return rpc.Double(f), err
}

// rpc calls a method and prints the reply.
func (k *control) rpc(ctx context.Context, method string, args ...string) error {
	if err := k.needControl(); err != nil {
		return err
	}
	r, err := k.call(ctx, method, args...)
	if err != nil {
		return k.unreachable(err)
	}
	return k.print(r)
}

// print writes a reply in the elder's layout.
func (k *control) print(r *reply) error {
	if _, err := fmt.Fprint(k.Out, k.safe(layout(r.text))); err != nil {
		return err
	}
	if r.fault != nil {
		return k.lied()
	}
	return nil
}

// unreachable reports a daemon that did not answer, in the elder's words where
// its pipe is the reason.
func (k *control) unreachable(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok && p.Op == "make reply fifo" {
		k.error("error opening read fifo %s", p.Path)
		k.complain(err)
		return noReply
	}
	k.error("Error opening Kamailio's FIFO %s", k.pipePath())
	k.error("Make sure you have loaded the jsonrpcs module and set FIFO transport parameters")
	if dir := k.rc.get("CHROOT_DIR", ""); dir != "" {
		k.error("[chrooted environment] Check that %s is symlinked to %s%s", k.pipePath(), dir, k.pipePath())
	}
	k.complain(err)
	return noFIFO
}

func (k *control) rawRPC(ctx context.Context, args []string) error {
	if err := k.needControl(); err != nil {
		return err
	}
	if len(args) < 2 {
		k.error("rpc_cmd must take at least command name as parameter")
		return failed
	}
	return k.rpc(ctx, args[1], args[2:]...)
}

// printRPC shows the request and sends nothing.
func (k *control) printRPC(_ context.Context, args []string) error {
	if len(args) < 2 {
		k.error("rpcprint must take at least command name as parameter")
		return failed
	}
	values, err := params(args[2:])
	if err != nil {
		return err
	}
	name := "kamailio_receiver_" + strconv.Itoa(os.Getpid())
	b, err := jsonrpc.AppendRequest(nil, args[1], name, os.Getpid(), values)
	if err != nil {
		return err
	}
	k.info("The command is:\n")
	k.echo("%s\n", spaced(b))
	return nil
}

// spaced puts the blanks into a request that the elder's has.
func spaced(b []byte) string {
	var out strings.Builder
	quoted := false
	for i, c := range b {
		out.WriteByte(c)
		if c == '"' && (i == 0 || b[i-1] != '\\') {
			quoted = !quoted
		}
		if !quoted && (c == ':' || c == ',') {
			out.WriteByte(' ')
		}
	}
	return out.String()
}

// fifo sends a command over the line protocol of Kamailio 3's pipe, and where
// there is none as rpc does.
func (k *control) fifo(ctx context.Context, args []string) error {
	if len(args) < 2 {
		k.error("fifo must take at least command name as parameter")
		return failed
	}
	path := k.rc.get("OSER_FIFO", "/tmp/kamailio_fifo")
	if _, err := os.Stat(path); err != nil {
		return k.rpc(ctx, args[1], args[2:]...)
	}
	p := fifo.Pipe{Path: path, Timeout: callTime}
	b, err := p.Exchange(ctx, func(name string) ([]byte, error) {
		var values []rpc.Value
		for _, a := range args[2:] {
			values = append(values, rpc.String(a))
		}
		return fifo.AppendRequest(nil, args[1], name, values)
	})
	if err != nil {
		k.error("error opening fifo %s", path)
		k.complain(err)
		return noFIFO
	}
	status, body, _ := strings.Cut(string(b), "\n")
	if !strings.HasPrefix(status, "200") {
		fmt.Fprintln(k.Out, k.safe(status))
	}
	fmt.Fprint(k.Out, k.safe(body))
	if !strings.HasPrefix(status, "200") {
		return k.lied()
	}
	return nil
}

// noMI refuses the two ways of Kamailio 3 that no daemon of today answers on.
func (k *control) noMI(_ context.Context, args []string) error {
	k.error("%s: the management interface of Kamailio 3 is not spoken any more; '%s rpc METHOD' calls the method", args[0], k.name)
	return failed
}

func (k *control) kamcmd(ctx context.Context, args []string) error {
	if len(args) < 2 {
		k.error("kamcmd must take at least command name as parameter")
		return failed
	}
	if k.Kamcmd == nil {
		k.error("kamcmd tool is missing")
		return noEngine
	}
	if code := k.Kamcmd(ctx, args[1:]); code != 0 {
		return exit(code)
	}
	return nil
}

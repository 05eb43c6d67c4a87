package serctl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"sipd/ctl/elder/assign"
	"sipd/rpc"
	"sipd/rpc/dial"
)

// callTime bounds a call.
const callTime = 60 * time.Second

// server is the address of the server: of -j, -s, the environment, sipctl's
// configuration, or the elder's default.
func (s *session) server() (string, error) {
	if s.opt.flag("USE_FIFO") {
		return "fifo:" + s.opt.text("FIFO"), nil
	}
	uri := s.opt.text("SER_URI")
	if !s.opt.has("SER_URI") {
		uri = os.Getenv(s.opt.text("ENV_SER"))
	}
	if uri == "" && s.DefaultServer != nil {
		var err error
		if uri, err = s.DefaultServer(); err != nil {
			return "", err
		}
	}
	if uri == "" {
		uri = "unix:/tmp/ser_ctl"
	}
	return adjust(uri), nil
}

// adjust makes an http address of one without a scheme, as the elder does.
func adjust(uri string) string {
	uri = strings.TrimSpace(uri)
	for _, scheme := range []string{"http://", "https://", "unix:", "unixs:", "unixd:", "tcp:", "udp:", "fifo:", "jsonrpc+", "xmlrpc+"} {
		if strings.HasPrefix(uri, scheme) {
			return uri
		}
	}
	return "http://" + uri
}

// servers are those of -A, else the one.
func (s *session) servers() ([]string, error) {
	var out []string
	for _, uri := range strings.Fields(s.opt.text("SERVERS")) {
		out = append(out, adjust(uri))
	}
	if out != nil {
		return out, nil
	}
	one, err := s.server()
	return []string{one}, err
}

func (s *session) dial(ctx context.Context, address string) (rpc.Client, error) {
	if s.opt.has("SSL_KEY") || s.opt.has("SSL_CERT") {
		return nil, errors.New("--ssl-key and --ssl-cert: no certificate is shown to servers here; leave them out, or put a proxy in between that does")
	}
	return dial.Dial(ctx, address, dial.Options{Timeout: callTime, EncodeXML: encodeXML})
}

// call calls a method of the server and gives its reply as one value: nil for
// none, an array for several.
func (s *session) call(ctx context.Context, method string, args ...rpc.Value) (rpc.Value, error) {
	address, err := s.server()
	if err != nil {
		return nil, err
	}
	return s.callAt(ctx, address, method, args...)
}

func (s *session) callAt(ctx context.Context, address, method string, args ...rpc.Value) (rpc.Value, error) {
	c, err := s.dial(ctx, address)
	if err != nil {
		return nil, err
	}
	vals, err := c.Call(ctx, method, args...)
	if err = errors.Join(err, c.Close()); err != nil {
		if f, ok := errors.AsType[*rpc.Fault](err); ok {
			return nil, fail("ERPC", fmt.Sprintf("%s: %d %s", method, f.Code, f.Text))
		}
		return nil, err
	}
	switch len(vals) {
	case 0:
		return nil, nil
	case 1:
		return vals[0], nil
	}
	return rpc.Array(vals), nil
}

// rpcCommand is ser_rpc: numbers are numbers, the rest is text, quoted or not.
func (s *session) rpcCommand(ctx context.Context, args []string) error {
	var values []rpc.Value
	for _, a := range args[1:] {
		v, err := argument(a)
		if err != nil {
			return err
		}
		values = append(values, v)
	}
	reply, err := s.call(ctx, args[0], values...)
	if err != nil {
		return err
	}
	return s.printReply(reply)
}

// printReply prints as Python's repr, or with -t as a table; nothing for an
// empty reply.
func (s *session) printReply(reply rpc.Value) error {
	v, err := s.view()
	if err != nil {
		return err
	}
	if v.table {
		rows, names := replyTable(reply)
		s.print(v, rows, names)
		return nil
	}
	if reply == nil || reply == rpc.String("") {
		return nil
	}
	_, err = fmt.Fprintln(s.Out, repr(reply))
	return err
}

// argument types a word of the command line.
func argument(a string) (rpc.Value, error) {
	if n, err := strconv.ParseInt(a, 10, 64); err == nil {
		return rpc.Int(n), nil
	}
	if f, err := strconv.ParseFloat(a, 64); err == nil && !strings.ContainsAny(a, "xXnN_") {
		return rpc.Double(f), nil
	}
	if a == "" || a[0] != '"' && a[0] != '\'' {
		return rpc.String(a), nil
	}
	// The elder evaluates what is quoted; only the text is read here.
	settings, err := assign.Python("", "x = "+a)
	if err != nil || len(settings) != 1 {
		return nil, fail("EINVAL", a)
	}
	text, ok := settings[0].Value.(string)
	if !ok {
		return nil, fail("EINVAL", a)
	}
	return rpc.String(text), nil
}

// replyTable is a reply as rows: names and values of a struct, else values.
func replyTable(reply rpc.Value) ([][]string, []string) {
	var rows [][]string
	switch x := reply.(type) {
	case rpc.Struct:
		for _, m := range x {
			rows = append(rows, []string{m.Name, str(m.Value)})
		}
		return rows, []string{"key", "value"}
	case rpc.Array:
		for _, v := range x {
			rows = append(rows, []string{str(v)})
		}
	case nil:
		rows = [][]string{{""}}
	default:
		rows = [][]string{{str(x)}}
	}
	return rows, []string{"value"}
}

// str is Python's str() of a value, repr its repr().
func str(v rpc.Value) string {
	switch x := v.(type) {
	case rpc.String:
		return string(x)
	case rpc.Text:
		return string(x)
	case rpc.Bytes:
		return string(x)
	}
	return repr(v)
}

func repr(v rpc.Value) string {
	switch x := v.(type) {
	case nil, rpc.Null:
		return "None"
	case rpc.Int:
		return strconv.FormatInt(int64(x), 10)
	case rpc.Time:
		return strconv.FormatInt(int64(x), 10)
	case rpc.Bool:
		if x {
			return "True"
		}
		return "False"
	case rpc.Double:
		text := strconv.FormatFloat(float64(x), 'g', -1, 64)
		if !strings.ContainsAny(text, ".enN") {
			text += ".0"
		}
		return text
	case rpc.Array:
		out := make([]string, len(x))
		for i, e := range x {
			out[i] = repr(e)
		}
		return "[" + strings.Join(out, ", ") + "]"
	case rpc.Struct:
		return "{" + members(x) + "}"
	case rpc.Items:
		out := make([]string, len(x))
		for i, m := range x {
			out[i] = "{" + members([]rpc.Member{m}) + "}"
		}
		return "[" + strings.Join(out, ", ") + "]"
	}
	return pyText(str(v))
}

func members(list []rpc.Member) string {
	out := make([]string, len(list))
	for i, m := range list {
		out[i] = pyText(m.Name) + ": " + repr(m.Value)
	}
	return strings.Join(out, ", ")
}

// member is a named value of a struct, nil when it is not there.
func member(v rpc.Value, name string) rpc.Value {
	if st, ok := v.(rpc.Struct); ok {
		for _, m := range st {
			if m.Name == name {
				return m.Value
			}
		}
	}
	return nil
}

// list is a reply as a list: one value is a list of it.
func list(v rpc.Value) []rpc.Value {
	switch x := v.(type) {
	case nil:
		return nil
	case rpc.Array:
		return x
	}
	return []rpc.Value{v}
}

package rtpproxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/tm"
)

// options are the flags of a call, one letter each.
type options struct {
	via                          int // 1 or 2: the branch of that Via goes with the Call-ID; 3: as the message
	common                       string
	repacket                     string
	lookup, forced, real         bool
	session, bridge, extra, noTo bool
}

// parseOptions reads flags. Case does not count.
func parseOptions(text string) (*options, error) {
	o := &options{}
	for i := 0; i < len(text); i++ {
		switch ch := text[i]; ch | 0x20 {
		case '1', '2', '3':
			o.via = int(ch - '0')
		case 'a':
			o.common, o.real = o.common+"A", true
		case 'b':
			o.extra = true
		case 'i', 'e':
			o.common += strings.ToUpper(text[i : i+1])
		case 'l':
			o.lookup = true
		case 'f':
			o.forced = true
		case 'r':
			o.real = true
		case 'c':
			o.session = true
		case 'o': // the address of o= is always replaced
		case 'x':
			o.bridge = true
		case 'w':
			o.common += "S"
		case 'z':
			o.repacket = "Z"
			for i+1 < len(text) && text[i+1] >= '0' && text[i+1] <= '9' {
				i++
				o.repacket += text[i : i+1]
			}
		case 't':
			o.noTo = true
		default:
			return nil, fmt.Errorf("unknown flag %q; there are 1 2 3 a b c e f i l o r t w x z", ch)
		}
	}
	return o, nil
}

// withFlags compiles a function with flags and an address.
func (m *mod) withFlags(do func(*run.Context, *options, string) int) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		var fixed *options
		if len(a) == 0 || a[0].IsConst {
			var err error
			text := ""
			if len(a) > 0 {
				text = a[0].Const.Text()
			}
			if fixed, err = parseOptions(text); err != nil {
				return nil, &module.ArgError{I: 0, Err: err}
			}
		}
		return func(c *run.Context) int {
			o := fixed
			if o == nil {
				var err error
				if o, err = parseOptions(a.Str(c, 0)); err != nil {
					return m.failed(c, err)
				}
			}
			return do(c, o, a.Str(c, 1))
		}, nil
	}
}

func (m *mod) failed(c *run.Context, err error) int {
	c.Logger().LogAttrs(context.Background(), slog.LevelError, "media relay", slog.String("module", "rtpproxy"),
		slog.String("call_id", c.Msg.CallID()), slog.Any("err", err))
	return -1
}

func (m *mod) newSet(a module.Args) (run.Func, error) {
	if a[0].IsConst && !m.has(a[0].Const.Int()) {
		return nil, &module.ArgError{I: 0, Err: fmt.Errorf("no media relay is in set %d; name one with rtpproxy_sock", a[0].Const.Int())}
	}
	return func(c *run.Context) int {
		set := a.Int(c, 0, 0)
		if !m.has(set) {
			return m.failed(c, fmt.Errorf("no media relay is in set %d", set))
		}
		c.Slots[m.slot] = set
		return 1
	}, nil
}

func (m *mod) has(set int) bool {
	for _, n := range m.nodes {
		if n.set == set {
			return true
		}
	}
	return false
}

// set is the set that the message chose.
func (m *mod) set(c *run.Context) int {
	n, _ := c.Slots[m.slot].(int)
	return n
}

// call names the media of a call at a relay.
type call struct{ id, from, to string }

func callOf(c *run.Context) (call, error) {
	k := call{c.Msg.CallID(), c.Msg.FromTag(), c.Msg.ToTag()}
	switch {
	case k.id == "":
		return k, errors.New("the message has no Call-ID")
	case k.from == "":
		return k, errors.New("the From header has no tag")
	}
	return k, nil
}

// name is the Call-ID with what the flags add to it.
func (m *mod) name(c *run.Context, k call, o *options) (string, error) {
	n := o.via
	if n == 3 {
		if n = 1; !c.Msg.IsRequest() {
			n = 2
		}
	}
	switch {
	case n > 0:
		branch := viaBranch(c.Msg, n)
		if branch == "" {
			return "", fmt.Errorf("header Via %d has no branch", n)
		}
		return k.id + ";" + branch, nil
	case o.extra && m.idFormat != nil:
		return k.id + ";" + m.idFormat.Eval(c), nil
	}
	return k.id, nil
}

// viaBranch is the branch of the nth Via, "" for none.
func viaBranch(m *sip.Message, n int) string {
	for h := m.First(sip.HdrVia); h != nil; h = m.Next(h) {
		for item, rest := sip.CutList(m.Value(h)); item != ""; item, rest = sip.CutList(rest) {
			if n--; n > 0 {
				continue
			}
			v, err := sip.ParseVia(item)
			if err != nil {
				return ""
			}
			return v.Branch
		}
	}
	return ""
}

// send asks the call's relay, and others while one does not answer: each of them
// once, and once more when all were down, for one may tell its version and answer
// nothing else.
func (m *mod) send(c *run.Context, callID string, command func(*node) string) (reply string, err error) {
	ctx := context.Background()
	for range 2*len(m.nodes) + 1 {
		n := m.choose(ctx, m.set(c), callID)
		if n == nil {
			if err == nil {
				err = fmt.Errorf("no media relay of set %d is up", m.set(c))
			}
			return "", err
		}
		if m.instanceVar.Set != nil {
			m.instanceVar.Set(c, run.Str(n.url))
		}
		if reply, err = n.ask(ctx, m, command(n)); err == nil {
			return reply, nil
		}
		n.disable(m, err)
	}
	return "", err
}

// destroy ends the call: D call-id from-tag [to-tag].
func (m *mod) destroy(c *run.Context, o *options, _ string) int {
	k, err := callOf(c)
	if err != nil {
		return m.failed(c, err)
	}
	name, err := m.name(c, k, o)
	if err != nil {
		return m.failed(c, err)
	}
	command := "D " + name + " " + k.from
	if k.to != "" && !o.noTo {
		command += " " + k.to
	}
	return m.plain(c, k.id, command)
}

func (m *mod) offer(c *run.Context, o *options, ip string) int { return m.describe(c, o, ip, true) }

// answer takes an answer: of a reply, or of an ACK, as Kamailio.
func (m *mod) answer(c *run.Context, o *options, ip string) int {
	if c.Msg.IsRequest() && c.Msg.Method() != sip.ACK {
		return -1
	}
	return m.describe(c, o, ip, false)
}

// force is the function of 2010: a request has the offer, a reply the answer.
func (m *mod) force(c *run.Context, o *options, ip string) int {
	return m.describe(c, o, ip, c.Msg.IsRequest() && c.Msg.Method() != sip.ACK)
}

// manage does what the message asks for.
func (m *mod) manage(c *run.Context, o *options, ip string) int {
	msg := c.Msg
	cseq, err := msg.CSeq()
	if c.Route == run.BranchFailureRoute {
		return 1
	}
	if err != nil {
		return -1
	}
	sdp := hasSDP(msg)
	switch cseq.Method {
	case sip.CANCEL, sip.BYE:
		return m.destroy(c, o, "")
	case sip.INVITE, sip.ACK, sip.UPDATE, sip.PRACK:
	default:
		return -1
	}
	switch {
	case msg.IsRequest() && !sdp:
		return -1
	case msg.IsRequest() && cseq.Method == sip.INVITE && c.Route == run.FailureRoute:
		return m.destroy(c, o, "")
	case msg.IsRequest():
		return m.describe(c, o, ip, cseq.Method != sip.ACK)
	case msg.StatusCode() >= 300:
		return m.destroy(c, o, "")
	case !sdp:
		return -1
	}
	late := false // the INVITE had no offer: it is in the reply
	if t := tm.Of(c); t != nil && cseq.Method == sip.INVITE {
		_, body, _ := strings.Cut(t.Request(), "\r\n\r\n")
		late = body == ""
	}
	return m.describe(c, o, ip, late)
}

// hasSDP says whether the body is a session description.
func hasSDP(m *sip.Message) bool {
	if m.Body() == "" {
		return false
	}
	h := m.FindName("Content-Type")
	return h == nil || strings.HasPrefix(strings.ToLower(strings.TrimSpace(m.Value(h))), "application/sdp")
}

// record starts a recording: R call-id from-tag [to-tag].
func (m *mod) record(c *run.Context) int {
	k, err := m.sides(c)
	if err != nil {
		return m.failed(c, err)
	}
	command := "R " + k.id + " " + k.from
	if k.to != "" {
		command += " " + k.to
	}
	return m.plain(c, k.id, command)
}

// sides is the call with its tags in the order of the message's direction.
func (m *mod) sides(c *run.Context) (call, error) {
	k, err := callOf(c)
	if err == nil && !c.Msg.IsRequest() {
		if k.to == "" {
			return k, errors.New("the reply's To header has no tag")
		}
		k.from, k.to = k.to, k.from
	}
	return k, err
}

func (m *mod) plain(c *run.Context, callID, command string) int {
	if _, err := m.send(c, callID, func(*node) string { return command }); err != nil {
		return m.failed(c, err)
	}
	return 1
}

// stat reads $rtpstat.
func (m *mod) stat(c *run.Context) run.Value {
	k, err := m.sides(c)
	if err != nil {
		return run.Null
	}
	command := "Q " + k.id + " " + k.from
	if k.to != "" {
		command += ";1 " + k.to
	}
	reply, err := m.send(c, k.id, func(*node) string { return command })
	if err != nil {
		m.failed(c, err)
		return run.Null
	}
	return run.Str(reply)
}

// errOld is a relay that cannot play prompts.
var errOld = errors.New("the media relay is too old to play prompts")

// newStream compiles rtpproxy_stream2ua[cs].
func (m *mod) newStream(toCaller bool) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		return func(c *run.Context) int {
			k, err := callOf(c)
			if err != nil {
				return m.failed(c, err)
			}
			first, second, err := legs(k, toCaller)
			if err != nil {
				return m.failed(c, err)
			}
			command := fmt.Sprintf("P%d %s %s session %s;1", a.Int(c, 1, 0), k.id, a.Str(c, 0), first)
			return m.play(c, k.id, command, second)
		}, nil
	}
}

// stop ends a prompt: S call-id tag;1 [tag;1].
func (m *mod) stop(c *run.Context, toCaller bool) int {
	k, err := callOf(c)
	if err != nil {
		return m.failed(c, err)
	}
	first, second, err := legs(k, toCaller)
	if err != nil {
		return m.failed(c, err)
	}
	return m.play(c, k.id, "S "+k.id+" "+first+";1", second)
}

// legs are the tags of who is played to and of the other.
func legs(k call, toCaller bool) (first, second string, err error) {
	if toCaller {
		return k.from, k.to, nil
	}
	if k.to == "" {
		return "", "", errors.New("the To header has no tag")
	}
	return k.to, k.from, nil
}

func (m *mod) play(c *run.Context, callID, command, second string) int {
	n := m.choose(context.Background(), m.set(c), callID)
	if n != nil && !n.payloads.Load() {
		return m.failed(c, errOld)
	}
	if second != "" {
		command += " " + second + ";1"
	}
	return m.plain(c, callID, command)
}

// Package run is what one message carries on its way through the script: the
// request URI and the other branches, flags, attributes, script variables, the
// settings snapshot it started with, and where it came from. Script, variables,
// modules and transactions all work on its [Context]; none of them owns it.
package run

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"sipd/router/cfg"
	"sipd/router/sip"
	"sipd/router/transport"
)

// Kind is a kind of route block. It is a bit set, so that a function can say
// in which blocks it may stand.
type Kind uint16

// The route kinds.
const (
	RequestRoute   Kind = 1 << iota
	ReplyRoute          // onreply_route[NAME], armed in a transaction
	CoreReplyRoute      // onreply_route without a name, before tm
	FailureRoute
	BranchRoute
	OnSendRoute
	EventRoute
	BranchFailureRoute

	AnyRoute = RequestRoute | ReplyRoute | CoreReplyRoute | FailureRoute | BranchRoute | OnSendRoute | EventRoute | BranchFailureRoute
)

// Func is a compiled call of a module function. It answers the script's return
// code: > 0 true, < 0 false, 0 ends the script.
type Func func(*Context) int

// Block is a compiled route block.
type Block interface {
	// Run executes the block from its start in ctx (whose Route the caller has
	// set) and returns its code; ctx.Dropped and ctx.Exited tell how it ended.
	Run(ctx *Context) int
}

// Context is one message's run through the script. It is used by one goroutine
// at a time and reused for other messages after the run; what outlives the run
// takes copies (Value.Keep, Message ownership through TakeMessage).
type Context struct {
	// Msg is the message. For replies, failure and branch routes it is what
	// script.md §9 says.
	Msg *sip.Message
	// Route is the kind of block being executed.
	Route Kind
	// RouteName is the name of the block being executed, for logs.
	RouteName string
	// Recv says how the message came in.
	Recv transport.Received
	// ID numbers the messages of this daemon ($mi).
	ID uint64

	// Cfg is the settings snapshot taken when the message came in.
	Cfg *cfg.Snapshot
	// Env gives the daemon's services; never nil.
	Env *Env

	// Main is the request URI as a branch: its destination, path, socket, q,
	// flags. URI "" means the message's own request URI.
	Main Branch
	// Branches are the others of the fork set.
	Branches []Branch
	// Static is $sbranch: a branch under construction; nil until it is used.
	Static *Branch
	// RURINew is the mark of script.md §21: the request URI is to be used as
	// a branch by t_relay.
	RURINew bool

	// Flags, SFlags are message (transaction) and script flags. Branch flags
	// of branch 0 are Main.Flags.
	Flags, SFlags uint32
	// AVPs are the attributes of the transaction.
	AVPs *AVPs
	// XAVPs are extended attributes by name (see xavp.go).
	XAVPs *XAVPs

	// SendSock is the socket forced by force_send_socket, nil for none.
	SendSock *transport.Socket
	// AdvHost and AdvPort are set by set_advertised_address and _port.
	AdvHost string
	AdvPort uint16
	// ForceRport, AddLocalRport, NoConnect… are the message's send options.
	ForceRport, AddLocalRport  bool
	FwdNoConnect, RplNoConnect bool
	FwdClose, RplClose         bool
	ToTagOverride              string
	// ReplyExtra collects header lines for replies built here
	// (append_to_reply), each with CRLF.
	ReplyExtra string
	// ReplyBody and ReplyType are the body of replies built here
	// (set_reply_body); "" for none.
	ReplyBody, ReplyType string
	// RecordRoute is set when record_route() ran for this message.
	RecordRoute bool

	// RC is $rc: the code of the last function or route.
	RC int
	// Err is the error of the last failed action for sl_reply_error: a SIP
	// code, 0 for none; ErrText its reason.
	Err     int
	ErrText string
	// Exited is set by exit, drop or a function that answered 0; Dropped by drop.
	Exited, Dropped bool
	// Depth counts nested routes and blocks (limit: core.max_recursive_level).
	Depth int

	// Tx is the transaction the message belongs to, nil before there is one.
	// Its type is *tm.Transaction; package tm has the accessor.
	Tx any
	// Branch is the branch index in branch, reply and failure routes, else -1.
	Branch int
	// ScriptVars are $var(name) by the index that package pv gave the name.
	// They survive Reset, as a worker process of the elders keeps them.
	ScriptVars []Value
	// Slots hold what modules keep for the message, by a number each module
	// gets from Env.NewSlot. They are cleared with the context.
	Slots [24]any

	// Foreign is set where the message only stands for a request of another
	// protocol (HTTP on the SIP port): replies go there.
	Foreign Foreign

	// Out is what is being sent, while onsend_route runs.
	Out Outgoing

	// Line and File are the place in the configuration being executed, for
	// error messages.
	File string
	Line int

	scratch   []byte
	log       *slog.Logger // Logger's, where there is a prefix
	prefix    string       // of log lines, "" when it was not asked for yet
	inPrefix  bool         // it is being asked for
	now       time.Time
	ruri      sip.URI
	ruriOf    string
	ruriErr   error
	ruriValid bool
	taken     bool
}

// Foreign is a request of another protocol that runs through the script.
type Foreign interface {
	// Reply answers it with what c has for replies: header lines, a body.
	Reply(c *Context, code int, reason string) error
}

// Branch is one destination of the fork set.
type Branch struct {
	// URI is the request URI of the branch.
	URI string
	// DstURI is the next hop ($du), "" to use Route or URI.
	DstURI string
	// Path is a comma-separated Path set that becomes Route headers.
	Path string
	// Sock is the socket to send from, nil for any.
	Sock *transport.Socket
	// Q is the preference in thousandths, QUnset when not given.
	Q int
	// Flags are the branch flags.
	Flags uint32
	// Instance, Ruid, RegID, LocationUA come from a stored contact.
	Instance, Ruid, LocationUA string
	RegID                      int
	// Conn is the stream connection to prefer, 0 for any.
	Conn uint64
}

// Outgoing is a request on its way out: where to, and its octets.
type Outgoing struct {
	Dest transport.Dest
	Data []byte
}

// QUnset is the q of a branch that has none.
const QUnset = -1

// Env is what the daemon offers to everything that runs on a Context. It is
// filled before the first message and does not change.
type Env struct {
	Log *slog.Logger
	// LogPrefix is what the lines about a message begin with, nil for nothing.
	// With LogPrefixOnce it is asked once for a message.
	LogPrefix     func(c *Context) string
	LogPrefixOnce bool

	Cfg       *cfg.Store
	Transport *transport.Manager
	// Myself says whether host:port names this daemon (uri == myself): a
	// listening socket or an alias. port 0 means "not written"; proto
	// ProtoNone any.
	Myself func(host string, port uint16, proto transport.Proto) bool
	// ServerID is the core parameter server_id.
	ServerID int
	// MaxBranches bounds the fork set, request URI included.
	MaxBranches int
	// Server and UserAgent are the complete header lines with CRLF, "" for none.
	Server, UserAgent string
	// Block finds a compiled route block, nil when there is none.
	Block func(kind Kind, name string) Block
	// Vars are $shv and friends; see vars.go.
	Vars *Vars

	// Places says who has which of Context.Slots; nil until somebody asks for
	// one. Configurations that follow each other share it, so that a message may
	// meet modules of both.
	Places *Places
	// Owner is who NewSlot reserves for: the module whose Init runs.
	Owner string
	asked int // how many places Owner has
}

// Places are the owners of Context.Slots by index.
type Places struct{ owners []string }

// Claim says whose Init runs from now on.
func (e *Env) Claim(owner string) { e.Owner, e.asked = owner, 0 }

// NewSlot reserves a place in Context.Slots; modules call it at start. A module
// of the configuration before had the same place.
func (e *Env) NewSlot() int {
	if e.Places == nil {
		e.Places = new(Places)
	}
	e.asked++
	owner := fmt.Sprintf("%s %d", e.Owner, e.asked)
	p := e.Places
	if i := slices.Index(p.owners, owner); i >= 0 {
		return i
	}
	if len(p.owners) == len(Context{}.Slots) {
		panic("run: more modules want a slot than Context has")
	}
	p.owners = append(p.owners, owner)
	return len(p.owners) - 1
}

// Reset readies c for another message, keeping its buffers.
func (c *Context) Reset(env *Env) {
	msg, branches, avps, vars := c.Msg, c.Branches[:0], c.AVPs, c.ScriptVars
	if c.taken {
		msg, avps = nil, nil
		branches = nil
	}
	xavps := c.XAVPs
	if c.taken {
		xavps = nil
	} else if xavps != nil {
		xavps.Reset()
	}
	log := c.log
	if c.Env != env {
		log = nil
	}
	*c = Context{Msg: msg, Branches: branches, AVPs: avps, XAVPs: xavps, ScriptVars: vars, Env: env, Branch: -1, scratch: c.scratch, log: log}
	if c.Msg == nil {
		c.Msg = new(sip.Message)
	}
	if c.AVPs == nil {
		c.AVPs = new(AVPs)
	} else {
		c.AVPs.Reset()
	}
	c.Main.Q = QUnset
	c.RURINew = true
}

// Take marks the message, the attributes and the fork set as owned by somebody
// who outlives the run (a transaction): Reset then makes new ones instead of
// reusing them.
func (c *Context) Take() { c.taken = true }

// RURI is the current request URI: the rewritten one, else as received.
func (c *Context) RURI() string {
	if c.Main.URI != "" {
		return c.Main.URI
	}
	return c.Msg.RequestURI()
}

// SetRURI replaces the request URI and marks it as new for forking.
func (c *Context) SetRURI(uri string) {
	c.Main.URI = uri
	c.RURINew = true
	c.ruriValid = false
}

// RevertRURI goes back to the request URI as received.
func (c *Context) RevertRURI() {
	c.Main.URI = ""
	c.RURINew = true
	c.ruriValid = false
}

// ParsedRURI is the current request URI taken apart; the pointer is valid
// until the request URI changes.
func (c *Context) ParsedRURI() (*sip.URI, error) {
	s := c.RURI()
	if !c.ruriValid || c.ruriOf != s {
		c.ruri, c.ruriErr = sip.ParseURI(s)
		c.ruriOf, c.ruriValid = s, true
	}
	if c.ruriErr != nil {
		return nil, c.ruriErr
	}
	return &c.ruri, nil
}

// SetDstURI sets the next hop ($du); it marks the request URI as new, as
// writing $du does.
func (c *Context) SetDstURI(uri string) {
	c.Main.DstURI = uri
	if uri != "" {
		c.RURINew = true
	}
}

// AddBranch appends to the fork set; false when it is full.
func (c *Context) AddBranch(b Branch) bool {
	limit := c.Env.MaxBranches
	if limit <= 0 {
		limit = 12
	}
	if len(c.Branches)+1 >= limit {
		return false
	}
	c.Branches = append(c.Branches, b)
	return true
}

// AppendBranch is append_branch: with a URI that one joins the fork set
// together with the current next hop, path, branch flags and socket; without,
// the request URI moves there as it is, and next hop, path, socket and branch
// flags are reset for whatever comes next. The mark that the request URI is new
// is then consumed, so that it is not sent to twice (script.md §21). false when
// the fork set is full.
func (c *Context) AppendBranch(uri string, q int) bool {
	b := c.Main
	b.Sock = c.SendSock
	b.URI, b.Q = uri, q
	if uri != "" {
		return c.AddBranch(b)
	}
	b.URI = c.RURI()
	if q == QUnset {
		b.Q = c.Main.Q
	}
	if !c.AddBranch(b) {
		return false
	}
	c.Main = Branch{URI: c.Main.URI, Q: QUnset}
	c.SendSock = nil
	c.RURINew = false
	return true
}

// AppendContacts appends the Contact header of a redirection to the fork set,
// with CRLF: the request URI where it was rewritten, and the branches; nothing
// when there are none.
func (c *Context) AppendContacts(dst []byte) []byte {
	start := len(dst)
	add := func(uri string, q int) {
		if len(dst) == start {
			dst = append(dst, "Contact: <"...)
		} else {
			dst = append(dst, ", <"...)
		}
		dst = append(append(dst, uri...), '>')
		if q != QUnset {
			dst = sip.AppendQ(append(dst, ";q="...), q)
		}
	}
	if c.Main.URI != "" && c.RURINew {
		add(c.Main.URI, c.Main.Q)
	}
	for i := range c.Branches {
		add(c.Branches[i].URI, c.Branches[i].Q)
	}
	if len(dst) > start {
		dst = append(dst, "\r\n"...)
	}
	return dst
}

// Fail records an error for sl_reply_error and answers -1, so that a function
// can end with "return c.Fail(478, …)".
func (c *Context) Fail(code int, text string) int {
	c.Err, c.ErrText = code, text
	return -1
}

// Now is the time at which the run first asked for it: one message sees one time.
func (c *Context) Now() time.Time {
	if c.now.IsZero() {
		c.now = time.Now()
	}
	return c.now
}

// SetNow has the run take a time for the present one.
func (c *Context) SetNow(t time.Time) { c.now = t }

// TakeScratch lends an empty buffer for building text; whoever took it gives
// it back with GiveScratch. What asks while it is lent gets a new one.
func (c *Context) TakeScratch() []byte {
	b := c.scratch
	c.scratch = nil
	return b[:0]
}

// GiveScratch returns the buffer of TakeScratch, grown or not.
func (c *Context) GiveScratch(b []byte) {
	if cap(b) <= 64<<10 {
		c.scratch = b
	}
}

// Src is where the message came from.
func (c *Context) Src() netip.AddrPort { return c.Recv.Src }

// Logger is the daemon's logger, whose lines begin with the core parameter
// log_prefix; use LogAttrs with constant messages and the keys of the style
// guide. It is for the run's own goroutine, while the run lasts.
func (c *Context) Logger() *slog.Logger {
	if c.Env.LogPrefix == nil {
		return c.Env.Log
	}
	if c.log == nil {
		c.log = slog.New(prefixed{c.Env.Log.Handler(), c})
	}
	return c.log
}

// Sent is Outgoing.
type Sent = Outgoing

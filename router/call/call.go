// Package call is what module dialog tells other modules of calls: acc writes a
// record of each when it ends.
package call

import "sipd/router/run"

// Call is a call that module dialog follows. It is safe for concurrent use.
type Call interface {
	CallID() string
	// Var is a variable of the call, $dlg_var(name) of the script; false when it
	// is not set.
	Var(name string) (string, bool)
	// SetVar sets one.
	SetVar(name, value string)
}

// Watcher is told what becomes of calls; nil functions are passed over. c is the
// run of the message that brought it about: of the request, or of the INVITE or
// BYE whose reply it was. It is nil where a timer or an operator did. The
// functions must not keep it.
type Watcher struct {
	// Created: an INVITE began the call.
	Created func(c *run.Context, x Call)
	// Confirmed: the ACK of its answer came.
	Confirmed func(c *run.Context, x Call)
	// Failed: it was refused, or nobody answered.
	Failed func(c *run.Context, x Call)
	// Ended: there was a BYE, or those of the daemon itself are sent next.
	Ended func(c *run.Context, x Call)
	// EndConfirmed: the BYE was answered.
	EndConfirmed func(c *run.Context, x Call)
	// Expired: it lasted too long, and no BYE is sent; confirmed says that the
	// ACK of its answer was seen.
	Expired func(x Call, confirmed bool)
}

package tm

import (
	"sync"
	"sync/atomic"

	"sipd/router/cfg"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

// Transaction is a request with its branches and replies.
type Transaction struct {
	key
	table *Table
	label uint32
	local bool // made by Send, not received

	fromLine, toLine string // for lists
	raw              string // the request as received

	// Guarded by the shard's mu.
	next, prev   *Transaction
	wnext, wprev *Transaction
	slot         int32
	inTable      bool

	// armed is the tick at which the wheel wakes it, 0 when it does not;
	// written under the shard's mu.
	armed atomic.Int64
	// status is the code of the last reply upstream, 0 before one.
	status atomic.Int32
	// suspended says that it waits for a Continue.
	suspended atomic.Bool
	// mayRunScript says that a timer of it may run a route block.
	mayRunScript atomic.Bool

	mu sync.Mutex
	// mu guards the fields below.
	busy  bool
	queue []event
	// reply is the last reply sent upstream, to send again.
	reply []byte

	// What follows belongs to the owner.
	recv      transport.Received
	replyDest transport.Dest
	msg       *sip.Message
	avps      *run.AVPs
	xavps     *run.XAVPs
	cfg       *cfg.Snapshot
	id        uint64
	flags     uint32
	forceR    bool
	// set are the environment that a failure route gets back.
	main    run.Branch
	adv     sendOptions
	script  *run.Context // the run that created it and has not ended
	armed1  armed        // what t_on_… and t_set_… said
	branch0 [1]branch
	legs    []branch
	firstOf int // the first leg of the last fork

	born       int64
	retrAt     int64 // repeat the final reply
	retrStep   int64
	endAt      int64 // stop that repetition
	waitAt     int64 // leave the table
	winner     int   // leg of the reply being decided on, -1 for none
	winnerCode int
	relayErr   int // why nothing was sent, for the reply at the script's end
	relayText  string
	canceled   bool
	expired    bool // fr_inv_timer or the longest life ended a leg
	acked      bool
	relayed    bool // a leg was started
	killed     bool
	replicated bool  // by t_replicate(): its replies end here
	watched    uint8 // by which of the watchers
	uac        *uac  // of a request of our own, else nil
	paused     pause
	// Contacts are what t_next_contacts has not taken yet.
	Contacts []run.Branch
}

// sendOptions are the options of the request that later legs keep.
type sendOptions struct {
	sock             *transport.Socket
	host             string
	port             uint16
	addRport, noConn bool
	record           bool
}

// armed is what the script sets for the transaction, before or after there is
// one.
type armed struct {
	failure, reply, branch, branchFailure     run.Block
	failureN, replyN, branchN, branchFailureN string
	fr, frInv, life, retr1, retr2             int
	no100, no6xx, noFailure, noReason         bool
	noFailover                                bool
	contacts                                  []run.Branch
}

// branch is one leg: a client transaction.
type branch struct {
	run.Branch
	dest    transport.Dest
	others  []transport.Dest // further addresses of the name, for failover
	sent    []byte           // the request as it went out
	rpl     *sip.Message
	recv    *transport.Received // how rpl came in, of requests of our own
	code    int                 // last reply
	faked   bool                // by a timer or CANCEL
	rang    bool                // a provisional reply came
	dropped bool                // t_drop_replies: not looked at any more
	onReply run.Block
	replyN  string
	failN   run.Block // branch_failure_route

	retrAt, retrStep int64
	frAt             int64

	cancel       []byte
	cancelWanted bool
	cancelDone   bool
	cancelAt     int64
	cancelStep   int64
	cancelEnd    int64
	cancelReason string
	tag          string // To tag of the last 2xx, for watched transactions
}

type eventKind uint8

const (
	evTimer eventKind = iota
	evReply
	evCall
)

// event is something that happens to a transaction.
type event struct {
	kind   eventKind
	branch int
	msg    *sip.Message
	recv   transport.Received
	id     uint64
	call   func(*Transaction)
}

// maxQueue bounds what waits for an owner; more is dropped and comes again, as
// everything in SIP does.
const maxQueue = 64

// enter makes the caller the owner; when there is one already e is queued for
// it and false answered.
func (t *Transaction) enter(e func() event) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.busy {
		t.busy = true
		return true
	}
	if len(t.queue) < maxQueue {
		t.queue = append(t.queue, e())
	}
	return false
}

// leave ends the ownership after what came meanwhile was done.
func (t *Transaction) leave() {
	for {
		t.schedule()
		t.mu.Lock()
		if len(t.queue) == 0 {
			t.busy = false
			t.queue = nil
			t.mu.Unlock()
			return
		}
		e := t.queue[0]
		t.queue[0] = event{}
		t.queue = t.queue[1:]
		t.mu.Unlock()
		t.handle(&e)
	}
}

// post has an event done: now, or by the owner there is.
//
// It says whether it was done at once.
func (t *Transaction) post(e event) bool {
	if !t.enter(func() event { return e }) {
		return false
	}
	t.handle(&e)
	t.leave()
	return true
}

func (t *Transaction) handle(e *event) {
	switch e.kind {
	case evTimer:
		t.expire()
	case evReply:
		c := t.table.borrow()
		own := c.Msg
		c.Msg, c.Recv, c.ID, c.Cfg = e.msg, e.recv, e.id, t.cfg
		c.Tx, c.Branch = t, e.branch
		t.onReply(c, e.branch)
		c.Msg = own
		t.table.giveBack(c)
	case evCall:
		e.call(t)
	}
}

// Do runs f as the owner of the transaction: now, or when the present owner
// lets go.
func (t *Transaction) Do(f func(*Transaction)) { t.post(event{kind: evCall, call: f}) }

// borrow lends a context for a run without a message of its own.
func (tb *Table) borrow() *run.Context {
	c, _ := tb.runs.Get().(*run.Context)
	if c == nil {
		c = new(run.Context)
	}
	c.Reset(tb.env)
	return c
}

func (tb *Table) giveBack(c *run.Context) { tb.runs.Put(c) }

// Of is the transaction of a run, nil when it has none.
func Of(c *run.Context) *Transaction {
	t, _ := c.Tx.(*Transaction)
	return t
}

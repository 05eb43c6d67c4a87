package acc

import (
	"strconv"
	"time"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/tm"
)

// record is what every record has, whatever is extra.
type record struct {
	method, fromTag, toTag, callID, reason string
	code                                   int
	codeText                               string
	at                                     time.Time
}

// Texts that log lines begin with.
const (
	textRequest  = "ACC: request accounted: "
	textMissed   = "ACC: call missed: "
	textAnswered = "ACC: transaction answered: "
	textAcked    = "ACC: request acknowledged: "
)

// of fills what comes from the message. The tags change places for a request
// that the callee sent in a dialog.
func (a *acc) of(c *run.Context, toTag string) record {
	r := record{method: c.Msg.MethodName(), fromTag: c.Msg.FromTag(), toTag: toTag, callID: c.Msg.CallID(), at: time.Now()}
	if cs, err := c.Msg.CSeq(); err == nil {
		r.method = cs.MethodName
	}
	if a.rr != nil {
		if a.rr.Upstream(c) {
			r.fromTag, r.toTag = r.toTag, r.fromTag
		}
	}
	return r
}

// fromEvent is the record of something that became of a transaction.
func (a *acc) fromEvent(c *run.Context, e *tm.Event) record {
	r := a.of(c, e.ToTag)
	r.code, r.codeText, r.reason = e.Code, strconv.Itoa(e.Code), e.Reason
	if e.Reply == nil { // as Kamailio: the phrase that the script gave is not recorded
		r.reason = sip.StatusText(e.Code)
	}
	if a.reasonHeader && e.Reply != nil {
		if h := e.Reply.First(sip.HdrReason); h != nil {
			r.reason = e.Reply.Value(h)
		}
	}
	return r
}

// fromComment is the record that a function asks for: "404 Not found", or any
// text.
func (a *acc) fromComment(c *run.Context, comment string) record {
	r := a.of(c, c.Msg.ToTag())
	r.reason = comment
	if len(comment) >= 3 && digits(comment[:3]) {
		r.code, r.codeText = int(comment[0]-'0')*100+int(comment[1]-'0')*10+int(comment[2]-'0'), comment[:3]
		r.reason = comment[3:]
		for r.reason != "" && (r.reason[0] == ' ' || r.reason[0] == '\t') {
			r.reason = r.reason[1:]
		}
	}
	return r
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// isSet says whether a message flag is set; -1 is none.
func isSet(flags uint32, n int) bool { return n >= 0 && flags&(1<<n) != 0 }

func (a *acc) accOn(f uint32) bool { return isSet(f, a.logFlag) || isSet(f, a.dbFlag) }

func (a *acc) missedOn(f uint32) bool { return isSet(f, a.logMissedFlag) || isSet(f, a.dbMissedFlag) }

// interested says whether a new transaction may have to be accounted.
func (a *acc) interested(c *run.Context, _ *tm.Transaction) bool {
	if c.Msg.Method() == sip.CANCEL && !a.reportCancels {
		return false
	}
	return a.prepareAlways || isSet(c.Flags, a.prepareFlag) || a.accOn(c.Flags) || a.missedOn(c.Flags)
}

// replied accounts a reply that went upstream.
func (a *acc) replied(c *run.Context, e *tm.Event) {
	if c.Msg.Method() == sip.INVITE && e.Code >= 300 && a.missedOn(c.Flags) {
		a.missed(c, e)
	}
	if !a.counts(c, e) {
		return
	}
	r := a.fromEvent(c, e)
	if isSet(c.Flags, a.logFlag) {
		a.writeLog(c, textAnswered, &r)
	}
	if isSet(c.Flags, a.dbFlag) {
		a.writeDB(c, a.accName.Eval(c), &r)
	}
}

// counts says whether a reply is worth a record.
func (a *acc) counts(c *run.Context, e *tm.Event) bool {
	switch {
	case e.Code >= 300:
		return isSet(c.Flags, a.failedFlag) && !a.filter[e.Code]
	case e.Code >= 200:
		return a.accOn(c.Flags)
	}
	return a.accOn(c.Flags) && a.earlyMedia && e.Reply != nil && e.Reply.HasBody()
}

// failedAll accounts a missed call before a failure route may try others.
func (a *acc) failedAll(c *run.Context, e *tm.Event) {
	if c.Msg.Method() == sip.INVITE && a.missedOn(c.Flags) {
		a.missed(c, e)
	}
}

// missed accounts a missed call, once: the flags are cleared behind it.
func (a *acc) missed(c *run.Context, e *tm.Event) {
	r := a.fromEvent(c, e)
	var done uint32
	if isSet(c.Flags, a.logMissedFlag) {
		a.writeLog(c, textMissed, &r)
		done |= 1 << a.logMissedFlag
	}
	if isSet(c.Flags, a.dbMissedFlag) {
		a.writeDB(c, a.mcName.Eval(c), &r)
		done |= 1 << a.dbMissedFlag
	}
	c.Flags &^= done
}

// acked accounts the ACK to a 2xx.
func (a *acc) acked(c *run.Context, e *tm.Event) {
	if !a.reportACK || !a.accOn(c.Flags) {
		return
	}
	r := a.fromEvent(c, e)
	if isSet(c.Flags, a.logFlag) {
		a.writeLog(c, textAcked, &r)
	}
	if isSet(c.Flags, a.dbFlag) {
		a.writeDB(c, a.accName.Eval(c), &r)
	}
}

// newLog compiles acc_log_request.
func (a *acc) newLog(args module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		r := a.fromComment(c, args.Str(c, 0))
		a.writeLog(c, textRequest, &r)
		return 1
	}, nil
}

// newDB compiles acc_db_request.
func (a *acc) newDB(args module.Args) (run.Func, error) {
	if err := a.tableArg(args); err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		r := a.fromComment(c, args.Str(c, 0))
		return a.writeDB(c, args.Str(c, 1), &r)
	}, nil
}

// newBoth compiles acc_request.
func (a *acc) newBoth(args module.Args) (run.Func, error) {
	if a.conn != nil {
		if err := a.tableArg(args); err != nil {
			return nil, err
		}
	}
	return func(c *run.Context) int {
		r := a.fromComment(c, args.Str(c, 0))
		a.writeLog(c, textRequest, &r)
		if a.conn == nil {
			return 1
		}
		return a.writeDB(c, args.Str(c, 1), &r)
	}, nil
}

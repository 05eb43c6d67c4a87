package tm

import (
	"strconv"

	"sipd/router/sip"
	"sipd/router/transport"
)

// failover adds a leg for the next address of leg i's name, as
// use_dns_failover asks (RFC 3263 §4.3): with the request as that leg sent it, in
// a branch of its own. false when there is no address left, or the transaction
// wants no more legs. The leg is not started.
func (t *Transaction) failover(i int) bool {
	b := &t.legs[i]
	if len(b.others) == 0 || t.canceled || t.armed1.noFailover || t.status.Load() >= 200 || len(t.legs) >= maxBranches {
		return false
	}
	n := len(t.legs)
	l := branch{
		Branch: b.Branch, dest: b.others[0], others: b.others[1:],
		onReply: b.onReply, replyN: b.replyN, failN: b.failN,
	}
	if l.sent = t.reprint(b, l.dest, n); l.sent == nil {
		return false
	}
	t.legs = append(t.legs, l)
	return true
}

// failoverNow is failover, and starts the leg; when that fails the one behind
// it is tried.
func (t *Transaction) failoverNow(i int) {
	for t.failover(i) {
		i = len(t.legs) - 1
		if t.start(i) == nil {
			return
		}
	}
}

// reprint is the request of a leg for another destination, as leg n: what
// changes is the topmost Via, and a stream needs a length.
func (t *Transaction) reprint(b *branch, d transport.Dest, n int) []byte {
	m := b.message()
	if m == nil {
		return nil
	}
	via := m.First(sip.HdrVia)
	if via == nil {
		return nil
	}
	c := t.table.borrow()
	own := c.Msg
	t.environment(c)
	id := branchID{t.entry, t.label, n}
	raw := m.Raw()
	out := append(make([]byte, 0, len(raw)+64), raw[:via.Start()]...)
	out = t.table.net.AppendVia(out, c, d, id.String())
	if d.Proto.Reliable() && m.First(sip.HdrContentLength) == nil {
		out = append(append(out, "Content-Length: "...), strconv.Itoa(len(m.Body()))...)
		out = append(out, "\r\n"...)
	}
	out = append(out, raw[via.End():]...)
	c.Msg, c.Tx = own, nil
	t.table.giveBack(c)
	return out
}

package tm

import (
	"strings"

	"sipd/router/sip"
)

// key is what a request is recognised by again. Strings are pieces of the
// request that made the transaction.
type key struct {
	entry      uint32
	cseq       uint32
	method     sip.Method
	methodName string
	branch     string // of the topmost Via
	host       string // its sent-by
	port       uint16
	callID     string
	fromTag    string
	toTag      string
	ruri       string
	modern     bool // the branch is of RFC 3261
}

// keyOf reads the key of a request; false when it lacks what a transaction
// needs.
func (tb *Table) keyOf(m *sip.Message, k *key) bool {
	v, err := m.Via()
	if err != nil {
		return false
	}
	cs, err := m.CSeq()
	if err != nil {
		return false
	}
	k.cseq, k.method, k.methodName = cs.Num, m.Method(), m.MethodName()
	k.branch, k.host, k.port = v.Branch, v.Host, v.Port
	k.callID, k.fromTag, k.toTag = m.CallID(), m.FromTag(), m.ToTag()
	if k.callID == "" {
		return false
	}
	k.ruri = m.RequestURI()
	k.modern = len(v.Branch) > len(cookie) && v.Branch[:len(cookie)] == cookie
	k.entry = tb.entryOf(k.callID, k.cseq)
	return true
}

// same says whether k is a repetition of t's request (RFC 3261 §17.2.3).
// method is the one to look for: INVITE for its ACK and CANCEL.
func (tb *Table) same(t *Transaction, k *key, method sip.Method, name string) bool {
	if t.method != method || t.local || method == sip.Other && t.methodName != name {
		return false
	}
	if k.modern {
		return t.branch == k.branch && t.port == k.port && strings.EqualFold(t.host, k.host) &&
			(!tb.Settings.CallidMatching.Bool(nil) || t.callID == k.callID && t.cseq == k.cseq)
	}
	return tb.same2543(t, k)
}

// same2543 compares as RFC 2543 peers need it: what the request is, and the
// topmost Via unless settings leave it out. The To-tag of the ACK to a failure
// is the one we answered with, of any other request the received one.
func (tb *Table) same2543(t *Transaction, k *key) bool {
	if t.modern || t.cseq != k.cseq || t.callID != k.callID || t.fromTag != k.fromTag {
		return false
	}
	if tb.Settings.RURIMatching.Bool(nil) && t.ruri != k.ruri {
		return false
	}
	if tb.Settings.Via1Matching.Bool(nil) && (t.branch != k.branch || t.port != k.port || !strings.EqualFold(t.host, k.host)) {
		return false
	}
	if k.method == sip.ACK {
		return true
	}
	return t.key.toTag == k.toTag
}

// find looks a request up in its chain; the shard's mu is held.
func (tb *Table) find(s *shard, k *key, method sip.Method, name string) *Transaction {
	for t := *s.head(k.entry); t != nil; t = t.next {
		if tb.same(t, k, method, name) {
			return t
		}
	}
	return nil
}

// lookup finds the transaction that k is a repetition of, or for ACK and with
// cancelled for CANCEL the INVITE it belongs to.
func (tb *Table) lookup(k *key, method sip.Method, name string) *Transaction {
	s := tb.shardOf(k.entry)
	s.mu.Lock()
	defer s.mu.Unlock()
	return tb.find(s, k, method, name)
}

// lookupDialog finds the INVITE that an ACK to a 2xx belongs to: it has a
// branch of its own, but Call-ID, CSeq and tags of the call.
func (tb *Table) lookupDialog(k *key) *Transaction {
	s := tb.shardOf(k.entry)
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := *s.head(k.entry); t != nil; t = t.next {
		if t.method == sip.INVITE && !t.local && t.cseq == k.cseq && t.callID == k.callID && t.fromTag == k.fromTag &&
			t.status.Load()/100 == 2 {
			return t
		}
	}
	return nil
}

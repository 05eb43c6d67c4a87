package presence

import (
	"context"

	events "sipd/router/presence"
)

// dialog is what a subscription is found by.
type dialog struct{ callID, toTag, fromTag string }

// sub is a subscription. Copies are handed out; those kept belong to the store.
type sub struct {
	dialog

	// presURI is the presentity, event the name of the event package.
	presURI, event, eventID   string
	toUser, toDomain          string
	fromUser, fromDomain      string
	watcherUser, watcherDom   string
	remoteCSeq, localCSeq     uint32
	contact, localContact     string
	recordRoute, socket, user string // user is the User-Agent
	expires                   int64  // seconds since 1970
	status                    events.Status
	reason                    string
	version, flags            int
}

// watcher is who subscribed, for an authority.
func (s *sub) watcher() *events.Watcher {
	return &events.Watcher{PresURI: s.presURI, User: s.watcherUser, Domain: s.watcherDom, Status: s.status, Reason: s.reason}
}

// open says that state may be sent.
func (s *sub) open() bool { return s.status == events.Active && s.reason != events.ReasonPolite }

// subStore keeps subscriptions: in memory, with a table behind it or not, or in a
// table. It is safe for concurrent use.
type subStore interface {
	add(ctx context.Context, s *sub) error
	// find answers a copy, nil when there is none.
	find(ctx context.Context, d dialog) (*sub, error)
	// refresh keeps what a SUBSCRIBE in the dialog changes: the end, the CSeq of
	// the watcher, the contact, and status and reason.
	refresh(ctx context.Context, s *sub) error
	// next counts the CSeq and the version up, for a NOTIFY, and sets them in s;
	// false when the subscription is gone.
	next(ctx context.Context, s *sub) (bool, error)
	remove(ctx context.Context, d dialog) error
	// watching are the subscriptions to a presentity and event.
	watching(ctx context.Context, presURI, event string) ([]*sub, error)
	// decide sets status and reason of a watcher's subscriptions and answers them;
	// those terminated are removed.
	decide(ctx context.Context, w *events.Watcher, event string) ([]*sub, error)
	// expired removes and answers what ended before a second.
	expired(ctx context.Context, before int64) ([]*sub, error)
	// flush writes what waits.
	flush(ctx context.Context) error
}

// Package presence is what the presence server and the modules that bring it
// events have in common (RFC 6665, RFC 3903): what an event package is, and how a
// watcher stands to a presentity.
package presence

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Status is how a subscription stands, by the numbers of the tables.
type Status int

// The states of subscriptions. PoliteBlock is what pres_auth_status answers of a
// watcher who is active and sees nothing.
const (
	Active      Status = 1
	Pending     Status = 2
	Terminated  Status = 3
	Waiting     Status = 4
	PoliteBlock Status = 5
)

var statusNames = [...]string{Active: "active", Pending: "pending", Terminated: "terminated", Waiting: "waiting"}

// String is the word in Subscription-State, "" for what stands in none.
func (s Status) String() string {
	if s < 0 || int(s) >= len(statusNames) {
		return ""
	}
	return statusNames[s]
}

// ReasonPolite is the reason of a subscription that is active and told nothing.
const ReasonPolite = "polite-block"

// Watcher is who asks about whom, and how it stands so far.
type Watcher struct {
	// PresURI is the presentity, "sip:bob@example.com".
	PresURI string
	// User and Domain are the watcher's.
	User, Domain string
	Status       Status
	Reason       string
	// Sphere answers the presentity's sphere ("home"), "" for none; nil when
	// spheres are not looked at.
	Sphere func() string
}

// URI is the watcher as a URI.
func (w *Watcher) URI() string { return URI(w.User, w.Domain) }

// Authority decides who may see what.
type Authority interface {
	// Rules is the document of rules of a user, "" when there is none.
	Rules(ctx context.Context, user, domain string) (string, error)
	// Decide sets the status and the reason of w by the rules.
	Decide(rules string, w *Watcher) error
	// Filter is what w may see of a body.
	Filter(rules string, w *Watcher, body string) (string, error)
}

// Event is an event package.
type Event struct {
	// Name is what stands in Event, with parameters: "dialog;sla".
	Name        string
	ContentType string
	// DefaultExpires is that of a request without Expires, seconds.
	DefaultExpires int
	// Authority decides about watchers; nil when everybody may watch.
	Authority Authority
	// SameETag says that a state keeps its entity tag when it changes.
	SameETag bool
	// Aggregate makes one body of several, the newest last; offline is the index
	// of one whose publisher goes, or -1. No bodies at all may give one too. nil:
	// the newest is what watchers get.
	Aggregate func(user, domain string, bodies []string, offline int) (string, error)
	// CheckBody says what is wrong with a published body; nil when any will do.
	CheckBody func(body string) error
	// HardState is the document of a user that stands in place of what is
	// published (pidf-manipulation), "" for none; nil when the event has none.
	HardState func(ctx context.Context, user, domain, fileURI string) (string, error)

	// Winfo says that it tells of the watchers of Peer; Add sets both. Peer of a
	// plain event is its .winfo, nil when there is none.
	Winfo bool
	Peer  *Event

	base   string
	params []string // sorted
}

// Base is the name without parameters.
func (e *Event) Base() string { return e.base }

// is says whether the event is a name with parameters in any order.
func (e *Event) is(base string, params []string) bool {
	return strings.EqualFold(e.base, base) && slices.Equal(e.params, params)
}

// Events are the event packages of a configuration.
type Events struct{ list []*Event }

const winfo = ".winfo"

// Add adds an event; one that is there already stays as it is.
func (l *Events) Add(e *Event) error {
	var ok bool
	if e.base, e.params, _, ok = split(e.Name); !ok {
		return fmt.Errorf("%q is no name of an event", e.Name)
	}
	if e.ContentType == "" {
		return fmt.Errorf("event %s has no content type", e.Name)
	}
	if l.Find(e.Name) != nil {
		return nil
	}
	if of, is := strings.CutSuffix(e.base, winfo); is {
		e.Winfo, e.Peer = true, l.Find(of)
	} else {
		e.Peer = l.Find(e.base + winfo)
	}
	if e.Peer != nil {
		e.Peer.Peer = e
	}
	l.list = append(l.list, e)
	return nil
}

// Find is the event of a name with parameters, nil when there is none.
func (l *Events) Find(name string) *Event {
	base, params, _, ok := split(name)
	if !ok {
		return nil
	}
	return l.find(base, params)
}

func (l *Events) find(base string, params []string) *Event {
	for _, e := range slices.Backward(l.list) {
		if e.is(base, params) {
			return e
		}
	}
	return nil
}

// Header is the event of an Event header, and the id in it. The id says nothing of
// which event it is (RFC 6665 §8.2.1).
func (l *Events) Header(value string) (e *Event, id string) {
	base, params, id, ok := split(value)
	if !ok {
		return nil, ""
	}
	return l.find(base, params), id
}

// Allow lists the events, the last added first.
func (l *Events) Allow() string {
	names := make([]string, 0, len(l.list))
	for _, e := range slices.Backward(l.list) {
		names = append(names, e.Name)
	}
	return strings.Join(names, ", ")
}

// split takes a name apart: parameters are sorted, the id is not among them.
func split(s string) (base string, params []string, id string, ok bool) {
	base, rest, _ := strings.Cut(s, ";")
	base = strings.TrimSpace(base)
	for rest != "" {
		var p string
		p, rest, _ = strings.Cut(rest, ";")
		p = strings.TrimSpace(p)
		if v, is := strings.CutPrefix(p, "id="); is {
			id = v
		} else if p != "" {
			params = append(params, p)
		}
	}
	slices.Sort(params)
	return base, params, id, base != "" && !strings.ContainsAny(base, " \t\r\n\",")
}

// URI is that of a user and a domain: the key of presentities.
func URI(user, domain string) string {
	if user == "" {
		return "sip:" + domain
	}
	return "sip:" + user + "@" + domain
}

// All are the events in the order they were added.
func (l *Events) All() []*Event { return l.list }

package presence

import (
	"context"
	"errors"
	"fmt"

	events "sipd/router/presence"
	"sipd/router/sip"
)

// rules is the document of rules of a presentity, "" for none.
func (m *mod) rules(ctx context.Context, e *events.Event, presURI string) (string, error) {
	user, domain, err := userOf(presURI)
	if err != nil {
		return "", err
	}
	return e.Authority.Rules(ctx, user, domain)
}

// lookAround lets rules ask for the presentity's sphere, where that is wanted.
func (m *mod) lookAround(ctx context.Context, w *events.Watcher) {
	if m.sphereCheck {
		w.Sphere = func() string { return m.sphere(ctx, w.PresURI) }
	}
}

// ruled is an event with rules, and those of a presentity.
func (m *mod) ruled(ctx context.Context, presURI, event string) (*events.Event, string, error) {
	e := m.events.Find(event)
	switch {
	case e == nil:
		return nil, "", fmt.Errorf("event %q is not known", event)
	case e.Authority == nil:
		return nil, "", fmt.Errorf("event %s has no rules", event)
	}
	rules, err := m.rules(ctx, e, presURI)
	if err == nil && rules == "" {
		err = fmt.Errorf("%s has no rules", presURI)
	}
	return e, rules, err
}

// updateWatchers looks at the rules of a presentity again, and tells the watchers
// for whom they changed.
func (m *mod) updateWatchers(ctx context.Context, presURI, event string) error {
	e, rules, err := m.ruled(ctx, presURI, event)
	if err != nil {
		return err
	}
	if m.s.watchers == nil {
		return nil
	}
	list, err := m.s.watchers.list(ctx, presURI, e.Name, false)
	if err != nil {
		return err
	}
	var errs []error
	for _, w := range list {
		errs = append(errs, m.reconsider(ctx, e, rules, w))
	}
	return errors.Join(errs...)
}

// reconsider asks the rules about a watcher again.
func (m *mod) reconsider(ctx context.Context, e *events.Event, rules string, w *events.Watcher) error {
	status, reason := w.Status, w.Reason
	w.Reason = ""
	m.lookAround(ctx, w)
	if err := e.Authority.Decide(rules, w); err != nil {
		return err
	}
	if w.Status == status && w.Reason == reason {
		return nil
	}
	if err := m.s.watchers.change(ctx, w, e.Name); err != nil {
		return err
	}
	subs, err := m.s.subs.decide(ctx, w, e.Name)
	if err != nil {
		return err
	}
	for _, s := range subs {
		over := s.status == events.Terminated
		if over {
			s.localCSeq++
		}
		m.notify(s, &note{over: over, rules: &rules})
	}
	return nil
}

// refreshWatchers is pres_refresh_watchers: 0 looks at the rules again, 1 sends the
// state again, 2 does so after reading a document that stands for the state.
func (m *mod) refreshWatchers(ctx context.Context, presURI, event string, kind int, fileURI, fileName string) error {
	if kind == 0 {
		return m.updateWatchers(ctx, presURI, event)
	}
	e := m.events.Find(event)
	if e == nil {
		return fmt.Errorf("event %q is not known", event)
	}
	if kind == 2 {
		if err := m.updateHard(ctx, e, presURI, fileURI, fileName); err != nil {
			return err
		}
	}
	if e.Winfo {
		m.tellWatchers(ctx, e, presURI, nil)
		return nil
	}
	user, domain, err := userOf(presURI)
	if err != nil {
		return err
	}
	m.tell(ctx, e, &published{stateKey: stateKey{user: user, domain: domain, event: e.Name}}, nil)
	return nil
}

// updateHard keeps or removes the document of a user that stands for a state.
func (m *mod) updateHard(ctx context.Context, e *events.Event, presURI, fileURI, fileName string) error {
	if e.HardState == nil {
		return fmt.Errorf("event %s has no documents in place of states", e.Name)
	}
	u, err := sip.ParseURI(presURI)
	if err != nil {
		return err
	}
	doc, err := e.HardState(ctx, u.User, u.Host, fileURI)
	if err != nil {
		return err
	}
	p := &published{
		stateKey: stateKey{u.User, u.Host, e.Name, fileName}, body: doc, ruid: m.s.etags.ruid(),
		expires: hardState, received: now(),
	}
	if doc == "" {
		return m.s.states.remove(ctx, p.stateKey)
	}
	if e.CheckBody != nil {
		if err := e.CheckBody(doc); err != nil {
			return err
		}
	}
	return m.s.states.add(ctx, p)
}

// authStatus is pres_auth_status: how a watcher would stand to a presentity.
func (m *mod) authStatus(ctx context.Context, watcher, presURI string) (events.Status, error) {
	e := m.events.Find("presence")
	if e == nil {
		return 0, errors.New("event presence is not known")
	}
	if e.Authority == nil {
		return events.Active, nil
	}
	rules, err := m.rules(ctx, e, presURI)
	if err != nil || rules == "" {
		return events.Pending, nil
	}
	u, err := sip.ParseURI(watcher)
	if err != nil {
		return 0, err
	}
	w := &events.Watcher{PresURI: presURI, User: u.User, Domain: u.Host, Status: events.Pending}
	m.lookAround(ctx, w)
	if err := e.Authority.Decide(rules, w); err != nil {
		return 0, err
	}
	if w.Reason == events.ReasonPolite {
		return events.PoliteBlock, nil
	}
	return w.Status, nil
}

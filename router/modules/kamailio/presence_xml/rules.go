package presencexml

import (
	"fmt"
	"strings"
	"time"

	"sipd/router/presence"
	"sipd/router/xmltree"
)

// Decide sets the status of a watcher by the first rule about it (RFC 5025).
// Without rules it is pending; without a rule it is so too, unless it was more:
// then it ends.
func (m *mod) Decide(rules string, w *presence.Watcher) error {
	if m.forceActive {
		w.Status, w.Reason = presence.Active, ""
		return nil
	}
	if rules == "" {
		w.Status, w.Reason = presence.Pending, ""
		return nil
	}
	rule, err := find(rules, w, time.Now())
	if err != nil {
		return err
	}
	if rule == nil {
		if w.Status != presence.Pending {
			w.Status, w.Reason = presence.Terminated, m.deleteReason
		}
		return nil
	}
	w.Status, w.Reason = presence.Pending, ""
	actions := rule.Child("actions")
	if actions == nil {
		return nil
	}
	handling := actions.Child("sub-handling")
	if handling == nil {
		return nil
	}
	switch word := strings.TrimSpace(handling.Content()); word {
	case "block":
		w.Status, w.Reason = presence.Terminated, "rejected"
	case "confirm":
	case "polite-block":
		w.Status, w.Reason = presence.Active, presence.ReasonPolite
	case "allow":
		w.Status = presence.Active
	default:
		return fmt.Errorf("sub-handling %q is not known", word)
	}
	return nil
}

// find is the first rule that applies to a watcher, nil for none. An error is a
// document that cannot be read.
func find(rules string, w *presence.Watcher, now time.Time) (*xmltree.Node, error) {
	d, err := xmltree.Parse(rules)
	if err != nil {
		return nil, fmt.Errorf("rules of %s: %w", w.PresURI, err)
	}
	set := d.Root().Find("ruleset")
	if set == nil {
		return nil, nil
	}
	for _, rule := range set.Elements("rule") {
		conditions := rule.Child("conditions")
		if conditions == nil {
			continue
		}
		if within(conditions.Child("validity"), now) && inSphere(conditions.Child("sphere"), w) && identified(conditions.Child("identity"), w) {
			return rule, nil
		}
	}
	return nil, nil
}

// within says whether now is in one of the pairs from and until; a time that
// cannot be read is in none.
func within(validity *xmltree.Node, now time.Time) bool {
	if validity == nil {
		return true
	}
	from, until := validity.Elements("from"), validity.Elements("until")
	for i := range min(len(from), len(until)) {
		a, errA := instant(from[i].Content())
		b, errB := instant(until[i].Content())
		if errA == nil && errB == nil && !now.Before(a) && !now.After(b) {
			return true
		}
	}
	return false
}

// instant reads a dateTime of XML; one without zone is UTC.
func instant(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Parse("2006-01-02T15:04:05", s)
	}
	return t, nil
}

// inSphere compares the sphere of a rule with the presentity's; it holds for a
// presentity that says nothing of its own.
func inSphere(sphere *xmltree.Node, w *presence.Watcher) bool {
	if sphere == nil || w.Sphere == nil {
		return true
	}
	want, ok := sphere.Attr("value")
	if !ok {
		want = sphere.Content()
	}
	is := strings.TrimSpace(w.Sphere())
	return is == "" || strings.EqualFold(strings.TrimSpace(want), is)
}

// identified says whether the watcher is one, or one of many without the
// exceptions. A rule about nobody applies to nobody.
func identified(identity *xmltree.Node, w *presence.Watcher) bool {
	if identity == nil {
		return false
	}
	uri := w.URI()
	for _, one := range identity.Elements("one") {
		if id, _ := one.Attr("id"); id == uri {
			return true
		}
	}
	for _, many := range identity.Elements("many") {
		if domain, ok := many.Attr("domain"); ok && domain != w.Domain {
			continue
		}
		if !excepted(many, uri, w.Domain) {
			return true
		}
	}
	return false
}

func excepted(many *xmltree.Node, uri, domain string) bool {
	for _, e := range many.Elements("except") {
		if id, ok := e.Attr("id"); ok {
			if id == uri {
				return true
			}
		} else if d, ok := e.Attr("domain"); ok && d == domain {
			return true
		}
	}
	return false
}

package presencexml

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sipd/router/presence"
	"sipd/router/xmltree"
)

// ruleset is a document with rules.
func ruleset(rules ...string) string {
	return `<?xml version="1.0"?><cr:ruleset xmlns="urn:ietf:params:xml:ns:pres-rules" xmlns:cr="urn:ietf:params:xml:ns:common-policy">` +
		strings.Join(rules, "\n") + `</cr:ruleset>`
}

func rule(conditions, handling, transformations string) string {
	return `<cr:rule id="x"><cr:conditions>` + conditions + `</cr:conditions><cr:actions><sub-handling>` + handling +
		`</sub-handling></cr:actions><cr:transformations>` + transformations + `</cr:transformations></cr:rule>`
}

const (
	one  = `<cr:identity><cr:one id="sip:alice@test.com"/><cr:one id="sip:carl@test.com"/></cr:identity>`
	many = `<cr:identity><cr:many domain="test.com"><cr:except id="sip:carl@test.com"/></cr:many><cr:many><cr:except domain="test.com"/><cr:except domain="bad.com"/></cr:many></cr:identity>`
)

func TestDecide(t *testing.T) {
	m := New().(*mod)
	hour := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
	valid := func(from, until string) string {
		return `<cr:validity><cr:from>` + from + `</cr:from><cr:until>` + until + `</cr:until></cr:validity>`
	}
	for _, tt := range []struct {
		name, rules, user, domain string
		before, want              presence.Status
		reason                    string
	}{
		{"no rules", "", "alice", "test.com", presence.Active, presence.Pending, ""},
		{"allow", ruleset(rule(one, "allow", "")), "alice", "test.com", 0, presence.Active, ""},
		{"the second one", ruleset(rule(one, "allow", "")), "carl", "test.com", 0, presence.Active, ""},
		{"confirm", ruleset(rule(one, "confirm", "")), "alice", "test.com", 0, presence.Pending, ""},
		{"block", ruleset(rule(one, "block", "")), "alice", "test.com", 0, presence.Terminated, "rejected"},
		{"polite", ruleset(rule(one, " polite-block\n", "")), "alice", "test.com", 0, presence.Active, "polite-block"},
		{"nobody, pending", ruleset(rule(one, "allow", "")), "dora", "test.com", presence.Pending, presence.Pending, ""},
		{"nobody, active", ruleset(rule(one, "allow", "")), "dora", "test.com", presence.Active, presence.Terminated, "probation"},
		{"another domain", ruleset(rule(one, "allow", "")), "alice", "bad.com", presence.Pending, presence.Pending, ""},
		{"the first rule counts", ruleset(rule(one, "allow", ""), rule(one, "block", "")), "alice", "test.com", 0, presence.Active, ""},
		{"many", ruleset(rule(many, "allow", "")), "alice", "test.com", 0, presence.Active, ""},
		{"many, excepted", ruleset(rule(many, "allow", "")), "carl", "test.com", presence.Pending, presence.Pending, ""},
		{"many, of any domain", ruleset(rule(many, "allow", "")), "x", "good.com", 0, presence.Active, ""},
		{"many, domain excepted", ruleset(rule(many, "allow", "")), "x", "bad.com", presence.Pending, presence.Pending, ""},
		{"no identity", ruleset(rule("", "allow", "")), "alice", "test.com", presence.Pending, presence.Pending, ""},
		{"no conditions", ruleset(`<cr:rule id="a"/>`, rule(one, "allow", "")), "alice", "test.com", 0, presence.Active, ""},
		{"no actions", ruleset(`<cr:rule id="a"><cr:conditions>` + one + `</cr:conditions></cr:rule>`), "alice", "test.com", presence.Active, presence.Pending, ""},
		{"valid", ruleset(rule(one+valid(hour(-time.Hour), hour(time.Hour)), "allow", "")), "alice", "test.com", 0, presence.Active, ""},
		{"not yet valid", ruleset(rule(one+valid(hour(time.Hour), hour(2*time.Hour)), "allow", "")), "alice", "test.com", presence.Pending, presence.Pending, ""},
		{"not valid any more", ruleset(rule(one+valid(hour(-2*time.Hour), hour(-time.Hour)), "allow", "")), "alice", "test.com", presence.Pending, presence.Pending, ""},
		{"no time", ruleset(rule(one+valid("soon", "late"), "allow", "")), "alice", "test.com", presence.Pending, presence.Pending, ""},
		{"sphere", ruleset(rule(one+`<cr:sphere value="home"/>`, "allow", "")), "alice", "test.com", 0, presence.Active, ""},
		{"another sphere", ruleset(rule(one+`<cr:sphere>work</cr:sphere>`, "allow", "")), "alice", "test.com", presence.Pending, presence.Pending, ""},
	} {
		w := &presence.Watcher{PresURI: "sip:bob@test.com", User: tt.user, Domain: tt.domain, Status: tt.before, Sphere: func() string { return "home" }}
		if err := m.Decide(tt.rules, w); err != nil || w.Status != tt.want || w.Reason != tt.reason {
			t.Errorf("%s: %v %q, %v; want %v %q", tt.name, w.Status, w.Reason, err, tt.want, tt.reason)
		}
	}
	for _, bad := range []string{"no xml", ruleset(rule(one, "perhaps", "")), `<!DOCTYPE a []><a/>`} {
		if err := m.Decide(bad, &presence.Watcher{User: "alice", Domain: "test.com"}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

const state = `<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:r="urn:ietf:params:xml:ns:pidf:rpid" entity="sip:bob@test.com">` +
	`<tuple id="t1"><status><basic>open</basic></status><r:class>work</r:class><contact>sip:bob@test.com</contact></tuple>` +
	`<tuple id="t2"><status><basic>open</basic></status><contact>mailto:bob@test.com</contact></tuple>` +
	`<dm:person id="p1"><r:class>work</r:class></dm:person><dm:device id="d1"><dm:deviceID>urn:1</dm:deviceID></dm:device>` +
	`<note>x</note></presence>`

func TestFilter(t *testing.T) {
	m := New().(*mod)
	for _, tt := range []struct {
		name, transformations string
		left                  string // the ids of what stays
	}{
		{"nothing said", "", "t1 t2 p1 d1"},
		{"all services", "<provide-services><all-services/></provide-services>", "t1 t2 p1 d1"},
		{"no services", "<provide-services/>", "p1 d1"},
		{"by class", "<provide-services><class>work</class></provide-services>", "t1 p1 d1"},
		{"by scheme", "<provide-services><service-uri-scheme>mailto</service-uri-scheme></provide-services>", "t2 p1 d1"},
		{"by uri", "<provide-services><service-uri>sip:bob@test.com</service-uri></provide-services>", "t1 p1 d1"},
		{"by id", "<provide-services><occurrence-id>t2</occurrence-id></provide-services>", "t2 p1 d1"},
		{"by the misspelt id", "<provide-services><occurence-id>t2</occurence-id></provide-services>", "t2 p1 d1"},
		{"persons by class", "<provide-persons><class>home</class></provide-persons>", "t1 t2 d1"},
		{"devices by id", "<provide-devices><deviceID>urn:2</deviceID></provide-devices>", "t1 t2 p1"},
		{"note", "<provide-note>false</provide-note>", "t1 t2 p1 d1"},
		{"note stays", "<provide-note>true</provide-note>", "t1 t2 p1 d1"},
	} {
		out, err := m.Filter(ruleset(rule(one, "allow", tt.transformations)), &presence.Watcher{User: "alice", Domain: "test.com"}, state)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		var left []string
		for _, id := range []string{"t1", "t2", "p1", "d1"} {
			if strings.Contains(out, `id="`+id+`"`) {
				left = append(left, id)
			}
		}
		if got := strings.Join(left, " "); got != tt.left {
			t.Errorf("%s leaves %s, want %s", tt.name, got, tt.left)
		}
		if gone := !strings.Contains(out, "<note>"); gone != (tt.name == "note") {
			t.Errorf("%s: the note is gone: %v", tt.name, gone)
		}
	}
	if out, err := m.Filter(ruleset(), &presence.Watcher{}, state); err != nil || out != state {
		t.Errorf("without a rule: %v\n%s", err, out)
	}
}

func TestSingleBody(t *testing.T) {
	m := New().(*mod)
	m.singleBody = true
	note := func(text string) string { return `<presence><tuple id="a"/><note>` + text + `</note></presence>` }
	for _, tt := range []struct {
		notes []string
		want  string
	}{
		{[]string{"Available"}, "Available"},
		{[]string{"On the Phone", "Available"}, "On the Phone"},
		{[]string{"Ringing", "On the Phone"}, "On the Phone"},
		{[]string{"unknown", "Available"}, "Available"},
	} {
		var bodies []string
		for _, n := range tt.notes {
			bodies = append(bodies, note(n))
		}
		if got, err := m.aggregate("bob", "test.com", bodies, -1); err != nil || !strings.Contains(got, "<note>"+tt.want+"</note>") {
			t.Errorf("%v: %v\n%s", tt.notes, err, got)
		}
	}
}

func TestAggregateErrors(t *testing.T) {
	m := New().(*mod)
	for _, bodies := range [][]string{
		{"no xml"}, {"<x/>"}, {`<x/>`, state}, {state, `<presence><tuple/></presence>`}, {`<presence><tuple/></presence>`, state},
	} {
		if got, err := m.aggregate("bob", "test.com", bodies, -1); err == nil {
			t.Errorf("%q is joined to %s", bodies, got)
		}
	}
	if _, err := m.aggregate("bob", "test.com", []string{"<presence/>"}, 0); err == nil {
		t.Error("a state without tuple is closed")
	}
	if got, err := m.aggregate("bob", "test.com", nil, -1); err != nil || got != "" {
		t.Errorf("no states: %q, %v", got, err)
	}
}

// FuzzAggregate: what is joined is a document again, and no larger than its parts
// allow; rules never let through what is no document.
func FuzzAggregate(f *testing.F) {
	f.Add(state, `<presence xmlns="u"><tuple id="z"><status><basic>open</basic></status></tuple></presence>`, ruleset(rule(many, "allow", "<provide-services/>")))
	f.Add(`<p:presence xmlns:p="u"><p:tuple id="1"/></p:presence>`, `<presence/>`, "")
	f.Add(`<presence><tuple id="1"><status><basic/></status></tuple></presence>`, `x`, ruleset(rule(one, "block", "")))
	m := New().(*mod)
	f.Fuzz(func(t *testing.T, a, b, rules string) {
		w := &presence.Watcher{PresURI: "sip:bob@test.com", User: "alice", Domain: "test.com"}
		for _, offline := range []int{-1, 0} {
			out, err := m.aggregate("bob", "test.com", []string{a, b}, offline)
			if err != nil || len(out) > xmltree.MaxSize {
				continue
			}
			if _, err := xmltree.Parse(out); errors.Is(err, xmltree.ErrLimit) {
				continue // what was put into a deep element is deeper
			} else if err != nil {
				t.Fatalf("%q and %q are joined to %q: %v", a, b, out, err)
			}
			seen, err := m.Filter(rules, w, out)
			if err != nil || len(seen) > xmltree.MaxSize {
				continue
			}
			if _, err := xmltree.Parse(seen); err != nil {
				t.Fatalf("%q is filtered to %q: %v", out, seen, err)
			}
		}
		if err := m.Decide(rules, w); err == nil && w.Status.String() == "" {
			t.Fatalf("%q decides %d", rules, w.Status)
		}
	})
}

// BenchmarkJoin joins the states of three devices, as each PUBLISH does once.
func BenchmarkJoin(b *testing.B) {
	m := New().(*mod)
	bodies := []string{state, strings.ReplaceAll(state, `"t`, `"u`), strings.ReplaceAll(state, `"t`, `"v`)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.aggregate("bob", "test.com", bodies, -1); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFilter applies rules to a state, as each NOTIFY does.
func BenchmarkFilter(b *testing.B) {
	m := New().(*mod)
	rules := ruleset(rule(one, "allow", "<provide-services><class>work</class></provide-services>"))
	w := &presence.Watcher{User: "alice", Domain: "test.com"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Filter(rules, w, state); err != nil {
			b.Fatal(err)
		}
	}
}

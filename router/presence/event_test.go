package presence_test

import (
	"strings"
	"testing"

	"sipd/router/presence"
)

func TestEvents(t *testing.T) {
	var l presence.Events
	for _, name := range []string{"presence", "presence.winfo", "dialog;sla", "presence"} {
		if err := l.Add(&presence.Event{Name: name, ContentType: "x/y"}); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := l.Allow(), "dialog;sla, presence.winfo, presence"; got != want {
		t.Errorf("Allow-Events: %s, want %s", got, want)
	}
	for _, tt := range []struct{ header, name, id string }{
		{"presence", "presence", ""},
		{"Presence ;id=7", "presence", "7"},
		{"presence.winfo", "presence.winfo", ""},
		{"dialog;sla", "dialog;sla", ""},
		{"dialog; sla ;id=x", "dialog;sla", "x"},
		{"dialog", "", ""},
		{"presence;x=1", "", ""},
		{"", "", ""},
		{"a b", "", ""},
	} {
		e, id := l.Header(tt.header)
		name := ""
		if e != nil {
			name = e.Name
		}
		if name != tt.name || id != tt.id {
			t.Errorf("%q is event %q with id %q, want %q with %q", tt.header, name, id, tt.name, tt.id)
		}
	}
	p, w := l.Find("presence"), l.Find("presence.winfo")
	if p.Peer != w || w.Peer != p || p.Winfo || !w.Winfo {
		t.Errorf("peers: %v %v", p.Peer, w.Peer)
	}
	if err := l.Add(&presence.Event{Name: ";x", ContentType: "x/y"}); err == nil {
		t.Error("an event without name was added")
	}
	if err := l.Add(&presence.Event{Name: "x"}); err == nil {
		t.Error("an event without content type was added")
	}
}

func TestStatus(t *testing.T) {
	for s, want := range map[presence.Status]string{0: "", 1: "active", 2: "pending", 3: "terminated", 4: "waiting", 5: "", -1: ""} {
		if got := s.String(); got != want {
			t.Errorf("status %d is %q, want %q", s, got, want)
		}
	}
}

// FuzzHeader: an id changes nothing about which event a header names, and is given
// back as it stands.
func FuzzHeader(f *testing.F) {
	for _, s := range []string{"presence", "dialog;sla", "dialog ; sla;id=1", "presence.winfo;x=y", ";", "a b", "presence;id=;id=2"} {
		f.Add(s, "7")
	}
	var l presence.Events
	for _, name := range []string{"presence", "presence.winfo", "dialog;sla"} {
		if err := l.Add(&presence.Event{Name: name, ContentType: "x/y"}); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, s, id string) {
		e, _ := l.Header(s)
		if strings.ContainsAny(id, "; \t\r\n\v\f") || strings.TrimSpace(id) != id {
			return
		}
		again, got := l.Header(s + ";id=" + id)
		if again != e {
			t.Fatalf("%q is %v, with an id %v", s, e, again)
		}
		if e != nil && got != id {
			t.Fatalf("%q with id %q has id %q", s, id, got)
		}
	})
}

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sipd/cmd/sipd/internal/phone"
)

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func wantStatus(t *testing.T, what string, err error, code int) {
	t.Helper()
	var s *phone.StatusError
	if !errors.As(err, &s) || s.Code != code {
		t.Errorf("%s: %v, want %d", what, err, code)
	}
}

func wait(t *testing.T, ctx context.Context, what string, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-ctx.Done():
		t.Fatalf("%s did not come", what)
	}
}

func TestRegistration(t *testing.T) {
	s := serveUsers(t)
	ctx := within(t)
	_, err := s.Phone(t, "alice", "guessed").Register(ctx, 60)
	wantStatus(t, "REGISTER with a wrong password", err, 401)
	_, err = s.Phone(t, "nobody", "x").Register(ctx, 60)
	wantStatus(t, "REGISTER of nobody", err, 401)

	desk, mobile := s.Phone(t, "alice", "wonderland"), s.Phone(t, "alice", "wonderland")
	contacts, err := desk.Register(ctx, 600)
	if err != nil || len(contacts) != 1 || !strings.Contains(contacts[0], desk.Addr()) || !strings.Contains(contacts[0], "expires=") {
		t.Errorf("REGISTER = %q, %v; want the phone's contact for 600 s", contacts, err)
	}
	if contacts, err = mobile.Register(ctx, 300); err != nil || len(contacts) != 2 {
		t.Errorf("REGISTER of a second phone = %q, %v; want two contacts", contacts, err)
	}
	if contacts, err = desk.Register(ctx, 0); err != nil || len(contacts) != 1 || !strings.Contains(contacts[0], mobile.Addr()) {
		t.Errorf("de-registration = %q, %v; want the other contact alone", contacts, err)
	}
}

func TestCall(t *testing.T) {
	s := serveUsers(t)
	ctx := within(t)
	alice, bob := s.Phone(t, "alice", "wonderland"), s.Phone(t, "bob", "builder")
	for _, p := range []*phone.Phone{alice, bob} {
		if _, err := p.Register(ctx, 600); err != nil {
			t.Fatal(err)
		}
	}
	call, err := alice.Invite(ctx, bob.AOR())
	if err != nil {
		t.Fatal(err)
	}
	in := <-bob.Ringing
	wait(t, ctx, "the ACK", in.Acked)
	if err := call.Bye(ctx); err != nil {
		t.Errorf("BYE: %v", err)
	}
	wait(t, ctx, "the BYE", in.Ended)

	_, err = alice.Invite(ctx, "nobody@example.com")
	wantStatus(t, "INVITE to nobody", err, 404)
	_, err = s.Phone(t, "mallory", "x").Invite(ctx, bob.AOR())
	wantStatus(t, "INVITE of nobody", err, 407)
}

// TestPhonesSurviveRestart wants contacts to be there after a restart, from the
// database.
func TestPhonesSurviveRestart(t *testing.T) {
	url := users(t)
	ctx := within(t)
	args := []string{"-A", fmt.Sprintf("DBURL=%q", url), "-A", "LISTEN=udp:ADDR", "-A", "LISTEN_TCP=tcp:ADDR"}
	s := serve(t, defaultConfig, args...)
	bob := s.Phone(t, "bob", "builder")
	if _, err := bob.Register(ctx, 600); err != nil {
		t.Fatal(err)
	}
	s.Stop(t)
	s = serve(t, defaultConfig, args...)
	if out := s.sipcmd(t, "ul.lookup", "location", "bob@example.com"); !strings.Contains(out, bob.Addr()) {
		t.Errorf("after a restart ul.lookup prints\n%s\nwant bob's contact %s", out, bob.Addr())
	}
	call, err := s.Phone(t, "alice", "wonderland").Invite(ctx, bob.AOR())
	if err != nil {
		t.Fatalf("call after a restart: %v\n%s", err, s.Log)
	}
	if err := call.Bye(ctx); err != nil {
		t.Errorf("BYE: %v", err)
	}
}

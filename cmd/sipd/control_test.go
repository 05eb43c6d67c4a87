package main

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"sipd/cmd/sipd/internal/phone"
)

// sipcmd runs our RPC client on the daemon's control socket.
func (s *server) sipcmd(t testing.TB, args ...string) string {
	t.Helper()
	b, err := exec.Command(tool(t, "sipcmd"), append([]string{"-s", "unixs:" + s.Ctl}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("sipcmd %s: %v\n%s", strings.Join(args, " "), err, b)
	}
	return string(b)
}

// kamcmd runs Kamailio's client on the daemon's control socket.
func (s *server) kamcmd(t testing.TB, args ...string) string {
	t.Helper()
	b, err := exec.Command(peer(t, "kamcmd", "kamailio"), append([]string{"-s", "unixs:" + s.Ctl}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("kamcmd %s: %v\n%s", strings.Join(args, " "), err, b)
	}
	return string(b)
}

// TestBothClients wants Kamailio's own client to get from the socket what ours
// gets, for every method that an operator watches and tunes with.
func TestBothClients(t *testing.T) {
	peer(t, "kamcmd", "kamailio")
	s := serveUsers(t)
	ctx := within(t)
	bob := s.Phone(t, "bob", "builder")
	if _, err := bob.Register(ctx, 600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"core.version"}, "sipd "},
		{[]string{"core.ps"}, "main process - attendant"},
		{[]string{"system.listMethods"}, "ul.dump"},
		{[]string{"ul.dump"}, bob.Addr()},
		{[]string{"ul.lookup", "location", "bob@example.com"}, bob.Addr()},
		{[]string{"ul.add", "location", "carol@example.com", "sip:carol@127.0.0.1:9", "0", "0.5", "", "0", "0", "0"}, ""},
		{[]string{"ul.lookup", "location", "carol@example.com"}, "sip:carol@127.0.0.1:9"},
		{[]string{"ul.rm", "location", "carol@example.com"}, ""},
		{[]string{"tm.stats"}, "current:"},
		{[]string{"sl.stats"}, "200: "},
		{[]string{"cfg.list"}, "pstn: gw_ip"},
		{[]string{"cfg.get", "core", "debug"}, "2"},
		{[]string{"cfg.set_now_int", "core", "debug", "3"}, ""},
		{[]string{"cfg.get", "core", "debug"}, "3"},
		{[]string{"cfg.set", "core", "debug", "2"}, ""},
		{[]string{"cfg.set_now_string", "pstn", "gw_ip", "192.0.2.10"}, ""},
		{[]string{"cfg.get", "pstn", "gw_ip"}, "192.0.2.10"},
		{[]string{"cfg.help", "pstn", "gw_ip"}, "address of the PSTN gateway"},
		{[]string{"stats.get_statistics", "usrloc:"}, "registered_users"},
	} {
		theirs := s.kamcmd(t, tt.args...)
		if !strings.Contains(theirs, tt.want) {
			t.Errorf("kamcmd %s prints\n%s\nwant in it %q", strings.Join(tt.args, " "), theirs, tt.want)
		}
		switch tt.args[0] {
		case "ul.add", "ul.rm": // twice is another thing
			continue
		}
		if ours := s.sipcmd(t, tt.args...); atRest(ours) != atRest(theirs) {
			t.Errorf("%s: kamcmd prints\n%s\nsipcmd prints\n%s", strings.Join(tt.args, " "), theirs, ours)
		}
	}
	if out := s.kamcmd(t, "core.uptime"); !strings.Contains(out, "uptime: ") {
		t.Errorf("kamcmd core.uptime prints\n%s", out)
	}
}

// atRest takes out what the clock changes between two questions.
func atRest(s string) string { return expiresRE.ReplaceAllString(s, "Expires: N") }

var expiresRE = regexp.MustCompile(`Expires: \d+`)

// TestTuning wants a change to count for the next request.
func TestTuning(t *testing.T) {
	s := serveUsers(t)
	ctx := within(t)
	alice, gateway := s.Phone(t, "alice", "wonderland"), s.Phone(t, "gw", "")
	_, err := alice.Invite(ctx, "0123@example.com")
	wantStatus(t, "a call without gateway", err, 403)
	s.sipcmd(t, "cfg.set_now_string", "pstn", "gw_ip", gateway.Addr())
	call, err := alice.Invite(ctx, "0123@example.com")
	if err != nil {
		t.Fatalf("a call with a gateway: %v\n%s", err, s.Log)
	}
	if err := call.Bye(ctx); err != nil {
		t.Errorf("BYE: %v", err)
	}

	if strings.Contains(s.Log.String(), "DEBUG") {
		t.Fatalf("debug lines before core.debug is 3:\n%s", s.Log)
	}
	s.sipcmd(t, "cfg.set_now_int", "core", "debug", "3")
	send(t, s.Addr, "no SIP at all")
	if err := phoneOptions(s, t); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.Log.String(), "DEBUG: message dropped") {
		t.Errorf("no debug line after core.debug became 3:\n%s", s.Log)
	}
}

func phoneOptions(s *server, t *testing.T) error {
	t.Helper()
	ctx, cancel := phone.Within(5e9)
	defer cancel()
	return s.Phone(t, "probe", "").Options(ctx)
}

// TestAudit: who changes something is in the log of a daemon that nobody told
// to log more, with what it was before; who only looks is not.
func TestAudit(t *testing.T) {
	s := serve(t, configFile(t, "loadmodule \"ctl.so\"\nloadmodule \"cfg_rpc.so\"\nloadmodule \"usrloc.so\"\nmodparam(\"usrloc\", \"preload\", \"location\")\nrequest_route { exit; }\n"), "-l", "udp:ADDR")
	s.sipcmd(t, "cfg.set_now_int", "core", "force_rport", "1")
	s.sipcmd(t, "ul.add", "location", "alice", "sip:alice@127.0.0.1:9", "0", "0.5", "", "0", "0", "0")
	s.sipcmd(t, "cfg.get", "core", "force_rport")
	for _, want := range []string{
		`NOTICE: ctl: rpc call method=cfg.set_now_int peer="unix uid=… wire=binrpc what=core.force_rport before=0 after=1`,
		`NOTICE: ctl: rpc call method=ul.add peer="unix uid=… wire=binrpc what="location alice" before="" after=sip:alice@127.0.0.1:9`,
	} {
		if !like("…"+want+"\n…", s.Log.String()) {
			t.Errorf("the log has no line %s:\n%s", want, s.Log)
		}
	}
	if strings.Contains(s.Log.String(), "cfg.get") {
		t.Errorf("a question is in the log:\n%s", s.Log)
	}
}

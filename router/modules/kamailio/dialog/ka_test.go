package dialog

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/tm"
	"sipd/router/transport"
)

// collecting is a module whose requests are collected.
func collecting(sent *[]*tm.Request) *mod {
	m := New().(*mod)
	m.t, m.log = newTable(64, 0, 1), slog.New(slog.DiscardHandler)
	m.host = &module.Host{Env: &run.Env{Block: func(run.Kind, string) run.Block { return nil }}}
	m.send = func(r *tm.Request) error {
		*sent = append(*sent, r)
		return nil
	}
	return m
}

// answered is a call in the table, answered at a time.
func answered(m *mod, at time.Time) *dialog {
	d := &dialog{
		callID: "one", fromURI: "sip:a@a.test", toURI: "sip:b@b.test", born: at, started: at, expires: at.Add(time.Hour),
		state: confirmed, lifetime: 3600,
		legs: [2]leg{
			{known: true, tag: "f", contact: "sip:a@192.0.2.1", cseq: "7"},
			{known: true, tag: "t", contact: "sip:b@192.0.2.2", cseq: "0", routes: []string{"<sip:192.0.2.9;lr>"}},
		},
	}
	m.t.add(d)
	return d
}

func TestKeepAlive(t *testing.T) {
	var sent []*tm.Request
	m := collecting(&sent)
	m.kaInterval, m.kaTimer, m.kaLimit, m.calleeHdrs = 30, 10, 2, "X-A: b\r\n"
	start := time.Now()
	d := answered(m, start)
	at := func(s int, want int) {
		t.Helper()
		sent = nil
		m.askAll(start.Add(time.Duration(s) * time.Second))
		if len(sent) != want {
			t.Fatalf("after %d s there are %d keep-alives, want %d", s, len(sent), want)
		}
	}
	at(0, 0) // no property
	d.iflags |= ifKASrc | ifKADst
	at(10, 0)
	at(39, 0)
	at(40, 2)
	for i, want := range []tm.Request{
		// CSeq is the one below, or the same where there is none: it is not the next
		{Method: "OPTIONS", URI: "sip:a@192.0.2.1", From: "<sip:b@b.test>;tag=t", To: "<sip:a@a.test>;tag=f", CallID: "one", CSeq: 1},
		{Method: "OPTIONS", URI: "sip:b@192.0.2.2", From: "<sip:a@a.test>;tag=f", To: "<sip:b@b.test>;tag=t", CallID: "one", CSeq: 6, Headers: "X-A: b\r\n"},
	} {
		got := sent[i]
		if got.Method != want.Method || got.URI != want.URI || got.From != want.From || got.To != want.To || got.CallID != want.CallID || got.CSeq != want.CSeq || got.Headers != want.Headers {
			t.Errorf("keep-alive %d is %+v, want %+v", i, got, want)
		}
	}
	if r := strings.Join(sent[1].Routes, ","); r != "<sip:192.0.2.9;lr>" {
		t.Errorf("it goes by %q", r)
	}
	if d.legs[caller].cseq != "7" {
		t.Errorf("a keep-alive counts CSeq up to %s", d.legs[caller].cseq)
	}
	at(41, 0)
	d.iflags &^= ifKASrc
	at(70, 1)

	left := func() time.Duration { return time.Until(d.expires).Round(time.Second) }
	done := func(code int) { sent[0].Done(&tm.Response{Code: code}) }
	done(481)
	if left() < time.Minute {
		t.Fatal("one that was not answered ends the call, of two")
	}
	done(200)
	done(408)
	if left() < time.Minute {
		t.Fatal("an answer between does not count")
	}
	done(500) // somebody is there
	done(481)
	done(408)
	if left() > 10*time.Second || d.lifetime != 10 || !d.dirty {
		t.Errorf("after two the call has %v, lifetime %d; want ten seconds", left(), d.lifetime)
	}
}

// TestForeign: with dlg_filter_mode 1 a call on another server's socket gets no
// keep-alives, and is not ended.
func TestForeign(t *testing.T) {
	var sent []*tm.Request
	m := collecting(&sent)
	m.kaInterval, m.filterMode, m.sendBye = 30, onlyLocal, true
	now := time.Now()
	d := answered(m, now)
	d.iflags |= ifKADst | ifTimeoutBye
	m.askAll(now)
	m.askAll(now.Add(time.Minute))
	m.look(d, now.Add(2*time.Hour))
	if len(sent) != 0 || d.state != confirmed {
		t.Errorf("%d requests, state %d; want none, 4", len(sent), d.state)
	}
	d.legs[0].socket, d.legs[1].socket, d.expires = "udp:192.0.2.3:5060", "udp:192.0.2.3:5060", now
	m.askAll(now.Add(2 * time.Minute))
	m.look(d, now.Add(2*time.Hour))
	if len(sent) != 3 {
		t.Errorf("%d requests of a call of its own, want an OPTIONS and two BYEs", len(sent))
	}
}

// TestKeepProxyRR: what of the Record-Route of a 2xx is kept.
func TestKeepProxyRR(t *testing.T) {
	for mode, want := range [][2]string{
		{"<sip:up.test>", "<sip:down.test>"},
		{"<sip:up.test>", "<sip:self.test;r2=on>|<sip:self.test>|<sip:down.test>"},
		{"<sip:self.test>|<sip:self.test;r2=on>|<sip:up.test>", "<sip:down.test>"},
		{"<sip:self.test>|<sip:self.test;r2=on>|<sip:up.test>", "<sip:self.test;r2=on>|<sip:self.test>|<sip:down.test>"},
	} {
		m := New().(*mod)
		m.host = &module.Host{Env: &run.Env{Myself: isSelf}}
		m.keepRR = mode
		d := &dialog{fromRR: 1}
		d.legs[caller].routes = []string{"<sip:up.test>"}
		l := leg{routes: []string{"<sip:up.test>", "<sip:self.test;r2=on>", "<sip:self.test>", "<sip:down.test>"}}
		m.split(d, &l)
		if a, b := strings.Join(d.legs[caller].routes, "|"), strings.Join(l.routes, "|"); a != want[0] || b != want[1] {
			t.Errorf("keep_proxy_rr %d: to the caller %s, to the callee %s; want %s, %s", mode, a, b, want[0], want[1])
		}
	}
}

func isSelf(host string, _ uint16, _ transport.Proto) bool { return host == "self.test" }

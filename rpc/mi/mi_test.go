package mi

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"sipd/rpc"
)

func newServer(t testing.TB) *Server {
	t.Helper()
	say := func(v ...rpc.Value) func(context.Context, *rpc.Call) error {
		return func(_ context.Context, c *rpc.Call) error { c.Add(v...); return nil }
	}
	echo := func(_ context.Context, c *rpc.Call) error {
		for i := range c.Len() {
			c.Add(c.Arg(i))
		}
		return nil
	}
	str := func(s string) rpc.Value { return rpc.String(s) }
	r := rpc.NewRegistry()
	if err := r.Add(
		&rpc.Method{Name: "core.pwd", Handler: say(str("/var/lib"))},
		&rpc.Method{Name: "core.uptime", Handler: say(rpc.Struct{rpc.M("now", str("Mon")), rpc.M("up_since", str("Sun")), rpc.M("uptime", rpc.Int(17))})},
		&rpc.Method{Name: "core.psx", List: true, Handler: say(rpc.Struct{rpc.M("IDX", rpc.Int(0)), rpc.M("PID", rpc.Int(7)), rpc.M("DSC", str("main"))})},
		&rpc.Method{Name: "core.arg", List: true, Handler: say(str("sipd"), str("-f"))},
		&rpc.Method{Name: "stats.get_statistics", List: true, Params: []rpc.Param{{Type: rpc.TString, Rest: true}}, Handler: echo},
		&rpc.Method{Name: "tm.hash_stats", Handler: say(rpc.Struct{rpc.M("Domain", rpc.Struct{rpc.M("Domain", str("location")), rpc.M("AoRs", rpc.Items{rpc.M("AoR", str("alice"))})})})},
		&rpc.Method{Name: "ul.rm", Params: []rpc.Param{{Type: rpc.TString}, {Type: rpc.TInt}}, Changes: true, Handler: func(context.Context, *rpc.Call) error { return &rpc.Fault{Code: 404, Text: "AOR not found in it"} }},
		&rpc.Method{Name: "tm.stats", Handler: say()},
	); err != nil {
		t.Fatal(err)
	}
	return &Server{Registry: r, Indent: "\t", Log: slog.New(slog.DiscardHandler)}
}

func TestCommands(t *testing.T) {
	s := newServer(t)
	for _, tt := range []struct{ in, want string }{
		{":pwd:\n\n", "200 OK\nWD:: /var/lib\n\n"},
		{":pwd:\nnot read\n\n", "200 OK\nWD:: /var/lib\n\n"},
		{":uptime:\n\n", "200 OK\nNow:: Mon\nUp since:: Sun\nUp time:: 17 [sec]\n\n"},
		{":ps:\n\n", "200 OK\nProcess::  ID=0 PID=7 Type=main\n\n"},
		{":arg:\n", "200 OK\nsipd\n-f\n\n"},
		{":which:\n\n", "200 OK\narg\nget_statistics\nps\npwd\nt_hash\nul_rm\nuptime\nwhich\n\n"},
		{":t_hash:\n\n", "200 OK\nDomain:: \n\tDomain:: location\n\tAoRs:: \n\t\tAoR:: alice\n\n"},
		{":ul_rm:\nlocation\n7\n\n", "404 AOR not found\n\n"},
		{":ul_rm:\nlocation\n\n", "400 Too few or too many arguments\n\n"},
		{":get_statistics:\nlocation\nexpires :: 60\n\"a \\\"b\\\"\nc\"\n\n", "200 OK\nlocation\n60\na \"b\" c\n\n"},
		{":get_statistics:\nlocation\nsix\"ty\nx\n\n", "400 parse error in command 'get_statistics'\n\n"},
		{":get_statistics:\nlocation\n\"x\" y\nx\n\n", "400 parse error in command 'get_statistics'\n\n"},
		{":get_statistics:\n\n", "400 Too few or too many arguments\n\n"},
		{":t_reply:\n\n", "500 command 't_reply' not available\n\n"},
		{":no_such:\n\n", "500 command 'no_such' not available\n\n"},
	} {
		out, done := s.Datagram(t.Context(), nil, rpc.Trusted("test"), []byte(tt.in))
		if string(out) != tt.want {
			t.Errorf("%q answers\n%s\nwant\n%s", tt.in, out, tt.want)
		}
		if done != nil {
			done()
		}
	}
	readOnly := &rpc.Caller{Peer: "test", Role: rpc.ReadOnly}
	if out, _ := s.Datagram(t.Context(), nil, readOnly, []byte(":ul_rm:\na\n1\n\n")); !strings.HasPrefix(string(out), "403 ") {
		t.Errorf("a reader's change answers %q", out)
	}
}

// TestTransactions: the forms of 2010 for the commands of tm.
func TestTransactions(t *testing.T) {
	r := rpc.NewRegistry()
	str := func(n int) []rpc.Param {
		ps := make([]rpc.Param, n)
		for i := range ps {
			ps[i].Type, ps[i].Optional = rpc.TString, true
		}
		return ps
	}
	var got []string
	take := func(f func(c *rpc.Call) error) func(context.Context, *rpc.Call) error {
		return func(_ context.Context, c *rpc.Call) error {
			got = got[:0]
			for i := range c.Len() {
				got = append(got, c.Str(i))
			}
			return f(c)
		}
	}
	add := func(vals ...rpc.Value) func(*rpc.Call) error {
		return func(c *rpc.Call) error { c.Add(vals...); return nil }
	}
	head := rpc.String("Via: x\r\nTo: y\r\n\r\n")
	answers := map[string]func(*rpc.Call) error{
		"sip:ok":     add(rpc.Int(200), rpc.String("OK"), rpc.String("sip:t"), rpc.String("sip:n"), rpc.String(""), head),
		"sip:busy":   add(rpc.Int(486), rpc.String("Busy"), head),
		"sip:silent": add(rpc.Int(408), rpc.String("Request Timeout"), rpc.String(""), rpc.String(""), rpc.String(""), rpc.String("")),
		"sip:none":   func(*rpc.Call) error { return rpc.Faultf(500, "server error (7/RPC/UAC)") },
		"bad":        func(*rpc.Call) error { return rpc.Faultf(400, `Invalid request uri "bad"`) },
		"sip:body":   func(*rpc.Call) error { return rpc.Faultf(400, "Content-Type missing") },
	}
	if err := r.Add(
		&rpc.Method{Name: "tm.t_uac_wait", List: true, Params: str(6), Handler: take(func(c *rpc.Call) error { return answers[c.Str(1)](c) })},
		&rpc.Method{Name: "tm.cancel", Params: str(2), Handler: take(func(c *rpc.Call) error {
			if c.Str(0) == "a" {
				return nil
			}
			return rpc.Faultf(400, "Transaction not found")
		})},
		&rpc.Method{Name: "tm.reply", Params: str(6), Handler: take(func(c *rpc.Call) error {
			if c.Str(2) == "1:2" {
				return nil
			}
			return rpc.Faultf(481, "No such transaction")
		})},
		&rpc.Method{Name: "tm.hash_stats", Handler: take(func(*rpc.Call) error { return rpc.Faultf(500, "Hash statistics not supported (…)") })},
	); err != nil {
		t.Fatal(err)
	}
	s := &Server{Registry: r, Log: slog.New(slog.DiscardHandler)}
	for _, tt := range []struct{ in, want, args string }{
		{"t_uac_dlg:\nOPTIONS\nsip:ok\n.\n.\n\"From: a\nTo: b\n\"\n", "200 OK\n200 OK\nsip:t\nsip:n\n.\nVia: x\r\nTo: y\r\n\r\n\n\n", "OPTIONS|sip:ok|.|.|From: a\nTo: b\n"},
		{"t_uac_dlg:\nOPTIONS\nsip:busy\n.\n.\nFrom: a\nbody\n", "200 OK\n486 Busy\n.\n.\n.\nVia: x\r\nTo: y\r\n\r\n\n\n", "OPTIONS|sip:busy|.|.|From: a|body"},
		{"t_uac_dlg:\nOPTIONS\nsip:silent\n.\n.\nFrom: a\n", "200 OK\n408 Request Timeout\n.\n.\n.\n.\n\n", "OPTIONS|sip:silent|.|.|From: a"},
		{"t_uac_dlg:\nOPTIONS\nsip:none\n.\n.\nFrom: a\n", "200 OK\n500 server error (7/MI/UAC)\n\n", "OPTIONS|sip:none|.|.|From: a"},
		{"t_uac_dlg:\nOPTIONS\nbad\n.\n.\nFrom: a\n", "400 Invalid RURI\n\n", "OPTIONS|bad|.|.|From: a"},
		{"t_uac_dlg:\nOPTIONS\nsip:body\n.\n.\nFrom: a\nx\n", "400 Content-Type missing\n\n", "OPTIONS|sip:body|.|.|From: a|x"},
		{"t_uac_dlg:\nOPTIONS\nsip:ok\n.\n.\n.\n", "400 To missing\n\n", ""},
		{"t_uac_dlg:\nOPTIONS\n", "400 Too few or too many arguments\n\n", ""},
		{"t_uac_cancel:\na\n1 INVITE\n", "200 OK\n\n", "a|1 INVITE"},
		{"t_uac_cancel:\nb\n1\n", "481 No such transaction\n\n", "b|1"},
		{"t_uac_cancel:\na\n", "400 Too few or too many arguments\n\n", ""},
		{"t_reply:\n486\nBusy\n1:2\ntag\n.\n", "200 OK\n\n", "486|Busy|1:2|tag||"},
		{"t_reply:\n486\nBusy\n1:3\ntag\nX: y\nbody\n", "404 Transaction not found\n\n", "486|Busy|1:3|tag|X: y|body"},
		{"t_reply:\n700\nBusy\n1:2\ntag\n.\n", "400 Invalid reply code\n\n", ""},
		{"t_reply:\n486\nBusy\n12\ntag\n.\n", "400 Invalid trans_id\n\n", ""},
		{"t_reply:\n486\nBusy\nx:2\ntag\n.\n", "400 Invalid index in trans_id\n\n", ""},
		{"t_reply:\n486\nBusy\n1:y\ntag\n.\n", "400 Invalid label in trans_id\n\n", ""},
		{"t_reply:\n486\n", "400 Too few or too many arguments\n\n", ""},
		{"t_hash:\n", "500 No TM hash stats\n\n", ""},
	} {
		got = got[:0]
		out, done := s.Datagram(t.Context(), nil, rpc.Trusted("test"), []byte(":"+tt.in+"\n"))
		if string(out) != tt.want || strings.Join(got, "|") != tt.args {
			t.Errorf("%q answers\n%q with the arguments %q\nwant\n%q with %q", tt.in, out, got, tt.want, tt.args)
		}
		if done != nil {
			done()
		}
	}
}

// TestCut reads requests in pieces, with rubbish around.
func TestCut(t *testing.T) {
	s := newServer(t)
	in := "rubbish\n:pwd:reply\n\n:ul_rm:r\n\"two\n\nlines\"\n\n:x\n:pwd:../x\n\n:pwd:last\n\n"
	for _, step := range []int{1, 3, len(in)} {
		var got []string
		var data []byte
		for i := 0; i < len(in); i += step {
			data = append(data, in[i:min(len(in), i+step)]...)
			for {
				n, r, err := s.Cut(data)
				if err != nil {
					t.Fatal(err)
				}
				if data = data[n:]; r.Answer != nil {
					var b bytes.Buffer
					r.Answer(t.Context(), &b, rpc.Trusted("test"))
					got = append(got, r.Reply+" "+b.String()[:3])
				} else if n == 0 {
					break
				}
			}
		}
		if want := "reply 200,r 400,last 200"; strings.Join(got, ",") != want {
			t.Errorf("in steps of %d: %q, want %s", step, got, want)
		}
	}
	if _, _, err := s.Cut([]byte(":pwd:x\n" + strings.Repeat("x", MaxRequest))); err == nil {
		t.Error("a request without an end is not refused")
	}
}

// TestEveryCommandIsWritten wants the table to be of sense.
func TestEveryCommandIsWritten(t *testing.T) {
	for name, c := range commands {
		if (c.method == "") != (name == "which") || c.method != "" && (c.write == nil) == (c.run == nil) {
			t.Errorf("%s stands for %q, written by nothing", name, c.method)
		}
	}
}

// FuzzDatagram: whatever comes, an answer begins with a code and ends with an
// empty line.
func FuzzDatagram(f *testing.F) {
	for _, s := range []string{":pwd:\n\n", ":get_statistics:\na::\"b\\\"\n\n\"\n", "::\n", ":ul_add:x\n\"", ":which:\n\x00"} {
		f.Add([]byte(s))
	}
	s := newServer(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		out, _ := s.Datagram(t.Context(), nil, rpc.Trusted("fuzz"), in)
		if len(out) > 0 && (len(out) < 6 || out[3] != ' ' || !bytes.HasSuffix(out, []byte("\n\n"))) {
			t.Fatalf("%q answers %q", in, out)
		}
	})
}

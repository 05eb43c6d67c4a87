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
		&rpc.Method{Name: "core.version", Handler: say(str("sipd 1 (x86_64/linux)"))},
		&rpc.Method{Name: "core.uptime", Handler: say(rpc.Struct{rpc.M("now", str("Mon")), rpc.M("up_since", str("Sun")), rpc.M("uptime", rpc.Int(17))})},
		&rpc.Method{Name: "core.psx", List: true, Handler: say(rpc.Struct{rpc.M("IDX", rpc.Int(0)), rpc.M("PID", rpc.Int(7)), rpc.M("DSC", str("main"))})},
		&rpc.Method{Name: "core.arg", List: true, Handler: say(str("sipd"), str("-f"))},
		&rpc.Method{Name: "ul.add", Params: []rpc.Param{{Type: rpc.TString}, {Type: rpc.TInt}, {Type: rpc.TString}}, Changes: true, Handler: echo},
		&rpc.Method{Name: "ul.dump", Handler: say(rpc.Struct{rpc.M("Domain", rpc.Struct{rpc.M("Domain", str("location")), rpc.M("AoRs", rpc.Items{rpc.M("AoR", str("alice"))})})})},
		&rpc.Method{Name: "ul.rm", Handler: func(context.Context, *rpc.Call) error { return &rpc.Fault{Code: 404, Text: "AOR not found"} }},
		&rpc.Method{Name: "tm.stats", Handler: say()},
	); err != nil {
		t.Fatal(err)
	}
	return &Server{Registry: r, Indent: "\t", Log: slog.New(slog.DiscardHandler)}
}

func TestCommands(t *testing.T) {
	s := newServer(t)
	for _, tt := range []struct{ in, want string }{
		{":version:\n\n", "200 OK\nServer:: sipd 1 (x86_64/linux)\n\n"},
		{":uptime:\n\n", "200 OK\nNow:: Mon\nUp since:: Sun\nUp time:: 17 [sec]\n\n"},
		{":ps:\n\n", "200 OK\nProcess::  ID=0 PID=7 Type=main\n\n"},
		{":arg:\n", "200 OK\nsipd\n-f\n\n"},
		{":which:\n\n", "200 OK\narg\nps\nul_add\nul_dump\nul_rm\nuptime\nversion\nwhich\n\n"},
		{":ul_dump:\n\n", "200 OK\nDomain:: \n\tDomain:: location\n\tAoRs:: \n\t\tAoR:: alice\n\n"},
		{":ul_rm:\nlocation\nx\n\n", "404 AOR not found\n\n"},
		{":ul_add:\nlocation\nexpires :: 60\n\"a \\\"b\\\"\nc\"\n\n", "200 OK\nlocation\n60\na \"b\" c\n\n"},
		{":ul_add:\nlocation\nsix\"ty\nx\n\n", "400 parse error in command 'ul_add'\n\n"},
		{":ul_add:\nlocation\n\"x\" y\nx\n\n", "400 parse error in command 'ul_add'\n\n"},
		{":ul_add:\nlocation\n\n", "400 Invalid parameter value on line 3\n\n"},
		{":t_hash:\n\n", "500 command 't_hash' not available\n\n"},
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
	if out, _ := s.Datagram(t.Context(), nil, readOnly, []byte(":ul_add:\na\n1\nb\n\n")); !strings.HasPrefix(string(out), "403 ") {
		t.Errorf("a reader's change answers %q", out)
	}
}

// TestCut reads requests in pieces, with rubbish around.
func TestCut(t *testing.T) {
	s := newServer(t)
	in := "rubbish\n:version:reply\n\n:ul_add:r\n\"two\n\nlines\"\n\n:x\n:version:../x\n\n:version:last\n\n"
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
	if _, _, err := s.Cut([]byte(":version:x\n" + strings.Repeat("x", MaxRequest))); err == nil {
		t.Error("a request without an end is not refused")
	}
}

// TestEveryCommandIsWritten wants the table to be of sense.
func TestEveryCommandIsWritten(t *testing.T) {
	for name, c := range commands {
		if (c.method == "") != (name == "which") || c.method != "" && c.write == nil {
			t.Errorf("%s stands for %q, written by nothing", name, c.method)
		}
	}
}

// FuzzDatagram: whatever comes, an answer begins with a code and ends with an
// empty line.
func FuzzDatagram(f *testing.F) {
	for _, s := range []string{":version:\n\n", ":ul_add:\na::\"b\\\"\n\n\"\n", "::\n", ":ul_add:x\n\"", ":which:\n\x00"} {
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

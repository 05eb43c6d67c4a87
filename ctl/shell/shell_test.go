package shell

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sipd/rpc"
)

func TestElderValue(t *testing.T) {
	for in, want := range map[string]rpc.Value{
		"7": rpc.Int(7), "007": rpc.Int(7), "+5": rpc.Int(5), "-5": rpc.Int(-5), "": rpc.Int(0), " 5": rpc.Int(5),
		"0x10": rpc.Double(16), "1.5": rpc.Double(1.5), "1e3": rpc.Double(1000), ".5": rpc.Double(0.5), "-0x1p3": rpc.Double(-8),
		"inf": rpc.Double(math.Inf(1)), "1e999": rpc.Double(math.Inf(1)),
		"99999999999": rpc.Int(1215752191), "99999999999999999999": rpc.Int(-1),
		"s:5": rpc.String("5"), "s:": rpc.String(""), "s:s:x": rpc.String("s:x"), "1e3x": rpc.String("1e3x"),
		"i:5": rpc.String("i:5"), "1_000": rpc.String("1_000"), "--5": rpc.String("--5"), "-": rpc.String("-"), "5 ": rpc.String("5 "),
	} {
		if got := elderValue(in); got != want {
			t.Errorf("%q is %#v, want %#v", in, got, want)
		}
	}
}

func TestValue(t *testing.T) {
	for _, tt := range []struct {
		in   Word
		want rpc.Value
		bad  bool
	}{
		{in: Word{Text: "5"}, want: rpc.Int(5)},
		{in: Word{Text: "5", Quoted: true}, want: rpc.String("5")},
		{in: Word{Text: "", Quoted: true}, want: rpc.String("")},
		{in: Word{Text: "s:5"}, want: rpc.String("5")},
		{in: Word{Text: "i:5"}, want: rpc.Int(5)},
		{in: Word{Text: "i:5000000000"}, want: rpc.Int(5000000000)},
		{in: Word{Text: "d:5"}, want: rpc.Double(5)},
		{in: Word{Text: "4930123456789"}, bad: true},
		{in: Word{Text: "i:x"}, bad: true},
		{in: Word{Text: "i:"}, bad: true},
		{in: Word{Text: "d:x"}, bad: true},
	} {
		got, err := value(tt.in)
		if _, usage := errors.AsType[UsageError](err); got != tt.want || usage != tt.bad {
			t.Errorf("%+v is %#v, %v; want %#v, bad=%v", tt.in, got, err, tt.want, tt.bad)
		}
	}
}

func TestSplit(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want []Word
		bad  bool
	}{
		{in: ""},
		{in: " \t"},
		{in: "a  b\tc", want: []Word{{"a", false}, {"b", false}, {"c", false}}},
		{in: `a "b c" 'd"e' f\ g`, want: []Word{{"a", false}, {"b c", true}, {`d"e`, true}, {"f g", false}}},
		{in: `"" x"y"z`, want: []Word{{"", true}, {"xyz", true}}},
		{in: `"a\"b\\c\n"`, want: []Word{{`a"b\c\n`, true}}},
		{in: `'a\'`, want: []Word{{`a\`, true}}},
		{in: `a\`, want: []Word{{`a\`, false}}},
		{in: `"a`, bad: true},
		{in: `a 'b`, bad: true},
	} {
		got, err := Split(tt.in)
		if diff := cmp.Diff(tt.want, got); diff != "" || tt.bad != (err != nil) {
			t.Errorf("%q: %v\n%s", tt.in, err, diff)
		}
	}
}

// fake is a daemon that is a function.
type fake struct {
	calls  []string
	answer func(method string, args []rpc.Value) ([]rpc.Value, error)
	closed bool
}

func (f *fake) Call(_ context.Context, method string, args ...rpc.Value) ([]rpc.Value, error) {
	f.calls = append(f.calls, method)
	return f.answer(method, args)
}
func (f *fake) Close() error { f.closed = true; return nil }

func shellOn(f *fake, name string) (*Shell, *bytes.Buffer, *bytes.Buffer) {
	var out, errs bytes.Buffer
	return &Shell{
		Persona: PersonaFor(name), Out: &out, Err: &errs,
		Servers: []*Server{{Address: "fake", Dial: func(context.Context) (rpc.Client, error) { return f, nil }}},
	}, &out, &errs
}

func echo(method string, args []rpc.Value) ([]rpc.Value, error) {
	switch method {
	case "lost":
		return nil, errors.New("connection lost")
	case "no.such":
		return nil, &rpc.Fault{Code: 500, Text: "command no.such not found"}
	}
	if method == "system.methodSignature" {
		return nil, &rpc.Fault{Code: 500, Text: "Not Implemented Yet"}
	}
	return args, nil
}

// What comes from the network does not command the terminal.
func TestTerminal(t *testing.T) {
	s, out, _ := shellOn(&fake{answer: echo}, "sipcmd")
	s.Terminal = true
	if err := s.Run(t.Context(), []Word{{"core.echo", false}, {"\x1b]0;owned\a\u009b31m\tx", true}}); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), `\x1b]0;owned\x07\u{9b}31m`+"\tx\n"; got != want {
		t.Errorf("prints %q, want %q", got, want)
	}
}

func TestReport(t *testing.T) {
	for _, tt := range []struct {
		name, out, errs string
		err             error
		failed          bool
	}{
		{name: "kamcmd", err: &rpc.Fault{Code: 404, Text: "no"}, out: "error: 404 - no\n", failed: true},
		{name: "sipcmd", err: &rpc.Fault{Code: 404, Text: "no\x1b"}, errs: "error: 404 - no\\x1b\n", failed: true},
		{name: "sercmd", err: errors.New("lost"), errs: "lost\n", failed: true},
		{name: "sipcmd", err: errors.New("lost"), errs: "sipcmd: lost\n", failed: true},
		{name: "sipcmd"},
	} {
		s, out, errs := shellOn(&fake{}, tt.name)
		if got := s.Report(tt.err); got != tt.failed || out.String() != tt.out || errs.String() != tt.errs {
			t.Errorf("%s, %v: %v, %q, %q; want %v, %q, %q", tt.name, tt.err, got, out, errs, tt.failed, tt.out, tt.errs)
		}
	}
}

func TestScript(t *testing.T) {
	const text = "# a comment\n\n  core.echo 'a b' \"5\"\nno.such\ncore.echo 'open\ncore.echo c\nquit\ncore.echo never\n"
	f := &fake{answer: echo}
	s, out, errs := shellOn(f, "sipcmd")
	err := s.Script(t.Context(), strings.NewReader(text), false)
	se, ok := errors.AsType[*ScriptError](err)
	if !ok || se.Line != 4 || out.String() != "a b\n5\n" || errs.String() != "sipcmd: line 4: error: 500 - command no.such not found\n" {
		t.Errorf("stops with %v, prints %q, %q", err, out, errs)
	}
	s, out, errs = shellOn(f, "sipcmd")
	err = s.Script(t.Context(), strings.NewReader(text), true)
	if se, ok = errors.AsType[*ScriptError](err); !ok || se.Line != 5 || out.String() != "a b\n5\nc\n" || strings.Count(errs.String(), "\n") != 2 {
		t.Errorf("with keep-going: %v, prints %q, %q", err, out, errs)
	}
}

// After the connection was lost, the next command connects again.
func TestReconnect(t *testing.T) {
	f := &fake{answer: echo}
	s, out, _ := shellOn(f, "kamcmd")
	dials := 0
	s.Servers[0].Dial = func(context.Context) (rpc.Client, error) { dials++; return f, nil }
	for _, m := range []string{"a", "lost", "no.such", "b"} {
		s.Report(s.Run(t.Context(), Words([]string{m, m})))
	}
	if dials != 2 || !f.closed || out.String() != "a\nerror: 500 - command no.such not found\nb\n" {
		t.Errorf("%d dials, closed %v, printed %q", dials, f.closed, out)
	}
}

func TestHelp(t *testing.T) {
	f := &fake{answer: func(method string, args []rpc.Value) ([]rpc.Value, error) {
		if method == "system.listMethods" {
			return []rpc.Value{rpc.String("core.ps"), rpc.String("core.uptime")}, nil
		}
		return []rpc.Value{rpc.String("about " + string(args[0].(rpc.String)))}, nil
	}}
	for _, tt := range []struct{ persona, line, want string }{
		{"kamcmd", "help core.ps", "about core.ps\n"},
		{"kamcmd", "? ps", "ps is an alias for core.ps with reply formatting: \"%v\\t%v\\n\"\n"},
		{"kamcmd", "help psx", "psx is an alias for core.psx\n"},
		{"kamcmd", "help quit", "builtin command: exits kamcmd\n"},
		{"kamcmd", "help 5", "core.ps\ncore.uptime\nalias: ps\n"},
		{"kamcmd", "help", "builtin: warranty\nbuiltin: license\n"},
		{"sercmd", "help server", "server is an alias for core.version\n"},
		{"sipcmd", "help aliases", "builtin command: lists the short names of methods\n"},
		{"sipcmd", "help 5", "about 5\n"},
		{"sipcmd", "aliases", "ls                      system.listMethods\n"},
	} {
		s, out, _ := shellOn(f, tt.persona)
		words, err := s.Persona.split(tt.line)
		if err == nil {
			err = s.Run(t.Context(), words)
		}
		if err != nil || !strings.Contains(out.String(), tt.want) {
			t.Errorf("%s> %s: %v, prints\n%s, want in it\n%s", tt.persona, tt.line, err, out, tt.want)
		}
	}
}

func TestComplete(t *testing.T) {
	f := &fake{answer: func(method string, args []rpc.Value) ([]rpc.Value, error) {
		text := map[string]string{
			"system.listMethods": "core.uptime core.version cfg.get cfg.list cfg.commit cnt.get cnt.var_list",
			"cfg.list":           "core:debug core:children tm:fr_timer",
			"cnt.grps_list":      "sl",
			"cnt.var_list":       "200_replies",
		}[method]
		if text == "" {
			return nil, &rpc.Fault{Code: 500, Text: "no"}
		}
		var vals []rpc.Value
		for w := range strings.FieldsSeq(text) {
			vals = append(vals, rpc.String(strings.Replace(w, ":", ": ", 1)))
		}
		return vals, nil
	}}
	s, _, _ := shellOn(f, "sipcmd")
	for _, tt := range []struct{ line, head, want string }{
		{"core.", "", "core.uptime core.version"},
		{"q", "", "quit"},
		{"help core.u", "help ", "core.uptime"},
		{"? ver", "? ", "ver version"},
		{"cfg.get ", "cfg.get ", "core tm"},
		{"cfg.get core ", "cfg.get core ", "children debug"},
		{"cfg.get tm[1] f", "cfg.get tm[1] ", "fr_timer"},
		{"cfg.list c", "cfg.list ", "core"},
		{"cfg.list core d", "cfg.list core ", ""},
		{"cfg.commit c", "cfg.commit ", ""},
		{"cnt.get s", "cnt.get ", "sl"},
		{"cnt.get sl 2", "cnt.get sl ", "200_replies"},
		{"cnt.var_list sl 2", "cnt.var_list sl ", ""},
		{"core.uptime c", "core.uptime ", ""},
	} {
		head, got := s.Complete(t.Context(), tt.line)
		if head != tt.head || strings.Join(got, "") != strings.Join(strings.Fields(tt.want), " ")+map[bool]string{true: " "}[tt.want != ""] {
			t.Errorf("%q completes to %q + %q, want %q + %q", tt.line, head, got, tt.head, tt.want)
		}
	}
	if n := len(slices.DeleteFunc(slices.Clone(f.calls), func(m string) bool { return m != "cfg.list" })); n != 1 {
		t.Errorf("cfg.list was asked %d times, want once", n)
	}
	// A daemon that tells nothing: own commands still complete.
	s, _, _ = shellOn(&fake{answer: func(string, []rpc.Value) ([]rpc.Value, error) { return nil, errors.New("lost") }}, "sipcmd")
	if _, got := s.Complete(t.Context(), "qu"); !slices.Equal(got, []string{"quit "}) {
		t.Errorf("without a daemon %q", got)
	}
}

// FuzzSplit: what was split and quoted splits the same again.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{"", "a b", `a "b c" 'd'`, `\`, `"`, "\x00 \xff", `a\ b`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, err := Split(line)
		if err != nil {
			return
		}
		// Written with quotes around each word, it reads the same.
		var b strings.Builder
		for _, w := range words {
			b.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(w.Text) + `" `)
		}
		again, err := Split(b.String())
		if err != nil || len(again) != len(words) {
			t.Fatalf("%q reads as %v, quoted as %v, %v", line, words, again, err)
		}
		for i := range words {
			if again[i].Text != words[i].Text {
				t.Fatalf("word %d of %q: %q, quoted %q", i, line, words[i].Text, again[i].Text)
			}
		}
	})
}

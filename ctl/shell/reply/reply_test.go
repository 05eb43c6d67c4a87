package reply

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"sipd/rpc"
)

func show(t *testing.T, form Form, vals ...rpc.Value) {
	t.Helper()
	if err := errors.Join(Walk(form, vals...), form.End()); err != nil {
		t.Fatal(err)
	}
}

func shown(t *testing.T, o Output, vals ...rpc.Value) string {
	t.Helper()
	var b bytes.Buffer
	show(t, New(o, &b, false), vals...)
	return b.String()
}

// The wants are what kamcmd 1.5 printed.
func TestFormat(t *testing.T) {
	abc := []rpc.Value{rpc.String("a"), rpc.String("b"), rpc.String("c")}
	for _, tt := range []struct {
		format string
		vals   []rpc.Value
		want   string
	}{
		{`%v\t%v\n`, abc[:2], "a\tb\n"},
		{`%v,`, abc, "a,b,c,"},
		{`100%% %v|\t\\|%v\n`, abc, "100% a|\t\\|b\n100% c|\t\\|\n"},
		{`no values here\n`, abc[:2], "no values here\nano values here\nb"},
		{`<%v>\n`, nil, "<>\n"},
		{``, []rpc.Value{rpc.Int(1), rpc.Int(2)}, "12"},
		{`\x41 \q|`, []rpc.Value{rpc.Int(1), rpc.Int(2)}, `\x41 \q|1\x41 \q|2`},
		{`%v\`, []rpc.Value{rpc.Int(1)}, `1\`},
		{`%v %`, []rpc.Value{rpc.Int(1)}, `1 %`},
		{
			`%v %v\n`,
			[]rpc.Value{rpc.Struct{rpc.M("now", rpc.String("x")), rpc.M("up_since", rpc.String("y")), rpc.M("uptime", rpc.Int(17))}},
			"{ now: x\nup_since: y uptime: 17\n} \n",
		},
		{
			`<%v>`,
			[]rpc.Value{rpc.Struct{rpc.M("a", rpc.Array{rpc.Int(1), rpc.Array{rpc.Int(2)}}), rpc.M("b", rpc.Struct{rpc.M("a", rpc.Int(1))})}},
			"<{><a: {><1><{><2><}><}><b: {><a: 1><}><}>",
		},
	} {
		var b bytes.Buffer
		show(t, NewFormat(&b, tt.format, false), tt.vals...)
		if b.String() != tt.want {
			t.Errorf("%q of %v: got %q, want %q", tt.format, tt.vals, b.String(), tt.want)
		}
	}
}

func TestText(t *testing.T) {
	var b bytes.Buffer
	show(t, New(AsText, &b, false),
		rpc.Double(1.5), rpc.Double(-1.5), rpc.Double(256.001), rpc.Double(0), rpc.Bytes("abc"),
		rpc.Null{},
		rpc.Bool(true),
		rpc.Double(math.Inf(1)), rpc.Double(math.NaN()), nil,
		rpc.Struct{},
		rpc.Array{rpc.Int(1), rpc.Array{rpc.Int(2)}},
		rpc.Items{rpc.M("a", rpc.Int(1)), rpc.M("a", rpc.Struct{rpc.M("b", rpc.Int(2))})},
	)
	const want = "1.500000\n-1.500000\n256.001000\n0\nabc\n\n1\n+Inf\nNaN\n\n{\n}\n{\n\t1\n\t{\n\t\t2\n\t}\n}\n{\n\ta: 1\n\ta: {\n\t\tb: 2\n\t}\n}\n"
	if b.String() != want {
		t.Errorf("got\n%q, want\n%q", b.String(), want)
	}
	deep := rpc.Value(rpc.Int(1))
	for range 50 {
		deep = rpc.Array{deep}
	}
	b.Reset()
	show(t, New(AsText, &b, false), deep)
	if !strings.Contains(b.String(), "\n"+strings.Repeat("\t", 50)+"1\n") {
		t.Errorf("fifty deep prints\n%s", b.String())
	}
}

func TestJSON(t *testing.T) {
	vals := []rpc.Value{
		rpc.Int(-1), rpc.Double(0.7), rpc.Double(2), rpc.String("\x1b[2J\n\"é\xff"),
		rpc.Null{},
		rpc.Bool(true),
		rpc.Bytes{0xff},
		rpc.Bytes("b"),
		rpc.Struct{rpc.M("z", rpc.Int(1)), rpc.M("a", rpc.Array{rpc.Int(1), rpc.Struct{}})},
		rpc.Struct{rpc.M("SET", rpc.Int(1)), rpc.M("SET", rpc.Int(2))},
		rpc.Double(math.NaN()),
	}
	const want = `[-1,
0.7,
2,
"\u001b[2J\n\"é` + "\ufffd" + `",
null,
true,
"base64:/w==",
"b",
{"z":1,"a":[1,{}]},
[{"SET":1},{"SET":2}],
"NaN"]
`
	got := shown(t, AsJSON, vals...)
	if got != want || !json.Valid([]byte(got)) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if lines := strings.Split(shown(t, AsJSONL, vals...), "\n"); len(lines) != 12 || lines[8] != `{"z":1,"a":[1,{}]}` {
		t.Errorf("jsonl prints %q", lines)
	}
}

// TestNothing: a reply without values.
func TestNothing(t *testing.T) {
	for o, want := range map[Output]string{AsJSON: "[]\n", AsJSONL: "", AsText: "", AsYAML: "[]\n", AsTable: ""} {
		if got := shown(t, o); got != want {
			t.Errorf("no values as %s: %q, want %q", o, got, want)
		}
	}
}

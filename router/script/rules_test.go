package script

import (
	"slices"
	"strings"
	"testing"
)

// exprText parses "$r = EXPR;" and prints the expression with parentheses.
func exprText(t *testing.T, text string) (string, ErrorList) {
	t.Helper()
	f, errs := parseText(t, "route { $r = "+text+"; }")
	if errs != nil {
		return "", errs
	}
	return (&printer{}).expr(f.Items[0].(*Route).Body[0].(*Assign).Right), nil
}

func TestPrecedence(t *testing.T) {
	for in, want := range map[string]string{
		"3 == 1 | 2":                `((3 == 1) | 2)`,
		"1 << 2 == 4":               `(1 << (2 == 4))`,
		"1 << 2 >> 3":               `(1 << (2 >> 3))`,
		"!1 == 0":                   `((!(1)) == 0)`,
		"!uri == myself":            `(!((uri == myself)))`,
		`!method=="REGISTER"`:       `(!((method == "REGISTER")))`,
		`method=="A" && uri=="b"`:   `((method == "A") && (uri == "b"))`,
		`method == "a" + "b" == 1`:  `((method == ("a" + "b")) == 1)`,
		"1 + 2 * 3 - 4":             `((1 + (2 * 3)) - 4)`,
		"1 || 2 && 3":               `(1 || (2 && 3))`,
		"1 or 2 and not 3":          `(1 || (2 && (!(3))))`,
		"1 | 2 & 3 ^ 4":             `(1 | (2 & (3 ^ 4)))`,
		"1 < 2 == 3 > 4":            `((1 < 2) == (3 > 4))`,
		"(str)1 + 2":                `(((str)1) + 2)`,
		"(int)$x mod 2":             `(((int)$x) mod 2)`,
		"defined $x + 1":            `((defined $x) + 1)`,
		"- - 1":                     `(-(-1))`,
		"1 eq 2 ine 3":              `((1 eq 2) ine 3)`,
		"($x = 5) + 1":              `(($x = 5) + 1)`,
		"yes + enable":              `(yes + enable)`,
		"src_ip == 10.0.0.0/8 || 0": `((src_ip == 10.0.0.0/8) || 0)`,
	} {
		if got, errs := exprText(t, in); got != want || errs != nil {
			t.Errorf("%s is read as %s (%v), want %s", in, got, errs, want)
		}
	}
}

func TestLiterals(t *testing.T) {
	for in, want := range map[string]Expr{
		"0x1F":                           &IntLit{Value: 31},
		"017":                            &IntLit{Value: 15},
		"101b":                           &IntLit{Value: 5},
		"2147483648":                     &IntLit{Value: -2147483648},
		"-5":                             &IntLit{Value: -5},
		"off":                            &IntLit{Word: "off"},
		`"\x41\x4"`:                      &StrLit{Value: "A\x04"},
		`"\101\12\1"`:                    &StrLit{Value: "A\n\\1"},
		`"\.\d\\\""`:                     &StrLit{Value: `\.\d\"`},
		`"a\` + "\nb\"":                  &StrLit{Value: "ab"},
		"\"a\nb\"":                       &StrLit{Value: "a\nb"},
		`"a" "b"` + "\n" + `/* c */ "c"`: &StrLit{Value: "abc"},
		`'\n"$x'`:                        &StrLit{Value: `\n"$x`, Raw: true},
		`"#!define / // #"`:              &StrLit{Value: "#!define / // #"},
	} {
		f, errs := parseText(t, "route { $r = "+in+"; }")
		if errs != nil {
			t.Errorf("%s: %v", in, errs)
			continue
		}
		if got := f.Items[0].(*Route).Body[0].(*Assign).Right; dump(got) != dump(want) {
			t.Errorf("%s is read as\n%swant\n%s", in, dump(got), dump(want))
		}
	}
}

func TestBlanksAndComments(t *testing.T) {
	text := "\ufeff/* a /* nested */ comment */ route /**/ { // to the end }\n\u00a0\n # so } \n#!nodirective\n\tif (1)\\\n exit\xa0; \b}\r\n"
	f, errs := parseText(t, text)
	if errs != nil || len(f.Items) != 1 || len(f.Warnings) != 0 {
		t.Errorf("%d items, warnings %v, errors %v; want one route", len(f.Items), f.Warnings, errs)
	}
	f, errs = parseText(t, "route { “ exit; }")
	if errs != nil || len(f.Warnings) != 1 {
		t.Errorf("a curly quote gave errors %v and %d warnings, want one warning", errs, len(f.Warnings))
	}
}

// defined parses text and answers the settings a, b, … as printed.
func settings(t *testing.T, m texts, opts *Options) (string, ErrorList) {
	t.Helper()
	f, errs := parseWith(t, m, opts)
	var out []string
	for _, it := range f.Items {
		if s, ok := it.(*Setting); ok {
			out = append(out, s.Name+"="+printConst(s.Value))
		}
	}
	return strings.Join(out, " "), errs
}

func TestPreprocessor(t *testing.T) {
	env := func(n string) (string, bool) { return "from env", n == "HOME_OF" }
	for _, tt := range []struct{ name, text, want string }{
		{"define is tokens", "#!define A 5\na=A", "a=5"},
		{"define keeps quotes", "#!define A \"x y\"\na=A", `a="x y"`},
		{"define of a define", "#!define A B\n#!define B 7\na=A", "a=7"},
		{"define without value expands to nothing", "#!define A\na=A 3", "a=3"},
		{"define of itself", "#!define A A\na=A", "a=A"},
		{"define over lines", "#!define A 1 \\\n + 2\na=1", "a=1"},
		{"no define in strings", "#!define A 5\na=\"A\"", `a="A"`},
		{"comment in a define", "#!define A 5 # five\na=A\nb=6", "a=5 b=6"},
		{"def", "#!def A 5\na=A", "a=5"},
		{"trydef", "#!define A 1\n#!trydef A 2\n#!trydef B 3\na=A b=B", "a=1 b=3"},
		{"redef", "#!define A 1\n#!redef A 2\na=A", "a=2"},
		{"ifdef", "#!define A\n#!ifdef A\na=1\n#!else\na=2\n#!endif", "a=1"},
		{"ifndef", "#!ifndef A\na=1\n#!else\na=2\n#!endif", "a=1"},
		{"nested", "#!ifdef A\n#!ifdef B\na=0\n#!else\na=1\n#!endif\n'\"/* {\n#!else\na=2\n#!endif", "a=2"},
		{"nested else of a skipped one", "#!ifdef A\n#!ifdef B\n#!else\na=1\n#!endif\n#!endif\na=3", "a=3"},
		{"comment behind", "#!ifdef A # why\na=1\n#!endif # A\na=2", "a=2"},
		{"double bang", "!!define A 4\na=A", "a=4"},
		{"indented", "  #!define A 4\n\t#!ifdef A\na=A\n #!endif", "a=4"},
		{"subst", "#!subst \"/X/5/\"\na=\"X-X\" b='X' c=X", `a="5-X" b='5' c=X`},
		{"subst all", "#!subst \"/X/5/g\"\na=\"X-X\"", `a="5-5"`},
		{"subst is not for what came before", "a=\"X\"\n#!subst \"/X/5/\"\nb=\"X\"", `a="X" b="5"`},
		{"subst groups", "#!subst \"!([a-z]+)@([a-z]+)!\\2 at \\1!\"\na=\"me@home\"", `a="home at me"`},
		{"all rules apply", "#!subst \"/A/B/\"\n#!subst \"/B/C/\"\na=\"A\"", `a="C"`},
		{"subst ignores case", "#!subst \"/x/5/i\"\na=\"X\"", `a="5"`},
		{"substdef", "#!substdef \"!ID!7!g\"\na=ID b=\"ID\"", `a=7 b="7"`},
		{"substdefs", "#!substdefs \"!ID!v!g\"\na=ID b=\"ID\"", `a="v" b="v"`},
		{"defenvs", "#!defenvs HOME_OF\na=HOME_OF", `a="from env"`},
		{"defenv with a name", "#!defenvs X=HOME_OF\n#!trydefenv NONE\na=X", `a="from env"`},
		{"-A", "#!ifdef CMD\na=CMD2\n#!endif", "a=9"},
		{"predefined", "#!ifdef KAMAILIO_5\na=1\n#!endif\n#!ifdef KAMAILIO\na=2\n#!endif", "a=1"},
		{"MOD_ of a loaded module", "#!ifdef MOD_tm\na=1\n#!endif\nloadmodule \"x/tm.so\"\n#!ifdef MOD_tm\na=2\n#!endif", "a=2"},
		{"include", "include_file \"inc\"\nb=2", "i=3 b=2"},
		{"include of a define's file", "#!define F \"inc\"\ninclude_file F\nb=2", "i=3 b=2"},
		{"import", "import_file \"none\"\nimport_file \"inc\"\na=1", "i=3 a=1"},
	} {
		got, errs := settings(t, texts{"test.cfg": tt.text, "inc": "i=3"}, &Options{
			Getenv: env, Defines: []string{"CMD", "CMD2=9"}, Predefined: []string{"KAMAILIO_5"},
		})
		if got != tt.want || errs != nil {
			t.Errorf("%s: %q gives %s, %v; want %s", tt.name, tt.text, got, errs, tt.want)
		}
	}
}

func TestIncludePlaces(t *testing.T) {
	m := texts{
		"etc/main.cfg": "route {\n\tinclude_file \"sub/body\"\n}\n",
		"etc/sub/body": "log(\"x\")\nexit;",
	}
	_, err := Parse(m.read, "etc/main.cfg", nil)
	if got := messages(err); !slices.Equal(got, []string{`1:8: ";" is missing | put ";" behind this`}) {
		t.Errorf("messages %q", got)
	}
	if l := err.(ErrorList); l[0].Pos.File() != "etc/sub/body" {
		t.Errorf("mistake is told in %s, want the included file", l[0].Pos.File())
	}
}

func TestLimits(t *testing.T) {
	var defs strings.Builder
	for i := range MaxDefines + 1 {
		defs.WriteString("#!define D" + itoa(int32(i)) + "\n")
	}
	loop := texts{"test.cfg": "include_file \"test.cfg\"\n"}
	bomb := "#!define A0 1 1\n"
	for i := int32(1); i < 40; i++ {
		bomb += "#!define A" + itoa(i) + " A" + itoa(i-1) + " A" + itoa(i-1) + "\n"
	}
	for _, tt := range []struct {
		name string
		m    texts
		want string
	}{
		{"includes", loop, "files include each other more than 10 deep"},
		{"defines", texts{"test.cfg": defs.String()}, "more than 512 defines"},
		{"conditionals", texts{"test.cfg": strings.Repeat("#!ifndef A\n", MaxConditions+1)}, "conditionals are nested more than 256 deep"},
		{"parentheses", texts{"test.cfg": "route { $x = " + strings.Repeat("(", 5000) + "1; }"}, "nested more than 200 deep"},
		{"blocks", texts{"test.cfg": "route { " + strings.Repeat("if 1 { ", 5000)}, "nested more than 200 deep"},
		{"operators", texts{"test.cfg": "route { $x = " + strings.Repeat("! ", 5000) + "1; }"}, "nested more than 200 deep"},
		{"long expression", texts{"test.cfg": "route { $x = 1" + strings.Repeat("+1", 5000) + "; }"}, "expression is too long"},
		{"words", texts{"test.cfg": bomb + "a=A39"}, "configuration has more than 524288 words"},
	} {
		_, errs := parseWith(t, tt.m, nil)
		found := false
		for _, e := range errs {
			found = found || e.Msg == tt.want
		}
		if !found || len(errs) > maxErrors+maxErrors {
			t.Errorf("%s: errors %.300s, want %q among them", tt.name, errs.Error(), tt.want)
		}
	}
}

func TestErrorText(t *testing.T) {
	_, errs := parseText(t, "route {\n\tif\t(x) exit;\n}\n")
	want := "test.cfg:2:6: \"x\" is no value\n    if\t(x) exit;\n      \t ^ text goes in quotes, calls need parentheses"
	if len(errs) != 1 || errs[0].Error() != want {
		t.Errorf("message\n%s\nwant\n%s", errs.Error(), want)
	}
}

func TestDefineErrorTellsPlaces(t *testing.T) {
	_, errs := parseText(t, "#!define A (\nroute {\n $x = A;\n}\n")
	want := `3:8: a value expected, not ";"`
	if got := messages(errs); len(got) != 1 || got[0] != want {
		t.Errorf("messages %q, want %q", got, want)
	}
}

func TestListen(t *testing.T) {
	f, errs := parseText(t, `listen=udp:10.0.0.1:5060 [::1] tcp:eth0
listen = tls:sip.example.net:5061 advertise gw:5070 name "x" virtual
custom.x = 5`)
	if errs != nil {
		t.Fatal(errs)
	}
	var got []string
	for _, it := range f.Items {
		if l, ok := it.(*Listen); ok {
			for _, a := range l.Addrs {
				got = append(got, printListen(a))
			}
		}
	}
	want := []string{"udp:10.0.0.1:5060", "[::1]", "tcp:eth0", `tls:sip.example.net:5061 advertise gw:5070 name "x" virtual`}
	if !slices.Equal(got, want) || len(f.Items) != 3 {
		t.Errorf("addresses %q in %d statements, want %q in 3", got, len(f.Items), want)
	}
}

func TestFlavours(t *testing.T) {
	f, errs := parseText(t, "route { $a = 1;\n#!SER\n$b = 1;\n#!KAMAILIO\n$c = 1;\n#!ALL\n$d = 1; }\n#!OPENSER")
	if errs != nil {
		t.Fatal(errs)
	}
	var got []Flavour
	for _, s := range f.Items[0].(*Route).Body {
		got = append(got, s.(*Assign).Left.(*Var).Flavour)
	}
	if want := []Flavour{MaxCompat, SER, Kamailio, MaxCompat}; !slices.Equal(got, want) || f.Flavour != Kamailio {
		t.Errorf("flavours %v, at the end %v; want %v, KAMAILIO", got, f.Flavour, want)
	}
}

func TestSimilar(t *testing.T) {
	names := []string{"t_relay", "t_reply", "record_route", "xlog"}
	for in, want := range map[string]string{"t_relai": "t_relay", "recrod_route": "record_route", "zzz": "", "XLOG": "xlog"} {
		if got := similar(in, names); got != want {
			t.Errorf("similar(%q) = %q, want %q", in, got, want)
		}
	}
}

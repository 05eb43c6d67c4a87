package assign

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func env(name string) (string, bool) {
	v, ok := map[string]string{"HOME": "/home/op", "EMPTY": "", "SITE": "north"}[name]
	return v, ok
}

func TestShell(t *testing.T) {
	for _, tt := range []struct{ in, want, line string }{
		{in: "", want: ""},
		{in: "# A=1\n\n A=1 # x\n", want: "A=1"},
		{in: "A=1; B=2 C=3", want: "A=1|B=2|C=3"},
		{in: "export A=1 B\nreadonly C='x y'", want: "A=1|C=x y"},
		{in: `A="a b" B='$x' C=a\ b D="\$x\"\q"`, want: `A=a b|B=$x|C=a b|D=$x"\q`},
		{in: "A='x\ny'\nB=\"p\\\nq\"", want: "A=x\ny|B=pq"},
		{in: "A=one\nB=$A-${A}x${NONE:-two}${SITE-no}${EMPTY:-full}${EMPTY-no}", want: "A=one|B=one-onextwonorthfull"},
		{in: `A="$SITE $NONE."`, want: "A=north ."},
		{in: "A=~/x B=x~", want: "A=/home/op/x|B=x~"},
		{in: "A=$ B=a=b", want: "A=$|B=a=b"},
		{in: "A=\r\nB=1\r\n", want: "A=|B=1"},
		{in: "A=1\nB=`date`", line: "2: command substitution"},
		{in: "A=$(date)", line: "1: command substitution"},
		{in: "\nif [ x ]; then A=1; fi", line: "2: if: conditions"},
		{in: ". /etc/other", line: "1: it includes another file"},
		{in: "source x", line: "1: it includes"},
		{in: "rm -rf /", line: "1: rm is a command"},
		{in: "A=1 rm x", line: "1: rm is a command"},
		{in: "A = 1", line: "1: A: there must be no blank"},
		{in: "A=x\nB='x\ny\n", line: "2: the ' that begins here"},
		{in: "A=\"x\n", line: `1: the " that begins here`},
		{in: "A=(1 2)", line: "1: A: arrays"},
		{in: "A=x>y", line: "1: '>': nothing is run"},
		{in: "A=x 7", line: "1: '7' behind the value"},
		{in: "A=$1", line: "1: $1 is of a running script"},
		{in: "A=${B%x}", line: "1: ${B…: only"},
		{in: "A=${B:-x", line: "1: ${ without its }"},
		{in: "A=\x00", line: "1: a NUL byte"},
		{in: "1A=2", line: "1: 1A is no name"},
		{in: "[ x ]", line: "1: '[' is no assignment"},
		{in: "A=" + strings.Repeat("${B:-", 30), line: "1: more than 20"},
	} {
		vars, err := Shell("rc", tt.in, env)
		var got []string
		for _, v := range vars {
			got = append(got, v.Name+"="+v.Value)
		}
		if tt.line == "" && (err != nil || strings.Join(got, "|") != tt.want) {
			t.Errorf("Shell(%q) = %q, %v; want %q", tt.in, strings.Join(got, "|"), err, tt.want)
		}
		if e, _ := errors.AsType[*Error](err); tt.line != "" && (e == nil || !strings.HasPrefix(e.Error(), "rc:"+tt.line)) {
			t.Errorf("Shell(%q) = %q, %v; want rc:%s…", tt.in, got, err, tt.line)
		}
	}
}

// TestShellAgrees: the shell itself gives the names the same values.
func TestShellAgrees(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh")
	}
	const script = `DBENGINE=SQLITE
DB_PATH="/var/lib/k a.db" # where
export SIP_DOMAIN=example.com
STANDARD_MODULES='a
  b c'
ACL_GROUPS="local ld \"int\" $SIP_DOMAIN ${X:-none} \x"
RAW=a\$b"c"'d'\\
`
	vars, err := Shell("", script, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rc")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, v := range vars {
		cmd := exec.Command(sh, "-c", `. "$1"; printf %s "$`+v.Name+`"`, "sh", file)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
		want, err := cmd.Output()
		if err != nil || string(want) != v.Value {
			t.Errorf("%s is %q, sh says %q, %v", v.Name, v.Value, want, err)
		}
	}
}

func TestPython(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want any
		line string
	}{
		{in: "X = 'a'", want: "a"},
		{in: "# -*- x -*-\n\n  # c\nX = \"a'b\" # c\n", want: "a'b"},
		{in: "X='''a\n\"b'''", want: "a\n\"b"},
		{in: `X = 'a\n\t\\\'\x41\101\q'`, want: "a\n\t\\'AA\\q"},
		{in: `X = r'a\n'`, want: `a\n`},
		{in: `X = u'\u00fc'`, want: "ü"},
		{in: "X = 'a' \"b\" + 'c'", want: "abc"},
		{in: "X = ('a'\n  'b') # c", want: "ab"},
		{in: "X = 'a' \\\n 'b'", want: "ab"},
		{in: "X = 15", want: int64(15)},
		{in: "X = -0x10L", want: int64(-16)},
		{in: "X = 017", want: int64(15)},
		{in: "X = True", want: true},
		{in: "A = 1; X = False;", want: false},
		{in: "X = None", want: nil},
		{in: "A = 1\nimport os", line: "2: import: this file is not run"},
		{in: "X = os.getenv('A')", line: "1: os: functions are not called"},
		{in: "X = A", line: "1: A: other names"},
		{in: "X = ['a']", line: "1: lists"},
		{in: "X = 'a', 'b'", line: "1: X: lists"},
		{in: "X = ('a', 'b')", line: "1: a parenthesis"},
		{in: "X = 'a", line: "1: the string that begins here has no end"},
		{in: "X = '''a\n", line: "1: the string that begins"},
		{in: "X = 1.5", line: "1: 1 is no whole number"},
		{in: "X = 1 + 2", line: "1: + is read between strings"},
		{in: "X =", line: "1: the value is missing"},
		{in: "X == 1", line: "1: X is not followed by ="},
		{in: "A = 1\n X = 1", line: "2: an indented line"},
		{in: "X = 1 2", line: "1: X: '2' behind the value"},
		{in: "f()", line: "1: f is not followed by ="},
		{in: "if 1: X = 2", line: "1: if: this file is not run"},
		{in: "X = '\\xg'", line: "1: an escape"},
	} {
		got, err := Python("conf", tt.in)
		if tt.line == "" {
			if err != nil || len(got) == 0 || got[len(got)-1].Value != tt.want {
				t.Errorf("Python(%q) = %v, %v; want %#v", tt.in, got, err, tt.want)
			}
		} else if e, _ := errors.AsType[*Error](err); e == nil || !strings.HasPrefix(e.Error(), "conf:"+tt.line) {
			t.Errorf("Python(%q) = %v, %v; want conf:%s…", tt.in, got, err, tt.line)
		}
	}
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadFile(dir); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := ReadFile(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, make([]byte, MaxSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(big); err == nil || !strings.Contains(err.Error(), "longer") {
		t.Errorf("a big file: %v", err)
	}
}

// FuzzShell: what is read can be written as assignments in single quotes and
// is read as the same again.
func FuzzShell(f *testing.F) {
	for _, s := range []string{"A=1", "export A='x y' B=\"$A\"", "A=${B:-${C-x}}", "A=`x`", "A=\\\n1;#x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		vars, err := Shell("", text, env)
		if err != nil {
			if e, ok := errors.AsType[*Error](err); !ok || e.Line < 1 || e.Line > strings.Count(text, "\n")+1 {
				t.Fatalf("Shell(%q) = %v", text, err)
			}
			return
		}
		var b strings.Builder
		for _, v := range vars {
			b.WriteString(v.Name + "='" + strings.ReplaceAll(v.Value, "'", `'\''`) + "'\n")
		}
		if b.Len() > MaxSize {
			return
		}
		again, err := Shell("", b.String(), env)
		if err != nil || len(again) != len(vars) {
			t.Fatalf("%q became %q: %v", text, b.String(), err)
		}
		for i := range vars {
			if again[i].Value != vars[i].Value || again[i].Name != vars[i].Name {
				t.Fatalf("%q: %v became %v", text, vars[i], again[i])
			}
		}
	})
}

// FuzzPython: values keep to the four kinds, and lines are lines of the text.
func FuzzPython(f *testing.F) {
	for _, s := range []string{"X = 'a' \"b\"", "X = ('a' +\n 'b')", "X = u'\\u1234'", "X = -1; Y = None", "X = '''\n'''", "import x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Python("", text)
		if err != nil {
			if e, ok := errors.AsType[*Error](err); !ok || e.Line < 1 || e.Line > strings.Count(text, "\n")+1 {
				t.Fatalf("Python(%q) = %v", text, err)
			}
			return
		}
		for _, s := range got {
			switch s.Value.(type) {
			case nil, string, int64, bool:
			default:
				t.Fatalf("Python(%q): %s is a %T", text, s.Name, s.Value)
			}
			if s.Line < 1 || s.Line > strings.Count(text, "\n")+1 {
				t.Fatalf("Python(%q): %s on line %d", text, s.Name, s.Line)
			}
		}
	})
}

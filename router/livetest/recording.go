package livetest

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
)

// Recording is a file of pieces of script, a line each, and what they come to in
// a Kamailio, behind a tab and "= "; what sipd does otherwise on purpose stands
// behind a tab and "sipd: ".
type Recording struct {
	File string
	// Update writes down anew what the Kamailio does, where one is installed.
	Update bool
	// Config makes a daemon's configuration. CASES in it becomes the pieces as
	// the cases of a switch($rU); whatever a piece leaves in $var(r) is answered
	// in the header X-Found of a 299.
	Config func(t *testing.T) string
	// Calls is what the lines begin with that are no pieces of script, "" when
	// there are none, and Call answers for them.
	Calls string
	Call  func(t *testing.T, d *Daemon, line string) string
}

// Run runs the lines in a Kamailio and in sipd, and compares.
func (r Recording) Run(t *testing.T) {
	t.Helper()
	lines, want, ours := r.read(t)
	t.Run("kamailio", func(t *testing.T) {
		got := r.answers(t, Kamailio, lines)
		if r.Update {
			want = got
			r.write(t, lines, want, ours)
		}
		compare(t, lines, got, want)
	})
	t.Run("sipd", func(t *testing.T) {
		want := maps.Clone(want)
		maps.Copy(want, ours)
		compare(t, lines, r.answers(t, Start, lines), want)
	})
}

// read gives the lines and, by their index, the answers.
func (r Recording) read(t *testing.T) (lines []string, want, ours map[int]string) {
	t.Helper()
	b, err := os.ReadFile(r.File)
	if err != nil {
		t.Fatal(err)
	}
	want, ours = make(map[int]string), make(map[int]string)
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		if v, ok := strings.CutPrefix(line, "\t= "); ok {
			want[len(lines)-1] = v
		} else if v, ok := strings.CutPrefix(line, "\tsipd: "); ok {
			ours[len(lines)-1] = v
		} else if line != "" {
			lines = append(lines, line)
		}
	}
	return lines, want, ours
}

func (r Recording) write(t *testing.T, lines []string, want, ours map[int]string) {
	t.Helper()
	var b strings.Builder
	for i, line := range lines {
		fmt.Fprintf(&b, "%s\n\t= %s\n", line, want[i])
		if v, ok := ours[i]; ok {
			fmt.Fprintf(&b, "\tsipd: %s\n", v)
		}
	}
	if err := os.WriteFile(r.File, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
}

// answers asks a daemon for all lines, one after the other.
func (r Recording) answers(t *testing.T, start func(testing.TB, string) *Daemon, lines []string) map[int]string {
	t.Helper()
	var cases strings.Builder
	for i, line := range lines {
		if !r.isCall(line) {
			fmt.Fprintf(&cases, "\t\tcase \"t%d\":\n\t\t\t%s\n\t\tbreak;\n", i, line)
		}
	}
	d := start(t, strings.Replace(r.Config(t), "CASES", cases.String(), 1))
	p := d.Peer(t)
	out := make(map[int]string)
	for i, line := range lines {
		if r.isCall(line) {
			out[i] = r.Call(t, d, line)
			continue
		}
		p.Send(fmt.Sprintf("OPTIONS sip:t%d@ADDR SIP/2.0\nVia: SIP/2.0/UDP ME;branch=z9hG4bK%[1]d\nFrom: <sip:alice@example.com>;tag=1\nTo: <sip:bob@example.net>\n"+
			"Call-ID: c%[1]d\nCSeq: 1 OPTIONS\nMax-Forwards: 9\n", i))
		out[i] = Value(p.Want("SIP/2.0 299"), "X-Found")
	}
	return out
}

func (r Recording) isCall(line string) bool {
	return r.Calls != "" && strings.HasPrefix(line, r.Calls)
}

func compare(t *testing.T, lines []string, got, want map[int]string) {
	t.Helper()
	for i, line := range lines {
		if got[i] != want[i] {
			t.Errorf("%s\ngot  %q\nwant %q", line, got[i], want[i])
		}
	}
}

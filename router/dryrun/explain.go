package dryrun

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"sipd/router"
	"sipd/router/script"
	"sipd/router/sip"
)

// Explainer prints runs for people: the path through the script line by line,
// what was logged and sent, and how it ended.
type Explainer struct {
	W io.Writer
	// Quiet leaves the path out, Short the texts of messages but their first
	// lines.
	Quiet, Short bool

	depth int
}

// Begin prints what is run.
func (x *Explainer) Begin(m *Message, from netip.AddrPort) {
	line, _, _ := strings.Cut(m.Text, "\r\n")
	fmt.Fprintf(x.W, "%s from %s:%s\n", clean(line), m.Proto, from)
}

// Events prints what a run did, and answers its outcome in one line.
func (x *Explainer) Events(evs []Event) {
	x.depth = 1
	for i := range evs {
		switch ev := &evs[i]; {
		case ev.Step != nil:
			x.step(ev.Step)
		case ev.Var != nil:
			x.line("%s = %s", ev.Var.Name, clean(ev.Var.Value))
		case ev.Log != nil:
			x.log(ev.Log)
		case ev.Sent != nil:
			x.sent(ev.Sent)
		}
	}
	fmt.Fprintf(x.W, "  outcome: %s\n\n", Outcome(evs))
}

func (x *Explainer) line(format string, a ...any) {
	fmt.Fprintf(x.W, "%s%s\n", strings.Repeat("  ", x.depth), fmt.Sprintf(format, a...))
}

func (x *Explainer) step(s *script.Step) {
	if x.Quiet {
		return
	}
	at := fmt.Sprintf("%s:%d", filepath.Base(s.At.File()), s.At.Line())
	switch s.Kind {
	case script.StepEnter:
		x.line("%s {", s.Block)
		x.depth++
	case script.StepLeave:
		x.depth = max(x.depth-1, 1)
		x.line("} code %d", s.Code)
	case script.StepCall:
		x.line("%s  %s  -> %d", at, s.Text, s.Code)
	case script.StepTest:
		x.line("%s  %s  -> %s", at, s.Text, yes(s))
	case script.StepAssign:
		if s.Code < 0 {
			x.line("%s  %s  -> not assigned", at, s.Text)
			return
		}
		x.line("%s  %s", at, s.Text)
	default:
		x.line("%s  %s", at, s.Text)
	}
}

func yes(s *script.Step) string {
	switch {
	case !s.OK:
		return "no (it failed)"
	case s.Yes:
		return "yes"
	}
	return "no"
}

func (x *Explainer) log(l *Log) {
	if l.Level < slog.LevelInfo {
		return
	}
	var b strings.Builder
	for _, a := range l.Attrs {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
	}
	x.line("log %s: %s%s", router.LevelName(l.Level), clean(strings.TrimRight(l.Text, "\n")), clean(b.String()))
}

func (x *Explainer) sent(s *Sent) {
	x.line("sent to %s:%s", s.Proto, s.To)
	for i, line := range strings.Split(strings.TrimRight(s.Text, "\r\n"), "\n") {
		if x.Short && i > 0 {
			return
		}
		x.line("  | %s", clean(strings.TrimRight(line, "\r")))
	}
}

// clean keeps text of messages from steering a terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}

// Outcome says in one line what became of a message.
func Outcome(evs []Event) string {
	var out []string
	for _, ev := range evs {
		if ev.Sent == nil {
			continue
		}
		var m sip.Message
		switch err := m.Parse(ev.Sent.Text); {
		case err != nil:
			out = append(out, "sent something to "+ev.Sent.To.String())
		case m.IsRequest():
			out = append(out, fmt.Sprintf("%s relayed to %s", m.MethodName(), ev.Sent.To))
		default:
			out = append(out, fmt.Sprintf("%d to %s", m.StatusCode(), ev.Sent.To))
		}
	}
	if len(out) == 0 {
		return "nothing was sent"
	}
	return strings.Join(slices.Compact(out), ", ")
}

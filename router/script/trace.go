package script

import (
	"strings"

	"sipd/router/run"
)

// TraceFunc is told each step of a run as it is made. It is called in the run's
// own goroutine and must not change c.
type TraceFunc func(c *run.Context, s *Step)

// Step is one step of a run.
type Step struct {
	Kind StepKind
	// At is the place in the configuration, Text what stands there, in one line.
	At   Pos
	Text string
	// Block is the route's kind and name, with StepEnter and StepLeave.
	Block string
	// Code is what a call, a route or a return answered.
	Code int
	// Yes is how a test came out; OK is false when it failed.
	Yes, OK bool
}

// StepKind tells the steps apart.
type StepKind uint8

// The kinds of steps.
const (
	StepEnter  StepKind = iota // a route block begins
	StepLeave                  // it ended with Code
	StepCall                   // a call answered Code
	StepAssign                 // a variable was assigned
	StepTest                   // the condition of an if or while: Yes
	StepCase                   // a switch chose Text
	StepJump                   // return, exit, drop, break
)

// traced wraps a compiled statement so that its steps are told. Without a
// tracer statements stay as they are.
func (x *compiler) traced(s Stmt, f stmtFunc) stmtFunc {
	trace := x.conf.env.Trace
	if trace == nil || f == nil {
		return f
	}
	step := Step{At: s.Position(), Text: sourceText(s.Position()), OK: true}
	switch s := s.(type) {
	case *CallStmt:
		step.Kind = StepCall
	case *Assign:
		step.Kind = StepAssign
	case *Jump:
		step.Kind = StepJump
		if s.Kind == JumpReturn || s.Kind == JumpExit || s.Kind == JumpDrop {
			return func(c *run.Context) (int, signal) {
				code, sig := f(c)
				done := step
				done.Code = code
				trace(c, &done)
				return code, sig
			}
		}
	default:
		return f
	}
	return func(c *run.Context) (int, signal) {
		code, sig := f(c)
		done := step
		done.Code = code
		trace(c, &done)
		return code, sig
	}
}

// tracedTest wraps a condition so that its outcome is told.
func (x *compiler) tracedTest(word string, e Expr, f testFunc) testFunc {
	trace := x.conf.env.Trace
	if trace == nil || f == nil {
		return f
	}
	step := Step{Kind: StepTest, At: e.Position(), Text: word + " " + sourceText(e.Position())}
	return func(c *run.Context) (yes, ok bool) {
		yes, ok = f(c)
		done := step
		done.Yes, done.OK = yes, ok
		trace(c, &done)
		return yes, ok
	}
}

// tracedCase wraps the choice of a label.
func (x *compiler) tracedCase(s *Switch, starts []int, f func(*run.Context) (int, bool)) func(*run.Context) (int, bool) {
	trace := x.conf.env.Trace
	if trace == nil {
		return f
	}
	value := "switch " + sourceText(s.Value.Position())
	return func(c *run.Context) (int, bool) {
		to, ok := f(c)
		step := Step{Kind: StepCase, At: s.Pos, Text: value + ": no case", OK: ok}
		for i, at := range starts {
			if at == to && to >= 0 {
				step.Text = value + ": " + strings.TrimSuffix(sourceText(s.Cases[i].Pos), ":")
				break
			}
		}
		trace(c, &step)
		return to, ok
	}
}

// label is the block's name for people.
func (b *block) label() string {
	if b.name == "" {
		return b.kind.String()
	}
	return b.kind.String() + "[" + b.name + "]"
}

// sourceText is what was written at p, blanks folded, in one line.
func sourceText(p Pos) string {
	if p.Src == nil || p.Off < 0 || p.End > len(p.Src.Text) || p.Off > p.End {
		return ""
	}
	s := strings.Join(strings.Fields(strings.ReplaceAll(p.Src.Text[p.Off:p.End], "\u00a0", " ")), " ")
	return printable(s)
}

// Package shell is the engine of sipcmd: it turns words into calls of a
// daemon's RPC methods and replies into text, for one command, a script or a
// person at a terminal. It takes its elders' manners (kamcmd, sercmd) where it
// is asked to. How a daemon is reached is the business of rpc/dial.
package shell

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"sipd/ctl/output"
	"sipd/rpc"
)

// Output is the form in which replies are printed.
type Output string

// The forms.
const (
	Text  Output = "text"  // as kamcmd prints
	JSON  Output = "json"  // an array of the reply's values
	JSONL Output = "jsonl" // a value a line
)

// Outputs lists the names that [ParseOutput] takes.
var outputs = []Output{Text, JSON, JSONL}

// ParseOutput reads the value of -o.
func ParseOutput(s string) (Output, error) {
	for _, o := range outputs {
		if s == string(o) {
			return o, nil
		}
	}
	return "", UsageError(fmt.Sprintf("unknown output form %q; there are text, json and jsonl", s))
}

// UsageError is a command that was written wrongly: nothing was sent.
type UsageError string

func (e UsageError) Error() string { return string(e) }

// Shell runs commands against one daemon. It is for one goroutine.
type Shell struct {
	// Persona is whose manners it has.
	Persona *Persona
	// Dial connects to the daemon. It is called when a command first needs the
	// connection, and again after the connection was lost.
	Dial func(context.Context) (rpc.Client, error)
	// Address is what the user should read where the daemon is named.
	Address string
	Out     io.Writer
	Err     io.Writer
	// Terminal says that a person reads Out: control characters in replies
	// are escaped.
	Terminal bool
	Output   Output
	// Format, when HasFormat is set, is the format of option -f.
	Format    string
	HasFormat bool
	// Verbose prints what was sent and how long it took to Err; the elders
	// print a dot behind each reply.
	Verbose int

	client rpc.Client
	quit   bool
	names  *names
}

// Close ends the connection.
func (s *Shell) Close() error {
	if s.client == nil {
		return nil
	}
	c := s.client
	s.client = nil
	return c.Close()
}

// Connect makes the connection now, not at the first call.
func (s *Shell) Connect(ctx context.Context) error {
	if s.client != nil {
		return nil
	}
	c, err := s.Dial(ctx)
	if err != nil {
		return err
	}
	s.client = c
	return nil
}

// call calls a method, connecting where needed. After a failure that is not
// the daemon's own fault the next call connects anew.
func (s *Shell) call(ctx context.Context, method string, args ...rpc.Value) ([]rpc.Value, error) {
	if err := s.Connect(ctx); err != nil {
		return nil, err
	}
	start := time.Now()
	vals, err := s.client.Call(ctx, method, args...)
	_, isFault := errors.AsType[*rpc.Fault](err)
	if err != nil && !isFault {
		_ = s.Close() // the call's error says more
	}
	if s.Verbose > 0 && !s.Persona.Elder {
		fmt.Fprintf(s.Err, "%s: %s %s: %d values in %v\n", s.Persona.Name, s.Address, method, len(vals), time.Since(start).Round(time.Microsecond))
	}
	return vals, err
}

// Run runs one command: a command of the shell's own, an alias or a method
// with its arguments. Errors: UsageError, the daemon's *rpc.Fault, or that of
// the connection. A reply that cannot be written is an error too.
func (s *Shell) Run(ctx context.Context, words []Word) error {
	if len(words) == 0 {
		return nil
	}
	name := words[0].Text
	format, hasFormat := s.Format, s.HasFormat
	if a, ok := s.Persona.alias(name); ok {
		name = a.Method
		if !hasFormat && a.Format != "" {
			format, hasFormat = a.Format, true
		}
	} else if b, ok := s.Persona.builtin(name); ok {
		return b.run(s, ctx, words[1:])
	}
	args, err := s.Persona.values(words[1:])
	if err != nil {
		return err
	}
	vals, err := s.call(ctx, name, args...)
	if err != nil {
		return err
	}
	return s.print(vals, format, hasFormat)
}

// print writes a reply in the form asked for.
func (s *Shell) print(vals []rpc.Value, format string, hasFormat bool) error {
	w := bufio.NewWriterSize(s.Out, 1<<16)
	var out io.Writer = w
	if s.Terminal {
		out = cleaner{w}
	}
	switch {
	case s.Output == JSON:
		writeJSON(w, vals, false)
	case s.Output == JSONL:
		writeJSON(w, vals, true)
	case hasFormat:
		writeFormat(out, format, vals)
	default:
		writeText(out, vals)
	}
	if s.Verbose > 0 && s.Persona.Elder {
		fmt.Fprintln(w, ".")
	}
	return w.Flush()
}

// cleaner escapes what must not reach a terminal. Line ends and tabs stay:
// they are the layout.
type cleaner struct{ w io.Writer }

func (c cleaner) Write(p []byte) (int, error) {
	_, err := io.WriteString(c.w, output.CleanLines(string(p)))
	return len(p), err
}

// Report prints the error of a command where the persona's users look for it
// and says whether the command counts as failed.
func (s *Shell) Report(err error) (failed bool) {
	fault, isFault := errors.AsType[*rpc.Fault](err)
	switch {
	case err == nil:
		return false
	case isFault && s.Persona.Elder:
		fmt.Fprintf(s.Out, "error: %d - %s\n", fault.Code, s.safe(fault.Text))
		return false // the elders exit 0
	case isFault:
		fmt.Fprintf(s.Err, "error: %d - %s\n", fault.Code, output.Clean(fault.Text))
	case s.Persona.Elder:
		fmt.Fprintf(s.Err, "ERROR: %s\n", output.Clean(err.Error()))
	default:
		fmt.Fprintf(s.Err, "%s: %s\n", s.Persona.Name, output.CleanLines(err.Error()))
	}
	return true
}

func (s *Shell) safe(text string) string {
	if s.Terminal {
		return output.CleanLines(text)
	}
	return text
}

// maxLine bounds a line of a script, octets.
const maxLine = 1 << 20

// Script runs the commands of in, one a line, quietly. Empty lines and lines
// that begin with # are skipped. It stops at the first command that fails
// unless keepGoing; each failure is reported to Err with the line's number,
// and the last is returned as a *ScriptError.
func (s *Shell) Script(ctx context.Context, in io.Reader, keepGoing bool) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	var failed error
	for n := 1; lines.Scan() && !s.quit; n++ {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "#") {
			continue
		}
		words, err := s.Persona.split(line)
		if err == nil {
			err = s.Run(ctx, words)
		}
		if err == nil {
			continue
		}
		failed = &ScriptError{n, err}
		fmt.Fprintf(s.Err, "%s: line %d: %s\n", s.Persona.Name, n, describe(err))
		if !keepGoing || ctx.Err() != nil {
			return failed
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read commands: %w", err)
	}
	return failed
}

// ScriptError is a line of a script that failed. It was reported already.
type ScriptError struct {
	Line int
	Err  error
}

func (e *ScriptError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }
func (e *ScriptError) Unwrap() error { return e.Err }

func describe(err error) string {
	if f, ok := errors.AsType[*rpc.Fault](err); ok {
		return fmt.Sprintf("error: %d - %s", f.Code, output.Clean(f.Text))
	}
	return output.CleanLines(err.Error())
}

// Piped reads commands as the elders do when their input is no terminal:
// banner, prompt and the line as read go to Out, a failure of the daemon does
// not stop, one of the connection does.
func (s *Shell) Piped(ctx context.Context, in io.Reader) error {
	s.banner()
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for !s.quit {
		fmt.Fprint(s.Out, s.Persona.prompt())
		if !lines.Scan() {
			return lines.Err()
		}
		fmt.Fprintln(s.Out, lines.Text())
		words, err := s.Persona.split(lines.Text())
		if err == nil {
			err = s.Run(ctx, words)
		}
		if s.Report(err) {
			return err
		}
	}
	return nil
}

// LineReader asks a person for lines. End of input is io.EOF; an interrupted
// line is ErrInterrupted.
type LineReader interface {
	ReadLine(prompt string) (string, error)
}

// ErrInterrupted is a line given up with control-C.
var ErrInterrupted = errors.New("interrupted")

// Interactive runs commands until quit or the end of input. An interrupt gives
// up the call that is under way, and nothing else.
func (s *Shell) Interactive(ctx context.Context, in LineReader) error {
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, os.Interrupt)
	defer signal.Stop(ignored)
	s.banner()
	for !s.quit && ctx.Err() == nil {
		line, err := in.ReadLine(s.Persona.prompt())
		switch {
		case errors.Is(err, ErrInterrupted):
			continue
		case errors.Is(err, io.EOF):
			fmt.Fprintln(s.Out)
			return nil
		case err != nil:
			return err
		}
		words, err := s.Persona.split(line)
		if err == nil {
			call, stop := signal.NotifyContext(ctx, os.Interrupt)
			err = s.Run(call, words)
			stop()
		}
		s.Report(err)
	}
	return nil
}

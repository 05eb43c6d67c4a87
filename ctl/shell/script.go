package shell

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"sipd/rpc"
)

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

// Piped reads commands as the elders do when their input is no terminal:
// banner, prompt and the line as read go to Out, a failure of the daemon does
// not stop, one of the connection does. Each is reported; the last one is
// returned.
func (s *Shell) Piped(ctx context.Context, in io.Reader) error {
	s.banner()
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	var last error
	for !s.quit {
		fmt.Fprint(s.Out, s.Persona.prompt())
		if !lines.Scan() {
			return cmp.Or(lines.Err(), last)
		}
		fmt.Fprintln(s.Out, lines.Text())
		words, err := s.Persona.split(lines.Text())
		if err == nil {
			err = s.Run(ctx, words)
		}
		s.Report(err)
		if _, isFault := errors.AsType[*rpc.Fault](err); err != nil && !isFault {
			return err
		}
		last = cmp.Or(err, last)
	}
	return last
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

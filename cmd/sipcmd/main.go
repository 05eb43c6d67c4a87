// Command sipcmd calls the RPC methods of a running daemon, ours or a
// Kamailio: one from the command line, many from a script, or at a prompt. Its
// engine is ctl/shell; here are options, configuration, and what to say when
// a daemon cannot be reached. Called as kamcmd or sercmd it has their manners.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/term"

	"sipd/ctl/shell"
	"sipd/rpc"
	"sipd/rpc/dial"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1   // the daemon answered a fault, or was not reached
	exitUsage  = 2   // nothing was sent
	exitElder  = 255 // what the elders answer for their own errors
)

func main() { os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr)) }

// options are what the command line said.
type options struct {
	servers    []string // addresses, tried in order
	context    string
	config     string
	format     string
	hasFormat  bool
	replyName  string // -R
	replyDir   string // -D
	output     string
	timeout    time.Duration // 0 waits for ever
	hasTimeout bool
	verbose    int
	keepGoing  bool
	words      []string // the method and its arguments
}

// run is main with its surroundings as arguments: the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	persona := shell.PersonaFor(args[0])
	if persona.Elder {
		o, code, done := elderOptions(persona, args[1:], stdout, stderr)
		if done {
			return code
		}
		return execute(persona, o, stdin, stdout, stderr)
	}
	code := exitDone
	root := newRoot(persona, func(o *options) { code = execute(persona, o, stdin, stdout, stderr) })
	root.SetArgs(protectNumbers(args[1:]))
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.Execute(); err != nil {
		fmt.Fprintf(stderr, "sipcmd: %v; sipcmd -h lists the options\n", err)
		return exitUsage
	}
	return code
}

// execute does what the options ask for.
func execute(p *shell.Persona, o *options, stdin io.Reader, stdout, stderr io.Writer) int {
	conf, err := loadConfig(o)
	if err == nil {
		err = conf.complete(p, o)
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
		return exitUsage
	}
	out, err := shell.ParseOutput(o.output)
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
		return exitUsage
	}
	s := &shell.Shell{
		Persona: p, Address: display(o.servers), Out: stdout, Err: stderr,
		Terminal: isTerminal(stdout), Output: out,
		Format: o.format, HasFormat: o.hasFormat, Verbose: o.verbose,
		Dial: func(ctx context.Context) (rpc.Client, error) { return connect(ctx, o) },
	}
	defer s.Close()
	switch {
	case len(o.words) > 0:
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return report(s, o, s.Run(ctx, shell.Words(o.words)))
	case isTerminal(stdin) && isTerminal(stdout):
		return interactive(s, o)
	case p.Elder:
		ctx := context.Background()
		if err := s.Connect(ctx); err != nil {
			return report(s, o, err)
		}
		err := s.Piped(ctx, stdin)
		if err != nil {
			return exitElder // it was reported
		}
		return exitDone
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = s.Script(ctx, stdin, o.keepGoing)
	if failed, ok := errors.AsType[*shell.ScriptError](err); ok {
		if _, usage := errors.AsType[shell.UsageError](failed.Err); usage {
			return exitUsage
		}
		return exitFailed // each line was reported
	}
	return report(s, o, err)
}

// report prints the error of a command and gives the exit code.
func report(s *shell.Shell, o *options, err error) int {
	_, isFault := errors.AsType[*rpc.Fault](err)
	_, usage := errors.AsType[shell.UsageError](err)
	if err != nil && !isFault && !usage {
		err = explain(s.Persona, o, err)
	}
	switch {
	case !s.Report(err):
		return exitDone
	case s.Persona.Elder:
		return exitElder
	case usage:
		return exitUsage
	}
	return exitFailed
}

// interactive is the prompt of a person.
func interactive(s *shell.Shell, o *options) int {
	// The shell itself minds control-C: at the prompt it gives up the line,
	// during a call the call.
	ctx := context.Background()
	if err := s.Connect(ctx); err != nil {
		return report(s, o, err)
	}
	t := shell.NewTerminal(ctx, s, historyFile(s.Persona))
	err := s.Interactive(ctx, t)
	if herr := t.Close(); herr != nil {
		fmt.Fprintf(s.Err, "%s: the history was not kept: %v\n", s.Persona.Name, herr)
	}
	return report(s, o, err)
}

// historyFile is where the lines typed are kept, "" when there is no home.
func historyFile(p *shell.Persona) string {
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "sipcmd", p.Name+"_history")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".local", "state", "sipcmd", p.Name+"_history")
}

func isTerminal(f any) bool {
	file, ok := f.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// connect reaches the first server that can be.
func connect(ctx context.Context, o *options) (rpc.Client, error) {
	var errs []error
	for _, address := range o.servers {
		c, err := dial.Dial(ctx, address, dial.Options{Timeout: o.timeout, LocalDir: o.replyDir, LocalName: o.replyName})
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

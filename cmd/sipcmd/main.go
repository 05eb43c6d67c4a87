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
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/term"

	"sipd/ctl/plain"
	"sipd/ctl/shell"
	"sipd/ctl/shell/reply"
	"sipd/rpc"
	"sipd/rpc/binrpc"
	"sipd/rpc/dial"
)

// Exit codes.
const (
	exitDone    = 0
	exitFault   = 1   // the daemon answered a fault
	exitUsage   = 2   // wrong usage: nothing was sent
	exitConnect = 3   // the daemon was not reached, or did not answer in time
	exitElder   = 255 // what the elders answer for their own errors
)

func main() {
	// The heap is small and what a dump leaves behind is short-lived: collect
	// less often than is usual.
	debug.SetGCPercent(400)
	os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// options are what the command line said.
type options struct {
	servers    []string // addresses, tried in order
	all        bool     // ask all of them
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
	pager      string
	noPager    bool
	watch      shell.Watch
	access
	help, version bool
	words         []string // the method and its arguments
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
	o := &options{}
	flags := newFlags(o)
	switch err := parseOptions(flags, o, args[1:]); {
	case err != nil:
		fmt.Fprintf(stderr, "sipcmd: %s; sipcmd -h lists the options\n", plain.CleanLines(err.Error()))
		return exitUsage
	case o.help:
		help(stdout, flags)
		return exitDone
	case o.version:
		fmt.Fprintln(stdout, shell.VersionLine(persona.Name))
		return exitDone
	}
	return execute(persona, o, stdin, stdout, stderr)
}

// execute does what the options ask for.
func execute(p *shell.Persona, o *options, stdin io.Reader, stdout, stderr io.Writer) int {
	s, err := newShell(p, o, stdout, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "%s: %s\n", p.Name, plain.CleanLines(err.Error()))
		return exitUsage
	}
	defer s.Close()
	switch {
	case len(o.words) > 0:
		ctx, stop := interruptible()
		defer stop()
		return report(s, s.Run(ctx, shell.Words(o.words)))
	case isTerminal(stdin) && isTerminal(stdout):
		return interactive(s)
	case p.Elder:
		ctx := context.Background()
		if err := s.Connect(ctx); err != nil {
			return report(s, err)
		}
		return exitCode(p, s.Piped(ctx, stdin)) // each error was reported
	}
	ctx, stop := interruptible()
	defer stop()
	err = s.Script(ctx, stdin, o.keepGoing)
	if failed, ok := errors.AsType[*shell.ScriptError](err); ok {
		return exitCode(p, failed.Err) // each line was reported
	}
	return report(s, err)
}

// newShell makes the shell that the options and the configuration describe.
// Its errors are wrong usage.
func newShell(p *shell.Persona, o *options, stdout, stderr io.Writer) (*shell.Shell, error) {
	conf := &config{}
	var err error
	if !p.Elder {
		if conf, err = loadConfig(o); err != nil {
			return nil, err
		}
	}
	if err := conf.complete(p, o); err != nil {
		return nil, err
	}
	if !reply.Known(reply.Output(o.output)) && o.output != "" {
		return nil, unknownOutput(o.output)
	}
	s := &shell.Shell{
		Persona: p, Out: stdout, Err: stderr, Terminal: isTerminal(stdout),
		Output: reply.Output(o.output), Format: o.format, HasFormat: o.hasFormat,
		Verbose: o.verbose, Watch: o.watch,
		Explain: func(v *shell.Server, err error) error { return explain(p, o, v, err) },
	}
	if !o.noPager && !p.Elder && o.pager != "cat" {
		s.Pager = o.pager
	}
	opt, err := o.dialing()
	if err != nil {
		return nil, err
	}
	if !o.all {
		s.Servers = []*shell.Server{{
			Address: display(o.servers),
			Dial:    func(ctx context.Context) (rpc.Client, error) { return first(ctx, o.servers, opt) },
		}}
		return s, nil
	}
	for _, address := range o.servers {
		s.Servers = append(s.Servers, &shell.Server{
			Address: address,
			Dial:    func(ctx context.Context) (rpc.Client, error) { return dial.Dial(ctx, address, opt) },
		})
	}
	return s, nil
}

// first reaches the first server that can be.
func first(ctx context.Context, servers []string, opt dial.Options) (rpc.Client, error) {
	var errs []error
	for _, address := range servers {
		c, err := dial.Dial(ctx, address, opt)
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func interruptible() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}

// report prints the error of a command and gives the exit code.
func report(s *shell.Shell, err error) int {
	s.Report(err)
	return exitCode(s.Persona, err)
}

// exitCode is the highest that an error, or one of several, asks for. As an
// elder with SIPCMD_EXIT=elder it is theirs: 0 whatever the daemon answered.
func exitCode(p *shell.Persona, err error) int {
	if several, ok := errors.AsType[*shell.ServersError](err); ok {
		code := exitDone
		for _, err := range several.Errs {
			code = max(code, exitCode(p, err))
		}
		return code
	}
	_, isFault := errors.AsType[*rpc.Fault](err)
	_, usage := errors.AsType[shell.UsageError](err)
	usage = usage || errors.Is(err, binrpc.ErrAddress) || errors.Is(err, dial.ErrToken)
	isFault = isFault || errors.Is(err, rpc.ErrCredential)
	old := p.Elder && os.Getenv("SIPCMD_EXIT") == "elder"
	switch {
	case err == nil, isFault && old:
		return exitDone
	case old:
		return exitElder
	case isFault:
		return exitFault
	case usage:
		return exitUsage
	}
	return exitConnect
}

// interactive is the prompt of a person.
func interactive(s *shell.Shell) int {
	// The shell itself minds control-C: at the prompt it gives up the line,
	// during a call the call.
	ctx := context.Background()
	if err := s.Connect(ctx); err != nil {
		return report(s, err)
	}
	t := shell.NewTerminal(ctx, s, historyFile(s.Persona))
	err := s.Interactive(ctx, t)
	if herr := t.Close(); herr != nil {
		fmt.Fprintf(s.Err, "%s: the history was not kept: %v\n", s.Persona.Name, herr)
	}
	return report(s, err)
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

// Command sipd is the SIP registrar and proxy: it runs configurations of SER
// and Kamailio. This package reads the command line; package router does the
// rest.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"sipd/router"
)

func main() { os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr)) }

// Exit codes: 0 done, 1 failed, 2 wrong usage.
const (
	exitFailed = 1
	exitUsage  = 2
)

// usageError is a mistake in the command line.
type usageError struct{ error }

// run is main without the process: it answers the exit code.
func run(argv []string, stdin io.Reader, stdout, stderr io.Writer) int {
	cmd := newCommand(stdout, stderr)
	cmd.AddCommand(newExplain(stdin, stdout), newTest(stdout))
	cmd.SetArgs(argv[1:])
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(context.Background())
	if err == nil {
		return 0
	}
	if errors.Is(err, errTold) {
		return exitFailed
	}
	var ue usageError
	if errors.As(err, &ue) {
		fmt.Fprintf(stderr, "sipd: %v\nusage: sipd [options], see sipd -h\n", err)
		return exitUsage
	}
	// A configuration's mistakes come as whole lines with places of their own.
	var listed interface{ Listed() bool }
	if errors.As(err, &listed) && listed.Listed() {
		fmt.Fprintln(stderr, strings.TrimRight(err.Error(), "\n"))
	} else {
		fmt.Fprintf(stderr, "sipd: %v\n", err)
	}
	return exitFailed
}

type flags struct {
	opt     router.Options
	check   bool
	modules bool
	version int
	noTCP   bool
	output  string
	accept  struct { // options of the elders that have no meaning here
		str   []string
		count int
		on    bool
	}
}

func newCommand(stdout, stderr io.Writer) *cobra.Command {
	f := &flags{opt: router.Options{Stderr: stderr}}
	cmd := &cobra.Command{
		Use:   "sipd",
		Short: "SIP registrar and proxy that runs SER and Kamailio configurations",
		Long: `sipd reads a ser.cfg or kamailio.cfg, listens for SIP, and runs the script for
each message. It stays in the foreground; logs go to syslog, or to stderr with
-E or log_stderror=yes. SIGTERM and SIGINT end it after the replies under way.

Exit codes: 0 ended as asked, 1 failed (all mistakes of the configuration are
on stderr, nothing is listening), 2 wrong usage.`,
		Example: `  sipd -c -f /etc/kamailio/kamailio.cfg     check a configuration, all mistakes at once
  sipd -c -o json -f kamailio.cfg           the same for editors
  sipd -f sipd.cfg -E                       serve, log to stderr
  sipd -f kamailio.cfg -A WITH_AUTH -l udp:192.0.2.1:5060`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unexpected argument %q", args[0])}
			}
			return nil
		},
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd.Context(), stdout)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	cmd.CompletionOptions.DisableDefaultCmd = true
	f.declare(cmd)
	return cmd
}

func (f *flags) declare(cmd *cobra.Command) {
	p := cmd.Flags()
	o := &f.opt
	p.SortFlags = false
	p.StringVarP(&o.Config, "file", "f", router.DefaultConfig, "configuration file")
	p.BoolVarP(&f.check, "check", "c", false, "check the configuration as start-up would, then exit")
	p.BoolVar(&o.Offline, "offline", false, "leave the databases alone that -c would look into")
	p.StringVarP(&f.output, "output", "o", "text", "what -c writes: text, or json for editors (to standard output)")
	p.StringArrayVarP(&o.Defines, "define", "A", nil, "preprocessor define ID or ID=text, repeatable")
	p.StringArrayVarP(&o.Listen, "listen", "l", nil, "listen on [proto:]address[:port][/advertised[:port]], repeatable; replaces the listen lines")
	p.StringArrayVar(&o.Aliases, "alias", nil, "name that counts as myself, [proto:]host[:port]")
	p.StringArrayVar(&o.LoadModules, "loadmodule", nil, "load a module before those of the configuration")
	p.StringArrayVar(&o.ModParams, "modparam", nil, "module parameter mod:name:s|i:value")
	p.StringVarP(&o.LoadPath, "module-path", "L", "", "module search path; modules_s or modules_k in it chooses the flavour")
	p.IntVarP(&o.Children, "children", "n", 0, "workers for each UDP socket (0: as configured)")
	p.IntVarP(&o.TCPChildren, "tcp-children", "N", 0, "workers for TCP (0: as configured)")
	p.BoolVarP(&f.noTCP, "no-tcp", "T", false, "disable TCP")
	p.CountVarP(&o.Verbose, "verbose", "d", "raise the debug level, repeatable")
	p.StringVar(&o.Debug, "debug", "", "debug level, -5 to 3")
	p.BoolVarP(&o.LogStderr, "stderr", "E", false, "log to stderr")
	p.StringVar(&o.DBURL, "db-url", os.Getenv("SIPD_DB_URL"), "database of every module that has one, whatever its db_url says (environment: SIPD_DB_URL)")
	p.StringVarP(&o.PIDFile, "pid-file", "P", "", "write the process id to a file")
	p.StringVarP(&o.RunDir, "run-dir", "Y", os.Getenv("SIPD_RUN_DIR"), "folder of control sockets (environment: SIPD_RUN_DIR)")
	p.StringVarP(&o.WorkDir, "work-dir", "w", "", "change to this folder")
	p.StringVarP(&o.Chroot, "chroot", "t", "", "change the root to this folder")
	p.StringVarP(&o.User, "user", "u", "", "run as this user (name or id) once the sockets are open")
	p.StringVarP(&o.Group, "group", "g", "", "run as this group (name or id) once the sockets are open")
	p.BoolVarP(&o.DNS, "dns", "r", false, "look Via hosts up before adding received=")
	p.BoolVarP(&o.RevDNS, "rev-dns", "R", false, "look source addresses up before adding received=")
	p.BoolVarP(&o.CheckVia, "check-via", "K", false, "drop replies whose top Via is not this daemon's")
	p.IntVar(&o.ServerID, "server-id", -1, "number of this server (-1: as configured)")
	p.StringVarP(&o.AutoAliases, "auto-aliases", "a", "", "auto aliases: yes or no")
	p.BoolVarP(&f.modules, "modules", "I", false, "list the modules this daemon was built with")
	p.CountVarP(&f.version, "version", "v", "print the version")
	p.CountVarP(&f.version, "Version", "V", "same as -v")
	f.declareElders(cmd)
}

// declareElders accepts what tunes memory pools and processes of the elders:
// the words stay legal in old start scripts and change nothing here.
func (f *flags) declareElders(cmd *cobra.Command) {
	p, a := cmd.Flags(), &f.accept
	for _, s := range []struct{ short, name, help string }{
		{"m", "shm-size", "accepted: memory is taken as needed"},
		{"M", "pkg-size", "accepted: memory is taken as needed"},
		{"x", "shm-manager", "accepted: there are no memory managers to choose"},
		{"X", "pkg-manager", "accepted: there are no memory managers to choose"},
		{"b", "max-rcvbuf", "accepted: the receive buffer is set by the system"},
		{"O", "optimise", "accepted: the script is always compiled"},
		{"W", "poll", "accepted: the runtime chooses the poll method"},
		{"G", "pgid-file", "accepted: there is one process"},
		{"Q", "sctp-children", "accepted: there is no SCTP"},
		{"", "atexit", "accepted: there are no foreign libraries"},
		{"", "log-engine", "accepted: logs go to syslog or stderr"},
	} {
		p.StringArrayVarP(&a.str, s.name, s.short, nil, s.help)
	}
	p.CountVarP(&a.count, "foreground", "D", "accepted: sipd stays in the foreground")
	p.BoolVarP(&a.on, "colour", "e", false, "accepted: logs have no colours")
	p.BoolVarP(&a.on, "no-sctp", "S", false, "accepted: there is no SCTP")
}

func (f *flags) run(ctx context.Context, stdout io.Writer) error {
	if f.version > 0 {
		fmt.Fprintln(stdout, "version: "+router.Version())
		return nil
	}
	if f.modules {
		router.ListModules(stdout)
		return nil
	}
	f.opt.Args = os.Args
	f.opt.DisableTCP = f.noTCP
	f.opt.CheckOnly = f.check
	switch {
	case f.opt.Offline && !f.check:
		return usageError{errors.New("--offline goes with -c: a daemon needs its databases")}
	case f.output != "text" && f.output != "json":
		return usageError{fmt.Errorf("-o %s: there are text and json", f.output)}
	case f.output == "json" && !f.check:
		return usageError{errors.New("-o json goes with -c")}
	case f.output == "json":
		return f.checkJSON(ctx, stdout)
	}
	r, err := router.Load(ctx, f.opt)
	if err != nil {
		return err
	}
	if f.check {
		fmt.Fprintf(stdout, "config file ok: %s\n", f.opt.Config)
		return r.Close()
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	signal.Ignore(syscall.SIGPIPE)
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP) // before others can know us: unheard, it would end the process
	defer signal.Stop(hup)
	go reloadOn(ctx, hup, r)
	return r.Serve(ctx)
}

// reloadOn reads the configuration again at each signal, until ctx ends. What
// comes of it is in the log.
func reloadOn(ctx context.Context, hup <-chan os.Signal, r *router.Router) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			_ = r.Reload(ctx) // it logged why not
		}
	}
}

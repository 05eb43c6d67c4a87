package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sipd/router"
	"sipd/router/dryrun"
	"sipd/router/dryrun/routetest"
)

type explain struct {
	opt    dryrun.Options
	from   string
	wait   time.Duration
	quiet  bool
	short  bool
	hosts  []string
	stdin  io.Reader
	stdout io.Writer
}

func newExplain(stdin io.Reader, stdout io.Writer) *cobra.Command {
	x := &explain{stdin: stdin, stdout: stdout}
	cmd := &cobra.Command{
		Use:   "explain -f FILE MESSAGE…",
		Short: "run SIP messages through a configuration without a network and print the path taken",
		Long: `explain reads SIP messages, each from a text file of its own ("-" is standard
input) or many from a capture (pcap, pcapng; UDP), and runs them through the
configuration as if they had come in. It prints each line of the script that ran
and how each test came out, what was logged, what would have been sent, and the
outcome. Nothing is opened and nothing is sent: host names get made-up addresses,
databases are opened only with --databases.

A reply is fitted to the request that this run sent before, so both directions
of a call can be replayed. Of a capture, what the configuration's own addresses
sent is left out.`,
		Example: `  sipd explain -f kamailio.cfg register.txt
  sipd explain -f kamailio.cfg --var '$ru' --var '$du' invite.txt 200.txt
  sipd explain -f kamailio.cfg -q trace.pcap`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("explain wants files with messages")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return x.run(cmd, args) },
	}
	p := cmd.Flags()
	p.SortFlags = false
	p.StringVarP(&x.opt.Config, "file", "f", router.DefaultConfig, "configuration file")
	p.StringArrayVarP(&x.opt.Defines, "define", "A", nil, "preprocessor define ID or ID=text, repeatable")
	p.StringArrayVar(&x.opt.Watch, "var", nil, "print this variable whenever it changes, repeatable")
	p.StringVar(&x.from, "from", "", "address:port the messages come from (the topmost Via's)")
	p.StringArrayVar(&x.hosts, "host", nil, "NAME=ADDRESS that a host name resolves to, repeatable")
	p.DurationVar(&x.wait, "wait", 0, "let the timers of transactions run this long after the last message")
	p.BoolVar(&x.opt.Databases, "databases", false, "open the databases that the configuration names; it may change them")
	p.StringVar(&x.opt.Debug, "debug", "", "debug level, -5 to 3")
	p.BoolVarP(&x.quiet, "quiet", "q", false, "leave the path out")
	p.BoolVarP(&x.short, "short", "s", false, "of messages print the first lines only")
	return cmd
}

func (x *explain) run(cmd *cobra.Command, args []string) error {
	if err := x.hostNames(); err != nil {
		return err
	}
	var from netip.AddrPort
	if x.from != "" {
		var err error
		if from, err = netip.ParseAddrPort(x.from); err != nil {
			return usageError{fmt.Errorf("--from %s: want address:port", x.from)}
		}
	}
	var msgs []dryrun.Message
	for _, path := range args {
		list, err := x.read(cmd, path)
		if err != nil {
			return err
		}
		msgs = append(msgs, list...)
	}
	x.opt.Trace = !x.quiet
	e, err := dryrun.New(cmd.Context(), x.opt)
	if err != nil {
		return err
	}
	defer e.Close()
	own := make(map[netip.AddrPort]bool)
	for _, s := range e.Sockets() {
		own[s.Addr] = true
	}
	out := &dryrun.Explainer{W: x.stdout, Quiet: x.quiet, Short: x.short}
	for i := range msgs {
		m := &msgs[i]
		if own[m.From] {
			continue
		}
		if !m.From.IsValid() {
			m.From = from
		}
		src, err := e.Run(*m)
		if err != nil {
			return err
		}
		out.Begin(m, src)
		out.Events(e.Events())
	}
	if x.wait > 0 {
		e.Advance(x.wait)
		fmt.Fprintf(x.stdout, "after %v\n", x.wait)
		out.Events(e.Events())
	}
	made := e.MadeUp()
	names := make([]string, 0, len(made))
	for n := range made {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		fmt.Fprintf(x.stdout, "note: %s was taken to be %s; --host %s=ADDRESS says better\n", n, made[n], n)
	}
	return nil
}

func (x *explain) hostNames() error {
	x.opt.Hosts = make(map[string]netip.Addr)
	for _, h := range x.hosts {
		name, addr, _ := strings.Cut(h, "=")
		a, err := netip.ParseAddr(addr)
		if err != nil {
			return usageError{fmt.Errorf("--host %s: want NAME=ADDRESS", h)}
		}
		x.opt.Hosts[strings.ToLower(name)] = a
	}
	return nil
}

// read takes messages from a text file or a capture.
func (x *explain) read(cmd *cobra.Command, path string) ([]dryrun.Message, error) {
	var b []byte
	var err error
	if path == "-" {
		b, err = io.ReadAll(x.stdin)
	} else {
		b, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read message: %w", err)
	}
	if !dryrun.IsPCAP(b) {
		return []dryrun.Message{dryrun.FromText(string(b))}, nil
	}
	msgs, other, err := dryrun.ReadPCAP(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if other > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "sipd: %s: %d packets are no whole UDP datagrams with a message and were left out\n", path, other)
	}
	return msgs, nil
}

type routeTests struct {
	config  string
	defines []string
	update  bool
	verbose bool
	stdout  io.Writer
}

func newTest(stdout io.Writer) *cobra.Command {
	x := &routeTests{stdout: stdout}
	cmd := &cobra.Command{
		Use:   "test [-f FILE] TEST…",
		Short: "run route tests: plain files of messages and what is expected to come out",
		Long: `test runs route tests (docs/testing-a-config.md) without a network: each file
says what peers send and what they are expected to receive. A file without a
configuration of its own tests the one of -f. All files are run; the differences
are printed.`,
		Example: `  sipd test -f kamailio.cfg tests/*.txt
  sipd test -f kamailio.cfg --update tests/register.txt    write down what comes out`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("test wants files with route tests")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return x.run(cmd, args) },
	}
	p := cmd.Flags()
	p.StringVarP(&x.config, "file", "f", router.DefaultConfig, "configuration of tests that have none")
	p.StringArrayVarP(&x.defines, "define", "A", nil, "preprocessor define ID or ID=text, repeatable")
	p.BoolVar(&x.update, "update", false, "write what comes out into the files instead of comparing")
	p.BoolVarP(&x.verbose, "verbose", "v", false, "print the path through the script as well")
	return cmd
}

func (x *routeTests) run(cmd *cobra.Command, paths []string) error {
	failed := 0
	for _, path := range paths {
		ok, err := x.one(cmd, path)
		if err != nil {
			return err
		}
		if !ok {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d route tests failed", failed, len(paths))
	}
	return nil
}

func (x *routeTests) one(cmd *cobra.Command, path string) (bool, error) {
	f, err := routetest.Read(path)
	if err != nil {
		return false, err
	}
	var debug func(dryrun.Event)
	if x.verbose {
		debug = func(ev dryrun.Event) {
			if s := ev.Step; s != nil && s.Text != "" {
				fmt.Fprintf(x.stdout, "  %s  %s\n", s.At, s.Text)
			}
		}
	}
	fails, err := routetest.RunDry(cmd.Context(), f, x.config, x.defines, debug, x.update)
	if err != nil {
		return false, err
	}
	if x.update {
		if err := os.WriteFile(path, f.Text(), 0o644); err != nil {
			return false, fmt.Errorf("update: %w", err)
		}
		fmt.Fprintf(x.stdout, "%s: written\n", path)
		return true, nil
	}
	if len(fails) == 0 {
		fmt.Fprintf(x.stdout, "%s: ok\n", path)
		return true, nil
	}
	for _, fail := range fails {
		fmt.Fprintf(x.stdout, "%s: section %q differs (- expected, + came):\n%s", path, fail.Section, routetest.Diff(fail.Want, fail.Got))
	}
	return false, nil
}

package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sipd/ctl/shell"
)

const usage = `sipcmd [options] [method [argument...]]

Calls a method of a running SIP daemon and prints its reply. Without a method:
a prompt at a terminal, else commands from standard input, one a line.`

const examples = `  sipcmd core.uptime                       the daemon at the usual socket
  sipcmd -s tcp:192.0.2.7:2049 ul.dump     another one
  sipcmd ul.lookup location s:1001         s: makes text of a number
  sipcmd -o json tm.stats | jq .           for programs
  sipcmd -f '%v %v\n' core.ps              two values a line
  sipcmd < commands.txt                    a script
  sipcmd help cfg.set_now_int              what a method does`

// newRoot makes the command line of sipcmd. then gets the options when they
// are in order.
func newRoot(p *shell.Persona, then func(*options)) *cobra.Command {
	o := &options{}
	var version bool
	root := &cobra.Command{
		Use:                   "sipcmd",
		Long:                  usage,
		Example:               examples,
		Args:                  cobra.ArbitraryArgs,
		SilenceUsage:          true,
		SilenceErrors:         true,
		DisableFlagsInUseLine: true,
		CompletionOptions:     cobra.CompletionOptions{DisableDefaultCmd: true},
		RunE: func(cmd *cobra.Command, args []string) error {
			if version {
				fmt.Fprintln(cmd.OutOrStdout(), shell.VersionLine(p.Name))
				return nil
			}
			if _, err := shell.ParseOutput(o.output); o.output != "" && err != nil {
				return err
			}
			if o.timeout < 0 {
				return errors.New("the timeout is negative")
			}
			o.hasFormat = cmd.Flags().Changed("format")
			if o.hasFormat && o.output != "" && o.output != string(shell.Text) {
				return errors.New("-f and -o exclude each other")
			}
			o.hasTimeout = cmd.Flags().Changed("timeout")
			o.words = args
			then(o)
			return nil
		},
	}
	f := root.Flags()
	f.SortFlags = false
	f.StringArrayVarP(&o.servers, "server", "s", nil, "`address` of the daemon: unixs:PATH, unixd:PATH, tcp:HOST:PORT, udp:HOST:PORT, fifo:PATH, jsonrpc+unixd:PATH, jsonrpc+fifo:PATH, jsonrpc+http://…, xmlrpc+http://…; again for another to try (environment: SIPCMD_SERVER)")
	f.StringVarP(&o.context, "context", "c", "", "`name` of a context of the configuration (environment: SIPCMD_CONTEXT)")
	f.StringVar(&o.config, "config", "", "configuration `file` (environment: SIPCMD_CONFIG)")
	f.StringVarP(&o.format, "format", "f", "", "print through a `format`: %v is the next value, %% a percent sign, \\n \\t as in C; it starts again while values are left")
	f.StringVarP(&o.output, "output", "o", "", "`form` of the output: text, json (an array of the reply's values) or jsonl (a value a line) (default text)")
	f.VarP((*seconds)(&o.timeout), "timeout", "t", "`time` to wait for connection and reply, as 5s or 500ms, a bare number is seconds, 0 is for ever (default 10s)")
	o.timeout = defaultTimeout
	f.StringVarP(&o.replyDir, "reply-dir", "D", "", "`folder` for the reply socket or fifo (datagrams and fifos)")
	f.StringVarP(&o.replyName, "reply-name", "R", "", "`path` of the reply socket, or name of the reply fifo")
	f.BoolVar(&o.keepGoing, "keep-going", false, "go on with the script after a command that failed")
	f.CountVarP(&o.verbose, "verbose", "v", "tell what is called and how long it takes")
	f.BoolVarP(&version, "version", "V", false, "print the version")
	f.BoolP("help", "h", false, "print this")
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { help(cmd.OutOrStdout(), f) })
	return root
}

func help(w io.Writer, f *pflag.FlagSet) {
	fmt.Fprintf(w, "%s\n\nOptions:\n%s\nArguments are numbers where they look like one and text elsewhere; s:TEXT,\ni:NUMBER and d:NUMBER force a type. At the prompt and in scripts quoted words\nare text.\n\nExamples:\n%s\n", usage, f.FlagUsagesWrapped(80), examples)
}

const defaultTimeout = 10 * time.Second

// seconds is a duration as a flag: 5s, 500ms, or a bare number of seconds.
type seconds time.Duration

func (s *seconds) Set(v string) error {
	d, err := parseSeconds(v)
	if err == nil {
		*s = seconds(d)
	}
	return err
}
func (s *seconds) String() string { return "" } // the default is in the help's words
func (s *seconds) Type() string   { return "time" }

func parseSeconds(v string) (time.Duration, error) {
	if d, err := time.ParseDuration(v); err == nil {
		return d, nil
	}
	d, err := time.ParseDuration(v + "s")
	if err != nil {
		return 0, fmt.Errorf("%q is no time; write 5s, 500ms or a number of seconds", v)
	}
	return d, nil
}

var (
	negative  = regexp.MustCompile(`^-(\d+|\d*\.\d+)$`)
	wantsNext = regexp.MustCompile(`^(-[vVh]*[scfotDR]|--(server|context|config|format|output|timeout|reply-dir|reply-name))$`)
)

// protectNumbers lets negative numbers be arguments without --, which pflag
// would take for options: no option of ours is a digit.
func protectNumbers(args []string) []string {
	out := make([]string, len(args))
	copy(out, args)
	for i, a := range args {
		if a == "--" {
			break
		}
		if negative.MatchString(a) && (i == 0 || !wantsNext.MatchString(args[i-1])) {
			if regexp.MustCompile(`\.`).MatchString(a) {
				out[i] = "d:" + a
			} else {
				out[i] = "i:" + a
			}
		}
	}
	return out
}

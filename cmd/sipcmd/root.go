package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"sipd/ctl/shell"
	"sipd/ctl/shell/reply"
)

const usage = `sipcmd [options] [method [argument...]]

Calls a method of a running SIP daemon and prints its reply. Without a method:
a prompt at a terminal, else commands from standard input, one a line.`

const examples = `  sipcmd core.uptime                       the daemon at the usual socket
  sipcmd -s tcp:192.0.2.7:2049 ul.dump     another one
  sipcmd -a -s tcp:a:2049 -s tcp:b:2049 tm.stats   several at once
  sipcmd ul.lookup location 1001           types come from the method
  sipcmd -o json tm.stats | jq .           for programs
  sipcmd -f '%v %v\n' core.ps              two values a line
  sipcmd watch -n 5 stats.fetch all        again and again
  sipcmd < commands.txt                    a script
  sipcmd help cfg.set_now_int              what a method does`

// newFlags makes the options of the command line, which fill o. pflag alone
// reads them: cobra's tree for a command without subcommands doubled the time
// of a call.
func newFlags(o *options) *pflag.FlagSet {
	f := pflag.NewFlagSet("sipcmd", pflag.ContinueOnError)
	f.SortFlags = false
	f.Usage = func() {}
	f.StringArrayVarP(&o.servers, "server", "s", nil, "`address` of the daemon: unixs:PATH, unixd:PATH, tcp:HOST:PORT, udp:HOST:PORT, fifo:PATH, jsonrpc+unixd:PATH, jsonrpc+fifo:PATH, jsonrpc+http://…, xmlrpc+http://…; tls:HOST:PORT; again for another to try (environment: SIPCMD_SERVER)")
	f.BoolVarP(&o.all, "all", "a", false, "ask all servers, not the first that can be reached; each has its result")
	f.StringVarP(&o.context, "context", "c", "", "`name` of a context of the configuration (environment: SIPCMD_CONTEXT)")
	f.StringVar(&o.config, "config", "", "configuration `file` (environment: SIPCMD_CONFIG)")
	f.StringVarP(&o.format, "format", "f", "", "print through a `format`: %v is the next value, %% a percent sign, \\n \\t as in C; it starts again while values are left")
	f.StringVarP(&o.output, "output", "o", "", "`form` of the output: text, json (an array of the reply's values), jsonl (a value a line), yaml or table (default text)")
	f.VarP((*seconds)(&o.timeout), "timeout", "t", "`time` to wait for connection and reply, as 5s or 500ms, a bare number is seconds, 0 is for ever (default 10s)")
	o.timeout = defaultTimeout
	f.StringVarP(&o.replyDir, "reply-dir", "D", "", "`folder` for the reply socket or fifo (datagrams and fifos)")
	f.StringVarP(&o.replyName, "reply-name", "R", "", "`path` of the reply socket, or name of the reply fifo")
	f.StringVar(&o.TokenFile, "token-file", "", "`file` with the token for a wire that wants one (environment, the token itself: SIPCMD_TOKEN)")
	f.StringVar(&o.CA, "ca", "", "`file` with the certificates of the authorities that the daemon's must be from; those of the system unless given")
	f.StringVar(&o.Cert, "cert", "", "`file` with our certificate, for a wire that wants one")
	f.StringVar(&o.Key, "key", "", "`file` with its key, where --cert does not have it")
	f.BoolVar(&o.Insecure, "insecure", false, "do not check the daemon's certificate")
	f.VarP((*seconds)(&o.watch.Interval), "interval", "n", "`time` between two calls of watch (default 2s)")
	f.IntVar(&o.watch.Count, "count", 0, "how many `calls` watch makes; without end unless given, where there is no terminal one")
	f.BoolVar(&o.noPager, "no-pager", false, "show long replies without a pager")
	f.BoolVar(&o.keepGoing, "keep-going", false, "go on with the script after a command that failed")
	f.CountVarP(&o.verbose, "verbose", "v", "tell what is called and how long it takes")
	f.BoolVarP(&o.version, "version", "V", false, "print the version")
	f.BoolVarP(&o.help, "help", "h", false, "print this")
	return f
}

// parseOptions reads the command line. Its errors are wrong usage.
func parseOptions(f *pflag.FlagSet, o *options, args []string) error {
	if err := f.Parse(protectNumbers(args)); err != nil {
		return err
	}
	for _, a := range f.Args() {
		o.words = append(o.words, strings.TrimPrefix(a, shield))
	}
	o.hasFormat, o.hasTimeout = f.Changed("format"), f.Changed("timeout")
	switch {
	case o.help, o.version:
		return nil
	case o.output != "" && !reply.Known(reply.Output(o.output)):
		return unknownOutput(o.output)
	case o.watch.Interval < 0 || o.watch.Count < 0:
		return errors.New("--interval and --count are not negative")
	case o.timeout < 0:
		return errors.New("the timeout is negative")
	case o.hasFormat && o.output != "" && o.output != string(reply.AsText):
		return errors.New("-f and -o exclude each other")
	}
	return nil
}

func help(w io.Writer, f *pflag.FlagSet) {
	fmt.Fprintf(w, "%s\n\nOptions:\n%s\nThe types of arguments come from the method; where it does not tell, what looks\nlike a number is one. s:TEXT, i:NUMBER and d:NUMBER force a type. At the prompt\nand in scripts quoted words are text.\n\nExamples:\n%s\n", usage, f.FlagUsagesWrapped(80), examples)
}

const defaultTimeout = 10 * time.Second

// seconds is a duration as a flag: 5s, 500ms, or a bare number of seconds.
type seconds time.Duration

func (s *seconds) Set(v string) error {
	d, err := shell.ParseSeconds(v)
	if err == nil {
		*s = seconds(d)
	}
	return err
}
func (s *seconds) String() string { return "" } // the default is in the help's words
func (s *seconds) Type() string   { return "time" }

func unknownOutput(form string) error {
	names := make([]string, len(reply.Outputs))
	for i, o := range reply.Outputs {
		names[i] = string(o)
	}
	return fmt.Errorf("unknown output form %q; there are %s", form, strings.Join(names, ", "))
}

// valued are the options with a value, which may be a negative number.
const (
	valuedShort = "scfotDRn"
	valuedLong  = "--server --context --config --format --output --timeout --reply-dir --reply-name --interval --count"
)

// shield in front of an argument takes it through pflag.
const shield = "\x00"

// protectNumbers lets negative numbers be arguments without --, which pflag
// would take for options: no option of ours is a digit.
func protectNumbers(args []string) []string {
	out := slices.Clone(args)
	for i, a := range args {
		if a == "--" {
			break
		}
		if isNegative(a) && (i == 0 || !wantsValue(args[i-1])) {
			out[i] = shield + a
		}
	}
	return out
}

// isNegative says whether a is a minus and a decimal number.
func isNegative(a string) bool {
	digits, ok := strings.CutPrefix(a, "-")
	whole, part, point := strings.Cut(digits, ".")
	return ok && strings.Trim(whole+part, "0123456789") == "" && (part != "" || whole != "" && !point)
}

// wantsValue says whether an option takes the argument behind it.
func wantsValue(a string) bool {
	if strings.HasPrefix(a, "--") {
		return slices.Contains(strings.Fields(valuedLong), a)
	}
	return len(a) > 1 && a[0] == '-' && strings.ContainsRune(valuedShort, rune(a[len(a)-1])) &&
		strings.Trim(a[1:len(a)-1], "avVh") == ""
}

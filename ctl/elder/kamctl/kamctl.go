// Package kamctl is the kamctl of Kamailio: its arguments, its settings
// (kamctlrc), its output, on our own database and RPC code instead of a shell
// with sqlite3, mysql and psql. Values are bound, never pasted into SQL; what
// changes several tables is one transaction; and where kamctl exits with 0
// although it failed, this one exits with 1 (docs/compatibility.md lists the
// differences, [Old] undoes the last).
//
// A file holds a command or a family of them. Messages go where the elder's go:
// to standard output, with ** in front; what the database or the daemon itself
// said goes to standard error.
package kamctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"sipd/ctl/output"
	"sipd/db"
)

// Version is that of the elder whose manners these are; scripts ask for it.
const Version = "5.6.0"

// Old in the environment variable SIPCTL_ELDER_EXIT brings back the exit codes
// of the elder, which are 0 after many failures.
const (
	OldVariable = "SIPCTL_ELDER_EXIT"
	Old         = "old"
)

// Surroundings are what a run meets outside: the streams, and how the rest of
// sipctl helps.
type Surroundings struct {
	In       io.Reader
	Out, Err io.Writer
	// DefaultDB is the database of sipctl's own configuration, for a kamctlrc
	// that names no engine; "" is none.
	DefaultDB func() (string, error)
	// DefaultServer likewise is the address of the daemon.
	DefaultServer func() (string, error)
	// Kamcmd runs the RPC shell with the arguments and gives its exit code.
	Kamcmd func(ctx context.Context, args []string) int
}

// exit is an error that was reported already: the code remains.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit %d", int(e)) }

const (
	failed   exit = 1
	noFIFO   exit = 2
	noReply  exit = 3
	noEngine exit = 255
)

// control is one run of kamctl.
type control struct {
	Surroundings
	name     string // as called: $0
	rc       *settings
	terminal bool // Out is one, and colours are wanted

	engine db.Engine // "" when none is set
	rw, ro *db.DB    // once they are open
}

// Run does what the arguments (with the program's name first) ask for and
// gives the exit code.
func Run(ctx context.Context, argv []string, s Surroundings) int {
	k := &control{Surroundings: s, name: argv[0]}
	rc, err := loadSettings(argv[0])
	if err != nil {
		fmt.Fprintf(s.Err, "kamctl: %v\n", err)
		return int(failed)
	}
	k.rc = rc
	f, ok := s.Out.(*os.File)
	k.terminal = ok && term.IsTerminal(int(f.Fd()))
	err = k.chooseEngine()
	if err == nil {
		err = k.run(ctx, argv[1:])
	}
	for _, d := range []*db.DB{k.ro, k.rw} {
		if d != nil {
			err = errors.Join(err, d.Close())
		}
	}
	if err == nil {
		return 0
	}
	code, ok := errors.AsType[exit](err)
	if !ok {
		k.complain(err)
		return int(failed)
	}
	return int(code)
}

// run finds the command.
func (k *control) run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		if run, ok := commands()[args[0]]; ok {
			return run(k, ctx, args)
		}
		if path := k.extension(args[0]); path != "" {
			k.error("extension %s is a shell script, which is not run here", path)
			return failed
		}
	}
	k.usage()
	return failed
}

// commands are the first words. Each gets all arguments, its own first.
func commands() map[string]func(*control, context.Context, []string) error {
	return map[string]func(*control, context.Context, []string) error{
		"acl": (*control).acl, "add": (*control).subscriberAdd, "show": (*control).subscriberShow,
		"passwd": (*control).subscriberPasswd, "rm": (*control).subscriberRemove,
		"sets": (*control).subscriberSet, "setn": (*control).subscriberSet,
		"alias": (*control).location, "ul": (*control).location, "usrloc": (*control).location,
		"alias_db": (*control).aliasDB, "aliasdb": (*control).aliasDB, "avp": (*control).avp,
		"cisco_restart": (*control).ciscoRestart, "ping": (*control).ping, "db": (*control).dbOps,
		"domain": (*control).domain, "uid_domain": (*control).uidDomain, "trusted": (*control).trusted,
		"address": (*control).address, "mtree": (*control).mtree, "rpc": (*control).rawRPC,
		"rpcprint": (*control).printRPC, "fifo": (*control).fifo, "unixsock": (*control).noMI, "ser_mi": (*control).noMI,
		"ser": (*control).kamcmd, "sercmd": (*control).kamcmd, "kamcmd": (*control).kamcmd,
		"lcr": (*control).lcr, "cr": (*control).carrierroute, "dispatcher": (*control).dispatcher,
		"dialog": (*control).dialog, "dialplan": (*control).dialplan,
		"monitor": (*control).monitor, "console": (*control).monitor, "moni": (*control).monitor, "con": (*control).monitor,
		"online": (*control).online, "ps": (*control).simpleRPC, "psa": (*control).simpleRPC, "uptime": (*control).simpleRPC,
		"stats": (*control).stats, "srv": (*control).server, "start": (*control).start, "stop": (*control).stop,
		"restart": (*control).restart, "rpid": (*control).rpid, "speeddial": (*control).speeddial,
		"speed_dial": (*control).speeddial, "acc": (*control).acc, "tls": (*control).tls,
		"trap": (*control).noTrap, "pstrap": (*control).noTrap, "version": (*control).version,
	}
}

func (k *control) version(context.Context, []string) error {
	_, err := fmt.Fprintf(k.Out, "%s %s\n", k.name, Version)
	return err
}

// lied is the exit of a failure after which the elder says 0.
func (k *control) lied() error {
	if k.rc.get(OldVariable, "") == Old {
		return nil
	}
	return failed
}

// echo prints a line as the elder's mecho does.
func (k *control) echo(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if k.terminal {
		text = "\x1b[1m" + output.CleanLines(text) + "\x1b[0m"
	}
	fmt.Fprintln(k.Out, text)
}

func (k *control) info(format string, args ...any)  { k.say("INFO", "33", format, args) }
func (k *control) warn(format string, args ...any)  { k.say("WARNING", "32", format, args) }
func (k *control) error(format string, args ...any) { k.say("ERROR", "31", format, args) }

func (k *control) say(kind, colour, format string, args []any) {
	text := fmt.Sprintf(format, args...)
	if k.terminal {
		fmt.Fprintf(k.Out, "\x1b[37;%sm\x1b[1m%s: %s\x1b[0m\n", colour, kind, output.CleanLines(text))
		return
	}
	fmt.Fprintf(k.Out, "** %s: %s\n", kind, text)
}

// complain says on standard error what went wrong below.
func (k *control) complain(err error) {
	fmt.Fprintf(k.Err, "kamctl: %s\n", output.CleanLines(err.Error()))
}

// sqlError reports a failed statement as the elder does, with the reason.
func (k *control) sqlError(err error, format string, args ...any) error {
	k.complain(err)
	k.error(format, args...)
	return failed
}

// reloadHint tells how the change reaches the daemon.
func (k *control) reloadHint(what string) {
	k.info("execute '%s %s reload' to synchronize cache and database", k.name, what)
}

// yes asks a question on standard output and reads the answer's line.
func (k *control) yes(format string, args ...any) bool {
	k.echo(format, args...)
	answer := k.line()
	return answer == "y" || answer == "Y"
}

const longestAnswer = 4096

// line reads one line of standard input, byte by byte: what is behind it
// belongs to the next question.
func (k *control) line() string {
	var b strings.Builder
	buf := make([]byte, 1)
	for k.In != nil && b.Len() < longestAnswer {
		n, err := k.In.Read(buf)
		if n == 1 && buf[0] == '\n' || err != nil {
			break
		}
		b.Write(buf[:n])
	}
	return strings.TrimSpace(b.String())
}

// arg is argument i, "" when there are not as many.
func arg(args []string, i int) string {
	if i < len(args) {
		return args[i]
	}
	return ""
}

// argOr is argument i, or def when it is missing or empty.
func argOr(args []string, i int, def string) string {
	if v := arg(args, i); v != "" {
		return v
	}
	return def
}

// Package ctl is sipctl: the noun–verb tree of commands with which an operator
// makes and checks a database and provisions domains, users, aliases,
// attributes and groups in it.
//
// A file holds a noun. In it stand the commands (cobra: names, flags, help) and
// below them what they do, on a [db.Directory] and without cobra, so that
// another face can call the same. Rows are printed by ctl/output.
package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sipd/ctl/output"
	"sipd/ctl/shell"
	"sipd/db"
	"sipd/db/directory"
	"sipd/db/kamdb"
)

// Exit codes of [Run].
const (
	ExitDone    = 0
	ExitFailed  = 1 // it was not done, the message says why
	ExitUsage   = 2 // the command line is wrong: nothing was tried
	ExitConnect = 3 // no server answers
	ExitNotLive = 4 // it is stored, but a server was not told
)

// App is one run of sipctl with its surroundings.
type App struct {
	In       io.Reader
	Out, Err io.Writer

	opt      options  // what the command line said
	set      settings // after environment and configuration
	database *db.DB   // once it is open
}

// Run does what args (without the program's name) ask for and gives the exit
// code. Errors are printed on errw, each in one sentence.
func Run(ctx context.Context, args []string, in io.Reader, out, errw io.Writer) int {
	a := &App{In: in, Out: out, Err: errw}
	root := a.root(args)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errw)
	if slices.Contains(args, "completion") {
		root.InitDefaultCompletionCmd(args...)
		if c, _, err := root.Find([]string{"completion"}); err == nil && c != root {
			needCommand(c) // cobra's own prints its help for a shell that it does not know
		}
	}
	err := root.ExecuteContext(ctx)
	if a.database != nil {
		err = errors.Join(err, a.database.Close())
	}
	if err == nil {
		return ExitDone
	}
	fmt.Fprintf(errw, "sipctl: %s\n", output.CleanLines(message(err)))
	return exitCode(err)
}

const long = `sipctl provisions a SIP server: it makes its database, checks it, and keeps
domains, users, aliases, attributes and groups in it.`

const rootExamples = `  sipctl db create                          make the database
  sipctl domain add example.com             serve a domain
  sipctl user add alice@example.com         add a user, asks for the password
  sipctl user list -o json                  for programs
  sipctl --db mysql://sip@db.example.com/sip user list`

// Root makes the whole tree of commands.
func (a *App) Root() *cobra.Command { return a.root(nil) }

// top is a command of the first level. Its own commands are made when it is
// called for: all of them with all their flags cost more than a change does.
type top struct {
	name, short string
	part        string // of the help: the id of one of parts
	aliases     []string
	make        func() *cobra.Command
}

// parts group the commands of the first level in the help.
var parts = []*cobra.Group{
	{ID: "users", Title: "Users and domains:"},
	{ID: "tables", Title: "Tables of modules:"},
	{ID: "server", Title: "The running server:"},
	{ID: "tool", Title: "The database and this tool:"},
}

// root makes the tree for a command line: whole are those nouns that stand
// somewhere in it, or all for a nil one.
func (a *App) root(line []string) *cobra.Command {
	root := &cobra.Command{
		Use:           "sipctl",
		Long:          long,
		Example:       rootExamples,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return a.configure(cmd)
		},
	}
	needCommand(root)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef(cmd, "%v", err)
	})
	a.opt.declare(root)
	root.AddGroup(parts...)
	root.SetHelpCommandGroupID("tool")
	root.SetCompletionCommandGroupID("tool")
	if t := a.called(root, line); t != nil { // the others are not looked at
		t.addTo(root)
		return root
	}
	for _, t := range append(a.tops(), a.nounTops()...) {
		if line == nil || slices.ContainsFunc(append(t.aliases, t.name), func(n string) bool { return slices.Contains(line, n) }) {
			t.addTo(root)
			continue
		}
		c := &cobra.Command{Use: t.name, Short: t.short, Aliases: t.aliases, GroupID: t.part}
		needCommand(c)
		root.AddCommand(c)
	}
	return root
}

// called is the command of the first level that a line names, if it is none of
// the simple tables: those take longer to make than the command to run.
func (a *App) called(root *cobra.Command, line []string) *top {
	for i := 0; i < len(line); i++ {
		w := line[i]
		if len(w) > 1 && w[0] == '-' {
			if !strings.Contains(w, "=") && takesValue(root.PersistentFlags(), w) {
				i++
			}
			continue
		}
		tops := a.tops()
		if n := slices.IndexFunc(tops, func(t top) bool { return t.name == w || slices.Contains(t.aliases, w) }); n >= 0 {
			return &tops[n]
		}
		return nil
	}
	return nil
}

// takesValue tells whether the value of an option is the next word.
func takesValue(set *pflag.FlagSet, w string) bool {
	name, long := strings.CutPrefix(w, "--")
	f := set.Lookup(name)
	if !long {
		if len(w) > 2 { // -sADDRESS, or -qy
			return false
		}
		f = set.ShorthandLookup(w[1:])
	}
	return f != nil && f.NoOptDefVal == ""
}

// addTo makes the command with all that is below it.
func (t *top) addTo(root *cobra.Command) {
	c := t.make()
	c.GroupID, c.Aliases = t.part, t.aliases
	root.AddCommand(c)
	giveExamples(c)
}

// giveExamples writes the examples of commands that know their arguments alone.
func giveExamples(c *cobra.Command) {
	args, ok := c.Annotations[exampleArgs]
	if !ok {
		args, ok = examples()[strings.TrimPrefix(c.CommandPath(), "sipctl ")]
	}
	if ok && c.Example == "" {
		c.Example = strings.TrimRight("  "+c.CommandPath()+" "+args, " ")
	}
	for _, s := range c.Commands() {
		giveExamples(s)
	}
}

// tops are the commands of the first level but for the simple tables.
func (a *App) tops() []top {
	return []top{
		{name: "domain", part: "users", short: domainShort, make: a.domainCommand},
		{name: "user", part: "users", short: userShort, make: a.userCommand},
		{name: "alias", part: "users", short: aliasShort, make: a.aliasCommand},
		{name: "attr", part: "users", short: attrShort, make: a.attrCommand},
		{name: "acl", part: "users", short: aclShort, aliases: []string{"group"}, make: a.aclCommand},
		{name: "rpid", part: "users", short: rpidShort, make: a.rpidCommand},
		{name: "apiban", part: "server", short: apibanShort, make: a.apibanCommand},
		{name: "rpc", part: "server", short: rpcShort, make: a.rpcCommand},
		{name: "server", part: "server", short: serverShort, make: a.serverCommand},
		{name: "monitor", part: "server", short: monitorShort, make: a.monitorCommand},
		{name: "ping", part: "server", short: pingShort, make: a.pingCommand},
		{name: "db", part: "tool", short: dbShort, make: a.dbCommand},
		{name: "config", part: "tool", short: configShort, make: a.configCommand},
		{name: "compat", part: "tool", short: compatShort, make: a.compatCommand},
		{name: "shell", part: "tool", short: shellShort, make: a.shellCommand},
		{name: "version", part: "tool", short: versionShort, make: a.versionCommand},
	}
}

// needCommand makes a command that only has others say which there are.
func needCommand(c *cobra.Command) {
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(cmd *cobra.Command, args []string) error {
		var names []string
		for _, s := range cmd.Commands() {
			if s.IsAvailableCommand() {
				names = append(names, s.Name())
			}
		}
		if len(args) == 0 {
			return usagef(cmd, "a command is missing; there are %s", strings.Join(names, ", "))
		}
		cmd.SuggestionsMinimumDistance = max(1, len(args[0])/3)
		if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
			return usagef(cmd, "unknown command %q; did you mean %s", args[0], strings.Join(like, " or "))
		}
		return usagef(cmd, "unknown command %q; there are %s", args[0], strings.Join(names, ", "))
	}
}

// group makes a command that only has others.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short}
	needCommand(c)
	c.AddCommand(subs...)
	return c
}

// want checks the number of arguments; most < 0 is any number. The names of
// the arguments are in the command's Use.
func want(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		_, names, _ := strings.Cut(cmd.Use, " ")
		switch {
		case len(args) < least:
			return usagef(cmd, "an argument is missing; it takes %s", names)
		case most == 0 && len(args) > 0:
			return usagef(cmd, "argument %q is too much; it takes none", args[0])
		case most >= 0 && len(args) > most:
			return usagef(cmd, "argument %q is too much; it takes %s", args[most], names)
		}
		return nil
	}
}

// open opens the database of the settings.
func (a *App) open(ctx context.Context, opts ...db.Option) (*db.DB, error) {
	if a.database != nil {
		return a.database, nil
	}
	if a.opt.dryRun {
		opts = append(opts, db.DryRun())
	}
	d, err := db.Open(ctx, a.set.db, opts...)
	if err != nil {
		return nil, a.explainOpen(err)
	}
	a.database = d
	return d, nil
}

// directory opens the database for a change and finds its flavour. Tables of
// another version than the ones that are written here are refused.
func (a *App) directory(ctx context.Context, opts ...db.Option) (db.Directory, error) {
	d, err := a.open(ctx, opts...)
	if err != nil {
		return nil, err
	}
	dir, err := directory.Open(ctx, d, a.set.flavour)
	if err != nil {
		return nil, err
	}
	if k, ok := dir.(*kamdb.Directory); ok { // SER's tables have no numbers that count
		if err := k.Writable(); err != nil {
			return nil, err
		}
	}
	return dir, nil
}

// reading opens the directory for a command that only reads.
func (a *App) reading(ctx context.Context) (db.Directory, error) {
	d, err := a.open(ctx, db.ReadOnly())
	if err != nil {
		return nil, err
	}
	return directory.Open(ctx, d, a.set.flavour)
}

// say tells a person what was done; with -o json and the like, and with
// --quiet, nobody reads it.
func (a *App) say(format string, args ...any) error {
	if a.opt.quiet || !a.set.output.Screen() {
		return nil
	}
	line := fmt.Sprintf(format, args...)
	if a.opt.dryRun {
		line = "dry run, nothing is written: " + line
	}
	_, err := fmt.Fprintln(a.Out, output.Clean(line))
	return err
}

// address reads an argument that names a user.
func (a *App) address(s string) (db.Address, error) {
	addr, err := db.ParseAddress(s, a.set.domain)
	if err != nil && addr.Domain == "" && addr.User != "" && !strings.Contains(s, "@") {
		return addr, hinted(err, "write it as user@domain, or set a domain for all names: SIPCTL_DOMAIN")
	}
	return addr, err
}

func (a *App) addresses(args []string) ([]db.Address, error) {
	var out []db.Address
	for _, s := range args {
		addr, err := a.address(s)
		if err != nil {
			return nil, err
		}
		out = append(out, addr)
	}
	return out, nil
}

const versionShort = "Print the version of sipctl"

func (a *App) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: versionShort, Args: want(0, 0), Example: "  sipctl version",
		PersistentPreRunE: func(*cobra.Command, []string) error { return nil }, // works without a configuration
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(a.Out, "sipctl %s\n", shell.Version())
			return err
		},
	}
}

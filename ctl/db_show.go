package ctl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/peterh/liner"
	"github.com/spf13/cobra"

	"sipd/ctl/output"
	"sipd/db"
	"sipd/db/table"
	"sipd/schema"
)

func (a *App) dbShowCommand() *cobra.Command {
	var l listFlags
	c := &cobra.Command{
		Use: "show TABLE", Short: "List the rows of a table, whichever it is", Args: want(1, 1),
		Long: `Lists the rows of a table with all its columns, the site's own ones too. Columns
that hold passwords and hashes are listed with --secrets.`,
		Example: "  sipctl db show version\n  sipctl db show location --where username=alice --columns contact,expires\n  sipctl db show dispatcher -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.showTable(cmd.Context(), args[0], &l)
		},
	}
	l.declare(c, true, true)
	c.ValidArgsFunction = a.completeTables
	return c
}

// completeTables completes the name of a table that is there.
func (a *App) completeTables(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 || a.configure(cmd) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	d, err := a.open(cmd.Context(), db.ReadOnly())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	found, err := schema.Inspect(cmd.Context(), d)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for n := range found {
		names = append(names, n)
	}
	slices.Sort(names)
	return names, cobra.ShellCompDirectiveNoFileComp
}

// secretColumns let one log in who knows them.
var secretColumns = []string{"password", "ha1", "ha1b", "ha1_sha256", "ha1_sha512t256", "auth_password", "auth_ha1"}

func (a *App) showTable(ctx context.Context, name string, l *listFlags) error {
	d, err := a.open(ctx, db.ReadOnly())
	if err != nil {
		return err
	}
	found, err := schema.Inspect(ctx, d)
	if err != nil {
		return err
	}
	flavour := a.set.flavour
	if flavour == db.Auto {
		flavour = db.Kamailio
		if found.Has("credentials", "auth_username", "uid") {
			flavour = db.SER
		}
	}
	t, err := table.Like(d, flavour, found, name, name)
	if err != nil {
		return err
	}
	q := table.Query{}
	for _, n := range t.Names() {
		if l.secrets || !slices.Contains(secretColumns, strings.ToLower(n)) || slices.Contains(l.columns, n) {
			q.Columns = append(q.Columns, n)
		}
	}
	if hidden := slices.IndexFunc(l.columns, func(n string) bool { return slices.Contains(secretColumns, strings.ToLower(n)) }); hidden >= 0 && !l.secrets {
		return fmt.Errorf("column %s holds secrets; to list it: --secrets", l.columns[hidden])
	}
	for _, w := range l.where {
		c, err := t.ParseCond(w)
		if err != nil {
			return err
		}
		q.Where = append(q.Where, c)
	}
	if len(l.sort) == 0 {
		q.Limit, q.Offset = l.limit, l.offset
	}
	w, err := a.list(l, q.Columns)
	if err != nil {
		return err
	}
	for row, err := range t.Rows(ctx, q) {
		if err != nil {
			return err
		}
		if err := w.row(row...); err != nil {
			return err
		}
	}
	return w.close()
}

func (a *App) dbShellCommand() *cobra.Command {
	var own bool
	c := &cobra.Command{
		Use: "shell", Short: "Talk SQL to the database", Args: want(0, 0),
		Long: `Starts the engine's own client (sqlite3, mariadb or mysql, psql) on the database,
with the password in its environment and not among its arguments. Where it is
not installed, or with --own, a small one of sipctl takes statements that end
with a semicolon, each a transaction of its own.`,
		Example: "  sipctl db shell\n  sipctl db shell --own",
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.sqlShell(cmd.Context(), own) },
	}
	c.Flags().BoolVar(&own, "own", false, "take sipctl's own, even where the engine's client is installed")
	return c
}

func (a *App) sqlShell(ctx context.Context, own bool) error {
	programs, args, env, err := db.Client(a.set.db)
	if err != nil {
		return err
	}
	if !own && !a.opt.dryRun { // the engine's own would write
		for _, p := range programs {
			path, err := exec.LookPath(p)
			if err != nil {
				continue
			}
			if _, err := a.open(ctx, db.ReadOnly()); err != nil { // what it says is better
				return err
			}
			cmd := exec.CommandContext(ctx, path, args...)
			cmd.Env = append(os.Environ(), env...)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = a.In, a.Out, a.Err
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("%s: %w", p, err)
			}
			return nil
		}
	}
	d, err := a.open(ctx, db.Patient())
	if err != nil {
		return err
	}
	f, terminal := a.In.(*os.File)
	if terminal = terminal && isTerminal(f); terminal {
		l := liner.NewLiner()
		defer l.Close()
		l.SetCtrlCAborts(true)
		return a.sqlLoop(ctx, d, func(prompt string) (string, error) {
			line, err := l.Prompt(prompt)
			if err == nil && strings.TrimSpace(line) != "" {
				l.AppendHistory(line)
			}
			if errors.Is(err, liner.ErrPromptAborted) {
				err = io.EOF
			}
			return line, err
		})
	}
	in := bufio.NewReader(a.In)
	return a.sqlLoop(ctx, d, func(string) (string, error) {
		line, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) && line != "" {
			err = nil
		}
		return line, err
	})
}

// sqlLoop runs statements as they are complete. One that fails is told and the
// loop goes on; the last of them is the loop's own error, so that a script
// notices.
func (a *App) sqlLoop(ctx context.Context, d *db.DB, read func(prompt string) (string, error)) error {
	var text strings.Builder
	failed := 0
	for {
		prompt := "sql> "
		if text.Len() > 0 {
			prompt = "...> "
		}
		line, err := read(prompt)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		text.WriteString(line + "\n")
		word := strings.TrimSpace(text.String())
		if end := errors.Is(err, io.EOF); end || strings.HasSuffix(word, ";") || word == "quit" || word == "exit" || word == "" {
			text.Reset()
			if word == "quit" || word == "exit" {
				end, word = true, ""
			}
			if word != "" {
				if err := schema.Execute(ctx, d, schema.NewScript(d.Engine, strings.NewReader(word)), false, a.printResult); err != nil {
					failed++
					fmt.Fprintf(a.Err, "sipctl: %s\n", output.CleanLines(message(err)))
				}
			}
			if end {
				break
			}
		}
	}
	if failed > 0 {
		return fmt.Errorf("%s failed", countOf(failed, "statement"))
	}
	return nil
}

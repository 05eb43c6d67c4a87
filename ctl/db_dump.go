package ctl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"sipd/ctl/output"
	"sipd/db"
	"sipd/schema"
)

func (a *App) dbDumpCommand() *cobra.Command {
	var o schema.DumpOptions
	c := &cobra.Command{
		Use: "dump [FILE]", Short: "Write all rows into a file that any engine loads", Args: want(0, 1),
		Long: `Writes tables and rows, as of one moment, as lines of JSON, for sipctl db load on
this or another engine; with --sql as statements for the engine's own client
(--data leaves CREATE TABLE out, --tables the rows). Without FILE it goes to standard output. The
file is readable by its owner alone: it holds what lets one log in.`,
		Example: "  sipctl db dump backup.jsonl\n  sipctl db dump --only subscriber,domain > users.jsonl\n  sipctl db dump --sql backup.sql",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.Data && !o.SQL:
				return usagef(cmd, "--data is for --sql")
			case o.Forms && !o.SQL:
				return usagef(cmd, "--tables is for --sql")
			case o.Forms && o.Data:
				return usagef(cmd, "--data and --tables leave nothing")
			}
			return a.dump(cmd.Context(), o, args)
		},
	}
	f := c.Flags()
	f.StringSliceVar(&o.Only, "only", nil, "`tables` that are written (default all)")
	f.BoolVar(&o.SQL, "sql", false, "statements of the engine instead of JSON")
	f.BoolVar(&o.Data, "data", false, "rows alone, without the statements that make tables")
	f.BoolVar(&o.Forms, "tables", false, "the statements that make tables alone, without rows")
	return c
}

func (a *App) dump(ctx context.Context, o schema.DumpOptions, args []string) error {
	d, err := a.open(ctx, db.ReadOnly(), db.Patient())
	if err != nil {
		return err
	}
	if len(args) == 0 || args[0] == "-" {
		_, err := schema.Dump(ctx, d, a.Out, o)
		return err
	}
	counts, err := dumpFile(ctx, d, args[0], o)
	if err != nil {
		return err
	}
	return a.say("wrote %d rows of %d tables of %s to %s", counts.Total(), len(counts), d.Source(), args[0])
}

// dumpFile writes beside the file and puts the whole dump into its place.
func dumpFile(ctx context.Context, d *db.DB, path string, o schema.DumpOptions) (db.Counts, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".sipctl-dump-*")
	if err != nil {
		return nil, fmt.Errorf("dump to %s: %w", path, err)
	}
	counts, err := schema.Dump(ctx, d, f, o)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(f.Name()))
	}
	return counts, nil
}

func (a *App) dbLoadCommand() *cobra.Command {
	var replace bool
	c := &cobra.Command{
		Use: "load [FILE]", Short: "Load what db dump wrote, on this or another engine", Args: want(0, 1),
		Long: `Reads a dump (from standard input without FILE) in one transaction. Tables that
are not there are made as the dump has them, so an empty database will do.
Tables that have rows are refused, or with --replace emptied first, after it
asked. A dump that was cut off, or a value that does not fit, changes nothing.`,
		Example: "  sipctl --db postgres://sip@db.example.com/sip db load backup.jsonl\n  sipctl db load --replace --yes users.jsonl",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.load(cmd.Context(), args, replace)
		},
	}
	c.Flags().BoolVar(&replace, "replace", false, "empty the dump's tables first")
	return c
}

func (a *App) load(ctx context.Context, args []string, replace bool) error {
	in, from := a.In, "standard input"
	if len(args) == 1 && args[0] != "-" {
		f, err := os.Open(args[0])
		if err != nil {
			return fmt.Errorf("load: %w", err)
		}
		defer f.Close()
		in, from = f, args[0]
	}
	d, err := a.open(ctx, db.Create(), db.Patient())
	if err != nil {
		return err
	}
	if replace {
		if err := a.sure(fmt.Sprintf("The rows of %s in the tables of the dump go. A backup first: sipctl db dump FILE. Go on?", d.Source())); err != nil {
			return err
		}
	}
	counts, err := schema.Load(ctx, d, in, schema.LoadOptions{Replace: replace})
	switch {
	case errors.Is(err, db.ErrExists):
		return hinted(err, "to put the dump in their place: --replace")
	case err != nil:
		return fmt.Errorf("load %s: %w; nothing was changed", from, err)
	}
	return a.say("loaded %d rows of %d tables into %s", counts.Total(), len(counts), d.Source())
}

func (a *App) dbExecCommand() *cobra.Command {
	var file string
	var readOnly bool
	c := &cobra.Command{
		Use: "exec [SQL...]", Short: "Run SQL statements and print what they give", Args: want(0, -1),
		Long: `Runs statements (arguments, --file, or standard input), several with ; between
them, in one transaction: all or, when one fails, none. In MySQL a statement
that makes or changes tables ends it. BEGIN and COMMIT of a script are passed
over. --read-only refuses changes; --dry-run undoes them at the end, and prints
those statements that MySQL could not undo instead of running them.`,
		Example: "  sipctl db exec 'SELECT count(*) FROM location'\n  sipctl db exec --file upgrade.sql\n  sipctl db exec --read-only -o json 'SELECT * FROM version'",
		RunE: func(cmd *cobra.Command, args []string) error {
			if file != "" && len(args) > 0 {
				return usagef(cmd, "--file and statements are two; give one")
			}
			return a.exec(cmd.Context(), args, file, readOnly)
		},
	}
	c.Flags().StringVarP(&file, "file", "f", "", "`file` of statements")
	c.Flags().BoolVar(&readOnly, "read-only", false, "refuse statements that change something")
	return c
}

func (a *App) exec(ctx context.Context, args []string, file string, readOnly bool) error {
	opts := []db.Option{db.Patient()}
	if readOnly {
		opts = append(opts, db.ReadOnly())
	}
	d, err := a.open(ctx, opts...)
	if err != nil {
		return err
	}
	var in io.Reader = a.In
	switch {
	case len(args) > 0:
		r, w := io.Pipe()
		go func() { // ends with the reader: every statement is short
			for _, s := range args {
				if _, err := io.WriteString(w, s+";\n"); err != nil {
					break
				}
			}
			_ = w.Close() // never fails
		}()
		defer r.Close()
		in = r
	case file != "":
		f, err := os.Open(file)
		if err != nil {
			return fmt.Errorf("exec: %w", err)
		}
		defer f.Close()
		in = f
	}
	return schema.Execute(ctx, d, schema.NewScript(d.Engine, bufio.NewReader(in)), readOnly, a.printResult)
}

// printResult prints what one statement gave.
func (a *App) printResult(r *schema.Result) error {
	if r.NotRun != "" {
		_, err := fmt.Fprintf(a.Out, "-- not run, MySQL could not undo it\n%s;\n", output.CleanLines(r.NotRun))
		return err
	}
	if r.Columns == nil {
		if r.Changed < 0 {
			return nil
		}
		return a.say("%s", countOf(int(r.Changed), "row"))
	}
	w := output.New(a.Out, a.set.output, r.Columns...)
	for values, err := range r.Rows {
		if err != nil {
			return err
		}
		w.Row(values...)
	}
	return w.Close()
}

package kamctl

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"

	"sipd/db"
	"sipd/schema"
)

// one wants exactly one argument.
func (c *dbControl) one(args []string) error {
	if len(args) == 1 {
		return nil
	}
	c.dbUsage()
	return failed
}

// backup writes the rows (SQLite: tables too) into a file that only its owner
// reads: there are passwords in it.
func (c *dbControl) backup(ctx context.Context, args []string) error {
	if err := c.one(args); err != nil {
		return err
	}
	if err := c.dump(ctx, args[0]); err != nil {
		c.complain(err)
		c.error("db dump failed")
		return failed
	}
	c.info("db dump successful")
	return nil
}

func (c *dbControl) dump(ctx context.Context, path string) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if c.engine == db.SQLite {
		w := bufio.NewWriter(f)
		if err := c.dumpSQLite(ctx, w); err != nil {
			return err
		}
		return w.Flush()
	}
	name, args := "mysqldump", append(c.clientArgs(), "-c", "-t", c.name)
	if c.engine == db.PostgreSQL {
		name, args = "pg_dump", append(c.clientArgs(), "-c", "--if-exists", c.name)
	}
	if _, err := exec.LookPath(name); err != nil {
		return c.dumpServer(ctx, f)
	}
	return c.tool(ctx, nil, f, name, args...)
}

// dumpServer writes what the server's own program would, where there is none:
// the rows of MySQL, the tables and rows of PostgreSQL, which go into the place
// of those that are there.
func (c *dbControl) dumpServer(ctx context.Context, w io.Writer) (err error) {
	d, err := c.open(ctx, c.name, db.ReadOnly(), db.Patient())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if c.engine == db.PostgreSQL {
		found, err := schema.Inspect(ctx, d)
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(found)) {
			if _, err := fmt.Fprintf(w, "DROP TABLE IF EXISTS %s;\n", d.Quote(name)); err != nil {
				return err
			}
		}
	}
	_, err = schema.Dump(ctx, d, w, schema.DumpOptions{SQL: true, Data: c.engine == db.MySQL})
	return err
}

// clientArgs connect the server's own programs. The password goes through the
// environment.
func (c *dbControl) clientArgs() []string {
	out := []string{"-h", c.rc.get("DBHOST", "localhost")}
	port := c.rc.get("DBPORT", "")
	if c.engine == db.MySQL {
		out = append(out, "-u", c.rc.get("DBROOTUSER", "root"))
		if port != "" {
			out = append(out, "-P", port)
		}
		if socket := c.socket(out[1], port); socket != "" {
			out = append(out, "--socket="+socket)
		}
		return out
	}
	out = append(out, "-U", c.rc.get("DBROOTUSER", "postgres"))
	if port != "" {
		out = append(out, "-p", port)
	}
	return out
}

func (c *dbControl) tool(ctx context.Context, in io.Reader, out io.Writer, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	var errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, &errs
	cmd.Env = os.Environ()
	if c.engine == db.MySQL && c.root != "" {
		cmd.Env = append(cmd.Env, "MYSQL_PWD="+c.root)
	}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(errs.String()))
	}
	return nil
}

// dumpSQLite writes what sqlite3's .dump writes: tables, rows, indexes, in one
// transaction.
func (c *dbControl) dumpSQLite(ctx context.Context, w io.Writer) error {
	d, err := c.open(ctx, c.name, db.ReadOnly())
	if err != nil {
		return err
	}
	defer d.Close()
	type object struct{ Type, Name, SQL string }
	var objects []object
	if err := d.Reader().SelectContext(ctx, &objects, `SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type = 'table' DESC, rowid`); err != nil {
		return d.Wrap(err)
	}
	fmt.Fprint(w, "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n")
	for _, o := range objects {
		if strings.HasPrefix(o.Name, "sqlite_") {
			continue // the counters follow from the rows
		}
		fmt.Fprintf(w, "%s;\n", o.SQL)
		if o.Type != "table" {
			continue
		}
		if err := dumpRows(ctx, d, w, o.Name); err != nil {
			return err
		}
	}
	_, err = fmt.Fprint(w, "COMMIT;\n")
	return err
}

// dumpRows writes the rows of a table as INSERTs. quote() of SQLite spells each
// value so that it reads back as the same.
func dumpRows(ctx context.Context, d *db.DB, w io.Writer, table string) error {
	var columns []string
	if err := d.Reader().SelectContext(ctx, &columns, "SELECT name FROM pragma_table_info(?)", table); err != nil {
		return d.Wrap(err)
	}
	values := make([]string, len(columns))
	for i, n := range columns {
		values[i] = "quote(" + d.Quote(n) + ")"
	}
	text := func(scan func(...any) error) (string, error) {
		var s string
		err := scan(&s)
		return s, err
	}
	for row, err := range db.Rows(ctx, d, text, "SELECT "+strings.Join(values, "||','||")+" FROM "+d.Quote(table)) {
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "INSERT INTO %s VALUES(%s);\n", d.Quote(table), row); err != nil {
			return err
		}
	}
	return nil
}

// restore reads a backup into the database.
func (c *dbControl) restore(ctx context.Context, args []string) error {
	if err := c.one(args); err != nil {
		return err
	}
	if err := c.load(ctx, c.name, args[0]); err != nil {
		c.complain(err)
		c.error("db restore failed")
		return failed
	}
	c.info("db restore successful")
	return nil
}

func (c *dbControl) load(ctx context.Context, name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	program := map[db.Engine]string{db.MySQL: "mysql", db.PostgreSQL: "psql"}[c.engine]
	if _, err := exec.LookPath(program); program != "" && err != nil {
		return c.loadServer(ctx, name, f)
	}
	switch c.engine {
	case db.MySQL:
		return c.tool(ctx, f, c.Out, "mysql", append(c.clientArgs(), name)...)
	case db.PostgreSQL:
		return c.tool(ctx, f, io.Discard, "psql", append(c.clientArgs(), "-q", "-v", "ON_ERROR_STOP=1", name)...)
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	d, err := c.open(ctx, name, db.Create())
	if err != nil {
		return err
	}
	// The text has a transaction of its own, which one connection must see whole.
	_, err = d.Writer().ExecContext(ctx, string(text))
	return errors.Join(d.Wrap(err), d.Close())
}

// loadServer runs the statements of a backup where the server's own program is
// not installed. The lines of COPY in a backup of pg_dump are none.
func (c *dbControl) loadServer(ctx context.Context, name string, in io.Reader) (err error) {
	d, err := c.open(ctx, name, db.Patient())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	nobody := func(r *schema.Result) error {
		if r.Rows != nil {
			for _, err := range r.Rows {
				if err != nil {
					return err
				}
			}
		}
		return nil
	}
	return schema.Execute(ctx, d, schema.NewScript(d.Engine, bufio.NewReader(in)), false, nobody)
}

// copy makes a second database with the same rows.
func (c *dbControl) copy(ctx context.Context, args []string) error {
	if err := c.one(args); err != nil {
		return err
	}
	if c.engine == db.SQLite {
		return c.copySQLite(ctx, args[0])
	}
	tmp, err := os.CreateTemp("", "kamdbctl")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := c.backup(ctx, []string{tmp.Name()}); err != nil {
		return err
	}
	old := c.name
	c.name = args[0]
	if c.engine == db.PostgreSQL { // its dump makes the tables
		err = c.createOnly(ctx, nil)
	} else {
		err = c.create(ctx, nil)
	}
	if err != nil {
		return err
	}
	if c.engine == db.MySQL { // the version rows come with the dump
		if err := c.clear(ctx); err != nil {
			return err
		}
	}
	defer func() { c.name = old }()
	return c.restore(ctx, []string{tmp.Name()})
}

// clear empties the table that a new database begins with.
func (c *dbControl) clear(ctx context.Context) error {
	d, err := c.open(ctx, c.name)
	if err != nil {
		return err
	}
	_, err = d.Writer().ExecContext(ctx, "DELETE FROM version")
	return errors.Join(d.Wrap(err), d.Close())
}

// copySQLite copies a file that others may be writing to.
func (c *dbControl) copySQLite(ctx context.Context, to string) error {
	if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
		c.error("%s is there already", to)
		return failed
	}
	d, err := c.open(ctx, c.name)
	if err != nil {
		return err
	}
	_, err = d.Writer().ExecContext(ctx, "VACUUM INTO ?", to)
	if err = errors.Join(d.Wrap(err), d.Close()); err != nil {
		return err
	}
	return os.Chmod(to, 0o600)
}

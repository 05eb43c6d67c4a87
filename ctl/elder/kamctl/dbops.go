package kamctl

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"strings"

	"sipd/ctl/elder/client"
	"sipd/db"
)

func (k *control) dbOps(ctx context.Context, args []string) error {
	if err := k.needEngine(); err != nil {
		return err
	}
	args = args[1:]
	want := func(n int, what string) error {
		if len(args) == n+1 {
			return nil
		}
		k.error("%s", what)
		return failed
	}
	switch arg(args, 0) {
	case "exec", "query", "roexec", "roquery":
		if err := want(1, "missing query parameter"); err != nil {
			return err
		}
		return k.sql(ctx, args[1], strings.HasPrefix(args[0], "ro"))
	case "run", "rorun":
		if err := want(1, "missing query parameter"); err != nil {
			return err
		}
		text := k.rc.get(args[1], "")
		if text == "" {
			k.error("missing query value")
			return failed
		}
		return k.sql(ctx, text, args[0] == "rorun")
	case "show", "showg":
		if err := want(1, "missing table parameter"); err != nil {
			return err
		}
		return k.show(ctx, query{table: args[1], vertical: args[0] == "showg"})
	case "smatch", "nmatch":
		if err := want(3, "missing parameters"); err != nil {
			return err
		}
		return k.show(ctx, query{table: args[1], where: []field{{column: args[2], text: args[3], number: args[0] == "nmatch"}}, vertical: true})
	case "connect":
		return k.connect(ctx)
	case "version":
		if err := want(3, "missing parameters"); err != nil {
			return err
		}
		return k.tableVersion(ctx, args[1:])
	}
	k.help("db")
	return failed
}

func (k *control) tableVersion(ctx context.Context, args []string) error {
	name, number := f("table_name", args[1]), num("table_version", args[2])
	add := insert("version", name, number)
	var changes []change
	switch args[0] {
	case "add":
		changes = []change{add}
	case "set":
		changes = []change{remove("version", name), add}
	case "update":
		changes = []change{change{table: "version", set: []field{number}}.update(name)}
	default:
		k.help("db")
		return failed
	}
	return k.changeOr(ctx, "version - SQL Error", changes...)
}

// sql runs what the user wrote: one statement by itself, several as one
// transaction.
func (k *control) sql(ctx context.Context, text string, readOnly bool) error {
	open := k.writer
	if readOnly {
		open = k.reader
	}
	d, err := open(ctx)
	if err != nil {
		return err
	}
	k.traced(text, !readOnly)
	pool := d.Writer()
	if readOnly {
		pool = d.Reader()
	}
	list := statements(text)
	if len(list) == 1 {
		return k.failedSQL(k.statement(ctx, d, pool, list[0], !readOnly))
	}
	tx, err := pool.BeginTxx(ctx, nil)
	if err != nil {
		return d.Wrap(err)
	}
	for _, s := range list {
		if err := k.statement(ctx, d, tx, s, !readOnly); err != nil {
			return k.failedSQL(errors.Join(err, tx.Rollback()))
		}
	}
	return k.failedSQL(d.Wrap(tx.Commit()))
}

// failedSQL says on standard error why, as the database programs do.
func (k *control) failedSQL(err error) error {
	if err == nil {
		return nil
	}
	k.complain(err)
	return failed
}

type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func (k *control) statement(ctx context.Context, d *db.DB, q queryer, text string, change bool) error {
	vertical := strings.HasSuffix(text, `\G`)
	rows, err := q.QueryContext(ctx, strings.TrimSuffix(text, `\G`))
	if err != nil {
		return d.Wrap(err)
	}
	defer rows.Close()
	p := k.printer(change)
	if vertical {
		p.Form = client.Vertical
	}
	return d.Wrap(p.Rows(rows, d.Engine))
}

// statements cuts SQL at the semicolons that stand in no quotes and no
// comments. The last one needs none.
func statements(text string) []string {
	var out []string
	start := 0
	add := func(end int) {
		if s := strings.TrimSpace(text[start:end]); s != "" {
			out = append(out, s)
		}
	}
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == ';':
			add(i)
			i++
			start = i
		case c == '\'' || c == '"' || c == '`':
			i = after(text, i+1, string(c))
		case strings.HasPrefix(text[i:], "--"):
			i = after(text, i+2, "\n")
		case strings.HasPrefix(text[i:], "/*"):
			i = after(text, i+2, "*/")
		case strings.HasPrefix(text[i:], "$$"):
			i = after(text, i+2, "$$")
		default:
			i++
		}
	}
	add(len(text))
	return out
}

// after is where the text goes on behind the next end, at the latest at its own.
func after(text string, from int, end string) int {
	if i := strings.Index(text[from:], end); i >= 0 {
		return from + i + len(end)
	}
	return len(text)
}

// connect starts the engine's own program at the terminal. The password goes
// through its environment, which others do not see.
func (k *control) connect(ctx context.Context) error {
	name, args, env, err := k.clientProgram()
	if err != nil {
		return err
	}
	path, err := exec.LookPath(name)
	if err != nil {
		k.error("extension not implemented")
		k.complain(err)
		return failed
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = k.In, k.Out, k.Err
	cmd.Env = append(os.Environ(), env...)
	err = cmd.Run()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit(max(e.ExitCode(), 1))
	}
	return err
}

func (k *control) clientProgram() (name string, args, env []string, err error) {
	host, user, base, port := k.rc.get("DBHOST", "localhost"), k.rc.get("DBRWUSER", "kamailio"), k.rc.get("DBNAME", "kamailio"), k.rc.get("DBPORT", "")
	if k.engine == db.SQLite {
		return k.rc.get("SQLITE", "sqlite3"), []string{k.rc.get("DB_PATH", "")}, nil, nil
	}
	pw, err := k.password(user)
	if err != nil {
		return "", nil, nil, err
	}
	if k.engine == db.MySQL {
		args = []string{"-h", host, "-u", user, base}
		if port != "" {
			args = append([]string{"-P", port}, args...)
		}
		if socket := k.socket(host, port); socket != "" {
			args = append([]string{"--socket=" + socket}, args...)
		}
		return k.rc.get("MYSQL", "mysql"), args, []string{"MYSQL_PWD=" + pw}, nil
	}
	args = []string{"-h", host, "-U", user, base}
	if port != "" {
		args = append([]string{"-p", port}, args...)
	}
	return k.rc.get("PGSQL", "psql"), args, []string{"PGPASSWORD=" + pw}, nil
}

package schema

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"sipd/db"
)

// adminDatabase is a database that every server has.
var adminDatabase = map[db.Engine]string{db.MySQL: "mysql", db.PostgreSQL: "postgres"}

// onServer opens the server of a database URL beside that database, and gives
// the database's name.
func onServer(ctx context.Context, rawURL string) (*db.DB, string, error) {
	e, name, err := db.ParseName(rawURL)
	if err != nil {
		return nil, "", err
	}
	if e == db.SQLite {
		return nil, name, nil
	}
	admin, err := db.WithName(rawURL, adminDatabase[e])
	if err != nil {
		return nil, "", err
	}
	d, err := db.Open(ctx, admin)
	return d, name, err
}

// CreateDatabase makes the empty database of a URL on its server, with the
// rights of the URL's user. A SQLite file is made when it is opened, so there
// is nothing to do. What exists is db.ErrExists.
func CreateDatabase(ctx context.Context, rawURL string) error {
	d, name, err := onServer(ctx, rawURL)
	if err != nil || d == nil {
		return err
	}
	query := "CREATE DATABASE " + d.Quote(name)
	if d.Engine == db.MySQL {
		query += " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
	}
	_, err = d.Writer().ExecContext(ctx, query)
	if text := fmt.Sprint(err); err != nil && strings.Contains(text, "exists") {
		err = fmt.Errorf("database %s: %w", db.Redact(rawURL), db.ErrExists)
	}
	return errors.Join(d.Wrap(err), d.Close())
}

// DropDatabase removes the database of a URL with all that is in it, whoever
// made it: the SQLite file, or the database on its server. Nobody is asked.
// What does not exist is db.ErrNoDatabase.
func DropDatabase(ctx context.Context, rawURL string) error {
	d, name, err := onServer(ctx, rawURL)
	if err != nil {
		return err
	}
	if d == nil {
		return dropFile(name)
	}
	query := "DROP DATABASE " + d.Quote(name)
	_, err = d.Writer().ExecContext(ctx, query)
	if text := fmt.Sprint(err); err != nil && (strings.Contains(text, "doesn't exist") || strings.Contains(text, "does not exist")) {
		err = &db.Error{Source: db.Redact(rawURL), Kind: db.ErrNoDatabase, Err: err}
	}
	return errors.Join(d.Wrap(err), d.Close())
}

// dropFile removes a SQLite file and what SQLite keeps beside it.
func dropFile(path string) error {
	if err := os.Remove(path); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return &db.Error{Source: "sqlite:" + path, Kind: db.ErrNoDatabase, Err: err}
		}
		return err
	}
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Account is a user of a database server.
type Account struct {
	User     string
	Password string
	Host     string // MySQL: from where, % for everywhere; "" is localhost
	ReadOnly bool
}

// name is the account as the server's statements name it.
func (a Account) name(d db.Dialect) string {
	if d.Engine == db.MySQL {
		host := a.Host
		if host == "" {
			host = "localhost"
		}
		return d.Literal(a.User) + "@" + d.Literal(host)
	}
	return d.Quote(a.User)
}

// Grant makes the account where there is none of that name and lets it read,
// or read and write, the whole database of the URL, whose own user must be
// allowed to do so. SQLite has no accounts: db.ErrNotSupported.
func Grant(ctx context.Context, rawURL string, acc Account) error {
	return onAccounts(ctx, rawURL, func(d *db.DB, name string) ([]string, error) {
		who := acc.name(d.Dialect)
		if d.Engine == db.MySQL {
			rights := "ALL PRIVILEGES"
			if acc.ReadOnly {
				rights = "SELECT"
			}
			return []string{
				"CREATE USER IF NOT EXISTS " + who + " IDENTIFIED BY " + d.Literal(acc.Password),
				"GRANT " + rights + " ON " + d.Quote(name) + ".* TO " + who,
			}, nil
		}
		rights := "ALL PRIVILEGES"
		if acc.ReadOnly {
			rights = "SELECT"
		}
		out := []string{
			"GRANT " + rights + " ON ALL TABLES IN SCHEMA public TO " + who,
			"GRANT " + rights + " ON ALL SEQUENCES IN SCHEMA public TO " + who,
		}
		var have bool
		err := d.Reader().GetContext(ctx, &have, "SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1)", acc.User)
		if err == nil && !have {
			out = append([]string{"CREATE USER " + who + " WITH PASSWORD " + d.Literal(acc.Password)}, out...)
		}
		return out, err
	})
}

// Revoke takes back what [Grant] gave; the account stays.
func Revoke(ctx context.Context, rawURL string, acc Account) error {
	return onAccounts(ctx, rawURL, func(d *db.DB, name string) ([]string, error) {
		who := acc.name(d.Dialect)
		if d.Engine == db.MySQL {
			rights := "ALL PRIVILEGES"
			if acc.ReadOnly {
				rights = "SELECT"
			}
			return []string{"REVOKE " + rights + " ON " + d.Quote(name) + ".* FROM " + who}, nil
		}
		return []string{
			"REVOKE ALL PRIVILEGES ON ALL TABLES IN SCHEMA public FROM " + who,
			"REVOKE ALL PRIVILEGES ON ALL SEQUENCES IN SCHEMA public FROM " + who,
		}, nil
	})
}

// onAccounts runs statements about accounts. An error does not repeat the
// statement, which may hold a password.
func onAccounts(ctx context.Context, rawURL string, statements func(*db.DB, string) ([]string, error)) error {
	e, name, err := db.ParseName(rawURL)
	if err != nil {
		return err
	}
	if e == db.SQLite {
		return fmt.Errorf("a SQLite file has no accounts; its mode says who may read it: %w", db.ErrNotSupported)
	}
	d, err := db.Open(ctx, rawURL)
	if err != nil {
		return err
	}
	todo, err := statements(d, name)
	for _, sql := range todo {
		if err == nil {
			_, err = d.Writer().ExecContext(ctx, sql)
		}
	}
	return errors.Join(d.Wrap(err), d.Close())
}

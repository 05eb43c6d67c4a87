package ctl

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sipd/db"
)

// usageError is a command line that cannot be meant.
type usageError struct {
	command string // "sipctl user add"
	text    string
}

func (e *usageError) Error() string {
	return strings.TrimPrefix(strings.TrimPrefix(e.command, "sipctl"), " ") + sep(e.command) + e.text + "; " + e.command + " -h shows how"
}

func sep(command string) string {
	if command == "sipctl" {
		return ""
	}
	return ": "
}

// usagef makes a usageError of a command.
func usagef(cmd *cobra.Command, format string, args ...any) error {
	return &usageError{cmd.CommandPath(), fmt.Sprintf(format, args...)}
}

// isUsage tells errors of the command line: unknown words and names that
// nothing could store.
func isUsage(err error) bool {
	if _, ok := errors.AsType[*importError](err); ok {
		return false
	}
	_, usage := errors.AsType[*usageError](err)
	_, field := errors.AsType[*db.FieldError](err)
	return usage || field
}

func exitCode(err error) int {
	_, late := errors.AsType[*notLive](err)
	_, connect := errors.AsType[*errConnect](err)
	if _, part := errors.AsType[*importError](err); part { // not all is stored, whoever was told
		return ExitFailed
	}
	switch {
	case isUsage(err):
		return ExitUsage
	case late:
		return ExitNotLive
	case connect:
		return ExitConnect
	}
	return ExitFailed
}

// message is an error as a person reads it.
func message(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted; nothing was changed"
	}
	return err.Error()
}

// hintError is an error with the words that help.
type hintError struct {
	err  error
	hint string
}

func (e *hintError) Error() string { return e.err.Error() + "; " + e.hint }
func (e *hintError) Unwrap() error { return e.err }

// hinted adds what to do next.
func hinted(err error, format string, args ...any) error {
	return &hintError{err, fmt.Sprintf(format, args...)}
}

// taken tells that a name is in use, whether the directory saw it or, with
// two changes at once, the database did.
func taken(err error) bool { return errors.Is(err, db.ErrExists) || errors.Is(err, db.ErrDuplicate) }

// explain adds what helps to errors that any change may meet. names are the
// domains it spoke of.
func explain(ctx context.Context, dir db.Directory, err error, names ...string) error {
	switch {
	case errors.Is(err, db.ErrNoDomain):
		for _, n := range names {
			if _, e := dir.Domain(ctx, n); errors.Is(e, db.ErrNoDomain) {
				return fmt.Errorf("domain %s is not served here%w; to serve it: sipctl domain add %s", n, silent{err}, n)
			}
		}
	case errors.Is(err, db.ErrNoUser):
		return hinted(err, "to see who there is: sipctl user list")
	}
	return err
}

// silent keeps an error for errors.Is where other words say it.
type silent struct{ error }

func (silent) Error() string   { return "" }
func (s silent) Unwrap() error { return s.error }

// explainOpen says what to do about a server that has no such database: no
// command of ours makes it.
func (a *App) explainOpen(err error) error {
	if errors.Is(err, db.ErrNoDatabase) && !strings.HasPrefix(db.Redact(a.set.db), "sqlite:") {
		return fmt.Errorf("there is no database %s%w; its server's administrator makes it (CREATE DATABASE), then: sipctl db create", db.Redact(a.set.db), silent{err})
	}
	return err
}

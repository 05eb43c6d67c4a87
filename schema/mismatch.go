package schema

import (
	"context"
	"fmt"

	"sipd/db"
)

// MismatchError is a database, or a table of it, that is not what is needed:
// what was found, what is wanted and the command to run. Whoever finds such a
// thing, command or module, says it with this error.
type MismatchError struct {
	Source  string
	Table   string // "" for the database as a whole
	Column  string // that is missing; "" when it is not that
	Found   string
	Wanted  string
	Command string // what to run
}

func (e *MismatchError) Error() string {
	what := "database " + e.Source
	if e.Table != "" {
		what = "table " + e.Table + " of " + e.Source
	}
	return fmt.Sprintf("%s: found %s, wanted %s; run: %s", what, e.Found, e.Wanted, e.Command)
}

// Commands that help; errors name them.
const (
	StatusCommand  = "sipctl db status"
	UpgradeCommand = "sipctl db upgrade"
	CreateCommand  = "sipctl db create"
)

// Require tells whether d holds tables that a directory of flavour f (Auto:
// any) can work on, and gives what it recognised. Errors are *[MismatchError]
// and say the command that helps.
func Require(ctx context.Context, d *db.DB, f db.Flavour) (Recognition, error) {
	r, err := Recognise(ctx, d)
	if err != nil {
		return r, err
	}
	wanted := f
	if f == db.Auto {
		wanted = r.Flavour
	}
	m := &MismatchError{Source: d.Source(), Found: r.String(), Wanted: "the " + f.String() + " flavour"}
	switch {
	case r.Empty():
		m.Wanted, m.Command = "tables", createCommand(f)
		return r, m
	case r.Flavour == "":
		m.Wanted, m.Command = "the ser or the kamailio flavour", StatusCommand
		return r, m
	case r.Flavour != wanted:
		m.Found += fmt.Sprintf(" (the %s flavour)", r.Flavour)
		m.Command = "the same with --flavour " + string(r.Flavour)
		return r, m
	case !r.Current:
		m.Wanted, m.Command = Of(wanted).Release, UpgradeCommand
		return r, m
	}
	return r, nil
}

func createCommand(f db.Flavour) string {
	if f == db.Auto {
		return CreateCommand
	}
	return CreateCommand + " --flavour " + string(f)
}

// Need is what somebody wants of a table.
type Need struct {
	Table   string
	Version int      // 0: any; not asked where there is no version table, as SER has none
	Columns []string // that must be there
}

// Check tells whether what [Inspect] found serves the need; the error is a
// *[MismatchError].
func (ts Tables) Check(source string, f db.Flavour, n Need) error {
	m := &MismatchError{Source: source, Table: n.Table, Command: UpgradeCommand}
	found := ts[n.Table]
	switch {
	case len(ts) == 0:
		m.Table, m.Found, m.Wanted, m.Command = "", "an empty database", "table "+n.Table, createCommand(f)
		return m
	case found == nil:
		m.Found, m.Wanted, m.Command = "no such table", "the table", StatusCommand
		if f == db.Auto {
			f = ts.recognise().Flavour
		}
		if f != db.Auto && Of(f).Table(n.Table) != nil {
			m.Command = CreateCommand + " --only " + n.Table
		}
		return m
	case n.Version != 0 && ts.Has("version", "table_version") && found.Version != n.Version:
		m.Found, m.Wanted = versionText(found.Version), versionText(n.Version)
		if found.Version > n.Version && found.Version < 1000 { // OpenSER numbered its own from 1001
			m.Command = StatusCommand
		}
		return m
	}
	for _, c := range n.Columns {
		if !found.Has(c) {
			m.Column, m.Found, m.Wanted = c, "no column "+c, "the column"
			return m
		}
	}
	return nil
}

// CheckVersion is [Tables.Check] for one table by its number (0: any).
func CheckVersion(ctx context.Context, d *db.DB, table string, wanted int) error {
	ts, err := Inspect(ctx, d)
	if err != nil {
		return err
	}
	return ts.Check(d.Source(), db.Auto, Need{Table: table, Version: wanted})
}

package ctl

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sipd/ctl/output"
	"sipd/db"
	"sipd/schema"
)

func (a *App) dbStatusCommand() *cobra.Command {
	var r release
	var all bool
	c := &cobra.Command{
		Use: "status", Short: "Tell which product and release made the database, table by table", Args: want(0, 0),
		Long: `Tells what the database is: its flavour, its generation, the releases whose
tables come nearest, and the state of each table against the release wanted. It
looks at columns, types and keys first and at version numbers second, for no
number tells a generation. Tables that are as wanted are listed with --all, and
in every form that a program reads.`,
		Example: "  sipctl db status\n  sipctl db status --release 6.1 --all\n  sipctl db status -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := r.schema(cmd, a.set.flavour)
			if err != nil {
				return err
			}
			return a.status(cmd.Context(), s, all)
		},
	}
	r.declare(c)
	c.Flags().BoolVar(&all, "all", false, "list tables that are as wanted too")
	return c
}

func (a *App) status(ctx context.Context, wanted *schema.Schema, all bool) error {
	d, err := a.open(ctx, db.ReadOnly())
	if err != nil {
		return err
	}
	s, err := schema.NewSurvey(ctx, d, wanted)
	if err != nil {
		return err
	}
	if a.set.output == output.CSV || a.set.output == output.TSV {
		return a.statusRows(s)
	}
	var tables any = append([]schema.TableState{}, s.Tables...)
	if a.set.output == output.Table {
		tables = stateLines(s.Tables, all)
	}
	wantedName := ""
	if s.Wanted != nil {
		wantedName = s.Wanted.Release
	}
	flavour := string(s.Flavour)
	if flavour == "" {
		flavour = "none"
	}
	return output.Record(a.Out, a.set.output,
		output.F("database", d.Source()), output.F("release", s.String()), output.F("generation", s.Generation),
		output.F("flavour", flavour), output.F("usable", s.Current), output.F("wanted", wantedName),
		output.F("count", len(s.Found)), output.F("notes", orEmpty(s.Notes)), output.F("tables", tables),
		output.F("next", a.next(s)))
}

func (a *App) statusRows(s *schema.Survey) error {
	w := output.New(a.Out, a.set.output, "table", "group", "version", "release", "state", "differences")
	for _, t := range s.Tables {
		w.Row(t.Table, t.Group, t.Version, t.Release, t.State, t.Differences)
	}
	return w.Close()
}

// stateLines is a line for each table that somebody may have to do with.
func stateLines(tables []schema.TableState, all bool) []string {
	lines := []string{}
	for _, t := range tables {
		if t.State == schema.StateCurrent && !all {
			continue
		}
		line := t.Table + ": " + t.State
		if t.State == schema.StateDiffers {
			line += fmt.Sprintf(" in %d places", t.Differences)
		}
		if t.Release != "" && t.State != schema.StateCurrent {
			line += ", as in " + t.Release
		}
		if t.Version != 0 {
			line += fmt.Sprintf(" (version %d)", t.Version)
		}
		lines = append(lines, line)
	}
	return lines
}

// next is the command that comes next.
func (a *App) next(s *schema.Survey) string {
	switch {
	case s.Empty():
		return "sipctl db create"
	case s.Generation == "OS":
		return "sipctl cannot work on OpenSIPS; export its users and import them: sipctl user import -h"
	case s.Wanted == nil:
		return ""
	}
	for _, t := range s.Tables {
		if t.State == schema.StateDiffers || t.State == schema.StateMissing {
			return "sipctl db plan --release " + s.Wanted.Number
		}
	}
	if s.Flavour == db.Auto && strings.HasPrefix(s.Generation, "P") {
		return "SER before uids is not worked on; its users go over by sipctl user import -h"
	}
	return ""
}

func (a *App) dbVerifyCommand() *cobra.Command {
	var r release
	var all bool
	c := &cobra.Command{
		Use: "verify", Aliases: []string{"check"}, Short: "List how the database differs from what is wanted", Args: want(0, 0),
		Long: `Lists every difference from the tables wanted: missing tables and columns, types,
defaults, keys, version numbers. What the site has more than these, or wider, is
listed with --all and no fault. Exits with 1 when something is wanting. Without
--group it looks at the groups of which there are tables.`,
		Example: "  sipctl db verify\n  sipctl db verify --release 6.1 -o csv\n  sipctl db verify --only subscriber,location",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := r.schema(cmd, a.set.flavour)
			if err != nil {
				return err
			}
			return a.verify(cmd.Context(), s, r.groups, r.only, all)
		},
	}
	r.declare(c)
	c.Flags().BoolVar(&all, "all", false, "list what the site has more, too")
	return c
}

func (a *App) verify(ctx context.Context, wanted *schema.Schema, groups, only []string, all bool) error {
	d, err := a.open(ctx, db.ReadOnly())
	if err != nil {
		return err
	}
	s, err := schema.NewSurvey(ctx, d, wanted)
	if err != nil {
		return err
	}
	if err := a.refuse(d, s); err != nil {
		return err
	}
	if len(groups) == 0 {
		groups = s.Groups()
	}
	tables, err := s.Wanted.Pick(groups, only)
	if err != nil {
		return err
	}
	diffs := s.Wanted.Verify(d.Engine, s.Found, tables)
	w := output.New(a.Out, a.set.output, "table", "column", "found", "wanted", "site")
	for _, x := range diffs {
		if !x.Site || all {
			w.Row(x.Table, x.Column, x.Found, x.Wanted, x.Site)
		}
	}
	n := schema.Wanting(diffs)
	if n > 0 || all {
		if err := w.Close(); err != nil {
			return err
		}
	} else if a.set.output != output.Table {
		return w.Close()
	}
	if n > 0 {
		return fmt.Errorf("database %s differs from %s in %d places; to see what would change them: sipctl db plan", d.Source(), s.Wanted.Release, n)
	}
	return a.say("%s is as %s wants it", d.Source(), s.Wanted.Release)
}

// refuse says why a database cannot be compared with what is wanted.
func (a *App) refuse(d *db.DB, s *schema.Survey) error {
	m := &schema.MismatchError{Source: d.Source(), Found: s.String(), Wanted: "tables", Command: schema.CreateCommand}
	switch {
	case s.Empty():
		return m
	case s.Wanted == nil, s.Generation == "OS":
		m.Wanted, m.Command = "the ser or the kamailio flavour", schema.StatusCommand
		return m
	case s.Flavour != db.Auto && s.Flavour != s.Wanted.Flavour:
		m.Wanted, m.Command = s.Wanted.Release, "the same with --flavour "+string(s.Flavour)
		if s.Wanted.Flavour != db.Auto && a.set.flavour == db.Auto {
			m.Command = "sipctl db migrate -h"
		}
		return m
	}
	return nil
}

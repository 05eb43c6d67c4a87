package schema

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sipd/db"
)

// Step is one statement of a plan.
type Step struct {
	Table string `json:"table"`
	What  string `json:"what"`
	SQL   string `json:"sql"`
	Loses string `json:"loses,omitempty"` // what is gone afterwards, "" for nothing
}

// Plan is the way from a database as it is to a release.
type Plan struct {
	Source    string   `json:"source"`
	From      string   `json:"from"`
	To        string   `json:"to"`
	Steps     []Step   `json:"steps"`
	Notes     []string `json:"notes"`     // what stays as it is, and why
	Obstacles []string `json:"obstacles"` // what somebody has to settle first
}

// Loses tells whether a step takes something away for good.
func (p *Plan) Loses() bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Loses != "" })
}

// PlanOptions choose what a plan is for.
type PlanOptions struct {
	To     *Schema  // nil: the flavour's current schema
	Groups []string // nil: those of which the database has tables
	Only   []string // tables by name; nil: those of the groups
	Prune  bool     // drop tables and columns that the release has no use for
}

// NewPlan finds the statements that lead from the database to a release, and
// writes nothing. It looks at what is there, not at where it came from, so the
// plan for a database that an interrupted upgrade left half-way is the rest of
// the way. Nothing is narrowed, and rows of no use to the release stay where
// they are unless Prune says otherwise.
//
// A database that is of another flavour, or newer, is a *[MismatchError].
func NewPlan(ctx context.Context, d *db.DB, o PlanOptions) (*Plan, error) {
	s, err := NewSurvey(ctx, d, o.To)
	if err != nil {
		return nil, err
	}
	if err := s.upgradable(d); err != nil {
		return nil, err
	}
	groups := o.Groups
	if groups == nil {
		groups = slices.DeleteFunc(s.Groups(), func(g string) bool { return !slices.Contains(s.Wanted.Groups(), g) })
	}
	tables, err := s.Wanted.Pick(groups, o.Only)
	if err != nil {
		return nil, err
	}
	p := &planner{d: d, s: s, tables: tables, prune: o.Prune, was: make(map[string]string), plan: Plan{
		Source: d.Source(), From: s.String(), To: s.Wanted.Release, Steps: []Step{}, Notes: []string{}, Obstacles: []string{},
	}}
	return &p.plan, p.run(ctx)
}

// upgradable refuses what leads nowhere.
func (s *Survey) upgradable(d *db.DB) error {
	m := &MismatchError{Source: d.Source(), Found: s.String(), Command: StatusCommand}
	switch {
	case s.Empty():
		m.Wanted, m.Command = "tables", CreateCommand
		return m
	case s.family == nil || s.Generation == "OS":
		m.Wanted = "a database of SER, OpenSER or Kamailio"
		return m
	case s.family.byRelease(s.Wanted.Number) < 0:
		m.Wanted, m.Command = s.Wanted.Release+"; that is a migration", "sipctl db migrate -h"
		return m
	case s.family.byRelease(s.Releases[0]) > s.family.byRelease(s.Wanted.Number):
		m.Wanted, m.Command = s.Wanted.Release+", which is older; there is no way back but a dump", "sipctl db dump"
		return m
	}
	return nil
}

func (f *family) byRelease(number string) int { return slices.Index(f.releases, number) }

// planner writes a plan.
type planner struct {
	d      *db.DB
	s      *Survey
	tables []*Table
	prune  bool
	was    map[string]string // what tables are called before the plan, by their new names
	plan   Plan
}

// now is what a table is called before the plan, quoted.
func (p *planner) now(table string) string {
	if old := p.was[table]; old != "" {
		table = old
	}
	return p.d.Quote(table)
}

func (p *planner) add(table, what, loses, sql string) {
	p.plan.Steps = append(p.plan.Steps, Step{table, what, sql, loses})
}

func (p *planner) note(format string, args ...any) {
	p.plan.Notes = append(p.plan.Notes, fmt.Sprintf(format, args...))
}

func (p *planner) obstacle(format string, args ...any) {
	p.plan.Obstacles = append(p.plan.Obstacles, fmt.Sprintf(format, args...))
}

// count asks a number of the database, as it is before the plan.
func (p *planner) count(ctx context.Context, query string) (int, error) {
	var n int
	err := p.d.Reader().GetContext(ctx, &n, query)
	return n, p.d.Wrap(err)
}

func (p *planner) rows(ctx context.Context, table string) (int, error) {
	return p.count(ctx, "SELECT COUNT(*) FROM "+p.now(table))
}

func (p *planner) run(ctx context.Context) error {
	for _, t := range p.tables {
		p.rename(t)
	}
	var made []*Table
	for _, t := range p.tables {
		if p.s.Found[t.Name] == nil {
			made = append(made, t)
			for _, sql := range t.DDL(p.d.Dialect, p.s.Wanted.Flavour) {
				p.add(t.Name, "make the table", "", sql)
			}
		}
	}
	if err := p.carry(ctx); err != nil {
		return err
	}
	for _, t := range p.tables {
		if found := p.s.Found[t.Name]; found != nil {
			if err := p.change(ctx, t, found); err != nil {
				return err
			}
		}
	}
	p.seeds(made)
	if err := p.attributes(ctx); err != nil {
		return err
	}
	p.versions()
	return p.obsolete(ctx)
}

// rename takes over a table that has another name now.
func (p *planner) rename(t *Table) {
	old := renamedTables[t.Name]
	if old == "" || p.s.Found[t.Name] != nil || p.s.Found[old] == nil {
		return
	}
	p.add(t.Name, "rename "+old, "", fmt.Sprintf("ALTER TABLE %s RENAME TO %s", p.d.Quote(old), p.d.Quote(t.Name)))
	found := *p.s.Found[old]
	found.Name, found.Version, found.Rows = t.Name, 0, nil
	p.s.Found[t.Name] = &found
	delete(p.s.Found, old)
	p.was[t.Name] = old
}

// carry fills new tables from those that they replace.
func (p *planner) carry(ctx context.Context) error {
	for _, c := range carries {
		from, to := p.s.Found[c.from], p.s.Wanted.Table(c.to)
		if from == nil || to == nil || !slices.Contains(p.tables, to) || slices.ContainsFunc(c.needs, func(n string) bool { return !from.Has(n) }) {
			continue
		}
		if c.plain && from.Columns[c.needs[0]].Column.Kind != String {
			continue
		}
		if p.s.Found[c.to] != nil && !c.plain {
			n, err := p.rows(ctx, c.to)
			if err != nil {
				return err
			}
			if n > 0 {
				continue
			}
		}
		n, err := p.rows(ctx, c.from)
		if err != nil {
			return err
		}
		if n > 0 {
			p.add(c.to, fmt.Sprintf("take over %s from %s", c.what, c.from), "", c.statement(sqlText{Dialect: p.d.Dialect}, to, from))
			p.counter(to)
		}
	}
	return nil
}

// counter moves PostgreSQL's sequence of a table beyond ids that were written.
func (p *planner) counter(t *Table) {
	if p.d.Engine == db.PostgreSQL && t.Column("id") != nil {
		p.add(t.Name, "count on from there", "", fmt.Sprintf("SELECT setval(pg_get_serial_sequence('%s', 'id'), (SELECT MAX(id) FROM %s))", t.Name, p.d.Quote(t.Name)))
	}
}

// seeds writes the rows that new tables begin with.
func (p *planner) seeds(made []*Table) {
	for i := range p.s.Wanted.Rows {
		r := &p.s.Wanted.Rows[i]
		if slices.ContainsFunc(made, func(t *Table) bool { return t.Name == r.Table }) {
			for _, v := range r.Values {
				p.add(r.Table, "a row that it begins with", "", r.insert(p.d.Dialect, v))
			}
		}
	}
}

// attributes copies what subscriber has no column for any more.
func (p *planner) attributes(ctx context.Context) error {
	sub, t := p.s.Found["subscriber"], p.s.Wanted.Table("subscriber")
	prefs := p.s.Wanted.Table("usr_preferences")
	if sub == nil || t == nil || prefs == nil || !slices.Contains(p.tables, prefs) || !slices.Contains(p.tables, t) || prefs.Column("last_modified") == nil {
		return nil
	}
	for _, c := range attributes {
		if !sub.Has(c) || t.Column(c) != nil {
			continue
		}
		rest := fmt.Sprintf(" FROM subscriber AS s WHERE s.%s IS NOT NULL AND s.%s <> ''", c, c)
		missing := fmt.Sprintf(" AND NOT EXISTS (SELECT 1 FROM usr_preferences AS p WHERE p.username = s.username AND p.domain = s.domain AND p.attribute = '%s')", c)
		query := rest
		if p.s.Found["usr_preferences"] != nil {
			query += missing
		}
		n, err := p.count(ctx, "SELECT COUNT(*)"+query)
		if err != nil {
			return err
		}
		if n > 0 {
			p.add("usr_preferences", fmt.Sprintf("keep %s of %d users as an attribute", c, n), "",
				fmt.Sprintf("INSERT INTO usr_preferences (username, domain, attribute, %s, value, last_modified) SELECT s.username, s.domain, '%s', 0, s.%s, '2000-01-01 00:00:01'%s%s",
					p.d.Quote("type"), c, c, rest, missing))
		}
	}
	return nil
}

// versions writes the numbers that differ.
func (p *planner) versions() {
	s := p.s.Wanted
	if !s.hasVersions(p.tables, p.s.Found) {
		return
	}
	for _, t := range p.tables {
		found := p.s.Found[t.Name]
		if found != nil && found.Version == t.Version && len(found.Rows) < 2 || found == nil && t.Version == 0 {
			continue
		}
		for _, sql := range s.number(p.d.Dialect, t) {
			p.add("version", versionText(t.Version)+" of "+t.Name, "", sql)
		}
	}
}

// obsolete drops, or speaks of, tables of the family that the release has not.
func (p *planner) obsolete(ctx context.Context) error {
	for _, name := range p.s.Found.names() {
		h := p.s.family.byName[name]
		if h == nil || p.s.Wanted.Table(name) != nil || p.s.Found[name].View {
			continue
		}
		n, err := p.rows(ctx, name)
		if err != nil {
			return err
		}
		if !p.prune {
			p.note("table %s (%d rows) is of no use to %s and stays", name, n, p.s.Wanted.Release)
			continue
		}
		loses := ""
		if n > 0 {
			loses = fmt.Sprintf("%d rows", n)
		}
		p.add(name, "drop the table", loses, "DROP TABLE "+p.d.Quote(name))
	}
	return nil
}

// String is the plan as a file of SQL with what it does as comments.
func (p *Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "-- %s: from %s to %s\n", p.Source, p.From, p.To)
	for _, n := range p.Notes {
		fmt.Fprintf(&b, "-- note: %s\n", n)
	}
	for _, o := range p.Obstacles {
		fmt.Fprintf(&b, "-- in the way: %s\n", o)
	}
	last := ""
	for _, s := range p.Steps {
		head := s.Table + ": " + s.What
		if s.Loses != "" {
			head += "; this loses " + s.Loses
		}
		if head != last {
			fmt.Fprintf(&b, "\n-- %s\n", head)
		}
		last = head
		b.WriteString(s.SQL + ";\n")
	}
	return b.String()
}

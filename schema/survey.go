package schema

import (
	"context"
	"math"
	"slices"
	"strings"

	"sipd/db"
)

// States of a table against the release that is wanted.
const (
	StateCurrent  = "as wanted"
	StateDiffers  = "differs"
	StateMissing  = "missing"
	StateObsolete = "obsolete" // a known table that the release wanted has no use for
	StateSite     = "unknown"  // none of the elders'
)

// TableState is one table of a survey.
type TableState struct {
	Table       string `json:"table"`
	Group       string `json:"group,omitempty"`
	Version     int    `json:"version"`           // 0 without a number
	Release     string `json:"release,omitempty"` // the releases whose table is nearest: 1.2 to 3.2
	State       string `json:"state"`
	Differences int    `json:"differences"` // that want something; see Verify
}

// Survey is what a database is, table by table.
type Survey struct {
	Recognition
	Releases []string // whose tables, all in all, are nearest; oldest first
	Found    Tables
	Wanted   *Schema // nil when no release of the family is known
	Tables   []TableState
	family   *family
}

// NewSurvey recognises a database and each of its tables, by columns, types
// and keys first and by version numbers second. wanted nil is the current
// schema of the flavour, or the family's last release where it has no flavour.
func NewSurvey(ctx context.Context, d *db.DB, wanted *Schema) (*Survey, error) {
	ts, err := Examine(ctx, d)
	if err != nil {
		return nil, err
	}
	s := &Survey{Recognition: ts.recognise(), Found: ts, Wanted: wanted}
	s.family = familyOf(s.Recognition)
	if s.family == nil && s.Generation == "" {
		s.family = s.familyOfParts(d.Engine)
	}
	if s.family == nil {
		for _, name := range ts.names() {
			s.Tables = append(s.Tables, TableState{Table: name, Version: ts[name].Version, State: StateSite})
		}
		return s, nil
	}
	if s.Wanted == nil {
		s.Wanted = s.family.current()
	}
	s.place(d.Engine)
	for _, name := range ts.names() {
		s.Tables = append(s.Tables, s.state(d.Engine, name))
	}
	for _, t := range s.Wanted.Group(s.Groups()...) {
		if ts[t.Name] == nil {
			s.Tables = append(s.Tables, TableState{Table: t.Name, Group: t.Group, State: StateMissing, Differences: 1})
		}
	}
	return s, nil
}

// familyOf is the family that a recognised database is of, nil for none.
func familyOf(r Recognition) *family {
	switch {
	case r.Flavour == db.SER:
		return seruidFamily()
	case r.Flavour == db.Kamailio, r.Generation == "UK":
		return kamailioFamily()
	case strings.HasPrefix(r.Generation, "P"):
		return preuidFamily()
	}
	return nil
}

// familyOfParts is the family of a database that has no accounts: the one of
// which the most tables are there as some release had them.
func (s *Survey) familyOfParts(e db.Engine) *family {
	var best *family
	most := 0
	for _, f := range families() {
		n := 0
		for _, h := range f.tables {
			found := s.Found[h.name]
			for i := range f.releases {
				if t := h.table(i); found != nil && t != nil && Wanting(t.compare(e, f.flavour, found)) == 0 {
					n++
					break
				}
			}
		}
		if n > most {
			best, most = f, n
		}
	}
	return best
}

// current is the release that the family's databases are brought to.
func (f *family) current() *Schema {
	if f.flavour != db.Auto {
		return Of(f.flavour)
	}
	return f.schema(f.releases[len(f.releases)-1])
}

// names are the tables found, in order.
func (ts Tables) names() []string {
	names := make([]string, 0, len(ts))
	for n := range ts {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Groups are those of which the database has a table, and standard unless all
// there is are uid_ tables.
func (s *Survey) Groups() []string {
	var out []string
	if s.Generation != "UK" {
		out = append(out, "standard")
	}
	if s.family == nil {
		return out
	}
	for _, h := range s.family.tables {
		if s.Found[h.name] != nil && !slices.Contains(out, h.group) {
			out = append(out, h.group)
		}
	}
	// Optional tables are asked for one by one.
	return slices.DeleteFunc(out, func(g string) bool { return g == "optional" })
}

// place finds the releases that have the fewest differences.
func (s *Survey) place(e db.Engine) {
	least := math.MaxInt
	for i, release := range s.family.releases {
		n := 0
		for _, h := range s.family.tables {
			t, found := h.table(i), s.Found[h.name]
			switch {
			case t == nil && found == nil:
			case t == nil:
				n++
			case found != nil:
				n += s.distance(e, t, found)
			case t.Group == "standard":
				n++
			}
		}
		switch {
		case n < least:
			least, s.Releases = n, []string{release}
		case n == least:
			s.Releases = append(s.Releases, release)
		}
	}
}

// distance is how many differences of a table want something; a number alone
// weighs less than anything else, for sites raise numbers by hand.
func (s *Survey) distance(e db.Engine, t *Table, found *FoundTable) int {
	n := 2 * Wanting(t.compare(e, s.family.flavour, found))
	for _, d := range t.compare(e, s.family.flavour, found) {
		if d.Site {
			n += 2
		}
	}
	if found.Version != 0 && found.Version != t.Version {
		n++
	}
	return n
}

func (s *Survey) state(e db.Engine, name string) TableState {
	found := s.Found[name]
	st := TableState{Table: name, Version: found.Version, State: StateSite}
	h := s.family.byName[name]
	if h == nil {
		return st
	}
	st.Group = h.group
	var near []string
	least := math.MaxInt
	for i, release := range s.family.releases {
		t := h.table(i)
		if t == nil {
			continue
		}
		switch n := s.distance(e, t, found); {
		case n < least:
			least, near = n, []string{release}
		case n == least:
			near = append(near, release)
		}
	}
	st.Release = span(near)
	t := s.Wanted.Table(name)
	if t == nil {
		st.State = StateObsolete
		return st
	}
	st.Differences = Wanting(s.Wanted.Verify(e, s.Found, []*Table{t}))
	st.State = StateCurrent
	if st.Differences > 0 {
		st.State = StateDiffers
	}
	return st
}

// span is the first and the last of some releases.
func span(releases []string) string {
	if len(releases) == 0 {
		return ""
	}
	first, last := releases[0], releases[len(releases)-1]
	if first == last {
		return first
	}
	return first + " to " + last
}

// String is what the database is, as far as columns, types and keys tell.
func (s *Survey) String() string {
	if s.family == nil || len(s.Releases) == 0 {
		return s.Recognition.String()
	}
	if len(s.Releases) == 1 {
		return title(s.Releases[0])
	}
	return product(s.Releases[0]) + " " + span(s.Releases)
}

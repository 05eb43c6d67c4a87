package schema

import (
	_ "embed" // the tables
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"sipd/db"
)

//go:embed kamailio.tables
var kamailioTables string

//go:embed seruid.tables
var seruidTables string

//go:embed preuid.tables
var preuidTables string

// The families; each is read when it is first asked for.
var (
	kamailioFamily = sync.OnceValue(func() *family { return mustParse(kamailioTables, db.Kamailio) })
	seruidFamily   = sync.OnceValue(func() *family { return mustParse(seruidTables, db.SER) })
	preuidFamily   = sync.OnceValue(func() *family { return mustParse(preuidTables, db.Auto) })
)

func families() []*family {
	return []*family{preuidFamily(), seruidFamily(), kamailioFamily()}
}

// The releases that a flavour's directory is written for.
const (
	currentKamailio = "5.6"
	currentSER      = "2011"
)

var (
	currentKamailioSchema = sync.OnceValue(func() *Schema { return kamailioFamily().schema(currentKamailio) })
	currentSERSchema      = sync.OnceValue(func() *Schema { return seruidFamily().schema(currentSER) })
)

// Of gives the current schema of a flavour. It is shared: do not change it.
// Any other flavour than SER and Kamailio is a bug of the caller and panics.
func Of(f db.Flavour) *Schema {
	switch f {
	case db.SER:
		return currentSERSchema()
	case db.Kamailio:
		return currentKamailioSchema()
	}
	panic("schema: no tables for flavour " + f.String())
}

// schema is all tables as they were in one of the family's releases.
func (f *family) schema(release string) *Schema {
	i := slices.Index(f.releases, release)
	s := &Schema{
		Flavour: f.flavour, Number: release, Generation: generation(release), Release: title(release),
		byName: make(map[string]*Table),
	}
	for _, h := range f.tables {
		if t := h.table(i); t != nil {
			s.Tables = append(s.Tables, t)
			s.byName[t.Name] = t
		}
	}
	for _, r := range f.rows {
		if s.byName[r.Table] != nil {
			s.Rows = append(s.Rows, r)
		}
	}
	return s
}

// product is who published a release.
func product(release string) string {
	switch {
	case release == "2011", strings.HasPrefix(release, "0."), strings.HasPrefix(release, "2."):
		return "SER"
	case release < "1.4":
		return "OpenSER"
	}
	return "Kamailio"
}

// title is a release as people call it.
func title(release string) string {
	if release == "2011" {
		return "SER 2.0 (2011)"
	}
	return product(release) + " " + release
}

// generations maps releases, by how they begin, to the ids of generations.
var generations = []struct{ prefix, id string }{
	{"0.8.10", "P1"},
	{"0.8.", "P2"},
	{"0.9.", "P3"},
	{"2.0", "U1"},
	{"2011", "U2"},
	{"1.0", "O1"},
	{"1.1", "O1"},
	{"1.2", "O2"},
	{"1.3", "O3"},
	{"1.4", "K1"},
	{"1.5", "K1"},
	{"3.", "K3"},
	{"4.", "K4"},
	{"5.", "K5"},
	{"6.", "K6"},
}

func generation(release string) string {
	for _, g := range generations {
		if strings.HasPrefix(release, g.prefix) {
			return g.id
		}
	}
	return ""
}

// Release is one release whose tables are known.
type Release struct {
	Flavour    db.Flavour
	Number     string // 5.6
	Generation string // K5
	Title      string // Kamailio 5.6
}

// Releases lists all, family by family, oldest first.
func Releases() []Release {
	var out []Release
	for _, f := range families() {
		for _, r := range f.releases {
			out = append(out, Release{f.flavour, r, generation(r), title(r)})
		}
	}
	return out
}

// At gives the schema of a release: 5.6, 5.6.3, kamailio-5.6, OpenSER 1.2, ser
// 0.9.6, 2011; or, by the id of a generation (P1 to K6), of its last release;
// K5 is the one that Of gives. The error lists what there is.
func At(name string) (*Schema, error) {
	word := strings.ToLower(strings.TrimSpace(name))
	for _, p := range []string{"kamailio", "openser", "sip-router", "ser"} {
		if rest, ok := strings.CutPrefix(word, p); ok {
			word = strings.TrimLeft(rest, " -_")
			break
		}
	}
	word = strings.TrimPrefix(word, "v")
	for _, f := range families() {
		if r := f.find(word); r != "" {
			if r == currentKamailio {
				return Of(db.Kamailio), nil
			}
			return f.schema(r), nil
		}
	}
	return nil, fmt.Errorf("there is no release %q; there are %s, and the generations %s", name, releaseList(), generationList())
}

// find looks for a release by its name, the id of its generation, or a patch
// release by the nearest that is known and not newer.
func (f *family) find(word string) string {
	if word == "" {
		return ""
	}
	if slices.Contains(f.releases, word) {
		return word
	}
	last, near := "", ""
	for _, r := range f.releases {
		if strings.EqualFold(generation(r), word) {
			last = r
		}
		if patch, ok := samePoint(r, word); ok && (near == "" || patch >= 0) {
			near = r
		}
	}
	if strings.EqualFold(word, generation(currentKamailio)) && last != "" {
		return currentKamailio
	}
	if last != "" {
		return last
	}
	return near
}

// samePoint tells whether a known release and a word name the same point
// release (5.6 and 5.6.3, 0.9.3 and 0.9.6), and how far the word is beyond it.
func samePoint(known, word string) (int, bool) {
	k, w := strings.SplitN(known, ".", 3), strings.SplitN(word, ".", 3)
	if len(k) < 2 || len(w) < 2 || k[0] != w[0] || point(k[1]) != point(w[1]) {
		return 0, false
	}
	return patch(w) - patch(k), true
}

// point is the second number of a release, without what says that it is not
// out yet.
func point(word string) string {
	word, _, _ = strings.Cut(word, "dev")
	return strings.TrimSuffix(word, "-")
}

// patch is the third number of a release, 0 without one.
func patch(parts []string) int {
	if len(parts) < 3 {
		return 0
	}
	digits := strings.TrimRight(parts[2], "abcdefghijklmnopqrstuvwxyz-")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}

func releaseList() string {
	var names []string
	for _, r := range Releases() {
		names = append(names, r.Number)
	}
	return strings.Join(names, " ")
}

func generationList() string {
	var ids []string
	for _, g := range generations {
		if !slices.Contains(ids, g.id) {
			ids = append(ids, g.id)
		}
	}
	return strings.Join(ids, " ")
}

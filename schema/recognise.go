package schema

import (
	"context"
	"slices"

	"sipd/db"
)

// Recognition is what a database turned out to be.
type Recognition struct {
	Flavour    db.Flavour // SER, Kamailio, or "" for what we have no directory for
	Generation string     // P1 P2 P3 U0 U1 U2 UK O1 O2 O3 K1 K3 K4 K5 K6 OS, "" when empty or foreign
	Release    string     // product and the release the columns speak of
	Current    bool       // a directory can work on it as it is
	Tables     int        // how many tables there are
	Notes      []string   // what else was seen
	Found      Tables     // what it was told by
}

// Empty tells that there is no table at all.
func (r Recognition) Empty() bool { return r.Tables == 0 }

// String is what it is in a few words.
func (r Recognition) String() string {
	switch {
	case r.Empty():
		return "an empty database"
	case r.Generation == "":
		return "no database of SER, OpenSER, Kamailio or OpenSIPS"
	}
	return r.Release
}

// Recognise tells which product and generation made the tables, by their
// columns first and by version numbers only where columns do not decide: no
// single number identifies a generation, and SER's last has none at all.
func Recognise(ctx context.Context, d *db.DB) (Recognition, error) {
	ts, err := Inspect(ctx, d)
	if err != nil {
		return Recognition{}, err
	}
	return ts.recognise(), nil
}

// marker is a table, and columns of it, that a release brought.
type marker struct {
	release string
	table   string
	columns []string
}

// kamailioMarkers is the ladder of releases: the last marker that is there
// names the release. Lengths are left out, SQLite enforces none; [NewSurvey]
// looks at them.
var kamailioMarkers = []marker{
	{"1.2", "subscriber", []string{"id"}},
	{"1.3", "watchers", []string{"presentity_uri"}},
	{"1.3", "xcap", nil},
	{"1.3", "dialog", nil},
	{"1.4", "dispatcher", []string{"flags"}},
	{"1.4", "dialplan", nil},
	{"1.4", "gw", []string{"flags"}},
	{"1.5", "htable", nil},
	{"1.5", "dispatcher", []string{"priority"}},
	{"1.5", "gw", []string{"weight"}},
	{"3.0", "dialog", []string{"req_uri"}},
	{"3.0", "gw", []string{"lcr_id"}},
	{"3.1", "lcr_gw", nil},
	{"3.1", "dispatcher", []string{"attrs"}},
	{"3.1", "address", []string{"tag"}},
	{"3.2", "dialog_vars", nil},
	{"3.3", "location", []string{"ruid"}},
	{"3.3", "domain", []string{"did"}},
	{"4.0", "location_attrs", nil},
	{"4.1", "acc_cdrs", nil},
	{"4.3", "location", []string{"server_id"}},
	{"4.4", "trusted", []string{"ruri_pattern"}},
	{"4.4", "topos_d", nil},
	{"5.0", "uacreg", []string{"auth_ha1"}},
	{"5.1", "lcr_rule", []string{"mt_tvalue"}},
	{"5.2", "presentity", []string{"ruid"}},
	{"5.3", "secfilter", nil},
	{"5.4", "version", []string{"id"}},
	{"5.5", "topos_d", []string{"x_context"}},
	{"5.8", "nds_trusted_domains", nil},
	{"6.0", "pcscf_location", nil},
	{"6.2dev", "uacreg", []string{"contact_user"}},
}

func (ts Tables) recognise() Recognition {
	r := Recognition{Tables: len(ts), Found: ts}
	uid := ts.Has("uid_credentials", "auth_username", "uid")
	switch {
	case ts.Has("credentials", "auth_username", "uid"):
		ts.recogniseSER(&r)
	case ts.Has("subscriber", "user_id") && !ts.Has("subscriber", "username"):
		r.Generation, r.Release = "P1", "SER 0.8.10 or older"
	case ts.Has("subscriber", "username", "domain") && !ts.Has("subscriber", "id"):
		ts.recogniseOld(&r)
	case ts.Has("subscriber", "username", "id", "ha1"):
		ts.recogniseKamailio(&r)
	case uid:
		r.Generation, r.Release = "UK", "Kamailio 4.0 or later with uid_ tables only"
	}
	if uid && r.Generation != "UK" {
		r.Notes = append(r.Notes, "uid_ tables of Kamailio are there too")
	}
	if ts.Has("subscriber", "watcher_uri") {
		r.Notes = append(r.Notes, "table subscriber is of the IMS modules and holds no accounts")
	}
	return r
}

func (ts Tables) recogniseSER(r *Recognition) {
	r.Flavour = db.SER
	switch {
	case !ts.Has("credentials", "did"):
		r.Generation, r.Release = "U0", "SER 0.10 (snapshot of 2005 or 2006)"
	case ts.Has("acc") && !ts.Has("acc", "server_id"):
		r.Generation, r.Release = "U1", "SER 2.0"
	default:
		r.Generation, r.Release = "U2", "SER 2.0 (2008 to 2011)"
	}
	// U1 differs in tables that a directory does not touch.
	r.Current = r.Generation != "U0"
}

func (ts Tables) recogniseOld(r *Recognition) {
	switch {
	case ts.Has("location", "replicate") && ts.Has("subscriber", "perms"):
		r.Generation, r.Release = "P2", "SER 0.8.11 to 0.8.14"
	case ts.Has("location", "replicate"):
		r.Generation, r.Release = "P3", "SER 0.9"
	case ts.Has("location", "methods"):
		r.Flavour, r.Generation, r.Release = db.Kamailio, "O1", "OpenSER 1.1"
	case ts.Has("location", "socket"), ts.Has("dbaliases"):
		r.Flavour, r.Generation, r.Release = db.Kamailio, "O1", "OpenSER 1.0"
	}
}

func (ts Tables) version(table string) int {
	if t := ts[table]; t != nil {
		return t.Version
	}
	return 0
}

func (ts Tables) recogniseKamailio(r *Recognition) {
	if ts.version("uri") == 2 && ts.version("dbaliases") == 2 || ts.Has("location", "contact_id") ||
		ts.Has("dispatcher", "weight") || ts.Has("subscriber", "ha1_sha256") || ts.version("location") >= 1005 {
		r.Generation, r.Release = "OS", "OpenSIPS"
		return
	}
	r.Flavour = db.Kamailio
	release := "1.2"
	for _, m := range kamailioMarkers {
		if ts.Has(m.table, m.columns...) {
			release = m.release
		}
	}
	// Between 4.4 and 5.0 the standard tables differ only in lengths and numbers.
	if ts.version("subscriber") >= 7 && generation(release) == "K4" {
		release = "5.0"
	}
	if c := ts["htable"]; generation(release) == "K5" && c != nil && c.Columns["key_name"].Size == 256 {
		release = "6.0"
	}
	r.Generation, r.Release = generation(release), title(release)
	if slices.Contains([]string{"K5", "K6"}, r.Generation) {
		r.Current = true
		r.Release += " or later"
	}
}

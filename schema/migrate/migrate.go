// Package migrate carries the users of one flavour over to the other: domains,
// users with their secrets, aliases, attributes and groups, as a stream in
// bounded memory. It works on directories ([db.Directory]), so on any engine,
// between SER's uid flavour and Kamailio 5.0 and later, either way; older
// generations are refused where the directory is opened.
//
// [Plan] counts and lists what will not come over as it is, and why; [Run]
// writes, in batches, never to the source, and when it is run again goes on
// where it was interrupted; [Verify] compares both sides, user by user. All
// three ask the same translation, so a plan says what a run does.
//
// Not carried, because both servers make them anew or because their shape
// differs: registered contacts, accounting, stored messages, dialogs.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"sipd/db"
)

// Note is one thing that will not be, or was not, carried as it is.
type Note struct {
	Class   string `json:"class"`   // as in the list below
	Subject string `json:"subject"` // domain, user or "user attribute"
	Why     string `json:"why"`
}

// Classes of notes.
const (
	UserSkipped       = "user_skipped"
	CredHA1BOnly      = "cred_ha1b_only"
	CredEmpty         = "cred_empty"
	CredOtherRealm    = "cred_other_realm"
	PasswordTooLong   = "password_too_long"
	UnknownDomain     = "unknown_domain"
	DomainTooLong     = "domain_too_long"
	AliasConflict     = "alias_conflict"
	AliasOrphan       = "alias_orphan"
	AliasMalformed    = "alias_malformed"
	AttrValueTooLong  = "attr_value_too_long"
	AttrNotStored     = "attr_not_stored"
	GroupNotStored    = "group_not_stored"
	StateNotStored    = "state_not_representable"
	GlobalNotMigrated = "table_not_migrated"
)

func (n Note) String() string { return n.Class + ": " + n.Subject + ": " + n.Why }

// Counts is how much of everything there is, or was done.
type Counts struct {
	Domains int `json:"domains"`
	Users   int `json:"users"`
	Aliases int `json:"aliases"`
	Attrs   int `json:"attributes"`
	Groups  int `json:"groups"`
	Present int `json:"present"` // users that the target had already
	Skipped int `json:"skipped"` // users that cannot be carried
}

// Report is the result of Plan or Run.
type Report struct {
	From   db.Flavour `json:"from"`
	To     db.Flavour `json:"to"`
	Counts Counts     `json:"counts"`
	Notes  []Note     `json:"notes"`
}

// Options of Run. The zero value is good.
type Options struct {
	Batch    int                // users per transaction, default 500
	Progress func(Counts)       // called after every batch
	Note     func(Note)         // called at once with every note; Report keeps them too
	Match    func(db.User) bool // nil: all users
}

const defaultBatch = 500

// job is one pass over the source.
type job struct {
	src, dst db.Directory
	tr       *translator
	opt      Options
	report   Report
	domains  map[string]bool // names that the target has, or would have
	reached  int             // aliases that were found with their users
}

func newJob(src, dst db.Directory, opt Options) (*job, error) {
	if src.Flavour() == dst.Flavour() {
		return nil, fmt.Errorf("both sides are of the %s flavour; there is nothing to translate: %w", src.Flavour(), db.ErrNotSupported)
	}
	if opt.Batch <= 0 {
		opt.Batch = defaultBatch
	}
	return &job{
		src: src, dst: dst, opt: opt, tr: newTranslator(src, dst),
		report: Report{From: src.Flavour(), To: dst.Flavour()}, domains: make(map[string]bool),
	}, nil
}

func (j *job) note(notes ...Note) {
	j.report.Notes = append(j.report.Notes, notes...)
	if j.opt.Note != nil {
		for _, n := range notes {
			j.opt.Note(n)
		}
	}
}

// Plan counts what Run would carry and notes what it would not, writing nothing.
func Plan(ctx context.Context, src, dst db.Directory) (Report, error) {
	j, err := newJob(src, dst, Options{})
	if err != nil {
		return Report{}, err
	}
	err = j.eachDomain(ctx, func(d db.Domain, attrs []db.Attr) error {
		j.report.Counts.Domains++
		j.report.Counts.Attrs += len(attrs)
		return nil
	})
	if err != nil {
		return j.report, err
	}
	for u, err := range j.users(ctx) {
		if err != nil {
			return j.report, err
		}
		j.reached += len(u.old.Aliases)
		if !u.ok {
			j.report.Counts.Skipped++
			continue
		}
		if !j.domains[u.new.Address.Domain] {
			j.domains[u.new.Address.Domain] = true
			j.report.Counts.Domains++
			j.note(Note{UnknownDomain, u.new.Address.Domain, "has users but is no domain of the source; it will be made"})
		}
		if _, err := dst.User(ctx, u.new.Address); err == nil {
			j.report.Counts.Present++
			continue
		} else if !errors.Is(err, db.ErrNoUser) {
			return j.report, err
		}
		j.count(u.new)
	}
	return j.report, j.orphans(ctx)
}

func (j *job) count(u db.NewUser) {
	c := &j.report.Counts
	c.Users++
	c.Aliases += len(u.Aliases)
	c.Attrs += len(u.Attrs)
	c.Groups += len(u.Groups)
}

// orphans notes aliases that lead to no user of the source.
func (j *job) orphans(ctx context.Context) error {
	if j.opt.Match != nil {
		return nil
	}
	all := 0
	for _, err := range j.src.Aliases(ctx, db.Filter{}) {
		if err != nil {
			return err
		}
		all++
	}
	if all > j.reached {
		j.note(Note{AliasOrphan, fmt.Sprintf("%d aliases", all-j.reached), "lead to no user and stay behind"})
	}
	return nil
}

// eachDomain translates every domain and its attributes.
func (j *job) eachDomain(ctx context.Context, do func(db.Domain, []db.Attr) error) error {
	if j.src.Flavour() == db.SER {
		global, err := j.src.Attrs(ctx, db.Global(), "")
		if err != nil {
			return err
		}
		if len(global) > 0 {
			j.note(Note{GlobalNotMigrated, "global_attrs", fmt.Sprintf("%d attributes of everyone have no place in the %s flavour", len(global), j.dst.Flavour())})
		}
	}
	for d, err := range j.src.Domains(ctx, db.Filter{}) {
		if err != nil {
			return err
		}
		attrs, err := j.src.Attrs(ctx, db.OfDomain(d.Name), "")
		if err != nil && !errors.Is(err, db.ErrNotSupported) {
			return err
		}
		d, attrs, notes, ok, err := j.tr.domain(ctx, d, attrs)
		j.note(notes...)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		for _, n := range append([]string{d.Name}, d.Aliases...) {
			j.domains[n] = true
		}
		if err := do(d, attrs); err != nil {
			return err
		}
	}
	return nil
}

// translated is a user on both sides.
type translated struct {
	old db.User
	new db.NewUser
	ok  bool
}

// users streams the users of the source, translated.
func (j *job) users(ctx context.Context) iter.Seq2[translated, error] {
	return func(yield func(translated, error) bool) {
		for listed, err := range j.src.Users(ctx, db.Filter{}) {
			if err != nil {
				yield(translated{}, err)
				return
			}
			u, err := j.src.User(ctx, listed.Address)
			if errors.Is(err, db.ErrNoUser) { // removed meanwhile
				continue
			}
			if err != nil {
				yield(translated{}, err)
				return
			}
			if j.opt.Match != nil && !j.opt.Match(u) {
				continue
			}
			shadowed, err := j.shadowed(ctx, &u)
			if err != nil {
				yield(translated{}, err)
				return
			}
			n, notes, ok, err := j.tr.user(ctx, u)
			j.note(append(notes, shadowed...)...)
			if !yield(translated{old: u, new: n, ok: ok}, err) || err != nil {
				return
			}
		}
	}
}

// shadowed takes away aliases that are other users' own addresses, as
// Kamailio's tables allow: the owner keeps the address.
func (j *job) shadowed(ctx context.Context, u *db.User) ([]Note, error) {
	if j.src.Flavour() != db.Kamailio {
		return nil, nil
	}
	var notes []Note
	var kept []db.Address
	for _, a := range u.Aliases {
		owner, err := j.src.User(ctx, a)
		if err != nil {
			return nil, err
		}
		if owner.Address == a {
			notes = append(notes, Note{AliasConflict, u.Address.String() + " alias " + a.String(), "is the own address of another user"})
			continue
		}
		kept = append(kept, a)
	}
	j.reached += len(notes)
	u.Aliases = kept
	return notes, nil
}

// Run carries everything over. Interrupted, it leaves whole batches behind;
// run again, it finds these users present and goes on.
func Run(ctx context.Context, src, dst db.Directory, opt Options) (Report, error) {
	j, err := newJob(src, dst, opt)
	if err != nil {
		return Report{}, err
	}
	if err := j.eachDomain(ctx, func(d db.Domain, attrs []db.Attr) error { return j.writeDomain(ctx, d, attrs) }); err != nil {
		return j.report, err
	}
	var batch []db.NewUser
	for u, err := range j.users(ctx) {
		if err != nil {
			return j.report, err
		}
		j.reached += len(u.old.Aliases)
		if !u.ok {
			j.report.Counts.Skipped++
			continue
		}
		switch _, err := dst.User(ctx, u.new.Address); {
		case err == nil:
			j.report.Counts.Present++
			continue
		case !errors.Is(err, db.ErrNoUser):
			return j.report, err
		}
		if err := j.needDomain(ctx, u.new.Address.Domain); err != nil {
			return j.report, err
		}
		if batch = append(batch, u.new); len(batch) == j.opt.Batch {
			if err := j.writeUsers(ctx, batch); err != nil {
				return j.report, err
			}
			batch = batch[:0]
		}
	}
	if err := j.writeUsers(ctx, batch); err != nil {
		return j.report, err
	}
	return j.report, j.orphans(ctx)
}

func (j *job) writeDomain(ctx context.Context, d db.Domain, attrs []db.Attr) error {
	switch have, err := j.dst.Domain(ctx, d.Name); {
	case errors.Is(err, db.ErrNoDomain):
		if err := j.dst.AddDomain(ctx, d); err != nil {
			return err
		}
		j.report.Counts.Domains++
	case err != nil:
		return err
	default: // from a run before this one, perhaps ended in between
		for _, a := range d.Aliases {
			if a != have.Name && !slices.Contains(have.Aliases, a) {
				if err := j.dst.AddDomainAlias(ctx, d.Name, a); err != nil {
					return err
				}
			}
		}
	}
	j.report.Counts.Attrs += len(attrs)
	if len(attrs) == 0 {
		return nil
	}
	return j.dst.SetAttrs(ctx, db.OfDomain(d.Name), attrs...)
}

// needDomain makes a domain that has users but no row in the source.
func (j *job) needDomain(ctx context.Context, name string) error {
	if j.domains[name] {
		return nil
	}
	err := j.dst.AddDomain(ctx, db.Domain{Name: name})
	if err == nil {
		j.report.Counts.Domains++
		j.note(Note{UnknownDomain, name, "has users but is no domain of the source; it was made"})
	}
	if errors.Is(err, db.ErrExists) {
		err = nil
	}
	j.domains[name] = err == nil
	return err
}

// writeUsers adds a batch at once; when one user of it is refused, one by
// one, so that one does not hold up the others.
func (j *job) writeUsers(ctx context.Context, batch []db.NewUser) error {
	if len(batch) == 0 {
		return nil
	}
	_, err := j.dst.AddUsers(ctx, slices.Values(batch))
	switch {
	case err == nil:
		for _, u := range batch {
			j.count(u)
		}
	case refused(err):
		for _, u := range batch {
			if err := j.writeUser(ctx, u); err != nil {
				return err
			}
		}
	default:
		return err
	}
	if j.opt.Progress != nil {
		j.opt.Progress(j.report.Counts)
	}
	return nil
}

// writeUser adds one user, and when that is refused without those aliases
// that somebody else has.
func (j *job) writeUser(ctx context.Context, u db.NewUser) error {
	err := j.dst.AddUser(ctx, u)
	if err == nil {
		j.count(u)
		return nil
	}
	if !refused(err) {
		return err
	}
	bare := u
	bare.Aliases = nil
	if err := j.dst.AddUser(ctx, bare); err != nil {
		if !refused(err) {
			return err
		}
		j.report.Counts.Skipped++
		j.note(Note{UserSkipped, u.Address.String(), err.Error()})
		return nil
	}
	j.count(bare)
	for _, a := range u.Aliases {
		switch err := j.dst.AddAlias(ctx, u.Address, a); {
		case err == nil:
			j.report.Counts.Aliases++
		case refused(err):
			j.note(Note{AliasConflict, u.Address.String() + " alias " + a.String(), err.Error()})
		default:
			return err
		}
	}
	return nil
}

// refused tells a matter of the data from one of the database.
func refused(err error) bool {
	if _, ok := errors.AsType[*db.FieldError](err); ok {
		return true
	}
	for _, kind := range []error{db.ErrExists, db.ErrDuplicate, db.ErrNoDomain, db.ErrNoAttr, db.ErrNotSupported} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

package db

import (
	"context"
	"iter"
	"strings"
	"time"
)

// Directory is what an operator means by "the users of this server", whatever
// tables hold them. [sipd/db/serdb] and [sipd/db/kamdb] implement it, one per
// flavour; sipd/db/directory chooses by looking at the tables.
//
// Every method that changes something is one transaction over all its tables:
// after an error nothing was written. Names are checked before the database
// sees them; a name that cannot be stored is a *[FieldError]. Values travel as
// bind parameters only, so no byte of them is ever read as SQL.
//
// Errors: [ErrExists], [ErrNoUser], [ErrNoDomain], [ErrNoAlias], [ErrNoAttr],
// [ErrInUse], [ErrNotSupported] (the flavour has no place for it), *[FieldError],
// and those of [Classify] (ErrLocked, ErrUnavailable …).
type Directory interface {
	Flavour() Flavour
	DB() *DB

	// AddDomain makes d.Name served here, and d.Aliases other names of the
	// same domain. An empty d.DID becomes d.Name. ErrExists when one of the
	// names is taken.
	AddDomain(ctx context.Context, d Domain) error
	// AddDomainAlias gives the domain one more name. Kamailio and SER both
	// group names by did.
	AddDomainAlias(ctx context.Context, domain, alias string) error
	// RemoveDomain drops the name; with the canonical name go all its aliases
	// and the attributes of the domain. While users live in it, it is
	// ErrInUse; with cascade they are removed too.
	RemoveDomain(ctx context.Context, name string, cascade bool) (Counts, error)
	// SetDomainDisabled switches all names of a domain off or on without
	// losing data. ErrNotSupported in the Kamailio flavour.
	SetDomainDisabled(ctx context.Context, name string, off bool) error
	// Domain finds by any of its names. ErrNoDomain.
	Domain(ctx context.Context, name string) (Domain, error)
	// Domains streams every domain, ordered by canonical name.
	Domains(ctx context.Context, f Filter) iter.Seq2[Domain, error]

	// AddUser writes all rows of a new user. ErrExists when the address is a
	// user or an alias of one, ErrNoDomain when the domain is not served.
	AddUser(ctx context.Context, u NewUser) error
	// AddUsers does it for many in one transaction, in few statements; the
	// first error undoes all and says which user it was.
	AddUsers(ctx context.Context, users iter.Seq[NewUser]) (int, error)
	// AddEach adds a batch of users in one transaction and tells for each what
	// is wrong with it, nil when nothing is. While one is wrong none is
	// written; with skip the others are. The last result is an error of the
	// database, after which nothing was written.
	AddEach(ctx context.Context, users []NewUser, skip bool) ([]error, error)
	// RemoveUser deletes what belongs to the user in every table and reports
	// the number of rows by table.
	RemoveUser(ctx context.Context, a Address) (Counts, error)
	// SetPassword replaces the secrets of the user. ErrNoUser.
	SetPassword(ctx context.Context, a Address, p Password) error
	// SetDisabled switches a user off or on without losing data.
	// ErrNotSupported in the Kamailio flavour, which has no column for it.
	SetDisabled(ctx context.Context, a Address, off bool) error
	// User reads one user with aliases, attributes and groups; a is the
	// user's own address or an alias. ErrNoUser.
	User(ctx context.Context, a Address) (User, error)
	// Users streams users ordered by domain and name, without aliases,
	// attributes and groups (User has them).
	Users(ctx context.Context, f Filter) iter.Seq2[User, error]
	// Fill reads aliases, attributes and groups of users that came from Users.
	Fill(ctx context.Context, users []User) error
	// Authenticate tells whether the password is the user's, by the stored
	// HA1. ErrNoUser.
	Authenticate(ctx context.Context, a Address, password string) (bool, error)

	// AddAlias lets alias reach the user. ErrExists when the alias is taken
	// by a user or another alias, ErrNoDomain when its domain is not served.
	AddAlias(ctx context.Context, user, alias Address) error
	// RemoveAlias: ErrNoAlias.
	RemoveAlias(ctx context.Context, alias Address) error
	// Aliases streams the aliases that Filter.User has, or all.
	Aliases(ctx context.Context, f Filter) iter.Seq2[Alias, error]

	// SetAttrs replaces, for every name in attrs, all values the owner has of
	// it by those given here (several with one name are several values).
	SetAttrs(ctx context.Context, o Owner, attrs ...Attr) error
	// AddAttr gives the owner one more value of each attribute. ErrExists when
	// the owner has one of the values.
	AddAttr(ctx context.Context, o Owner, attrs ...Attr) error
	// RemoveAttr removes one value, or all values when value is nil.
	// ErrNoAttr when there was none.
	RemoveAttr(ctx context.Context, o Owner, name string, value *string) (int, error)
	// Attrs reads the attributes of the owner ordered by name and age; name
	// "" means all.
	Attrs(ctx context.Context, o Owner, name string) ([]Attr, error)

	// Grant puts the user into groups and says how many were new.
	Grant(ctx context.Context, a Address, groups ...string) (int, error)
	// Revoke takes the user out of the groups, or of all when none is named,
	// and says how many rows went.
	Revoke(ctx context.Context, a Address, groups ...string) (int, error)
	// Groups are the user's, sorted.
	Groups(ctx context.Context, a Address) ([]string, error)
}

// Domain is a SIP domain served here, under one or several names.
type Domain struct {
	Name     string    `json:"domain"`            // canonical name, lower case
	DID      string    `json:"did"`               // its id in other tables; the name, unless told otherwise
	Aliases  []string  `json:"aliases,omitempty"` // its other names, sorted
	Realm    string    `json:"realm"`             // digest realm of its users
	Disabled bool      `json:"disabled,omitempty"`
	Modified time.Time `json:"modified,omitzero"` // zero where the flavour does not tell
	Users    int       `json:"users"`             // filled by Domain, not by Domains
	IDType   IDType    `json:"-"`                 // AddDomain: how a DID that is not given is made
}

// Password is how a secret is handed over. Either Plain is given and the
// hashes are computed, or HA1 (and HA1B, if known) as hex digits.
type Password struct {
	Plain string
	HA1   string // MD5(user:realm:password), lower case hex
	HA1B  string // MD5(user@domain:realm:password)
	// Keep stores Plain in clear, which old servers with calculate_ha1=1 need.
	Keep bool
	// Algorithm of the hashes in ha1 and ha1b, which MD5 is not where the
	// server's own algorithm is another. Columns of their own take the others.
	Algorithm Algorithm
	// None makes an account that cannot log in.
	None bool
}

// NewUser is what AddUser writes.
type NewUser struct {
	Address  Address
	Password Password
	IDType   IDType    // how a UID that is not given is made
	UID      string    // "" means user@domain; Kamailio keeps another as attribute "uid"
	Created  time.Time // zero is now; Kamailio keeps an earlier one as attribute "datetime_created"
	Aliases  []Address
	Attrs    []Attr
	Groups   []string
}

// User is what a directory knows of one user. The hashes do not show in
// JSON: whoever wants them reads the fields.
type User struct {
	Address  Address   `json:"user"`
	UID      string    `json:"uid"`
	Realm    string    `json:"realm"`
	HA1      string    `json:"-"`
	HA1B     string    `json:"-"`
	Plain    string    `json:"-"`      // stored clear text, usually ""
	Secret   string    `json:"secret"` // "ha1", "ha1+plain", "plain" or "none"
	Created  time.Time `json:"created,omitzero"`
	Disabled bool      `json:"disabled,omitempty"`
	Aliases  []Address `json:"aliases,omitempty"`
	Attrs    []Attr    `json:"attributes,omitempty"`
	Groups   []string  `json:"groups,omitempty"`
}

// Alias is an address that leads to a user.
type Alias struct {
	Alias Address `json:"alias"`
	User  Address `json:"user"`
}

// Owner says whose attributes are meant: a user's, a domain's or everyone's.
// Make one with [OfUser], [OfDomain] or [Global].
type Owner struct {
	User   Address
	Domain string
}

// OfUser owns the attributes of one user.
func OfUser(a Address) Owner { return Owner{User: a} }

// OfDomain owns the attributes of all users of a domain.
func OfDomain(name string) Owner { return Owner{Domain: name} }

// Global owns the attributes of everyone. SER flavour only.
func Global() Owner { return Owner{} }

// Filter narrows a list. The zero value lists everything.
type Filter struct {
	Domain string  // of this domain only
	User   Address // Aliases: of this user only
	Match  string  // user@domain or domain contains this text, ASCII case ignored
	Limit  int     // at most so many, 0 is no limit
	Offset int
}

// Counts is the number of rows per table that a change removed or wrote.
type Counts map[string]int

// Add counts n rows of a table; none leave no entry.
func (c Counts) Add(table string, n int) {
	if n != 0 {
		c[table] += n
	}
}

// Total is the sum over all tables.
func (c Counts) Total() int {
	sum := 0
	for _, n := range c {
		sum += n
	}
	return sum
}

// Pager applies Match, Offset and Limit of a filter to a stream.
type Pager struct {
	match      string
	skip, left int
}

// Pager makes one for a stream that begins now.
func (f Filter) Pager() *Pager {
	p := &Pager{match: lowerASCII(f.Match), skip: f.Offset, left: f.Limit}
	if f.Limit <= 0 {
		p.left = -1
	}
	return p
}

// Take tells whether the item named so belongs to the page.
func (p *Pager) Take(name string) bool {
	if p.left == 0 || !strings.Contains(lowerASCII(name), p.match) {
		return false
	}
	if p.skip > 0 {
		p.skip--
		return false
	}
	p.left--
	return true
}

// Full tells that nothing more will be taken.
func (p *Pager) Full() bool { return p.left == 0 }

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}

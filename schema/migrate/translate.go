package migrate

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"sipd/db"
	"sipd/schema"
)

// declarer is a directory whose attributes have declared types (serdb).
type declarer interface {
	DeclaredType(ctx context.Context, name string) (db.AttrType, error)
}

// translator knows what the target can hold.
type translator struct {
	from, to             db.Flavour
	types                declarer               // nil where attributes are free
	known                map[string]db.AttrType // what types said
	domainSize, uidSize  int
	groupSize, password  int
	attrValue, attrName  int
	dattrValue, dattrKey int
}

func newTranslator(src, dst db.Directory) *translator {
	t := &translator{from: src.Flavour(), to: dst.Flavour(), known: make(map[string]db.AttrType)}
	t.types, _ = dst.(declarer)
	s := schema.Of(t.to)
	t.domainSize = s.Size("domain", "domain")
	t.dattrKey, t.dattrValue = s.Size("domain_attrs", "name"), s.Size("domain_attrs", "value")
	if t.to == db.SER {
		t.attrName, t.attrValue = s.Size("user_attrs", "name"), s.Size("user_attrs", "value")
		t.groupSize, t.password, t.uidSize = t.attrValue, s.Size("credentials", "password"), s.Size("uri", "uid")
	} else {
		t.attrName, t.attrValue = s.Size("usr_preferences", "attribute"), s.Size("usr_preferences", "value")
		t.groupSize, t.password, t.uidSize = s.Size("grp", "grp"), s.Size("subscriber", "password"), t.attrValue
	}
	return t
}

// domain translates a domain with its attributes; not ok means it stays.
func (t *translator) domain(ctx context.Context, d db.Domain, attrs []db.Attr) (db.Domain, []db.Attr, []Note, bool, error) {
	var notes []Note
	if len(d.Name) > t.domainSize {
		return d, nil, []Note{{DomainTooLong, d.Name, fmt.Sprintf("has %d characters, the column holds %d", len(d.Name), t.domainSize)}}, false, nil
	}
	d.Aliases = slices.DeleteFunc(slices.Clone(d.Aliases), func(a string) bool {
		if len(a) > t.domainSize {
			notes = append(notes, Note{DomainTooLong, a, fmt.Sprintf("name of %s; the column holds %d characters", d.Name, t.domainSize)})
			return true
		}
		return false
	})
	if t.to == db.Kamailio {
		if d.Disabled {
			return d, nil, append(notes, Note{StateNotStored, d.Name, "is disabled, which the kamailio flavour cannot say; it stays behind"}), false, nil
		}
		// The realm of a user is the domain there; users with another one are noted.
		d.Realm = ""
		attrs = slices.DeleteFunc(slices.Clone(attrs), func(a db.Attr) bool { return a.Name == "digest_realm" })
	}
	out, more, err := t.attrs(ctx, d.Name, attrs, t.dattrKey, t.dattrValue)
	return d, out, append(notes, more...), true, err
}

// user translates a user; not ok means it stays, and a note says why.
func (t *translator) user(ctx context.Context, u db.User) (db.NewUser, []Note, bool, error) {
	name := u.Address.String()
	n := db.NewUser{Address: u.Address, UID: u.UID, Created: u.Created}
	n.Address.Domain = strings.ToLower(n.Address.Domain)
	stay := func(class, why string) (db.NewUser, []Note, bool, error) {
		return n, []Note{{class, name, why}}, false, nil
	}
	if err := n.Address.Check(); err != nil {
		return stay(UserSkipped, err.Error())
	}
	if len(n.Address.Domain) > t.domainSize {
		return stay(DomainTooLong, "its domain does not fit")
	}
	if u.Disabled && t.to == db.Kamailio {
		return stay(StateNotStored, "is disabled, which the kamailio flavour cannot say; it stays behind")
	}
	if utf8.RuneCountInString(n.UID) > t.uidSize || t.to == db.SER && n.UID == u.Address.String() {
		n.UID = "" // the target makes its own
	}
	var notes []Note
	n.Password, notes = t.secret(u)
	for _, a := range u.Aliases {
		if err := a.Check(); err != nil {
			notes = append(notes, Note{AliasMalformed, name + " alias " + a.String(), err.Error()})
			continue
		}
		n.Aliases = append(n.Aliases, a)
	}
	for _, g := range u.Groups {
		if err := db.CheckGroup(g, t.groupSize); err != nil {
			notes = append(notes, Note{GroupNotStored, name + " group " + g, err.Error()})
			continue
		}
		n.Groups = append(n.Groups, g)
	}
	attrs, more, err := t.attrs(ctx, name, u.Attrs, t.attrName, t.attrValue)
	n.Attrs = attrs
	return n, append(notes, more...), true, err
}

// secret carries the hashes as they are: nobody knows the password, and
// where it is kept in clear the hash may be of another realm on purpose.
func (t *translator) secret(u db.User) (db.Password, []Note) {
	name := u.Address.String()
	var notes []Note
	p := db.Password{HA1: u.HA1, HA1B: u.HA1B, Plain: u.Plain, Keep: u.Plain != ""}
	if p.Keep && (utf8.RuneCountInString(p.Plain) > t.password || !utf8.ValidString(p.Plain)) {
		notes = append(notes, Note{PasswordTooLong, name, "its password does not fit the column of the target; only the hash is carried"})
		p.Keep = false
	}
	switch {
	case u.HA1 == "" && u.Plain == "" && u.HA1B == "":
		return db.Password{None: true}, append(notes, Note{CredEmpty, name, "has no password and cannot log in"})
	case u.HA1 == "" && u.Plain == "":
		return db.Password{None: true}, append(notes, Note{CredHA1BOnly, name, "has only ha1b, from which ha1 cannot be had; give it a new password"})
	case u.HA1 != "" && !p.Keep:
		p.Plain = ""
	}
	if u.HA1 != "" && u.Realm != u.Address.Domain && t.to == db.Kamailio {
		notes = append(notes, Note{CredOtherRealm, name, "its hash is of realm " + u.Realm + "; it can log in only where the server challenges with that"})
	}
	return p, notes
}

// attrs translates attributes and leaves out what cannot be stored.
func (t *translator) attrs(ctx context.Context, owner string, attrs []db.Attr, nameSize, valueSize int) ([]db.Attr, []Note, error) {
	var out []db.Attr
	var notes []Note
	seen := make(map[db.Attr]bool)
	for _, a := range attrs {
		subject := owner + " " + a.Name
		if a.Name == "datetime_created" || t.to == db.SER && a.Name == "acl" {
			notes = append(notes, Note{AttrNotStored, subject, "means something else in the " + t.to.String() + " flavour"})
			continue
		}
		if n := utf8.RuneCountInString(a.Value); n > valueSize {
			notes = append(notes, Note{AttrValueTooLong, subject, fmt.Sprintf("has %d characters, the column holds %d", n, valueSize)})
			continue
		}
		declared, err := t.declared(ctx, a.Name)
		if err != nil {
			return nil, notes, err
		}
		if declared != db.AttrAuto {
			a.Type = declared
		}
		err = a.Check(nameSize, valueSize)
		if err == nil && t.to == db.SER && a.Type == db.AttrInt {
			if _, bad := strconv.ParseUint(a.Value, 10, 32); bad != nil {
				err = fmt.Errorf("%s is no integer without a sign, as the ser flavour has them", a.Value)
			}
		}
		if err != nil {
			notes = append(notes, Note{AttrNotStored, subject, err.Error()})
			continue
		}
		if t.to == db.SER && seen[db.Attr{Name: a.Name, Value: a.Value}] {
			continue // its unique index keeps one of equal values
		}
		seen[db.Attr{Name: a.Name, Value: a.Value}] = true
		out = append(out, a)
	}
	return out, notes, nil
}

func (t *translator) declared(ctx context.Context, name string) (db.AttrType, error) {
	if t.types == nil {
		return db.AttrAuto, nil
	}
	typ, ok := t.known[name]
	if !ok {
		var err error
		if typ, err = t.types.DeclaredType(ctx, name); err != nil {
			return typ, err
		}
		if typ != db.AttrAuto { // an undeclared one is declared by its first user
			t.known[name] = typ
		}
	}
	return typ, nil
}

package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sipd/db"
)

// Difference is what the target has otherwise than the source says.
type Difference struct {
	Subject string `json:"subject"`
	What    string `json:"what"`
	Source  string `json:"source"`
	Target  string `json:"target"`
}

func (d Difference) String() string {
	return fmt.Sprintf("%s: %s: source %s, target %s", d.Subject, d.What, d.Source, d.Target)
}

// Verify compares both sides: every domain and user of the source, as it
// should have been carried, and users that only the target has. What the plan
// leaves behind is no difference.
func Verify(ctx context.Context, src, dst db.Directory) ([]Difference, error) {
	j, err := newJob(src, dst, Options{})
	if err != nil {
		return nil, err
	}
	var out []Difference
	err = j.eachDomain(ctx, func(d db.Domain, attrs []db.Attr) error {
		diffs, err := j.compareDomain(ctx, d, attrs)
		out = append(out, diffs...)
		return err
	})
	if err != nil {
		return out, err
	}
	for u, err := range j.users(ctx) {
		if err != nil {
			return out, err
		}
		if !u.ok {
			continue
		}
		have, err := dst.User(ctx, u.new.Address)
		switch {
		case errors.Is(err, db.ErrNoUser):
			out = append(out, Difference{u.new.Address.String(), "user", "has it", "has not"})
		case err != nil:
			return out, err
		default:
			out = append(out, compareUser(u.old, u.new, have)...)
		}
	}
	for u, err := range dst.Users(ctx, db.Filter{}) {
		if err != nil {
			return out, err
		}
		switch _, err := src.User(ctx, u.Address); {
		case errors.Is(err, db.ErrNoUser):
			out = append(out, Difference{u.Address.String(), "user", "has not", "has it"})
		case err != nil:
			return out, err
		}
	}
	return out, nil
}

func (j *job) compareDomain(ctx context.Context, d db.Domain, attrs []db.Attr) ([]Difference, error) {
	have, err := j.dst.Domain(ctx, d.Name)
	if errors.Is(err, db.ErrNoDomain) {
		return []Difference{{d.Name, "domain", "has it", "has not"}}, nil
	}
	if err != nil {
		return nil, err
	}
	var c comparison
	c.subject = d.Name
	c.text("names", strings.Join(sorted(append(d.Aliases, d.Name)), " "), strings.Join(sorted(append(have.Aliases, have.Name)), " "))
	haveAttrs, err := j.dst.Attrs(ctx, db.OfDomain(d.Name), "")
	if err != nil {
		return nil, err
	}
	if j.dst.Flavour() == db.SER { // it has a realm for every domain
		haveAttrs = slices.DeleteFunc(haveAttrs, func(a db.Attr) bool { return a.Name == "digest_realm" })
		attrs = slices.DeleteFunc(slices.Clone(attrs), func(a db.Attr) bool { return a.Name == "digest_realm" })
	}
	c.text("attributes", attrText(attrs), attrText(haveAttrs))
	return c.out, nil
}

// comparison gathers the differences of one subject.
type comparison struct {
	subject string
	out     []Difference
}

func (c *comparison) text(what, source, target string) {
	if source != target {
		c.out = append(c.out, Difference{c.subject, what, source, target})
	}
}

// secret compares without showing.
func (c *comparison) secret(what, source, target string) {
	if source != target {
		c.out = append(c.out, Difference{c.subject, what, "one value", "another"})
	}
}

func compareUser(old db.User, want db.NewUser, have db.User) []Difference {
	c := comparison{subject: want.Address.String()}
	c.text("aliases", addressText(want.Aliases), addressText(have.Aliases))
	c.text("groups", strings.Join(sorted(want.Groups), " "), strings.Join(sorted(have.Groups), " "))
	c.text("attributes", attrText(want.Attrs), attrText(have.Attrs))
	if !want.Password.None && old.HA1 != "" {
		c.secret("ha1", strings.ToLower(old.HA1), have.HA1)
		c.secret("ha1b", strings.ToLower(old.HA1B), have.HA1B)
	}
	if want.Password.Keep {
		c.secret("password", want.Password.Plain, have.Plain)
	}
	return c.out
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}

func addressText(as []db.Address) string {
	var s []string
	for _, a := range as {
		s = append(s, a.String())
	}
	return strings.Join(sorted(s), " ")
}

func attrText(as []db.Attr) string {
	as = slices.Clone(as)
	slices.SortFunc(as, func(a, b db.Attr) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Value, b.Value)) })
	var s []string
	for _, a := range as {
		s = append(s, fmt.Sprintf("%s(%s)=%q", a.Name, a.Type, a.Value))
	}
	return strings.Join(s, " ")
}

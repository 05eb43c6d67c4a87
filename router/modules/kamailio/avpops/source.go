package avpops

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/sip"
)

// key is how a row is found: by which columns. It is also an index of the
// statements on a table.
type key uint8

const (
	byUUID key = iota
	byUser
	byDomain
	byUserDomain
	keyCount
)

// source says whose attributes a call is about.
type source struct {
	text string
	v    pv.Var // set when Get is
	key  key
}

// uriVars are the variables that are taken apart as URIs without being told.
var uriVars = []string{"$ru", "$fu", "$tu", "$ou", "$ruri", "$from", "$to", "$ouri"}

// source reads "$ru", "$fu/username", "$avp(x)/uuid" or a constant.
func (m *avpops) source(text string) (*source, error) {
	if m.url == "" {
		return nil, errors.New("the avp_db_ functions need db_url and avp_table")
	}
	name, part, has := strings.Cut(text, "/")
	s := &source{text: name}
	if strings.HasPrefix(name, "$") {
		var err error
		if s.v, err = m.variable(name); err != nil {
			return nil, err
		}
	}
	if name == "" {
		return nil, errors.New("it is not said whose attributes are meant")
	}
	if !has {
		part = "uuid"
		if slices.Contains(uriVars, name) {
			part = "uri"
		}
	}
	withDomain := m.useDomain != 0
	switch strings.ToLower(part) {
	case "uuid":
		s.key = byUUID
	case "uri":
		s.key = byUser
		if withDomain {
			s.key = byUserDomain
		}
	case "username":
		s.key = byUser
	case "domain":
		s.key = byDomain
	default:
		return nil, fmt.Errorf("unknown part %q; there are uuid, uri, username and domain", part)
	}
	return s, nil
}

// owner is whose attributes a call is about: uuid, user and domain.
type owner struct{ uuid, user, domain string }

func (s *source) owner(c *run.Context) (owner, error) {
	text := s.text
	if s.v.Get != nil {
		if text = s.v.Get(c).Text(); text == "" {
			return owner{}, fmt.Errorf("%s has no value", s.v.Name)
		}
	}
	if s.key == byUUID {
		return owner{uuid: text}, nil
	}
	u, err := sip.ParseURI(text)
	if err != nil {
		return owner{}, err
	}
	if u.User == "" || u.Host == "" {
		return owner{}, fmt.Errorf("the URI %q has no user or no host", text)
	}
	o := owner{user: u.User, domain: u.Host}
	switch s.key {
	case byUser:
		o.domain = ""
	case byDomain:
		o.user = ""
	}
	return o, nil
}

// args are the values of the key's columns.
func (o owner) args(k key) []any {
	switch k {
	case byUser:
		return []any{o.user}
	case byDomain:
		return []any{o.domain}
	case byUserDomain:
		return []any{o.user, o.domain}
	}
	return []any{o.uuid}
}

// target is the attributes that a call is about, and where they are kept.
type target struct {
	x      *attr // nil: those of kinds
	kinds  kinds
	table  string
	scheme *scheme
}

// target reads "$avp(x)", "*", "s", "$avp(x)/table" or, where schemes is set,
// "$avp(x)/$scheme".
func (m *avpops) target(text string, schemes bool) (*target, error) {
	name, where, has := strings.Cut(text, "/")
	t := &target{table: m.table}
	if strings.HasPrefix(name, "$") {
		x, err := m.attr(name)
		if err != nil {
			return nil, err
		}
		t.x = &x
	} else {
		var err error
		if t.kinds, err = parseKinds(name); err != nil {
			return nil, err
		}
	}
	named, isScheme := strings.CutPrefix(where, "$")
	switch {
	case !has:
	case where == "" || named == "":
		return nil, errors.New("the name of a table is missing behind the /")
	case !isScheme:
		t.table = where
	case !schemes:
		return nil, errors.New("only avp_db_load can use a scheme")
	case t.x == nil:
		return nil, errors.New("a scheme needs the name of the attribute: $avp(name)/$scheme")
	default:
		if t.scheme = m.schemes[strings.ToLower(named)]; t.scheme == nil {
			return nil, fmt.Errorf("there is no db_scheme %s", named)
		}
	}
	return t, nil
}

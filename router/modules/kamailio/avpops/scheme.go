package avpops

import (
	"errors"
	"fmt"
	"strings"
)

// scheme is how a table is read that is not one of attributes: db_scheme.
type scheme struct {
	table, value           string
	uuid, username, domain string // "": the columns of the module
	number                 bool   // the value is one
}

// addScheme reads "name:table=t;value_col=v;value_type=integer;…".
func (m *avpops) addScheme(text string) error {
	name, rest, ok := strings.Cut(text, ":")
	name = strings.ToLower(strings.TrimSpace(name))
	if !ok || name == "" || strings.ContainsAny(name, " \t") {
		return errors.New("a scheme is NAME:table=TABLE;value_col=COLUMN;…")
	}
	if m.schemes[name] != nil {
		return fmt.Errorf("there are two schemes of the name %s", name)
	}
	s := new(scheme)
	for part := range strings.SplitSeq(rest, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if err := s.set(part); err != nil {
			return err
		}
	}
	if s.table == "" {
		return fmt.Errorf("the scheme %s names no table", name)
	}
	m.schemes[name] = s
	return nil
}

func (s *scheme) set(part string) error {
	key, value, ok := strings.Cut(part, "=")
	key, value = strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value)
	if !ok || value == "" {
		return fmt.Errorf("%q is not NAME=VALUE", part)
	}
	var to *string
	switch key {
	case "uuid_col":
		to = &s.uuid
	case "username_col":
		to = &s.username
	case "domain_col":
		to = &s.domain
	case "value_col":
		to = &s.value
	case "table":
		to = &s.table
	case "value_type":
		s.number = strings.EqualFold(value, "integer")
		if !s.number && !strings.EqualFold(value, "string") {
			return fmt.Errorf("unknown value_type %q; there are integer and string", value)
		}
		return nil
	default:
		return fmt.Errorf("unknown part %q; there are table, value_col, value_type, uuid_col, username_col and domain_col", key)
	}
	if *to != "" {
		return fmt.Errorf("%s stands there twice", key)
	}
	*to = value
	return nil
}

package db

import (
	"errors"
	"fmt"
)

// Conditions of a database; see [Classify].
var (
	ErrNoDatabase  = errors.New("no such database")
	ErrNoTable     = errors.New("table is missing")
	ErrLocked      = errors.New("database is locked")
	ErrDuplicate   = errors.New("row exists already")
	ErrUnavailable = errors.New("database is not available")
	ErrReadOnly    = errors.New("database is read-only")
	ErrDenied      = errors.New("access denied")
	ErrNotDatabase = errors.New("not a database")
)

// Conditions of a [Directory]. The error that carries one says of what; match
// with errors.Is.
var (
	ErrExists       = errors.New("exists")
	ErrNoUser       = errors.New("no such user")
	ErrNoDomain     = errors.New("no such domain")
	ErrNoAlias      = errors.New("no such alias")
	ErrNoAttr       = errors.New("no such attribute")
	ErrInUse        = errors.New("still in use")
	ErrNotSupported = errors.New("this flavour cannot hold it")
)

// FieldError tells that a value cannot be stored, before anything was written.
type FieldError struct {
	Field string // "user", "domain", "password", "alias" …
	Value string // as given; never filled for secrets
	Why   string // "is empty", "is longer than 64 bytes", `has a blank` …
}

func (e *FieldError) Error() string {
	if e.Value == "" {
		return e.Field + " " + e.Why
	}
	return fmt.Sprintf("%s %s %s", e.Field, abbreviate(e.Value), e.Why)
}

// abbreviate quotes v and shortens it to what fits on a line.
func abbreviate(v string) string {
	const most = 48
	if len(v) > most {
		return fmt.Sprintf("%q… (%d bytes)", v[:most], len(v))
	}
	return fmt.Sprintf("%q", v)
}

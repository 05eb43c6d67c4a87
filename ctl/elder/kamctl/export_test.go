package kamctl

import (
	"testing"

	"sipd/db"
)

// Elder makes a database for the real kamctl and gives what runs it there, for
// tests that know package ctl, which knows this one.
func Elder(tb testing.TB, e db.Engine, settings string) func(args ...string) (out string, code int) {
	tb.Helper()
	needElder(tb)
	b := newBase(tb, e, settings)
	return func(args ...string) (string, int) { return elder(tb, b.rc, "", args...) }
}

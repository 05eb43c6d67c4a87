package kamdb

import (
	"testing"

	"sipd/db"
	"sipd/schema"
)

// TestVersions: what is written here is of the schema's release.
func TestVersions(t *testing.T) {
	for _, n := range versions {
		if want := schema.Of(db.Kamailio).Table(n.Table).Version; n.Version != want {
			t.Errorf("table %s is written as of version %d, the schema has %d", n.Table, n.Version, want)
		}
	}
}

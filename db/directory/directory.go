// Package directory chooses the [db.Directory] that fits a database. It stands
// apart from package db because it knows the implementations, which know db.
package directory

import (
	"context"

	"sipd/db"
	"sipd/db/kamdb"
	"sipd/db/serdb"
	"sipd/schema"
)

// Open looks at the tables of d and gives the directory of their flavour. f
// insists on one; db.Auto takes what is there. A database that is empty, of
// another flavour or of a generation too old is a *[schema.MismatchError],
// which says the command that helps. d stays the caller's to close.
func Open(ctx context.Context, d *db.DB, f db.Flavour) (db.Directory, error) {
	r, err := schema.Require(ctx, d, f)
	if err != nil {
		return nil, err
	}
	if r.Flavour == db.SER {
		return serdb.New(d, r.Found), nil
	}
	return kamdb.New(d, r.Found), nil
}

// Found are the tables of a directory of this package as they were when it was
// opened.
func Found(dir db.Directory) schema.Tables {
	if x, ok := dir.(interface{ Found() schema.Tables }); ok {
		return x.Found()
	}
	return nil
}

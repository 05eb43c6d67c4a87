package presencexml

import (
	"context"
	"database/sql"
	"errors"

	"sipd/db"
	"sipd/router/dbx"
)

// Types of documents in the table xcap.
const (
	presRules        = 1 << 1
	pidfManipulation = 1 << 4
)

// documentColumns are those that are read of the table.
var documentColumns = []string{"username", "domain", "doc", "doc_type", "doc_uri"}

// documents are the documents of users.
type documents struct{ ofUser, byURI *db.Stmt }

func newDocuments(conn *dbx.Conn, table string) documents {
	doc := []string{"doc"}
	return documents{
		ofUser: conn.Select(table, doc, []string{"doc_type", "username", "domain"}, ""),
		byURI:  conn.Select(table, doc, []string{"doc_type", "doc_uri"}, ""),
	}
}

func (d documents) close() error { return dbx.CloseAll(d.ofUser, d.byURI) }

func get(ctx context.Context, st *db.Stmt, args ...any) (string, error) {
	if st == nil { // the configuration is explained: nothing is read
		return "", nil
	}
	var doc db.Text
	err := st.Get(ctx, args, &doc)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return string(doc), err
}

// Rules is the document of rules of a user, "" when there is none.
func (m *mod) Rules(ctx context.Context, user, domain string) (string, error) {
	if m.forceActive {
		return "", nil
	}
	return get(ctx, m.docs.ofUser, presRules, user, domain)
}

// hardState is the document that stands in place of what a user publishes.
func (m *mod) hardState(ctx context.Context, user, domain, fileURI string) (string, error) {
	switch {
	case m.forceActive:
		return "", nil
	case fileURI != "":
		return get(ctx, m.docs.byURI, pidfManipulation, fileURI)
	}
	return get(ctx, m.docs.ofUser, pidfManipulation, user, domain)
}

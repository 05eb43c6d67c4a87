package dbx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sipd/db"
	"sipd/router/module"
	"sipd/router/run"
)

// Select makes a prepared statement that reads columns of the rows whose other
// columns have the values of its arguments; nil while a configuration is only
// checked. tail is put behind ("ORDER BY id", "" for nothing).
func (c *Conn) Select(table string, columns, where []string, tail string) *db.Stmt {
	if c.DB == nil {
		return nil
	}
	var b strings.Builder
	b.WriteString("SELECT " + c.QuoteAll(columns) + " FROM " + c.Quote(table))
	for i, w := range where {
		if i == 0 {
			b.WriteString(" WHERE ")
		} else {
			b.WriteString(" AND ")
		}
		b.WriteString(c.Quote(w) + " = ?")
	}
	if tail != "" {
		b.WriteString(" " + tail)
	}
	return c.Query(b.String())
}

// Tables are the statements of a module on tables that the script names. It is
// safe for concurrent use.
type Tables struct {
	// Make makes the statements on one table, in an order that the module knows.
	Make func(table string) []*db.Stmt

	mu sync.RWMutex // guards the field below
	// byName are the statements of each table that was used.
	byName map[string][]*db.Stmt
}

// mostTables bounds the tables that one configuration can use, for their names
// may come from a message.
const mostTables = 64

var errTables = fmt.Errorf("the script names more than %d tables", mostTables)

// Get finds the statements on a table, or makes them.
func (t *Tables) Get(table string) ([]*db.Stmt, error) {
	t.mu.RLock()
	s := t.byName[table]
	t.mu.RUnlock()
	if s != nil {
		return s, nil
	}
	if table == "" {
		return nil, errors.New("the name of the table is empty")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if s = t.byName[table]; s != nil {
		return s, nil
	}
	if len(t.byName) >= mostTables {
		return nil, errTables
	}
	if t.byName == nil {
		t.byName = make(map[string][]*db.Stmt)
	}
	s = t.Make(strings.Clone(table))
	t.byName[strings.Clone(table)] = s
	return s, nil
}

// Compile readies the table that is argument i of a call. One that the script
// names as a constant is looked at before the daemon starts: require says what
// is wrong with it.
func (t *Tables) Compile(a module.Args, i int, require func(table string) error) (func(*run.Context) ([]*db.Stmt, error), error) {
	if !a[i].IsConst {
		return func(c *run.Context) ([]*db.Stmt, error) { return t.Get(a.Str(c, i)) }, nil
	}
	name := a[i].Const.Text()
	if name == "" {
		return nil, &module.ArgError{I: i, Err: errors.New("a table is wanted")}
	}
	if err := require(name); err != nil {
		return nil, &module.ArgError{I: i, Err: err}
	}
	s, err := t.Get(name)
	if err != nil {
		return nil, &module.ArgError{I: i, Err: err}
	}
	return func(*run.Context) ([]*db.Stmt, error) { return s, nil }, nil
}

// Close frees the statements; they must not be in use.
func (t *Tables) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	for _, list := range t.byName {
		errs = append(errs, CloseAll(list...))
	}
	clear(t.byName)
	return errors.Join(errs...)
}

// CloseAll frees statements; nil ones are passed over.
func CloseAll(list ...*db.Stmt) error {
	var errs []error
	for _, s := range list {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// RequireColumns is Require for one table of Kamailio's with a deadline of its
// own, for what is checked while calls are compiled.
func (c *Conn) RequireColumns(table string, columns ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return c.Require(ctx, db.Kamailio, Table{Name: table, Columns: columns})
}

// Failures logs what databases say against look-ups, once a second at most.
type Failures struct {
	// Module is the name in the log.
	Module string
	// Text is the message, "database not read" when it is empty.
	Text string

	silent atomic.Int64 // seconds since 1970: nothing is logged before
}

// Log logs an error that a run met.
func (f *Failures) Log(c *run.Context, err error) {
	now, until := c.Now().Unix(), f.silent.Load()
	if now < until || !f.silent.CompareAndSwap(until, now+1) {
		return
	}
	text := f.Text
	if text == "" {
		text = "database not read"
	}
	c.Logger().LogAttrs(context.Background(), slog.LevelError, text,
		slog.String("module", f.Module), slog.String("call_id", c.Msg.CallID()), slog.Any("err", err))
}

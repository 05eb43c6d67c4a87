// Package dbtext is the module that opens folders of text files, a table each,
// for other modules. The tables live in memory, in a database of their own, and
// are written back as Kamailio writes them: when somebody says db_text.dump, and
// at the end.
package dbtext

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"sipd/db"
	"sipd/router/dbx"
	"sipd/router/module"
	"sipd/router/stat"
)

type driver struct {
	*dbx.Pools
	open     *folders
	tookOver bool // the folders are those of the configuration before

	mode, buffer, rows int
	empty              int
	connection, delim  string
	host               *module.Host
}

// folders are the open databases of all modules.
type folders struct {
	mu sync.Mutex // guards the field below
	// list are the open ones.
	list []*folder
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	d := &driver{Pools: new(dbx.Pools), open: new(folders), buffer: 16384, rows: 100000, delim: ":"}
	d.Opener = d.openFolder
	return d
}

// Exports lists what the module brings.
func (d *driver) Exports() *module.Exports {
	return &module.Exports{
		Name: "db_text",
		Help: "opens folders of text files (text:///PATH) for other modules",
		Params: []module.Param{
			{Name: "db_mode", Help: "0: files are read once; 1: a file that changed is read again when a table is asked", Value: &d.mode, Max: 1},
			{Name: "emptystring", Help: "not 0: an empty field of a text column is an empty text, not NULL", Value: &d.empty},
			{Name: "file_buffer_size", Help: "most octets of a field in a file", Value: &d.buffer, Min: 1, Max: maxFile},
			{Name: "max_result_rows", Help: "accepted without effect: rows are handed on one by one, however many there are", Value: &d.rows},
			{Name: "default_connection", Help: "the folder that db_text.query asks, text:///PATH", Value: &d.connection},
			{Name: "db_delim", Help: "the character between fields", Value: &d.delim, Check: d.checkDelim},
		},
		RPC:   d.methods(),
		Stats: []stat.Def{{Name: "driver_errors", Help: "errors that the databases answered", Source: stat.Func(func() int64 { return d.Errors() })}},
	}
}

func (d *driver) checkDelim() error {
	if len(d.delim) != 1 || strings.ContainsAny(d.delim, "\\\n\r\t\x00nrt0") {
		return errors.New("one character is wanted, not one that an escape begins or ends with")
	}
	return nil
}

// Init has nothing to open: folders are opened when a module asks for them. A
// reload leaves those that are open as they are.
func (d *driver) Init(_ context.Context, h *module.Host) error {
	d.host = h
	if old, ok := h.Old.(*driver); ok {
		for _, name := range module.Changed(old, d) {
			if name != "default_connection" && name != "max_result_rows" {
				return &module.RestartError{Params: []string{name}}
			}
		}
		d.open = old.open
	}
	d.Pools, d.tookOver = d.Succeed(h.Old, nil)
	if d.connection == "" {
		return nil
	}
	if name, err := dbx.DriverOf(d.connection); err != nil || name != "db_text" {
		return fmt.Errorf("default_connection %q: want text:///PATH", db.Redact(d.connection))
	}
	return nil
}

// TookOver says that the open folders are those of the configuration before.
func (d *driver) TookOver() bool { return d.tookOver }

// openFolder is the Opener of the pools.
func (d *driver) openFolder(ctx context.Context, url string) (*db.DB, error) {
	f := &folder{
		path: strings.TrimPrefix(url, "text:"), live: d.mode == 1, log: d.host.Log,
		fmt: format{delim: d.delim[0], empty: d.empty != 0, maxField: d.buffer},
	}
	if err := f.open(ctx); err != nil {
		return nil, err
	}
	d.open.mu.Lock()
	defer d.open.mu.Unlock()
	d.open.list = append(d.open.list, f)
	f.ended = func() { d.open.remove(f) }
	return f.db, nil
}

func (o *folders) remove(f *folder) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range o.list {
		if o.list[i] == f {
			o.list = append(o.list[:i:i], o.list[i+1:]...)
			return
		}
	}
}

func (o *folders) all() []*folder {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]*folder(nil), o.list...)
}

// dump writes what changed; the errors are logged.
func (d *driver) dump() bool {
	done := true
	for _, f := range d.open.all() {
		if err := f.save(); err != nil {
			d.host.Log.LogAttrs(context.Background(), slog.LevelError, "tables not written", slog.String("module", "db_text"), slog.Any("err", err))
			done = false
		}
	}
	return done
}

// Package dbsqlite is the module that opens SQLite files for other modules. The
// engine is part of the daemon.
package dbsqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"sipd/db"
	"sipd/router/dbx"
	"sipd/router/module"
	"sipd/router/stat"
)

type driver struct {
	*dbx.Pools
	tookOver bool              // the pools are those of the configuration before
	readOnly []string          // paths
	journal  map[string]string // mode by path
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	d := &driver{Pools: new(dbx.Pools), journal: make(map[string]string)}
	d.Options = d.options
	return d
}

// Exports lists what the module brings.
func (d *driver) Exports() *module.Exports {
	return &module.Exports{
		Name: "db_sqlite",
		Help: "opens SQLite files (sqlite:///PATH) for other modules",
		Params: []module.Param{
			{Name: "db_set_readonly", Help: "path of a file that is opened for reading only; may be repeated", Value: d.setReadOnly},
			{Name: "db_set_journal_mode", Help: "PATH=MODE, several separated by semicolons; may be repeated", Value: d.setJournal},
		},
		Stats: []stat.Def{{Name: "driver_errors", Help: "errors that the databases answered", Source: stat.Func(func() int64 { return d.Errors() })}},
	}
}

// Init has nothing to open: files are opened when a module asks for them.
func (d *driver) Init(_ context.Context, h *module.Host) error {
	d.Pools, d.tookOver = d.Succeed(h.Old, d.options)
	return nil
}

// TookOver says that the open files are those of the configuration before.
func (d *driver) TookOver() bool { return d.tookOver }

func (d *driver) setReadOnly(v string) error {
	d.readOnly = append(d.readOnly, clean(v))
	return nil
}

var journalModes = []string{"WAL", "DELETE", "TRUNCATE", "PERSIST", "MEMORY", "OFF"}

func (d *driver) setJournal(v string) error {
	for part := range strings.SplitSeq(v, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		i := strings.LastIndexByte(part, '=')
		if i <= 0 {
			return fmt.Errorf("wants PATH=MODE, not %q", part)
		}
		mode := strings.ToUpper(strings.TrimSpace(part[i+1:]))
		if !slices.Contains(journalModes, mode) {
			return fmt.Errorf("journal mode %q: want one of %s", part[i+1:], strings.Join(journalModes, ", "))
		}
		d.journal[clean(part[:i])] = mode
	}
	return nil
}

func (d *driver) options(url string) []db.Option {
	_, path, _ := strings.Cut(url, ":")
	path = clean(path)
	var opts []db.Option
	if slices.Contains(d.readOnly, path) {
		opts = append(opts, db.ReadOnly())
	}
	if mode := d.journal[path]; mode != "" {
		opts = append(opts, db.JournalMode(mode))
	}
	return opts
}

// clean makes paths comparable: with or without "sqlite:" and "//".
func clean(path string) string {
	path = strings.TrimPrefix(strings.TrimSpace(path), "sqlite:")
	return filepath.Clean(strings.TrimPrefix(path, "//"))
}

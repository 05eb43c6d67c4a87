// Package dbtext is the module db_text of old configurations: it loads, and
// says what to use instead of tables in text files.
package dbtext

import (
	"context"
	"fmt"

	"sipd/router/module"
)

type text struct {
	mode, buffer, rows int
	empty              bool
	connection, delim  string
}

// New makes the module; it is what the list of modules names.
func New() module.Module { return &text{buffer: 16384, rows: 100000, empty: true, delim: ":"} }

// Exports lists the parameters of the elder. They mean nothing here, for no
// text file is opened: a db_url text://… is refused by whoever has it.
func (t *text) Exports() *module.Exports {
	const help = "accepted without effect: tables in text files are not read"
	return &module.Exports{
		Name: "db_text",
		Help: "lets configurations that name it load; a db_url text:// is refused, with what to use instead",
		Params: []module.Param{
			{Name: "db_mode", Help: help, Value: &t.mode},
			{Name: "emptystring", Help: help, Value: &t.empty},
			{Name: "file_buffer_size", Help: help, Value: &t.buffer},
			{Name: "max_result_rows", Help: help, Value: &t.rows},
			{Name: "default_connection", Help: help, Value: &t.connection},
			{Name: "db_delim", Help: help, Value: &t.delim},
		},
	}
}

// Init refuses what would have to read a text file.
func (t *text) Init(_ context.Context, h *module.Host) error {
	if t.connection != "" {
		return fmt.Errorf("default_connection %q: tables in text files are not read; put them into SQLite (sipctl db create) and load db_sqlite.so", t.connection)
	}
	h.Log.Warn("tables in text files are not read; modules with a db_url text:// will not start", "module", "db_text")
	return nil
}

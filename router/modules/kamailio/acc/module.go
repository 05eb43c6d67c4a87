// Package acc is the module that accounts transactions: a line in the log or a
// row in a table for each that ends, and for calls that were missed.
package acc

import (
	"context"
	"errors"
	"log/slog"

	"sipd/router/dbx"
	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/tm"
)

type acc struct {
	earlyMedia, reportACK, reportCancels bool
	direction, nullable, reasonHeader    bool
	failedFlag, prepareFlag              int
	prepareAlways                        bool
	failedFilter                         string
	legInfo                              string
	logFlag, logMissedFlag, logLevel     int
	logFacility, logExtra                string
	dbFlag, dbMissedFlag, insertMode     int
	dbURL, dbExtra, accTable, mcTable    string
	versionCheck                         bool
	columns                              columns
	timeMode                             int
	timeAttr, timeExten, timeFormat      string
	cloneMsg                             bool
	extraSize                            int
	cdr                                  cdr

	env      *run.Env
	log      *slog.Logger
	level    slog.Level
	filter   map[int]bool
	logVars  []extra
	dbVars   []extra
	legs     []extra
	rr       direction
	vars     *pv.Registry
	conn     *dbx.Conn
	tables   dbx.Tables
	accName  *pv.Format
	mcName   *pv.Format
	failures dbx.Failures
	queue    chan row
}

// direction is what module rr tells of a request in a dialog.
type direction interface {
	AppendsFromTag() bool
	Upstream(c *run.Context) bool
}

// transactions is what is needed of module tm.
type transactions interface{ Table() *tm.Table }

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &acc{
		failedFlag: -1, prepareFlag: -1, logFlag: -1, logMissedFlag: -1, dbFlag: -1, dbMissedFlag: -1,
		logLevel: 1, accTable: "acc", mcTable: "missed_calls", columns: defaultColumns,
		timeAttr: "time_attr", timeExten: "time_exten", timeFormat: "%Y-%m-%d %H:%M:%S",
		cloneMsg: true, extraSize: 64, cdr: defaultCDR, versionCheck: true,
	}
}

// Exports lists what the module brings.
func (a *acc) Exports() *module.Exports {
	comment := module.Arg{Name: "comment", Type: module.ArgFormat}
	table := module.Arg{Name: "table", Type: module.ArgFormat}
	return &module.Exports{
		Name:   "acc",
		Help:   "accounts transactions in the log and in tables",
		Params: a.params(),
		Functions: []module.Function{
			{Name: "acc_log_request", Help: "write a line about the message into the log", Args: []module.Arg{comment}, In: run.AnyRoute, New: a.newLog},
			{Name: "acc_db_request", Help: "write a row about the message into a table", Args: []module.Arg{comment, table}, In: run.AnyRoute, New: a.newDB},
			{Name: "acc_request", Help: "both; the row only when there is a database", Args: []module.Arg{comment, table}, In: run.AnyRoute, New: a.newBoth},
		},
		Needs: []string{"tm"}, After: []string{"dialog"},
	}
}

// Init checks the parameters, opens the database and asks tm to tell.
func (a *acc) Init(ctx context.Context, h *module.Host) (err error) {
	a.env, a.log, a.vars, a.failures.Module = h.Env, h.Log, h.Vars, h.Name
	t, ok := h.Module("tm").(transactions)
	if !ok {
		return errors.New(`needs module tm; put loadmodule "tm.so" before loadmodule "acc.so"`)
	}
	if err := a.check(h); err != nil {
		return err
	}
	if a.logFacility != "" && h.LogTo != nil {
		log, err := h.LogTo(a.logFacility)
		if err != nil {
			return err
		}
		a.log = log.With(slog.String("module", h.Name))
	}
	if a.dbURL == "" && (a.dbFlag >= 0 || a.dbMissedFlag >= 0) {
		// as Kamailio: without a database these flags count for nothing
		h.Log.LogAttrs(ctx, slog.LevelWarn, "db_flag and db_missed_flag have no effect without db_url", slog.String("module", h.Name))
		a.dbFlag, a.dbMissedFlag = -1, -1
	}
	if a.dbURL != "" {
		if err := a.openDB(ctx, h); err != nil {
			return err
		}
	}
	if err := a.cdr.init(a, h); err != nil {
		return err
	}
	t.Table().Watch(&tm.Watcher{New: a.interested, Reply: a.replied, Failed: a.failedAll, Acked: a.acked})
	return nil
}

// Close writes what waits and gives the database back.
func (a *acc) Close() error {
	if a.queue != nil {
		close(a.queue)
		for r := range a.queue {
			a.insert(context.Background(), r)
		}
	}
	return errors.Join(a.tables.Close(), dbx.CloseAll(a.cdr.stmt), a.conn.Close())
}

// Serve writes the rows of db_insert_mode 1 and 2.
func (a *acc) Serve(ctx context.Context) error {
	if a.queue == nil {
		return nil
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case r := <-a.queue:
			a.insert(ctx, r)
		}
	}
}

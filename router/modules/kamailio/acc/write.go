package acc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"sipd/db"
	"sipd/router/dbx"
	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/schema"
)

// row is a row to be written.
type row struct {
	table  string
	values []any
	callID string
	stmt   *db.Stmt // nil for that of the table of transactions or missed calls
}

// maxQueue bounds the rows that wait in db_insert_mode 1 and 2.
const maxQueue = 8192

var (
	errQueue = errors.New("the database is slower than the calls: a row was lost")
	errNoDB  = errors.New(`there is no database to write to; set modparam("acc", "db_url", "…")`)
)

// openDB opens the database and looks at the tables whose names do not change.
func (a *acc) openDB(ctx context.Context, h *module.Host) (err error) {
	if a.conn, err = dbx.Open(ctx, h, a.dbURL); err != nil {
		return err
	}
	a.tables.Make = func(table string) []*db.Stmt { return []*db.Stmt{a.statement(table)} }
	for _, t := range []struct {
		flag   int
		name   string
		format **pv.Format
	}{{a.dbFlag, a.accTable, &a.accName}, {a.dbMissedFlag, a.mcTable, &a.mcName}} {
		if *t.format, err = h.Vars.ParseFormat(t.name, pv.Kamailio); err != nil {
			return fmt.Errorf("table %q: %w", t.name, err)
		}
		if name, ok := (*t.format).IsConst(); ok && t.flag >= 0 {
			if err := a.require(name); err != nil {
				return err
			}
		}
	}
	if a.insertMode != 0 && !h.CheckOnly {
		a.queue = make(chan row, maxQueue)
	}
	return nil
}

// names are the columns in the order of values.
func (a *acc) names() []string {
	c := &a.columns
	list := []string{c.method, c.fromTag, c.toTag, c.callID, c.code, c.reason, c.time}
	if a.timeMode > 0 {
		list = append(list, a.timeAttr)
	}
	if a.timeMode == 1 {
		list = append(list, a.timeExten)
	}
	for _, x := range a.dbVars {
		list = append(list, x.name)
	}
	for _, x := range a.legs {
		list = append(list, x.name)
	}
	return list
}

func (a *acc) require(table string) error {
	return a.requireColumns(table, a.names(), slices.Concat(a.dbVars, a.legs))
}

// requireColumns looks at a table; the columns of more are the operator's to add.
func (a *acc) requireColumns(table string, names []string, more []extra) error {
	err := a.conn.RequireColumns(table, names...)
	var m *schema.MismatchError
	if !errors.As(err, &m) || m.Column == "" {
		return err
	}
	// No release has the columns of db_extra and multi_leg_info: the operator
	// adds them.
	var add []string
	for _, x := range more {
		if a.conn.RequireColumns(table, x.name) != nil {
			add = append(add, "ALTER TABLE "+table+" ADD COLUMN "+x.name+" VARCHAR(128) NOT NULL DEFAULT ''")
		}
	}
	if !slices.ContainsFunc(more, func(x extra) bool { return x.name == m.Column }) {
		return err
	}
	m.Command = `sipctl db exec "` + strings.Join(add, "; ") + `"`
	return err
}

// statement inserts into a table of transactions.
func (a *acc) statement(table string) *db.Stmt { return a.inserting(table, a.names()) }

func (a *acc) inserting(table string, names []string) *db.Stmt {
	if a.conn.DB == nil {
		return nil
	}
	return a.conn.Command("INSERT INTO " + a.conn.Quote(table) + " (" + a.conn.QuoteAll(names) + ") VALUES (?" + strings.Repeat(", ?", len(names)-1) + ")")
}

// tableArg looks at the table that a call names as a constant.
func (a *acc) tableArg(args module.Args) error {
	if a.conn == nil {
		return errNoDB
	}
	if !args[1].IsConst {
		return nil
	}
	if err := a.require(args[1].Const.Text()); err != nil {
		return &module.ArgError{I: 1, Err: err}
	}
	return nil
}

// timeText is the other value of the time in modes 2 to 4.
func (a *acc) timeText(t time.Time) string {
	switch a.timeMode {
	case 2:
		return strconv.FormatFloat(float64(t.UnixMicro())/1e6, 'f', 3, 64)
	case 3:
		return string(pv.AppendTime(nil, a.timeFormat, t.Local()))
	case 4:
		return string(pv.AppendTime(nil, a.timeFormat, t.UTC()))
	}
	return ""
}

// writeLog writes a record as one line.
func (a *acc) writeLog(c *run.Context, text string, r *record) {
	ctx := context.Background()
	if !a.log.Enabled(ctx, a.level) {
		return
	}
	b := append(c.TakeScratch(), text...)
	b = strconv.AppendInt(append(b, "timestamp="...), r.at.Unix(), 10)
	switch a.timeMode {
	case 1:
		b = append(append(append(b, ';'), a.timeExten...), '=')
		b = strconv.AppendInt(b, int64(r.at.Nanosecond()/1000), 10)
	case 2, 3, 4:
		b = field(b, a.timeAttr, a.timeText(r.at))
	}
	b = field(b, "method", r.method)
	b = field(b, "from_tag", r.fromTag)
	b = field(b, "to_tag", r.toTag)
	b = field(b, "call_id", r.callID)
	b = field(b, "code", r.codeText)
	b = field(b, "reason", r.reason)
	for _, x := range a.logVars {
		b = field(b, x.name, x.v.Get(c).Text())
	}
	a.eachLeg(c, func(values []run.Value) bool {
		for i, x := range a.legs {
			b = field(b, x.name, values[i].Text())
		}
		return true
	})
	a.log.LogAttrs(ctx, a.level, string(b))
	c.GiveScratch(b)
}

func field(b []byte, name, value string) []byte {
	return append(append(append(append(b, ';'), name...), '='), value...)
}

// eachLeg calls f with the attributes of every leg: always once, then as long
// as one of the attributes has a further value.
func (a *acc) eachLeg(c *run.Context, f func([]run.Value) bool) {
	if len(a.legs) == 0 {
		return
	}
	values := make([]run.Value, len(a.legs))
	for n := 0; ; n++ {
		found := false
		for i := range a.legs {
			at := a.legs[i].v.Attr
			values[i] = c.AVPs.Get(at.Class, at.Name, n)
			found = found || !values[i].IsNull()
		}
		if n > 0 && !found || !f(values) {
			return
		}
	}
}

// writeDB writes a record as one row, or a row for each leg; 1, or -1 when the
// database did not take it.
func (a *acc) writeDB(c *run.Context, table string, r *record) int {
	if a.conn == nil {
		a.failures.Log(c, errNoDB)
		return -1
	}
	values := []any{r.method, r.fromTag, r.toTag, r.callID, r.codeText, r.reason, a.conn.Time(r.at, time.Local)}
	switch a.timeMode {
	case 1:
		values = append(values, r.at.Unix(), r.at.Nanosecond()/1000)
	case 2:
		values = append(values, float64(r.at.UnixMicro())/1e6)
	case 3, 4:
		values = append(values, a.timeText(r.at))
	}
	for _, x := range a.dbVars {
		values = append(values, a.column(x.v.Get(c)))
	}
	if len(a.legs) == 0 {
		return a.put(c, row{table, values, r.callID, nil})
	}
	code := 1
	a.eachLeg(c, func(legs []run.Value) bool {
		all := values[:len(values):len(values)]
		for _, v := range legs {
			all = append(all, a.column(v))
		}
		code = min(code, a.put(c, row{table, all, r.callID, nil}))
		return true
	})
	return code
}

// column is what is bound for an extra value.
func (a *acc) column(v run.Value) any {
	if v.IsNull() && a.nullable {
		return nil
	}
	return v.Text()
}

// put writes a row now or queues it; c is nil where no message brought it about.
func (a *acc) put(c *run.Context, r row) int {
	err := error(nil)
	if a.queue == nil {
		err = a.exec(context.Background(), r)
	} else {
		select {
		case a.queue <- r:
		default:
			err = errQueue
		}
	}
	switch {
	case err == nil:
		return 1
	case c == nil:
		a.lost(r, err)
	default:
		a.failures.Log(c, err)
	}
	return -1
}

func (a *acc) exec(ctx context.Context, r row) error {
	st := r.stmt
	if st == nil {
		list, err := a.tables.Get(r.table)
		if err != nil {
			return err
		}
		st = list[0]
	}
	if st == nil { // databases are left alone
		return errNoDB
	}
	_, err := st.Exec(ctx, r.values...)
	return err
}

func (a *acc) lost(r row, err error) {
	a.log.LogAttrs(context.Background(), slog.LevelError, "record not written", slog.String("call_id", r.callID), slog.Any("err", err))
}

// insert writes a queued row.
func (a *acc) insert(ctx context.Context, r row) {
	if err := a.exec(context.WithoutCancel(ctx), r); err != nil {
		a.lost(r, err)
	}
}

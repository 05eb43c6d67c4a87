package acc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"sipd/db"
	"sipd/router/call"
	"sipd/router/module"
	"sipd/router/run"
)

// cdr writes records of whole calls, which module dialog follows. Begin, end and
// duration are variables of the call, so that they outlive the daemon with it.
type cdr struct {
	enable, log, confirmed, expired, onFailed, nullable bool
	skip, facility, extra, start, end, duration, table  string
	extraSize                                           int

	a    *acc
	to   *slog.Logger
	vars []extra
	stmt *db.Stmt
	// keys are the variables of the call that stand for vars where there is no
	// message: what is between the parentheses, as with Kamailio.
	keys []string
}

// calls is what is needed of module dialog.
type calls interface{ WatchCalls(*call.Watcher) }

var defaultCDR = cdr{log: true, onFailed: true, start: "start_time", end: "end_time", duration: "duration", extraSize: 64}

func (c *cdr) params() []module.Param {
	return []module.Param{
		{Name: "cdr_enable", Help: "1: a record for each call; needs module dialog", Value: &c.enable},
		{Name: "cdr_log_enable", Help: "1: calls in the log", Value: &c.log},
		{Name: "cdr_skip", Help: "calls with this $dlg_var get no record", Value: &c.skip},
		{Name: "cdr_start_on_confirmed", Help: "1: a call begins with its ACK, not with its INVITE", Value: &c.confirmed},
		{Name: "cdr_facility", Help: "syslog facility of the lines; empty: the daemon's", Value: &c.facility},
		{Name: "cdr_extra", Help: "more values: NAME=$variable;…", Value: &c.extra},
		{Name: "cdr_extra_nullable", Help: "1: undefined extra values are NULL, not empty", Value: &c.nullable},
		{Name: "cdr_extra_size", Help: "most values of cdr_extra", Value: &c.extraSize, Min: 1, Max: 1024},
		{Name: "cdr_start_id", Help: "name of the begin, and its column", Value: &c.start},
		{Name: "cdr_end_id", Help: "name of the end, and its column", Value: &c.end},
		{Name: "cdr_duration_id", Help: "name of the duration, and its column", Value: &c.duration},
		{Name: "cdr_expired_dlg_enable", Help: "1: also calls that lasted too long and got no BYE", Value: &c.expired},
		{Name: "cdr_on_failed", Help: "0: no records of calls that were refused", Value: &c.onFailed},
		{Name: "cdrs_table", Help: "table of calls; empty for none", Value: &c.table},
	}
}

// init reads what the parameters mean, and asks dialog to tell.
func (c *cdr) init(a *acc, h *module.Host) (err error) {
	if c.a = a; !c.enable {
		return nil
	}
	d, ok := h.Module("dialog").(calls)
	if !ok {
		return errors.New(`cdr_enable needs module dialog, which follows calls; put loadmodule "dialog.so" before loadmodule "acc.so"`)
	}
	if c.start == "" || c.end == "" || c.duration == "" {
		return errors.New("cdr_start_id, cdr_end_id and cdr_duration_id must be names")
	}
	if c.vars, err = parseExtra(h.Vars, c.extra, c.extraSize, false, "cdr_extra_size"); err != nil {
		return fmt.Errorf("cdr_extra: %w", err)
	}
	for _, x := range c.vars {
		c.keys = append(c.keys, inner(x.v.Name))
	}
	c.to = h.Log
	if c.facility != "" && h.LogTo != nil {
		if c.to, err = h.LogTo(c.facility); err != nil {
			return err
		}
		c.to = c.to.With(slog.String("module", h.Name))
	}
	if c.table != "" {
		if a.conn == nil {
			return errors.New("cdrs_table is in the database; set db_url")
		}
		if err := a.requireColumns(c.table, c.names(), c.vars); err != nil {
			return err
		}
		c.stmt = a.inserting(c.table, c.names())
	}
	d.WatchCalls(&call.Watcher{
		Created: c.created, Confirmed: c.onConfirmed, Failed: c.failed, Ended: c.ended, EndConfirmed: c.endConfirmed, Expired: c.onExpired,
	})
	return nil
}

// inner is NAME of $class(NAME), "" for a variable without.
func inner(name string) string {
	_, name, ok := strings.Cut(name, "(")
	if !ok {
		return ""
	}
	if i := strings.LastIndexByte(name, ')'); i >= 0 {
		name = name[:i]
	}
	if i := strings.Index(name, "=>"); i >= 0 {
		name = name[i+2:]
	}
	return name
}

// names are the columns in the order of a row's values.
func (c *cdr) names() []string {
	list := []string{c.start, c.end, c.duration}
	for _, x := range c.vars {
		list = append(list, x.name)
	}
	return list
}

// stamp is a moment, or a duration, as variables of calls have it.
func stamp(ms int64) string { return fmt.Sprintf("%d.%03d", ms/1000, ms%1000) }

// millis reads what stamp wrote.
func millis(s string) (int64, bool) {
	sec, ms, ok := strings.Cut(s, ".")
	n, err := strconv.ParseInt(sec, 10, 64)
	if !ok || err != nil || len(ms) > 3 {
		return 0, false
	}
	m, err := strconv.ParseUint(ms, 10, 16)
	return n*1000 + int64(m), err == nil
}

// begin notes the moment as begin and end.
func (c *cdr) begin(x call.Call) {
	now := stamp(time.Now().UnixMilli())
	x.SetVar(c.start, now)
	x.SetVar(c.end, now)
	x.SetVar(c.duration, "0")
}

func (c *cdr) created(_ *run.Context, x call.Call) { c.begin(x) }

func (c *cdr) onConfirmed(_ *run.Context, x call.Call) {
	if c.confirmed {
		c.begin(x)
	}
}

// ended notes the end and the duration.
func (c *cdr) ended(_ *run.Context, x call.Call) {
	now := time.Now().UnixMilli()
	x.SetVar(c.end, stamp(now))
	text, _ := x.Var(c.start)
	start, ok := millis(text)
	if !ok {
		c.a.log.LogAttrs(context.Background(), slog.LevelError, "duration of a call not known: the script changed when it began", slog.String("call_id", x.CallID()))
		return
	}
	x.SetVar(c.duration, stamp(max(now-start, 0)))
}

func (c *cdr) failed(r *run.Context, x call.Call) {
	if c.onFailed {
		c.write(r, x)
	}
}

func (c *cdr) endConfirmed(r *run.Context, x call.Call) { c.write(r, x) }

func (c *cdr) onExpired(x call.Call, confirmed bool) {
	if confirmed {
		c.ended(nil, x)
	}
	if c.expired {
		c.write(nil, x)
	}
}

// write writes the record of a call into the log and the table. r is the run of
// a message, nil for none.
func (c *cdr) write(r *run.Context, x call.Call) {
	if c.skip != "" {
		if _, ok := x.Var(c.skip); ok {
			return
		}
	}
	extras := make([]run.Value, len(c.vars))
	for i := range c.vars {
		switch {
		case r != nil:
			extras[i] = c.vars[i].v.Get(r)
		case c.keys[i] != "":
			if v, ok := x.Var(c.keys[i]); ok {
				extras[i] = run.Str(v)
			}
		}
	}
	if c.log {
		c.writeLog(x, extras)
	}
	if c.table != "" {
		c.writeDB(r, x, extras)
	}
}

// writeLog writes "start_time=…; end_time=…; duration=…; NAME=…".
func (c *cdr) writeLog(x call.Call, extras []run.Value) {
	ctx := context.Background()
	if !c.to.Enabled(ctx, c.a.level) {
		return
	}
	var b []byte
	for i, name := range c.names() {
		if i > 0 {
			b = append(b, "; "...)
		}
		b = append(append(b, name...), '=')
		if i < 3 {
			v, _ := x.Var(name)
			b = append(b, v...)
		} else {
			b = append(b, extras[i-3].Text()...)
		}
	}
	c.to.LogAttrs(ctx, c.a.level, string(b))
}

// writeDB writes a row; times as the table has them, the duration in seconds.
func (c *cdr) writeDB(r *run.Context, x call.Call, extras []run.Value) {
	values := make([]any, 0, 3+len(extras))
	for _, name := range []string{c.start, c.end} {
		text, _ := x.Var(name)
		ms, ok := millis(text)
		switch at := time.UnixMilli(ms).Truncate(time.Second); {
		case !ok:
			values = append(values, nil)
		case c.a.timeMode == 4:
			values = append(values, at.UTC().Format(time.DateTime))
		default:
			values = append(values, c.a.conn.Time(at, time.Local))
		}
	}
	text, _ := x.Var(c.duration)
	seconds, err := strconv.ParseFloat(text, 64)
	if values = append(values, seconds); err != nil {
		values[2] = nil
	}
	for _, v := range extras {
		if v.IsNull() && c.nullable {
			values = append(values, nil)
		} else {
			values = append(values, v.Text())
		}
	}
	c.a.put(r, row{c.table, values, x.CallID(), c.stmt})
}

package acc

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"sipd/router/module"
	"sipd/router/pv"
)

// columns are the names of the table's columns.
type columns struct{ method, fromTag, toTag, callID, code, reason, time string }

var defaultColumns = columns{"method", "from_tag", "to_tag", "callid", "sip_code", "sip_reason", "time"}

func (a *acc) params() []module.Param {
	flag := func(name, help string, v *int) module.Param {
		return module.Param{Name: name, Help: help, Value: v, Min: -1, Max: 31}
	}
	c := &a.columns
	list := []module.Param{
		{Name: "early_media", Help: "1: also provisional replies with a body", Value: &a.earlyMedia},
		flag("failed_transaction_flag", "message flag: also transactions that fail", &a.failedFlag),
		{Name: "failed_filter", Help: "codes of failures that are left out: 404,408", Value: &a.failedFilter},
		{Name: "report_ack", Help: "1: also the ACK to a 2xx", Value: &a.reportACK},
		{Name: "report_cancels", Help: "1: also CANCEL", Value: &a.reportCancels},
		{Name: "detect_direction", Help: "1: change From and To tag of requests of the callee; needs append_fromtag of rr", Value: &a.direction},
		flag("acc_prepare_flag", "message flag: the flags that count may be set after the transaction was made", &a.prepareFlag),
		{Name: "acc_prepare_always", Help: "1: the same for all", Value: &a.prepareAlways},
		{Name: "acc_extra_nullable", Help: "1: undefined extra values are NULL, not empty", Value: &a.nullable},
		{Name: "multi_leg_info", Help: "attributes of a call's legs: NAME=$avp(x);…", Value: &a.legInfo},
		flag("log_flag", "message flag: account in the log", &a.logFlag),
		flag("log_missed_flag", "message flag: missed calls in the log", &a.logMissedFlag),
		{Name: "log_level", Help: "level of the lines: -1 error, 0 warning, 1 notice, 2 info", Value: &a.logLevel, Min: -5, Max: 3},
		{Name: "log_facility", Help: "syslog facility of the lines; empty: the daemon's", Value: &a.logFacility},
		{Name: "log_extra", Help: "more values in the log: NAME=$variable;…", Value: &a.logExtra},
		flag("db_flag", "message flag: account in the table", &a.dbFlag),
		flag("db_missed_flag", "message flag: missed calls in their table", &a.dbMissedFlag),
		{Name: "db_url", Help: "the database", Value: &a.dbURL},
		{Name: "db_extra", Help: "more columns: COLUMN=$variable;…", Value: &a.dbExtra},
		{Name: "db_table_acc", Help: "table of transactions; may hold variables", Value: &a.accTable},
		{Name: "db_table_missed_calls", Help: "table of missed calls; may hold variables", Value: &a.mcTable},
		{Name: "db_version_check", Help: "accepted; the columns that are used are looked at", Value: &a.versionCheck},
		{Name: "db_insert_mode", Help: "0 writes before the message goes on, 1 and 2 behind it", Value: &a.insertMode, Max: 2},
		{Name: "acc_method_column", Help: "column of the method", Value: &c.method},
		{Name: "acc_from_tag_column", Help: "column of the From tag", Value: &c.fromTag},
		{Name: "acc_to_tag_column", Help: "column of the To tag", Value: &c.toTag},
		{Name: "acc_callid_column", Help: "column of the Call-ID", Value: &c.callID},
		{Name: "acc_sip_code_column", Help: "column of the reply's code", Value: &c.code},
		{Name: "acc_sip_reason_column", Help: "column of its reason phrase", Value: &c.reason},
		{Name: "acc_time_column", Help: "column of the time", Value: &c.time},
		{Name: "time_mode", Help: "another value of the time: 1 seconds and microseconds, 2 seconds with a fraction, 3 local time, 4 UTC as text", Value: &a.timeMode, Max: 4},
		{Name: "time_attr", Help: "its name", Value: &a.timeAttr},
		{Name: "time_exten", Help: "name of the microseconds", Value: &a.timeExten},
		{Name: "time_format", Help: "the text, as strftime has it", Value: &a.timeFormat, Check: func() error { return pv.CheckTime(a.timeFormat) }},
		{Name: "reason_from_hf", Help: "1: the Reason header of the reply instead of its reason phrase", Value: &a.reasonHeader},
		{Name: "clone_msg", Help: "accepted; messages never change", Value: &a.cloneMsg},
		{Name: "acc_extra_size", Help: "most values of log_extra or db_extra", Value: &a.extraSize, Min: 1, Max: 1024},
	}
	return append(list, a.cdr.params()...)
}

// levels are slog's for log_level, from -5 on.
var levels = [...]slog.Level{16, 14, 12, 12, slog.LevelError, slog.LevelWarn, 2, slog.LevelInfo, slog.LevelDebug}

// check reads what parameters mean together.
func (a *acc) check(h *module.Host) (err error) {
	a.level = levels[a.logLevel+5]
	if a.filter, err = parseFilter(a.failedFilter); err != nil {
		return err
	}
	for _, x := range []struct {
		name, text string
		vars       *[]extra
		legs       bool
	}{
		{"log_extra", a.logExtra, &a.logVars, false},
		{"db_extra", a.dbExtra, &a.dbVars, false},
		{"multi_leg_info", a.legInfo, &a.legs, true},
	} {
		if *x.vars, err = parseExtra(h.Vars, x.text, a.extraSize, x.legs, "acc_extra_size"); err != nil {
			return fmt.Errorf("%s: %w", x.name, err)
		}
	}
	if a.direction {
		rr, ok := h.Module("rr").(direction)
		if !ok || !rr.AppendsFromTag() {
			return errors.New(`detect_direction needs the From tag in Record-Route; put loadmodule "rr.so" before loadmodule "acc.so", and modparam("rr", "append_fromtag", 1)`)
		}
		a.rr = rr
	}
	return nil
}

// parseFilter reads "404,408".
func parseFilter(s string) (map[int]bool, error) {
	if s == "" {
		return nil, nil
	}
	filter := make(map[int]bool)
	for part := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 300 || n > 699 {
			return nil, fmt.Errorf("failed_filter: want codes from 300 to 699 with commas between, not %q", part)
		}
		filter[n] = true
	}
	return filter, nil
}

// extra is one NAME=$variable.
type extra struct {
	name string
	v    pv.Var
}

// parseExtra reads "NAME=$variable;NAME=$variable".
func parseExtra(reg *pv.Registry, s string, most int, attrs bool, limit string) ([]extra, error) {
	var list []extra
	rest := strings.TrimSpace(s)
	for rest != "" {
		name, after, ok := strings.Cut(rest, "=")
		name, after = strings.TrimSpace(name), strings.TrimLeft(after, " \t\r\n")
		if !ok || name == "" || strings.ContainsAny(name, " ;\t") {
			return nil, fmt.Errorf("want NAME=$variable;…, not %q", rest)
		}
		v, n, err := reg.ParseVar(after, pv.MaxCompat)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if attrs && (v.Attr == nil || v.Attr.List || v.Attr.Eval != nil) {
			return nil, fmt.Errorf("%s: only attributes, like $avp(x), tell legs apart, not %s", name, v.Name)
		}
		if list = append(list, extra{name, v}); len(list) > most {
			return nil, fmt.Errorf("more than %d values; raise %s", most, limit)
		}
		rest = strings.TrimSpace(after[n:])
		if rest == "" {
			break
		}
		if rest[0] != ';' {
			return nil, fmt.Errorf("want a ; behind %s=%s, not %q", name, v.Name, rest)
		}
		rest = strings.TrimSpace(rest[1:])
	}
	return list, nil
}

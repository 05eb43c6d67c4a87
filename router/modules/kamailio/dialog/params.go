package dialog

import (
	"errors"
	"fmt"
	"strings"

	"sipd/router/module"
)

// The values of dlg_match_mode.
const (
	matchCookie = iota
	matchFallback
	matchNone
)

// params are the module's parameters.
type params struct {
	enableStats, detectSpirals, sendBye, noReset, waitACK, inScript bool
	hashSize, flag, defaultTimeout, earlyTimeout, noACKTimeout      int
	endTimeout, matchMode, idStart, idStep, timerProcs, filterMode  int
	rrParam, timeoutAVP, extraHdrs, calleeHdrs, withValue, noValue  string
	dbURL                                                           string
	dbMode, dbPeriod, dbRows                                        int
	dbSkip                                                          bool
	table, varsTable                                                string
	columns                                                         [24]string
	bridgeController, bridgeContact, ruri, xavpCfg, callback        string
	kaTimer, kaInterval, kaLimit, dmq, trackCSeq, keepRR            int
}

var columnParams = [24][2]string{
	{"call_id_column", "callid"},
	{"from_uri_column", "from_uri"},
	{"from_tag_column", "from_tag"},
	{"to_uri_column", "to_uri"},
	{"to_tag_column", "to_tag"},
	{"h_id_column", "hash_id"},
	{"h_entry_column", "hash_entry"},
	{"state_column", "state"},
	{"start_time_column", "start_time"},
	{"timeout_column", "timeout"},
	{"to_cseq_column", "callee_cseq"},
	{"from_cseq_column", "caller_cseq"},
	{"to_route_column", "callee_route_set"},
	{"from_route_column", "caller_route_set"},
	{"to_contact_column", "callee_contact"},
	{"from_contact_column", "caller_contact"},
	{"to_sock_column", "callee_sock"},
	{"from_sock_column", "caller_sock"},
	{"sflags_column", "sflags"},
	{"toroute_name_column", "toroute_name"},
	{"vars_h_id_column", "hash_id"},
	{"vars_h_entry_column", "hash_entry"},
	{"vars_key_column", "dialog_key"},
	{"vars_value_column", "dialog_value"},
}

var defaults = params{
	enableStats: true, detectSpirals: true, waitACK: true, inScript: true,
	hashSize: 4096, flag: -1, defaultTimeout: 43200, earlyTimeout: 300, noACKTimeout: 60, endTimeout: 300,
	idStep: 1, ruri: "$ru", dbURL: "mysql://kamailio:kamailiorw@localhost/kamailio", rrParam: "did", dbPeriod: 60, dbRows: 200, table: "dialog", varsTable: "dialog_vars", kaLimit: 1,
	bridgeController: "sip:controller@kamailio.org", bridgeContact: "sip:controller@kamailio.org:5060",
}

func (p *params) list() []module.Param {
	list := []module.Param{
		{Name: "enable_stats", Help: "accepted; statistics are counted always", Value: &p.enableStats},
		{Name: "hash_size", Help: "lists that dialogs are kept in; a power of two", Value: &p.hashSize, Min: 1, Max: 1 << 20},
		{Name: "rr_param", Help: "parameter of Record-Route with a dialog's numbers", Value: &p.rrParam},
		{Name: "dlg_flag", Help: "message flag that makes a dialog of an INVITE; -1 for none", Value: &p.flag, Min: -1, Max: 31},
		{Name: "timeout_avp", Help: "attribute with the longest duration of a call, seconds", Value: &p.timeoutAVP},
		{Name: "default_timeout", Help: "longest duration of a call, seconds", Value: &p.defaultTimeout, Min: 1, Max: 1 << 30},
		{Name: "early_timeout", Help: "seconds after which an unanswered call is forgotten", Value: &p.earlyTimeout, Min: 1, Max: 1 << 30},
		{Name: "noack_timeout", Help: "seconds after which a call without ACK is given ten more", Value: &p.noACKTimeout, Min: 1, Max: 1 << 30},
		{Name: "end_timeout", Help: "seconds after which an ended call is forgotten for certain", Value: &p.endTimeout, Min: 1, Max: 1 << 30},
		{Name: "dlg_extra_hdrs", Help: "header lines, with CRLF, of BYEs sent from here", Value: &p.extraHdrs},
		{Name: "dlg_match_mode", Help: "0 by rr_param, 1 by it or by tags, 2 by tags", Value: &p.matchMode, Max: 2},
		{Name: "detect_spirals", Help: "1: an INVITE that comes again is the same call", Value: &p.detectSpirals},
		{Name: "db_url", Help: "the database of db_mode", Value: &p.dbURL},
		{Name: "db_mode", Help: "calls in a database: 0 none, 1 at once, 2 each db_update_period, 3 at the end of the daemon", Value: &p.dbMode, Max: 3},
		{Name: "db_update_period", Help: "seconds between two writings of db_mode 2", Value: &p.dbPeriod, Min: 1, Max: 1 << 30},
		{Name: "db_fetch_rows", Help: "accepted; rows are read as they come, whatever their number", Value: &p.dbRows, Max: 1 << 30},
		{Name: "db_skip_load", Help: "1: calls are not read at the start", Value: &p.dbSkip},
		{Name: "table_name", Help: "table of calls", Value: &p.table},
		{Name: "vars_table_name", Help: "table of their variables", Value: &p.varsTable},
		{Name: "profiles_with_value", Help: "names of profiles with values, ; between them", Value: &p.withValue},
		{Name: "profiles_no_value", Help: "names of profiles without", Value: &p.noValue},
		{Name: "bridge_controller", Help: "From of dlg_bridge, and Referred-By", Value: &p.bridgeController},
		{Name: "bridge_contact", Help: "Contact of dlg_bridge", Value: &p.bridgeContact},
		{Name: "ruri_pvar", Help: "what is kept as the request URI", Value: &p.ruri},
		{Name: "initial_cbs_inscript", Help: "accepted; no module hangs on to dialogs", Value: &p.inScript},
		{Name: "send_bye", Help: "1: a call whose time is over is ended with BYEs", Value: &p.sendBye},
		{Name: "wait_ack", Help: "1: a refused call stays listed as long as its transaction", Value: &p.waitACK},
		{Name: "xavp_cfg", Help: "accepted; Kamailio 5.6 reads it and uses it for nothing", Value: &p.xavpCfg},
		{Name: "ka_timer", Help: "seconds between two looks for keep-alives that are due; 0 for none", Value: &p.kaTimer, Max: 1 << 30},
		{Name: "ka_interval", Help: "seconds between two keep-alives (OPTIONS) to a party, 30 or more; 0 for none", Value: &p.kaInterval, Max: 1 << 30},
		{Name: "ka_failed_limit", Help: "so many unanswered keep-alives in a row end the call", Value: &p.kaLimit, Max: 1 << 30},
		{Name: "timeout_noreset", Help: "1: requests in a dialog do not start its time anew", Value: &p.noReset},
		{Name: "timer_procs", Help: "accepted; the timer has its own thread always", Value: &p.timerProcs, Max: 1},
		{Name: "enable_dmq", Help: "0; replication is not offered", Value: &p.dmq, Max: 1},
		{Name: "track_cseq_updates", Help: "0; there is no module uac", Value: &p.trackCSeq, Max: 1},
		{Name: "lreq_callee_headers", Help: "header lines of requests from here to the callee", Value: &p.calleeHdrs},
		{Name: "event_callback", Help: "empty; event routes are called", Value: &p.callback},
		{Name: "h_id_start", Help: "offset of dialogs' numbers; -1 for server_id", Value: &p.idStart, Min: -1, Max: 1 << 30},
		{Name: "h_id_step", Help: "step between dialogs' numbers", Value: &p.idStep, Min: 1, Max: 1 << 16},
		{Name: "keep_proxy_rr", Help: "1 the callee's route set keeps the own Record-Route, 2 the caller's, 3 both", Value: &p.keepRR, Max: 3},
		{Name: "dlg_filter_mode", Help: "1: no timeouts and keep-alives for calls on another server's sockets", Value: &p.filterMode, Max: 1},
	}
	for i := range columnParams {
		list = append(list, module.Param{Name: columnParams[i][0], Help: "name of the column", Value: &p.columns[i]})
	}
	return list
}

// check refuses what is not offered, with words.
func (p *params) check() error {
	refuse := func(name, why string) error { return fmt.Errorf("%s %s", name, why) }
	var errs []error
	for _, x := range []struct {
		bad       bool
		name, why string
	}{
		{p.dbMode != 0 && p.dbURL == "", "db_mode", "needs a database; set db_url"},
		{p.dmq != 0, "enable_dmq", "is not offered: there is no module dmq; set it to 0"},
		{p.kaInterval != 0 && p.kaInterval < 30, "ka_interval", "must be 30 seconds or more, or 0"},
		{p.trackCSeq != 0, "track_cseq_updates", "is not offered: there is no module uac; set it to 0"},
		{p.callback != "", "event_callback", "is for other languages than the script; use event_route[dialog:start]"},
		{p.ruri == "", "ruri_pvar", "must be a variable, or text with variables"},
		{p.hashSize&(p.hashSize-1) != 0, "hash_size", "must be a power of two"},
		{p.rrParam == "" || strings.ContainsAny(p.rrParam, ";=<> \t\r\n"), "rr_param", "must be the name of a URI parameter"},
		{!lines(p.extraHdrs), "dlg_extra_hdrs", `must be whole header lines, each with "\r\n" behind it`},
		{!lines(p.calleeHdrs), "lreq_callee_headers", `must be whole header lines, each with "\r\n" behind it`},
	} {
		if x.bad {
			errs = append(errs, refuse(x.name, x.why))
		}
	}
	return errors.Join(errs...)
}

// lines says whether text is whole header lines.
func lines(s string) bool {
	return s == "" || strings.HasSuffix(s, "\r\n") && strings.Contains(s, ":") && !strings.Contains(s, "\r\n\r\n")
}

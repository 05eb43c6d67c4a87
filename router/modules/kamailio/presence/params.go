package presence

import (
	"context"
	"errors"
	"time"

	"sipd/router/module"
)

// How subscriptions are kept (subs_db_mode).
const (
	subsMemory       = 0
	subsWriteThrough = 1
	subsWriteBack    = 2
	subsTable        = 3
)

// cacheOnly is the publ_cache that keeps published states in memory.
const cacheOnly = 2

type params struct {
	url                                         string
	presentityTable, activeTable, watchersTable string
	cleanPeriod, updatePeriod                   int
	waitTime, pollRate, processes               int
	forceDelete, startupMode, expiresOffset     int
	maxExpires, minExpires, minAction           int
	address                                     string
	subsMode, publCache                         int
	subsSize, presSize                          int
	fastNotify, sphereCheck, timeoutRemoves     bool
	fetchRows, lockType, logLevel               int
	logFacility, xavp, orderBy                  string
	removeMatch, order, cseqOffset              int
	uriMatch, dmq, sameSubs                     bool
	subsVar, timerMode, respond200              int
}

func defaults() params {
	return params{
		presentityTable: "presentity", activeTable: "active_watchers", watchersTable: "watchers",
		cleanPeriod: 100, updatePeriod: 100, waitTime: 5, pollRate: 10, processes: 1, startupMode: 1,
		maxExpires: 3600, minAction: 1, subsMode: subsWriteBack, publCache: 1, subsSize: 9, presSize: 9,
		fastNotify: true, timeoutRemoves: true, fetchRows: 500, lockType: 1, logLevel: 2,
		orderBy: "priority", subsVar: 1, timerMode: 1, respond200: 1,
	}
}

// fixed are the parameters that a reload cannot change.
var fixed = []string{
	"db_url", "presentity_table", "active_watchers_table", "watchers_table", "subs_db_mode", "publ_cache",
	"clean_period", "db_update_period", "sip_uri_match", "retrieve_order", "retrieve_order_by",
}

func (p *params) list() []module.Param {
	return []module.Param{
		{Name: "db_url", Help: "the database; without it the module only lends its events to others", Value: &p.url},
		{Name: "presentity_table", Help: "table of published states", Value: &p.presentityTable},
		{Name: "active_watchers_table", Help: "table of subscriptions", Value: &p.activeTable},
		{Name: "watchers_table", Help: "table of what watchers may do", Value: &p.watchersTable},
		{Name: "clean_period", Help: "seconds between two looks for states that ended; 0: never", Value: &p.cleanPeriod, Min: -1, Max: 1 << 30},
		{Name: "db_update_period", Help: "seconds between two looks for subscriptions that ended or wait to be written; 0: never", Value: &p.updatePeriod, Min: -1, Max: 1 << 30},
		{Name: "waitn_time", Help: "accepted; NOTIFYs go out at once", Value: &p.waitTime},
		{Name: "notifier_poll_rate", Help: "accepted; NOTIFYs go out at once", Value: &p.pollRate},
		{Name: "notifier_processes", Help: "accepted; NOTIFYs go out at once, and never two of a subscription together", Value: &p.processes},
		{Name: "force_delete", Help: "1: states that ended go without a NOTIFY", Value: &p.forceDelete, Max: 1},
		{Name: "startup_mode", Help: "0: states that ended are shown until they are removed", Value: &p.startupMode, Max: 1},
		{Name: "expires_offset", Help: "seconds that replies to PUBLISH say less, and that subscriptions last longer", Value: &p.expiresOffset, Min: -1 << 30, Max: 1 << 30},
		{Name: "max_expires", Help: "longest Expires, seconds", Value: &p.maxExpires, Min: -1 << 30, Max: 1 << 30},
		{Name: "min_expires", Help: "shortest Expires of a SUBSCRIBE, seconds; 0: any", Value: &p.minExpires, Max: 1 << 30},
		{Name: "min_expires_action", Help: "what a shorter one gets: 1 the reply 423, 2 min_expires", Value: &p.minAction, Min: 1, Max: 2},
		{Name: "server_address", Help: "URI in Contact; the address that the request came to when it is empty", Value: &p.address},
		{Name: "subs_db_mode", Help: "subscriptions: 0 in memory, 1 and the table at once, 2 and the table later, 3 in the table alone", Value: &p.subsMode, Max: 3},
		{Name: "publ_cache", Help: "published states: 0 and 1 in the table, 2 in memory", Value: &p.publCache, Max: 2},
		{Name: "subs_htable_size", Help: "accepted; the memory grows with what is in it", Value: &p.subsSize},
		{Name: "pres_htable_size", Help: "accepted; the memory grows with what is in it", Value: &p.presSize},
		{Name: "send_fast_notify", Help: "0: no NOTIFY right after a SUBSCRIBE of an event that has no winfo", Value: &p.fastNotify},
		{Name: "enable_sphere_check", Help: "1: rules may ask for the presentity's sphere", Value: &p.sphereCheck},
		{Name: "timeout_rm_subs", Help: "1: a NOTIFY that nobody answers ends the subscription", Value: &p.timeoutRemoves},
		{Name: "fetch_rows", Help: "accepted; rows are read as a stream", Value: &p.fetchRows},
		{Name: "db_table_lock_type", Help: "accepted; no table is locked", Value: &p.lockType, Max: 1},
		{Name: "local_log_level", Help: "accepted; each NOTIFY is logged as debug", Value: &p.logLevel, Min: -5, Max: 10},
		{Name: "local_log_facility", Help: "empty; the log has one facility", Value: &p.logFacility},
		{Name: "subs_remove_match", Help: "accepted; a subscription is found by Call-ID and both tags", Value: &p.removeMatch, Max: 1},
		{Name: "xavp_cfg", Help: "name of an xavp with priority and delete_subscription", Value: &p.xavp},
		{Name: "retrieve_order", Help: "1: states are joined in the order of retrieve_order_by, else by age", Value: &p.order, Max: 1},
		{Name: "retrieve_order_by", Help: "columns of presentity_table", Value: &p.orderBy},
		{Name: "sip_uri_match", Help: "1: URIs of presentities are compared without case", Value: &p.uriMatch},
		{Name: "cseq_offset", Help: "how much lower the CSeq of a SUBSCRIBE may be", Value: &p.cseqOffset, Max: 1 << 30},
		{Name: "enable_dmq", Help: "0; replication is not offered", Value: &p.dmq},
		{Name: "pres_subs_mode", Help: "0: $subs is not filled", Value: &p.subsVar, Max: 1},
		{Name: "delete_same_subs", Help: "1: a new subscription ends others to the presentity that have its Call-ID", Value: &p.sameSubs},
		{Name: "timer_mode", Help: "accepted; the timers have threads of their own", Value: &p.timerMode, Max: 1},
		{Name: "subs_respond_200", Help: "1: 200 to a SUBSCRIBE, 0: 202", Value: &p.respond200, Max: 1},
	}
}

// refuse says what cannot be done, and puts right what the elder puts right.
func (p *params) refuse() error {
	switch {
	case p.dmq:
		return errors.New("enable_dmq is not offered: there is no module dmq; set it to 0, and let servers share a database with subs_db_mode 3")
	case p.logFacility != "":
		return errors.New("local_log_facility is not offered; remove it: the log has one facility")
	case p.url == "" && p.publCache == cacheOnly && p.subsMode != subsMemory:
		return errors.New(`db_url is not set; set it, or subs_db_mode to 0`)
	}
	if p.expiresOffset < 0 {
		p.expiresOffset = 0
	}
	if p.maxExpires <= 0 {
		p.maxExpires = 3600
	}
	p.minExpires = min(p.minExpires, p.maxExpires)
	return nil
}

// deadline bounds what no message waits for.
func deadline() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 30*time.Second)
}

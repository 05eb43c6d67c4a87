package tm

import (
	"errors"

	"sipd/router/cfg"
	"sipd/router/module"
)

// ignored are parameters of the elders that have no effect here: what they
// switch is always done, or has no counterpart. A value that asks for something
// else than what is done is refused.
type ignored struct {
	noisyCtimer, reparseInvite, reparseFailover cfg.Int
	unixTimeout, passProvisional                cfg.Int
	blst503, blstDef, blstMin, blstMax          cfg.Int
	blstAdd, blstLookup                         cfg.Int
	acExtra                                     cfg.Str
	callidCSeq, uacFr                           cfg.Int
	failureExec, headersMode                    int
	frAVP, frInvAVP, onSL, event, eventReply    string
	reuseSocket, execTime, relayMode, rich      int
	append                                      string
}

func (o *ignored) params() []module.Param {
	flag := func(v *cfg.Int, def int, help string) *cfg.Int {
		if v.Help == "" {
			v.Default, v.Max, v.Help = def, 1, help
		}
		return v
	}
	num := func(v *cfg.Int, def int, help string) *cfg.Int {
		if v.Help == "" {
			v.Default, v.Help = def, help
		}
		return v
	}
	if o.acExtra.Help == "" {
		o.acExtra.Null = true
		o.acExtra.Help = "prefix of headers also copied to CANCEL and ACK; only the empty one is known"
		o.acExtra.Check = func(v string) (string, error) {
			if v != "" {
				return "", errors.New("ac_extra_hdrs is not known; CANCEL and ACK carry what RFC 3261 §9.1 and §17.1.1.3 name")
			}
			return v, nil
		}
	}
	failover := flag(&o.reparseFailover, 1, "always done: the next address gets the request as the first got it")
	failover.Flags = cfg.Hidden
	return []module.Param{
		{Name: "noisy_ctimer", Help: "always done: an expired INVITE is answered", Value: flag(&o.noisyCtimer, 1, "always done: an expired INVITE is answered")},
		{Name: "reparse_invite", Help: "always done: CANCEL and ACK are made from the INVITE as sent", Value: flag(&o.reparseInvite, 1, "always done: CANCEL and ACK are made from the INVITE as sent")},
		{Name: "reparse_on_dns_failover", Help: "always done: the next address gets the request as the first got it", Value: failover},
		{Name: "unix_tx_timeout", Help: "has no effect", Value: num(&o.unixTimeout, 500, "has no effect")},
		{Name: "pass_provisional_replies", Help: "has no effect", Value: flag(&o.passProvisional, 0, "has no effect")},
		{Name: "blst_503", Help: "has no effect: there is no block list", Value: flag(&o.blst503, 0, "has no effect: there is no block list")},
		{Name: "blst_503_def_timeout", Help: "has no effect", Value: num(&o.blstDef, 0, "has no effect")},
		{Name: "blst_503_min_timeout", Help: "has no effect", Value: num(&o.blstMin, 0, "has no effect")},
		{Name: "blst_503_max_timeout", Help: "has no effect", Value: num(&o.blstMax, 3600, "has no effect")},
		{Name: "blst_methods_add", Help: "has no effect", Value: num(&o.blstAdd, 1, "has no effect")},
		{Name: "blst_methods_lookup", Help: "has no effect", Value: num(&o.blstLookup, -9, "has no effect")},
		{Name: "ac_extra_hdrs", Help: o.acExtra.Help, Value: &o.acExtra},
		{Name: "failure_exec_mode", Help: "has no effect: the failure route of a failed relay is not run", Value: &o.failureExec, Max: 1},
		{Name: "callid_cseq_matching", Help: "has no effect: Call-ID and CSeq are always where a look-up starts", Value: num(&o.callidCSeq, 0, "has no effect: Call-ID and CSeq are always where a look-up starts")},
		{Name: "enable_uac_fr", Help: "has no effect: own requests run no failure route", Value: flag(&o.uacFr, 0, "has no effect: own requests run no failure route")},
		{Name: "headers_mode", Help: "has no effect: the lines of a reply stay as they came", Value: &o.headersMode, Max: 1},
		{Name: "fr_timer_avp", Help: "refused: use t_set_fr()", Value: &o.frAVP},
		{Name: "fr_inv_timer_avp", Help: "refused: use t_set_fr()", Value: &o.frInvAVP},
		{Name: "dns_reuse_rcv_socket", Help: "always done: the socket that a request came in on is preferred", Value: &o.reuseSocket, Max: 1},
		{Name: "exec_time_check", Help: "has no effect", Value: &o.execTime},
		{Name: "reply_relay_mode", Help: "has no effect: replies are relayed as they come", Value: &o.relayMode},
		{Name: "rich_redirect", Help: "only 0: redirect replies keep the contacts they came with", Value: &o.rich},
		{Name: "tw_append", Help: "refused: nothing is written to applications", Value: &o.append},
		{Name: "event_callback", Help: "refused: write event_route[tm:local-request]", Value: &o.event},
		{Name: "event_callback_lres_sent", Help: "refused: write event_route[tm:local-response]", Value: &o.eventReply},
		{Name: "on_sl_reply", Help: "refused: use onreply_route without a name", Value: &o.onSL},
	}
}

// check refuses what would silently change the meaning of a configuration.
func (o *ignored) check() error {
	var errs []error
	if o.frAVP != "" || o.frInvAVP != "" {
		errs = append(errs, errors.New("fr_timer_avp and fr_inv_timer_avp are not known; call t_set_fr(inv, noninv), in milliseconds, before t_relay()"))
	}
	if o.onSL != "" {
		errs = append(errs, errors.New("on_sl_reply is not known; test the reply in the onreply_route without a name"))
	}
	if o.event != "" || o.eventReply != "" {
		errs = append(errs, errors.New("event_callback and event_callback_lres_sent are of other script languages; write event_route[tm:local-request] and event_route[tm:local-response]"))
	}
	if o.append != "" {
		errs = append(errs, errors.New("tw_append is not known: nothing is written to applications here; take it out"))
	}
	if o.rich != 0 {
		errs = append(errs, errors.New("rich_redirect is only 0; collect the contacts with append_branch() and reply 302"))
	}
	return errors.Join(errs...)
}

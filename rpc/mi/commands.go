package mi

import (
	"context"

	"sipd/rpc"
)

// command is a method under its old name.
type command struct {
	method string
	// with, where it is set, is the method when there are arguments.
	with  string
	write func(t *Tree, c *rpc.Call)
	// form, where it is set, is how the arguments of 2010 differ from the
	// method's: it answers those, or the reply where they are wrong.
	form func(args []string) ([]string, *Reply)
	// fault, where it is set, is how 2010 told the method's faults.
	fault func(*rpc.Fault) *Reply
	// judge, where it is set, is what a call that went well is answered with in
	// place of 200 OK; nil is that.
	judge func(*rpc.Call) *Reply
	// run, where it is set, does the work in place of all of the above.
	run func(s *Server, ctx context.Context, who *rpc.Caller, args []string) *Reply
}

// generic writes whatever the method answers.
func generic(t *Tree, c *rpc.Call) {
	for v := range c.Values() {
		t.value(0, "", v)
	}
}

// named writes one value under a name.
func named(name string) func(*Tree, *rpc.Call) {
	return func(t *Tree, c *rpc.Call) {
		for v := range c.Values() {
			t.value(0, name, v)
		}
	}
}

// commands are those of 2010 of which the method exists, by name.
var commands = map[string]command{
	"which":            {},
	"uptime":           {method: "core.uptime", write: uptime, form: noInput},
	"version":          {method: "core.info", write: version, form: noInput},
	"pwd":              {method: "core.pwd", write: named("WD"), form: noInput},
	"arg":              {method: "core.arg", write: lines, form: noInput},
	"ps":               {method: "core.psx", write: processes, form: noInput},
	"kill":             {method: "core.kill", write: nothing, form: noInput},
	"debug":            {method: "corex.debug", with: "cfg.set_now_int", run: (*Server).debug},
	"get_statistics":   {method: "stats.get_statistics", write: lines, form: atLeastOne, judge: otherwise(404, "Statistics Not Found")},
	"reset_statistics": {method: "stats.clear_statistics", write: nothing, form: atLeastOne, judge: otherwise(404, "Statistics Not Found")},

	"ul_add":          {method: "ul.add", write: nothing, form: addForm, fault: locationFaults},
	"ul_dump":         {method: "ul.dump", write: domains, form: dumpForm},
	"ul_flush":        {method: "ul.flush", write: nothing, form: noInput},
	"ul_rm":           {method: "ul.rm", write: nothing, form: count(2, 2), fault: locationFaults},
	"ul_rm_contact":   {method: "ul.rm_contact", write: nothing, form: count(3, 3), fault: locationFaults},
	"ul_show_contact": {method: "ul.lookup", write: contactLines, form: count(2, 2), fault: locationFaults, judge: valid},

	"t_hash":       {method: "tm.hash_stats", write: generic, form: noInput, fault: instead(map[string]string{"Hash statistics not supported": "500 No TM hash stats"})},
	"t_reply":      {method: "tm.reply", write: nothing, form: replyForm, fault: instead(replyFaults)},
	"t_uac_cancel": {method: "tm.cancel", write: nothing, form: count(2, 2), fault: instead(map[string]string{"Transaction not found": "481 No such transaction"})},
	"t_uac_dlg":    {method: "tm.t_uac_wait", write: uacDialog, form: uacForm, fault: uacFault},

	"dlg_end_dlg":       {method: "dlg.end_dlg", write: nothing, form: endForm, fault: endFaults},
	"dlg_list":          {method: "dlg.list", with: "dlg.dlg_list", write: dialogs, form: count(0, 2), judge: found},
	"dlg_list_ctx":      {method: "dlg.list_ctx", with: "dlg.dlg_list_ctx", write: dialogsInside, form: count(0, 2), judge: found},
	"dlg_terminate_dlg": {method: "dlg.end_dlg", run: (*Server).terminate},
	"profile_get_size":  {method: "dlg.profile_get_size", write: profileSize, form: profileForm, fault: profileFaults},
	"profile_list_dlgs": {method: "dlg.profile_list", write: dialogs, form: profileForm, fault: profileFaults},

	"domain_dump":    {method: "domain.dump", write: domainNames, form: noInput},
	"domain_reload":  {method: "domain.reload", write: nothing, form: noInput, fault: instead(map[string]string{"": "500 Domain table reload failed"})},
	"ds_list":        {method: "dispatcher.list", write: destinations, form: noInput, fault: instead(map[string]string{"No Destination Sets": "200 OK"})},
	"ds_reload":      {method: "dispatcher.reload", write: nothing, form: noInput, fault: instead(map[string]string{"": "500 ERROR Reloading data"})},
	"ds_set_state":   {method: "dispatcher.set_state", write: nothing, form: stateForm, fault: instead(map[string]string{"State Update Failed": "404 destination not found"})},
	"address_dump":   {method: "permissions.addressDump", write: addresses, form: noInput, fault: instead(map[string]string{"No address table": "200 OK"})},
	"address_reload": {method: "permissions.addressReload", write: nothing, form: noInput, fault: instead(map[string]string{"": "400 Address table reload failed"})},
	"subnet_dump":    {method: "permissions.subnetDump", write: networks, form: noInput, fault: instead(map[string]string{"No subnet table": "200 OK"})},
	"trusted_dump":   {method: "permissions.trustedDump", write: trusted, form: noInput, fault: instead(map[string]string{"": "500 Trusted-module not in use"})},
	"trusted_reload": {method: "permissions.trustedReload", write: nothing, form: noInput, fault: instead(map[string]string{"Reload skipped": "200 OK", "": "400 Trusted table reload failed"})},
	"allow_uri":      {method: "permissions.allowUri", write: nothing, form: count(3, 3), judge: allowed},
	"mt_list":        {method: "mtree.list", write: prefixes, fault: instead(map[string]string{"Empty tree list": "500 Server Internal Error"})},
	"mt_reload":      {method: "mtree.reload", write: nothing, fault: instead(map[string]string{"Can not find specified": "200 OK", "": "500 Failed to reload"})},
	"mt_summary":     {method: "mtree.summary", write: trees, form: noInput, fault: instead(map[string]string{"": "500 No trees"})},
	"nh_enable_ping": {method: "nathelper.enable_ping", write: nothing, form: switchForm(0), fault: instead(map[string]string{"NATping disabled": "400 NATping disabled from script"})},
	"nh_enable_rtpp": {method: "rtpproxy.enable", write: nothing, form: switchForm(1), fault: instead(map[string]string{"RTPProxy not found": "404 RTP proxy not found"})},
	"nh_show_rtpp":   {method: "rtpproxy.list", write: relays, form: noInput},
	"pike_list":      {method: "pike.top", write: blocked, form: noInput},
	"sht_dump":       {method: "htable.dump", write: hashTable, form: hashForm, fault: hashFaults},
	"sht_reload":     {method: "htable.reload", write: nothing, form: hashForm, fault: hashFaults},

	"shv_get":           {method: "pv.shvGet", write: shared, fault: sharedFaults},
	"shv_set":           {method: "pv.shvSet", run: (*Server).setShared},
	"get_gflags":        {method: "cfgutils.get_gflags", write: globalFlags, form: noInput},
	"is_gflag":          {method: "cfgutils.is_gflag", write: lines, form: flagForm},
	"set_gflag":         {method: "cfgutils.set_gflag", write: nothing, form: flagForm},
	"reset_gflag":       {method: "cfgutils.reset_gflag", write: nothing, form: flagForm},
	"get_config_hash":   {method: "cfgutils.get_config_hash", write: lines, form: noInput, judge: hasHash},
	"check_config_hash": {method: "cfgutils.check_config_hash", write: says(identical), form: noInput, judge: sameHash, fault: hashFileFaults},
	"rand_set_prob":     {method: "cfgutils.rand_set_prob", write: nothing, form: percentForm},
	"rand_reset_prob":   {method: "cfgutils.rand_reset_prob", write: nothing, form: noInput},
	"rand_get_prob":     {method: "cfgutils.rand_get_prob", write: lines, form: noInput},
	"refreshWatchers":   {method: "presence.refreshWatchers", write: nothing, form: watchersForm, fault: instead(map[string]string{"Execution failed": "500 command 'refreshWatchers' failed"})},
	"cleanup":           {method: "presence.cleanup", write: nothing, form: noInput},
	"regex_reload":      {method: "regex.reload", write: nothing, form: noInput, fault: instead(map[string]string{"Group matching not enabled": "403 Group matching not enabled", "": "500 Server Internal Error"})},
}

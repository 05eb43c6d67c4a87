package mi

import (
	"sipd/rpc"
)

// command is a method under its old name.
type command struct {
	method string
	write  func(t *Tree, c *rpc.Call)
	// form, where it is set, is how the arguments of 2010 differ from the
	// method's: it answers those, or the reply where they are wrong.
	form func(args []string) ([]string, *Reply)
	// fault, where it is set, is how 2010 told the method's faults.
	fault func(*rpc.Fault) *Reply
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
	"uptime":           {method: "core.uptime", write: uptime},
	"version":          {method: "core.version", write: named("Server")},
	"pwd":              {method: "core.pwd", write: named("WD")},
	"arg":              {method: "core.arg", write: generic},
	"ps":               {method: "core.psx", write: processes},
	"kill":             {method: "core.kill", write: generic},
	"debug":            {method: "corex.debug", write: generic},
	"get_statistics":   {method: "stats.get_statistics", write: generic},
	"reset_statistics": {method: "stats.reset_statistics", write: generic},

	"ul_add":          {method: "ul.add", write: generic},
	"ul_dump":         {method: "ul.dump", write: generic},
	"ul_flush":        {method: "ul.flush", write: generic},
	"ul_rm":           {method: "ul.rm", write: generic},
	"ul_rm_contact":   {method: "ul.rm_contact", write: generic},
	"ul_show_contact": {method: "ul.lookup", write: generic},

	"t_hash":       {method: "tm.hash_stats", write: generic, fault: instead(map[string]string{"Hash statistics not supported": "500 No TM hash stats"})},
	"t_reply":      {method: "tm.reply", write: generic, form: replyForm, fault: instead(replyFaults)},
	"t_uac_cancel": {method: "tm.cancel", write: generic, form: count(2, 2), fault: instead(map[string]string{"Transaction not found": "481 No such transaction"})},
	"t_uac_dlg":    {method: "tm.t_uac_wait", write: uacDialog, form: uacForm, fault: uacFault},

	"dlg_end_dlg":       {method: "dlg.end_dlg", write: generic},
	"dlg_list":          {method: "dlg.list", write: generic},
	"dlg_list_ctx":      {method: "dlg.list_ctx", write: generic},
	"dlg_terminate_dlg": {method: "dlg.terminate_dlg", write: generic},
	"dlg_bridge":        {method: "dlg.bridge_dlg", write: generic},
	"profile_get_size":  {method: "dlg.profile_get_size", write: generic},
	"profile_list_dlgs": {method: "dlg.profile_list", write: generic},

	"domain_dump":       {method: "domain.dump", write: generic},
	"domain_reload":     {method: "domain.reload", write: generic},
	"dp_reload":         {method: "dialplan.reload", write: generic},
	"dp_translate":      {method: "dialplan.translate", write: generic},
	"ds_list":           {method: "dispatcher.list", write: generic},
	"ds_reload":         {method: "dispatcher.reload", write: generic},
	"ds_set_state":      {method: "dispatcher.set_state", write: generic},
	"address_dump":      {method: "permissions.addressDump", write: generic},
	"address_reload":    {method: "permissions.addressReload", write: generic},
	"subnet_dump":       {method: "permissions.subnetDump", write: generic},
	"trusted_dump":      {method: "permissions.trustedDump", write: generic},
	"trusted_reload":    {method: "permissions.trustedReload", write: generic},
	"allow_uri":         {method: "permissions.allowUri", write: generic},
	"mt_list":           {method: "mtree.list", write: generic},
	"mt_reload":         {method: "mtree.reload", write: generic},
	"nh_enable_ping":    {method: "nathelper.enable_ping", write: generic},
	"nh_enable_rtpp":    {method: "rtpproxy.enable", write: generic},
	"nh_show_rtpp":      {method: "rtpproxy.list", write: generic},
	"pdt_list":          {method: "pdt.list", write: generic},
	"pdt_reload":        {method: "pdt.reload", write: generic},
	"pike_list":         {method: "pike.top", write: generic},
	"pl_get_pipes":      {method: "pl.get_pipes", write: generic},
	"pl_stats":          {method: "pl.stats", write: generic},
	"sht_dump":          {method: "htable.dump", write: generic},
	"sht_reload":        {method: "htable.reload", write: generic},
	"shv_get":           {method: "pv.shvGet", write: generic},
	"shv_set":           {method: "pv.shvSet", write: generic},
	"get_gflags":        {method: "cfgutils.get_gflags", write: generic},
	"is_gflag":          {method: "cfgutils.is_gflag", write: generic},
	"set_gflag":         {method: "cfgutils.set_gflag", write: generic},
	"reset_gflag":       {method: "cfgutils.reset_gflag", write: generic},
	"get_config_hash":   {method: "cfgutils.get_config_hash", write: generic},
	"check_config_hash": {method: "cfgutils.check_config_hash", write: generic},
	"refreshWatchers":   {method: "presence.refreshWatchers", write: generic},
	"cleanup":           {method: "presence.cleanup", write: generic},
	"rand_set_prob":     {method: "cfgutils.rand_set_prob", write: generic},
	"rand_reset_prob":   {method: "cfgutils.rand_reset_prob", write: generic},
	"rand_get_prob":     {method: "cfgutils.rand_get_prob", write: generic},
	"regex_reload":      {method: "regex.reload", write: generic},
	"dr_reload":         {method: "drouting.reload", write: generic},
}

// uptime writes what the elders wrote: Now, Up since, Up time.
func uptime(t *Tree, c *rpc.Call) {
	for v := range c.Values() {
		s, ok := v.(rpc.Struct)
		if !ok {
			continue
		}
		t.Node(0, "Now", text(member(s, "now")))
		t.Node(0, "Up since", text(member(s, "up_since")))
		t.Node(0, "Up time", text(member(s, "uptime"))+" [sec]")
	}
}

// processes writes a node a process: its figures are attributes.
func processes(t *Tree, c *rpc.Call) {
	for v := range c.Values() {
		if s, ok := v.(rpc.Struct); ok {
			t.Node(0, "Process", "", "ID", text(member(s, "IDX")), "PID", text(member(s, "PID")), "Type", text(member(s, "DSC")))
		}
	}
}

func member(s rpc.Struct, name string) rpc.Value {
	for _, m := range s {
		if m.Name == name {
			return m.Value
		}
	}
	return rpc.Null{}
}

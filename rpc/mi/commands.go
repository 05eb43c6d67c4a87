package mi

import (
	"sipd/rpc"
)

// command is a method under its old name.
type command struct {
	method string
	write  func(t *Tree, c *rpc.Call)
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
	"uptime":           {"core.uptime", uptime},
	"version":          {"core.version", named("Server")},
	"pwd":              {"core.pwd", named("WD")},
	"arg":              {"core.arg", generic},
	"ps":               {"core.psx", processes},
	"kill":             {"core.kill", generic},
	"debug":            {"corex.debug", generic},
	"get_statistics":   {"stats.get_statistics", generic},
	"reset_statistics": {"stats.reset_statistics", generic},

	"ul_add":          {"ul.add", generic},
	"ul_dump":         {"ul.dump", generic},
	"ul_flush":        {"ul.flush", generic},
	"ul_rm":           {"ul.rm", generic},
	"ul_rm_contact":   {"ul.rm_contact", generic},
	"ul_show_contact": {"ul.lookup", generic},

	"t_hash":       {"tm.hash_stats", generic},
	"t_reply":      {"tm.reply", generic},
	"t_uac_cancel": {"tm.cancel", generic},
	"t_uac_dlg":    {"tm.t_uac_wait", generic},

	"dlg_end_dlg":       {"dlg.end_dlg", generic},
	"dlg_list":          {"dlg.list", generic},
	"dlg_list_ctx":      {"dlg.list_ctx", generic},
	"dlg_terminate_dlg": {"dlg.terminate_dlg", generic},
	"dlg_bridge":        {"dlg.bridge_dlg", generic},
	"profile_get_size":  {"dlg.profile_get_size", generic},
	"profile_list_dlgs": {"dlg.profile_list", generic},

	"domain_dump":       {"domain.dump", generic},
	"domain_reload":     {"domain.reload", generic},
	"dp_reload":         {"dialplan.reload", generic},
	"dp_translate":      {"dialplan.translate", generic},
	"ds_list":           {"dispatcher.list", generic},
	"ds_reload":         {"dispatcher.reload", generic},
	"ds_set_state":      {"dispatcher.set_state", generic},
	"address_dump":      {"permissions.addressDump", generic},
	"address_reload":    {"permissions.addressReload", generic},
	"subnet_dump":       {"permissions.subnetDump", generic},
	"trusted_dump":      {"permissions.trustedDump", generic},
	"trusted_reload":    {"permissions.trustedReload", generic},
	"allow_uri":         {"permissions.allowUri", generic},
	"mt_list":           {"mtree.list", generic},
	"mt_reload":         {"mtree.reload", generic},
	"nh_enable_ping":    {"nathelper.enable_ping", generic},
	"pdt_list":          {"pdt.list", generic},
	"pdt_reload":        {"pdt.reload", generic},
	"pike_list":         {"pike.top", generic},
	"pl_get_pipes":      {"pl.get_pipes", generic},
	"pl_stats":          {"pl.stats", generic},
	"sht_dump":          {"htable.dump", generic},
	"sht_reload":        {"htable.reload", generic},
	"shv_get":           {"pv.shvGet", generic},
	"shv_set":           {"pv.shvSet", generic},
	"get_gflags":        {"cfgutils.get_gflags", generic},
	"is_gflag":          {"cfgutils.is_gflag", generic},
	"set_gflag":         {"cfgutils.set_gflag", generic},
	"reset_gflag":       {"cfgutils.reset_gflag", generic},
	"get_config_hash":   {"cfgutils.get_config_hash", generic},
	"check_config_hash": {"cfgutils.check_config_hash", generic},
	"regex_reload":      {"regex.reload", generic},
	"dr_reload":         {"drouting.reload", generic},
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

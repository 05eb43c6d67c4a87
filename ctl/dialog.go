package ctl

import "github.com/spf13/cobra"

func (a *App) dialogCommands() []*cobra.Command {
	var out []*cobra.Command
	for _, v := range []verb{
		{name: "list", short: "Show the dialogs of the running server", method: "dlg.list"},
		{name: "show", short: "Show the dialog of a Call-ID", method: "dlg.dlg_list", args: "s:CALLID s:FROM_TAG?", example: "a84b4c76e66710"},
		{name: "briefing", short: "Show the dialogs in short; letters choose the members", method: "dlg.briefing", args: "s:LETTERS?", example: "ftcFT"},
		{name: "match", short: "Show the dialogs whose KEY (ruri, furi, turi, callid …) matches; OP is eq, re or sw", method: "dlg.list_match", args: "s:KEY s:OP s:VALUE i:MOST?", example: "ruri sw sip:100@ 10"},
		{name: "terminate", short: "End a dialog by Call-ID and tags", method: "dlg.terminate_dlg", args: "s:CALLID s:FROM_TAG s:TO_TAG", example: "a84b4c76e66710 1928301774 314159"},
		{name: "end", short: "End a dialog by its two numbers", method: "dlg.end_dlg", args: "i:ENTRY i:ID", example: "2012 6434"},
		{name: "alive", short: "Tell whether a confirmed dialog still stands", method: "dlg.is_alive", args: "s:CALLID s:FROM_TAG s:TO_TAG", example: "a84b4c76e66710 1928301774 314159"},
		{name: "stats", short: "Show how many dialogs are in which state", method: "dlg.stats_active"},
		{name: "profile", short: "Show the dialogs of a profile", method: "dlg.profile_list", args: "s:PROFILE s:VALUE?", example: "calls alice"},
		{name: "size", short: "Show how many dialogs are in a profile", method: "dlg.profile_get_size", args: "s:PROFILE s:VALUE?", example: "calls alice"},
	} {
		out = append(out, v.command(a))
	}
	var simple []*cobra.Command
	for _, v := range []verb{
		{name: "list", short: "Show all call records", method: "dlgs.list"},
		{name: "briefing", short: "Show all call records in short", method: "dlgs.briefing"},
		{name: "get", short: "Show the first call record that fits; FIELD is src, dst, data …, OP eq, ne, re or sw", method: "dlgs.get", args: "s:FIELD s:OP s:VALUE", example: "src eq alice"},
		{name: "getall", short: "Show all call records that fit", method: "dlgs.getall", args: "s:FIELD s:OP s:VALUE", example: "src eq alice"},
		{name: "count", short: "Count the call records that fit", method: "dlgs.count", args: "s:FIELD s:OP s:VALUE", example: "src eq alice"},
		{name: "stats", short: "Show figures of the call records", method: "dlgs.stats"},
	} {
		simple = append(simple, v.command(a))
	}
	return append(out, group("simple", "Call records of module dlgs", simple...))
}

func (a *App) presenceCommands() []*cobra.Command {
	return []*cobra.Command{
		(&verb{name: "refresh", short: "Notify the watchers of a presentity again", method: "presence.refreshWatchers", args: "s:URI s:EVENT i:TYPE", example: "sip:alice@example.com presence 1"}).command(a),
		(&verb{name: "update", short: "Apply changed rights of watchers", method: "presence.updateWatchers", args: "s:URI s:EVENT", example: "sip:alice@example.com presence"}).command(a),
		(&verb{name: "cleanup", short: "Let the running server drop what has expired", method: "presence.cleanup"}).command(a),
		a.presenceCleanCommand(),
	}
}

func (a *App) lcrCommands() []*cobra.Command {
	return []*cobra.Command{
		(&verb{name: "reload", short: "Let the running server read gateways and rules again", method: "lcr.reload"}).command(a),
		a.lcrWeightsCommand(),
	}
}

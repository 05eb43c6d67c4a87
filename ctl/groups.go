package ctl

import "github.com/spf13/cobra"

// nounGroup is a first-level command that has nouns of its own below it, and
// perhaps commands that are none.
type nounGroup struct {
	name, short string
	part        string // of the help
	aliases     []string
	more        func(a *App) []*cobra.Command
}

var nounGroups = []nounGroup{
	{name: "lcr", short: "Least cost routing: gateways, rules, targets", more: (*App).lcrCommands},
	{name: "carrierroute", aliases: []string{"cr"}, short: "Routing by carrier: routes, failures, names"},
	{name: "drouting", short: "Dynamic routing: gateways, rules, lists, groups"},
	{name: "imc", short: "Conferences by message: rooms, members"},
	{name: "acc", short: "The books: calls, missed calls, rates", more: (*App).accCommands},
	{name: "presence", short: "Presence: states, watchers, documents", more: (*App).presenceCommands},
	{name: "dialog", part: "server", short: "Dialogs: of the running server, and stored", more: (*App).dialogCommands},
	{name: "tls", part: "server", short: "TLS: connections, options, profiles, certificates", more: (*App).tlsCommands},
	{name: "ul", part: "server", short: "Registered contacts: of the running server, and stored", more: (*App).ulCommands},
}

// nounTops are the first-level commands of the simple tables.
func (a *App) nounTops() []top {
	var out []top
	for _, n := range nouns() {
		if n.path() == "" {
			out = append(out, top{n.name, n.short, n.helpPart(), n.aliases, func() *cobra.Command { return n.command(a) }})
		}
	}
	for _, g := range nounGroups {
		out = append(out, top{g.name, g.short, first(g.part, "tables"), g.aliases, func() *cobra.Command {
			var subs []*cobra.Command
			if g.more != nil {
				subs = g.more(a)
			}
			for _, n := range nouns() {
				if n.path() == g.name {
					subs = append(subs, n.command(a))
				}
			}
			c := group(g.name, g.short, subs...)
			c.Aliases = g.aliases
			return c
		}})
	}
	return out
}

func (n *noun) helpPart() string { return first(n.part, "tables") }

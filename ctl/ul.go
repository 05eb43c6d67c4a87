package ctl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sipd/db"
	"sipd/db/table"
	"sipd/rpc"
)

// contactColumns are what a list of contacts has.
var contactColumns = []string{"aor", "contact", "expires", "q", "user_agent", "received", "path", "socket", "methods", "flags", "cflags", "callid", "cseq", "ruid", "instance", "reg_id"}

func (a *App) ulCommands() []*cobra.Command {
	var l, one listFlags
	list := &cobra.Command{
		Use: "list", Aliases: []string{"dump"}, Short: "List the contacts that the running server has", Args: want(0, 0), Example: "  sipctl ul list -o json",
		RunE: func(cmd *cobra.Command, _ []string) error { return a.ulList(cmd.Context(), &l, "ul.dump") },
	}
	l.declare(list, false, false)
	show := &cobra.Command{
		Use: "show USER", Short: "List the contacts of a user that the running server has", Args: want(1, 1), ValidArgsFunction: a.completeUsers, Example: "  sipctl ul show alice@example.com",
		RunE: func(cmd *cobra.Command, args []string) error {
			aor, err := a.address(args[0])
			if err != nil {
				return err
			}
			return a.ulList(cmd.Context(), &one, "ul.lookup", rpc.String(a.opt.location), rpc.String(aor.String()))
		},
	}
	one.declare(show, false, false)
	var c newContact
	add := &cobra.Command{
		Use: "add USER CONTACT", Short: "Add a contact in the running server; without --expires it is permanent", Args: want(2, 2), ValidArgsFunction: a.completeUsers,
		Example: "  sipctl ul add alice@example.com sip:alice@192.0.2.5:5060 --expires 3600",
		RunE: func(cmd *cobra.Command, args []string) error {
			aor, err := a.address(args[0])
			if err == nil {
				err = isURI("contact", args[1])
			}
			if err != nil {
				return err
			}
			c.aor, c.contact = aor, args[1]
			return a.ulAdd(cmd.Context(), c)
		},
	}
	add.Flags().IntVar(&c.expires, "expires", 0, "for so many `seconds`; 0 is for ever")
	add.Flags().Float64Var(&c.q, "q", 1, "preference, `0 to 1`")
	add.Flags().StringVar(&c.path, "path", ".", "Path `header` value; . is none")
	add.Flags().IntVar(&c.flags, "flags", 0, "`flags` of the contact")
	add.Flags().IntVar(&c.cflags, "bflags", 0, "branch `flags` of the contact")
	add.Flags().Int64Var(&c.methods, "methods", 4294967295, "allowed methods as a `bit mask`")
	rm := &cobra.Command{
		Use: "rm USER [CONTACT]", Aliases: []string{"remove"}, Short: "Remove the contacts of a user in the running server, or one of them", Args: want(1, 2), ValidArgsFunction: a.completeUsers,
		Example: "  sipctl ul rm alice@example.com",
		RunE: func(cmd *cobra.Command, args []string) error {
			aor, err := a.address(args[0])
			if err != nil {
				return err
			}
			vals := []rpc.Value{rpc.String(a.opt.location), rpc.String(aor.String())}
			if len(args) == 1 {
				return a.askAll(cmd.Context(), "ul.rm", vals...)
			}
			return a.askAll(cmd.Context(), "ul.rm_contact", append(vals, rpc.String(args[1]))...)
		},
	}
	for _, c := range []*cobra.Command{show, add, rm} {
		c.Flags().StringVar(&a.opt.location, "table", "location", "`name` of the location table")
	}
	var older time.Duration
	clean := &cobra.Command{
		Use: "clean", Aliases: []string{"dbclean"}, Short: "Remove contacts from the database that ended a while ago", Args: want(0, 0), Example: "  sipctl ul clean --older 1h",
		RunE: func(cmd *cobra.Command, _ []string) error { return a.ulClean(cmd.Context(), older) },
	}
	clean.Flags().DurationVar(&older, "older", time.Hour, "that ended longer than this `time` ago")
	return []*cobra.Command{
		list, show, add, rm, clean,
		(&verb{name: "flush", short: "Let the running server write its contacts to the database", method: "ul.flush"}).command(a),
	}
}

// ulList prints the contacts of a reply, one a row.
func (a *App) ulList(ctx context.Context, l *listFlags, method string, args ...rpc.Value) error {
	if a.opt.dryRun {
		return a.askAll(ctx, method, args...)
	}
	w, err := a.list(l, contactColumns, contactColumns[:5]...)
	if err != nil {
		return err
	}
	left, skip := l.limit, l.offset
	if len(l.sort) > 0 {
		left, skip = 0, 0
	}
	var errs []error
	for _, server := range a.servers() {
		vals, err := a.ask(ctx, server, method, args...)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, row := range contacts(vals) {
			if skip > 0 {
				skip--
				continue
			}
			if l.limit > 0 && len(l.sort) == 0 {
				if left == 0 {
					break
				}
				left--
			}
			if err := w.row(row...); err != nil {
				return err
			}
		}
	}
	return errors.Join(append(errs, w.close())...)
}

// contacts finds the contacts in a reply of ul.dump or ul.lookup: structs
// named Contact below one that has the AoR.
func contacts(vals []rpc.Value) [][]any {
	var out [][]any
	rows := func(aor any, o object) {
		named(o, "Contact", func(c object) {
			out = append(out, []any{
				aor, c.get("Address"), c.get("Expires"), c.get("Q"), c.get("User-Agent"), c.get("Received"), c.get("Path"), c.get("Socket"),
				c.get("Methods"), c.get("Flags"), c.get("CFlags"), c.get("Call-ID"), c.get("CSeq"), c.get("Ruid"), c.get("Instance"), c.get("Reg-Id"),
			})
		})
	}
	for _, v := range vals {
		p := plain(v)
		if o, ok := p.(object); ok && o.get("AoR") != nil {
			rows(o.get("AoR"), o)
			continue
		}
		named(p, "Info", func(o object) { rows(o.get("AoR"), o) })
	}
	return out
}

// newContact is what ul add sends.
type newContact struct {
	aor           db.Address
	contact, path string
	expires       int
	q             float64
	flags, cflags int
	methods       int64
}

func (a *App) ulAdd(ctx context.Context, c newContact) error {
	// BinRPC carries 32 bits: the mask of all methods is -1 there.
	methods := rpc.Int(int32(uint32(c.methods)))
	return a.askAll(ctx, "ul.add", rpc.String(a.opt.location), rpc.String(c.aor.String()), rpc.String(c.contact), rpc.Int(c.expires),
		rpc.Double(c.q), rpc.String(c.path), rpc.Int(c.flags), rpc.Int(c.cflags), methods)
}

// ulClean removes what ended before now minus older; permanent contacts, whose
// end is zero or a placeholder, stay.
func (a *App) ulClean(ctx context.Context, older time.Duration) error {
	r, err := a.nounRows(ctx, nounOf("ul stored"), false)
	if err != nil {
		return err
	}
	where := []table.Cond{
		{Column: "expires", Op: table.Less, Value: time.Now().Add(-older)},
		{Column: "expires", Op: table.More, Value: time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)},
	}
	n, err := r.t.Remove(ctx, where)
	if err != nil {
		return err
	}
	return a.say("removed %s that ended more than %s ago", countOf(n, "contact"), older)
}

// nounOf finds a noun of the list by its name.
func nounOf(name string) *noun {
	for _, n := range nouns() {
		if n.name == name {
			return n
		}
	}
	panic(fmt.Sprintf("ctl: there is no noun %q", name))
}

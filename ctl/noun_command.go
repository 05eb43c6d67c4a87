package ctl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"sipd/ctl/output"
	"sipd/db"
	"sipd/db/table"
	"sipd/schema"
)

// command makes the commands of a noun.
func (n *noun) command(a *App) *cobra.Command {
	subs := []*cobra.Command{n.listCommand(a), n.showCommand(a)}
	for _, c := range []struct {
		own, every func(*App, *noun) *cobra.Command
	}{{n.set, nounSet}, {n.rm, nounRemove}} {
		if c.own == nil {
			c.own = c.every
		}
		subs = append(subs, c.own(a, n))
	}
	if !n.noAdd {
		subs = append([]*cobra.Command{n.addCommand(a)}, subs...)
		imp := importRows(n).command(a)
		imp.Example = "  sipctl " + n.name + " import FILE.csv"
		subs = append(subs, imp, n.exportCommand(a))
	}
	if n.reload != "" {
		subs = append(subs, a.reloadCommand(n.reload))
	}
	if n.live != "" {
		subs = append(subs, a.liveCommand(n.live))
	}
	if n.hasFlags() {
		subs = append(subs, n.flagCommand(a, "enable", "Switch rows on again (ser flavour)", "-d"),
			n.flagCommand(a, "disable", "Switch rows off, keeping the data (ser flavour)", "+d"),
			n.flagCommand(a, "mark", "Mark rows as deleted: they are off until they are purged (ser flavour)", "+xd-s"), n.purgeCommand(a))
	}
	for _, v := range nounVerbs()[n.name] {
		subs = append(subs, v.command(a))
	}
	if n.more != nil {
		subs = append(subs, n.more(a, n)...)
	}
	c := group(n.word(), n.short, subs...)
	c.Aliases = n.aliases
	if n.anyTable {
		c.PersistentFlags().StringVar(&a.opt.table, "table", "", "`name` of the table in the database (default "+n.in[db.Kamailio].table+")")
	}
	return c
}

// usage is the arguments as help shows them. The flavours may differ: the one
// with most arguments speaks for both, and what only one needs is optional.
func (n *noun) usage(verb string, of func(place) []arg) (use string, least, most int) {
	var longest []arg
	least = -1
	for _, f := range []db.Flavour{db.Kamailio, db.SER} {
		p, ok := n.in[f]
		if !ok {
			continue
		}
		args := of(p)
		if len(args) > len(longest) {
			longest = args
		}
		if must := required(args); least < 0 || must < least {
			least = must
		}
	}
	use = verb
	for i, x := range longest {
		if i < least {
			use += " " + x.name
		} else {
			use += " [" + x.name + "]"
		}
	}
	return use, max(least, 0), len(longest)
}

// required is how many of the arguments must be there.
func required(args []arg) int {
	n := 0
	for _, x := range args {
		if !x.optional {
			n++
		}
	}
	return n
}

// argNames are arguments as help shows them.
func argNames(args []arg) string {
	var out []string
	for _, x := range args {
		if x.optional {
			x.name = "[" + x.name + "]"
		}
		out = append(out, x.name)
	}
	return strings.Join(out, " ")
}

func adds(p place) []arg { return p.add }
func keys(p place) []arg { return p.key }

func (n *noun) addCommand(a *App) *cobra.Command {
	use, least, most := n.usage("add", adds)
	var ifNot bool
	c := &cobra.Command{Use: use, Short: "Add a " + n.thing, Args: want(least, most), Example: "  sipctl " + n.name + " add " + n.example}
	columns := n.declareColumns(c)
	c.Flags().BoolVar(&ifNot, "if-not-exists", false, "be content when it is there already")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		given, err := columns.given(a, cmd)
		if err != nil {
			return err
		}
		return a.nounAdd(cmd.Context(), n, args, given, ifNot)
	}
	return c
}

func (a *App) nounAdd(ctx context.Context, n *noun, args []string, given map[string]string, ifNot bool) error {
	r, err := a.nounRows(ctx, n, false)
	if err != nil {
		return err
	}
	if most := len(r.place.add); len(args) > most {
		return fmt.Errorf("%s add: argument %q is too much in the %s flavour", n.name, args[most], r.dir.Flavour())
	}
	if least := required(r.place.add); len(args) < least {
		return &usageError{"sipctl " + n.name + " add", fmt.Sprintf("an argument is missing; in the %s flavour it takes %s", r.dir.Flavour(), argNames(r.place.add))}
	}
	r.once = ifNot
	err = r.Add(ctx, args, given)
	what := strings.TrimSpace(n.thing + " " + strings.Join(args, " "))
	switch {
	case taken(err) && ifNot:
		return a.say("%s exists already; nothing was changed", what)
	case errors.Is(err, db.ErrDuplicate):
		return hinted(fmt.Errorf("%s %w", what, db.ErrExists), "to see it: sipctl %s list", n.name)
	case err != nil:
		return err
	}
	return a.done(ctx, n.tell(), "added %s", what)
}

// nounRows opens the noun's table.
func (a *App) nounRows(ctx context.Context, n *noun, reading bool) (*Rows, error) {
	var opts []db.Option
	if reading {
		opts = append(opts, db.ReadOnly())
	}
	d, err := a.open(ctx, opts...)
	if err != nil {
		return nil, err
	}
	return n.rows(ctx, d, a.set.flavour, a.set.domain, a.opt.table)
}

// pick is how show, set and rm name rows.
type pick struct {
	id    int64
	where []string
}

func (p *pick) declare(cmd *cobra.Command) {
	cmd.Flags().Int64Var(&p.id, "id", 0, "the row of this `number` in the column that counts rows, mostly id")
	cmd.Flags().StringArrayVar(&p.where, "where", nil, "rows that meet a `condition`: COLUMN=VALUE, or != < <= > >= ~ (contains); again for more")
}

// conds are the conditions of arguments and flags; there must be one.
func (p *pick) conds(ctx context.Context, cmd *cobra.Command, r *Rows, args []string) ([]table.Cond, error) {
	if most := len(r.place.key); len(args) > most {
		return nil, usagef(cmd, "argument %q is too much in the %s flavour", args[most], r.dir.Flavour())
	}
	out, err := r.key(ctx, args)
	if err != nil {
		return nil, err
	}
	more, err := r.conds(p.where)
	if err != nil {
		return nil, err
	}
	out = append(out, more...)
	if p.id != 0 {
		out = append(out, table.Eq(r.counter(), p.id))
	}
	if len(args)+len(p.where) == 0 && p.id == 0 {
		return nil, usagef(cmd, "say which: its %s, --id or --where", strings.TrimPrefix(strings.TrimPrefix(cmd.Use, cmd.Name()), " "))
	}
	return out, nil
}

// counter is the column that counts the rows.
func (r *Rows) counter() string {
	for _, c := range r.t.Columns {
		if c.Auto {
			return c.Name
		}
	}
	return "id"
}

func (n *noun) listCommand(a *App) *cobra.Command {
	use, _, most := n.usage("list", keys)
	var l listFlags
	c := &cobra.Command{
		Use: optionalUse(use), Aliases: []string{"ls"}, Short: "List the rows, all or those of the arguments", Args: want(0, most),
		Example: "  sipctl " + n.name + " list --limit 20 -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := a.nounRows(cmd.Context(), n, true)
			if err != nil {
				return err
			}
			where, err := r.key(cmd.Context(), args)
			if err != nil {
				return err
			}
			return a.printRows(cmd.Context(), r, where, &l)
		},
	}
	l.declare(c, true, n.hasSecrets())
	if n.hasFlags() {
		c.Flags().BoolVar(&l.deleted, "deleted", false, "rows that are marked as deleted too (ser flavour)")
	}
	return c
}

func (n *noun) hasFlags() bool { return n.in[db.SER].flags }

// optionalUse puts every argument into brackets.
func optionalUse(use string) string {
	f := strings.Fields(use)
	for i := range f[1:] {
		if !strings.HasPrefix(f[i+1], "[") {
			f[i+1] = "[" + f[i+1] + "]"
		}
	}
	return strings.Join(f, " ")
}

func (n *noun) hasSecrets() bool {
	for _, p := range n.in {
		if len(p.secret) > 0 {
			return true
		}
	}
	return false
}

func (n *noun) showCommand(a *App) *cobra.Command {
	use, _, most := n.usage("show", keys)
	var p pick
	var secrets bool
	c := &cobra.Command{Use: optionalUse(use), Short: "Show rows with all their columns", Args: want(0, most), Example: "  sipctl " + n.name + " show --id 1"}
	p.declare(c)
	if n.hasSecrets() {
		c.Flags().BoolVar(&secrets, "secrets", false, "with passwords and hashes: whoever has them can log in")
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := a.nounRows(cmd.Context(), n, true)
		if err != nil {
			return err
		}
		where, err := p.conds(cmd.Context(), cmd, r, args)
		if err != nil {
			return err
		}
		return a.showRows(cmd.Context(), r, where, secrets)
	}
	return c
}

// showRows prints every row as a record; with -o json and the like, where one
// record would be read alone, several are a list.
func (a *App) showRows(ctx context.Context, r *Rows, where []table.Cond, secrets bool) error {
	columns := r.shown(false, secrets)
	rows, err := db.All(r.t.Rows(ctx, table.Query{Columns: columns, Where: where}))
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return errNoRow{"such " + r.noun.thing, r.noun.name}
	}
	if len(rows) > 1 && !a.set.output.Screen() {
		w := output.New(a.Out, a.set.output, columns...)
		for _, row := range rows {
			if err := w.Row(row...); err != nil {
				return err
			}
		}
		return w.Close()
	}
	for i, row := range rows {
		if i > 0 {
			fmt.Fprintln(a.Out)
		}
		fields := make([]output.Field, len(row))
		for j, v := range row {
			fields[j] = output.F(columns[j], v)
		}
		if err := output.Record(a.Out, a.set.output, fields...); err != nil {
			return err
		}
	}
	return nil
}

func nounSet(a *App, n *noun) *cobra.Command {
	use, _, most := n.usage("set", keys)
	var p pick
	c := &cobra.Command{Use: optionalUse(use) + " --COLUMN VALUE...", Short: "Change columns of rows", Args: want(0, most), Example: "  sipctl " + n.name + " set --id 1 " + n.exampleSet()}
	columns := n.declareColumns(c)
	p.declare(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		given, err := columns.given(a, cmd)
		if err != nil {
			return err
		}
		if len(given) == 0 {
			return usagef(cmd, "say what to change: --COLUMN VALUE")
		}
		r, err := a.nounRows(cmd.Context(), n, false)
		if err != nil {
			return err
		}
		where, err := p.conds(cmd.Context(), cmd, r, args)
		if err != nil {
			return err
		}
		count, err := r.Set(cmd.Context(), where, given)
		if err != nil {
			return err
		}
		return a.done(cmd.Context(), n.tell(), "changed %s", countOf(count, n.thing))
	}
	return c
}

// exampleSet names a column that may well be changed.
func (n *noun) exampleSet() string {
	for _, want := range []string{"tag", "description", "priority", "flags", "tvalue", "value", "key_value", "expires", "status", "q"} {
		for _, c := range n.schemaColumns() {
			if c.Name == want {
				if c.Kind == schema.Integer || c.Kind == schema.Float {
					return "--" + strings.ReplaceAll(want, "_", "-") + " 1"
				}
				return "--" + strings.ReplaceAll(want, "_", "-") + " TEXT"
			}
		}
	}
	return "--COLUMN VALUE"
}

func nounRemove(a *App, n *noun) *cobra.Command {
	use, _, most := n.usage("rm", keys)
	var p pick
	var ifThere bool
	c := &cobra.Command{
		Use: optionalUse(use), Aliases: []string{"remove"}, Short: "Remove rows; several only with --yes", Args: want(0, most),
		Example: "  sipctl " + n.name + " rm --id 1",
	}
	p.declare(c)
	c.Flags().BoolVar(&ifThere, "if-exists", false, "be content when there is none")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := a.nounRows(cmd.Context(), n, false)
		if err != nil {
			return err
		}
		where, err := p.conds(cmd.Context(), cmd, r, args)
		if err != nil {
			return err
		}
		return a.nounRemove(cmd.Context(), r, where, ifThere)
	}
	return c
}

func (a *App) nounRemove(ctx context.Context, r *Rows, where []table.Cond, ifThere bool) error {
	most := 1
	if a.opt.yes || a.opt.dryRun {
		most = -1
	}
	n, err := r.Remove(ctx, where, most)
	if many, ok := errors.AsType[tooMany](err); ok {
		yes, e := a.confirm(fmt.Sprintf("Remove %s?", countOf(many.n, r.noun.thing)))
		if e != nil {
			return e
		}
		if yes {
			n, err = r.Remove(ctx, where, many.n)
		}
	}
	if _, none := errors.AsType[errNoRow](err); none && ifThere {
		return a.say("there is no such %s; nothing was changed", r.noun.thing)
	}
	if err != nil {
		return err
	}
	return a.done(ctx, r.noun.tell(), "removed %s", countOf(n, r.noun.thing))
}

// countOf is "1 gateway", "3 gateways".
func countOf(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	if strings.HasSuffix(thing, "y") {
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(thing, "y"))
	}
	if strings.HasSuffix(thing, "s") || strings.HasSuffix(thing, "h") {
		return fmt.Sprintf("%d %ses", n, thing)
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// confirm asks at a terminal; where there is none, nobody says yes.
func (a *App) confirm(question string) (bool, error) {
	f, ok := a.In.(*os.File)
	if !ok || !isTerminal(f) {
		return false, nil
	}
	fmt.Fprintf(a.Err, "%s [y/N] ", output.Clean(question))
	line, err := firstLine(a.In, "terminal")
	if _, empty := errors.AsType[*db.FieldError](err); empty {
		return false, nil
	}
	return strings.EqualFold(line, "y") || strings.EqualFold(line, "yes"), err
}

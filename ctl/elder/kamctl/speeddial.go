package kamctl

import (
	"context"
	"fmt"

	"sipd/db"
)

func (k *control) speeddial(ctx context.Context, args []string) error {
	if len(args) < 2 {
		k.error("speeddial - too few parameters")
		fmt.Fprintln(k.Out)
		k.help("speeddial")
		return failed
	}
	if err := k.needEngine(); err != nil {
		return err
	}
	table := k.rc.table("SD_TABLE", "speed_dial")
	switch args = args[1:]; args[0] {
	case "list":
		return k.speeddialList(ctx, args, table)
	case "show":
		return k.speeddialShow(ctx, args, table)
	case "add":
		return k.speeddialAdd(ctx, args, table)
	case "rm":
		return k.speeddialRemove(ctx, args, table)
	case "help":
		k.help("speeddial")
		return nil
	}
	k.error("speeddial - unknown command")
	k.help("speeddial")
	return failed
}

// as names a column.
func (k *control) as(column, name string) string {
	return column + " AS " + db.Dialect{Engine: k.engine}.Quote(name)
}

func (k *control) speeddialList(ctx context.Context, args []string, table string) error {
	d := db.Dialect{Engine: k.engine}
	short := joined(d, "sd_username", "sd_domain", "Short number")
	q := query{table: table}
	switch len(args) {
	case 1:
		if !k.yes("Dumping all speed-dials may take long: do you want to proceed? [Y|N] ") {
			return failed
		}
		k.echo("Dumping all speed-dials...")
		q.columns = []string{short, joined(d, "username", "domain", "Owner"), k.as("new_uri", "New URI"), "description"}
	case 2:
		a, err := k.addressOf(args[1])
		if err != nil {
			return err
		}
		k.echo("Dumping speed-dials for user=<%s>", args[1])
		q.columns, q.where = []string{short, k.as("new_uri", "New URI"), "description"}, in(a, "username", "domain")
	default:
		k.error("speeddial - wrong number of params for command [list]")
		k.help("speeddial")
		return failed
	}
	fmt.Fprintln(k.Out)
	return k.show(ctx, q)
}

func (k *control) speeddialShow(ctx context.Context, args []string, table string) error {
	if len(args) != 2 {
		k.error("speeddial - wrong number of params for command [show]")
		k.help("speeddial")
		return failed
	}
	a, err := k.addressOf(args[1])
	if err != nil {
		return err
	}
	k.echo("Details for speeddial <%s>", args[1])
	return k.show(ctx, query{
		table: table, where: in(a, "sd_username", "sd_domain"),
		columns: []string{joined(db.Dialect{Engine: k.engine}, "username", "domain", "Owner"), k.as("new_uri", "New URI"), "description"},
	})
}

func (k *control) speeddialAdd(ctx context.Context, args []string, table string) error {
	if len(args) != 4 && len(args) != 5 {
		k.error("speeddial - wrong number of parameters")
		k.help("speeddial")
		return failed
	}
	user, err := k.addressOf(args[1])
	if err != nil {
		return err
	}
	short, err := k.addressOf(args[2])
	if err != nil {
		return err
	}
	if !sipAOR().MatchString(args[3]) {
		return k.invalid("SIP AoR", args[3])
	}
	row := append(in(user, "username", "domain"), in(short, "sd_username", "sd_domain")...)
	if err := k.changeOr(ctx, "speeddial - SQL Error", insert(table, append(row, f("new_uri", args[3]), f("description", arg(args, 4)))...)); err != nil {
		return err
	}
	k.echo("ok - spedd dial added") // the elder's spelling, which scripts may wait for
	fmt.Fprintln(k.Out)
	return nil
}

func (k *control) speeddialRemove(ctx context.Context, args []string, table string) error {
	if len(args) != 3 {
		k.error("speeddial rm - invalid number of parameters")
		k.help("speeddial")
		return failed
	}
	user, err := k.addressOf(args[1])
	if err != nil {
		return err
	}
	short, err := k.addressOf(args[2])
	if err != nil {
		return err
	}
	if err := k.changeOr(ctx, "speeddial - SQL Error", remove(table, append(in(user, "username", "domain"), in(short, "sd_username", "sd_domain")...)...)); err != nil {
		return err
	}
	k.echo("ok - spedd dial deleted")
	fmt.Fprintln(k.Out)
	return nil
}

// rpid is the column of that name, which subscriber has before Kamailio 5.2.
func (k *control) rpid(ctx context.Context, args []string) error {
	if len(args) < 2 {
		k.error("rpid - too few parameters")
		return failed
	}
	if err := k.needEngine(); err != nil {
		return err
	}
	switch args = args[1:]; args[0] {
	case "show":
		if len(args) > 2 {
			k.help("rpid")
			return failed
		}
		return k.rpidShow(ctx, args)
	case "add", "rm":
		least := map[string]int{"add": 3, "rm": 2}[args[0]]
		if len(args) < least {
			k.help("rpid")
			return failed
		}
		a, err := k.rpidUser(ctx, args[1])
		if err != nil {
			return err
		}
		value := field{column: "rpid", text: arg(args, 2), null: args[0] == "rm"}
		if err := k.changeOr(ctx, "rpid - SQL Error", change{table: k.subscribers(), set: []field{value}}.update(in(a, "username", "domain")...)); err != nil {
			return err
		}
		return k.rpidShow(ctx, []string{"show", a.String()})
	}
	k.help("rpid")
	return failed
}

func (k *control) rpidUser(ctx context.Context, s string) (db.Address, error) {
	a, err := k.user(s)
	if err != nil {
		return a, err
	}
	exists, err := k.isUser(ctx, a)
	if err == nil && !exists {
		k.error("rpid - invalid user '%s'", s)
		err = failed
	}
	return a, err
}

func (k *control) rpidShow(ctx context.Context, args []string) error {
	q := query{table: k.subscribers(), columns: []string{"username", "rpid"}}
	if len(args) == 2 {
		a, err := k.rpidUser(ctx, args[1])
		if err != nil {
			return err
		}
		q.where = in(a, "username", "domain")
	}
	return k.show(ctx, q)
}

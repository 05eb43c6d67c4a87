package kamctl

import (
	"context"
	"fmt"

	"sipd/db"
)

func (k *control) aliasTable() string { return k.rc.table("DA_TABLE", "dbaliases") }

// isAlias tells whether an address is an alias, where the settings say that
// there are any: in the daemon's memory or in the database.
func (k *control) isAlias(ctx context.Context, a db.Address) (bool, error) {
	switch k.rc.aliases() {
	case "DB":
		return k.has(ctx, k.aliasTable(), in(a, "alias_username", "alias_domain")...)
	case "UL":
		reply, err := k.call(ctx, "ul.lookup", k.rc.table("ALS_TABLE", "aliases"), a.String())
		switch {
		case err != nil:
			return false, k.unreachable(err)
		case reply.fault == nil:
			return true, nil
		case reply.fault.code == notFound:
			return false, nil
		}
		k.error("%d; check if you use aliases in Kamailio", reply.fault.code)
		return false, failed
	}
	return false, nil
}

func (k *control) aliasDB(ctx context.Context, args []string) error {
	const family = "alias_db"
	if len(args) < 2 {
		k.error("alias_db - too few parameters")
		fmt.Fprintln(k.Out)
		k.help(family)
		return failed
	}
	if err := k.needEngine(); err != nil {
		return err
	}
	switch args = args[1:]; args[0] {
	case "list":
		return k.aliasList(ctx, args)
	case "show":
		return k.aliasShow(ctx, args)
	case "add":
		return k.aliasAdd(ctx, args)
	case "rm":
		return k.aliasRemove(ctx, args)
	case "help":
		k.help(family)
		return nil
	}
	k.help(family)
	return failed
}

func (k *control) aliasList(ctx context.Context, args []string) error {
	q := query{table: k.aliasTable(), columns: []string{"alias_username", "alias_domain", "username", "domain"}}
	switch len(args) {
	case 1:
		if !k.yes("Dumping all aliases may take long: do you want to proceed? [Y|N] ") {
			return failed
		}
		k.echo("Dumping all aliases...")
	case 2:
		a, err := k.addressOf(args[1])
		if err != nil {
			return err
		}
		k.echo("Dumping aliases for user=<%s>", args[1])
		q.columns = []string{joined(db.Dialect{Engine: k.engine}, "alias_username", "alias_domain", "ALIAS")}
		q.where = in(a, "username", "domain")
	default:
		k.error("alias_db - wrong number of params for command [list]")
		fmt.Fprintln(k.Out)
		k.help("alias_db")
		return failed
	}
	fmt.Fprintln(k.Out)
	return k.show(ctx, q)
}

func (k *control) aliasShow(ctx context.Context, args []string) error {
	if len(args) != 2 {
		k.error("alias_db - wrong number of params for command [show]")
		k.help("alias_db")
		return failed
	}
	a, err := k.addressOf(args[1])
	if err != nil {
		return err
	}
	return k.show(ctx, query{
		table: k.aliasTable(), where: in(a, "alias_username", "alias_domain"),
		columns: []string{joined(db.Dialect{Engine: k.engine}, "username", "domain", "SIP-ID")},
	})
}

func (k *control) aliasAdd(ctx context.Context, args []string) error {
	if len(args) != 3 {
		k.help("alias_db")
		return failed
	}
	alias, err := k.addressOf(args[1])
	if err != nil {
		return err
	}
	user, err := k.addressOf(args[2])
	if err != nil {
		return err
	}
	exists, err := k.has(ctx, k.aliasTable(), in(alias, "alias_username", "alias_domain")...)
	if err != nil {
		return err
	}
	if exists {
		k.info("%s alias already in %s table", alias.User, k.aliasTable())
		return k.lied()
	}
	row := append(in(user, "username", "domain"), in(alias, "alias_username", "alias_domain")...)
	return k.changeOr(ctx, "alias_db - SQL Error", insert(k.aliasTable(), row...))
}

func (k *control) aliasRemove(ctx context.Context, args []string) error {
	if len(args) != 2 {
		k.error("alias_db - wrong numbers of parameters")
		k.help("alias_db")
		return failed
	}
	a, err := k.addressOf(args[1])
	if err != nil {
		return err
	}
	return k.changeOr(ctx, "alias_db - SQL Error", remove(k.aliasTable(), in(a, "alias_username", "alias_domain")...))
}

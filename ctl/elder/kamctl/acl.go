package kamctl

import (
	"context"
	"slices"

	"sipd/db"
)

func (k *control) aclTable() string { return k.rc.table("ACL_TABLE", "grp") }

func (k *control) acl(ctx context.Context, args []string) error {
	if err := k.needEngine(); err != nil {
		return err
	}
	args = args[1:]
	switch arg(args, 0) {
	case "show":
		return k.aclShow(ctx, args)
	case "grant":
		return k.aclGrant(ctx, args)
	case "revoke":
		return k.aclRevoke(ctx, args)
	}
	k.error("acl - invalid commad '%s'", arg(args, 0)) // the elder's spelling, which scripts may know
	k.help("acl")
	return failed
}

func (k *control) aclShow(ctx context.Context, args []string) error {
	q := query{table: k.aclTable()}
	if len(args) > 2 {
		k.help("acl")
		return failed
	}
	if len(args) == 2 {
		a, err := k.knownUser(ctx, args[1])
		if err != nil {
			return err
		}
		q.where = in(a, "username", "domain")
	}
	return k.show(ctx, q)
}

func (k *control) aclGrant(ctx context.Context, args []string) error {
	if len(args) < 3 {
		k.usage()
		return failed
	}
	a, err := k.knownUser(ctx, args[1])
	if err != nil {
		return err
	}
	var rows []change
	skipped := false
	for _, g := range args[2:] {
		if k.rc.on("VERIFY_ACL", "1") && !slices.Contains(k.rc.groups(), g) {
			k.warn("Invalid privilege: acl '%s' ignored", g)
			skipped = true
			continue
		}
		row := insert(k.aclTable(), append(in(a, "username", "domain"), f("grp", g), field{column: "last_modified", now: true})...)
		k.traced(row.text(db.Dialect{Engine: k.engine}), true)
		row.quiet = true
		rows = append(rows, row)
	}
	if rows != nil {
		if err := k.changeOr(ctx, "acl - SQL Error", rows...); err != nil {
			return err
		}
		if err := k.show(ctx, query{table: k.aclTable(), where: in(a, "username", "domain")}); err != nil {
			return err
		}
	}
	if skipped {
		return k.lied()
	}
	return nil
}

func (k *control) aclRevoke(ctx context.Context, args []string) error {
	if len(args) != 2 && len(args) != 3 {
		k.error("acl - wrong number of parameters")
		k.help("acl")
		return failed
	}
	a, err := k.user(args[1])
	if err != nil {
		return err
	}
	which := in(a, "username", "domain")
	if len(args) == 3 {
		which = append(which, f("grp", args[2]))
	}
	if _, err := k.apply(ctx, remove(k.aclTable(), which...)); err != nil {
		_ = k.sqlError(err, "acl - SQL Error")
		return k.lied()
	}
	return k.aclShow(ctx, []string{"show", args[1]})
}

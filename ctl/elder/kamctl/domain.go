package kamctl

import "context"

func (k *control) domain(ctx context.Context, args []string) error {
	table := k.rc.table("DOMAIN_TABLE", "domain")
	switch args = args[1:]; arg(args, 0) {
	case "reload":
		return k.rpc(ctx, "domain.reload")
	case "show":
		return k.rpc(ctx, "domain.dump")
	case "showdb":
		return k.show(ctx, query{table: table})
	case "add":
		if len(args) != 2 {
			k.error("missing domain parameter")
			return failed
		}
		return k.addOnce(ctx, table, f("domain", args[1]), "domain - SQL Error", "domain", field{column: "last_modified", now: true})
	case "rm":
		return k.domainRemove(ctx, args, table, "domain")
	}
	k.help("domain")
	return failed
}

// addOnce writes a row unless one with the same key is there.
func (k *control) addOnce(ctx context.Context, table string, key field, words, hint string, more ...field) error {
	if err := k.needEngine(); err != nil {
		return err
	}
	exists, err := k.has(ctx, table, key)
	if err != nil {
		return k.sqlError(err, "%s", words)
	}
	if exists {
		k.info("%s already in %s table", key.text, table)
		return k.lied()
	}
	if err := k.changeOr(ctx, words, insert(table, append([]field{key}, more...)...)); err != nil {
		return err
	}
	k.reloadHint(hint)
	return nil
}

func (k *control) domainRemove(ctx context.Context, args []string, table, hint string) error {
	if err := k.needEngine(); err != nil {
		return err
	}
	if len(args) != 2 {
		k.error("missing domain parameter")
		return failed
	}
	if err := k.changeOr(ctx, "domain - SQL Error", remove(table, f("domain", args[1]))); err != nil {
		return err
	}
	k.reloadHint(hint)
	return nil
}

// uidDomain is domain for the tables of the uid flavour in a Kamailio database.
func (k *control) uidDomain(ctx context.Context, args []string) error {
	table := k.rc.table("UID_DOMAIN_TABLE", "uid_domain")
	switch args = args[1:]; arg(args, 0) {
	case "reload":
		return k.kamcmd(ctx, []string{"kamcmd", "domain.reload"})
	case "show":
		return k.kamcmd(ctx, []string{"kamcmd", "domain.dump"})
	case "showdb":
		return k.show(ctx, query{table: table})
	case "add":
		name := arg(args, 1)
		if name == "" {
			k.error("too few parameters")
			return failed
		}
		// 37: loaded by the server (1), canonical (4), for the web (32).
		return k.addOnce(ctx, table, f("domain", name), "uid_domain - SQL Error", "uid_domain",
			f("did", argOr(args, 2, name)), field{column: "flags", text: argOr(args, 3, "37"), number: true})
	case "rm":
		return k.domainRemove(ctx, args, table, "uid_domain")
	}
	k.help("uid_domain")
	return failed
}

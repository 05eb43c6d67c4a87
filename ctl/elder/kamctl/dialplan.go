package kamctl

import "context"

func (k *control) dialplan(ctx context.Context, args []string) error {
	if err := k.needEngine(); err != nil {
		return err
	}
	table := k.rc.table("DIALPLAN_TABLE", "dialplan")
	few := func(n int) error {
		if len(args) > n {
			return nil
		}
		k.error("too few parameters")
		k.help("dialplan")
		return failed
	}
	switch args = args[1:]; arg(args, 0) {
	case "show":
		q := query{table: table, order: []string{"dpid", "pr"}}
		if len(args) == 1 {
			k.echo("dialplan tables")
		} else {
			k.echo("dialplan %s tables", args[1])
			q.where, q.order = []field{num("dpid", args[1])}, q.order[1:]
		}
		return k.show(ctx, q)
	case "addrule":
		if err := few(4); err != nil {
			return err
		}
		return k.dialplanAdd(ctx, args, table)
	case "rm":
		return k.dialplanChange(ctx, change{table: table, all: true})
	case "rmdpid":
		if err := few(1); err != nil {
			return err
		}
		return k.dialplanChange(ctx, remove(table, num("dpid", args[1])))
	case "rmrule":
		if err := few(2); err != nil {
			return err
		}
		return k.dialplanChange(ctx, remove(table, num("dpid", args[1]), num("pr", args[2])))
	case "reload":
		return k.rpc(ctx, "dialplan.reload")
	}
	k.help("dialplan")
	return failed
}

func (k *control) dialplanAdd(ctx context.Context, args []string, table string) error {
	op, ok := map[string]string{"equal": "0", "regexp": "1", "fnmatch": "2"}[args[3]]
	if !ok {
		k.error("dialplan - unexpected %s for operating matching. Use 'equal' or 'regexp'!", args[3])
		return failed
	}
	return k.dialplanChange(ctx, insert(table, num("dpid", args[1]), num("pr", args[2]), num("match_op", op), f("match_exp", args[4]),
		num("match_len", argOr(args, 5, "0")), f("subst_exp", arg(args, 6)), f("repl_exp", arg(args, 7)), f("attrs", arg(args, 8))))
}

func (k *control) dialplanChange(ctx context.Context, c change) error {
	if err := k.changeOr(ctx, "dialplan - SQL Error", c); err != nil {
		return err
	}
	k.info("do not forget to do dialplan reload")
	return nil
}

func (k *control) dialog(ctx context.Context, args []string) error {
	switch arg(args, 1) {
	case "show", "list":
		k.echo("dialog memory records")
		return k.rpc(ctx, "dlg.list")
	case "showdb":
		if err := k.needEngine(); err != nil {
			return err
		}
		k.echo("dialog database records")
		return k.show(ctx, query{table: k.rc.table("DIALOG_TABLE", "dialog"), order: []string{"id"}})
	}
	k.help("dialog")
	return failed
}

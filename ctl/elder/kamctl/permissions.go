package kamctl

import "context"

func (k *control) trusted(ctx context.Context, args []string) error {
	table := k.rc.table("TRUSTED_TABLE", "trusted")
	switch args = args[1:]; arg(args, 0) {
	case "reload":
		return k.rpc(ctx, "permissions.trustedReload")
	case "dump":
		return k.rpc(ctx, "permissions.trustedDump")
	case "show":
		return k.show(ctx, query{table: table})
	case "add":
		if len(args) < 3 {
			k.help("trusted")
			return failed
		}
		return k.trustedAdd(ctx, args, table)
	case "rm":
		if len(args) != 2 {
			k.help("trusted")
			return failed
		}
		if err := k.changeOr(ctx, "trusted - SQL Error", remove(table, f("src_ip", args[1]))); err != nil {
			return err
		}
		k.reloadHint("trusted")
		return nil
	}
	k.help("trusted")
	return failed
}

func (k *control) trustedAdd(ctx context.Context, args []string, table string) error {
	switch args[2] {
	case "any", "udp", "tcp", "tls", "sctp", "none":
	default:
		k.error("unknown protocol")
		return failed
	}
	return k.addOnce(ctx, table, f("src_ip", args[1]), "trusted - SQL Error", "trusted",
		f("proto", args[2]), f("from_pattern", arg(args, 3)), f("tag", arg(args, 4)))
}

func (k *control) address(ctx context.Context, args []string) error {
	table := k.rc.table("ADDRESS_TABLE", "address")
	switch args = args[1:]; arg(args, 0) {
	case "reload":
		return k.rpc(ctx, "permissions.addressReload")
	case "dump":
		if err := k.rpc(ctx, "permissions.addressDump"); err != nil {
			return err
		}
		return k.rpc(ctx, "permissions.subnetDump")
	case "show":
		return k.show(ctx, query{table: table})
	case "add":
		if len(args) < 3 {
			k.help("address")
			return failed
		}
		return k.addressAdd(ctx, args, table)
	case "rm":
		if len(args) != 3 {
			k.help("address")
			return failed
		}
		if err := k.changeOr(ctx, "permissions address - SQL Error", remove(table, num("grp", args[1]), f("ip_addr", args[2]))); err != nil {
			return err
		}
		k.reloadHint("address")
		return nil
	}
	k.help("address")
	return failed
}

func (k *control) addressAdd(ctx context.Context, args []string, table string) error {
	err := k.changeOr(ctx, "permissions address - SQL Error", insert(table, num("grp", args[1]), f("ip_addr", args[2]),
		num("mask", argOr(args, 3, "32")), num("port", argOr(args, 4, "0")), f("tag", arg(args, 5))))
	if err != nil {
		return err
	}
	k.reloadHint("address")
	return nil
}

// num is a field of a number column.
func num(column, text string) field { return field{column: column, text: text, number: true} }

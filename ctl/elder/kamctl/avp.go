package kamctl

import (
	"context"
	"fmt"
)

func (k *control) avp(ctx context.Context, args []string) error {
	if err := k.needEngine(); err != nil {
		return err
	}
	if len(args) < 2 {
		k.error("avp - too few parameters")
		k.info("see '%s avp help'", k.name)
		return failed
	}
	switch args = args[1:]; args[0] {
	case "list":
		return k.avpList(ctx, args)
	case "add":
		return k.avpAdd(ctx, args[1:])
	case "rm":
		return k.avpRemove(ctx, args)
	case "help":
		k.help("avp")
		return nil
	}
	k.error("avp - unknown command")
	k.usage()
	return failed
}

func (k *control) avpTable() string { return k.rc.table("AVP_TABLE", "usr_preferences") }

// filter reads -T, -u, -a, -v and -t of list and rm.
func (k *control) avpFilter(args []string) (table string, where []field, err error) {
	table = k.avpTable()
	command := args[0]
	for rest := args[1:]; len(rest) > 0; rest = rest[2:] {
		what, ok := map[string]string{"-T": "table name", "-u": "user id or uuid", "-a": "attribute name", "-v": "value", "-t": "type"}[rest[0]]
		if !ok {
			k.error("avp %s - unknown parameter %s", command, rest[0])
			return "", nil, failed
		}
		value := arg(rest, 1)
		if value == "" {
			k.error("avp %s - %s parameter missing", command, what)
			return "", nil, failed
		}
		switch rest[0] {
		case "-T":
			table = value
		case "-u":
			who, err := k.owner(value)
			if err != nil {
				return "", nil, err
			}
			where = append(where, who...)
		case "-a":
			where = append(where, f("attribute", value))
		case "-v":
			where = append(where, f("value", value))
		default:
			where = append(where, field{column: "type", text: value, number: true})
		}
	}
	return table, where, nil
}

// owner is a user by address, or a uuid.
func (k *control) owner(s string) ([]field, error) {
	if !aor().MatchString(s) {
		return []field{f("uuid", s)}, nil
	}
	a, err := k.user(s)
	return in(a, "username", "domain"), err
}

func (k *control) avpList(ctx context.Context, args []string) error {
	table, where, err := k.avpFilter(args)
	if err != nil {
		return err
	}
	k.echo("Dumping AVPs")
	fmt.Fprintln(k.Out)
	return k.show(ctx, query{table: table, where: where, columns: []string{"uuid", "username", "domain", "attribute", "type", "value"}})
}

func (k *control) avpAdd(ctx context.Context, args []string) error {
	table := k.avpTable()
	switch len(args) {
	case 4:
	case 6:
		if args[0] != "-T" {
			k.echo("avp add - unknown parameter '%s'", args[0])
			return failed
		}
		table, args = args[1], args[2:]
	default:
		k.error("avp add - bad number of parameters")
		return failed
	}
	row, err := k.owner(args[0])
	if err != nil {
		return err
	}
	if len(row) == 1 { // a uuid: the other two are empty, as the elder has it
		row = append(row, f("username", ""), f("domain", ""))
	} else {
		row = append(row, f("uuid", ""))
	}
	row = append(row, f("attribute", args[1]), field{column: "type", text: args[2], number: true}, f("value", args[3]), field{column: "last_modified", now: true})
	if err := k.changeOr(ctx, "avp add - SQL Error", insert(table, row...)); err != nil {
		return err
	}
	fmt.Fprintln(k.Out)
	k.echo("avp add - attribute added")
	return nil
}

func (k *control) avpRemove(ctx context.Context, args []string) error {
	table, where, err := k.avpFilter(args)
	if err != nil {
		return err
	}
	if err := k.changeOr(ctx, "avp rm - SQL Error", change{table: table, where: where, all: true}); err != nil {
		return err
	}
	fmt.Fprintln(k.Out)
	k.echo("avp rm - AVP(s) deleted")
	return nil
}

package kamctl

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
)

// mtree works on the table that its argument names.
func (k *control) mtree(ctx context.Context, args []string) error {
	switch args = args[1:]; arg(args, 0) {
	case "reload":
		return k.rpc(ctx, "mtree.reload", args[1:]...)
	case "dump":
		return k.rpc(ctx, "mtree.list", args[1:]...)
	case "showdb", "show": // the elder's help says one, its code the other
		if len(args) != 2 {
			k.help("mtree")
			return failed
		}
		return k.show(ctx, query{table: args[1]})
	case "add":
		if len(args) < 4 {
			k.help("mtree")
			return failed
		}
		return k.mtreeChange(ctx, insert(args[1], f("tprefix", args[2]), f("tvalue", args[3])))
	case "rm":
		if len(args) != 3 {
			k.help("mtree")
			return failed
		}
		return k.mtreeChange(ctx, remove(args[1], f("tprefix", args[2])))
	}
	k.help("mtree")
	return failed
}

func (k *control) mtreeChange(ctx context.Context, c change) error {
	if err := k.changeOr(ctx, "mtree - SQL Error", c); err != nil {
		return err
	}
	k.reloadHint("mtree")
	return nil
}

func (k *control) dispatcher(ctx context.Context, args []string) error {
	table := k.rc.table("DISPATCHER_TABLE", "dispatcher")
	switch args = args[1:]; arg(args, 0) {
	case "show":
		if err := k.needEngine(); err != nil {
			return err
		}
		k.echo("dispatcher gateways")
		return k.show(ctx, query{table: table, order: []string{"setid"}})
	case "add", "addgw":
		if len(args) < 3 {
			k.error("too few parameters")
			k.help("dispatcher")
			return failed
		}
		return k.changeOr(ctx, "dispatcher - SQL Error", insert(table, num("setid", args[1]), f("destination", args[2]),
			num("flags", argOr(args, 3, "0")), num("priority", argOr(args, 4, "0")), f("attrs", arg(args, 5)), f("description", arg(args, 6))))
	case "rm", "rmgw":
		if len(args) != 2 {
			k.error("missing gateway id to be removed")
			return failed
		}
		return k.changeOr(ctx, "dispatcher - SQL Error", remove(table, num("id", args[1])))
	case "reload":
		return k.rpc(ctx, "dispatcher.reload")
	case "dump":
		return k.rpc(ctx, "dispatcher.list")
	}
	k.help("dispatcher")
	return failed
}

// carrierroute is the command cr.
func (k *control) carrierroute(ctx context.Context, args []string) error {
	if err := k.needEngine(); err != nil {
		return err
	}
	names, domains := k.rc.table("CARRIER_NAME_TABLE", "carrier_name"), k.rc.table("DOMAIN_NAME_TABLE", "domain_name")
	routes := k.rc.table("CARRIERROUTE_TABLE", "carrierroute")
	args = args[1:]
	count := func(n int, words string) error {
		if len(args) == n+1 {
			return nil
		}
		k.error("cr - %s", words)
		return failed
	}
	switch arg(args, 0) {
	case "show":
		return k.carrierShow(ctx, names, domains, routes)
	case "reload":
		return k.rpc(ctx, "cr.reload_routes")
	case "dump":
		return k.rpc(ctx, "cr.dump_routes")
	case "addcn":
		if err := count(2, "missing carrier id or name"); err != nil {
			return err
		}
		return k.carrierChange(ctx, insert(names, num("id", args[1]), f("carrier", args[2])))
	case "rmcn":
		if err := count(1, "missing carrier id to be removed"); err != nil {
			return err
		}
		return k.carrierChange(ctx, remove(names, num("id", args[1])))
	case "adddn":
		if err := count(2, "missing domain id or name"); err != nil {
			return err
		}
		return k.carrierChange(ctx, insert(domains, num("id", args[1]), f("domain", args[2])))
	case "rmdn":
		if err := count(1, "missing domain id to be removed"); err != nil {
			return err
		}
		return k.carrierChange(ctx, remove(domains, num("id", args[1])))
	case "addcarrier":
		if len(args) < 5 {
			k.error("cr - too few parameters")
			return failed
		}
		return k.carrierAdd(ctx, args, routes)
	case "rmcarrier":
		if err := count(3, "too few parameters"); err != nil {
			return err
		}
		return k.carrierChange(ctx, remove(routes, num("carrier", args[1]), f("scan_prefix", args[2]), num("domain", args[3])))
	}
	k.help("cr")
	return failed
}

func (k *control) carrierChange(ctx context.Context, c change) error {
	if err := k.changeOr(ctx, "cr - SQL Error", c); err != nil {
		return err
	}
	k.reloadHint("cr")
	return nil
}

func (k *control) carrierShow(ctx context.Context, names, domains, routes string) error {
	for _, part := range []struct {
		title string
		query
	}{
		{"cr carrier names", query{table: names, order: []string{"id"}}},
		{"cr domain names", query{table: domains, order: []string{"id"}}},
		{"cr routes", query{table: routes, order: []string{"carrier", "scan_prefix", "domain", "prob"}}},
	} {
		k.echo("%s", part.title)
		if err := k.show(ctx, part.query); err != nil {
			return err
		}
	}
	return nil
}

// carrierAdd takes the arguments in the order that the elder's code has, not
// the one of its help: mask comes before flags. Both are shown first, as there.
func (k *control) carrierAdd(ctx context.Context, args []string, routes string) error {
	mask, flags := argOr(args, 9, "0"), argOr(args, 10, "0")
	fmt.Fprintf(k.Out, "%s\n%s\n", flags, mask)
	return k.carrierChange(ctx, insert(routes, num("carrier", args[1]), f("scan_prefix", args[2]), num("domain", args[3]),
		num("prob", argOr(args, 5, "1")), num("strip", argOr(args, 6, "0")), f("rewrite_host", args[4]),
		f("rewrite_prefix", arg(args, 7)), f("rewrite_suffix", arg(args, 8)), f("description", arg(args, 11)),
		num("flags", flags), num("mask", mask)))
}

func (k *control) lcr(_ context.Context, args []string) error {
	switch arg(args, 1) {
	case "show_gws", "show_routes", "reload", "dump_gws", "dump_routes":
		k.error("command disabled")
		return failed
	case "eval_weights":
		return k.weights(args[2:])
	}
	k.help("lcr")
	return failed
}

const weightRounds = 100000

// weights plays the choice of gateways by weight and prints how often each came
// first: the weight times 23 random bits, the highest wins.
func (k *control) weights(args []string) error {
	if len(args) == 0 {
		fmt.Fprintln(k.Out, "Usage: lcr eval_weights <list of weights (integers 1-254)>")
		return nil
	}
	list, counts := make([]int64, len(args)), make([]int, len(args))
	for i, a := range args {
		n, err := strconv.ParseInt(a, 10, 64)
		if err != nil || n < 1 || n > 254 {
			k.error("weight '%s' is no integer from 1 to 254", a)
			return failed
		}
		list[i] = n
	}
	for range weightRounds {
		best, most := 0, int64(-1)
		for i, w := range list {
			if v := w * rand.Int64N(1<<23); v > most {
				best, most = i, v
			}
		}
		counts[best]++
	}
	for i, w := range list {
		fmt.Fprintf(k.Out, "weight %d probability %.4f\n", w, float64(counts[i])/weightRounds)
	}
	return nil
}

package kamctl

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"sipd/rpc"
)

// allMethods is the mask of every SIP method in ul.add.
const allMethods = "4294967295"

// location is ul and usrloc, on the location table, and alias, on aliases.
func (k *control) location(ctx context.Context, args []string) error {
	if len(args) < 2 {
		k.error("usrloc - too few parameters")
		k.help("ul")
		return failed
	}
	table := k.rc.table("UL_TABLE", "location")
	if args[0] == "alias" {
		table = k.rc.table("ALS_TABLE", "aliases")
	}
	ofAlias := args[0] == "alias"
	switch args = args[1:]; args[0] {
	case "show":
		return k.locationShow(ctx, args, table)
	case "add":
		return k.locationAdd(ctx, args, table, ofAlias)
	case "rm":
		return k.locationRemove(ctx, args, table)
	case "dbclean":
		return k.locationClean(ctx, args, table)
	}
	k.help("ul")
	return failed
}

func (k *control) locationShow(ctx context.Context, args []string, table string) error {
	switch {
	case len(args) == 1:
		return k.rpc(ctx, "ul.dump")
	case len(args) == 2 && args[1] == "--brief":
		return k.rpc(ctx, "ul.dump", "brief")
	case len(args) == 2:
		a, err := k.user(args[1])
		if err != nil {
			return err
		}
		return k.rpc(ctx, "ul.lookup", table, "s:"+a.String())
	}
	k.error("wrong number of params")
	k.help("ul")
	return failed
}

func (k *control) locationAdd(ctx context.Context, args []string, table string, ofAlias bool) error {
	if len(args) < 3 || len(args) > 5 {
		k.help("ul")
		return failed
	}
	if !sipURI().MatchString(args[2]) {
		return k.invalid("SIP URI", args[2])
	}
	a, err := k.user(args[1])
	if err != nil {
		return err
	}
	if ofAlias && k.engine != "" {
		exists, err := k.isUser(ctx, a)
		if err != nil {
			return err
		}
		if exists {
			k.error("overlap of alias with an existing subscriber name")
			return failed
		}
	}
	exists, err := k.isAlias(ctx, a)
	if err != nil {
		return err
	}
	if exists {
		if ofAlias {
			k.info("alias already defined")
		} else {
			k.error("AOR is an alias")
		}
		return failed
	}
	return k.rpc(ctx, "ul.add", table, "s:"+a.String(), "s:"+args[2], argOr(args, 3, "0"), k.rc.get("DEFAULT_Q", "1.0"),
		"s:"+argOr(args, 4, "."), "0", "0", allMethods)
}

func (k *control) locationRemove(ctx context.Context, args []string, table string) error {
	if len(args) != 2 && len(args) != 3 {
		k.error("wrong number of params")
		k.help("ul")
		return failed
	}
	a, err := k.user(args[1])
	if err != nil {
		return err
	}
	if len(args) == 2 {
		return k.rpc(ctx, "ul.rm", table, "s:"+a.String())
	}
	if !sipURI().MatchString(args[2]) {
		return k.invalid("SIP URI", args[2])
	}
	return k.rpc(ctx, "ul.rm_contact", table, "s:"+a.String(), "s:"+args[2])
}

var onlineLine = lazy(`(?m)^.*(?:AoR|aor|AOR).*$`)

// online prints the addresses that have contacts, sorted, each once.
func (k *control) online(ctx context.Context, _ []string) error {
	if err := k.needControl(); err != nil {
		return err
	}
	r, err := k.call(ctx, "ul.dump", "brief")
	if err != nil {
		return k.unreachable(err)
	}
	var names []string
	for _, line := range onlineLine().FindAllString(layout(r.text), -1) {
		words := strings.Fields(line)
		if strings.Contains(line, "AoRs") || len(words) < 2 {
			continue
		}
		names = append(names, strings.Trim(words[1], `",`))
	}
	slices.Sort(names)
	for _, n := range slices.Compact(names) {
		fmt.Fprintln(k.Out, k.safe(n))
	}
	if r.fault != nil {
		k.complain(r.fault)
		return k.lied()
	}
	return nil
}

// simpleRPC is ps, psa and uptime.
func (k *control) simpleRPC(ctx context.Context, args []string) error {
	return k.rpc(ctx, map[string]string{"ps": "core.psx", "psa": "core.psa", "uptime": "core.uptime"}[args[0]])
}

func (k *control) stats(ctx context.Context, args []string) error {
	if len(args) == 1 {
		return k.rpc(ctx, "stats.get_statistics", "all")
	}
	return k.rpc(ctx, "stats.get_statistics", "s:"+args[1]+":")
}

func (k *control) server(ctx context.Context, args []string) error {
	for _, c := range []struct{ word, title, method string }{
		{"sockets", "list listen sockets", "corex.list_sockets"},
		{"aliases", "list server aliases", "corex.list_aliases"},
		{"rpclist", "list server rpc commands", "system.listMethods"},
		{"debug", "server debug level command", "corex.debug"},
		{"modules", "list loaded modules", "core.modules"},
		{"version", "list server version", "core.version"},
	} {
		if c.word != arg(args, 1) {
			continue
		}
		k.echo("%s", c.title)
		if c.word == "debug" && len(args) > 2 {
			return k.rpc(ctx, c.method, args[2])
		}
		return k.rpc(ctx, c.method)
	}
	k.help("srv")
	return failed
}

// ping sends OPTIONS and prints the reply that came.
func (k *control) ping(ctx context.Context, args []string) error {
	return k.request(ctx, args, "ping", "tm.t_uac_wait_block", "OPTIONS", "")
}

// ciscoRestart makes a phone fetch its configuration and restart.
func (k *control) ciscoRestart(ctx context.Context, args []string) error {
	return k.request(ctx, args, "cisco_restart", "tm.t_uac_start", "NOTIFY", "Event:check-sync\r\n")
}

// request has the daemon send a SIP request to a URI.
func (k *control) request(ctx context.Context, args []string, family, rpcMethod, sipMethod, header string) error {
	if len(args) != 2 {
		k.help(family)
		return failed
	}
	if err := k.needControl(); err != nil {
		return err
	}
	uri := args[1]
	if strings.ContainsFunc(uri, func(r rune) bool { return r < ' ' || r == 0x7f || r == '>' }) {
		return k.invalid("SIP URI", fmt.Sprintf("%q", uri))
	}
	host := k.rc.get("SIP_DOMAIN", "")
	if host == "" {
		host, _ = os.Hostname() // a From needs some name; localhost does where there is none
	}
	if host == "" {
		host = "localhost"
	}
	headers := "From:sip:daemon@" + host + "\r\nTo:<" + uri + ">\r\n" + header + "Contact:sip:daemon@" + host + "\r\n"
	r, err := k.callValues(ctx, rpcMethod, []rpc.Value{rpc.String(sipMethod), rpc.String(uri), rpc.String("."), rpc.String("."), rpc.String(headers)})
	if err != nil {
		return k.unreachable(err)
	}
	return k.print(r)
}

// noTrap refuses to stop a daemon under a debugger.
func (k *control) noTrap(_ context.Context, args []string) error {
	k.error("%s: processes are not stopped under a debugger here; '%s ps' lists them, and 'sipctl server trap' shows their stacks", args[0], k.name)
	return failed
}

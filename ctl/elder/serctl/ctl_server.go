package serctl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"sipd/ctl/output"
	"sipd/rpc"
)

func ctlUsrloc(s *session, ctx context.Context, args []string) error {
	var uid string
	if err := s.look(ctx, func(c *change) (err error) { uid, err = c.uidOf(args[1]); return err }); err != nil {
		return err
	}
	table, id := rpc.String(s.opt.text("UL_TABLE")), rpc.String(uid)
	contact := ""
	if len(args) > 2 {
		contact = args[2]
	}
	switch words()[args[0]] {
	case "add":
		if contact == "" {
			return fail("ENOARG", "contact")
		}
		expires, q, flags, err := contactArgs(args[3:])
		if err != nil {
			return err
		}
		_, err = s.call(ctx, "usrloc.add_contact", table, id, rpc.String(contact), expires, q, flags)
		return err
	case "rm":
		if contact == "" {
			_, err := s.call(ctx, "usrloc.delete_uid", table, id)
			return err
		}
		_, err := s.call(ctx, "usrloc.delete_contact", table, id, rpc.String(contact))
		return err
	case "show":
		return s.showContacts(ctx, table, id)
	}
	return fail("EINVAL", args[0])
}

// permanent is the flag of a contact that stays for ever.
const permanent = 128

// contactArgs reads expires=, q= and flags=.
func contactArgs(args []string) (expires, q, flags rpc.Value, err error) {
	pairs, err := attrPairs(args)
	if err != nil {
		return nil, nil, nil, err
	}
	seconds, flag, weight := int64(0), int64(-1), 1.0
	forEver := true
	for _, p := range pairs {
		switch p[0] {
		case "expires":
			seconds, err = strconv.ParseInt(p[1], 10, 32)
			forEver = false
		case "q":
			weight, err = strconv.ParseFloat(p[1], 64)
		case "flags":
			flag, err = strconv.ParseInt(p[1], 10, 32)
		default:
			err = errors.New("")
		}
		if err != nil {
			return nil, nil, nil, fail("EINVAL", p[0]+"="+p[1])
		}
	}
	if flag < 0 {
		flag = 0
		if forEver {
			flag = permanent
		}
	}
	return rpc.Int(seconds), rpc.Double(weight), rpc.Int(flag), nil
}

func (s *session) showContacts(ctx context.Context, table, uid rpc.Value) error {
	v, err := s.view()
	if err != nil {
		return err
	}
	reply, err := s.call(ctx, "usrloc.show_contacts", table, uid)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, c := range list(reply) {
		rows = append(rows, []string{str(member(c, "contact")), str(member(c, "expires")), str(member(c, "q"))})
	}
	s.print(v, rows, []string{"contact", "expires", "q"})
	return nil
}

func ctlKill(s *session, ctx context.Context, args []string) error {
	sig := int64(15)
	if len(args) == 1 {
		var err error
		if sig, err = strconv.ParseInt(args[0], 10, 32); err != nil {
			return fail("EINVAL", args[0])
		}
	}
	_, err := s.call(ctx, "core.kill", rpc.Int(sig))
	return err
}

// table prints rows of a call with the options about output.
func (s *session) table(rows [][]string, names ...string) error {
	v, err := s.view()
	if err != nil {
		return err
	}
	s.print(v, rows, names)
	return nil
}

func ctlPs(s *session, ctx context.Context, _ []string) error {
	reply, err := s.call(ctx, "core.ps")
	if err != nil {
		return err
	}
	var rows [][]string
	for vals := list(reply); len(vals) > 1; vals = vals[2:] {
		rows = append(rows, []string{str(vals[0]), str(vals[1])})
	}
	return s.table(rows, "id", "process description")
}

func ctlVersion(s *session, ctx context.Context, _ []string) error {
	reply, err := s.call(ctx, "core.version")
	if err != nil {
		return err
	}
	return s.table([][]string{{str(reply)}}, "version")
}

func ctlUptime(s *session, ctx context.Context, _ []string) error {
	reply, err := s.call(ctx, "core.uptime")
	if err != nil {
		return err
	}
	text := func(name string) string { return strings.TrimSpace(str(member(reply, name))) }
	up := text("uptime")
	if f, err := strconv.ParseFloat(up, 64); err == nil {
		up = repr(rpc.Double(f))
	}
	return s.table([][]string{{up, text("up_since"), text("now")}}, "uptime", "up since", "now")
}

func ctlMethods(s *session, ctx context.Context, _ []string) error {
	reply, err := s.call(ctx, "system.listMethods")
	if err != nil {
		return err
	}
	var rows [][]string
	for _, m := range list(reply) {
		rows = append(rows, []string{str(m)})
	}
	return s.table(rows, "methods")
}

func ctlTLS(s *session, ctx context.Context, _ []string) error {
	reply, err := s.call(ctx, "tls.list")
	if err != nil {
		return err
	}
	var rows [][]string
	for _, c := range list(reply) {
		text := func(name string) string { return str(member(c, name)) }
		rows = append(rows, []string{text("id"), text("timeout"), text("src_ip") + ":" + text("src_port"), text("dst_ip") + ":" + text("dst_port"), text("tls")})
	}
	return s.table(rows, "ID", "Timeout", "Source", "Destination", "TLS")
}

// ctlStat calls the statistics of the core and every method called *.stats,
// of all modules or those named.
func ctlStat(s *session, ctx context.Context, modules []string) error {
	reply, err := s.call(ctx, "system.listMethods")
	if err != nil {
		return err
	}
	var core, stats []string
	for _, m := range list(reply) {
		switch name := str(m); {
		case name == "core.uptime" || name == "core.shmmem" || name == "core.tcp_info":
			core = append(core, name)
		case strings.HasSuffix(name, ".stats"):
			stats = append(stats, name)
		}
	}
	var rows [][]string
	for _, method := range append(core, stats...) {
		if prefix, _, _ := strings.Cut(method, "."); len(modules) > 0 && !slices.Contains(modules, prefix) {
			continue
		}
		reply, err := s.call(ctx, method)
		if err != nil {
			return err
		}
		rows = append(rows, statRows(method, reply)...)
	}
	return s.table(rows, "function", "name", "value")
}

func statRows(method string, reply rpc.Value) [][]string {
	var rows [][]string
	add := func(name string, v rpc.Value) { rows = append(rows, []string{method, name, strings.TrimSpace(str(v))}) }
	for _, v := range list(reply) {
		st, ok := v.(rpc.Struct)
		if !ok {
			add("", v)
			continue
		}
		domain := ""
		if d := member(st, "domain"); method == "usrloc.stats" && d != nil {
			domain = str(d) + " : "
		}
		for _, m := range st {
			if domain == "" || m.Name != "domain" {
				add(domain+m.Name, m.Value)
			}
		}
	}
	return rows
}

// ctlReload calls every method called *.reload, on every server. What fails is
// a warning, and the exit is not 0.
func ctlReload(s *session, ctx context.Context, _ []string) error {
	servers, err := s.servers()
	if err != nil {
		return err
	}
	var missed []string
	warn := func(server, what string, err error) {
		fmt.Fprintf(s.Err, "WARNING: %s on '%s' failed: %s\n", what, server, output.CleanLines(err.Error()))
		if !slices.Contains(missed, server) {
			missed = append(missed, server)
		}
	}
	for _, server := range servers {
		reply, err := s.callAt(ctx, server, "system.listMethods")
		if err != nil {
			warn(server, "ListMethods", err)
			continue
		}
		for _, m := range list(reply) {
			if name := str(m); strings.HasSuffix(name, ".reload") {
				if _, err := s.callAt(ctx, server, name); err != nil {
					warn(server, "Reload", err)
				}
			}
		}
	}
	if missed == nil {
		return nil
	}
	fmt.Fprintln(s.Out, "For the change to take effect on all machines in the cluster once available, execute the following command: 'ser_ctl reload'.")
	if os.Getenv("SIPCTL_ELDER_EXIT") == "old" {
		return nil
	}
	return fail("ERPC", strings.Join(missed, ", "))
}

func ctlPublish(s *session, ctx context.Context, args []string) error {
	expires, err := strconv.ParseInt(args[2], 10, 32)
	if err != nil {
		return fail("EINVAL", args[2])
	}
	doc, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	values := []rpc.Value{rpc.String("registrar"), rpc.String(args[0]), rpc.String(doc), rpc.Int(expires)}
	if len(args) == 4 {
		values = append(values, rpc.String(args[3]))
	}
	reply, err := s.call(ctx, "pa.publish", values...)
	if err != nil {
		return err
	}
	return s.printReply(reply)
}

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

// ctlModule is the one for people: what spans several tables, and the server.
var ctlModule = module{
	"alias":    {2, -1, "command uri alias", ctlAlias, "add <uri> <alias>..., rm <alias>..."},
	"attrs":    {2, -1, "command uri attr", ctlAttrs, "set <uri> <attr>=<value>..."},
	"domain":   {1, -1, "command domain", ctlDomain, "add <domain> [<alias>...], rm <domain>..., show [<domain>]"},
	"password": {1, 2, "uri password", ctlPassword, "change a password"},
	"user":     {2, -1, "command uri alias", ctlUser, "add <uri> [<alias>...], rm <uri>, show <uri>"},
	"usrloc":   {2, -1, "command uri contact", ctlUsrloc, "add <uri> <contact> [expires=] [q=] [flags=], show <uri>, rm <uri> [<contact>]"},
	"purge": {0, 0, "", func(s *session, ctx context.Context, _ []string) error {
		return s.purgeTables(ctx, append([]string{"uri", "credentials", "domain"}, attrTables...)...)
	}, "take away all rows marked as deleted"},
	"kill":     {0, 1, "sig", ctlKill, "end the server"},
	"ps":       {0, 0, "", ctlPs, "its processes"},
	"reload":   {0, 0, "", ctlReload, "call every reload method, on all servers"},
	"stat":     {0, -1, "module", ctlStat, "its statistics"},
	"uptime":   {0, 0, "", ctlUptime, "since when it runs"},
	"version":  {0, 0, "", ctlVersion, "its version"},
	"methods":  {0, 0, "", ctlMethods, "its methods (list_methods)"},
	"list_tls": {0, 0, "", ctlTLS, "its TLS connections"},
	"publish":  {3, 4, "uid file_with_PIDF_doc expires_in_sec etag", ctlPublish, "publish presence"},
}

// uniq are the texts in order, each once, without those in not.
func uniq(texts []string, not ...string) []string {
	var out []string
	for _, t := range texts {
		if !slices.Contains(out, t) && !slices.Contains(not, t) {
			out = append(out, t)
		}
	}
	return out
}

func ctlDomain(s *session, ctx context.Context, args []string) error {
	names := args[1:]
	switch words[args[0]] {
	case "add":
		if len(names) == 0 {
			return fail("ENOARG", "domain")
		}
		if err := s.change(ctx, func(c *change) error { return c.newDomain(names[0], uniq(names[1:], names[0])) }); err != nil {
			return err
		}
		return s.reloadDomains(ctx)
	case "rm":
		if err := s.change(ctx, func(c *change) error { return c.dropDomains(uniq(names)) }); err != nil {
			return err
		}
		return s.reloadDomains(ctx)
	case "show":
		if len(names) > 1 {
			names = names[:1]
		}
		return domainShow(s, ctx, names)
	}
	return fail("EINVAL", args[0])
}

// reloadDomains tells the server. What is stored stays stored when it cannot
// be told, and the message says so.
func (s *session) reloadDomains(ctx context.Context) error {
	if _, err := s.call(ctx, "domain.reload"); err != nil {
		return fmt.Errorf("the change is stored, but the server did not read it: %w; when it runs: ser_ctl reload", err)
	}
	return nil
}

func (c *change) newDomain(name string, aliases []string) error {
	did, err := c.id(name, "domain", "did")
	if err != nil {
		return err
	}
	for _, taken := range []struct {
		column, value, about string
	}{{"did", did, "did=" + did}, {"domain", name, name}} {
		exists, err := c.has("domain", eq(taken.column, taken.value))
		if err != nil {
			return err
		}
		if exists && !c.opt.force() {
			return fail("EDOMAIN", taken.about)
		}
	}
	for _, alias := range aliases {
		exists, err := c.has("domain", eq("domain", alias))
		if err != nil {
			return err
		}
		if exists && !c.opt.force() {
			return fail("EDUPL", "did="+did+" domain="+alias)
		}
	}
	for _, n := range append([]string{name}, aliases...) {
		if err := c.addDomain(did, n, keep); err != nil {
			return err
		}
	}
	return nil
}

// dropDomains removes names, each with the addresses of its did and the
// credentials of its realm when it is the last one, and takes away what was
// marked for them and nothing else.
func (c *change) dropDomains(names []string) error {
	for _, name := range names {
		did, ok, err := c.first("domain", "did", eq("domain", name))
		if err != nil {
			return err
		}
		if !ok {
			if c.opt.force() {
				continue
			}
			return fail("ENODOMAIN", name)
		}
		for table, conds := range map[string][]cond{"uri": {eq("did", did)}, "credentials": {eq("realm", name)}} {
			others, err := c.has("domain", eq("did", did), cond{column: "domain", value: name, not: true})
			if err != nil {
				return err
			}
			if others && table == "uri" {
				continue // the addresses live on under the other names
			}
			if _, err := c.remove(table, conds...); err != nil {
				return err
			}
			if err := c.purge(table, conds...); err != nil {
				return err
			}
		}
		if err := c.removeDomain(did, name); err != nil {
			return err
		}
		for _, table := range []string{"domain", "domain_attrs", "uri"} {
			if err := c.purge(table, eq("did", did)); err != nil {
				return err
			}
		}
	}
	return nil
}

func ctlUser(s *session, ctx context.Context, args []string) error {
	uri := args[1]
	switch words[args[0]] {
	case "add":
		pw, err := s.password(nil, 0, "Please, enter password for the new subscriber.\nPassword: ")
		if err != nil {
			return err
		}
		return s.change(ctx, func(c *change) error { return c.newUser(uri, uniq(args[2:], uri), pw) })
	case "rm":
		if len(args) > 2 {
			return fail("EEXTRA", pyList(args[2:]))
		}
		return s.change(ctx, func(c *change) error { return c.dropUser(uri) })
	case "show":
		return s.showUser(ctx, uri)
	}
	return fail("EINVAL", args[0])
}

// didOf finds the did of a domain; with -f an unknown domain is made.
func (c *change) didOf(domain string) (string, error) {
	did, ok, err := c.first("domain", "did", eq("domain", domain))
	if err != nil || ok {
		return did, err
	}
	if !c.opt.force() {
		return "", fail("ENODOMAIN", domain)
	}
	if did, err = c.id(domain, "domain", "did"); err != nil {
		return "", err
	}
	return did, c.addDomain(did, domain, keep)
}

func (c *change) newUser(uri string, aliases []string, password string) error {
	user, domain := splitURI(uri)
	if user == "" || domain == "" {
		return fail("EINVAL", uri)
	}
	uid, err := c.id(user+"@"+domain, "user_attrs", "uid")
	if err != nil {
		return err
	}
	exists, err := c.has("user_attrs", eq("uid", uid))
	if err != nil {
		return err
	}
	if exists && !c.opt.force() {
		return fail("EDUPL", "uid="+uid)
	}
	did, err := c.didOf(domain)
	if err != nil {
		return err
	}
	realm, ok, err := c.first("domain_attrs", "value", eq("did", did), eq("name", "digest_realm"))
	if err != nil {
		return err
	}
	if !ok {
		if !c.opt.force() {
			return fail("ENODRA", did)
		}
		realm = domain
	}
	// The realm, not the domain, is what the credentials are found by.
	if exists, err = c.has("credentials", eq("auth_username", user), eq("realm", realm)); err != nil {
		return err
	}
	if exists && !c.opt.force() {
		return fail("EDUPL", "auth_username="+user+" realm="+realm)
	}
	if err := c.addUser(uid, keep); err != nil {
		return err
	}
	if err := c.addCred(uid, user, did, realm, password, keep, user); err != nil {
		return err
	}
	for i, a := range append([]string{uri}, aliases...) {
		if err := c.freeURI(a, i > 0); err != nil {
			return err
		}
		if err := c.addURI(uid, a, keep); err != nil {
			return err
		}
	}
	return nil
}

// freeURI is EDUPL when an address is somebody's. With -f the domain of an
// alias is made.
func (c *change) freeURI(uri string, alias bool) error {
	user, domain := splitURI(uri)
	did, err := c.didOf(domain)
	if err != nil {
		return err
	}
	taken, err := c.has("uri", eq("username", user), eq("did", did))
	if err == nil && taken && !c.opt.force() {
		about := "username=" + user + " did=" + did
		if alias {
			about = user + "@" + domain
		}
		err = fail("EDUPL", about)
	}
	return err
}

// dropUser removes a user with all that is its own: addresses, credentials,
// attributes.
func (c *change) dropUser(uri string) error {
	uid, err := c.uidOf(uri)
	if is(err, "ENOREC", "EDB") {
		return c.pass(err)
	}
	if err != nil {
		return err
	}
	for _, table := range []string{"uri", "credentials", "user_attrs"} {
		if _, err := c.remove(table, eq("uid", uid)); err != nil {
			return err
		}
		if err := c.purge(table, eq("uid", uid)); err != nil {
			return err
		}
	}
	return nil
}

// showUser finds users by a URI, a name in one, a uid or a digest user, the
// first of these that is known, and prints their addresses, credentials and
// attributes. Passwords, which the elder prints, are ***.
func (s *session) showUser(ctx context.Context, what string) error {
	v, err := s.view()
	if err != nil {
		return err
	}
	var rows [][]string
	err = s.look(ctx, func(c *change) error {
		uids, err := c.whoIs(what)
		if err != nil {
			return err
		}
		for _, part := range []func(string) ([][]string, error){c.urisOf, c.credsOf, c.attrsOf} {
			for _, uid := range uids {
				more, err := part(uid)
				if err != nil {
					return err
				}
				rows = append(rows, more...)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if v.limit > 0 && len(rows) > v.limit {
		rows = rows[:v.limit]
	}
	s.print(v, rows, []string{"uid", "source", "value"})
	return nil
}

func (c *change) whoIs(what string) ([]string, error) {
	user, domain := splitURI(what)
	did, _, err := c.first("domain", "did", eq("domain", domain))
	if err != nil {
		return nil, err
	}
	for _, try := range []struct {
		table string
		conds []cond
	}{
		{"uri", []cond{eq("username", user), eq("did", did)}},
		{"uri", []cond{eq("username", what)}},
		{"user_attrs", []cond{eq("uid", what)}},
		{"credentials", []cond{eq("auth_username", user), eq("realm", domain)}},
		{"credentials", []cond{eq("auth_username", user)}},
		{"credentials", []cond{eq("auth_username", what)}},
	} {
		uids, err := c.values(try.table, "uid", try.conds...)
		if err != nil || len(uids) > 0 {
			return uids, err
		}
	}
	return nil, nil
}

func (c *change) urisOf(uid string) ([][]string, error) {
	var uris []struct{ Username, DID string }
	if err := c.tx.Select(c.ctx, &uris, "SELECT username, did FROM uri WHERE uid = ?", uid); err != nil {
		return nil, err
	}
	var out [][]string
	for _, u := range uris {
		domain, ok, err := c.first("domain", "domain", eq("did", u.DID), canonical)
		if err == nil && !ok {
			domain, ok, err = c.first("domain", "domain", eq("did", u.DID))
		}
		if err != nil {
			return nil, err
		}
		if !ok {
			domain = "None"
		}
		out = append(out, []string{uid, "uri", u.Username + "@" + domain})
	}
	return out, nil
}

func (c *change) credsOf(uid string) ([][]string, error) {
	var creds []struct {
		User  string `db:"auth_username"`
		Realm string
	}
	err := c.tx.Select(c.ctx, &creds, "SELECT auth_username, realm FROM credentials WHERE uid = ?", uid)
	var out [][]string
	for _, x := range creds {
		out = append(out, []string{uid, "credentials", "username=" + x.User + " realm=" + x.Realm + " password=***"})
	}
	return out, err
}

func (c *change) attrsOf(uid string) ([][]string, error) {
	var attrs []struct {
		Name  string
		Value *string
	}
	where, args := spell(c.tx.Dialect, live([]cond{eq("uid", uid)}))
	err := c.tx.Select(c.ctx, &attrs, "SELECT name, value FROM user_attrs"+where, args...)
	var texts []string
	for _, a := range attrs {
		value := "None"
		if a.Value != nil {
			value = *a.Value
		}
		texts = append(texts, a.Name+"="+value)
	}
	return [][]string{{uid, "attr", strings.Join(texts, ", ")}}, err
}

// ctlPassword changes the password of the digest user that the URI's user has,
// found through the URI, and by name and domain as the elder does.
func ctlPassword(s *session, ctx context.Context, args []string) error {
	pw, err := s.password(args, 1, "Please, enter new subscriber's password.\nPassword: ")
	if err != nil {
		return err
	}
	return s.change(ctx, func(c *change) error {
		user, domain := splitURI(args[0])
		realm := domain
		did, ok, err := c.first("domain", "did", eq("domain", domain))
		if err != nil {
			return err
		}
		if ok {
			r, ok, err := c.first("domain_attrs", "value", eq("did", did), eq("name", "digest_realm"))
			if err != nil {
				return err
			}
			if ok {
				realm = r
			}
		}
		return c.changeCred(user, realm, &pw, keep)
	})
}

func ctlAlias(s *session, ctx context.Context, args []string) error {
	switch words[args[0]] {
	case "add":
		if len(args) < 3 {
			return fail("ENOARG", "alias")
		}
		return s.change(ctx, func(c *change) error { return c.newAliases(args[1], uniq(args[2:], args[1])) })
	case "rm":
		return s.change(ctx, func(c *change) error { return c.dropAliases(uniq(args[1:])) })
	}
	return fail("EINVAL", args[0])
}

func (c *change) newAliases(uri string, aliases []string) error {
	uid, err := c.uidOf(uri)
	if is(err, "ENOREC", "EDB") {
		return c.pass(err)
	}
	if err != nil {
		return err
	}
	for _, a := range aliases {
		if _, domain := splitURI(a); !c.opt.force() {
			known, err := c.has("domain", eq("domain", domain))
			if err != nil {
				return err
			}
			if !known {
				return fail("ENODOMAIN", domain)
			}
			_, err = c.uidOf(a)
			if err == nil || is(err, "EDB") {
				return fail("EDUPL", a)
			}
			if !is(err, "ENOREC") {
				return err
			}
		}
		if err := c.addURI(uid, a, keep); err != nil {
			return err
		}
	}
	return nil
}

func (c *change) dropAliases(aliases []string) error {
	for _, a := range aliases {
		uid, err := c.uidOf(a)
		if is(err, "ENOREC") {
			if c.opt.force() {
				continue
			}
			return fail("ENOREC", a)
		}
		if err != nil {
			return err
		}
		if err := c.removeURI(uid, a); err != nil {
			return err
		}
		user, did, err := c.locate(a)
		if err != nil {
			return err
		}
		if err := c.purge("uri", eq("uid", uid), eq("username", user), eq("did", did)); err != nil {
			return err
		}
	}
	return nil
}

func ctlAttrs(s *session, ctx context.Context, args []string) error {
	if words[args[0]] != "set" {
		return fail("EINVAL", args[0])
	}
	if len(args) < 3 {
		return fail("ENOARG", "attr")
	}
	return s.attrChange(ctx, append([]string{"user=" + args[1]}, args[2:]...), true)
}

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
	switch words[args[0]] {
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

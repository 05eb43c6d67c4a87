package kamctl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"sipd/db"
	"sipd/schema"
)

// dbControl is one run of kamdbctl, which shares settings and messages with
// kamctl.
type dbControl struct {
	*control
	name string // of the database, or the path of the SQLite file
	root string // password of the server's administrator
}

// RunDB is kamdbctl: it makes, copies, saves and removes databases. argv has
// the program's name first.
func RunDB(ctx context.Context, argv []string, s Surroundings) int {
	k := &control{Surroundings: s, name: argv[0]}
	rc, err := loadSettings(argv[0])
	if err != nil {
		fmt.Fprintf(s.Err, "kamdbctl: %v\n", err)
		return int(failed)
	}
	k.rc = rc
	f, ok := s.Out.(*os.File)
	k.terminal = ok && term.IsTerminal(int(f.Fd()))
	c := &dbControl{control: k}
	err = c.run(ctx, argv[1:])
	if err == nil {
		return 0
	}
	if code, ok := err.(exit); ok {
		return int(code)
	}
	fmt.Fprintf(s.Err, "kamdbctl: %v\n", err)
	return int(failed)
}

func (c *dbControl) run(ctx context.Context, args []string) error {
	engine := c.rc.get("DBENGINE", "")
	if engine == "" {
		c.error("database engine not specified, please setup one in the config script")
		return failed
	}
	if err := c.chooseEngine(); err != nil {
		return err
	}
	if c.engine == "" {
		c.error("database engine not loaded - tried '%s'", engine)
		return failed
	}
	c.name = c.rc.get("DBNAME", "kamailio")
	if c.engine == db.SQLite {
		c.name = c.rc.get("DB_PATH", "")
	}
	if len(args) > 0 && c.engine == db.MySQL {
		c.askRoot()
	}
	run, ok := map[string]func(context.Context, []string) error{
		"create": c.create, "drop": c.drop, "reinit": c.reinit, "backup": c.backup, "restore": c.restore, "copy": c.copy,
		"presence": c.group("presence"), "extra": c.group("extra"), "dbuid": c.group("uid"),
		"dbonly": c.mysqlOnly(c.createOnly), "grant": c.mysqlOnly(c.grant), "revoke": c.mysqlOnly(c.revoke), "add-tables": c.addTables,
		"version": c.version, "pframework": c.refuse("the provisioning framework of xhttp_pi is made by Kamailio's own kamdbctl"),
		"bdb": c.refuse("Berkeley DB is not spoken"), "db_berkeley": c.refuse("Berkeley DB is not spoken"),
		"migrate": c.refuse("Kamailio removed it in 5.2; 'sipctl db upgrade' brings tables to a new release"),
	}[arg(args, 0)]
	if !ok {
		c.dbUsage()
		return failed
	}
	return run(ctx, args[1:])
}

func (c *dbControl) version(context.Context, []string) error {
	_, err := fmt.Fprintf(c.Out, "%s %s\n", c.control.name, Version)
	return err
}

// refuse answers a command that is not done here.
func (c *dbControl) refuse(why string) func(context.Context, []string) error {
	return func(context.Context, []string) error {
		c.error("%s", why)
		return failed
	}
}

func (c *dbControl) mysqlOnly(run func(context.Context, []string) error) func(context.Context, []string) error {
	return func(ctx context.Context, args []string) error {
		if c.engine != db.MySQL {
			c.error("%s db engine doesn't support this operation", c.engine)
			return failed
		}
		return run(ctx, args)
	}
}

// askRoot asks for the administrator's password, as the elder does before any
// work on MySQL.
func (c *dbControl) askRoot() {
	if c.root = c.rc.get("DBROOTPW", ""); c.root != "" || c.rc.get("DBROOTPWSKIP", "") != "" {
		return
	}
	fmt.Fprintf(c.Out, "MySQL password for %s: ", c.rc.get("DBROOTUSER", "root"))
	if f, ok := c.In.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		b, err := term.ReadPassword(int(f.Fd()))
		if err == nil {
			c.root = string(b)
		}
	} else {
		c.root = c.line()
	}
	fmt.Fprintln(c.Out)
}

// named takes the name of another database from the arguments.
func (c *dbControl) named(args []string) {
	if len(args) == 1 {
		c.name = args[0]
	}
}

// answer is yes or no: a setting, or a question when it is "ask".
func (c *dbControl) answer(variable, question string) bool {
	value := "ask"
	if variable != "" {
		value = c.rc.get(variable, "ask")
	}
	if value == "ask" {
		fmt.Fprint(c.Out, question)
		value = c.line()
	}
	i := strings.IndexAny(value, "YyNn")
	return i >= 0 && (value[i] == 'y' || value[i] == 'Y')
}

// confirmed asks before anything is destroyed.
func (c *dbControl) confirmed(what, verb string) error {
	fmt.Fprintf(c.Out, "This will %s.\nIt is recommended to first backup your database.\n\n", what)
	if !c.answer("", "Continue with "+verb+"? (y/n): ") {
		return failed
	}
	return nil
}

func (c *dbControl) drop(ctx context.Context, args []string) error {
	if err := c.confirmed("drop your current database", "drop"); err != nil {
		return err
	}
	c.named(args)
	return c.destroy(ctx)
}

func (c *dbControl) reinit(ctx context.Context, args []string) error {
	if err := c.confirmed("drop your current database and create a new one", "reinit"); err != nil {
		return err
	}
	c.named(args)
	if err := c.destroy(ctx); err != nil {
		return err
	}
	return c.create(ctx, nil)
}

// destroy removes the database.
func (c *dbControl) destroy(ctx context.Context) error {
	if c.engine != db.SQLite {
		return c.dropServer(ctx)
	}
	if err := os.Remove(c.name); err != nil {
		c.complain(err)
		c.error("Dropping database %s failed!", c.name)
		return failed
	}
	for _, rest := range []string{"-wal", "-shm"} { // of a writer that ended badly
		_ = os.Remove(c.name + rest)
	}
	c.info("Database %s dropped", c.name)
	return nil
}

// create makes the database and its tables, asking where the settings do not
// say which.
func (c *dbControl) create(ctx context.Context, args []string) error {
	c.named(args)
	if c.engine != db.SQLite {
		return c.createServer(ctx)
	}
	c.info("creating database %s ...", c.name)
	if err := c.tables(ctx, "standard"); err != nil {
		c.complain(err)
		c.error("Creating core tables failed!")
		return failed
	}
	c.info("Core Kamailio tables successfully created.")
	return c.more(ctx, "Install presence related tables? (y/n): ", "Install tables for "+c.extraModules()+"? (y/n): ")
}

func (c *dbControl) extraModules() string { return strings.Join(c.modules("extra"), " ") }

// more makes the groups beyond the standard one.
func (c *dbControl) more(ctx context.Context, presence, extra string) error {
	if c.answer("INSTALL_PRESENCE_TABLES", presence) {
		if err := c.group("presence")(ctx, nil); err != nil {
			return err
		}
	}
	if c.answer("INSTALL_EXTRA_TABLES", extra) {
		if err := c.group("extra")(ctx, nil); err != nil {
			return err
		}
	}
	if c.engine == db.MySQL && c.answer("INSTALL_DBUID_TABLES", "Create the tables for uid_auth_db uid_avp_db uid_domain uid_gflags uid_uri_db? (y/n): ") {
		return c.group("uid")(ctx, nil)
	}
	return nil
}

// group makes a command of a group of tables.
func (c *dbControl) group(name string) func(context.Context, []string) error {
	title := map[string]string{"presence": "Presence", "extra": "Extra", "uid": "UID"}[name]
	return func(ctx context.Context, _ []string) error {
		c.info("creating %s tables into %s ...", name, c.name)
		if err := c.tables(ctx, name); err != nil {
			c.complain(err)
			c.error("Creating %s tables failed!", name)
			return failed
		}
		c.info("%s tables successfully created.", title)
		return nil
	}
}

// groupFiles are the elder's SQL files of a group, and the setting that has
// them.
var groupFiles = map[string]struct{ setting, names string }{
	"standard": {"STANDARD_MODULES", "standard acc lcr domain group permissions registrar usrloc msilo alias_db uri_db speeddial avpops auth_db pdt dialog dispatcher dialplan topos"},
	"presence": {"PRESENCE_MODULES", "presence rls"},
	"extra":    {"EXTRA_MODULES", "imc cpl siptrace domainpolicy carrierroute drouting userblocklist htable purple uac pipelimit mtree sca mohqueue rtpproxy rtpengine secfilter"},
	"uid":      {"UID_MODULES", "uid_auth_db uid_avp_db uid_domain uid_gflags uid_uri_db"},
}

// modules are the files of a group.
func (c *dbControl) modules(group string) []string {
	g := groupFiles[group]
	return strings.Fields(c.rc.get(g.setting, g.names))
}

// tables makes a group of tables, all or none.
func (c *dbControl) tables(ctx context.Context, group string) error {
	var all []*schema.Table
	for _, m := range c.modules(group) {
		ts := tablesOfFile(m)
		if ts == nil {
			return fmt.Errorf("%s names %s, which has no tables here", groupFiles[group].setting, m)
		}
		all = append(all, ts...)
	}
	return c.makeTables(ctx, all)
}

// files are the tables of the elder's SQL files, where they are more than one
// or called otherwise.
var files = map[string][]string{
	"standard": {"version"}, "acc": {"acc", "acc_cdrs", "missed_calls"}, "lcr": {"lcr_gw", "lcr_rule_target", "lcr_rule"},
	"domain": {"domain", "domain_attrs"}, "group": {"grp", "re_grp"}, "permissions": {"trusted", "address"}, "registrar": {"aliases"},
	"usrloc": {"location", "location_attrs"}, "msilo": {"silo"}, "alias_db": {"dbaliases"}, "uri_db": {"uri"}, "speeddial": {"speed_dial"},
	"avpops": {"usr_preferences"}, "auth_db": {"subscriber"}, "dialog": {"dialog", "dialog_vars"}, "topos": {"topos_d", "topos_t"},
	"presence": {"presentity", "active_watchers", "watchers", "xcap", "pua"}, "rls": {"rls_presentity", "rls_watchers"},
	"imc": {"imc_rooms", "imc_members"}, "siptrace": {"sip_trace"}, "carrierroute": {"carrierroute", "carrierfailureroute", "carrier_name", "domain_name"},
	"drouting": {"dr_gateways", "dr_rules", "dr_gw_lists", "dr_groups"}, "userblocklist": {"userblocklist", "globalblocklist"},
	"purple": {"purplemap"}, "uac": {"uacreg"}, "pipelimit": {"pl_pipes"}, "mtree": {"mtree", "mtrees"}, "sca": {"sca_subscriptions"},
	"mohqueue": {"mohqcalls", "mohqueues"}, "uid_auth_db": {"uid_credentials"}, "uid_avp_db": {"uid_user_attrs"},
	"uid_domain": {"uid_domain", "uid_domain_attrs"}, "uid_gflags": {"uid_global_attrs"}, "uid_uri_db": {"uid_uri", "uid_uri_attrs"},
}

// addTables makes the tables of one of the elder's SQL files.
func (c *dbControl) addTables(ctx context.Context, args []string) error {
	if c.engine != db.MySQL {
		c.error("%s don't support add-tables operation", c.engine)
		return failed
	}
	if len(args) != 1 {
		c.error("add-tables requires 1 parameter: group id of tables")
		return failed
	}
	c.info("creating group of tables [%s] into database [%s] ...", args[0], c.name)
	tables := tablesOfFile(args[0])
	if tables == nil {
		c.error("Script for creating group of tables [%s] not found", args[0])
		return failed
	}
	if err := c.makeTables(ctx, tables); err != nil {
		c.complain(err)
		c.error("Creating group of tables [%s] failed", args[0])
		return failed
	}
	return nil
}

// tablesOfFile are the tables of one of the elder's SQL files, nil for none.
func tablesOfFile(name string) []*schema.Table {
	names := files[name]
	if names == nil {
		names = []string{name}
	}
	var out []*schema.Table
	for _, n := range names {
		t := schema.Of(db.Kamailio).Table(n)
		if t == nil {
			return nil
		}
		out = append(out, t)
	}
	return out
}

// makeTables makes tables and their version numbers, all or none.
func (c *dbControl) makeTables(ctx context.Context, tables []*schema.Table) (err error) {
	d, err := c.open(ctx, c.name, db.Create())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := schema.Of(db.Kamailio).Create(ctx, d, tables); err != nil || c.engine != db.PostgreSQL {
		return err
	}
	return c.grantTables(ctx, d, tables)
}

func (c *dbControl) dbUsage() {
	fmt.Fprintf(c.Out, "%s %s\n\nusage: ", c.control.name, Version)
	lines := []string{
		"create [<database or path>]|make a database and its tables", "drop [<database or path>]|remove a database with all that is in it",
		"reinit [<database or path>]|remove it and make it anew", "backup <file>|write the database into a file", "restore <file>|read it back",
		"copy <new database or path>|make a copy under another name", "presence|add the presence tables", "extra|add the extra tables", "dbuid|add the uid tables",
		"dbonly [<database>]|make an empty database (MySQL)", "grant [<database>]|make the users and their rights (MySQL)", "revoke [<database>]|take the rights away (MySQL)",
		"add-tables <group>|add the tables of a module (MySQL)", "version|print the version",
	}
	program := c.control.name[strings.LastIndexByte(c.control.name, '/')+1:]
	for i, l := range lines {
		command, what, _ := strings.Cut(l, "|")
		if i > 0 {
			fmt.Fprint(c.Out, "       ")
		}
		fmt.Fprintf(c.Out, "%s %s %s (%s)\n", program, command, strings.Repeat(".", max(helpColumn-len(command), 3)), what)
	}
}

// tableNames are the names of tables, sorted.
func tableNames(tables []*schema.Table) []string {
	var out []string
	for _, t := range tables {
		out = append(out, t.Name)
	}
	slices.Sort(out)
	return out
}

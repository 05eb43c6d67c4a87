package ctl

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"sipd/ctl/output"
	"sipd/db"
)

// DefaultDB is the database where nobody names one.
const DefaultDB = "sqlite:///var/lib/sipd/sipd.db"

// options are the flags of every command.
type options struct {
	db, flavour, context, config, output string
	table                                string // of nouns that have several
	location                             string // table of contacts that the server has
	servers                              []string
	quiet, dryRun, yes                   bool
}

func (o *options) declare(root *cobra.Command) {
	f := root.PersistentFlags()
	f.SortFlags = false
	f.StringVar(&o.db, "db", "", "`URL` of the database: sqlite:///PATH, mysql://USER:PASSWORD@HOST/NAME, postgres://USER:PASSWORD@HOST/NAME (environment: SIPCTL_DB; default "+DefaultDB+")")
	f.StringVar(&o.flavour, "flavour", "", "`name` of the tables' layout: ser, kamailio or auto, which looks (environment: SIPCTL_FLAVOUR)")
	f.StringVarP(&o.output, "output", "o", "", "`form` of lists: table, wide, json, jsonl, yaml, csv, tsv (environment: SIPCTL_OUTPUT; default table)")
	f.StringVarP(&o.context, "context", "c", "", "`name` of a context of the configuration (environment: SIPCTL_CONTEXT)")
	f.StringVar(&o.config, "config", "", "configuration `file` (environment: SIPCTL_CONFIG)")
	f.StringArrayVarP(&o.servers, "server", "s", nil, "control `address` of a server that is told of changes, as sipcmd takes it; again for more (environment: SIPCTL_SERVER)")
	f.BoolVar(&o.dryRun, "dry-run", false, "try a change and say what it did, but write nothing")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "do not tell what was done")
	complete := func(words ...string) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return words, cobra.ShellCompDirectiveNoFileComp
		}
	}
	// The names are the flags' above, so none can fail.
	_ = root.RegisterFlagCompletionFunc("output", complete(output.Formats()...))
	_ = root.RegisterFlagCompletionFunc("flavour", complete("ser", "kamailio", "auto"))
	_ = root.RegisterFlagCompletionFunc("context", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		conf, err := loadConfig(o.config)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return conf.names(), cobra.ShellCompDirectiveNoFileComp
	})
}

// settings are what a command works with.
type settings struct {
	db      string
	flavour db.Flavour
	output  output.Format
	domain  string            // of names without @
	servers []string          // that are told of changes
	files   []string          // of the configuration that were read
	context string            // "" for none
	from    map[string]string // where each setting comes from, by its key
}

// layer is a place that settings come from.
type layer struct {
	name string
	fileContext
}

// configure finds the settings. In order of growing strength: the file of the
// machine, the file of the user, the context that one of them or
// SIPCTL_CONTEXT names, the environment, a context named by --context, the
// other options.
func (a *App) configure(cmd *cobra.Command) error {
	set, err := a.opt.settings()
	if err != nil {
		return asUsage(cmd, err)
	}
	a.set = set
	return nil
}

// asUsage makes what a flag or a variable says wrongly an error of the command
// line; a mistake in a file stays what it is.
func asUsage(cmd *cobra.Command, err error) error {
	if _, file := errors.AsType[*configError](err); file || cmd == nil {
		return err
	}
	return usagef(cmd, "%v", err)
}

func (o *options) settings() (settings, error) {
	conf, err := loadConfig(o.config)
	if err != nil {
		return settings{}, err
	}
	set := settings{files: conf.paths(), from: make(map[string]string)}
	layers := []layer{
		{"option", fileContext{DB: o.db, Flavour: o.flavour, Output: o.output, Server: strings.Join(o.servers, " ")}},
		{"environment", environment()},
	}
	for _, c := range []struct{ name, from string }{{o.context, "option"}, {os.Getenv("SIPCTL_CONTEXT"), "environment"}, {conf.Context, "configuration"}} {
		if c.name != "" {
			set.context, set.from["context"] = c.name, c.from
			break
		}
	}
	if set.context != "" {
		ctx, err := conf.find(set.context)
		if err != nil {
			return set, err
		}
		at := 2
		if o.context != "" {
			at = 1
		}
		layers = append(layers[:at], append([]layer{{"context " + set.context, ctx}}, layers[at:]...)...)
	}
	layers = append(layers, layer{"configuration", conf.Common})
	return set, set.take(layers)
}

// environment is what the variables say.
func environment() fileContext {
	return fileContext{
		DB: os.Getenv("SIPCTL_DB"), Flavour: os.Getenv("SIPCTL_FLAVOUR"), Output: os.Getenv("SIPCTL_OUTPUT"),
		Domain: os.Getenv("SIPCTL_DOMAIN"), Server: os.Getenv("SIPCTL_SERVER"), PasswordFile: os.Getenv("SIPCTL_DB_PASSWORD_FILE"),
		password: os.Getenv("SIPCTL_DB_PASSWORD"),
	}
}

// take fills the settings from the layers, the strongest first.
func (s *settings) take(layers []layer) error {
	pick := func(key string, get func(fileContext) string) string {
		for _, l := range layers {
			if v := get(l.fileContext); v != "" {
				s.from[key] = l.name
				return v
			}
		}
		s.from[key] = "default"
		return ""
	}
	s.db = first(pick("db", func(c fileContext) string { return c.DB }), DefaultDB)
	s.domain = pick("domain", func(c fileContext) string { return c.Domain })
	s.servers = strings.Fields(pick("server", func(c fileContext) string { return c.Server }))
	var err error
	if s.flavour, err = db.ParseFlavour(pick("flavour", func(c fileContext) string { return c.Flavour })); err != nil {
		return err
	}
	s.output = output.Table
	if v := pick("output", func(c fileContext) string { return c.Output }); v != "" {
		if s.output, err = output.ParseFormat(v); err != nil {
			return err
		}
	}
	return s.addPassword(layers)
}

// addPassword puts the password of the database into its URL where that has
// none: of the layer that the URL comes from, or of a stronger one.
func (s *settings) addPassword(layers []layer) error {
	for _, l := range layers {
		pw, err := l.secret()
		if err != nil {
			return err
		}
		if pw != "" {
			s.db = db.WithPassword(s.db, pw)
			return nil
		}
		if l.name == s.from["db"] {
			break
		}
	}
	return nil
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// Defaults are the database and the server that environment and configuration
// name, for programs that do not have the options of sipctl.
type Defaults struct{}

// Database is the URL of the database, "" when none is named.
func (Defaults) Database() (string, error) {
	set, err := new(options).settings()
	if err != nil || set.from["db"] == "default" {
		return "", err
	}
	return set.db, nil
}

// Server is the control address of the server, "" when none is named and no
// socket stands in its usual place.
func (Defaults) Server() (string, error) {
	set, err := new(options).settings()
	if err != nil {
		return "", err
	}
	if len(set.servers) > 0 {
		return set.servers[0], nil
	}
	for _, path := range usualSockets() {
		if _, err := os.Stat(path); err == nil {
			return "unixs:" + path, nil
		}
	}
	return "", nil
}

const configShort = "Show, choose and check the settings and the contexts"

func (a *App) configCommand() *cobra.Command {
	contexts := func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		conf, err := loadConfig(a.opt.config)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return conf.names(), cobra.ShellCompDirectiveNoFileComp
	}
	// Those that mend a configuration must run with a broken one.
	unconfigured := func(cmd *cobra.Command, _ []string) (err error) {
		if a.set.output, err = output.ParseFormat(first(a.opt.output, "table")); err != nil {
			return usagef(cmd, "%v", err)
		}
		return nil
	}
	var in string
	set := &cobra.Command{
		Use: "set KEY VALUE", Short: "Write a setting into the user's file", Args: want(2, 2), PersistentPreRunE: unconfigured,
		Long: `Writes a setting into the user's configuration, or the file of --config: db,
server, flavour, output, domain, db_password_file, db_password_env, or context.
With --in it is one of a context, which is made when there is none of that name.
An empty value takes the setting away. Passwords are named by the file or the
variable that holds them.`,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.configSet(cmd, in, args[0], args[1]) },
		ValidArgsFunction: completeKeys,
	}
	set.Flags().StringVar(&in, "in", "", "the `context` that it belongs to")
	_ = set.RegisterFlagCompletionFunc("in", contexts) // the flag is the line above
	return group("config", configShort,
		&cobra.Command{
			Use: "show", Short: "Show the settings that commands work with and where each comes from, without passwords", Args: want(0, 0),
			RunE: func(*cobra.Command, []string) error { return a.configShow() },
		},
		&cobra.Command{
			Use: "list", Aliases: []string{"contexts", "ls"}, Short: "List the contexts of the configuration", Args: want(0, 0),
			RunE: func(*cobra.Command, []string) error { return a.configList() },
		},
		&cobra.Command{
			Use: "use CONTEXT", Short: "Make a context the one that commands use", Args: want(1, 1), PersistentPreRunE: unconfigured,
			Long: `Writes into the user's configuration, or the file of --config, which context
commands use when neither --context nor SIPCTL_CONTEXT names one.`,
			ValidArgsFunction: contexts,
			RunE:              func(cmd *cobra.Command, args []string) error { return a.configUse(args[0]) },
		},
		set,
		&cobra.Command{
			Use: "paths", Short: "List the files where the configuration is looked for, and whether they are there", Args: want(0, 0), PersistentPreRunE: unconfigured,
			RunE: func(*cobra.Command, []string) error { return a.configPaths() },
		},
		&cobra.Command{
			Use: "aliases", Short: "List the other names of commands", Args: want(0, 0),
			RunE: func(*cobra.Command, []string) error { return a.configAliases() },
		},
		&cobra.Command{
			Use: "check [CONTEXT...]", Short: "Check the files and try the databases and servers of contexts", Args: want(0, -1), PersistentPreRunE: unconfigured,
			Long: `Reads the configuration and lists every mistake in it; then opens the database
and calls the server of each context named, or of all. Exits with 1 when
something is wrong.`,
			ValidArgsFunction: contexts,
			RunE:              func(cmd *cobra.Command, args []string) error { return a.configCheck(cmd.Context(), args) },
		})
}

func completeKeys(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return append([]string{"context"}, contextKeys...), cobra.ShellCompDirectiveNoFileComp
}

func (a *App) configShow() error {
	if a.set.output == output.Table || a.set.output == output.Wide {
		w := output.New(a.Out, a.set.output, "setting", "value", "from")
		for _, f := range a.set.fields() {
			w.Row(f.Name, f.Value, a.set.from[f.Name])
		}
		return w.Close()
	}
	return output.Record(a.Out, a.set.output, a.set.fields()...)
}

func (s *settings) fields() []output.Field {
	return []output.Field{
		output.F("db", db.Redact(s.db)), output.F("flavour", s.flavour.String()), output.F("output", string(s.output)),
		output.F("domain", s.domain), output.F("server", strings.Join(s.servers, " ")), output.F("context", s.context),
		output.F("file", strings.Join(s.files, " ")),
	}
}

func (a *App) configList() error {
	conf, err := loadConfig(a.opt.config)
	if err != nil {
		return err
	}
	w := output.New(a.Out, a.set.output, "context", "db", "flavour", "domain", "server", "current")
	for _, c := range conf.Contexts {
		url := c.DB
		if url != "" {
			url = db.Redact(url)
		}
		w.Row(c.Name, url, c.Flavour, c.Domain, c.Server, c.Name == a.set.context)
	}
	return w.Close()
}

func (a *App) configUse(name string) error {
	conf, err := loadConfig(a.opt.config)
	if err != nil {
		return err
	}
	if _, err := conf.find(name); err != nil {
		return err
	}
	path, err := a.writeSetting("", "context", name)
	if err != nil {
		return err
	}
	return a.say("commands use the context %s (%s)", name, path)
}

func (a *App) configSet(cmd *cobra.Command, in, key, value string) error {
	if err := checkSetting(in, key, value); err != nil {
		return usagef(cmd, "%v", err)
	}
	path, err := a.writeSetting(in, key, value)
	if err != nil {
		return err
	}
	what := key
	if in != "" {
		what = fmt.Sprintf("%s of context %s", key, in)
	}
	if value == "" {
		return a.say("took %s out of %s", what, path)
	}
	return a.say("set %s in %s", what, path)
}

// configPaths lists the files of the configuration in the order in which they
// are read.
func (a *App) configPaths() error {
	w := output.New(a.Out, a.set.output, "file", "there")
	asked := first(a.opt.config, os.Getenv("SIPCTL_CONFIG"))
	files := usualFiles()
	if asked != "" {
		files = []string{asked}
	}
	for _, f := range files {
		_, err := os.Stat(f)
		if err := w.Row(f, err == nil); err != nil {
			return err
		}
	}
	return w.Close()
}

// configAliases lists the aliases of the whole tree.
func (a *App) configAliases() error {
	w := output.New(a.Out, a.set.output, "alias", "command")
	var walk func(c *cobra.Command) error
	walk = func(c *cobra.Command) error {
		for _, s := range c.Commands() {
			path := strings.TrimPrefix(s.CommandPath(), "sipctl ")
			for _, alias := range s.Aliases {
				if err := w.Row(strings.TrimSuffix(path, s.Name())+alias, path); err != nil {
					return err
				}
			}
			if err := walk(s); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk((&App{}).Root()); err != nil {
		return err
	}
	return w.Close()
}

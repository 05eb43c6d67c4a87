package ctl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"sipd/ctl/output"
	"sipd/db"
)

// DefaultDB is the database where nobody names one.
const DefaultDB = "sqlite:///var/lib/sipd/sipd.db"

// options are the flags of every command.
type options struct {
	db, flavour, context, config, output string
	table                                string // of nouns that have several
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
	// The names are the flags' above, so neither can fail.
	_ = root.RegisterFlagCompletionFunc("output", complete(output.Formats()...))
	_ = root.RegisterFlagCompletionFunc("flavour", complete("ser", "kamailio", "auto"))
}

// settings are what a command works with.
type settings struct {
	db      string
	flavour db.Flavour
	output  output.Format
	domain  string   // of names without @
	servers []string // that are told of changes
	file    string   // the configuration that was read, "" for none
	context string   // "" for none
}

// file is the configuration: TOML. Lists of tables, because viper folds the
// case of keys.
type file struct {
	Context  string        `mapstructure:"context"`
	Common   fileContext   `mapstructure:",squash"`
	Contexts []fileContext `mapstructure:"contexts"`
}

// fileContext is one server's database, or what holds for all.
type fileContext struct {
	Name    string `mapstructure:"name"`
	DB      string `mapstructure:"db"`
	Flavour string `mapstructure:"flavour"`
	Output  string `mapstructure:"output"`
	Domain  string `mapstructure:"domain"`
	Server  string `mapstructure:"server"` // one or several, blanks between them
}

// configure finds the settings: flags first, then a context named by a flag,
// the environment, a context named otherwise, the file's common part.
func (a *App) configure(cmd *cobra.Command) error {
	path, conf, err := readFile(a.opt.config)
	if err != nil {
		return err
	}
	name := first(a.opt.context, os.Getenv("SIPCTL_CONTEXT"), conf.Context)
	var ctx fileContext
	if name != "" {
		if ctx, err = conf.find(name); err != nil {
			return err
		}
	}
	env := fileContext{
		DB: os.Getenv("SIPCTL_DB"), Flavour: os.Getenv("SIPCTL_FLAVOUR"),
		Output: os.Getenv("SIPCTL_OUTPUT"), Domain: os.Getenv("SIPCTL_DOMAIN"), Server: os.Getenv("SIPCTL_SERVER"),
	}
	layers := []fileContext{{DB: a.opt.db, Flavour: a.opt.flavour, Output: a.opt.output, Server: strings.Join(a.opt.servers, " ")}, env, ctx, conf.Common}
	if a.opt.context != "" {
		layers[1], layers[2] = ctx, env
	}
	var all fileContext
	for _, l := range layers {
		all.DB, all.Flavour = first(all.DB, l.DB), first(all.Flavour, l.Flavour)
		all.Output, all.Domain = first(all.Output, l.Output), first(all.Domain, l.Domain)
		all.Server = first(all.Server, l.Server)
	}
	a.set = settings{servers: strings.Fields(all.Server), db: first(all.DB, DefaultDB), domain: all.Domain, file: path, context: name, output: output.Table}
	if a.set.flavour, err = db.ParseFlavour(all.Flavour); err != nil {
		return usagef(cmd, "%v", err)
	}
	if all.Output != "" {
		if a.set.output, err = output.ParseFormat(all.Output); err != nil {
			return usagef(cmd, "%v", err)
		}
	}
	return nil
}

// readFile reads the file asked for, which must be there, else the first of
// the usual places, where none is fine too.
func readFile(asked string) (string, *file, error) {
	path := first(asked, os.Getenv("SIPCTL_CONFIG"))
	if path == "" {
		if path = usualFile(); path == "" {
			return "", &file{}, nil
		}
	}
	v := viper.NewWithOptions(viper.KeyDelimiter("::"))
	v.SetConfigFile(path)
	v.SetConfigType("toml")
	if err := v.ReadInConfig(); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return path, nil, fmt.Errorf("configuration %s does not exist; name another with --config or SIPCTL_CONFIG", path)
		}
		return path, nil, fmt.Errorf("configuration %s: %s", path, oneLine(err))
	}
	f := &file{}
	if err := v.UnmarshalExact(f); err != nil {
		return path, nil, fmt.Errorf("configuration %s: %s", path, oneLine(err))
	}
	return path, f, nil
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

func usualFile() string {
	var paths []string
	if d, err := os.UserConfigDir(); err == nil {
		paths = append(paths, filepath.Join(d, "sipctl", "config.toml"))
	}
	for _, p := range append(paths, "/etc/sipd/sipctl.toml") {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	return ""
}

func (f *file) find(name string) (fileContext, error) {
	var names []string
	for _, c := range f.Contexts {
		if c.Name == name {
			return c, nil
		}
		names = append(names, c.Name)
	}
	if names == nil {
		return fileContext{}, fmt.Errorf("there is no context %s: the configuration has none", name)
	}
	return fileContext{}, fmt.Errorf("there is no context %s; there are %s", name, strings.Join(names, ", "))
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

const configShort = "Show the settings and the contexts"

func (a *App) configCommand() *cobra.Command {
	return group("config", configShort,
		&cobra.Command{
			Use: "show", Short: "Show the settings that commands work with, without passwords", Args: want(0, 0),
			RunE: func(*cobra.Command, []string) error {
				return output.Record(a.Out, a.set.output,
					output.F("db", db.Redact(a.set.db)), output.F("flavour", a.set.flavour.String()),
					output.F("output", string(a.set.output)), output.F("domain", a.set.domain),
					output.F("server", a.set.servers),
					output.F("context", a.set.context), output.F("file", a.set.file))
			},
		},
		&cobra.Command{
			Use: "contexts", Short: "List the contexts of the configuration", Args: want(0, 0),
			RunE: func(*cobra.Command, []string) error {
				_, conf, err := readFile(a.opt.config)
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
			},
		})
}

package ctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/viper"

	"sipd/ctl/output"
	"sipd/db"
	"sipd/rpc/dial"
)

// systemConfig is the configuration of the machine; oldConfig is where it was.
const (
	systemConfig = "/etc/sipctl/config.toml"
	oldConfig    = "/etc/sipd/sipctl.toml"
)

// file is the configuration: TOML. Lists of tables, because viper folds the
// case of keys.
type file struct {
	Context  string        `mapstructure:"context"`
	Common   fileContext   `mapstructure:",squash"`
	Contexts []fileContext `mapstructure:"contexts"`

	path string
	text []byte
}

// fileContext is one server's database, or what holds for all.
type fileContext struct {
	Name         string `mapstructure:"name"`
	DB           string `mapstructure:"db"`
	PasswordFile string `mapstructure:"db_password_file"` // its first line is the password
	PasswordEnv  string `mapstructure:"db_password_env"`  // the variable that holds it
	Flavour      string `mapstructure:"flavour"`
	Output       string `mapstructure:"output"`
	Domain       string `mapstructure:"domain"`
	Server       string `mapstructure:"server"` // one or several, blanks between them

	password string // of SIPCTL_DB_PASSWORD; never of a file
}

// contextKeys are the keys of a context but its name.
var contextKeys = []string{"db", "db_password_file", "db_password_env", "flavour", "output", "domain", "server"}

// field finds a setting by its key.
func (c *fileContext) field(key string) *string {
	switch key {
	case "db":
		return &c.DB
	case "db_password_file":
		return &c.PasswordFile
	case "db_password_env":
		return &c.PasswordEnv
	case "flavour":
		return &c.Flavour
	case "output":
		return &c.Output
	case "domain":
		return &c.Domain
	case "server":
		return &c.Server
	}
	return nil
}

// over takes what stronger says, and keeps the rest.
func (c *fileContext) over(stronger fileContext) {
	if stronger.DB != "" { // a database with its password, or the password alone
		c.PasswordFile, c.PasswordEnv = "", ""
	}
	for _, key := range contextKeys {
		if v := *stronger.field(key); v != "" {
			*c.field(key) = v
		}
	}
}

// secret is the password of the database that a layer has, "" for none.
func (c *fileContext) secret() (string, error) {
	switch {
	case c.password != "":
		return c.password, nil
	case c.PasswordEnv != "":
		pw := os.Getenv(c.PasswordEnv)
		if pw == "" {
			return "", fmt.Errorf("the password of the database is to come from the variable %s, which is not set", c.PasswordEnv)
		}
		return pw, nil
	case c.PasswordFile != "":
		return passwordFile(c.PasswordFile)
	}
	return "", nil
}

// config is the files of a run, merged.
type config struct {
	file
	files []*file
}

// configError is a mistake in a configuration file.
type configError struct {
	path string
	line int // 0 when it is not known
	text string
}

func (e *configError) Error() string {
	if e.line == 0 {
		return fmt.Sprintf("configuration %s: %s", e.path, e.text)
	}
	return fmt.Sprintf("configuration %s:%d: %s", e.path, e.line, e.text)
}

// loadConfig reads the file asked for (or named by SIPCTL_CONFIG), which must
// be there and is then the only one; else those of the machine and of the user,
// of which each may be missing. A name in both is one context, in which the
// user's settings count.
func loadConfig(asked string) (*config, error) {
	c := &config{}
	paths := usualFiles()
	if asked = first(asked, os.Getenv("SIPCTL_CONFIG")); asked != "" {
		paths = []string{asked}
	}
	for _, path := range paths {
		f, err := readFile(path)
		missing := errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
		switch {
		case missing && asked == "":
			continue
		case missing:
			return nil, &configError{path, 0, "it does not exist; name another with --config or SIPCTL_CONFIG"}
		case err != nil:
			return nil, err
		}
		c.merge(f)
	}
	return c, nil
}

// usualFiles are the weakest first.
func usualFiles() []string {
	paths := []string{oldConfig, systemConfig}
	if p := userFile(); p != "" {
		paths = append(paths, p)
	}
	return paths
}

// userFile is the configuration of the user, "" where there is no home.
func userFile() string {
	d, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(d, "sipctl", "config.toml")
}

func (c *config) merge(f *file) {
	c.files = append(c.files, f)
	c.Context = first(f.Context, c.Context)
	c.Common.over(f.Common)
	for _, ctx := range f.Contexts {
		if i := slices.IndexFunc(c.Contexts, func(x fileContext) bool { return x.Name == ctx.Name }); i >= 0 {
			c.Contexts[i].over(ctx)
			continue
		}
		c.Contexts = append(c.Contexts, ctx)
	}
}

func (c *config) paths() []string {
	var out []string
	for _, f := range c.files {
		out = append(out, f.path)
	}
	return out
}

func (c *config) names() []string {
	var out []string
	for _, x := range c.Contexts {
		out = append(out, x.Name)
	}
	return out
}

func (c *config) find(name string) (fileContext, error) {
	for _, x := range c.Contexts {
		if x.Name == name {
			return x, nil
		}
	}
	if c.Contexts == nil {
		return fileContext{}, fmt.Errorf("there is no context %s: the configuration has none", name)
	}
	return fileContext{}, fmt.Errorf("there is no context %s; there are %s", name, strings.Join(c.names(), ", "))
}

// maxConfig is how long a configuration may be, bytes.
const maxConfig = 1 << 20

// readFile reads one file and checks every setting in it.
func readFile(path string) (*file, error) {
	text, err := os.ReadFile(path)
	if _, ok := errors.AsType[*fs.PathError](err); ok && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		return nil, &configError{path, 0, err.Error()}
	}
	if err != nil {
		return nil, err
	}
	return parseConfig(path, text)
}

func parseConfig(path string, text []byte) (*file, error) {
	if len(text) > maxConfig {
		return nil, &configError{path, 0, fmt.Sprintf("longer than %d bytes: not a configuration", maxConfig)}
	}
	v := viper.NewWithOptions(viper.KeyDelimiter("::"))
	v.SetConfigType("toml")
	if err := v.ReadConfig(bytes.NewReader(text)); err != nil {
		return nil, syntaxError(path, text, err)
	}
	f := &file{path: path, text: text}
	if err := v.UnmarshalExact(f); err != nil {
		return nil, f.keyError(err)
	}
	return f, f.check()
}

// syntaxError finds the line, which viper keeps to itself, by reading again.
func syntaxError(path string, text []byte, err error) error {
	var any map[string]any
	if d, ok := errors.AsType[*toml.DecodeError](toml.Unmarshal(text, &any)); ok {
		line, _ := d.Position()
		return &configError{path, line, strings.TrimPrefix(d.Error(), "toml: ") + "; it is TOML: key = \"value\", [[contexts]] before each context"}
	}
	return &configError{path, 0, oneLine(err)}
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// keyError names the keys that nothing reads, or the values of a wrong type.
func (f *file) keyError(err error) error {
	var tree map[string]any
	if toml.Unmarshal(f.text, &tree) != nil {
		return &configError{f.path, 0, oneLine(err)}
	}
	var errs []error
	known := append([]string{"context", "contexts"}, contextKeys...)
	errs = append(errs, f.wrongKeys(tree, known, -1)...)
	if list, ok := tree["contexts"].([]any); ok {
		for i, x := range list {
			if t, ok := x.(map[string]any); ok {
				errs = append(errs, f.wrongKeys(t, append([]string{"name"}, contextKeys...), i)...)
			}
		}
	} else if tree["contexts"] != nil {
		errs = append(errs, &configError{f.path, f.lineOf("contexts", -1), "contexts is a list: write [[contexts]] before each, with name = \"…\" in it"})
	}
	if errs == nil {
		return &configError{f.path, 0, oneLine(err)}
	}
	return joined(errs)
}

// joined is one error as it is, several joined.
func joined(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

func (f *file) wrongKeys(table map[string]any, known []string, index int) []error {
	var errs []error
	keys := make([]string, 0, len(table))
	for k := range table {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		_, isText := table[k].(string)
		switch {
		case !slices.Contains(known, strings.ToLower(k)):
			errs = append(errs, &configError{f.path, f.lineOf(k, index), fmt.Sprintf("unknown key %q; there are %s", k, strings.Join(known, ", "))})
		case !isText && k != "contexts":
			errs = append(errs, &configError{f.path, f.lineOf(k, index), fmt.Sprintf("%s wants a text: %s = \"…\"", k, k)})
		}
	}
	return errs
}

// check wants names, and values that mean something.
func (f *file) check() error {
	errs := f.checkValues(f.Common, -1)
	if f.Common.Name != "" {
		errs = append(errs, &configError{f.path, f.lineOf("name", -1), "name belongs into a context: write [[contexts]] before it"})
	}
	seen := make(map[string]bool)
	for i, c := range f.Contexts {
		switch {
		case c.Name == "" || strings.ContainsAny(c.Name, " \t"):
			errs = append(errs, &configError{f.path, f.lineOf("[[contexts]]", i), fmt.Sprintf("the context has no name that can be used: name = %q", c.Name)})
		case seen[c.Name]:
			errs = append(errs, &configError{f.path, f.lineOf("name", i), fmt.Sprintf("there are two contexts of the name %s; give one of them another", c.Name)})
		}
		seen[c.Name] = true
		errs = append(errs, f.checkValues(c, i)...)
	}
	return joined(errs)
}

func (f *file) checkValues(c fileContext, index int) []error {
	var errs []error
	for _, key := range contextKeys {
		if v := *c.field(key); v != "" {
			if err := checkSetting("", key, v); err != nil {
				errs = append(errs, &configError{f.path, f.lineOf(key, index), err.Error()})
			}
		}
	}
	if c.PasswordFile != "" && c.PasswordEnv != "" {
		errs = append(errs, &configError{f.path, f.lineOf("db_password_env", index), "db_password_file and db_password_env exclude each other; take one away"})
	}
	return errs
}

// checkSetting tells what is wrong with a value, without showing passwords.
func checkSetting(in, key, value string) error {
	known := key == "context" && in == "" || slices.Contains(contextKeys, key)
	if !known {
		return fmt.Errorf("unknown key %q; there are %s, %s", key, "context", strings.Join(contextKeys, ", "))
	}
	if strings.ContainsAny(in, " \t\"") {
		return fmt.Errorf("context %q: a name has no blanks and no quotes", in)
	}
	if !utf8.ValidString(value) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%s has a control character, or is no UTF-8", key)
	}
	if value == "" {
		return nil
	}
	var err error
	switch key {
	case "db":
		if err = db.CheckURL(value); err != nil {
			return fmt.Errorf("db: %w", err)
		}
	case "flavour":
		_, err = db.ParseFlavour(value)
	case "output":
		_, err = output.ParseFormat(value)
	}
	return err
}

// lineOf finds the line of a key: in the n-th [[contexts]], or before the
// first for -1. 0 when it is written in a way that is not found.
func (f *file) lineOf(key string, n int) int {
	section := -1
	for i, line := range strings.Split(string(f.text), "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			if strings.HasPrefix(strings.ReplaceAll(line, " ", ""), "[[contexts]]") {
				section++
			}
			if key == "[[contexts]]" && section == n {
				return i + 1
			}
			if strings.HasPrefix(strings.Trim(line, "[ "), key) && n == -1 {
				return i + 1
			}
			continue
		}
		name, _, ok := strings.Cut(line, "=")
		if ok && section == n && strings.Trim(strings.TrimSpace(name), `"'`) == key {
			return i + 1
		}
	}
	return 0
}

// checkTime bounds the attempt to reach a database or a server.
const checkTime = 5 * time.Second

// configCheck reads the files and tries what they name.
func (a *App) configCheck(ctx context.Context, names []string) error {
	conf, err := loadConfig(a.opt.config)
	if err != nil {
		return err
	}
	for _, f := range conf.files {
		if err := a.say("read %s", f.path); err != nil {
			return err
		}
	}
	if conf.files == nil {
		if err := a.say("there is no configuration; %s would be read", strings.Join(usualFiles()[1:], ", ")); err != nil {
			return err
		}
	}
	if len(names) == 0 {
		names = conf.names()
	}
	if conf.Context != "" {
		if _, err := conf.find(conf.Context); err != nil {
			return err
		}
	}
	var errs []error
	for _, n := range append([]string{""}, names...) {
		if n == "" && conf.Contexts != nil {
			continue // what is common is part of each
		}
		errs = append(errs, a.tryContext(ctx, n))
	}
	return errors.Join(errs...)
}

// tryContext opens the database and calls the server of a context.
func (a *App) tryContext(ctx context.Context, name string) error {
	o := options{context: name, config: a.opt.config}
	set, err := o.settings()
	what := "the settings"
	if name != "" {
		what = "context " + name
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	var errs []error
	d, err := db.Open(ctx, set.db, db.ReadOnly(), db.ConnectTimeout(checkTime))
	if err == nil {
		err = errors.Join(d.Close(), a.say("%s: database %s answers", what, db.Redact(set.db)))
	}
	errs = append(errs, err)
	for _, server := range set.servers {
		c, err := dial.Dial(ctx, server, dial.Options{Timeout: checkTime})
		if err == nil {
			_, err = c.Call(ctx, "core.version")
			err = errors.Join(err, c.Close())
		}
		if err == nil {
			err = a.say("%s: server %s answers", what, server)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

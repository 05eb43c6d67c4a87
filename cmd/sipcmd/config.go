package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"sipd/ctl/shell"
)

// config is the file of sipcmd: TOML. It is read without viper, whose start
// alone would cost a call at the prompt more than the call itself.
type config struct {
	Context  string     `toml:"context"` // used when no option names one
	Output   string     `toml:"output"`
	Timeout  string     `toml:"timeout"`
	Pager    string     `toml:"pager"`
	Contexts []contextT `toml:"contexts"`

	path string
}

// contextT is one daemon, with the addresses to try in order; or with All
// several, which are all asked.
type contextT struct {
	Name    string   `toml:"name"`
	Servers []string `toml:"servers"`
	All     bool     `toml:"all"`
	Timeout string   `toml:"timeout"`
	access
}

// access is what a secured wire wants to see, and how it shows itself.
type access struct {
	TokenFile string `toml:"token_file"`
	CA        string `toml:"ca"`
	Cert      string `toml:"cert"`
	Key       string `toml:"key"`
	Insecure  bool   `toml:"insecure"`
}

// loadConfig reads the file that --config or SIPCMD_CONFIG names, which must
// be there, else the first of the usual places, where none is fine too.
func loadConfig(o *options) (*config, error) {
	path, asked := o.config, true
	if path == "" {
		path = os.Getenv("SIPCMD_CONFIG")
	}
	if path == "" {
		if path, asked = usualConfig(), false; path == "" {
			return &config{}, nil
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		if !asked && errors.Is(err, fs.ErrNotExist) {
			return &config{}, nil
		}
		return nil, fmt.Errorf("configuration: %w", err)
	}
	c := &config{path: path}
	d := toml.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(c); err != nil {
		return nil, place(path, err)
	}
	return c, nil
}

// place says where in the file the mistake is.
func place(path string, err error) error {
	if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok && len(strict.Errors) > 0 {
		row, col := strict.Errors[0].Position()
		return fmt.Errorf("%s:%d:%d: there is no setting %s", path, row, col, strings.Join(strict.Errors[0].Key(), "."))
	}
	if bad, ok := errors.AsType[*toml.DecodeError](err); ok {
		row, col := bad.Position()
		return fmt.Errorf("%s:%d:%d: %s", path, row, col, strings.TrimPrefix(bad.Error(), "toml: "))
	}
	return fmt.Errorf("%s: %w", path, err)
}

func usualConfig() string {
	var dirs []string
	if d, err := os.UserConfigDir(); err == nil {
		dirs = append(dirs, filepath.Join(d, "sipcmd", "config.toml"))
	}
	for _, p := range append(dirs, "/etc/sipd/sipcmd.toml") {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	return ""
}

// complete fills in what the command line left open: from the environment,
// the configuration, and at last what is usual.
func (c *config) complete(p *shell.Persona, o *options) error {
	timeout := c.Timeout
	switch {
	case len(o.servers) > 0:
	case o.context == "" && os.Getenv("SIPCMD_SERVER") != "" && !p.Elder:
		o.servers = strings.FieldsFunc(os.Getenv("SIPCMD_SERVER"), func(r rune) bool { return r == ' ' || r == ',' })
	case !p.Elder:
		x, err := c.chosen(o)
		if err != nil {
			return err
		}
		o.servers, o.all = x.Servers, o.all || x.All
		o.access = x.access.under(o.access)
		if x.Timeout != "" {
			timeout = x.Timeout
		}
	}
	if len(o.servers) == 0 {
		o.servers = existing(usualSockets(p))
	}
	if p.Elder {
		return nil
	}
	if o.output == "" && !o.hasFormat {
		o.output = c.Output
	}
	if timeout != "" && !o.hasTimeout {
		d, err := shell.ParseSeconds(timeout)
		if err != nil {
			return fmt.Errorf("%s: timeout: %w", c.path, err)
		}
		o.timeout = d
	}
	if o.pager == "" {
		o.pager = c.pager()
	}
	return nil
}

// pager is the command for long replies: SIPCMD_PAGER, the configuration,
// PAGER, less. "cat" and "" in any but the last mean none.
func (c *config) pager() string {
	if p, ok := os.LookupEnv("SIPCMD_PAGER"); ok {
		return p
	}
	if c.Pager != "" {
		return c.Pager
	}
	if p := os.Getenv("PAGER"); p != "" {
		return p
	}
	return "less"
}

// chosen is the context that option, environment or file name; the zero one
// when none does.
func (c *config) chosen(o *options) (contextT, error) {
	name := o.context
	if name == "" {
		name = os.Getenv("SIPCMD_CONTEXT")
	}
	if name == "" {
		name = c.Context
	}
	if name == "" {
		return contextT{}, nil
	}
	var names []string
	for _, x := range c.Contexts {
		if x.Name == name {
			if len(x.Servers) == 0 {
				return x, fmt.Errorf("%s: the context %s has no servers", c.path, name)
			}
			return x, nil
		}
		names = append(names, x.Name)
	}
	if len(names) == 0 {
		return contextT{}, fmt.Errorf("there is no context %s: the configuration has none", name)
	}
	return contextT{}, fmt.Errorf("there is no context %s; there are %s", name, strings.Join(names, ", "))
}

// under is a with what over says in its place.
func (a access) under(over access) access {
	set := func(to *string, from string) {
		if from != "" {
			*to = from
		}
	}
	set(&a.TokenFile, over.TokenFile)
	set(&a.CA, over.CA)
	set(&a.Cert, over.Cert)
	set(&a.Key, over.Key)
	a.Insecure = a.Insecure || over.Insecure
	return a
}

// usualSockets are where daemons have their control socket: sipd, Kamailio,
// SER; the persona's own first.
func usualSockets(p *shell.Persona) []string {
	run := os.Getenv("SIPD_RUN_DIR")
	if run == "" {
		run = "/run/sipd"
	}
	ours := filepath.Join(run, "sipd_ctl")
	const kamailio, ser = "/var/run/kamailio//kamailio_ctl", "/tmp/ser_ctl"
	switch p.Name {
	case "kamcmd":
		return []string{kamailio, ours, ser}
	case "sercmd":
		return []string{ser, ours, kamailio}
	}
	return []string{ours, kamailio, ser}
}

// existing is the first socket that is there; when none is, the first.
func existing(paths []string) []string {
	for _, p := range paths {
		if _, err := os.Stat(p); err == nil || errors.Is(err, fs.ErrPermission) {
			return []string{"unixs:" + p}
		}
	}
	return []string{"unixs:" + paths[0]}
}

// display is the servers as text.
func display(servers []string) string { return strings.Join(servers, ", ") }

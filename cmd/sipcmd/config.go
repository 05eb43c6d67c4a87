package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/viper"

	"sipd/ctl/shell"
)

// config is the file of sipcmd: TOML. Lists of tables, because viper folds
// the case of keys.
type config struct {
	Context  string     `mapstructure:"context"` // used when no option names one
	Output   string     `mapstructure:"output"`
	Timeout  string     `mapstructure:"timeout"`
	Contexts []contextT `mapstructure:"contexts"`
}

// contextT is one daemon, with the addresses to try in order.
type contextT struct {
	Name    string   `mapstructure:"name"`
	Servers []string `mapstructure:"servers"`
	Timeout string   `mapstructure:"timeout"`
}

// loadConfig reads the file that -config or SIPCMD_CONFIG names, which must be
// there, else the first of the usual places, where none is fine too.
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
	v := viper.NewWithOptions(viper.KeyDelimiter("::"))
	v.SetConfigFile(path)
	v.SetConfigType("toml")
	if err := v.ReadInConfig(); err != nil {
		if !asked && errors.Is(err, fs.ErrNotExist) {
			return &config{}, nil
		}
		return nil, fmt.Errorf("configuration %s: %w", path, err)
	}
	c := &config{}
	if err := v.UnmarshalExact(c); err != nil {
		return nil, fmt.Errorf("configuration %s: %s", path, strings.Join(strings.Fields(err.Error()), " "))
	}
	return c, nil
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
	case o.context == "" && os.Getenv("SIPCMD_SERVER") != "":
		o.servers = strings.FieldsFunc(os.Getenv("SIPCMD_SERVER"), func(r rune) bool { return r == ' ' || r == ',' })
	default:
		name := o.context
		if name == "" {
			name = os.Getenv("SIPCMD_CONTEXT")
		}
		if name == "" {
			name = c.Context
		}
		if name != "" {
			x, err := c.find(name)
			if err != nil {
				return err
			}
			o.servers = x.Servers
			if x.Timeout != "" {
				timeout = x.Timeout
			}
		}
	}
	if len(o.servers) == 0 {
		o.servers = existing(usualSockets(p))
	}
	if o.output == "" && !o.hasFormat && !p.Elder {
		o.output = c.Output
	}
	if o.output == "" {
		o.output = string(shell.Text)
	}
	if timeout != "" && !o.hasTimeout && !p.Elder {
		d, err := parseSeconds(timeout)
		if err != nil {
			return fmt.Errorf("configuration: timeout: %w", err)
		}
		o.timeout = d
	}
	return nil
}

func (c *config) find(name string) (contextT, error) {
	var names []string
	for _, x := range c.Contexts {
		if x.Name == name {
			if len(x.Servers) == 0 {
				return x, fmt.Errorf("configuration: the context %s has no servers", name)
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

package router

import (
	"fmt"
	"strconv"
	"strings"

	"sipd/router/script"
)

// Options that say what configuration lines say (-l, --alias, --loadmodule,
// --modparam) are written as such lines and read by the same parser: one
// grammar, one way to tell mistakes.

// commandLine is the pieces of configuration that options make.
type commandLine struct {
	before  []script.Item // loadmodule lines: first of all
	after   []script.Item // modparam lines: after the configuration's own
	listens []script.ListenAddr
	aliases []script.AliasName
}

// commandLineName is the file name in messages about options.
const commandLineName = "command line"

func readCommandLine(o *Options) (*commandLine, script.ErrorList) {
	c := &commandLine{}
	var errs script.ErrorList
	parse := func(lines []string) []script.Item {
		if len(lines) == 0 {
			return nil
		}
		read := func(string) (string, error) { return strings.Join(lines, "\n") + "\n", nil }
		f, err := script.Parse(read, commandLineName, nil)
		if l, ok := err.(script.ErrorList); ok { //nolint:errorlint // Parse answers the list itself
			errs = append(errs, l...)
		}
		return f.Items
	}
	c.before = parse(each(o.LoadModules, func(s string) string { return "loadmodule " + quote(s) }))
	c.after = parse(each(o.ModParams, modParamLine))
	for _, it := range parse(each(o.Listen, listenLine)) {
		if l, ok := it.(*script.Listen); ok {
			c.listens = append(c.listens, l.Addrs...)
		}
	}
	for _, it := range parse(each(o.Aliases, func(s string) string { return "alias=" + s })) {
		if a, ok := it.(*script.Alias); ok {
			c.aliases = append(c.aliases, a.Names...)
		}
	}
	return c, errs
}

func each(in []string, f func(string) string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = f(s)
	}
	return out
}

// quote writes a string of the configuration language.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// listenLine writes "proto:address:port/advertised:port" as a listen line.
func listenLine(s string) string {
	addr, adv, ok := strings.Cut(s, "/")
	if !ok {
		return "listen=" + addr
	}
	return "listen=" + addr + " advertise " + adv
}

// modParamLine writes "mod:name:s:value" or "mod:name:i:value" as a modparam
// line. What does not look so becomes a line that the parser points at.
func modParamLine(s string) string {
	p := strings.SplitN(s, ":", 4)
	if len(p) != 4 {
		return "modparam " + s
	}
	switch p[2] {
	case "i":
		if _, err := strconv.ParseInt(p[3], 0, 32); err != nil {
			break
		}
		return fmt.Sprintf("modparam(%s, %s, %s)", quote(p[0]), quote(p[1]), p[3])
	case "s":
		return fmt.Sprintf("modparam(%s, %s, %s)", quote(p[0]), quote(p[1]), quote(p[3]))
	}
	return "modparam " + s
}

// applyOptions gives core parameters the values of the command line.
func applyOptions(conf *script.Config, o *Options) error {
	set := func(name, value string) error { return conf.SetSetting(name, value) }
	for _, s := range []struct {
		on          bool
		name, value string
	}{
		{o.Children > 0, "children", strconv.Itoa(o.Children)},
		{o.TCPChildren > 0, "tcp_children", strconv.Itoa(o.TCPChildren)},
		{o.Debug != "", "debug", o.Debug},
		{o.DNS, "dns", "1"},
		{o.RevDNS, "rev_dns", "1"},
		{o.CheckVia, "check_via", "1"},
		{o.ServerID >= 0, "server_id", strconv.Itoa(o.ServerID)},
		{o.AutoAliases != "", "auto_aliases", yes(o.AutoAliases)},
		{o.DisableTCP, "disable_tcp", "1"},
		{o.RunDir != "", "rundir", o.RunDir},
		{o.WorkDir != "", "workdir", o.WorkDir},
		{o.Chroot != "", "chroot", o.Chroot},
		{o.User != "", "user", o.User},
		{o.Group != "", "group", o.Group},
		{o.LogStderr, "log_stderror", "1"},
	} {
		if !s.on {
			continue
		}
		if err := set(s.name, s.value); err != nil {
			return fmt.Errorf("option for %s: %w", s.name, err)
		}
	}
	if o.Verbose > 0 {
		return set("debug", strconv.Itoa(conf.Int("debug")+o.Verbose))
	}
	return nil
}

// yes turns yes and no into numbers; other words stay, to be told as mistakes.
func yes(s string) string {
	switch strings.ToLower(s) {
	case "yes", "on", "true":
		return "1"
	case "no", "off", "false":
		return "0"
	}
	return s
}

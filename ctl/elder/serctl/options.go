package serctl

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"sipd/ctl/elder/assign"
)

// option is one that every module takes.
type option struct {
	short byte
	long  string
	arg   bool
	def   string // "\x00" for none
	help  string
}

const none = "\x00"

var optionList = []option{
	{'A', "servers", true, "", "URIs of servers for calls to several"},
	{'b', "db-uri", true, none, "database"},
	{'B', "env-db", true, "SERCTL_DB", "environment variable that holds the database"},
	{'c', "config", true, none, "configuration file"},
	{'C', "columns", true, none, "columns to show, with commas between"},
	{'d', "did", false, "", "the domain given is a did"},
	{'D', "depth", false, "", "all names of the domain's did"},
	{'f', "force", false, "", "pass over what is there or gone already, create domains, allow all records"},
	{'F', "flags", true, none, "flags: a number, or letters with + - ="},
	{'G', "dbg-args", false, "", "show how the command line was understood"},
	{'g', "debug", false, "", "accepted, says nothing"},
	{'h', "help", false, "", "this"},
	{'I', "id-type", true, "uri", "how ids are made: uri, int, uuid"},
	{'j', "use-fifo", false, "", "call the server over its fifo"},
	{'J', "fifo", true, "/tmp/ser_fifo", "path of the fifo"},
	{'k', "ssl-key", true, none, "key for https; not used here"},
	{'l', "limit", true, "0", "most rows to show"},
	{'L', "line-sep", true, "\n", "what ends a row"},
	{'m', "ssl-cert", true, none, "certificate for https; not used here"},
	{'n', "raw", false, "", "flags as numbers"},
	{'N', "fformat", true, "sym", "form of flags: raw, sym, hex, oct, dec"},
	{'p', "password", true, none, "password, seen by everybody on this machine meanwhile"},
	{'R', "rec-sep", true, " ", "what stands between columns"},
	{'s', "ser-uri", true, none, "server: http://, https://, unix:, unixs:, unixd:"},
	{'S', "env-ser", true, "SERCTL_SER", "environment variable that holds the server"},
	{'t', "as-table", false, "", "with frames"},
	{'U', "ul-table", true, "location", "table of contacts"},
	{'V', "version", false, "", "version"},
}

// key is the name in the configuration.
func (o option) key() string { return strings.ToUpper(strings.ReplaceAll(o.long, "-", "_")) }

// options are the values by key: of the command line, else the configuration,
// else the elder's defaults.
type options struct{ values map[string]string }

const yes = "True"

func (o *options) has(key string) bool    { _, ok := o.values[key]; return ok }
func (o *options) text(key string) string { return o.values[key] }
func (o *options) flag(key string) bool   { return o.values[key] == yes }
func (o *options) force() bool            { return o.flag("FORCE") }

// readOptions reads options anywhere in args until --, and the configuration
// that they name. It gives what is no option.
func readOptions(args []string) (*options, []string, error) {
	line := make(map[string]string)
	var rest []string
	for i := 0; i < len(args); i++ {
		a := args[i]
		var err error
		switch {
		case a == "--":
			rest = append(rest, args[i+1:]...)
			i = len(args)
		case strings.HasPrefix(a, "--"):
			i, err = longOption(line, args, i)
		case len(a) > 1 && a[0] == '-':
			i, err = shortOptions(line, args, i)
		default:
			rest = append(rest, a)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	conf, err := readConfig(line["CONFIG"])
	if err != nil {
		return nil, nil, err
	}
	o := &options{make(map[string]string)}
	for _, opt := range optionList {
		key := opt.key()
		v, ok := line[key]
		if !ok {
			v, ok = conf[key]
		}
		if !ok {
			v, ok = opt.def, opt.def != none
		}
		if ok {
			o.values[key] = v
		}
	}
	return o, rest, nil
}

func getopt(format string, args ...any) error {
	return fmt.Errorf(format+": GetoptError", args...)
}

// longOption reads --NAME, --NAME=VALUE or --NAME VALUE; a name may be cut
// short as long as it is the only one that begins so.
func longOption(line map[string]string, args []string, i int) (int, error) {
	name, value, hasValue := strings.Cut(args[i][2:], "=")
	var found []option
	for _, o := range optionList {
		if o.long == name {
			found = []option{o}
			break
		}
		if strings.HasPrefix(o.long, name) {
			found = append(found, o)
		}
	}
	switch {
	case len(found) == 0:
		return i, getopt("option --%s not recognized", name)
	case len(found) > 1:
		return i, getopt("option --%s not a unique prefix", name)
	}
	o := found[0]
	switch {
	case !o.arg && hasValue:
		return i, getopt("option --%s must not have an argument", o.long)
	case !o.arg:
		value = yes
	case !hasValue:
		if i++; i == len(args) {
			return i, getopt("option --%s requires argument", o.long)
		}
		value = args[i]
	}
	line[o.key()] = value
	return i, nil
}

// shortOptions reads -abc, where the last may take the rest or the next word.
func shortOptions(line map[string]string, args []string, i int) (int, error) {
	word := args[i]
	for j := 1; j < len(word); j++ {
		n := slices.IndexFunc(optionList, func(o option) bool { return o.short == word[j] })
		if n < 0 {
			return i, getopt("option -%c not recognized", word[j])
		}
		o := optionList[n]
		if !o.arg {
			line[o.key()] = yes
			continue
		}
		value := word[j+1:]
		if value == "" {
			if i++; i == len(args) {
				return i, getopt("option -%c requires argument", o.short)
			}
			value = args[i]
		}
		line[o.key()] = value
		break
	}
	return i, nil
}

// usualConfig is read where no option names a file; it need not be there.
var usualConfig = "/etc/serctl/serctl.conf"

func readConfig(path string) (map[string]string, error) {
	asked := path != ""
	if !asked {
		path = usualConfig
	}
	text, err := assign.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if asked {
			return nil, fail("ENOENT", path)
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	settings, err := assign.Python(path, text)
	if err != nil {
		return nil, err
	}
	out := make(map[string]string)
	for _, s := range settings {
		n := slices.IndexFunc(optionList, func(o option) bool { return o.key() == s.Name })
		if n < 0 {
			return nil, fail("EICONF", fmt.Sprintf("%s:%d: %s", path, s.Line, s.Name))
		}
		if v, ok, err := setting(optionList[n], s.Value); err != nil {
			return nil, fmt.Errorf("%s:%d: %s %w", path, s.Line, s.Name, err)
		} else if ok {
			out[s.Name] = v
		} else {
			delete(out, s.Name)
		}
	}
	return out, nil
}

// setting is the value of an option in the configuration; None is not set.
func setting(o option, v any) (string, bool, error) {
	switch x := v.(type) {
	case nil:
		return "", false, nil
	case bool:
		if o.arg {
			return "", false, errors.New("wants a text, not True or False")
		}
		if x {
			return yes, true, nil
		}
		return "", true, nil
	case int64:
		if o.arg {
			return strconv.FormatInt(x, 10), true, nil
		}
		if x != 0 {
			return yes, true, nil
		}
		return "", true, nil
	case string:
		if o.arg {
			return x, true, nil
		}
	}
	return "", false, errors.New("is a switch: True or False")
}

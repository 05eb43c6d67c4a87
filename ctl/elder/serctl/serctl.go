// Package serctl is the serctl of SER: one program under the names ser_ctl,
// ser_attr, ser_cred, ser_domain, ser_uri, ser_user, ser_db and ser_rpc, with
// its options, abbreviations, configuration (serctl.conf) and output, on our
// own database and RPC code instead of Python's. A command that changes
// something is one transaction over all its tables, where the elder commits
// each row; docs/compatibility.md lists what else is better.
//
// A file holds a module of the elder. Errors are the elder's: the program's
// name, what is wrong, why.
package serctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"

	"sipd/ctl/output"
	"sipd/db"
)

// Version is what -V prints.
const Version = "0.3.1"

// Surroundings are what a run meets outside.
type Surroundings struct {
	In       io.Reader
	Out, Err io.Writer
	// DefaultDB and DefaultServer are those of sipctl's own configuration, for
	// a serctl.conf that names none; "" is nothing.
	DefaultDB, DefaultServer func() (string, error)
}

// handler runs a command of a module with its arguments.
type handler func(*session, context.Context, []string) error

// command is a command of a module: how many arguments it takes (most < 0 is
// any number), what they are called, what it does.
type command struct {
	least, most int
	names       string // blank-separated; those of the arguments that must be there come first
	run         handler
	help        string
}

type module map[string]command

// modules are the commands by what stands behind ser_.
func modules() map[string]module {
	return map[string]module{
		"user": userModule(), "cred": credModule(), "uri": uriModule(), "domain": domainModule(), "attr": attrModule(), "db": dbModule(), "ctl": ctlModule(), "rpc": nil,
	}
}

// Modules are what stands behind ser_ in the program's names.
func Modules() []string { return []string{"attr", "cred", "ctl", "db", "domain", "rpc", "uri", "user"} }

// Is tells whether a program of that name is serctl. Case does not matter and
// ser-user is as good as ser_user, as in the elder.
func Is(name string) bool {
	m, ok := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(name), "-", "_"), "ser_")
	if !ok {
		return false
	}
	for _, n := range Modules() {
		if m == n {
			return true
		}
	}
	return false
}

// session is one run.
type session struct {
	Surroundings
	program string // name in messages
	module  string
	opt     *options
	d       *db.DB
}

// Run does what argv (the program's name first) asks for and gives the exit
// code: 0, or 1 with a message on standard error.
func Run(ctx context.Context, argv []string, sur Surroundings) int {
	program := filepath.Base(argv[0])
	s := &session{Surroundings: sur, program: program, module: strings.TrimPrefix(strings.ReplaceAll(strings.ToLower(program), "-", "_"), "ser_")}
	err := s.run(ctx, argv[1:])
	if s.d != nil {
		err = errors.Join(err, s.d.Close())
	}
	if err == nil {
		return 0
	}
	fmt.Fprintf(sur.Err, "%s: %s\n", program, output.CleanLines(err.Error()))
	return 1
}

func (s *session) run(ctx context.Context, args []string) error {
	opt, args, err := readOptions(args)
	if err != nil {
		return err
	}
	s.opt = opt
	if opt.flag("VERSION") {
		_, err := fmt.Fprintln(s.Out, "serctl "+Version)
		return err
	}
	if opt.flag("DBG_ARGS") {
		s.debugArgs(args)
	}
	if s.module == "rpc" {
		if opt.flag("HELP") || len(args) == 0 {
			return s.help()
		}
		return s.rpcCommand(ctx, args)
	}
	if opt.flag("HELP") || len(args) == 0 {
		return s.help()
	}
	name := words()[args[0]]
	if name == "help" {
		return s.help()
	}
	c, ok := modules()[s.module][name]
	if !ok {
		return fail("EINVAL", args[0])
	}
	args = args[1:]
	names := strings.Fields(c.names)
	if len(args) < c.least {
		return fail("ENOARG", names[len(args)])
	}
	if c.most >= 0 && len(args) > c.most {
		return fail("EEXTRA", pyList(args[c.most:]))
	}
	return c.run(s, ctx, args)
}

// debugArgs is -G: how the command line was understood. Secrets are not shown.
func (s *session) debugArgs(args []string) {
	rows := [][]string{{"MOD", pyText(s.module)}}
	for i, a := range args {
		rows = append(rows, []string{fmt.Sprint(i), pyText(a)})
	}
	printRows(s.Out, rows, []string{"ARG", "VALUE"}, " ", "\n", true)
	rows = nil
	for _, o := range optionList {
		v := s.opt.text(o.key())
		switch {
		case !s.opt.has(o.key()):
			v = "None"
		case o.key() == "PASSWORD":
			v = "'***'"
		case o.key() == "DB_URI":
			v = pyText(db.Redact(v))
		case o.arg:
			v = pyText(v)
		}
		rows = append(rows, []string{o.key(), v})
	}
	printRows(s.Out, rows, []string{"OPT", "VALUE"}, " ", "\n", true)
}

// open opens the database of -b, the configuration, the environment, sipctl's
// own configuration, or the elder's default, in this order.
func (s *session) open(ctx context.Context, opts ...db.Option) (*db.DB, error) {
	if s.d != nil {
		return s.d, nil
	}
	uri := s.opt.text("DB_URI")
	if !s.opt.has("DB_URI") {
		uri = os.Getenv(s.opt.text("ENV_DB"))
	}
	if uri == "" && s.DefaultDB != nil {
		var err error
		if uri, err = s.DefaultDB(); err != nil {
			return nil, err
		}
	}
	if uri == "" {
		uri = "mysql://ser:heslo@localhost/ser" // what the elder ships
	}
	d, err := db.Open(ctx, uri, opts...)
	if err != nil {
		return nil, err
	}
	s.d = d
	return d, nil
}

// password is that of -p, of the arguments, or asked for twice.
func (s *session) password(args []string, i int, prompt string) (string, error) {
	if s.opt.has("PASSWORD") {
		return s.opt.text("PASSWORD"), nil
	}
	if i < len(args) {
		return args[i], nil
	}
	one, err := s.ask(prompt)
	if err != nil {
		return "", err
	}
	two, err := s.ask("Retype: ")
	if err == nil && one != two {
		err = fail("EPASSWORD", "")
	}
	return one, err
}

const longestPassword = 4096

// ask reads a line that is not shown, from the terminal or else from standard
// input, as Python's getpass does.
func (s *session) ask(prompt string) (string, error) {
	fmt.Fprint(s.Err, prompt)
	if f, ok := s.In.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(s.Err)
		return string(b), err
	}
	var b strings.Builder
	buf := make([]byte, 1)
	for s.In != nil && b.Len() < longestPassword {
		n, err := s.In.Read(buf)
		if n == 1 && buf[0] != '\n' {
			b.WriteByte(buf[0])
		}
		if n == 1 && buf[0] == '\n' || err != nil {
			break
		}
	}
	if b.Len() == 0 {
		return "", errors.New("the password is empty; give it with -p, or a line of it on standard input twice")
	}
	return strings.TrimSuffix(b.String(), "\r"), nil
}

// terminal tells whether a person reads the output.
func (s *session) terminal() bool {
	f, ok := s.Out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

package ctl

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sipd/ctl/output"
	"sipd/db"
	"sipd/schema"
)

// Columns of the CSV file: a header line names those that are there, in any
// order; user must be. Aliases and groups are separated by blanks, attributes
// are a JSON list as -o json prints it.
var csvColumns = []string{"user", "password", "ha1", "ha1b", "uid", "aliases", "groups", "attributes"}

func (a *App) userImportCommand() *cobra.Command {
	var keep bool
	c := &cobra.Command{
		Use: "import FILE.csv", Short: "Add the users of a CSV file, all or none; - is standard input", Args: want(1, 1),
		Long: `Adds the users of a CSV file in one transaction: all of them, or none when one
cannot be. All mistakes are told in one run, with their lines. The first line
names the columns: ` + strings.Join(csvColumns, ", ") + `.
Only user must be there; without password and ha1 the user cannot log in.`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.userImport(cmd.Context(), args[0], keep) },
	}
	c.Flags().BoolVar(&keep, "plaintext", false, "keep the passwords in clear too")
	return c
}

func (a *App) userExportCommand() *cobra.Command {
	var secrets bool
	var f nameFlags
	c := &cobra.Command{
		Use: "export", Short: "Print the users as a CSV file that import reads", Args: want(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.userExport(cmd.Context(), f.filter(), secrets) },
	}
	c.Flags().BoolVar(&secrets, "secrets", false, "with the hashes and passwords: whoever has them can log in")
	c.Flags().StringVar(&f.Domain, "domain", "", "only of this `domain`")
	f.declare(c)
	return c
}

// importError is every mistake of a file.
type importError struct {
	file     string
	mistakes []error
}

func (e *importError) Error() string {
	var b strings.Builder
	for _, m := range e.mistakes {
		fmt.Fprintf(&b, "%s:%v\n", e.file, m)
	}
	fmt.Fprintf(&b, "%d mistakes in %s; nothing was added", len(e.mistakes), e.file)
	return b.String()
}

func (e *importError) Unwrap() []error { return e.mistakes }

func (a *App) userImport(ctx context.Context, path string, keep bool) error {
	in, name := a.In, "standard input"
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("import: %w", err)
		}
		defer f.Close()
		in, name = f, path
	}
	dir, err := a.directory(ctx)
	if err != nil {
		return err
	}
	n, err := ImportUsers(ctx, dir, in, name, a.set.domain, keep)
	if err != nil {
		return err
	}
	return a.say("added %d users", n)
}

// ImportUsers adds the users of a CSV file in one transaction and says how
// many. file names it in messages; domain is that of names without one. The
// error joins all mistakes, and nothing was written then.
func ImportUsers(ctx context.Context, dir db.Directory, r io.Reader, file, domain string, keep bool) (int, error) {
	im := &importer{dir: dir, domain: domain, keep: keep, lines: make(map[db.Address]int), known: make(map[string]error)}
	if err := im.read(ctx, r); err != nil {
		return 0, err
	}
	if err := im.taken(ctx); err != nil {
		return 0, err
	}
	if len(im.mistakes) > 0 {
		slices.SortStableFunc(im.mistakes, func(x, y *lineError) int { return x.line - y.line })
		e := &importError{file: file}
		for _, m := range im.mistakes {
			e.mistakes = append(e.mistakes, m)
		}
		return 0, e
	}
	n, err := dir.AddUsers(ctx, slices.Values(im.users))
	if err != nil {
		return 0, fmt.Errorf("import %s: nothing was added: %w", file, err)
	}
	return n, nil
}

// lineError is a mistake on a line.
type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("%d: %v", e.line, e.err) }
func (e *lineError) Unwrap() error { return e.err }

type importer struct {
	dir      db.Directory
	domain   string
	keep     bool
	users    []db.NewUser
	lines    map[db.Address]int // line of every address, own or alias
	known    map[string]error   // domains that were asked for
	mistakes []*lineError
}

func (im *importer) mistake(line int, err error) {
	if err != nil {
		im.mistakes = append(im.mistakes, &lineError{line, err})
	}
}

func (im *importer) read(ctx context.Context, r io.Reader) error {
	c := csv.NewReader(r)
	c.FieldsPerRecord = -1
	c.ReuseRecord = true
	head, err := c.Read()
	if errors.Is(err, io.EOF) {
		return errors.New("the file is empty; its first line names the columns: user,password")
	}
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	head = slices.Clone(head)
	head[0] = strings.TrimPrefix(head[0], "\ufeff")
	for _, h := range head {
		if !slices.Contains(csvColumns, h) {
			return fmt.Errorf("import: line 1: %q is no column; there are %s", h, strings.Join(csvColumns, ", "))
		}
	}
	if !slices.Contains(head, "user") {
		return errors.New("import: line 1: the column user is missing")
	}
	for {
		rec, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if e, ok := errors.AsType[*csv.ParseError](err); ok {
			im.mistake(e.Line, e.Err)
			return nil // where the next record begins, nobody knows
		}
		if err != nil {
			return fmt.Errorf("import: %w", err)
		}
		line, _ := c.FieldPos(0)
		if len(rec) != len(head) {
			im.mistake(line, fmt.Errorf("has %d cells, the first line %d", len(rec), len(head)))
			continue
		}
		if err := im.record(ctx, line, head, rec); err != nil {
			return err
		}
	}
}

// record takes one line; its error is one of the database.
func (im *importer) record(ctx context.Context, line int, head, rec []string) error {
	cell := make(map[string]string, len(head))
	for i, h := range head {
		cell[h] = strings.Clone(rec[i])
	}
	var u db.NewUser
	var err error
	u.Address, err = db.ParseAddress(cell["user"], im.domain)
	im.mistake(line, err)
	if err == nil {
		if err := im.claim(ctx, line, "user", u.Address); err != nil {
			return err
		}
	}
	u.UID = cell["uid"]
	u.Groups = strings.Fields(cell["groups"])
	for _, s := range strings.Fields(cell["aliases"]) {
		al, err := db.ParseAddress(s, im.domain)
		im.mistake(line, err)
		if err != nil {
			continue
		}
		u.Aliases = append(u.Aliases, al)
		if err := im.claim(ctx, line, "alias", al); err != nil {
			return err
		}
	}
	if s := cell["attributes"]; s != "" {
		if err := json.Unmarshal([]byte(s), &u.Attrs); err != nil {
			im.mistake(line, fmt.Errorf(`attributes are no JSON list as [{"name":"n","type":"string","value":"v"}]: %v`, err))
		}
	}
	u.Password = db.Password{Plain: cell["password"], HA1: cell["ha1"], HA1B: cell["ha1b"], Keep: im.keep && cell["password"] != ""}
	if cell["password"] == "" && cell["ha1"] == "" {
		u.Password = db.Password{None: true}
	}
	im.sizes(line, u)
	im.users = append(im.users, u)
	return nil
}

// sizes checks what only the columns limit.
func (im *importer) sizes(line int, u db.NewUser) {
	s := schema.Of(im.dir.Flavour())
	user, password := s.Size, 0
	var name, group, attr, value int
	if im.dir.Flavour() == db.SER {
		name, password = user("uri", "username"), user("credentials", "password")
		attr, value = user("user_attrs", "name"), user("user_attrs", "value")
		group = value
	} else {
		name, password = user("subscriber", "username"), user("subscriber", "password")
		attr, value = user("usr_preferences", "attribute"), user("usr_preferences", "value")
		group = user("grp", "grp")
	}
	im.mistake(line, db.CheckLength("user", u.Address.User, name))
	for _, al := range u.Aliases {
		im.mistake(line, db.CheckLength("alias", al.User, name))
	}
	for _, g := range u.Groups {
		im.mistake(line, db.CheckGroup(g, group))
	}
	for _, x := range u.Attrs {
		im.mistake(line, x.Check(attr, value))
	}
	_, err := u.Password.Secrets(u.Address, u.Address.Domain, password)
	im.mistake(line, err)
}

// claim notes that the file has the address, once, and that its domain is
// served.
func (im *importer) claim(ctx context.Context, line int, field string, a db.Address) error {
	if before, twice := im.lines[a]; twice {
		im.mistake(line, fmt.Errorf("%s %s is on line %d already", field, a, before))
	} else {
		im.lines[a] = line
	}
	err, asked := im.known[a.Domain]
	if !asked {
		_, err = im.dir.Domain(ctx, a.Domain)
		im.known[a.Domain] = err
	}
	if errors.Is(err, db.ErrNoDomain) {
		im.mistake(line, fmt.Errorf("domain %s is not served here; to serve it: sipctl domain add %s", a.Domain, a.Domain))
		return nil
	}
	return err
}

// taken compares the addresses of the file with those of the database, which
// pass by as a stream.
func (im *importer) taken(ctx context.Context) error {
	for u, err := range im.dir.Users(ctx, db.Filter{}) {
		if err != nil {
			return err
		}
		if line, ok := im.lines[u.Address]; ok {
			im.mistake(line, fmt.Errorf("user %s %w", u.Address, db.ErrExists))
		}
	}
	for al, err := range im.dir.Aliases(ctx, db.Filter{}) {
		if err != nil {
			return err
		}
		if line, ok := im.lines[al.Alias]; ok {
			im.mistake(line, fmt.Errorf("%s %w as alias of %s", al.Alias, db.ErrExists, al.User))
		}
	}
	return nil
}

// userExport prints what import reads, whatever -o says but for JSON lines
// and the like, which other programs read.
func (a *App) userExport(ctx context.Context, f db.Filter, secrets bool) error {
	dir, err := a.reading(ctx)
	if err != nil {
		return err
	}
	form := a.set.output
	if form == output.Table {
		form = output.CSV
	}
	columns := []string{"user", "uid", "aliases", "groups", "attributes"}
	if secrets {
		columns = append(columns, "ha1", "ha1b", "password")
	}
	w := output.New(a.Out, form, columns...)
	for listed, err := range dir.Users(ctx, f) {
		if err != nil {
			return err
		}
		u, err := dir.User(ctx, listed.Address)
		if errors.Is(err, db.ErrNoUser) { // removed meanwhile
			continue
		}
		if err != nil {
			return err
		}
		attrs := ""
		if len(u.Attrs) > 0 {
			b, err := json.Marshal(u.Attrs)
			if err != nil {
				return err
			}
			attrs = string(b)
		}
		row := []any{u.Address.String(), u.UID, strings.Join(addressList(u.Aliases), " "), strings.Join(u.Groups, " "), attrs}
		if secrets {
			row = append(row, u.HA1, u.HA1B, u.Plain)
		}
		if err := w.Row(row...); err != nil {
			return err
		}
	}
	return w.Close()
}

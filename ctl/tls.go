package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sipd/db"
	"sipd/db/table"
	"sipd/schema"
)

// tlsCommands ask about TLS, and make certificates.
func (a *App) tlsCommands() []*cobra.Command {
	var subs []*cobra.Command
	for i := range tlsVerbs {
		subs = append(subs, tlsVerbs[i].command(a))
	}
	return append(subs, a.tlsCertificateCommand())
}

func tlsNouns() []*noun {
	flags := new(storeFlag)
	return []*noun{{
		name: "tls profile", short: "Profiles of which tls.cfg is made (table tlscfg)", thing: "profile", reload: "tls.reload", noTell: true,
		example: "server 192.0.2.1:5061 --server-name example.com --certificate /etc/sipd/cert.pem --private-key /etc/sipd/key.pem",
		more:    (*App).tlsProfileCommands, given: &givenFlags{declare: flags.declare, apply: flags.apply},
		in: kamailio(place{
			table: "tlscfg", add: []arg{checked("TYPE", "profile_type", oneOf("server", "client")), checked("NAME", "profile_name", isProfile)},
			key:    []arg{val("TYPE", "profile_type"), val("NAME", "profile_name"), opt("SERVER_NAME", "server_name")},
			secret: []string{"private_key"}, screen: []string{"id", "profile_type", "profile_name", "server_name", "method", "verify_certificate", "require_certificate", "file_type", "disabled"},
		}),
	}}
}

// isProfile wants the name of a profile: default, any, or ADDRESS:PORT.
func isProfile(field, v string) error {
	if v == "default" || v == "any" {
		return nil
	}
	host, port, err := net.SplitHostPort(v)
	if n, e := strconv.Atoi(port); err != nil || e != nil || n < 1 || n > 65535 || net.ParseIP(host) == nil {
		return &db.FieldError{Field: field, Value: v, Why: "is none of default, any, ADDRESS:PORT"}
	}
	return nil
}

// pemColumns are paths of files, or with file_type 1 what is in them.
var pemColumns = []string{"certificate", "private_key", "ca_list", "crl"}

const (
	pemMark   = "-----BEGIN "
	mostOfPEM = 1 << 16 // what a text column holds
)

// storeFlag puts the contents of files into the table in place of their names.
type storeFlag struct{ store bool }

func (s *storeFlag) declare(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&s.store, "store", false, "keep what is in the files of --certificate, --private-key, --ca-list and --crl in the table, not their names")
}

// apply reads the files, and refuses contents beside names.
func (s *storeFlag) apply(cmd *cobra.Command, given map[string]string) error {
	var names, contents []string
	for _, c := range pemColumns {
		v, ok := given[c]
		if !ok || v == "" || v == `\N` {
			continue
		}
		if s.store && !strings.HasPrefix(v, pemMark) {
			text, err := readBounded(v)
			if err != nil {
				return err
			}
			given[c], v = text, text
		}
		if strings.Contains(v, pemMark) {
			contents = append(contents, c)
		} else {
			names = append(names, c)
		}
	}
	switch {
	case s.store && len(names) > 0:
		return &db.FieldError{Field: names[0], Why: "has no PEM block in its file"}
	case len(contents) > 0 && len(names) > 0:
		return usagef(cmd, "%s is the contents of a file and %s the name of one; --store reads the files", contents[0], names[0])
	case len(contents) > 0 && given["file_type"] == "":
		given["file_type"] = "1"
	}
	return nil
}

// wholeFile reads a file, or standard input for "-".
func (a *App) wholeFile(path string) (string, error) {
	if path != "-" {
		return readBounded(path)
	}
	return bounded(a.In, "standard input")
}

func readBounded(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return bounded(f, path)
}

func bounded(r io.Reader, from string) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, mostOfPEM))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", from, err)
	}
	if len(b) >= mostOfPEM {
		return "", fmt.Errorf("%s is longer than %d bytes", from, mostOfPEM-1)
	}
	return string(b), nil
}

func (a *App) tlsProfileCommands(n *noun) []*cobra.Command {
	var dir string
	write := &cobra.Command{
		Use: "print [FILE]", Short: "Print the profiles as a tls.cfg, or write it to a file", Args: want(0, 1),
		Long: `Prints the profiles of the table that are enabled as a configuration of module
tls. With FILE it is written there, in one step, and the servers that are named
(-s) read it again. Where the table holds the contents of certificates and keys
(--store, file_type 1), these are written to files beside it, or to --dir.`,
		Example: "  sipctl tls profile print\n  sipctl tls profile print /etc/sipd/tls.cfg -s unixs:/run/sipd/sipd_ctl",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.tlsProfilePrint(cmd.Context(), n, first(append(args, "")...), dir)
		},
	}
	write.Flags().StringVar(&dir, "dir", "", "`folder` for the contents of certificates and keys (default that of FILE)")
	return []*cobra.Command{
		write,
		n.switchCommand(a, "enable", "Take profiles into tls.cfg again", "0"),
		n.switchCommand(a, "disable", "Leave profiles out of tls.cfg, keeping the data", "1"),
	}
}

// switchCommand sets column disabled of rows, which kamcli's table lacks.
func (n *noun) switchCommand(a *App, verb, short, value string) *cobra.Command {
	use, _, most := n.usage(verb, keys)
	var p pick
	c := &cobra.Command{Use: optionalUse(use), Short: short, Args: want(0, most), Example: "  sipctl " + n.name + " " + verb + " --id 1"}
	p.declare(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := a.nounRows(cmd.Context(), n, false)
		if err != nil {
			return err
		}
		if !r.t.Has("disabled") {
			return &schema.MismatchError{
				Source: a.database.Source(), Table: r.t.Name, Column: "disabled", Found: "no column disabled, as kamcli makes it", Wanted: "the column",
				Command: "sipctl db upgrade --only " + r.t.Name,
			}
		}
		where, err := p.conds(cmd.Context(), cmd, r, args)
		if err != nil {
			return err
		}
		count, err := r.Set(cmd.Context(), where, map[string]string{"disabled": value})
		if err != nil {
			return err
		}
		return a.say("%sd %s", verb, countOf(count, n.thing))
	}
	return c
}

// tlsProfilePrint makes a tls.cfg of the table, on standard output for "".
func (a *App) tlsProfilePrint(ctx context.Context, n *noun, file, dir string) error {
	r, err := a.nounRows(ctx, n, true)
	if err != nil {
		return err
	}
	if dir == "" && file != "" {
		dir = filepath.Dir(file)
	}
	p := &profilePrinter{dir: dir, dry: a.opt.dryRun}
	columns := r.t.Names()
	q := table.Query{Columns: columns}
	if r.t.Has("disabled") {
		q.Where = []table.Cond{table.Eq("disabled", int64(0))}
	}
	for row, err := range r.t.Rows(ctx, q) {
		if err != nil {
			return err
		}
		cell := make(map[string]string)
		for i, c := range columns {
			cell[c] = cellText(row[i])
		}
		if err := p.profile(cell); err != nil {
			return fmt.Errorf("row %s of table %s: %w", cell["id"], r.t.Name, err)
		}
	}
	if file == "" {
		_, err := io.WriteString(a.Out, p.text.String())
		return err
	}
	if !a.opt.dryRun {
		if err := replaceFile(file, []byte(p.text.String()), 0o644); err != nil {
			return err
		}
	}
	return a.done(ctx, "tls.reload", "wrote %s with %s", file, countOf(p.count, "profile"))
}

// cellText is a cell as text, NULL as none.
func cellText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []byte:
		return string(v)
	}
	return fmt.Sprint(v)
}

// profilePrinter writes sections of tls.cfg.
type profilePrinter struct {
	dir   string // of the files that contents are written to
	dry   bool
	text  strings.Builder
	count int
}

// profile writes one section. As kamcli, one without a type or a name is left
// out.
func (p *profilePrinter) profile(cell map[string]string) error {
	kind, name := strings.TrimSpace(cell["profile_type"]), strings.TrimSpace(cell["profile_name"])
	if kind == "" || name == "" {
		return nil
	}
	if err := errors.Join(oneOf("server", "client")("profile_type", kind), isProfile("profile_name", name)); err != nil {
		return err
	}
	if p.count++; p.count > 1 {
		p.text.WriteString("\n")
	}
	fmt.Fprintf(&p.text, "[%s:%s]\n", kind, name)
	for _, key := range []string{"method", "verify_certificate", "verify_depth", "require_certificate", "certificate", "private_key", "ca_list", "crl", "cipher_list", "server_name", "server_name_mode", "server_id"} {
		value := strings.TrimSpace(cell[key])
		if value == "" || key == "server_name_mode" && strings.TrimSpace(cell["server_name"]) == "" {
			continue
		}
		if slices.Contains(pemColumns, key) && cell["file_type"] != "0" {
			var err error
			if value, err = p.store(key, cell["id"], value); err != nil {
				return err
			}
		}
		text, err := quotedSetting(key, value)
		if err != nil {
			return err
		}
		fmt.Fprintf(&p.text, "%s = %s\n", key, text)
	}
	return nil
}

// store writes contents to a file and gives its path. Keys are readable by
// their owner alone.
func (p *profilePrinter) store(key, id, content string) (string, error) {
	if !strings.Contains(content, pemMark) {
		return "", &db.FieldError{Field: key, Why: "is no PEM, and file_type says that it is the contents of a file"}
	}
	if p.dir == "" {
		return "", errors.New("the table holds certificates and keys themselves; name a folder for their files: --dir FOLDER")
	}
	path := filepath.Join(p.dir, key+"_"+id+".pem")
	mode := os.FileMode(0o644)
	if key == "private_key" {
		mode = 0o600
	}
	if p.dry {
		return path, nil
	}
	return path, replaceFile(path, []byte(content+"\n"), mode)
}

// quotedSetting is a value as tls.cfg has it, in quotes where it is no plain
// word.
func quotedSetting(key, value string) (string, error) {
	if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c == 0x7f || c == '"' || c == '\\' }) {
		return "", &db.FieldError{Field: key, Value: value, Why: "has a quote, a backslash or a control character, which tls.cfg has no place for"}
	}
	if strings.ContainsFunc(value, func(c rune) bool {
		return !strings.ContainsRune("+-./:_@*!", c) && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	}) {
		return `"` + value + `"`, nil
	}
	return value, nil
}

package ctl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"sipd/db"
)

// passwordFlags say where a password comes from and what is kept of it.
type passwordFlags struct {
	plain, file string
	ha1, ha1b   string
	algorithm   string
	stdin, none bool
	keep        bool
}

// declareSource declares where a password comes from.
func (p *passwordFlags) declareSource(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&p.stdin, "password-stdin", false, "read the password from standard input: the first line")
	f.StringVar(&p.file, "password-file", "", "read the password from a `file`: the first line")
	f.StringVarP(&p.plain, "password", "p", "", "the `password` itself, which everybody on this machine can see meanwhile; for old scripts")
}

func (p *passwordFlags) declare(cmd *cobra.Command, none bool) {
	p.declareSource(cmd)
	f := cmd.Flags()
	f.StringVar(&p.algorithm, "algorithm", "MD5", "`name` of the digest algorithm of ha1 and ha1b, as the server is configured: MD5, SHA-256, SHA-512-256")
	f.StringVar(&p.ha1, "ha1", "", "the `hash` MD5(user:realm:password) in place of a password")
	f.StringVar(&p.ha1b, "ha1b", "", "the `hash` MD5(user@domain:realm:password), beside --ha1")
	if none {
		f.BoolVar(&p.none, "no-password", false, "no password: the user cannot log in")
	}
	f.BoolVar(&p.keep, "plaintext", false, "keep the password in clear too, as old servers with calculate_ha1=1 want")
}

// check refuses what cannot be meant, before anything is asked.
func (p *passwordFlags) check(cmd *cobra.Command) error {
	var given []string
	for _, n := range []string{"password", "password-stdin", "password-file", "ha1", "no-password"} {
		if f := cmd.Flags().Lookup(n); f != nil && f.Changed {
			given = append(given, "--"+n)
		}
	}
	switch {
	case len(given) > 1:
		return usagef(cmd, "%s exclude each other", strings.Join(given, " and "))
	case p.ha1b != "" && p.ha1 == "":
		return usagef(cmd, "--ha1b is of use beside --ha1 only")
	case p.keep && (p.none || p.ha1 != ""):
		return usagef(cmd, "--plaintext needs a password")
	}
	return nil
}

// read gets the password: from the flags, or by asking twice at a terminal.
func (p *passwordFlags) read(ctx context.Context, cmd *cobra.Command, a *App, who db.Address) (db.Password, error) {
	pw := db.Password{Keep: p.keep}
	var err error
	switch {
	case p.none:
		return db.Password{None: true}, nil
	case p.ha1 != "":
		return db.Password{HA1: p.ha1, HA1B: p.ha1b}, nil
	}
	if pw.Algorithm, err = db.ParseAlgorithm(p.algorithm); err != nil {
		return pw, usagef(cmd, "%v", err)
	}
	switch {
	case cmd.Flags().Changed("password"):
		pw.Plain = p.plain
	case p.stdin:
		pw.Plain, err = firstLine(a.In, "standard input")
	case p.file != "":
		pw.Plain, err = passwordFile(p.file)
	default:
		pw.Plain, err = a.askPassword(ctx, cmd, who)
	}
	return pw, err
}

// plaintext gets a password that exists: asked for once.
func (p *passwordFlags) plaintext(cmd *cobra.Command, a *App, who db.Address) (string, error) {
	switch {
	case cmd.Flags().Changed("password"):
		return p.plain, nil
	case p.stdin:
		return firstLine(a.In, "standard input")
	case p.file != "":
		return passwordFile(p.file)
	}
	f, ok := a.In.(*os.File)
	if !ok || !isTerminal(f) {
		return "", usagef(cmd, "there is no terminal to ask for the password; give --password-stdin or --password-file FILE")
	}
	fmt.Fprintf(a.Err, "Password of %s: ", who)
	b, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(a.Err)
	return string(b), err
}

const longestPassword = 4096

// firstLine reads up to the end of the line and no further than a password goes.
func firstLine(r io.Reader, from string) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, longestPassword+2)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password from %s: %w", from, err)
	}
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	if line == "" {
		return "", &db.FieldError{Field: "password", Why: "is empty: nothing stands on the first line of " + from}
	}
	if len(line) > longestPassword {
		return "", &db.FieldError{Field: "password", Why: fmt.Sprintf("is longer than %d bytes", longestPassword)}
	}
	return line, nil
}

func passwordFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	defer f.Close()
	return firstLine(f, path)
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// askPassword asks twice at the terminal.
func (a *App) askPassword(ctx context.Context, cmd *cobra.Command, who db.Address) (string, error) {
	f, ok := a.In.(*os.File)
	if !ok || !isTerminal(f) {
		return "", usagef(cmd, "there is no terminal to ask for the password; give --password-stdin or --password-file FILE")
	}
	fd := int(f.Fd())
	// Nothing typed is shown from here on, not even what comes before the prompt.
	state, err := term.MakeRaw(fd)
	if err != nil {
		return "", fmt.Errorf("ask for the password: %w", err)
	}
	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 1)
	// It may outlive the call when that is given up; the program ends then.
	go func() {
		text, err := twice(term.NewTerminal(struct {
			io.Reader
			io.Writer
		}{f, a.Err}, ""), who)
		got <- answer{text, err}
	}()
	var r answer
	select {
	case r = <-got:
	case <-ctx.Done():
		r.err = ctx.Err()
	}
	if err := term.Restore(fd, state); err != nil {
		return "", errors.Join(r.err, fmt.Errorf("ask for the password: %w", err))
	}
	if errors.Is(r.err, context.Canceled) {
		fmt.Fprintln(a.Err)
	}
	return r.text, r.err
}

// twice asks for a password and for the same again.
func twice(t *term.Terminal, who db.Address) (string, error) {
	one, err := t.ReadPassword(fmt.Sprintf("Password of %s: ", who))
	if errors.Is(err, io.EOF) { // control-C or control-D
		return "", context.Canceled
	}
	if err != nil {
		return "", fmt.Errorf("ask for the password: %w", err)
	}
	if one == "" {
		return "", &db.FieldError{Field: "password", Why: "is empty"}
	}
	two, err := t.ReadPassword("Once more: ")
	switch {
	case errors.Is(err, io.EOF):
		return "", context.Canceled
	case err != nil:
		return "", fmt.Errorf("ask for the password: %w", err)
	case one != two:
		return "", errors.New("the two passwords differ; nothing was changed")
	}
	return one, nil
}

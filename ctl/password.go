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
	stdin, none bool
	keep        bool
}

func (p *passwordFlags) declare(cmd *cobra.Command, none bool) {
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&p.stdin, "password-stdin", false, "read the password from standard input: the first line")
	f.StringVar(&p.file, "password-file", "", "read the password from a `file`: the first line")
	f.StringVarP(&p.plain, "password", "p", "", "the `password` itself, which everybody on this machine can see meanwhile; for old scripts")
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
	case cmd.Flags().Changed("password"):
		pw.Plain = p.plain
	case p.stdin:
		pw.Plain, err = firstLine(a.In, "standard input")
	case p.file != "":
		pw.Plain, err = passwordFile(p.file)
	default:
		pw.Plain, err = a.ask(ctx, cmd, who)
	}
	return pw, err
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

// ask asks twice at the terminal.
func (a *App) ask(ctx context.Context, cmd *cobra.Command, who db.Address) (string, error) {
	f, ok := fileOf(a.In)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return "", usagef(cmd, "there is no terminal to ask for the password; give --password-stdin or --password-file FILE")
	}
	one, err := a.askOnce(ctx, f, fmt.Sprintf("Password of %s: ", who))
	if err != nil {
		return "", err
	}
	if one == "" {
		return "", &db.FieldError{Field: "password", Why: "is empty"}
	}
	two, err := a.askOnce(ctx, f, "Once more: ")
	if err != nil {
		return "", err
	}
	if one != two {
		return "", errors.New("the two passwords differ; nothing was changed")
	}
	return one, nil
}

// askOnce reads a line unseen. Control-C gives the terminal back as it was.
func (a *App) askOnce(ctx context.Context, f *os.File, prompt string) (string, error) {
	fd := int(f.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("ask for the password: %w", err)
	}
	fmt.Fprint(a.Err, prompt)
	type answer struct {
		text []byte
		err  error
	}
	got := make(chan answer, 1)
	// It may outlive the call when it is given up; the program ends then.
	go func() {
		b, err := term.ReadPassword(fd)
		got <- answer{b, err}
	}()
	select {
	case r := <-got:
		fmt.Fprintln(a.Err)
		if errors.Is(r.err, io.EOF) {
			return "", errors.New("no password was given; nothing was changed")
		}
		return string(r.text), r.err
	case <-ctx.Done():
		fmt.Fprintln(a.Err)
		return "", errors.Join(ctx.Err(), term.Restore(fd, state))
	}
}

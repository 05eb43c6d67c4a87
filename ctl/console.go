package ctl

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/peterh/liner"
	"github.com/spf13/cobra"

	"sipd/ctl/output"
	"sipd/ctl/shell"
)

const shellShort = "Take commands of sipctl line by line"

func (a *App) shellCommand() *cobra.Command {
	return &cobra.Command{
		Use: "shell", Short: shellShort, Args: want(0, 0),
		Long: `Takes commands line by line, without "sipctl" before them, with the options that
it was given itself. At a terminal the tab key completes; quit, exit or control-D
ends it. From a file or a pipe every line is a command, # begins a remark; it
goes on after one that failed and exits with 1 at the end. Nothing that was
typed is kept. (sipcmd is the shell on a running server, db shell the one on the
database.)`,
		Example: "  sipctl shell\n  sipctl --context lab shell < commands.txt",
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.console(cmd.Context()) },
	}
}

// asked are the options of this command line for the next one.
func (o *options) asked() []string {
	var out []string
	for _, f := range [][2]string{{"--db", o.db}, {"--flavour", o.flavour}, {"--output", o.output}, {"--context", o.context}, {"--config", o.config}} {
		if f[1] != "" {
			out = append(out, f[0]+"="+f[1])
		}
	}
	for _, s := range o.servers {
		out = append(out, "--server="+s)
	}
	for name, on := range map[string]bool{"--dry-run": o.dryRun, "--yes": o.yes, "--quiet": o.quiet} {
		if on {
			out = append(out, name)
		}
	}
	return out
}

func (a *App) console(ctx context.Context) error {
	f, ok := a.In.(*os.File)
	if !ok || !isTerminal(f) {
		in := bufio.NewReader(a.In)
		return a.consoleLoop(ctx, strings.NewReader(""), func() (string, error) {
			line, err := in.ReadString('\n')
			if errors.Is(err, io.EOF) && line != "" {
				err = nil
			}
			return line, err
		})
	}
	l := liner.NewLiner()
	defer l.Close()
	l.SetCtrlCAborts(true)
	l.SetTabCompletionStyle(liner.TabPrints)
	l.SetCompleter(func(line string) []string { return a.consoleComplete(ctx, line) })
	return a.consoleLoop(ctx, a.In, func() (string, error) {
		line, err := l.Prompt("sipctl> ")
		if errors.Is(err, liner.ErrPromptAborted) {
			return "", io.EOF
		}
		if err == nil && strings.TrimSpace(line) != "" {
			l.AppendHistory(line)
		}
		return line, err
	})
}

// consoleLoop runs line after line; in is what these commands may read.
func (a *App) consoleLoop(ctx context.Context, in io.Reader, read func() (string, error)) error {
	failed := 0
	for ctx.Err() == nil {
		line, err := read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		words, err := shell.Split(line)
		switch {
		case err != nil:
			failed++
			fmt.Fprintf(a.Err, "sipctl: %s\n", output.CleanLines(err.Error()))
			continue
		case len(words) == 0 || !words[0].Quoted && strings.HasPrefix(words[0].Text, "#"):
			continue
		}
		args := a.opt.asked()
		for _, w := range words {
			args = append(args, w.Text)
		}
		switch words[0].Text {
		case "quit", "exit":
			return a.consoleEnd(failed)
		case "shell":
			failed++
			fmt.Fprintln(a.Err, "sipctl: this is the shell")
			continue
		}
		if Run(ctx, args, in, a.Out, a.Err) != ExitDone {
			failed++
		}
	}
	return errors.Join(ctx.Err(), a.consoleEnd(failed))
}

func (a *App) consoleEnd(failed int) error {
	if f, ok := a.In.(*os.File); failed == 0 || ok && isTerminal(f) {
		return nil // a person has seen it
	}
	return fmt.Errorf("%s failed", countOf(failed, "command"))
}

// consoleComplete are the lines that a line may go on to be, as the shells'
// completion has them.
func (a *App) consoleComplete(ctx context.Context, line string) []string {
	words, err := shell.Split(line)
	if err != nil {
		return nil
	}
	args := append([]string{cobra.ShellCompNoDescRequestCmd}, a.opt.asked()...)
	for _, w := range words {
		args = append(args, w.Text)
	}
	head := line
	if len(words) == 0 || strings.HasSuffix(line, " ") {
		args = append(args, "")
	} else {
		head = strings.TrimSuffix(line, words[len(words)-1].Text)
	}
	var out bytes.Buffer
	if Run(ctx, args, strings.NewReader(""), &out, io.Discard) != ExitDone {
		return nil
	}
	var lines []string
	for l := range strings.Lines(out.String()) {
		if l = strings.TrimSuffix(l, "\n"); l != "" && !strings.HasPrefix(l, ":") {
			lines = append(lines, head+l+" ")
		}
	}
	return lines
}

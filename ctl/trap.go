package ctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sipd/ctl/output"
	"sipd/rpc"
)

func (a *App) trapCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "trap", Aliases: []string{"pstrap", "stacks"}, Short: "Show what every thread of the server does: its stack", Args: want(0, 0),
		Long: `Shows the stack of every goroutine of the running server, for a report of a
mistake or to see what it waits for. A Kamailio cannot tell by itself: where one
runs on this machine and gdb is installed, gdb stops each of its processes for
the moment and prints its stack, as kamctl trap does; what it prints may hold
passwords. --out writes a file that its owner alone can read.`,
		Example: "  sipctl server trap\n  sipctl server trap --out trap.txt -s unixs:/run/sipd/sipd_ctl",
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.trap(cmd.Context(), file) },
	}
	c.Flags().StringVar(&file, "out", "", "write it to this `file`")
	return c
}

func (a *App) trap(ctx context.Context, file string) error {
	if a.opt.dryRun {
		return a.askAll(ctx, stacksMethod)
	}
	var text bytes.Buffer
	var errs []error
	for _, server := range a.servers() {
		if err := a.trapServer(ctx, server, &text); err != nil {
			errs = append(errs, err)
		}
	}
	if file == "" {
		_, err := io.WriteString(a.Out, output.CleanLines(text.String()))
		return errors.Join(append(errs, err)...)
	}
	if text.Len() > 0 {
		if err := replaceFile(file, text.Bytes(), 0o600); err != nil {
			return errors.Join(append(errs, err)...)
		}
		errs = append(errs, a.say("wrote %s", file))
	}
	return errors.Join(errs...)
}

const stacksMethod = "core.stacks"

// trapServer writes the stacks of one server.
func (a *App) trapServer(ctx context.Context, server string, w io.Writer) error {
	for _, m := range []string{"core.version", "core.uptime"} {
		vals, err := a.ask(ctx, server, m)
		if err != nil {
			return err
		}
		for _, v := range vals {
			fmt.Fprintf(w, "%s of %s: %s\n", m, server, output.Text(plainValue(v)))
		}
	}
	vals, err := a.ask(ctx, server, stacksMethod)
	if f, ok := errors.AsType[*rpc.Fault](err); ok && strings.Contains(f.Text, "not found") {
		return a.trapProcesses(ctx, server, w)
	}
	if err != nil {
		return err
	}
	for _, v := range vals {
		fmt.Fprintf(w, "\n%s\n", output.Text(plainValue(v)))
	}
	return nil
}

// plainValue is a value as output prints it, a struct as NAME=VALUE.
func plainValue(v rpc.Value) any {
	o, ok := plain(v).(object)
	if !ok {
		return plain(v)
	}
	var words []string
	for _, f := range o {
		words = append(words, f.Name+"="+output.Text(f.Value))
	}
	return strings.Join(words, " ")
}

// trapProcesses lets gdb print the stacks of a Kamailio's processes.
func (a *App) trapProcesses(ctx context.Context, server string, w io.Writer) error {
	if !strings.HasPrefix(server, "unix") && !strings.HasPrefix(server, "/") {
		return fmt.Errorf("the server at %s does not tell its stacks, and it may run on another machine; where it runs: sipctl server trap -s unixs:SOCKET", server)
	}
	gdb, err := exec.LookPath("gdb")
	if err != nil {
		return fmt.Errorf("the server at %s does not tell its stacks, and gdb, which could, is not installed here", server)
	}
	vals, err := a.ask(ctx, server, "core.psx")
	if err != nil {
		return err
	}
	for _, p := range processes(vals) {
		fmt.Fprintf(w, "\n--- process %d: %s\n", p.id, p.name)
		cmd := exec.CommandContext(ctx, gdb, "-p", strconv.FormatInt(p.id, 10), "-batch", "-ex", "bt full")
		cmd.Stdout, cmd.Stderr = w, w
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("gdb on process %d: %w", p.id, err)
		}
	}
	return nil
}

type process struct {
	id   int64
	name string
}

// processes reads the reply of core.psx.
func processes(vals []rpc.Value) []process {
	var out []process
	add := func(v any) {
		if o, ok := v.(object); ok {
			if id, ok := o.get("PID").(int64); ok && id > 1 {
				out = append(out, process{id, output.Text(o.get("DSC"))})
			}
		}
	}
	for _, v := range vals {
		p := plain(v)
		if list, ok := p.([]any); ok {
			for _, e := range list {
				add(e)
			}
		}
		add(p)
	}
	return out
}

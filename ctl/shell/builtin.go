package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"sipd/ctl/shell/reply"
	"sipd/rpc"
)

// builtin is a command of the shell's own.
type builtin struct {
	name, help string // %s in help is the program's name
	run        func(s *Shell, ctx context.Context, args []Word) error
}

// builtins, in the order help shows them. (A function: help lists them.)
func builtins() []builtin {
	return []builtin{
		{"?", "displays help for a command", (*Shell).help},
		{"help", "displays help for a command", (*Shell).help},
		{"version", "displays %s's version", (*Shell).version},
		{"quit", "exits %s", (*Shell).exit},
		{"exit", "exits %s", (*Shell).exit},
		{"warranty", "displays %s's warranty info", (*Shell).license},
		{"license", "displays %s's license", (*Shell).license},
	}
}

// extra are those that the elders do not have.
func extra() []builtin {
	return []builtin{
		{"watch", "repeats a command and marks what changes: watch [-n SECONDS] [--count N] COMMAND", (*Shell).watchCommand},
		{"aliases", "lists the short names of methods", (*Shell).aliases},
		{"builtin", "lists the commands of %s itself", (*Shell).own},
	}
}

func (p *Persona) builtins() []builtin {
	if p.Elder {
		return builtins()
	}
	return append(builtins(), extra()...)
}

func (p *Persona) builtin(name string) (builtin, bool) {
	for _, b := range p.builtins() {
		if b.name == name {
			return b, true
		}
	}
	return builtin{}, false
}

func (s *Shell) line(format string, a ...any) error {
	_, err := fmt.Fprintf(s.Out, format+"\n", a...)
	return err
}

// help explains an alias, a command of the shell or a method of the daemon;
// without a name it lists all of them. As with the elders, what is typed as a
// number does not count as a name.
func (s *Shell) help(ctx context.Context, args []Word) error {
	if len(args) == 0 {
		return s.list(ctx)
	}
	name := args[0].Text
	if s.Persona.Elder {
		if v, ok := elderValue(name).(rpc.String); !ok {
			return s.list(ctx)
		} else {
			name = string(v)
		}
	}
	if a, ok := s.Persona.alias(name); ok {
		if a.Format == "" {
			return s.line("%s is an alias for %s", a.Name, a.Method)
		}
		return s.line("%s is an alias for %s with reply formatting: \"%s\"", a.Name, a.Method, a.Format)
	}
	if b, ok := s.Persona.builtin(name); ok {
		help := b.help
		if strings.Contains(help, "%s") {
			help = fmt.Sprintf(help, s.Persona.Name)
		}
		return s.line("builtin command: %s", help)
	}
	vals, err := s.call(ctx, "system.methodHelp", rpc.String(name))
	if err != nil {
		return err
	}
	if s.Persona.Elder || s.Output != "" && s.Output != reply.AsText {
		return s.print(vals)
	}
	if g, ok := s.signatureOf(ctx, name); ok {
		lines := g.lines(name)
		all := append([]rpc.Value{rpc.String(lines[0])}, vals...)
		for _, l := range lines[1:] {
			all = append(all, rpc.String(l))
		}
		vals = all
	}
	return s.print(vals)
}

// list prints the names of methods, aliases and own commands. A daemon that
// does not list its methods is no failure.
func (s *Shell) list(ctx context.Context) error {
	vals, err := s.call(ctx, "system.listMethods")
	if _, isFault := errors.AsType[*rpc.Fault](err); err != nil && !isFault {
		return err
	}
	if err == nil {
		if err := s.print(vals); err != nil {
			return err
		}
	}
	for _, a := range s.Persona.Aliases {
		if err := s.line("alias: %s", a.Name); err != nil {
			return err
		}
	}
	return s.own(ctx, nil)
}

func (s *Shell) aliases(context.Context, []Word) error {
	vals := make([]rpc.Value, len(s.Persona.Aliases))
	for i, a := range s.Persona.Aliases {
		vals[i] = rpc.Struct{rpc.M("alias", rpc.String(a.Name)), rpc.M("method", rpc.String(a.Method)), rpc.M("format", rpc.String(a.Format))}
	}
	return s.table(vals)
}

// table prints a list of the shell's own: where no form of data is asked for,
// as a table.
func (s *Shell) table(vals []rpc.Value) error {
	inner := *s
	if inner.Output == "" || inner.Output == reply.AsText {
		inner.Output = reply.AsTable
	}
	return inner.print(vals)
}

func (s *Shell) own(context.Context, []Word) error {
	for _, b := range s.Persona.builtins() {
		if err := s.line("builtin: %s", b.name); err != nil {
			return err
		}
	}
	return nil
}

func (s *Shell) exit(context.Context, []Word) error {
	s.quit = true
	return nil
}

func (s *Shell) version(context.Context, []Word) error {
	return s.line("%s", VersionLine(s.Persona.Name))
}

// buildVersion is set by the linker.
var buildVersion = "dev"

// Version is the version this program was built as, "dev" when nobody said.
func Version() string { return buildVersion }

// VersionLine is what -V prints.
func VersionLine(name string) string {
	if name == "sipcmd" {
		return "version: sipcmd " + buildVersion
	}
	return "version: " + name + " (sipcmd " + buildVersion + ")"
}

func (s *Shell) license(context.Context, []Word) error {
	_, err := io.WriteString(s.Out, s.Persona.Name+`, part of sipd

This program is free software: you may pass it on and change it under the
terms of the GNU General Public License, version 2 or, as you choose, any later
one. It comes with no warranty at all, not even that it is fit for a purpose.
The file LICENSE beside the sources has the whole text.
`)
	return err
}

// banner greets: four lines, as many as the elders'.
func (s *Shell) banner() {
	fmt.Fprintf(s.Out, "%s\nconnected to %s\nThis is free software with no warranty at all; type warranty for more.\nType help for the commands, quit to leave.\n",
		strings.TrimPrefix(VersionLine(s.Persona.Name), "version: "), strconv.QuoteToGraphic(strings.Join(s.addresses(), ", ")))
}

func (s *Shell) addresses() []string {
	list := make([]string, len(s.Servers))
	for i, v := range s.Servers {
		list[i] = v.Address
	}
	return list
}

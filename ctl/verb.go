package ctl

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sipd/rpc"
)

// verb is a command that asks the running server for one method.
type verb struct {
	name, short string
	method      string
	// args are the parameters, blanks between them: a letter (s text, i integer,
	// f number with a fraction), a colon and the name that help shows; ? after it
	// where it may be missing, ... where any number may follow. A letter, = and a
	// value is a parameter that the server wants and nobody needs to say.
	args    string
	example string // of the arguments
	aliases []string
}

// param is one of the args of a verb.
type param struct {
	letter   byte
	name     string
	value    string // of a constant
	constant bool
	optional bool
	more     bool
}

func (v *verb) params() []param {
	var out []param
	for _, f := range strings.Fields(v.args) {
		p := param{letter: f[0], name: f[2:]}
		if f[1] == '=' {
			p.constant, p.value = true, f[2:]
		}
		p.name, p.more = strings.CutSuffix(p.name, "...")
		if name, ok := strings.CutSuffix(p.name, "?"); ok {
			p.name, p.optional = name, true
		}
		out = append(out, p)
	}
	return out
}

func (v *verb) command(a *App) *cobra.Command {
	use, least, most := v.name, 0, 0
	for _, p := range v.params() {
		switch {
		case p.constant:
			continue
		case p.optional:
			use += " [" + p.name + dots(p.more) + "]"
		default:
			least++
			use += " " + p.name + dots(p.more)
		}
		if most++; p.more {
			most = -1
			break
		}
	}
	c := &cobra.Command{
		Use: use, Short: v.short, Aliases: v.aliases, Args: want(least, most),
		Long: v.short + ".\nIt asks the running server: " + v.method + ".",
		RunE: func(cmd *cobra.Command, words []string) error {
			args, err := v.bind(words)
			if err != nil {
				return err
			}
			return a.askAll(cmd.Context(), v.method, args...)
		},
	}
	if v.example != "" || v.args == "" {
		c.Annotations = map[string]string{exampleArgs: v.example}
	}
	return c
}

// exampleArgs is the annotation of the arguments of a command's example, whose
// path is known when the tree is whole.
const exampleArgs = "example"

func dots(more bool) string {
	if more {
		return "..."
	}
	return ""
}

// bind turns the words of the command line into parameters of their types.
func (v *verb) bind(words []string) ([]rpc.Value, error) {
	var out []rpc.Value
	for _, p := range v.params() {
		if p.constant {
			val, err := paramValue(p, p.value)
			if err != nil {
				return nil, err
			}
			out = append(out, val)
			continue
		}
		n := min(1, len(words))
		if p.more {
			n = len(words)
		}
		for _, w := range words[:n] {
			val, err := paramValue(p, w)
			if err != nil {
				return nil, err
			}
			out = append(out, val)
		}
		words = words[n:]
	}
	return out, nil
}

// paramValue is a word as its letter wants it: 1001 stays a text for s.
func paramValue(p param, w string) (rpc.Value, error) {
	switch p.letter {
	case 'i':
		n, err := strconv.ParseInt(w, 0, 64)
		if err != nil {
			return nil, &usageError{"sipctl", fmt.Sprintf("%s %q is no integer", p.name, w)}
		}
		return rpc.Int(n), nil
	case 'f':
		f, err := strconv.ParseFloat(w, 64)
		if err != nil {
			return nil, &usageError{"sipctl", fmt.Sprintf("%s %q is no number", p.name, w)}
		}
		return rpc.Double(f), nil
	}
	return rpc.String(w), nil
}

// askAll calls the method on every server and prints what each answers.
func (a *App) askAll(ctx context.Context, method string, args ...rpc.Value) error {
	if a.opt.dryRun {
		_, err := fmt.Fprintf(a.Out, "dry run, nothing is called: %s\n", call{method: method, args: args})
		return err
	}
	servers := a.servers()
	var errs []error
	for _, s := range servers {
		vals, err := a.ask(ctx, s, method, args...)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if len(servers) > 1 && a.set.output.Screen() {
			fmt.Fprintf(a.Out, "%s:\n", s)
		}
		if len(vals) == 0 {
			continue
		}
		if err := a.printReply(vals); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

// reloadCommand makes a change live by hand.
func (a *App) reloadCommand(method string) *cobra.Command {
	v := verb{name: "reload", short: "Let the running server read the table again", method: method}
	switch method {
	case "htable.reload":
		v.args, v.example = "s:NAME", "ipban"
	case "mtree.reload":
		v.args, v.example = "s:NAME?", "ptree"
	}
	return v.command(a)
}

// liveCommand shows what the running server has.
func (a *App) liveCommand(method string) *cobra.Command {
	v := verb{name: "live", short: "Show what the running server has", method: method}
	switch method {
	case "htable.dump":
		v.args, v.example = "s:NAME", "ipban"
	case "dialplan.dump":
		v.args, v.example = "i:DPID", "1"
	case "rtpengine.show":
		v.args, v.example = "s:URL?", "all"
	case "presence.presentity_list":
		v.args, v.example = "s:MODE?", "full"
	case "mtree.summary", "pl.list":
		v.args, v.example = "s:NAME?", "ptree"
	}
	return v.command(a)
}

// rpcCommand calls any method.
func (a *App) rpcCommand() *cobra.Command {
	return &cobra.Command{
		Use: "rpc METHOD [ARG...]", Short: rpcShort, Args: want(1, -1),
		Long: `Calls a method of the running server. An argument that looks like a number is
one; s:TEXT is a text whatever it looks like, i:N an integer, f:N a number with
a fraction. With --dry-run it says what would be called.`,
		Example: "  sipctl rpc core.uptime\n  sipctl rpc ul.lookup location s:1001",
		RunE: func(cmd *cobra.Command, args []string) error {
			var vals []rpc.Value
			for _, w := range args[1:] {
				v, err := freeValue(w)
				if err != nil {
					return usagef(cmd, "%v", err)
				}
				vals = append(vals, v)
			}
			return a.askAll(cmd.Context(), args[0], vals...)
		},
	}
}

const rpcShort = "Call a method of the running server"

// freeValue is a word whose type nobody declared, as kamcmd reads it.
func freeValue(w string) (rpc.Value, error) {
	if len(w) > 1 && w[1] == ':' && strings.IndexByte("sif", w[0]) >= 0 {
		v, err := paramValue(param{letter: w[0], name: "argument"}, w[2:])
		if u, ok := errors.AsType[*usageError](err); ok {
			return nil, errors.New(u.text)
		}
		return v, err
	}
	if n, err := strconv.ParseInt(w, 10, 64); err == nil {
		return rpc.Int(n), nil
	}
	if f, err := strconv.ParseFloat(w, 64); err == nil {
		return rpc.Double(f), nil
	}
	return rpc.String(w), nil
}

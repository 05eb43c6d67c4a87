package serctl

import (
	"fmt"
	"slices"
	"strings"
)

// help is -h, help and a command line without a command.
func (s *session) help() error {
	var b strings.Builder
	if s.module == "rpc" {
		b.WriteString("Usage:\n\tser_rpc [options...] [--] <rpc_command> [rpc_params...]\n\n")
	} else {
		fmt.Fprintf(&b, "Usage:\n\tser_%s [options...] [--] [command] [param...]\n\n", s.module)
	}
	b.WriteString("Options:\n")
	for _, o := range optionList {
		fmt.Fprintf(&b, "\t-%c, --%-10s : %s\n", o.short, o.long, o.help)
	}
	if m := modules()[s.module]; m != nil {
		b.WriteString("\nCommands & parameters:\n")
		var names []string
		for n := range m {
			names = append(names, n)
		}
		slices.Sort(names)
		for _, n := range names {
			fmt.Fprintf(&b, "\tser_%s %-9s %-40s %s\n", s.module, n, m[n].shape(), m[n].help)
		}
	}
	b.WriteString("\nCommands may be cut short: a, ad and add are the same.\n")
	_, err := fmt.Fprint(s.Out, b.String())
	return err
}

// shape is how the arguments of a command are written.
func (c command) shape() string {
	var out []string
	for i, n := range strings.Fields(c.names) {
		if i < c.least {
			out = append(out, "<"+n+">")
		} else {
			out = append(out, "["+n+"]")
		}
	}
	if c.most < 0 {
		out = append(out, "...")
	}
	return strings.Join(out, " ")
}

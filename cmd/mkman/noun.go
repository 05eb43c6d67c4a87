package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// nouns makes one page for each command of the first level, with all that are
// below it: five hundred pages would be found by nobody.
func nouns(dir, version string, date time.Time, root *cobra.Command) error {
	for _, c := range root.Commands() {
		if !c.IsAvailableCommand() {
			continue
		}
		name := root.Name() + "-" + c.Name()
		var b bytes.Buffer
		title(&b, name, "1", version, date)
		fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n.SH SYNOPSIS\n", roffWord(name), roffWord(c.Short))
		fmt.Fprintf(&b, ".B %s\n[\\fIoptions\\fR]\n", roffWord(c.CommandPath()))
		if c.HasAvailableSubCommands() {
			fmt.Fprint(&b, "\\fIcommand\\fR [\\fIargument\\fR...]\n")
		}
		if c.Long != "" {
			fmt.Fprintf(&b, ".SH DESCRIPTION\n%s", roff(c.Long+"\n"))
		}
		fmt.Fprint(&b, ".SH COMMANDS\n")
		below(&b, c)
		fmt.Fprintf(&b, ".SH SEE ALSO\n.BR %s (1),\nwhich has the options of all commands.\n", root.Name())
		if err := os.WriteFile(filepath.Join(dir, name+".1"), b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// below writes a command that acts, or all that are below one that does not.
func below(b *bytes.Buffer, c *cobra.Command) {
	if c.HasAvailableSubCommands() {
		for _, s := range c.Commands() {
			if s.IsAvailableCommand() {
				below(b, s)
			}
		}
		return
	}
	use := strings.TrimSuffix(c.UseLine(), " [flags]")
	fmt.Fprintf(b, ".SS %s\n%s", roffWord(use), roff(first(c.Long, c.Short+".")+"\n"))
	c.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		short := ""
		if f.Shorthand != "" {
			short = "-" + f.Shorthand + ", "
		}
		fmt.Fprintf(b, ".TP\n\\fB%s\\fR", roffWord(short+"--"+f.Name))
		if value != "" {
			fmt.Fprintf(b, " \\fI%s\\fR", roffWord(value))
		}
		fmt.Fprintf(b, "\n%s", roff(usage+"\n"))
	})
	if c.Example != "" {
		fmt.Fprintf(b, ".PP\n.nf\n%s.fi\n", roff(strings.TrimRight(c.Example, "\n")+"\n"))
	}
}

// roffWord is text on the line of a macro.
func roffWord(s string) string { return strings.TrimSuffix(roff(s), "\n") }

func first(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}

package ctl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sipd/schema"
)

// columnFlags give a command one flag for each column.
type columnFlags struct {
	values map[string]*string
	files  map[string]*string // of secret columns
	whole  []string           // those of which a file has more than a line
	own    *givenFlags        // of the noun
}

func (n *noun) declareColumns(cmd *cobra.Command) *columnFlags {
	c := &columnFlags{values: make(map[string]*string), files: make(map[string]*string)}
	cmd.Flags().SortFlags = false
	for _, col := range n.schemaColumns() {
		if col.Auto {
			continue
		}
		flag := strings.ReplaceAll(col.Name, "_", "-")
		secret := n.secret(col.Name)
		help := "column " + col.Name + ": " + kindWords(&col)
		if secret {
			help += "; everybody on this machine can see it meanwhile"
		}
		c.values[col.Name] = cmd.Flags().String(flag, "", help)
		if secret {
			c.files[col.Name] = cmd.Flags().String(flag+"-file", "", "column "+col.Name+" from "+lineOrAll(&col)+" of a `file`, - is standard input")
			if col.Kind == schema.Text {
				c.whole = append(c.whole, col.Name)
			}
		}
	}
	if n.given != nil {
		n.given.declare(cmd)
		c.own = n.given
	}
	return c
}

func (n *noun) secret(column string) bool {
	for _, p := range n.in {
		if slices.Contains(p.secret, column) {
			return true
		}
	}
	return false
}

// kindWords are what may stand in a column, with the word for its value in
// quotes as pflag wants it.
func kindWords(c *schema.Column) string {
	var s string
	switch c.Kind {
	case schema.String:
		s = fmt.Sprintf("a `text` of at most %d characters", c.Size)
	case schema.Integer:
		s = "a `number`"
	case schema.Float, schema.Double:
		s = "a `number`, with a fraction if need be"
	case schema.Datetime:
		s = "a `date`, 2026-01-02 15:04:05 or now"
	default:
		s = "a `text`"
	}
	if c.Default != nil && *c.Default != "" {
		s += " (default " + *c.Default + ")"
	}
	return s
}

// given are the columns that the command line gave by name.
func (c *columnFlags) given(a *App, cmd *cobra.Command) (map[string]string, error) {
	out := make(map[string]string)
	for name, v := range c.values {
		if cmd.Flags().Changed(strings.ReplaceAll(name, "_", "-")) {
			out[name] = *v
		}
	}
	for name, path := range c.files {
		if *path == "" {
			continue
		}
		if _, twice := out[name]; twice {
			return nil, usagef(cmd, "--%s and --%[1]s-file exclude each other", strings.ReplaceAll(name, "_", "-"))
		}
		text, err := a.secretFrom(*path, slices.Contains(c.whole, name))
		if err != nil {
			return nil, err
		}
		out[name] = text
	}
	if c.own != nil {
		return out, c.own.apply(cmd, out)
	}
	return out, nil
}

// lineOrAll is what a column takes of a file: a password is a line, a key has
// many.
func lineOrAll(c *schema.Column) string {
	if c.Kind == schema.Text {
		return "the whole"
	}
	return "the first line"
}

// secretFrom reads the first line of a file, or of standard input for "-"; with
// whole all of it, up to what a text column holds.
func (a *App) secretFrom(path string, whole bool) (string, error) {
	if whole {
		return a.wholeFile(path)
	}
	if path == "-" {
		return firstLine(a.In, "standard input")
	}
	return passwordFile(path)
}

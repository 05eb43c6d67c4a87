package ctl

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sipd/ctl/elder"
	"sipd/ctl/output"
)

const compatShort = "Answer to the names of kamctl and serctl"

func (a *App) compatCommand() *cobra.Command {
	var force bool
	var programs string
	var only []string
	install := &cobra.Command{
		Use: "install DIR", Short: "Make links of the elders' names in a folder", Args: want(1, 1),
		Long: `Makes symbolic links of the elders' names in a folder: kamctl, kamdbctl, ser_ctl
and the other ser_ ones to sipctl, kamcmd and sercmd to sipcmd. Called by such a
name the program takes the elder's command line, reads its configuration and
prints what it prints. A name that something else has is left alone.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			links, err := chosenLinks(cmd, only)
			if err != nil {
				return err
			}
			if programs, err = programFolder(args[0], programs); err != nil {
				return err
			}
			made, err := elder.Install(args[0], programs, links, force)
			if len(made) > 0 {
				if e := a.say("made %s in %s", strings.Join(made, ", "), args[0]); err == nil {
					err = e
				}
			}
			if err == nil && len(made) == 0 {
				return a.say("the links are in %s already", args[0])
			}
			return err
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	install.Flags().BoolVar(&force, "force", false, "replace what has such a name")
	install.Flags().StringVar(&programs, "programs", "", "the `folder` that the links point to, as they will say it (default: where this program is)")
	install.Flags().StringSliceVar(&only, "only", nil, "`names` to make, in place of all")
	list := &cobra.Command{
		Use: "list", Short: "List the elders' names", Args: want(0, 0),
		RunE: func(*cobra.Command, []string) error {
			w := output.New(a.Out, a.set.output, "name", "program")
			for _, l := range elder.Links() {
				w.Row(l.Name, l.Program)
			}
			return w.Close()
		},
	}
	return group("compat", compatShort, install, list)
}

func chosenLinks(cmd *cobra.Command, only []string) ([]elder.Link, error) {
	all := elder.Links()
	if only == nil {
		return all, nil
	}
	var out []elder.Link
	for _, n := range only {
		i := slices.IndexFunc(all, func(l elder.Link) bool { return l.Name == n })
		if i < 0 {
			return nil, usagef(cmd, "%q is no elder's name; sipctl compat list shows them", n)
		}
		out = append(out, all[i])
	}
	return out, nil
}

// programFolder is what links in dir point to: nothing before the program's
// name where they lie beside it.
func programFolder(dir, asked string) (string, error) {
	if asked != "" {
		if asked == "." {
			return "", nil
		}
		return asked, nil
	}
	exe, err := os.Executable()
	if err == nil {
		exe, err = filepath.EvalSymlinks(exe)
	}
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	if real, err = filepath.Abs(real); err != nil {
		return "", err
	}
	if real == filepath.Dir(exe) {
		return "", nil
	}
	return filepath.Dir(exe), nil
}

// Package elder makes sipctl answer to the names of its elders: kamctl and
// kamdbctl of Kamailio, and ser_ctl, ser_user and the others of SER. A link of
// such a name takes the elder's command line, reads the elder's configuration
// and prints what the elder prints.
package elder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sipd/ctl/elder/kamctl"
	"sipd/ctl/elder/serctl"
	"sipd/ctl/shell"
	"sipd/rpc"
	"sipd/rpc/dial"
)

// Defaults are what sipctl's own configuration says, for elders whose
// configuration leaves it open; "" is nothing.
type Defaults interface {
	Database() (string, error)
	Server() (string, error)
}

// Names are the elders' names, sorted.
func Names() []string {
	names := []string{"kamctl", "kamdbctl"}
	for _, m := range serctl.Modules() {
		names = append(names, "ser_"+m)
	}
	slices.Sort(names)
	return names
}

// Is tells whether a program of that name (argv[0]) is an elder.
func Is(argv0 string) bool {
	name := filepath.Base(argv0)
	return name == "kamctl" || name == "kamdbctl" || serctl.Is(name)
}

// Run is the main of an elder: it does what argv, the name first, asks for and
// gives the exit code.
func Run(ctx context.Context, argv []string, in io.Reader, out, errw io.Writer, d Defaults) int {
	name := filepath.Base(argv[0])
	if serctl.Is(name) {
		return serctl.Run(ctx, argv, serctl.Surroundings{In: in, Out: out, Err: errw, DefaultDB: d.Database, DefaultServer: d.Server})
	}
	s := kamctl.Surroundings{In: in, Out: out, Err: errw, DefaultDB: d.Database, DefaultServer: d.Server}
	s.Kamcmd = func(ctx context.Context, args []string) int { return kamcmd(ctx, args, out, errw, d) }
	if name == "kamdbctl" {
		return kamctl.RunDB(ctx, argv, s)
	}
	return kamctl.Run(ctx, argv, s)
}

// kamcmd is the RPC shell that kamctl hands some commands to: one call, with
// kamcmd's options for address and format.
func kamcmd(ctx context.Context, args []string, out, errw io.Writer, d Defaults) int {
	sh := &shell.Shell{Persona: shell.PersonaFor("kamcmd"), Out: out, Err: errw}
	address := ""
	for len(args) > 1 && (args[0] == "-s" || args[0] == "-f") {
		if args[0] == "-s" {
			address = args[1]
		} else {
			sh.Format, sh.HasFormat = args[1], true
		}
		args = args[2:]
	}
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		fmt.Fprintln(errw, "kamctl: kamcmd takes -s ADDRESS, -f FORMAT and a method here; sipcmd can do more")
		return 1
	}
	if address == "" {
		var err error
		if address, err = d.Server(); err != nil {
			fmt.Fprintf(errw, "kamctl: %v\n", err)
			return 1
		}
	}
	if address == "" {
		address = "unixs:/var/run/kamailio//kamailio_ctl"
	}
	sh.Servers = []*shell.Server{{Address: address, Dial: func(ctx context.Context) (rpc.Client, error) {
		return dial.Dial(ctx, address, dial.Options{Timeout: time.Minute})
	}}}
	defer sh.Close()
	err := sh.Run(ctx, shell.Words(args))
	_, isFault := errors.AsType[*rpc.Fault](err)
	switch {
	case !sh.Report(err), isFault && os.Getenv(kamctl.OldVariable) == kamctl.Old:
		return 0
	case isFault:
		return 1
	}
	return 255 // as kamcmd when it reaches nobody
}

// Link is a name of an elder and the program of ours that answers to it.
type Link struct{ Name, Program string }

// Links are all names, those of the RPC shell included, which is sipcmd.
func Links() []Link {
	out := []Link{{"kamcmd", "sipcmd"}, {"sercmd", "sipcmd"}}
	for _, n := range Names() {
		out = append(out, Link{n, "sipctl"})
	}
	slices.SortFunc(out, func(a, b Link) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Install makes symbolic links in a folder, to the programs in the folder
// programs; "" is the same one. A name that something else has is an error
// unless force is set; the others are made all the same. It gives the names
// that were made.
func Install(dir, programs string, links []Link, force bool) ([]string, error) {
	var made, taken []string
	for _, l := range links {
		path, to := filepath.Join(dir, l.Name), filepath.Join(programs, l.Program)
		old, err := os.Readlink(path)
		switch _, here := os.Lstat(path); {
		case err == nil && old == to:
			continue // it is there already
		case here == nil && !force:
			taken = append(taken, path)
			continue
		case here == nil:
			if err := os.Remove(path); err != nil {
				return made, err
			}
		}
		if err := os.Symlink(to, path); err != nil {
			return made, err
		}
		made = append(made, l.Name)
	}
	if taken != nil {
		return made, fmt.Errorf("%s exists already; to replace it: --force", strings.Join(taken, ", "))
	}
	return made, nil
}

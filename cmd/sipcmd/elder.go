package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"sipd/ctl/shell"
)

// elderOptions reads the command line as kamcmd and sercmd do: short options
// only, anywhere before --. done says that there is nothing more to do.
func elderOptions(p *shell.Persona, args []string, stdout, stderr io.Writer) (o *options, code int, done bool) {
	o = &options{}
	unknown := func(c byte) (*options, int, bool) {
		fmt.Fprintf(stderr, "Unknown option `-%c'.\n", c)
		if os.Getenv("SIPCMD_EXIT") == "elder" {
			return nil, exitElder, true
		}
		return nil, exitUsage, true
	}
	for i := 0; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			o.words = append(o.words, args[i+1:]...)
			break
		}
		if len(a) < 2 || a[0] != '-' {
			o.words = append(o.words, a)
			continue
		}
		for j := 1; j < len(a); j++ {
			c := a[j]
			switch c {
			case 'v':
				o.verbose++
				continue
			case 'U': // of sercmd, for unix sockets; the address says it all
				continue
			case 'V':
				fmt.Fprintln(stdout, shell.VersionLine(p.Name))
				return nil, exitDone, true
			case 'h':
				elderUsage(stdout, p.Name)
				return nil, exitDone, true
			}
			if !strings.ContainsRune("sfRD", rune(c)) {
				return unknown(c)
			}
			val := a[j+1:]
			if val == "" {
				if i++; i == len(args) {
					return unknown(c)
				}
				val = args[i]
			}
			switch c {
			case 's':
				o.servers = []string{val}
			case 'f':
				o.format, o.hasFormat = val, true
			case 'R':
				o.replyName = val
			case 'D':
				o.replyDir = val
			}
			break
		}
	}
	return o, 0, false
}

func elderUsage(w io.Writer, name string) {
	fmt.Fprintf(w, `%[2]s
Usage: %[1]s [options] [method [argument...]]
Options:
    -s address  where the daemon is: [proto:]name[:port], proto one of unixs,
                unixd, tcp, udp
    -R path     reply socket, for unix datagrams
    -D folder   folder of the reply socket, when there is no -R
    -f format   print through a format: %%v is the next value, %%%% a percent sign
    -v          a dot behind each reply
    -V          version
    -h          this
This is sipcmd in the manners of %[1]s; called as sipcmd it can do more.
`, name, shell.VersionLine(name))
}

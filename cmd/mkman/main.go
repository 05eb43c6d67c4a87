// Command mkman writes the manual pages: those of sipctl, one a noun, from its
// tree of commands, those of the other programs from what they print for -h. It is run
// by make man and not installed.
//
//	mkman DIR VERSION PROGRAM...
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"sipd/ctl"
	"sipd/ctl/elder"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: mkman DIR VERSION PROGRAM...")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintf(os.Stderr, "mkman: %v\n", err)
		os.Exit(1)
	}
}

// write makes all pages in a folder. Their date is that of SOURCE_DATE_EPOCH,
// so that a build can be repeated octet by octet.
func write(dir, version string, programs []string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	date := time.Now().UTC()
	if s := os.Getenv("SOURCE_DATE_EPOCH"); s != "" {
		var sec int64
		if _, err := fmt.Sscan(s, &sec); err != nil {
			return fmt.Errorf("SOURCE_DATE_EPOCH %q: %w", s, err)
		}
		date = time.Unix(sec, 0).UTC()
	}
	root := (&ctl.App{}).Root()
	quiet(root)
	head := &doc.GenManHeader{Section: "1", Source: "sipd " + version, Manual: "sipd", Date: &date}
	var b bytes.Buffer
	if err := doc.GenMan(root, head, &b); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, root.Name()+".1"), b.Bytes(), 0o644); err != nil {
		return err
	}
	if err := nouns(dir, version, date, root); err != nil {
		return err
	}
	for _, p := range programs {
		if err := fromHelp(dir, version, date, p); err != nil {
			return err
		}
	}
	return elders(dir, version, date)
}

// quiet takes the line with the day of the build out of every page.
func quiet(c *cobra.Command) {
	c.DisableAutoGenTag = true
	for _, s := range c.Commands() {
		quiet(s)
	}
}

// fromHelp makes the page of a program out of its help.
func fromHelp(dir, version string, date time.Time, program string) error {
	name := filepath.Base(program)
	help, err := exec.Command(program, "-h").CombinedOutput()
	if err != nil && len(help) == 0 {
		return fmt.Errorf("%s -h: %w", program, err)
	}
	section := "1"
	if name == "sipd" {
		section = "8"
	}
	var b bytes.Buffer
	title(&b, name, section, version, date)
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n.SH SYNOPSIS\n.B %s\n[\\fIoptions\\fR]\n.SH DESCRIPTION\n.nf\n%s.fi\n", name, about[name], name, roff(string(help)))
	fmt.Fprintf(&b, ".SH SEE ALSO\n.BR sipd (8),\n.BR sipctl (1),\n.BR sipcmd (1)\n")
	return os.WriteFile(filepath.Join(dir, name+"."+section), b.Bytes(), 0o644)
}

var about = map[string]string{
	"sipd":   "SIP registrar and proxy that runs SER and Kamailio configurations",
	"sipcmd": "RPC shell for SIP servers",
}

func title(b *bytes.Buffer, name, section, version string, date time.Time) {
	fmt.Fprintf(b, ".TH \"%s\" \"%s\" \"%s\" \"sipd %s\" \"sipd\"\n", strings.ToUpper(name), section, date.Format("Jan 2006"), version)
}

// elders makes one page for all names of elders.
func elders(dir, version string, date time.Time) error {
	var names []string
	for _, l := range elder.Links() {
		names = append(names, l.Name)
	}
	var b bytes.Buffer
	title(&b, "sipctl-elders", "7", version, date)
	fmt.Fprintf(&b, ".SH NAME\nsipctl-elders \\- %s as links to sipctl and sipcmd\n", strings.Join(names, ", "))
	fmt.Fprint(&b, ".SH DESCRIPTION\nCalled by one of these names the program takes the command line of that elder,\nreads its configuration (kamctlrc, serctl.conf; assignments only, nothing is run)\nand prints its output. Called without arguments, or with help, each lists its commands.\n")
	fmt.Fprint(&b, ".SH ENVIRONMENT\n.TP\n.B SIPCTL_ELDER_EXIT\nold: exit with 0 where the elder does although it failed.\n")
	fmt.Fprint(&b, ".SH SEE ALSO\n.BR sipctl\\-compat (1),\n.BR sipcmd (1);\nwhat differs is in compatibility.md of the documentation.\n")
	return os.WriteFile(filepath.Join(dir, "sipctl-elders.7"), b.Bytes(), 0o644)
}

// roff makes text safe for a page.
func roff(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(strings.TrimRight(line, "\n"))
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			line = `\&` + line
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

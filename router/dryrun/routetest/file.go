// Package routetest runs route tests: plain files with a configuration, the
// messages that peers send, and what is expected to come out. A reader who
// knows SIP and no Go understands them; docs/testing-a-config.md has the form.
package routetest

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// File is a route test.
type File struct {
	Path string
	// Comment is the text before the first section: what the test shows.
	Comment string
	// Config is the configuration, "" to use another file's.
	Config string
	// Hosts are names that resolve.
	Hosts map[string]netip.Addr
	Steps []Step

	archive *txtar.Archive
}

// Step is one section of a file.
type Step struct {
	Verb Verb
	Peer string
	// Args are the words behind the verb, Body the section's text.
	Args []string
	Body string
	Wait time.Duration

	title   string
	section int
}

// Verb says what a step does.
type Verb string

// The verbs.
const (
	Sends   Verb = "sends"
	Answers Verb = "answers"
	Acks    Verb = "acks"
	Cancels Verb = "cancels"
	Wait    Verb = "wait"
	Routes  Verb = "every route"
	Expect  Verb = "expect"
	OfSipd  Verb = "expect of sipd"
)

// Peers are the names that a test may use.
var Peers = []string{"alice", "bob", "carol", "dave", "erin"}

// Read reads a test from a file. The error names file and section.
func Read(path string) (*File, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read route test: %w", err)
	}
	return Parse(path, b)
}

// Parse reads a test from its text.
func Parse(path string, text []byte) (*File, error) {
	a := txtar.Parse(text)
	f := &File{Path: path, Comment: strings.TrimSpace(string(a.Comment)), archive: a, Hosts: make(map[string]netip.Addr)}
	var errs []error
	for i, s := range a.Files {
		if err := f.section(i, s.Name, string(s.Data)); err != nil {
			errs = append(errs, fmt.Errorf("%s: section %q: %w", path, s.Name, err))
		}
	}
	if len(f.Steps) == 0 && len(errs) == 0 {
		errs = append(errs, fmt.Errorf(`%s: there is nothing to do; a step is a line as "-- alice sends OPTIONS bob --"`, path))
	}
	return f, errors.Join(errs...)
}

func (f *File) section(i int, title, body string) error {
	s := Step{Body: body, title: title, section: i}
	words := strings.Fields(title)
	switch {
	case title == "config":
		f.Config = body
		return nil
	case title == "hosts":
		return f.hosts(body)
	case title == string(Expect), title == string(OfSipd), title == string(Routes):
		s.Verb = Verb(title)
	case len(words) == 2 && words[0] == "wait":
		d, err := time.ParseDuration(words[1])
		if err != nil || d <= 0 || d > 24*time.Hour {
			return errors.New(`wants a time as in "wait 5s"`)
		}
		s.Verb, s.Wait = Wait, d
	case len(words) >= 2 && slices.Contains(Peers, words[0]):
		s.Peer, s.Verb, s.Args = words[0], Verb(words[1]), words[2:]
		if err := s.check(); err != nil {
			return err
		}
	default:
		return fmt.Errorf(`is no step; there are: config, hosts, NAME sends, NAME answers CODE, NAME acks, NAME cancels, wait TIME, every route, expect (NAME is one of %s)`,
			strings.Join(Peers, " "))
	}
	if s.Verb == OfSipd && (len(f.Steps) == 0 || f.Steps[len(f.Steps)-1].Verb != Expect) {
		return errors.New(`stands right behind "expect"`)
	}
	f.Steps = append(f.Steps, s)
	return nil
}

func (s *Step) check() error {
	switch s.Verb {
	case Sends:
		if len(s.Args) > 2 {
			return errors.New(`wants "NAME sends METHOD [URI]", or "NAME sends" and the whole message`)
		}
		if len(s.Args) == 0 && strings.TrimSpace(s.Body) == "" {
			return errors.New("the message is missing")
		}
	case Answers:
		if len(s.Args) == 0 || !codeRE.MatchString(s.Args[0]) {
			return errors.New(`wants a code, as in "bob answers 180"`)
		}
	case Acks, Cancels:
		if len(s.Args) > 0 {
			return errors.New("takes no words behind")
		}
	default:
		return fmt.Errorf("nobody can do %q; there are sends, answers, acks, cancels", s.Verb)
	}
	return nil
}

var codeRE = regexp.MustCompile(`^[1-6][0-9][0-9]$`)

func (f *File) hosts(body string) error {
	for line := range strings.Lines(body) {
		w := strings.Fields(line)
		if len(w) == 0 || strings.HasPrefix(w[0], "#") {
			continue
		}
		a, err := netip.ParseAddr(w[0])
		if err != nil || len(w) < 2 {
			return fmt.Errorf(`line %q: wants "ADDRESS NAME…", as /etc/hosts has it`, strings.TrimSpace(line))
		}
		for _, n := range w[1:] {
			f.Hosts[strings.ToLower(n)] = a
		}
	}
	return nil
}

// routeRE finds the named routes of a configuration.
var routeRE = regexp.MustCompile(`(?m)^route\[([A-Za-z_][A-Za-z0-9_]*)\]`)

// routes are the named routes in order.
func (f *File) routes() []string {
	var names []string
	for _, m := range routeRE.FindAllStringSubmatch(f.Config, -1) {
		names = append(names, m[1])
	}
	return names
}

// Cases is how many things the file tests: each route of "every route", else
// each expect.
func (f *File) Cases() int {
	n := 0
	for _, s := range f.Steps {
		switch s.Verb {
		case Routes:
			n += len(f.routes()) - 1
		case Expect:
			n++
		}
	}
	return n
}

// Text is the file with the expectations that Run gave it.
func (f *File) Text() []byte { return txtar.Format(f.archive) }

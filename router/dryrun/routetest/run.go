package routetest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Target runs messages: a dry run of this daemon, or a peer on the network.
type Target interface {
	// Proxy is where the daemon listens, Peer where a peer does.
	Proxy() netip.AddrPort
	Peer(name string) (netip.AddrPort, error)
	// Send sends from a peer and waits until the daemon has dealt with it.
	Send(peer, msg string) error
	// Wait lets time pass.
	Wait(d time.Duration) error
	// Take gives what came out since the last call.
	Take() ([]Out, error)
}

// Out is a message that a peer received, or (without Peer) a line that the
// script logged.
type Out struct {
	Peer string
	// Level is that of a log line: ERROR, INFO ….
	Level string
	Text  string
}

// Failure is an expectation that was not met.
type Failure struct {
	Section   string
	Got, Want string
}

// runner is a test under way.
type runner struct {
	f      *File
	t      Target
	ofSipd bool
	peers  map[string]*peer
	number int
	clean  *cleaner
	heard  strings.Builder // since the last expect
}

// Run runs a test and compares. ofSipd says that the target is this daemon, to
// which "expect of sipd" applies. With update expectations are not compared but
// replaced in f: those of sipd when ofSipd, else the others.
func Run(f *File, t Target, ofSipd, update bool) ([]Failure, error) {
	r := &runner{f: f, t: t, ofSipd: ofSipd, peers: make(map[string]*peer)}
	r.clean = newCleaner(t)
	var fails []Failure
	for i := range f.Steps {
		s := &f.Steps[i]
		var err error
		switch s.Verb {
		case OfSipd: // dealt with at its expect
		case Expect:
			own := i+1 < len(f.Steps) && f.Steps[i+1].Verb == OfSipd
			if own && ofSipd {
				s = &f.Steps[i+1]
			}
			got := r.heard.String()
			r.heard.Reset()
			if update {
				r.keep(s, got, own && ofSipd)
			} else if want := expectation(s.Body); got != want {
				fails = append(fails, Failure{s.title, got, want})
			}
		default:
			err = r.step(s)
		}
		if err != nil {
			return fails, fmt.Errorf("%s: section %q: %w", f.Path, s.title, err)
		}
	}
	if got := r.heard.String(); got != "" {
		fails = append(fails, Failure{"after the last expect", got, ""})
	}
	return fails, nil
}

// keep writes what came out into the file.
func (r *runner) keep(s *Step, got string, own bool) {
	if own { // the lines that say why stay
		why := ""
		for line := range strings.Lines(s.Body) {
			if strings.HasPrefix(line, "#") {
				why += line
			}
		}
		got = why + got
	}
	s.Body = got
	r.f.archive.Files[s.section].Data = []byte(got)
}

// expectation is a section without its comments and the empty lines around.
func expectation(body string) string {
	var b strings.Builder
	for line := range strings.Lines(body) {
		if !strings.HasPrefix(line, "#") {
			b.WriteString(strings.TrimRight(line, "\r\n") + "\n")
		}
	}
	s := strings.Trim(b.String(), "\n")
	if s == "" {
		return ""
	}
	return s + "\n"
}

func (r *runner) peer(name string) (*peer, error) {
	if p := r.peers[name]; p != nil {
		return p, nil
	}
	a, err := r.t.Peer(name)
	if err != nil {
		return nil, err
	}
	r.clean.name(name, a)
	p := &peer{name: name, got: make(map[string]message)}
	r.peers[name] = p
	return p, nil
}

func (r *runner) step(s *Step) error {
	if s.Verb == Wait {
		if err := r.t.Wait(s.Wait); err != nil {
			return err
		}
		return r.hear()
	}
	if s.Verb == Routes {
		return r.everyRoute(s)
	}
	p, err := r.peer(s.Peer)
	if err != nil {
		return err
	}
	var msg string
	switch {
	case s.Verb == Answers:
		msg, err = r.answer(p, s.Args, s.Body)
	case s.Verb == Acks:
		msg, err = r.ack(p, s.Body)
	case s.Verb == Cancels:
		msg, err = r.cancel(p, s.Body)
	case len(s.Args) == 0:
		m := readMessage(s.Body)
		msg = m.text()
	default:
		uri := ""
		if len(s.Args) > 1 {
			uri = s.Args[1]
		}
		msg, err = r.request(p, s.Args[0], uri, s.Body)
	}
	if err != nil {
		return err
	}
	return r.send(p, msg)
}

// everyRoute calls each named route of the configuration by an OPTIONS with
// its name as the user.
func (r *runner) everyRoute(s *Step) error {
	p, err := r.peer("alice")
	if err != nil {
		return err
	}
	for _, name := range r.f.routes() {
		msg, err := r.request(p, "OPTIONS", name, s.Body)
		if err != nil {
			return err
		}
		fmt.Fprintf(&r.heard, "[%s]\n", name)
		if err := r.send(p, msg); err != nil {
			return err
		}
	}
	return nil
}

// send fills the places in braces and sends.
func (r *runner) send(p *peer, msg string) error {
	for _, name := range Peers {
		if strings.Contains(msg, "{"+name) {
			if _, err := r.peer(name); err != nil {
				return err
			}
		}
	}
	msg = r.clean.fill(msg)
	msg = strings.ReplaceAll(msg, "{totag}", tagOf(p.reply.get("To")))
	r.clean.sent(msg)
	p.sentBy(msg)
	if err := r.t.Send(p.name, msg); err != nil {
		return err
	}
	return r.hear()
}

func tagOf(v string) string {
	_, tag, _ := strings.Cut(v, ";tag=")
	tag, _, _ = strings.Cut(tag, ";")
	return tag
}

// hear writes down what came out: first what the script logged, then by peer
// what each received, each message once.
func (r *runner) hear() error {
	outs, err := r.t.Take()
	if err != nil {
		return err
	}
	for _, o := range outs {
		if o.Peer == "" {
			for i, line := range strings.Split(strings.TrimRight(r.clean.text(o.Text), "\n"), "\n") {
				if i == 0 {
					line = "log " + o.Level + " " + line
				} else {
					line = "    " + line
				}
				r.heard.WriteString(strings.TrimRight(line, " ") + "\n")
			}
		}
	}
	var names []string
	for _, o := range outs {
		if o.Peer != "" && !slices.Contains(names, o.Peer) {
			names = append(names, o.Peer)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		var seen []string
		for _, o := range outs {
			if o.Peer != name || slices.Contains(seen, o.Text) {
				continue
			}
			seen = append(seen, o.Text)
			if p := r.peers[name]; p != nil {
				p.receivedBy(o.Text)
			}
			r.heard.WriteString(name + " receives\n" + r.clean.message(o.Text))
		}
	}
	return nil
}

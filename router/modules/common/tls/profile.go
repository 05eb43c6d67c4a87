package tls

import (
	"bufio"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// profile is a section of tls.cfg, or the parameters of the module.
type profile struct {
	place   string // "tls.cfg:3" for messages, "" for the parameters
	server  bool
	general bool // default: for all addresses
	addr    netip.AddrPort

	method, cert, key, caList, caPath, crl, ciphers string
	serverName, serverID, verifyClient              string
	nameMode, depth                                 int
	verify, require                                 bool
}

// The ways in which server_name is compared with what a client names.
const (
	nameExact = iota
	nameOrBelow
	nameBelow
)

// title is the section's header.
func (p *profile) title() string {
	kind := "client"
	if p.server {
		kind = "server"
	}
	if p.general {
		return "[" + kind + ":default]"
	}
	return "[" + kind + ":" + p.addr.String() + "]"
}

// readProfiles reads a tls.cfg: sections [server:default], [server:IP:PORT],
// [client:default], [client:IP:PORT], and in them key = value. A section starts
// with the values of base; later ones of the same kind with those of their
// default. All mistakes come together.
func readProfiles(name, text string, base profile) ([]*profile, error) {
	r := cfgReader{name: name, base: base}
	s := bufio.NewScanner(strings.NewReader(text))
	for n := 1; s.Scan(); n++ {
		r.line(n, s.Text())
	}
	if err := s.Err(); err != nil {
		r.errs = append(r.errs, fmt.Errorf("%s: %w", name, err))
	}
	return r.list, errors.Join(r.errs...)
}

type cfgReader struct {
	name string
	base profile
	list []*profile
	cur  *profile
	errs []error
}

func (r *cfgReader) fail(n int, format string, a ...any) {
	r.errs = append(r.errs, fmt.Errorf("%s:%d: %s", r.name, n, fmt.Sprintf(format, a...)))
}

func (r *cfgReader) line(n int, line string) {
	line = strings.TrimSpace(line)
	switch {
	case line == "" || line[0] == '#' || line[0] == ';':
	case line[0] == '[':
		r.section(n, line)
	default:
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			r.fail(n, "want key = value or a section as [server:default], not %q", line)
			return
		}
		if r.cur == nil {
			r.fail(n, "%q stands before the first section; sections are [server:default], [server:IP:PORT], [client:default] and [client:IP:PORT]", line)
			return
		}
		if err := r.cur.set(strings.TrimSpace(key), unquote(value)); err != nil {
			r.fail(n, "%v", err)
		}
	}
}

func (r *cfgReader) section(n int, line string) {
	if i := strings.IndexAny(line, "#;"); i >= 0 {
		line = strings.TrimSpace(line[:i])
	}
	head, ok := strings.CutSuffix(line[1:], "]")
	if !ok {
		r.fail(n, "a section is [server:default] or [server:IP:PORT], not %q", line)
		return
	}
	kind, where, _ := strings.Cut(strings.TrimSpace(head), ":")
	p := &profile{}
	*p = r.base
	p.place, p.server = fmt.Sprintf("%s:%d", r.name, n), kind == "server"
	switch {
	case kind != "server" && kind != "client":
		r.fail(n, "a section is of a server or a client, not of %q", kind)
		r.cur = p // its lines are checked all the same
		return
	case where == "default" || where == "any":
		p.general = true
	default:
		a, err := netip.ParseAddrPort(where)
		if err != nil {
			r.fail(n, "%q is no address and port, as in [%s:192.0.2.1:5061]", where, kind)
			r.cur = p
			return
		}
		p.addr = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	r.inherit(p)
	r.cur = p
	r.list = append(r.list, p)
}

// inherit takes the values of the default section of the same kind, if one
// stands above.
func (r *cfgReader) inherit(p *profile) {
	if p.general {
		return
	}
	for _, d := range r.list {
		if d.general && d.server == p.server {
			place, addr := p.place, p.addr
			*p = *d
			p.place, p.addr, p.general = place, addr, false
			p.serverName, p.serverID, p.nameMode = "", "", nameExact
		}
	}
}

func unquote(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 1 && s[0] == '"' {
		if end := strings.IndexByte(s[1:], '"'); end >= 0 {
			return s[1 : end+1]
		}
	}
	if i := strings.Index(s, " #"); i >= 0 { // a comment behind the value
		s = strings.TrimSpace(s[:i])
	}
	return s
}

// set gives a key of a section its value.
func (p *profile) set(key, value string) error {
	texts := map[string]*string{
		"method": &p.method, "tls_method": &p.method, "certificate": &p.cert, "private_key": &p.key, "ca_list": &p.caList, "ca_path": &p.caPath,
		"crl": &p.crl, "cipher_list": &p.ciphers, "server_name": &p.serverName, "server_id": &p.serverID, "verify_client": &p.verifyClient,
	}
	bools := map[string]*bool{"verify_certificate": &p.verify, "require_certificate": &p.require}
	numbers := map[string]*int{"verify_depth": &p.depth, "server_name_mode": &p.nameMode}
	var err error
	switch {
	case texts[key] != nil:
		*texts[key] = value
		err = p.checkText(key, value)
	case bools[key] != nil:
		*bools[key], err = parseBool(value)
	case numbers[key] != nil:
		var n int
		if n, err = strconv.Atoi(value); err != nil || n < 0 || key == "server_name_mode" && n > nameBelow {
			return fmt.Errorf("%s wants a number (%s), not %q", key, map[bool]string{true: "0, 1 or 2", false: "0 and more"}[key == "server_name_mode"], value)
		}
		*numbers[key] = n
	default:
		return fmt.Errorf("there is no %q; there are %s", key, strings.Join(keys(texts, bools, numbers), ", "))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

func keys(texts map[string]*string, bools map[string]*bool, numbers map[string]*int) []string {
	var list []string
	for k := range texts {
		list = append(list, k)
	}
	for k := range bools {
		list = append(list, k)
	}
	for k := range numbers {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

func (p *profile) checkText(key, value string) (err error) {
	switch key {
	case "method", "tls_method":
		_, _, err = versions(value)
	case "cipher_list":
		_, err = suites(value)
	case "verify_client":
		err = checkVerifyClient(value)
	}
	return err
}

func checkVerifyClient(s string) error {
	switch s {
	case "off", "optional", "optional_no_ca", "on":
		return nil
	}
	return fmt.Errorf("want off, optional, optional_no_ca or on, not %q", s)
}

func parseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "yes", "on", "true", "1", "enable", "enabled":
		return true, nil
	case "no", "off", "false", "0", "disable", "disabled":
		return false, nil
	}
	return false, fmt.Errorf("want yes or no, not %q", s)
}

// read makes the profiles of the parameters and of the file, with their
// certificates loaded.
func (m *mod) read() (*profiles, error) {
	var list []*profile
	if m.config != "" {
		name := m.path(m.config)
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("parameter config: %w", err)
		}
		if list, err = readProfiles(name, string(text), m.def); err != nil {
			return nil, err
		}
	}
	for _, server := range []bool{true, false} {
		if !slices.ContainsFunc(list, func(p *profile) bool { return p.general && p.server == server }) {
			d := m.def
			d.server, d.general = server, true
			if !server && d.caList == "" && !d.verify {
				// A client needs a certificate only where the peer asks for one.
				d.cert, d.key = existing(m.path(d.cert)), existing(m.path(d.key))
			}
			list = append(list, &d)
		}
	}
	return m.build(list)
}

// existing is a file's name when it is there.
func existing(name string) string {
	if _, err := os.Stat(name); err != nil {
		return ""
	}
	return name
}

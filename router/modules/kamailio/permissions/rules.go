package permissions

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"sipd/router/module"
	"sipd/router/regex"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/rpc"
)

// rules are the lines of an allow or deny file.
type rules []rule

// rule is "from_list [EXCEPT from_list] : uri_list [EXCEPT uri_list]".
type rule struct{ left, right side }

// side is one of both: it matches what one of the expressions does (all when
// there is none) and no exception.
type side struct{ any, except []*regex.Regexp }

func (s *side) match(text string) bool {
	return (len(s.any) == 0 || matchOne(s.any, text)) && !matchOne(s.except, text)
}

func matchOne(list []*regex.Regexp, text string) bool {
	for _, re := range list {
		if re.Match(text) {
			return true
		}
	}
	return false
}

func (r rules) match(left, right string) bool {
	for i := range r {
		if r[i].left.match(left) && r[i].right.match(right) {
			return true
		}
	}
	return false
}

// Limits of the files.
const (
	maxLine  = 500
	maxRules = 100_000
)

// parseRules reads a file of rules. Unlike in Kamailio, which passes over what
// it does not understand, a broken line is an error.
func parseRules(r io.Reader) (rules, error) {
	var list rules
	in := bufio.NewScanner(r)
	for n := 1; in.Scan(); n++ {
		x, ok, err := parseRule(in.Text())
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if ok {
			list = append(list, x)
		}
		if len(list) > maxRules {
			return nil, fmt.Errorf("line %d: more than %d rules", n, maxRules)
		}
	}
	return list, in.Err()
}

// parseRule reads a line; ok is false for one without a rule.
func parseRule(line string) (x rule, ok bool, err error) {
	if len(line) > maxLine {
		return x, false, fmt.Errorf("longer than %d characters", maxLine)
	}
	quoted, colon := false, -1
	for i := range len(line) {
		switch c := line[i]; {
		case c == '"':
			quoted = !quoted
		case c == ':' && !quoted:
			colon = i
		case c == '#' && !quoted:
			line = line[:i]
		}
		if i+1 >= len(line) {
			break
		}
	}
	if strings.TrimSpace(line) == "" {
		return x, false, nil
	}
	if colon <= 0 || colon >= len(line) || quoted {
		return x, false, errors.New(`want FROM [EXCEPT FROM] : URI [EXCEPT URI], expressions in quotes with commas between, or ALL`)
	}
	if x.left, err = parseSide(line[:colon]); err != nil {
		return x, false, err
	}
	x.right, err = parseSide(line[colon+1:])
	return x, err == nil, err
}

func parseSide(s string) (x side, err error) {
	list, except, has := strings.Cut(s, " EXCEPT ")
	if has {
		if x.except, err = parseList(except); err != nil {
			return x, err
		}
	}
	if strings.TrimSpace(list) == "ALL" {
		return x, nil
	}
	x.any, err = parseList(list)
	return x, err
}

func parseList(s string) ([]*regex.Regexp, error) {
	var list []*regex.Regexp
	quoted, start := false, 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] == '"' {
			quoted = !quoted
		}
		if i < len(s) && (s[i] != ',' || quoted) {
			continue
		}
		text := strings.Trim(s[start:i], " \t\r\n")
		text = strings.TrimSuffix(strings.TrimPrefix(text, `"`), `"`)
		start = i + 1
		if text == "" {
			return nil, errors.New("an expression is missing")
		}
		re, err := regex.Compile(text, regex.IgnoreCase)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", text, err)
		}
		list = append(list, re)
	}
	return list, nil
}

// file reads a file of rules once. One that is not there has no rules.
func (p *permissions) file(name string) (rules, error) {
	path := p.path(name)
	if r, ok := p.rules[path]; ok {
		return r, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		p.rules[path] = nil
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := parseRules(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	p.rules[path] = r
	return r, nil
}

func (p *permissions) readDefaults() error {
	for _, f := range []struct {
		bit  int
		name string
	}{{loadAllow, p.allowFile}, {loadDeny, p.denyFile}} {
		if p.backends&f.bit == 0 {
			continue
		}
		if _, err := p.file(f.name); err != nil {
			return err
		}
	}
	return nil
}

// pair is an allow and a deny file.
type pair struct{ allow, deny rules }

// pair reads the files that the constant arguments name: none for the default
// ones, a basename, or both names.
func (p *permissions) pair(names ...string) (x pair, err error) {
	allow, deny := p.allowFile, p.denyFile
	switch len(names) {
	case 1:
		allow, deny = names[0]+p.allowSuffix, names[0]+p.denySuffix
	case 2:
		allow, deny = names[0], names[1]
	}
	if len(names) > 0 || p.backends&loadAllow != 0 {
		if x.allow, err = p.file(allow); err != nil {
			return x, err
		}
	}
	if len(names) > 0 || p.backends&loadDeny != 0 {
		x.deny, err = p.file(deny)
	}
	return x, err
}

func texts(a module.Args) []string {
	var list []string
	for i := range a {
		list = append(list, a[i].Const.Text())
	}
	return list
}

func code(ok bool) int {
	if ok {
		return 1
	}
	return -1
}

// plain is a URI without what rules do not see: sip:user@host, with port when
// they are to see it.
func plain(uri string, port bool) (string, bool) {
	u, err := sip.ParseURI(uri)
	if err != nil {
		return "", false
	}
	s := "sip:"
	if u.User != "" {
		s += u.User + "@"
	}
	if s += u.Host; port && u.Port != 0 {
		s += fmt.Sprintf(":%d", u.Port)
	}
	return s, true
}

// newRouting compiles allow_routing.
func (p *permissions) newRouting(a module.Args) (run.Func, error) {
	files, err := p.pair(texts(a)...)
	if err != nil {
		return nil, err
	}
	return func(c *run.Context) int { return code(p.routing(c, &files)) }, nil
}

func (p *permissions) routing(c *run.Context, f *pair) bool {
	if f.allow == nil && f.deny == nil {
		return true
	}
	from, err := c.Msg.From()
	if err != nil {
		return false
	}
	uri, ok := plain(c.RURI(), false)
	if !ok {
		return false
	}
	if !f.allow.match(from.URI, uri) && f.deny.match(from.URI, uri) {
		return false
	}
	for i := 0; p.allBranches && i < len(c.Branches); i++ {
		uri, ok := plain(c.Branches[i].URI, false)
		if !ok || !f.allow.match(from.URI, uri) && f.deny.match(from.URI, uri) {
			return false
		}
	}
	return true
}

// newRegister compiles allow_register.
func (p *permissions) newRegister(port bool) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		files, err := p.pair(texts(a)...)
		if err != nil {
			return nil, err
		}
		return func(c *run.Context) int { return code(register(c, &files, port)) }, nil
	}
}

func register(c *run.Context, f *pair, port bool) bool {
	if f.allow == nil && f.deny == nil {
		return true
	}
	to, err := c.Msg.To()
	if err != nil {
		return false
	}
	if h := c.Msg.First(sip.HdrContact); h != nil && c.Msg.Value(h) == "*" {
		return true
	}
	it := c.Msg.ContactIter()
	for it.Next() {
		uri, ok := plain(it.Contact().URI, port)
		if !ok || !f.allow.match(to.URI, uri) && f.deny.match(to.URI, uri) {
			return false
		}
	}
	return it.Err() == nil
}

// newURI compiles allow_uri.
func (p *permissions) newURI(a module.Args) (run.Func, error) {
	files, err := p.pair(a[0].Const.Text())
	if err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		if files.allow == nil && files.deny == nil {
			return 1
		}
		v := a[1].Var.Get(c)
		from, err := c.Msg.From()
		if err != nil || !v.IsStr() {
			return -1
		}
		return code(files.allow.match(from.URI, v.Text()) || !files.deny.match(from.URI, v.Text()))
	}, nil
}

// test serves permissions.testUri: it reads the files anew.
func (p *permissions) test(_ context.Context, c *rpc.Call) error {
	q := &permissions{host: p.host, allowSuffix: p.allowSuffix, denySuffix: p.denySuffix, rules: make(map[string]rules)}
	if strings.ContainsAny(c.Str(0), "/\\") {
		return &rpc.Fault{Code: 500, Text: "basename must not name a folder"}
	}
	f, err := q.pair(c.Str(0))
	if err != nil {
		return &rpc.Fault{Code: 500, Text: err.Error()}
	}
	uri, ok := plain(c.Str(2), false)
	if !ok {
		uri = c.Str(2)
	}
	if f.allow.match(c.Str(1), uri) || !f.deny.match(c.Str(1), uri) {
		c.Add(rpc.Text("Allowed"))
	} else {
		c.Add(rpc.Text("Denied"))
	}
	return nil
}

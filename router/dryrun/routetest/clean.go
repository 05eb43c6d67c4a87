package routetest

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// cleaner takes out of texts what differs from run to run: addresses, branches
// and tags that the daemon makes, its name.
type cleaner struct {
	names    []named
	tags     map[string]bool // those that tests sent
	branches map[string]string
	made     map[string]string // tags that the daemon made
	nonces   map[string]string
}

type named struct {
	name string
	addr netip.AddrPort
}

func newCleaner(t Target) *cleaner {
	c := &cleaner{
		tags: make(map[string]bool), branches: make(map[string]string), made: make(map[string]string), nonces: make(map[string]string),
	}
	c.name("proxy", t.Proxy())
	return c
}

func (c *cleaner) name(name string, a netip.AddrPort) { c.names = append(c.names, named{name, a}) }

// fill replaces {alice}, {alice.ip} and {alice.port} by what they stand for.
func (c *cleaner) fill(s string) string {
	for _, n := range c.names {
		s = strings.NewReplacer(
			"{"+n.name+"}", n.addr.String(), "{"+n.name+".ip}", n.addr.Addr().String(),
			"{"+n.name+".port}", strconv.Itoa(int(n.addr.Port())),
		).Replace(s)
	}
	return s
}

var tagRE = regexp.MustCompile(`(;\s*tag=)([^;,>\s]+)`)

// sent keeps the tags that a test uses itself.
func (c *cleaner) sent(msg string) {
	for _, m := range tagRE.FindAllStringSubmatch(msg, -1) {
		c.tags[m[2]] = true
	}
}

// text cleans addresses out of a line.
func (c *cleaner) text(s string) string {
	s = strings.ReplaceAll(s, "\r", "")
	for _, n := range c.names {
		s = strings.ReplaceAll(s, n.addr.String(), "{"+n.name+"}")
		s = wordRE(n.addr.Addr().String()).ReplaceAllString(s, "${1}{"+n.name+".ip}")
		s = wordRE(strconv.Itoa(int(n.addr.Port()))).ReplaceAllString(s, "${1}{"+n.name+".port}")
	}
	return s
}

var words = make(map[string]*regexp.Regexp)

// wordRE finds a number or an address that is not part of a longer one.
func wordRE(s string) *regexp.Regexp {
	re := words[s]
	if re == nil {
		re = regexp.MustCompile(`(^|[^0-9.])` + regexp.QuoteMeta(s) + `\b`)
		words[s] = re
	}
	return re
}

var (
	branchRE = regexp.MustCompile(`branch=(z9hG4bK[^;,\s]+|0\b)`)
	nonceRE  = regexp.MustCompile(`nonce="([^"]+)"`)
	agentRE  = regexp.MustCompile(`^((?i:Server|User-Agent): ?)(kamailio|sipd) \([^\r]*`)
)

// numbered replaces a value by a name with a number, the same for each time.
func numbered(m map[string]string, value, kind string) string {
	if m[value] == "" {
		m[value] = fmt.Sprintf("{%s%d}", kind, len(m)+1)
	}
	return m[value]
}

// message prints a message, indented, with all that differs cleaned out. A
// line of the header that does not end with CR LF is marked.
func (c *cleaner) message(msg string) string {
	var b strings.Builder
	head, body, hasBody := strings.Cut(msg, "\r\n\r\n")
	for _, line := range strings.Split(head, "\r\n") {
		line = c.header(c.text(line))
		b.WriteString("    " + strings.ReplaceAll(line, "\n", "{LF}") + "\n")
	}
	if hasBody && body != "" {
		b.WriteString("\n")
		for line := range strings.Lines(body) {
			b.WriteString(strings.TrimRight("    "+c.text(strings.TrimRight(line, "\r\n")), " ") + "\n")
		}
	}
	return b.String()
}

func (c *cleaner) header(line string) string {
	name, _, _ := strings.Cut(line, ":")
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "via", "v":
		if strings.Contains(line, "{proxy}") {
			line = branchRE.ReplaceAllStringFunc(line, func(s string) string {
				return "branch=" + numbered(c.branches, strings.TrimPrefix(s, "branch="), "branch")
			})
		}
	case "from", "to", "f", "t":
		line = tagRE.ReplaceAllStringFunc(line, func(s string) string {
			m := tagRE.FindStringSubmatch(s)
			if c.tags[m[2]] || m[2] == "alice" || isPeer(m[2]) {
				return s
			}
			return m[1] + numbered(c.made, m[2], "tag")
		})
	case "www-authenticate", "proxy-authenticate":
		line = nonceRE.ReplaceAllStringFunc(line, func(s string) string {
			return `nonce="` + numbered(c.nonces, s, "nonce") + `"`
		})
	case "server", "user-agent":
		line = agentRE.ReplaceAllString(line, "${1}{server}")
	}
	return line
}

func isPeer(s string) bool {
	for _, p := range Peers {
		if s == p {
			return true
		}
	}
	return false
}

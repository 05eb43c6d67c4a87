package routetest

import (
	"fmt"
	"strconv"
	"strings"
)

// message is a SIP message as lines, without any claim to be right: tests send
// broken ones as well.
type message struct {
	first string
	lines []string // "Name: value"
	body  string
}

func readMessage(text string) message {
	head, body, _ := strings.Cut(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n")
	lines := strings.Split(head, "\n")
	return message{first: lines[0], lines: lines[1:], body: body}
}

// get is the first header of a name, without blanks around.
func (m *message) get(name string) string {
	for _, l := range m.lines {
		if n, v, ok := strings.Cut(l, ":"); ok && strings.EqualFold(strings.TrimSpace(n), name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// all are the headers of a name, as lines.
func (m *message) all(name string) []string {
	var out []string
	for _, l := range m.lines {
		if n, _, ok := strings.Cut(l, ":"); ok && strings.EqualFold(strings.TrimSpace(n), name) {
			out = append(out, l)
		}
	}
	return out
}

// override puts the headers of text in the place of those of their names,
// adds those that are new, and takes a body. A header without a value goes.
func (m *message) override(text string) {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return
	}
	head, body, hasBody := strings.Cut(text, "\n\n")
	done := make(map[string]bool)
	for line := range strings.SplitSeq(head, "\n") {
		name, value, ok := strings.Cut(line, ":")
		if !ok || strings.TrimLeft(line, " \t") != line { // folded
			m.lines = append(m.lines, line)
			continue
		}
		key := strings.ToLower(strings.TrimSpace(name))
		at := -1
		if !done[key] {
			kept := m.lines[:0:0]
			for i, l := range m.lines {
				if n, _, _ := strings.Cut(l, ":"); strings.EqualFold(strings.TrimSpace(n), key) {
					if at < 0 {
						at = min(i, len(kept))
					}
					continue
				}
				kept = append(kept, l)
			}
			m.lines = kept
		}
		done[key] = true
		switch {
		case strings.TrimSpace(value) == "":
		case at >= 0:
			m.lines = append(m.lines[:at], append([]string{line}, m.lines[at:]...)...)
		default:
			m.lines = append(m.lines, line)
		}
	}
	if hasBody {
		m.body = body + "\n"
	}
}

// text is the message on the wire; Content-Length is added unless it is there.
func (m *message) text() string {
	body := strings.ReplaceAll(m.body, "\n", "\r\n")
	var b strings.Builder
	b.WriteString(m.first + "\r\n")
	for _, l := range m.lines {
		b.WriteString(l + "\r\n")
	}
	if m.get("Content-Length") == "" && m.get("l") == "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	return b.String() + "\r\n" + body
}

// cseq takes a CSeq value apart.
func cseq(v string) (n int, method string) {
	num, method, _ := strings.Cut(v, " ")
	n, _ = strconv.Atoi(num)
	return n, strings.TrimSpace(method)
}

package routetest

import (
	"errors"
	"fmt"
	"strings"
)

// peer is a phone of a test: what it sent and received last.
type peer struct {
	name string
	// sent is the last request that it sent but ACK and CANCEL, got the last of
	// each method that it received, reply the last reply.
	sent  message
	got   map[string]message
	last  string // method of the last request received
	reply message
}

// request makes a request with what a phone would put there.
func (r *runner) request(p *peer, method, uri, body string) (string, error) {
	user := uri
	switch {
	case uri == "":
		uri, user = "sip:{proxy}", "alice"
	case !strings.Contains(uri, ":") && !strings.ContainsAny(uri, "{}"):
		uri = "sip:" + uri + "@{proxy}"
	default:
		_, user, _ = strings.Cut(uri, ":")
		user, _, _ = strings.Cut(user, "@")
	}
	r.number++
	m := message{first: method + " " + uri + " SIP/2.0", lines: []string{
		fmt.Sprintf("Via: SIP/2.0/UDP {%s};branch=z9hG4bK-%s-%d", p.name, p.name, r.number),
		fmt.Sprintf("From: <sip:%s@example.com>;tag=%s-%d", p.name, p.name, r.number),
		fmt.Sprintf("To: <sip:%s@example.com>", user),
		fmt.Sprintf("Call-ID: call-%d", r.number),
		fmt.Sprintf("CSeq: %d %s", r.number, method),
		"Max-Forwards: 70",
	}}
	switch method {
	case "INVITE", "SUBSCRIBE", "REGISTER", "UPDATE", "NOTIFY":
		m.lines = append(m.lines, fmt.Sprintf("Contact: <sip:%s@{%s}>", p.name, p.name))
	}
	m.override(body)
	return m.text(), nil
}

// answer makes a reply to the last request of a method that came in.
func (r *runner) answer(p *peer, args []string, body string) (string, error) {
	code, rest := args[0], args[1:]
	method := p.last
	if n := len(rest); n >= 2 && rest[n-2] == "to" {
		method, rest = rest[n-1], rest[:n-2]
	}
	req, ok := p.got[method]
	if !ok {
		return "", fmt.Errorf("%s has received no %s to answer", p.name, method)
	}
	reason := strings.Join(rest, " ")
	if reason == "" {
		reason = reasons[code]
	}
	m := message{first: "SIP/2.0 " + code + " " + reason}
	for _, name := range []string{"Via", "Record-Route", "From", "To", "Call-ID", "CSeq"} {
		lines := req.all(name)
		if name == "To" && code != "100" && len(lines) > 0 && !strings.Contains(lines[0], "tag=") {
			lines = []string{lines[0] + ";tag=" + p.name}
		}
		m.lines = append(m.lines, lines...)
	}
	if code[0] == '1' && code != "100" || code[0] == '2' && method == "INVITE" {
		m.lines = append(m.lines, fmt.Sprintf("Contact: <sip:%s@{%s}>", p.name, p.name))
	}
	m.override(body)
	return m.text(), nil
}

var reasons = map[string]string{
	"100": "Trying", "180": "Ringing", "181": "Call Is Being Forwarded", "183": "Session Progress", "200": "OK", "202": "Accepted",
	"300": "Multiple Choices", "301": "Moved Permanently", "302": "Moved Temporarily", "400": "Bad Request", "401": "Unauthorized",
	"403": "Forbidden", "404": "Not Found", "407": "Proxy Authentication Required", "408": "Request Timeout", "480": "Temporarily Unavailable",
	"481": "Call/Transaction Does Not Exist", "484": "Address Incomplete", "486": "Busy Here", "487": "Request Terminated", "488": "Not Acceptable Here",
	"500": "Server Internal Error", "503": "Service Unavailable", "600": "Busy Everywhere", "603": "Decline", "604": "Does Not Exist Anywhere",
}

// ack acknowledges the last final reply to an INVITE: hop by hop after a
// failure, end to end with the dialog's route after a 2xx.
func (r *runner) ack(p *peer, body string) (string, error) {
	inv, rep := p.sent, p.reply
	n, method := cseq(rep.get("CSeq"))
	if method != "INVITE" || !strings.HasPrefix(inv.first, "INVITE ") {
		return "", fmt.Errorf("%s has no reply to an INVITE to acknowledge", p.name)
	}
	uri := strings.Fields(inv.first)[1]
	m := message{lines: inv.all("Via")}
	if strings.HasPrefix(rep.first, "SIP/2.0 2") {
		if c := rep.get("Contact"); c != "" {
			uri = strings.TrimSuffix(strings.TrimPrefix(c, "<"), ">")
			uri, _, _ = strings.Cut(uri, ">")
		}
		r.number++
		m.lines = []string{fmt.Sprintf("Via: SIP/2.0/UDP {%s};branch=z9hG4bK-%s-%d", p.name, p.name, r.number)}
		rr := rep.all("Record-Route")
		for i := len(rr) - 1; i >= 0; i-- {
			m.lines = append(m.lines, "Route:"+strings.SplitN(rr[i], ":", 2)[1])
		}
	} else {
		m.lines = append(m.lines, inv.all("Route")...)
	}
	m.first = "ACK " + uri + " SIP/2.0"
	m.lines = append(m.lines, inv.all("From")...)
	m.lines = append(m.lines, rep.all("To")...)
	m.lines = append(m.lines, inv.all("Call-ID")...)
	m.lines = append(m.lines, fmt.Sprintf("CSeq: %d ACK", n), "Max-Forwards: 70")
	m.override(body)
	return m.text(), nil
}

// cancel makes the CANCEL of the last INVITE.
func (r *runner) cancel(p *peer, body string) (string, error) {
	inv := p.sent
	if !strings.HasPrefix(inv.first, "INVITE ") {
		return "", errors.New(p.name + " has sent no INVITE to cancel")
	}
	n, _ := cseq(inv.get("CSeq"))
	m := message{first: "CANCEL " + strings.Fields(inv.first)[1] + " SIP/2.0"}
	for _, name := range []string{"Via", "From", "To", "Call-ID"} {
		m.lines = append(m.lines, inv.all(name)...)
	}
	m.lines = append(m.lines, fmt.Sprintf("CSeq: %d CANCEL", n), "Max-Forwards: 70")
	m.override(body)
	return m.text(), nil
}

// sentBy and receivedBy keep what later steps stand on.
func (p *peer) sentBy(text string) {
	m := readMessage(text)
	if !strings.HasPrefix(m.first, "ACK ") && !strings.HasPrefix(m.first, "CANCEL ") && !strings.HasPrefix(m.first, "SIP/2.0") {
		p.sent = m
	}
}

func (p *peer) receivedBy(text string) {
	m := readMessage(text)
	if strings.HasPrefix(m.first, "SIP/2.0") {
		p.reply = m
		return
	}
	method, _, _ := strings.Cut(m.first, " ")
	p.got[method] = m
	if method != "ACK" {
		p.last = method
	}
}

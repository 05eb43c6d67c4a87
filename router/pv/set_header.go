package pv

import (
	"strings"

	"sipd/router/run"
	"sipd/router/sip"
)

// partOf names what an assignment to $fu and its like changes.
type partOf uint8

const (
	wholeURI partOf = iota
	uriUserPart
	uriHostPart
	displayPart
)

// setAddress makes the Setter of a part of From or To: the change is an edit of
// the message, so the old value is read until msg_apply_changes(), as in
// Kamailio. A URI and its host cannot be taken away; a part that was changed
// already is refused.
func setAddress(addr func(*sip.Message) (*sip.NameAddr, error), part partOf) Setter {
	return func(c *run.Context, v run.Value) bool {
		n, err := addr(c.Msg)
		if err != nil || v.IsInt() || strings.ContainsAny(v.Text(), "\r\n") {
			return false
		}
		e, text := &c.Msg.Edits, v.Text()
		if part == displayPart {
			return setDisplay(e, c.Msg.Raw(), n, v)
		}
		if part == wholeURI {
			return text != "" && e.Replace(n.URIStart, n.URIEnd, text) == nil
		}
		u, err := n.ParseURI()
		if err != nil {
			return false
		}
		user, host := uriPlaces(n, u)
		switch {
		case part == uriHostPart:
			return text != "" && e.Replace(host, host+len(u.Host), text) == nil
		case text != "" && u.User == "":
			e.Insert(host, text+"@")
			return true
		case text != "":
			return e.Replace(user, user+len(u.User), text) == nil
		case u.User == "":
			return true
		}
		return e.Delete(user, host) == nil // with its password and the @
	}
}

// uriPlaces is where user and host of an address stand in the message.
func uriPlaces(n *sip.NameAddr, u *sip.URI) (user, host int) {
	user = n.URIStart + strings.IndexByte(n.URI, ':') + 1
	host = user
	if u.User != "" || u.Password != "" {
		host += len(u.User) + 1
		if rest := n.URI[host-1-n.URIStart:]; strings.HasPrefix(rest, ":") {
			host += len(u.Password) + 1
		}
	}
	return user, host
}

func setDisplay(e *sip.Edits, raw string, n *sip.NameAddr, v run.Value) bool {
	text := v.Text()
	switch {
	case n.Display == "" && text == "":
		return true
	case n.Display != "" && text != "":
		return e.Replace(n.Start, n.Start+len(n.Display), text) == nil
	case n.Display != "":
		return e.Delete(n.Start, n.URIStart-1) == nil // up to the <
	case raw[n.Start] == '<':
		e.Insert(n.Start, text+" ")
		return true
	}
	e.Insert(n.URIStart, text+" <") // a name needs brackets
	e.Insert(n.URIEnd, ">")
	return true
}

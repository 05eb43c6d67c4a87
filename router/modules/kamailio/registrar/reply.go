package registrar

import (
	"strconv"

	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/usrloc"
)

// code is why a REGISTER was refused: a status, and the words that Kamailio
// puts into P-Registrar-Error.
type code struct {
	status int
	text   string
}

var (
	codeOK           = code{200, ""}
	codeServer       = code{500, "Server Internal Error"}
	codeCSeq         = code{400, "Invalid CSeq number"}
	codeAORLength    = code{500, "Address Of Record too long"}
	codeAORParse     = code{400, "Error while parsing AOR"}
	codeQ            = code{400, "Invalid q param in contact"}
	codeParse        = code{400, "Message parse error"}
	codeContact      = code{400, "Contact parse error"}
	codeStarExpires  = code{400, "* used in contact and expires is not zero"}
	codeStarOthers   = code{400, "* used in contact and more than 1 contact"}
	codeTooMany      = code{503, "Too many registered contacts"}
	codeContactLen   = code{400, "Contact/received too long"}
	codeCallIDLen    = code{400, "Callid too long"}
	codePath         = code{400, "Path parse error"}
	codePathSupport  = code{420, "No support for found Path indicated"}
	codeOutbound     = code{420, "No support for Outbound on server"}
	codeOutboundMiss = code{421, "No support for Outbound on client"}
	codeRegID        = code{400, "Invalid Reg-Id number"}
	codeLowExpires   = code{423, "Interval too brief"}
)

var reasons = map[int]string{
	200: "OK", 400: "Bad Request", 420: "Bad Extension", 421: "Extension Required", 423: "Interval Too Brief",
	500: "Server Internal Error", 503: "Service Unavailable",
}

// appendContacts prints the contacts that are valid at now as one header.
func (r *registrar) appendContacts(b []byte, list []*usrloc.Contact, now int64, gruuHost string) []byte {
	first := true
	for _, c := range list {
		if !c.Valid(now) {
			continue
		}
		if first {
			b = append(b, "Contact: <"...)
		} else {
			b = append(b, ", <"...)
		}
		first = false
		b = append(append(b, c.URI()...), '>')
		if c.Q() != usrloc.QUnset {
			b = sip.AppendQ(append(b, ";q="...), c.Q())
		}
		b = append(b, ";expires="...)
		if c.Expires() == 0 {
			b = append(b, '0')
		} else {
			b = strconv.AppendInt(b, c.Left(now), 10)
		}
		if c.Received() != "" && r.receivedParam != "" {
			b = quoted(append(append(b, ';'), r.receivedParam...), c.Received())
		}
		if in := c.Instance(); in != "" && r.gruu {
			if gruuHost != "" {
				b = appendGRUU(b, c, gruuHost)
			}
			b = quoted(append(b, ";+sip.instance"...), in)
			if c.RegID() > 0 {
				b = strconv.AppendInt(append(b, ";reg-id="...), int64(c.RegID()), 10)
			}
		}
	}
	if !first {
		b = append(b, "\r\n"...)
	}
	return b
}

// appendGRUU prints the public and the temporary GRUU (RFC 5627 §4).
func appendGRUU(b []byte, c *usrloc.Contact, host string) []byte {
	in := c.Instance()
	if len(in) > 2 && in[0] == '<' && in[len(in)-1] == '>' {
		in = in[1 : len(in)-1]
	}
	user := c.AOR()
	for i := range len(user) {
		if user[i] == '@' {
			user = user[:i]
			break
		}
	}
	b = append(append(append(append(b, `;pub-gruu="sip:`...), user...), '@'), host...)
	b = append(append(append(b, ";gr="...), in...), '"')
	b = append(append(append(b, `;temp-gruu="sip:`...), c.RUID()...), '-')
	b = strconv.AppendUint(b, uint64(usrloc.Hash(c.AOR())), 16)
	return append(append(append(b, '@'), host...), `;gr"`...)
}

// quoted appends ="text". What would end the quotes is escaped.
func quoted(b []byte, s string) []byte {
	b = append(b, '=', '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}

// headers makes the header lines of the reply: contacts, extensions, error.
func (r *registrar) headers(c *run.Context, w *work) {
	b := w.buf[:0]
	host := ""
	if r.gruu && c.Msg.HasToken(sip.HdrSupported, "gruu") {
		host = w.host
	}
	b = r.appendContacts(b, w.list, w.now, host)
	if w.code == codeOK && w.path != "" && r.pathMode != 0 {
		switch {
		case c.Msg.HasToken(sip.HdrSupported, "path"):
			b = append(append(append(b, "Path: "...), w.path...), "\r\n"...)
		case r.pathMode == 2:
			w.code = codePathSupport
			b = append(append(append(b, "Unsupported: path\r\nPath: "...), w.path...), "\r\n"...)
		}
	}
	if w.code == codeOutbound {
		b = append(b, "Unsupported: outbound\r\n"...)
	}
	if w.code == codeOutboundMiss {
		b = append(b, "Require: outbound\r\n"...)
	}
	if w.code == codeOK && r.outbound > 0 {
		b = append(b, "Supported: outbound\r\n"...)
		if c.Msg.HasToken(sip.HdrSupported, "outbound") && w.outbound {
			b = append(b, "Require: outbound\r\n"...)
			if r.flowTimer > 0 {
				b = append(strconv.AppendInt(append(b, "Flow-Timer: "...), int64(r.flowTimer), 10), "\r\n"...)
			}
		}
	}
	if w.code == codeLowExpires {
		b = append(strconv.AppendInt(append(b, "Min-Expires: "...), int64(r.minExpires.Get(c.Cfg)), 10), "\r\n"...)
	}
	if w.code != codeOK {
		b = append(append(append(b, "P-Registrar-Error: "...), w.code.text...), "\r\n"...)
	}
	if n := r.retryAfter.Get(c.Cfg); n > 0 && w.code.status >= 500 {
		b = append(strconv.AppendInt(append(b, "Retry-After: "...), int64(n), 10), "\r\n"...)
	}
	w.buf = b
	if len(b) > 0 {
		c.ReplyExtra += string(b)
	}
}

// send answers the request, through its transaction where there is one.
func (r *registrar) send(c *run.Context, status int) error {
	h := r.host.Hooks
	if h.Stateful != nil {
		if done, err := h.Stateful(c, status, reasons[status]); done {
			return err
		}
	}
	if h.Stateless == nil {
		return errNoReply
	}
	return h.Stateless(c, status, reasons[status])
}

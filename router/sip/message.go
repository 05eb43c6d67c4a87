package sip

import "strconv"

// Limits bound what Parse takes. A zero field means the default.
type Limits struct {
	// MaxSize is the size of a message in octets; default 65535, a UDP
	// datagram's bound.
	MaxSize int
	// MaxHeaders is the number of header fields; default 256.
	MaxHeaders int
}

// The default limits.
const (
	DefaultMaxSize    = 65535
	DefaultMaxHeaders = 256
)

// Span is a piece of a text: octets Start to End, End excluded.
type Span struct{ Start, End int }

// Message is a SIP request or reply as received, with an index. The zero value
// is ready for Parse, and meant to be used again and again. It is not safe for
// use by several goroutines at once, because views are parsed when asked for.
type Message struct {
	// Edits are the changes of this run; they show when the message is printed.
	Edits Edits
	// Limits for the next Parse.
	Limits Limits

	raw     string
	headers []Header
	first   [headerKinds]uint16 // index in headers + 1; 0 for none
	last    [headerKinds]uint16

	request    bool
	method     Method
	status     int
	methodName string
	uri        Span
	version    string
	reason     string
	line       Span // first line with its end
	body       int  // where the body starts; len(raw) when the header does not end
	length     int  // Content-Length; lengthAbsent, lengthBad

	have  views
	via1  Via
	via2  Via
	from  NameAddr
	to    NameAddr
	cseq  CSeq
	fault [viewCount]error
}

// views says which typed views were parsed.
type views uint8

const (
	viewVia views = iota
	viewVia2
	viewFrom
	viewTo
	viewCSeq
	viewCount
)

func (v views) has(x views) bool { return v&(1<<x) != 0 }

const (
	lengthAbsent = -1
	lengthBad    = -2
)

// Parse makes a new Message of raw.
func Parse(raw string) (*Message, error) {
	m := new(Message)
	return m, m.Parse(raw)
}

// Reset forgets the message and keeps the memory.
func (m *Message) Reset() {
	m.Edits.Reset()
	m.raw = ""
	m.headers = m.headers[:0]
	clear(m.first[:])
	clear(m.last[:])
	m.request, m.method, m.status = false, NoMethod, 0
	m.methodName, m.version, m.reason = "", "", ""
	m.uri, m.line = Span{}, Span{}
	m.body, m.length = 0, lengthAbsent
	if m.have != 0 {
		m.have = 0
		clear(m.fault[:])
	}
}

// Clone is an independent message on the same raw string: its own index, views
// and edits.
func (m *Message) Clone() *Message {
	c := *m
	c.headers = append([]Header(nil), m.headers...)
	c.Edits = m.Edits.Clone()
	return &c
}

// Raw is the message as received.
func (m *Message) Raw() string { return m.raw }

// IsRequest tells a request from a reply.
func (m *Message) IsRequest() bool { return m.request }

// Method is the request's method, or for a reply that of CSeq; NoMethod when
// that cannot be told.
func (m *Message) Method() Method {
	if m.request {
		return m.method
	}
	q, err := m.CSeq()
	if err != nil {
		return NoMethod
	}
	return q.Method
}

// MethodName is the method as received, of a reply that of CSeq; "" when that
// cannot be told.
func (m *Message) MethodName() string {
	if m.request {
		return m.methodName
	}
	q, err := m.CSeq()
	if err != nil {
		return ""
	}
	return q.MethodName
}

// RequestURI is the request URI as received; "" for a reply.
func (m *Message) RequestURI() string { return m.raw[m.uri.Start:m.uri.End] }

// RequestURISpan is where the request URI stands in Raw.
func (m *Message) RequestURISpan() Span { return m.uri }

// StatusCode is a reply's code, 100 to 699; 0 for a request.
func (m *Message) StatusCode() int { return m.status }

// SetStatusCode gives a reply another code, 100 to 699, in its octets too. Who
// holds Raw from before keeps the old one.
func (m *Message) SetStatusCode(code int) {
	at := m.line.Start + len(m.version) + len(" ")
	m.raw = m.raw[:at] + strconv.Itoa(code) + m.raw[at+len("200"):]
	m.status = code
}

// Reason is a reply's reason phrase as received.
func (m *Message) Reason() string { return m.reason }

// Version is the first line's version as received: "SIP/2.0".
func (m *Message) Version() string { return m.version }

// FirstLine is where the first line stands, its line end included.
func (m *Message) FirstLine() Span { return m.line }

// BodyOffset is where the body starts in Raw, behind the empty line.
func (m *Message) BodyOffset() int { return m.body }

// Body is the body: what follows the empty line, up to Content-Length when that
// is less than what is there (RFC 3261 §18.3).
func (m *Message) Body() string { return m.raw[m.body:m.bodyEnd()] }

func (m *Message) bodyEnd() int {
	if m.length >= 0 && m.length < len(m.raw)-m.body {
		return m.body + m.length
	}
	return len(m.raw)
}

// HasBody says whether there is a body.
func (m *Message) HasBody() bool { return m.bodyEnd() > m.body }

// ContentLength is the value of the first Content-Length; present is false when
// there is none or it is not a number.
func (m *Message) ContentLength() (n int, present bool) {
	if m.length < 0 {
		return 0, false
	}
	return m.length, true
}

// CallID is the value of Call-ID, "" when absent.
func (m *Message) CallID() string { return m.valueOf(HdrCallID) }

// FromTag is the tag of From, "" for none.
func (m *Message) FromTag() string {
	n, err := m.From()
	if err != nil {
		return ""
	}
	return n.Tag
}

// ToTag is the tag of To, "" for none.
func (m *Message) ToTag() string {
	n, err := m.To()
	if err != nil {
		return ""
	}
	return n.Tag
}

func (m *Message) valueOf(k HeaderKind) string {
	h := m.First(k)
	if h == nil {
		return ""
	}
	return m.Value(h)
}

package usrloc

import (
	"math"
	"strings"
	"sync/atomic"
	"time"
)

// QUnset is the preference of a contact that has none.
const QUnset = -1

// AllMethods is the method mask of a contact that named none: every method.
const AllMethods = math.MaxUint32

// MaxText is how many octets all texts of one contact may have together.
const MaxText = math.MaxUint16

// State says what the database knows of a contact.
type State uint8

// The states, as ul.dump shows them.
const (
	Unsaved State = iota // not there
	Sync                 // there as it is here
	Dirty                // there, in an older form
)

// String is the state as ul.dump spells it.
func (s State) String() string {
	switch s {
	case Unsaved:
		return "CS_NEW"
	case Sync:
		return "CS_SYNC"
	case Dirty:
		return "CS_DIRTY"
	}
	return "CS_UNKNOWN"
}

// Info is a contact to be stored.
type Info struct {
	URI       string
	CallID    string
	UserAgent string
	Received  string // where the REGISTER came from, a URI; "" when not behind NAT
	Path      string // comma-separated, as it becomes Route
	Instance  string // +sip.instance with its angle brackets
	RUID      string // unique in all servers; "" makes one
	Socket    string // "udp:127.0.0.1:5060"; "" when not known
	Attrs     string // attributes as their module wrote them
	Expires   int64  // seconds since 1970; 0 for ever
	Modified  int64  // seconds since 1970
	CSeq      uint32
	Flags     uint32
	CFlags    uint32 // branch flags
	Methods   uint32 // mask; AllMethods
	Q         int    // thousandths; QUnset
	RegID     int
	ServerID  int
	Conn      int64 // stream connection; -1 for none
}

// The texts of a contact, in the order in which they are packed.
const (
	fAOR = iota
	fURI
	fCallID
	fUserAgent
	fReceived
	fPath
	fInstance
	fRUID
	fAttrs
	fields
)

// Contact is a stored contact. Its texts share one allocation. It does not
// change any more but for what was heard of its phone: an update makes another
// one, so whoever holds it may read it for as long as it likes.
type Contact struct {
	text     string
	next     *Contact // guarded by the shard
	conn     int64
	expires  uint32
	modified uint32
	seen     atomic.Uint32 // last keep-alive
	trip     atomic.Uint32 // of that, microseconds
	cseq     uint32
	flags    uint32
	cflags   uint32
	methods  uint32
	regID    int32
	serverID int32
	q        int16
	socket   uint16
	ends     [fields]uint16
	state    State // guarded by the shard
}

func (c *Contact) field(f int) string {
	if f == 0 {
		return c.text[:c.ends[0]]
	}
	return c.text[c.ends[f-1]:c.ends[f]]
}

// AOR is the address of record, as the table keys it.
func (c *Contact) AOR() string { return c.field(fAOR) }

// URI is the contact's address.
func (c *Contact) URI() string { return c.field(fURI) }

// CallID is that of the REGISTER which wrote the contact last.
func (c *Contact) CallID() string { return c.field(fCallID) }

// UserAgent is its User-Agent.
func (c *Contact) UserAgent() string { return c.field(fUserAgent) }

// Received is the address behind which the contact really is, "" for none.
func (c *Contact) Received() string { return c.field(fReceived) }

// Path is the Path set, "" for none.
func (c *Contact) Path() string { return c.field(fPath) }

// Instance is +sip.instance with its angle brackets, "" for none.
func (c *Contact) Instance() string { return c.field(fInstance) }

// RUID is the record's unique id.
func (c *Contact) RUID() string { return c.field(fRUID) }

// Attrs are the attributes as Info had them.
func (c *Contact) Attrs() string { return c.field(fAttrs) }

// Expires is when the contact ends, seconds since 1970; 0 for never.
func (c *Contact) Expires() int64 { return int64(c.expires) }

// Modified is when it was written, seconds since 1970.
func (c *Contact) Modified() int64 { return int64(c.modified) }

// LastKeepalive is when its phone was last heard of, seconds since 1970.
func (c *Contact) LastKeepalive() int64 { return int64(c.seen.Load()) }

// Trip is how long the last answer to a ping took, 0 when there was none.
func (c *Contact) Trip() time.Duration { return time.Duration(c.trip.Load()) * time.Microsecond }

// CSeq is that of the REGISTER which wrote it last.
func (c *Contact) CSeq() uint32 { return c.cseq }

// Flags are the table's own, CFlags the branch flags.
func (c *Contact) Flags() uint32 { return c.flags }

// CFlags are the branch flags that lookup restores.
func (c *Contact) CFlags() uint32 { return c.cflags }

// Methods is the mask of methods that the contact takes.
func (c *Contact) Methods() uint32 { return c.methods }

// Q is the preference in thousandths, QUnset for none.
func (c *Contact) Q() int { return int(c.q) }

// RegID is reg-id (RFC 5626), 0 for none.
func (c *Contact) RegID() int { return int(c.regID) }

// ServerID is the server that wrote it.
func (c *Contact) ServerID() int { return int(c.serverID) }

// Conn is the stream connection that it came over, -1 for none.
func (c *Contact) Conn() int64 { return c.conn }

// Valid says whether the contact has not ended at now.
func (c *Contact) Valid(now int64) bool { return c.expires == 0 || int64(c.expires) > now }

// Left is for how many seconds the contact is valid yet.
func (c *Contact) Left(now int64) int64 { return int64(c.expires) - now }

// make32 fits seconds into what is stored.
func make32(n int64) uint32 { return uint32(min(max(n, 0), math.MaxUint32)) }

// size is how many octets the texts have.
func (i *Info) size(aor string) int {
	return len(aor) + len(i.URI) + len(i.CallID) + len(i.UserAgent) + len(i.Received) + len(i.Path) + len(i.Instance) + len(i.RUID) + len(i.Attrs)
}

// pack makes the contact. The caller checked the size.
func pack(aor string, i *Info, socket uint16) *Contact {
	var b strings.Builder
	b.Grow(i.size(aor))
	c := &Contact{
		conn: i.Conn, expires: make32(i.Expires), modified: make32(i.Modified),
		cseq: i.CSeq, flags: i.Flags, cflags: i.CFlags, methods: i.Methods,
		regID: int32(i.RegID), serverID: int32(i.ServerID), q: int16(i.Q), socket: socket,
	}
	c.seen.Store(c.modified)
	for f, s := range [fields]string{aor, i.URI, i.CallID, i.UserAgent, i.Received, i.Path, i.Instance, i.RUID, i.Attrs} {
		b.WriteString(s)
		c.ends[f] = uint16(b.Len())
	}
	c.text = b.String()
	return c
}

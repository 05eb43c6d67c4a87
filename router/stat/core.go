package stat

import (
	"errors"
	"strconv"
	"strings"
)

// requests are the methods counted by name, in the order of Core.requests.
var requests = [...]string{
	"INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "INFO", "PRACK",
	"SUBSCRIBE", "NOTIFY", "UPDATE", "REFER", "PUBLISH", "MESSAGE",
}

// replies are the methods whose replies are counted by class, in the order of
// Core.replies, with the names' endings.
var replies = [...]struct{ method, suffix string }{
	{"INVITE", "invite"},
	{"REGISTER", "reg"},
	{"BYE", "bye"},
	{"CANCEL", "cancel"},
	{"PRACK", "prack"},
	{"UPDATE", "update"},
	{"REFER", "refer"},
	{"MESSAGE", "message"},
}

// codes are the replies that are counted one by one.
var codes = [...]int{401, 404, 407, 480, 486}

// Core is the group "core": messages received and what became of them. Sums
// are made when someone asks, so a message costs one addition, or two.
type Core struct {
	// FwdRequests and FwdReplies were passed on without state.
	FwdRequests, FwdReplies Counter
	// DropRequests and DropReplies were dropped by the script.
	DropRequests, DropReplies Counter
	// ErrRequests and ErrReplies could not be parsed or handled.
	ErrRequests, ErrReplies Counter
	// BadURIs had a request URI that is none; BadHeaders a header field.
	BadURIs, BadHeaders Counter

	requests [len(requests) + 1]Counter // last: other methods
	replies  [7][len(replies) + 1]Counter
	codes    [len(codes)]Counter
	ringing  Counter // 180 to 189
}

// Request counts a request received.
func (c *Core) Request(method string) {
	for i, m := range requests {
		if m == method {
			c.requests[i].Inc()
			return
		}
	}
	c.requests[len(requests)].Inc()
}

// Reply counts a reply received: its status code, and the method of its CSeq.
// A code outside of 100 to 699 counts nowhere.
func (c *Core) Reply(code int, method string) {
	if code < 100 || code > 699 {
		return
	}
	class := &c.replies[code/100]
	m := len(replies)
	for i := range replies {
		if replies[i].method == method {
			m = i
			break
		}
	}
	class[m].Inc()
	if code/10 == 18 {
		c.ringing.Inc()
		return
	}
	for i, special := range codes {
		if special == code {
			c.codes[i].Inc()
		}
	}
}

// sum is a statistic that adds up others. A reset starts all of them again.
type sum []*Counter

func (s sum) Value() int64 {
	var n int64
	for _, c := range s {
		n += c.Value()
	}
	return n
}

func (s sum) Reset() {
	for _, c := range s {
		c.Reset()
	}
}

func all(counters []Counter) sum {
	s := make(sum, 0, len(counters))
	for i := range counters {
		s = append(s, &counters[i])
	}
	return s
}

// Declare adds the group "core" to r.
func (c *Core) Declare(r *Registry) error {
	defs := []Def{
		{Name: "fwd_requests", Help: "requests passed on without state", Source: &c.FwdRequests},
		{Name: "fwd_replies", Help: "replies passed on without state", Source: &c.FwdReplies},
		{Name: "drop_requests", Help: "requests dropped by the script", Source: &c.DropRequests},
		{Name: "drop_replies", Help: "replies dropped by the script", Source: &c.DropReplies},
		{Name: "err_requests", Help: "requests that could not be handled", Source: &c.ErrRequests},
		{Name: "err_replies", Help: "replies that could not be handled", Source: &c.ErrReplies},
		{Name: "bad_URIs_rcvd", Help: "requests with a broken request URI", Source: &c.BadURIs},
		{Name: "bad_msg_hdr", Help: "messages with a broken header field", Source: &c.BadHeaders},
		{Name: "unsupported_methods", Help: "requests with a method unknown here", Source: &c.requests[len(requests)]},
		{Name: "rcv_requests", Help: "requests received", Source: all(c.requests[:])},
		{Name: "rcv_replies_18x", Help: "replies 180 to 189 received", Source: &c.ringing},
	}
	for i, m := range requests {
		defs = append(defs, Def{
			Name: "rcv_requests_" + strings.ToLower(m), Help: m + " requests received", Source: &c.requests[i],
		})
	}
	var received sum
	for class := 1; class <= 6; class++ {
		counters := c.replies[class][:]
		name := strconv.Itoa(class) + "xx"
		received = append(received, all(counters)...)
		defs = append(defs, Def{
			Name: "rcv_replies_" + name, Help: name + " replies received", Source: all(counters),
		})
		for i, m := range replies {
			defs = append(defs, Def{
				Name: "rcv_replies_" + name + "_" + m.suffix,
				Help: name + " replies to " + m.method + " received", Source: &counters[i],
			})
		}
	}
	for i, code := range codes {
		name := strconv.Itoa(code)
		defs = append(defs, Def{
			Name: "rcv_replies_" + name, Help: "replies " + name + " received", Source: &c.codes[i],
		})
	}
	defs = append(defs, Def{Name: "rcv_replies", Help: "replies received", Source: received})
	return r.Declare("core", defs...)
}

// Memory is what the process holds, octets; the group "shmem" shows it.
type Memory struct {
	Total     int64 // from the system, in use or not
	Free      int64 // of Total, free for new values
	Used      int64 // live values
	RealUsed  int64 // live values and what holds them
	MaxUsed   int64 // highest RealUsed seen
	Fragments int64 // free spans
}

// DeclareMemory adds the group "shmem" to r; read is called for each figure.
func DeclareMemory(r *Registry, read func() Memory) error {
	if read == nil {
		return errors.New("stat: no memory reader")
	}
	part := func(f func(Memory) int64) Func { return func() int64 { return f(read()) } }
	return r.Declare(
		"shmem",
		Def{Name: "total_size", Help: "octets taken from the system", Source: part(func(m Memory) int64 { return m.Total })},
		Def{Name: "free_size", Help: "of these, free", Source: part(func(m Memory) int64 { return m.Free })},
		Def{Name: "used_size", Help: "octets of live values", Source: part(func(m Memory) int64 { return m.Used })},
		Def{Name: "real_used_size", Help: "octets of live values with overhead", Source: part(func(m Memory) int64 { return m.RealUsed })},
		Def{Name: "max_used_size", Help: "highest real_used_size seen", Source: part(func(m Memory) int64 { return m.MaxUsed })},
		Def{Name: "fragments", Help: "free pieces", Source: part(func(m Memory) int64 { return m.Fragments })},
	)
}

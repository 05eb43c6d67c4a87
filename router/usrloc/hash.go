package usrloc

import (
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

// Hash is the hash of an address of record that Kamailio shows (HashID) and
// writes into temporary GRUUs: sums of words of four octets, mixed.
func Hash(s string) uint32 {
	var h uint32
	for ; len(s) >= 4; s = s[4:] {
		v := uint32(s[0])<<24 | uint32(s[1])<<16 | uint32(s[2])<<8 | uint32(s[3])
		h += v ^ v>>3
	}
	var v uint32
	for i := 0; i < len(s); i++ {
		v = v<<8 | uint32(s[i])
	}
	h += v ^ v>>3
	return h + h>>11 + h>>13 + h>>23
}

// RUIDs makes unique ids of records: prefix, server id, time of start, process
// and a number, in hexadecimal, as Kamailio makes them.
type RUIDs struct {
	prefix string
	n      atomic.Uint64
}

// NewRUIDs makes a source; name is "uloc" for registrations, "ulcx" for RPC.
func NewRUIDs(name string, serverID int) *RUIDs {
	p := name + "-"
	if serverID != 0 {
		p += strconv.FormatUint(uint64(uint32(serverID)), 16) + "-"
	}
	p += strconv.FormatInt(time.Now().Unix(), 16) + "-" + strconv.FormatInt(int64(os.Getpid()), 16) + "-"
	return &RUIDs{prefix: p}
}

// Append appends the next id to b.
func (r *RUIDs) Append(b []byte) []byte {
	return strconv.AppendUint(append(b, r.prefix...), r.n.Add(1), 16)
}

// Next is the next id.
func (r *RUIDs) Next() string {
	var b [64]byte
	return string(r.Append(b[:0]))
}

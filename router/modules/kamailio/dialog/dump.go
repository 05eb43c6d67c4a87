package dialog

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"

	"sipd/rpc"
)

// dumped is a dialog as dlg.dump_file writes it: members in this order.
type dumped struct {
	Entry     uint32      `json:"h_entry"`
	ID        uint32      `json:"h_id"`
	Ref       int         `json:"ref"`
	CallID    string      `json:"call_id"`
	From      string      `json:"from_uri"`
	To        string      `json:"to_uri"`
	State     state       `json:"state"`
	Start     int64       `json:"start_ts"`
	Init      int64       `json:"init_ts"`
	End       int64       `json:"end_ts"`
	Timeout   int64       `json:"timeout"`
	Lifetime  int         `json:"lifetime"`
	DFlags    uint32      `json:"dflags"`
	SFlags    uint32      `json:"sflags"`
	IFlags    uint32      `json:"iflags"`
	Caller    dumpedLeg   `json:"caller"`
	Callee    dumpedLeg   `json:"callee"`
	Profiles  dumpedTexts `json:"profiles"`
	Variables dumpedTexts `json:"variables"`
}

type dumpedLeg struct {
	Tag     string `json:"tag"`
	Contact string `json:"contact"`
	CSeq    string `json:"cseq"`
	Routes  string `json:"route_set"`
	Socket  string `json:"socket"`
}

// dumpedTexts are an object whose members have an order, and may have one name.
type dumpedTexts []variable

func (list dumpedTexts) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendJSON(b, v.key), ':')
		b = appendJSON(b, v.value)
	}
	return append(b, '}'), nil
}

// appendJSON adds a text as JSON; <, > and & stay as they are.
func appendJSON(b []byte, s string) []byte {
	var w bytes.Buffer
	enc := json.NewEncoder(&w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a text can be written always
	return append(b, bytes.TrimSuffix(w.Bytes(), []byte("\n"))...)
}

func (d *dialog) dump() *dumped {
	d.mu.Lock()
	defer d.mu.Unlock()
	var r row
	d.fill(&r)
	leg := func(s side) dumpedLeg {
		return dumpedLeg{Tag: r.tags[s], Contact: r.contacts[s], CSeq: r.cseqs[s], Routes: r.sets[s], Socket: r.socks[s]}
	}
	x := &dumped{
		Entry: d.entry, ID: d.id, Ref: d.refs(), CallID: d.callID, From: d.fromURI, To: d.toURI, State: d.state,
		Start: r.start, Init: unix(d.born), End: unix(d.ended), Timeout: r.timeout, Lifetime: d.lifetime,
		DFlags: d.dflags, SFlags: d.sflags, IFlags: d.iflags, Caller: leg(caller), Callee: leg(callee),
	}
	if d.state < deleted {
		for _, l := range d.links {
			x.Profiles = append(x.Profiles, variable{l.p.name, l.value})
		}
		x.Variables = append(x.Variables, d.vars...)
	}
	return x
}

// dumpTo writes dialogs, a line each.
func dumpTo(w io.Writer, list []*dialog) error {
	b := bufio.NewWriter(w)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	for _, d := range list {
		if err := enc.Encode(d.dump()); err != nil {
			return err
		}
	}
	return b.Flush()
}

// rpcDump serves dlg.dump_file. Where Kamailio answers nothing when the file
// cannot be written, this says why.
func (m *mod) rpcDump(_ context.Context, c *rpc.Call) error {
	f, err := os.OpenFile(c.Str(0), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return rpc.Faultf(500, "the file cannot be written: %v", err)
	}
	if err := errors.Join(dumpTo(f, m.t.all()), f.Close()); err != nil {
		return rpc.Faultf(500, "the file was not written whole: %v", err)
	}
	return nil
}

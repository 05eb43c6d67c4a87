package usrloc

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"sipd/router/module/moduletest"
	"sipd/router/usrloc"
	"sipd/rpc"
	"sipd/rpc/binrpc"
)

// BenchmarkDump writes a table of 100,000 contacts as the control socket does;
// ns/contact and B/contact are what a dump costs the daemon.
func BenchmarkDump(b *testing.B) {
	const n = 100_000
	m := New().(*mod)
	r := moduletest.New(b, m)
	r.Param("usrloc", "preload", "location").Start()
	now := time.Now().Unix()
	for i := range n {
		x := m.all.Lookup("location").Begin(fmt.Sprintf("user%d@example.com", i))
		_, err := x.Insert(&usrloc.Info{
			URI: fmt.Sprintf("sip:user%d@10.1.2.3:5060;transport=udp", i), CallID: fmt.Sprintf("call-%d@10.1.2.3", i), CSeq: 1,
			UserAgent: "Phone/1.0 of a maker", Expires: now + 3600, Modified: now, Q: usrloc.QUnset, Conn: -1, Methods: 8191,
			Socket: "udp:127.0.0.1:5060",
		})
		if err != nil {
			b.Fatal(err)
		}
		if err := x.End(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	vals, err := r.RPCCall("ul.dump", rpc.String(""))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	total := 0
	for b.Loop() {
		total = 0
		for piece := range binrpc.Pieces(slices.Values(vals), 128<<10) {
			total += len(piece)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/contact")
	b.ReportMetric(float64(total)/n, "B/contact")
}

package pike_test

import (
	"fmt"
	"strings"
	"testing"

	"sipd/router/livetest"
)

// TestBlocks: how many requests pass is the same as with the elder.
func TestBlocks(t *testing.T) {
	livetest.Each(t, `
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "pike.so"
modparam("pike", "sampling_time_unit", 60)
modparam("pike", "reqs_density_per_unit", 16)
request_route {
	pike_check_req();
	sl_send_reply("299", "code $rc");
}
`, func(t *testing.T, d *livetest.Daemon) {
		p := d.Peer(t)
		var codes []string
		for i := range 34 {
			p.Send(fmt.Sprintf("OPTIONS sip:ADDR SIP/2.0\nVia: SIP/2.0/UDP ME;branch=z9hG4bK%d\nFrom: <sip:a@b>;tag=1\nTo: <sip:a@b>\nCall-ID: %d\nCSeq: 1 OPTIONS\nMax-Forwards: 9\n", i, i))
			m := p.Want("SIP/2.0 299 code ")
			_, code, _ := strings.Cut(m, "code ")
			code, _, _ = strings.Cut(code, "\r")
			codes = append(codes, code)
		}
		want := strings.Repeat("1 ", 21) + "-2" + strings.Repeat(" -1", 12)
		if got := strings.Join(codes, " "); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		d.WantLog(t, "BLOCKing ip")
	})
}

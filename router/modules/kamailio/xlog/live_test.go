package xlog_test

import (
	"fmt"
	"testing"

	"sipd/router/livetest"
)

// TestLogPrefix: lines about a message begin with log_prefix, those after a
// change too when log_prefix_mode says so.
func TestLogPrefix(t *testing.T) {
	for mode, second := range []string{"first", "second"} {
		t.Run(fmt.Sprint("mode ", mode), func(t *testing.T) {
			livetest.Each(t, fmt.Sprintf(`
log_prefix="{$mt $hdr(CSeq) $ci $var(x)} "
log_prefix_mode=%d
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "xlog.so"
request_route {
	$var(x) = "first";
	xlog("L_WARN", "one\n");
	$var(x) = "second";
	xlog("L_WARN", "two\n");
	sl_send_reply("200", "OK");
}
`, mode), func(t *testing.T, d *livetest.Daemon) {
				p := d.Peer(t)
				p.Send("OPTIONS sip:x@ADDR SIP/2.0\nVia: SIP/2.0/UDP ME;branch=z9hG4bK1\nFrom: <sip:a@b>;tag=1\nTo: <sip:x@b>\nCall-ID: c1\nCSeq: 7 OPTIONS\n")
				p.Want("SIP/2.0 200 ")
				first, second := "first", second
				if !d.Ours && mode == 0 { // Kamailio asks when the message comes
					first, second = "0", "0"
				}
				d.WantLog(t, "WARNING: {1 7 OPTIONS c1 "+first+"} <script>: one")
				d.WantLog(t, "WARNING: {1 7 OPTIONS c1 "+second+"} <script>: two")
			})
		})
	}
}

package rtpengine_test

import (
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"

	"sipd/router/livetest"
	"sipd/router/modules/kamailio/rtpengine"
)

// query is what a relay tells of a call, as rtpengine 11 writes it: three sources,
// two of them of the party with the label caller.
var query = func() rtpengine.Dict {
	d := rtpengine.D
	mos := func(v, at, loss, jitter, trip, leg, samples int) rtpengine.Dict {
		return d("MOS", v, "reported at", 1000+at, "packet loss", loss, "jitter", jitter,
			"round-trip time", trip, "round-trip time leg", leg, "samples", samples)
	}
	source := func(low, high, average rtpengine.Dict) rtpengine.Dict {
		return d("lowest MOS", low, "highest MOS", high, "average MOS", average)
	}
	media := func(ssrc int) any { return d("streams", []any{d("SSRC", ssrc), d("SSRC", 9)}) }
	return d("result", "ok", "created", 1000,
		"SSRC", d(
			"101", source(mos(31, 65, 4, 20, 300, 150, 1), mos(44, 7, 0, 1, 90, 40, 1), mos(40, 0, 1, 5, 100, 51, 12)),
			"102", source(mos(35, 80, 3, 21, 310, 160, 1), mos(43, 9, 0, 2, 91, 41, 1), mos(41, 0, 2, 6, 101, 50, 13)),
			"103", source(mos(28, 125, 5, 22, 320, 170, 1), mos(42, 11, 0, 3, 92, 42, 1), mos(38, 0, 4, 9, 120, 60, 20)),
		),
		"tags", d(
			"F1", d("label", "caller", "medias", []any{media(101), media(102)}),
			"T1", d("label", "callee", "medias", []any{media(103)}),
		))
}()

// figureRelay answers pings, and query to all else.
func figureRelay(t *testing.T) (url string) {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 64<<10)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			cookie, command, _ := strings.Cut(string(b[:n]), " ")
			reply := query
			if strings.Contains(command, "7:command4:ping") {
				reply = rtpengine.D("result", "pong")
			}
			_, _ = c.WriteTo(rtpengine.Encode([]byte(cookie+" "), reply), from)
		}
	}()
	t.Cleanup(func() { _ = c.Close(); <-done })
	return "udp:" + c.LocalAddr().String()
}

// TestQuality: the figures of a query, as Kamailio puts them into variables.
func TestQuality(t *testing.T) {
	url := figureRelay(t)
	var config, text strings.Builder
	fmt.Fprintf(&config, "loadmodule \"sl.so\"\nloadmodule \"pv.so\"\nloadmodule \"textops.so\"\nloadmodule \"rtpengine.so\"\nmodparam(\"rtpengine\", \"rtpengine_sock\", \"%s\")\n", url)
	for _, party := range []string{"", "_A", "_B"} {
		for _, name := range rtpengine.QualityParams(party) {
			fmt.Fprintf(&config, "modparam(\"rtpengine\", \"%s\", \"$avp(%s)\")\n", name, name)
			fmt.Fprintf(&text, "%s=$avp(%s) ", name, name)
		}
	}
	config.WriteString("modparam(\"rtpengine\", \"mos_A_label_pv\", \"$var(caller)\")\nmodparam(\"rtpengine\", \"mos_B_label_pv\", \"$var(callee)\")\n")
	fmt.Fprintf(&config, `
request_route {
	$var(caller) = "caller"; $var(callee) = $rU;
	if (is_method("BYE")) rtpengine_delete(); else rtpengine_query();
	append_to_reply("X-All: %s\r\n");
	sl_send_reply("200", "OK");
}
`, text.String())
	const all = "mos_min_pv=2.8 mos_min_at_pv=2:05 mos_min_packetloss_pv=5 mos_min_jitter_pv=22 mos_min_roundtrip_pv=320 mos_min_roundtrip_leg_pv=170 " +
		"mos_max_pv=4.4 mos_max_at_pv=0:07 mos_max_packetloss_pv=0 mos_max_jitter_pv=1 mos_max_roundtrip_pv=90 mos_max_roundtrip_leg_pv=40 " +
		"mos_average_pv=3.9 mos_average_packetloss_pv=2 mos_average_jitter_pv=6 mos_average_roundtrip_pv=107 mos_average_roundtrip_leg_pv=53 mos_average_samples_pv=15 "
	const caller = "mos_min_A_pv=3.1 mos_min_at_A_pv=1:05 mos_min_packetloss_A_pv=4 mos_min_jitter_A_pv=20 mos_min_roundtrip_A_pv=300 mos_min_roundtrip_leg_A_pv=150 " +
		"mos_max_A_pv=4.4 mos_max_at_A_pv=0:07 mos_max_packetloss_A_pv=0 mos_max_jitter_A_pv=1 mos_max_roundtrip_A_pv=90 mos_max_roundtrip_leg_A_pv=40 " +
		"mos_average_A_pv=4.0 mos_average_packetloss_A_pv=1 mos_average_jitter_A_pv=5 mos_average_roundtrip_A_pv=100 mos_average_roundtrip_leg_A_pv=50 mos_average_samples_A_pv=12 "
	const callee = "mos_min_B_pv=2.8 mos_min_at_B_pv=2:05 mos_min_packetloss_B_pv=5 mos_min_jitter_B_pv=22 mos_min_roundtrip_B_pv=320 mos_min_roundtrip_leg_B_pv=170 " +
		"mos_max_B_pv=4.2 mos_max_at_B_pv=0:11 mos_max_packetloss_B_pv=0 mos_max_jitter_B_pv=3 mos_max_roundtrip_B_pv=92 mos_max_roundtrip_leg_B_pv=42 " +
		"mos_average_B_pv=3.8 mos_average_packetloss_B_pv=4 mos_average_jitter_B_pv=9 mos_average_roundtrip_B_pv=120 mos_average_roundtrip_leg_B_pv=60 mos_average_samples_B_pv=20"
	none := regexp.MustCompile(`=\S+`).ReplaceAllString(callee, "=<null>")
	livetest.Each(t, config.String(), func(t *testing.T, d *livetest.Daemon) {
		p := d.Peer(t)
		for i, tt := range []struct{ method, user, want string }{
			{"OPTIONS", "callee", all + caller + callee},
			{"BYE", "callee", all + caller + callee},
			{"OPTIONS", "nobody", all + caller + none},
		} {
			p.Send(fmt.Sprintf("%[1]s sip:%[2]s@example.com SIP/2.0\nVia: SIP/2.0/UDP ME;branch=z9hG4bK%[3]d\nFrom: <sip:a@b>;tag=F1\nTo: <sip:b@c>;tag=T1\nCall-ID: mos%[3]d\nCSeq: 1 %[1]s\nMax-Forwards: 9\n", tt.method, tt.user, i))
			if got := livetest.Value(p.Want("SIP/2.0 200 "), "X-All"); got != tt.want {
				t.Errorf("%s to %s: %s\nwant %s", tt.method, tt.user, got, tt.want)
			}
		}
	})
}

package sip

import "testing"

const sampleSDP = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 192.0.2.1/127\r\nt=0 0\r\nm=audio 4000/2 RTP/AVP 0 8\r\na=rtcp:4001 IN IP4 1.2.3.4\r\nm=video 0 RTP/SAVP 31\nc=IN IP6 2001:db8::1\r\na=x"

func TestParseSDP(t *testing.T) {
	d, err := ParseSDP(sampleSDP)
	if err != nil || len(d.Media) != 2 {
		t.Fatalf("%+v, %v", d, err)
	}
	at := func(a SDPAddr) string { return sampleSDP[a.Start:a.End] }
	a0, _ := d.Addr(0)
	a1, _ := d.Addr(1)
	if at(d.Origin) != "10.0.0.1" || at(a0) != "192.0.2.1" || at(a1) != "2001:db8::1" || !a1.V6 || a0.V6 {
		t.Errorf("%q %q %q", at(d.Origin), at(a0), at(a1))
	}
	m := d.Media[0]
	if m.Type != "audio" || m.Port != 4000 || sampleSDP[m.PortAt.Start:m.PortAt.End] != "4000" || m.Proto != "RTP/AVP" || sampleSDP[m.RTCP.Start:m.RTCP.End] != "4001 IN IP4 1.2.3.4" {
		t.Errorf("%+v", m)
	}
	if d.Media[1].Line.Start != m.Behind || d.Media[1].Behind != len(sampleSDP) {
		t.Errorf("media end at %d, %d", m.Behind, d.Media[1].Behind)
	}
	for _, bad := range []string{"", "x", "v=0\nc=IN\n", "v=0\nm=audio x RTP/AVP\n", "v=0\nm=audio 70000 RTP/AVP\n", "v=0\no=-\n", "v=0\nc=IN IP5 x\n"} {
		if d, err := ParseSDP(bad); err == nil {
			t.Errorf("%q: %+v", bad, d)
		}
	}
}

// FuzzSDP: every place lies within the body, in the order of the text.
func FuzzSDP(f *testing.F) {
	f.Add(sampleSDP)
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseSDP(s)
		if err != nil {
			return
		}
		last := 0
		for i, m := range d.Media {
			if m.Line.Start < last || m.PortAt.Start < m.Line.Start || m.PortAt.End > m.Line.End || m.Behind > len(s) || m.Behind < m.Line.End {
				t.Fatalf("media %d of %q: %+v", i, s, m)
			}
			last = m.Behind
			if a, ok := d.Addr(i); ok && (a.Start >= a.End || a.End > len(s)) {
				t.Fatalf("address %d of %q: %+v", i, s, a)
			}
		}
	})
}

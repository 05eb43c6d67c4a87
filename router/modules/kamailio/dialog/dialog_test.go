package dialog

import (
	"testing"
	"time"
)

func TestCookie(t *testing.T) {
	for _, tt := range []struct {
		entry, id uint32
		want      string
	}{{0x745, 8881, "547.1b22"}, {0, 1, "0.1"}, {1 << 31, 1<<32 - 1, "00000008.ffffffff"}} {
		d := &dialog{entry: tt.entry, id: tt.id}
		got := d.cookie()
		if got != tt.want {
			t.Errorf("cookie of %d %d = %q, want %q", tt.entry, tt.id, got, tt.want)
		}
		if e, id, ok := parseCookie(got); !ok || e != tt.entry || id != tt.id {
			t.Errorf("parseCookie(%q) = %d, %d, %v", got, e, id, ok)
		}
	}
	for _, s := range []string{"", ".", "1", "1.", ".1", "x.1", "123456789.1", "1.2.3"} {
		if _, _, ok := parseCookie(s); ok {
			t.Errorf("parseCookie(%q) takes it", s)
		}
	}
}

func FuzzCookie(f *testing.F) {
	f.Add("547.1b22")
	f.Add("..")
	f.Fuzz(func(t *testing.T, s string) {
		e, id, ok := parseCookie(s)
		if !ok {
			return
		}
		d := &dialog{entry: e, id: id}
		if e2, id2, ok := parseCookie(d.cookie()); !ok || e2 != e || id2 != id {
			t.Errorf("%q: %d.%d becomes %d.%d, %v", s, e, id, e2, id2, ok)
		}
	})
}

func TestStates(t *testing.T) {
	for _, tt := range []struct {
		from state
		e    event
		want state
	}{
		{unconfirmed, ev1xx, early},
		{early, ev2xx, confirmedNA},
		{confirmedNA, evACK, confirmed},
		{confirmed, evBye, deleted},
		{confirmedNA, evBye, deleted},
		{early, evBye, early},
		{early, evFailed, deleted},
		{unconfirmed, evGone, deleted},
		{confirmed, evFailed, confirmed},
		{confirmed, ev1xx, confirmed},
		{deleted, ev2xx, confirmedNA},
		{deleted, evACK, deleted},
		{confirmed, ev2xx, confirmed},
	} {
		d := &dialog{state: tt.from}
		if _, got := d.next(tt.e, time.Now()); got != tt.want {
			t.Errorf("event %d in state %d leads to %d, want %d", tt.e, tt.from, got, tt.want)
		}
	}
}

func TestAlias(t *testing.T) {
	for in, want := range map[string][2]string{
		"sip:a@b":                               {"sip:a@b", ""},
		"sip:a@10.0.0.1;alias=192.0.2.1~5070~1": {"sip:a@10.0.0.1", "sip:192.0.2.1:5070;transport=udp"},
		"sip:a@b;alias=192.0.2.1~5070~2;ob":     {"sip:a@b;ob", "sip:192.0.2.1:5070;transport=tcp"},
		"sip:a@b;alias=x":                       {"sip:a@b;alias=x", ""},
	} {
		if uri, next := alias(in); uri != want[0] || next != want[1] {
			t.Errorf("alias(%q) = %q, %q; want %q", in, uri, next, want)
		}
	}
}

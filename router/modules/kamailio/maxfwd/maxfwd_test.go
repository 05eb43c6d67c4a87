package maxfwd

import (
	"fmt"
	"strings"
	"testing"

	"sipd/router/module/moduletest"
)

func request(header string) string {
	return "OPTIONS sip:a SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\n" + header + "To: <sip:a>\n\n"
}

func TestProcess(t *testing.T) {
	for _, tt := range []struct {
		header, want string // Max-Forwards as printed
		rc           int
	}{
		{"Max-Forwards: 70\n", "Max-Forwards: 69\r\n", 1},
		{"Max-Forwards: 1\n", "Max-Forwards: 0\r\n", 1},
		{"Max-Forwards: 0\n", "Max-Forwards: 0\r\n", -1},
		{"max-forwards :  007 \n", "max-forwards :  6 \r\n", 1},
		{"", "Max-Forwards: 10\r\n", 2},
		{"Max-Forwards: 71\n", "Max-Forwards: 70\r\n", 1},
		{"Max-Forwards: 255\n", "Max-Forwards: 70\r\n", 1},
		{"Max-Forwards: 99999999999\n", "Max-Forwards: 70\r\n", 1},
		{"Max-Forwards: x\n", "Max-Forwards: x\r\n", -2},
		{"Max-Forwards: -1\n", "Max-Forwards: -1\r\n", -2},
		{"Max-Forwards:\n", "Max-Forwards:\r\n", -2},
	} {
		r := moduletest.New(t, New())
		r.Message(request(tt.header))
		if rc := r.Call("mf_process_maxfwd_header", "10"); rc != tt.rc {
			t.Errorf("%q: code %d, want %d", tt.header, rc, tt.rc)
		}
		if got := r.Printed(); !strings.Contains(got, "\r\n"+tt.want) || strings.Count(strings.ToLower(got), "max-forwards") != 1 {
			t.Errorf("%q: printed\n%s\nwant %q", tt.header, got, tt.want)
		}
	}
}

// TestTwice counts a request once, also when the script calls twice.
func TestTwice(t *testing.T) {
	r := moduletest.New(t, New())
	r.Message(request("Max-Forwards: 5\n"))
	first, second := r.Call("maxfwd_process", 10), r.Call("process_maxfwd", 10)
	if first != 1 || second != 1 || !strings.Contains(r.Printed(), "Max-Forwards: 4\r\n") {
		t.Errorf("codes %d %d, printed\n%s", first, second, r.Printed())
	}
}

func TestLimit(t *testing.T) {
	r := moduletest.New(t, New()).Param("maxfwd", "max_limit", 16)
	r.Message(request("Max-Forwards: 70\n"))
	if rc := r.Call("mf_process_maxfwd_header", 10); rc != 1 || !strings.Contains(r.Printed(), "Max-Forwards: 16\r\n") {
		t.Errorf("code %d, printed\n%s", rc, r.Printed())
	}
	if err := r.TryParam("maxfwd", "max_limit", 257); err == nil {
		t.Error("max_limit 257 passes")
	}
}

func TestIsLess(t *testing.T) {
	for _, tt := range []struct {
		header string
		n, rc  int
	}{
		{"Max-Forwards: 9\n", 10, 1},
		{"Max-Forwards: 10\n", 10, -1},
		{"Max-Forwards: 11\n", 10, -1},
		{"", 10, -2},
		{"Max-Forwards: x\n", 10, -3},
	} {
		r := moduletest.New(t, New())
		r.Message(request(tt.header))
		if rc := r.Call("is_maxfwd_lt", tt.n); rc != tt.rc {
			t.Errorf("%q < %d: code %d, want %d", tt.header, tt.n, rc, tt.rc)
		}
	}
	r := moduletest.New(t, New())
	r.Message(request(""))
	r.Call("mf_process_maxfwd_header", 5)
	if got := fmt.Sprint(r.Call("is_maxfwd_lt", 6), r.Call("is_maxfwd_lt", 5)); got != "1 -1" {
		t.Errorf("an added value: codes %s, want 1 -1", got)
	}
}

func TestArguments(t *testing.T) {
	r := moduletest.New(t, New())
	for _, bad := range []any{0, 256, "-1"} {
		if _, err := r.Compile("mf_process_maxfwd_header", bad); err == nil {
			t.Errorf("mf_process_maxfwd_header(%v) compiles", bad)
		}
	}
}

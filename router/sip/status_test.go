package sip

import "testing"

func TestSetStatusCode(t *testing.T) {
	m, err := Parse("SIP/2.0 486 Busy\r\nCall-ID: 1\r\nContent-Length: 0\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	m.SetStatusCode(603)
	want := "SIP/2.0 603 Busy\r\nCall-ID: 1\r\nContent-Length: 0\r\n\r\n"
	if got := string(m.AppendTo(nil, nil)); m.StatusCode() != 603 || got != want {
		t.Errorf("code %d, printed %q; want 603, %q", m.StatusCode(), got, want)
	}
}

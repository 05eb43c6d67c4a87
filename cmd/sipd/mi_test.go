package main

import (
	"strings"
	"testing"
)

const miConfig = `
loadmodule "sl.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "kex.so"
loadmodule "ctl.so"
loadmodule "mi_fifo.so"
loadmodule "mi_rpc.so"
modparam("usrloc", "preload", "location")
modparam("ctl", "fifo", "fifo:DIR/ser_fifo")
modparam("mi_fifo", "fifo_name", "DIR/mi_fifo")
request_route { sl_send_reply("200", "OK"); }
`

// TestOldNames calls by the names of 2010, as its scripts do: RPC through the
// line protocol, MI through mi_fifo, in one order on one daemon.
func TestOldNames(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, configFile(t, strings.ReplaceAll(miConfig, "DIR", dir)), "-l", "udp:ADDR")
	for _, tt := range []struct{ pipe, in, want string }{
		{"ser_fifo", ":usrloc.add_contact:REPLY\nlocation\nalice\nsip:alice@127.0.0.1:9\n600\n0.5\n0\n0\n\n", "200 OK\n"},
		{"ser_fifo", ":usrloc.show_contacts:REPLY\nlocation\nalice\n\n", "sip\\oalice@127.0.0.1\\o9"},
		{"ser_fifo", ":usrloc.stats:REPLY\n\n", "200 OK\n"},
		{"mi_fifo", ":ul_show_contact:REPLY\nlocation\nalice\n\n", "sip:alice@127.0.0.1:9"},
		{"mi_fifo", ":ul_rm:REPLY\nlocation\nalice\n\n", "200 OK\n"},
		{"mi_fifo", ":ul_show_contact:REPLY\nlocation\nalice\n\n", "AOR not found"},
		{"mi_fifo", ":no_such:REPLY\n\n", "500 command 'no_such' not available"},
	} {
		if got := overPipe(t, dir+"/"+tt.pipe, tt.in); !strings.Contains(got, tt.want) {
			t.Errorf("%s answers %q with\n%s\nwant in it %q", tt.pipe, tt.in, got, tt.want)
		}
	}
	if got := s.sipcmd(t, "mi", "version"); !strings.Contains(got, "sipd ") {
		t.Errorf("mi version prints %q", got)
	}
}

package shell

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"sipd/rpc"
	"sipd/rpc/binrpc"
	"sipd/rpc/rpctest"
)

// replayer answers every request with one packet, under the request's cookie.
type replayer struct {
	packet  atomic.Pointer[[]byte]
	request atomic.Pointer[[]byte]
	address string
}

func newReplayer(t *testing.T) *replayer {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "ctl"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	r := &replayer{address: l.Addr().String()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go r.serve(c)
		}
	}()
	return r
}

func (r *replayer) serve(c net.Conn) {
	defer c.Close()
	var in []byte
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		in = append(in, buf[:n]...)
		h, err := binrpc.ParseHeader(in)
		if err != nil || len(in) < h.Size+h.Len {
			continue
		}
		req := slices.Clone(in[:h.Size+h.Len])
		r.request.Store(&req)
		in = in[h.Size+h.Len:]
		packet := *r.packet.Load()
		rh, err := binrpc.ParseHeader(packet)
		if err != nil {
			return
		}
		out := []byte{0xa1, rh.Type<<4 | 3<<2 | 3}
		out = binary.BigEndian.AppendUint32(out, uint32(rh.Len))
		out = binary.BigEndian.AppendUint32(out, h.Cookie)
		if _, err := c.Write(append(out, packet[rh.Size:]...)); err != nil {
			return
		}
	}
}

// kamcmd is a shell with kamcmd's manners that prints into b.
func (r *replayer) kamcmd(t *testing.T, b *bytes.Buffer) *Shell {
	s := &Shell{
		Persona: PersonaFor("kamcmd"), Out: b, Err: io.Discard,
		Servers: []*Server{{Address: r.address, Dial: func(ctx context.Context) (rpc.Client, error) {
			a, err := binrpc.ParseAddress(r.address)
			if err != nil {
				return nil, err
			}
			return binrpc.Dial(ctx, a, binrpc.Options{})
		}}},
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// different are recorded calls whose two forms, made one after the other, had
// different answers from the daemon: the second time was too soon, or there was
// nothing left to do.
var different = map[string]string{
	"cfg.del_group_inst custom[5]":                         "gone the second time",
	"dns.delete_a added.test":                              "gone the second time",
	"htable.delete a k1":                                   "gone the second time",
	"ul.rm_contact location dave sip:dave@127.0.0.1:16085": "gone the second time",
	"dialplan.reload":                                      "too soon the second time",
	"dispatcher.add 3 sip:127.0.0.1:16093":                 "too soon the second time",
	"permissions.addressReload":                            "too soon the second time",
	"permissions.trustedReload":                            "too soon the second time",
	"uac.reg_reload":                                       "too soon the second time",
	"uac.reg_active 0":                                     "the mode was set by the first",
	"uac.reg_active 1":                                     "the mode was set by the first",
}

// recorded is text as the recordings have it: CR visible, no line ends at the
// end.
func recorded(s string) string {
	return strings.TrimRight(strings.ReplaceAll(s, "\r", `\r`), "\n")
}

// argv reads recorded arguments: words at blanks, those in double quotes with
// the escapes of JSON.
func argv(t *testing.T, line string) []Word {
	t.Helper()
	var words []Word
	for rest := strings.TrimPrefix(line, "-- "); rest != ""; rest = strings.TrimLeft(rest, " ") {
		if rest[0] == '"' {
			d := json.NewDecoder(strings.NewReader(rest))
			var s string
			if err := d.Decode(&s); err != nil {
				t.Fatalf("recorded arguments %s: %v", line, err)
			}
			words, rest = append(words, Word{Text: s}), rest[d.InputOffset():]
			continue
		}
		var w string
		w, rest, _ = strings.Cut(rest, " ")
		words = append(words, Word{Text: w})
	}
	return words
}

// TestGolden: for every recorded call, the words given to kamcmd make the
// recorded request, and the recorded reply prints as kamcmd printed it.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(rpctest.Dir(t), "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal("no recordings", err)
	}
	r := newReplayer(t)
	var b bytes.Buffer
	s := r.kamcmd(t, &b)
	n, differ := 0, 0
	for _, file := range files {
		for _, c := range rpctest.Calls(t, filepath.Base(file)) {
			if c.Reply == nil || c.Argv == "" {
				continue
			}
			n++
			words := argv(t, c.Argv)
			r.packet.Store(&c.Reply)
			b.Reset()
			s.Report(s.Run(t.Context(), words))
			if got, want := recorded(b.String()), recorded(c.Stdout); got != want {
				differ++
				if different[c.Argv] != "" {
					continue
				}
				t.Errorf("%s: %s: prints\n%s\nwant\n%s", c.File, c.Argv, got, want)
			} else if different[c.Argv] != "" {
				t.Errorf("%s: %s prints what was recorded: take it off the list of exceptions", c.File, c.Argv)
			}
			if want, got := c.Request, *r.request.Load(); !sameBody(want, got) {
				t.Errorf("%s: %s: sends\n%x\nwant\n%x", c.File, c.Argv, got, want)
			}
		}
	}
	t.Logf("%d calls compared, %d differ", n, differ)
	if n < 200 {
		t.Errorf("only %d recorded calls were found", n)
	}
}

func sameBody(a, b []byte) bool {
	ha, err1 := binrpc.ParseHeader(a)
	hb, err2 := binrpc.ParseHeader(b)
	return err1 == nil && err2 == nil && bytes.Equal(a[ha.Size:], b[hb.Size:])
}

package shell

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"sipd/rpc"
	"sipd/rpc/binrpc"
)

// FuzzPrint prints whatever a daemon may answer, in every form: JSON is valid,
// and nothing that commands a terminal comes out.
func FuzzPrint(f *testing.F) {
	for _, v := range [][]rpc.Value{
		nil,
		{rpc.Int(-1), rpc.Double(1.5), rpc.String("a\x1b[31m\n"), rpc.Bytes{0, 0xff}},
		{rpc.Struct{rpc.M("a", rpc.Struct{rpc.M("b", rpc.Int(1))}), rpc.M("a", rpc.Array{rpc.Int(2)})}},
		{rpc.Array{rpc.Array{}, rpc.Struct{}}},
	} {
		p, err := binrpc.AppendReply(nil, 1, v, 1<<16)
		if err != nil {
			f.Fatal(err)
		}
		h, err := binrpc.ParseHeader(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(p[h.Size:], `%v\t%v\n`)
	}
	f.Fuzz(func(t *testing.T, body []byte, format string) {
		d := binrpc.NewDecoder(body)
		vals, _ := d.All() // those before an error
		var b bytes.Buffer
		s := &Shell{Persona: PersonaFor("sipcmd"), Out: &b, Terminal: true, Output: Text}
		for _, hasFormat := range []bool{false, true} {
			b.Reset()
			if err := s.print(vals, format, hasFormat); err != nil {
				t.Fatal(err)
			}
			if strings.ContainsFunc(b.String(), func(r rune) bool { return r != '\n' && r != '\t' && (r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0) }) {
				t.Fatalf("prints %q", b.String())
			}
		}
		b.Reset()
		s.Output = JSON
		if err := s.print(vals, "", false); err != nil || !json.Valid(b.Bytes()) {
			t.Fatalf("JSON of %v: %q, %v", vals, b.String(), err)
		}
	})
}

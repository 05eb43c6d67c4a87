package shell

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"

	"sipd/ctl/shell/reply"
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
		s := &Shell{Persona: PersonaFor("sipcmd"), Out: &b, Terminal: true}
		show := func(form reply.Form) string {
			b.Reset()
			if err := errors.Join(reply.Walk(form, vals...), form.End()); err != nil {
				t.Fatal(err)
			}
			return b.String()
		}
		for _, hasFormat := range []bool{false, true} {
			if text := show(s.form(&b, "%v\t%v\n", hasFormat)); commands(text) {
				t.Fatalf("prints %q", text)
			}
		}
		_ = show(reply.NewFormat(&b, format, true))
		for _, o := range reply.Outputs {
			text := show(reply.New(o, &b, true))
			switch {
			case commands(text):
				t.Fatalf("%s prints %q", o, text)
			case o == reply.AsJSON && !json.Valid([]byte(text)):
				t.Fatalf("JSON of %v: %q", vals, text)
			}
			if o == reply.AsYAML {
				sameData(t, text, show(reply.New(reply.AsJSON, &b, true)))
			}
		}
	})
}

// commands says whether text has in it what commands a terminal.
func commands(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		return r != '\n' && r != '\t' && (r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0)
	})
}

// sameData wants YAML to mean what JSON means, read by a parser of others.
// Objects with a name twice, which YAML refuses, are not compared.
func sameData(t *testing.T, yamlText, jsonText string) {
	t.Helper()
	var got, want any
	if err := yaml.Unmarshal([]byte(yamlText), &got); err != nil {
		if strings.Contains(err.Error(), "already defined") {
			return
		}
		t.Fatalf("YAML %q: %v", yamlText, err)
	}
	if err := yaml.Unmarshal([]byte(jsonText), &want); err != nil {
		return // JSON that this parser does not take as YAML
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" && !strings.Contains(jsonText, `"NaN"`) && !strings.Contains(jsonText, `Inf"`) {
		t.Fatalf("YAML %q is not JSON %q\n%s", yamlText, jsonText, diff)
	}
}

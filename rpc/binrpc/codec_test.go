package binrpc

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sipd/rpc"
)

// TestWorkedValues are values whose octets are known from real peers.
func TestWorkedValues(t *testing.T) {
	for _, tt := range []struct {
		v    rpc.Value
		want string
	}{
		{rpc.Int(0), "00"},
		{rpc.Int(1), "1001"},
		{rpc.Int(255), "10ff"},
		{rpc.Int(256), "200100"},
		{rpc.Int(65536), "30010000"},
		{rpc.Int(math.MaxInt32), "407fffffff"},
		{rpc.Int(-5), "40fffffffb"},
		{rpc.Int(math.MinInt32), "4080000000"},
		{rpc.Int(math.MaxInt32 + 1), "6201f400000000"}, // a double
		{rpc.Bool(true), "1001"},
		{rpc.Bool(false), "00"},
		{rpc.Time(300), "20012c"},
		{rpc.Double(0), "02"},
		{rpc.Double(0.0004), "02"},
		{rpc.Double(0.001), "1201"},
		{rpc.Double(1.001), "2203e9"},
		{rpc.Double(1.9999), "2207cf"},
		{rpc.Double(1.5), "2205dc"},
		{rpc.Double(-1.5), "82fffffffffffffa24"},
		{rpc.Double(-0.001), "82ffffffffffffffff"},
		{rpc.Double(70000.25), "42042c1e7a"},
		{rpc.Double(1e12), "72038d7ea4c68000"},
		{rpc.Double(math.NaN()), "02"},
		{rpc.Double(math.Inf(1)), "827fffffffffffffff"},
		{rpc.String(""), "1100"},
		{rpc.String("a"), "216100"},
		{rpc.String("abcdef"), "7161626364656600"},
		{rpc.String("abcdefg"), "91086162636465666700"},
		{rpc.String("ab\x00cd"), "31616200"},
		{rpc.Text("x\n"), "31780a00"},
		{rpc.Null{}, "910e" + hex.EncodeToString([]byte("<null string>")) + "00"},
		{rpc.Bytes{0, 0xff}, "2600ff"},
		{rpc.Bytes{}, "06"},
		{rpc.Struct{rpc.M("a", rpc.Int(1)), rpc.M("b", rpc.String("x"))}, "032561001001256200217800" + "83"},
		{rpc.Items{rpc.M("a", rpc.Int(1)), rpc.M("a", rpc.Int(2))}, "032561001001256100100283"},
		{rpc.Array{rpc.Int(1), rpc.Array{rpc.Int(2)}}, "0310010310028383"},
		{rpc.Stream(func(yield func(rpc.Member) bool) { yield(rpc.M("a", rpc.Int(1))) }), "03256100100183"},
	} {
		got, err := AppendValue(nil, tt.v)
		if err != nil || hex.EncodeToString(got) != tt.want {
			t.Errorf("AppendValue(%#v) = %x, %v; want %s", tt.v, got, err, tt.want)
		}
	}
	for _, n := range []int{254, 255} {
		got, _ := AppendValue(nil, rpc.String(strings.Repeat("x", n)))
		want := map[int]string{254: "91ff", 255: "a10100"}[n]
		if hex.EncodeToString(got[:len(want)/2]) != want {
			t.Errorf("a string of %d begins %x, want %s", n, got[:4], want)
		}
	}
}

// TestReadersAccept are records that no one writes and everyone reads.
func TestReadersAccept(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want rpc.Value
		err  error
	}{
		{"1000", rpc.Int(0), nil},
		{"80", rpc.Int(0), nil},
		{"9000", rpc.Int(0), nil},
		{"900107", rpc.Int(7), nil},
		{"a0000107", rpc.Int(7), nil},
		{"200007", rpc.Int(7), nil},
		{"60ff00000001ff", rpc.Int(511), nil},
		{"9009010203040506070809", rpc.Int(0x06070809), nil},
		{"91026100", rpc.String("a"), nil},
		{"f1000000000000026200", rpc.String("b"), nil},
		{"01", rpc.String(""), nil},
		{"616162006364" + "00", rpc.String("ab"), nil},
		{"31616263", nil, rpc.ErrRecord},
		{"9208ffffffffffffffff", nil, rpc.ErrRecord},
		{"41", nil, rpc.ErrMore},
		{"91", nil, rpc.ErrMore},
		{"915061626300", nil, rpc.ErrMore},
		{"c17fffffff616263", nil, rpc.ErrMore},
		{"e1027e96be9e956c", nil, rpc.ErrMore}, // negative as 32 bits: ends a real server
		{"f1ffffffffffffff00", nil, rpc.ErrMore},
		{"257800217900", nil, rpc.ErrType}, // a name outside of a struct
		{"83", nil, rpc.ErrType},
		{"84", nil, rpc.ErrType},
		{"1741", nil, rpc.ErrType},
		{"1f41", nil, rpc.ErrType},
		{"13", nil, rpc.ErrRecord},
		{"03", nil, rpc.ErrMore},
		{"032561", nil, rpc.ErrMore},
		{"03256100", nil, rpc.ErrMore},
		{"0325610083", nil, rpc.ErrType},
		{"0384", nil, rpc.ErrType},
		{"0383", rpc.Struct(nil), nil},
		{"0484", rpc.Array{}, nil},
		{"041001217800041002" + "40ffffffff" + "8484", rpc.Array{rpc.Int(1), rpc.String("x"), rpc.Array{rpc.Int(2), rpc.Int(-1)}}, nil},
		{"", nil, io.EOF},
		{strings.Repeat("03", 64) + strings.Repeat("83", 64), nil, nil},
		{strings.Repeat("03", 65) + strings.Repeat("83", 65), nil, rpc.ErrRecord},
	} {
		d := NewDecoder(unhex(t, tt.in))
		got, err := d.Next()
		if !errors.Is(err, tt.err) || (tt.want != nil && !reflect.DeepEqual(got, tt.want)) {
			t.Errorf("Next of %.40s = %#v, %v; want %#v, %v", tt.in, got, err, tt.want, tt.err)
		}
		if err != nil {
			if _, again := d.Next(); !errors.Is(again, err) {
				t.Errorf("Next of %.40s after %v = %v", tt.in, err, again)
			}
		}
	}
}

func TestParseHeader(t *testing.T) {
	corrupt := new(CorruptError)
	for _, tt := range []struct {
		in   string
		want Header
		err  error
	}{
		{"a1000f01", Header{0, 1, 15, 4}, nil},
		{"a1010a1234", Header{0, 0x1234, 10, 5}, nil},
		{"a10f0000000f00000001", Header{0, 1, 15, 10}, nil},
		{"a111001234", Header{1, 0x1234, 0, 5}, nil},
		{"a10001", Header{}, ErrShort},
		{"a10e8c5db0c0496", Header{}, ErrShort},
		{"a10e8c5db0c0496000", Header{0, 0x496000, 0x8c5db0c0, 9}, nil}, // a real server spins on this
		{"a2000d01", Header{}, corrupt},
		{"51000d01", Header{}, corrupt},
		{"a1200d77", Header{}, corrupt},
		{"a1f00d77", Header{}, corrupt},
	} {
		in := tt.in
		if len(in)%2 == 1 {
			in = in[:len(in)-1]
		}
		got, err := ParseHeader(unhex(t, in))
		_, isCorrupt := errors.AsType[*CorruptError](err)
		if tt.err == corrupt {
			if !isCorrupt {
				t.Errorf("ParseHeader(%s) = %v, want a CorruptError", tt.in, err)
			}
			continue
		}
		if !errors.Is(err, tt.err) || (err == nil && got != tt.want) {
			t.Errorf("ParseHeader(%s) = %+v, %v; want %+v, %v", tt.in, got, err, tt.want, tt.err)
		}
	}
}

func TestFaultTextIsCut(t *testing.T) {
	b := AppendFault(nil, 1, &rpc.Fault{Code: 500, Text: strings.Repeat("x", 300)})
	h, err := ParseHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	d := NewDecoder(b[h.Size:])
	vals, err := d.All()
	if err != nil || len(vals) != 2 || vals[1] != rpc.String(strings.Repeat("x", 254)) {
		t.Errorf("a fault text of 300 octets came as %v, %v; want 254 of them", vals, err)
	}
}

func TestReplyLimit(t *testing.T) {
	text := rpc.String(strings.Repeat("x", 32764)) // 32768 with head and zero
	head := []byte("before")
	got, err := AppendReply(head, 1, []rpc.Value{text}, DefaultMaxBody)
	if err != nil || len(got) != 6+5+DefaultMaxBody {
		t.Errorf("a body of exactly the limit: %d octets, %v", len(got), err)
	}
	got, err = AppendReply(head, 1, []rpc.Value{text + "x"}, DefaultMaxBody)
	if !errors.Is(err, ErrTooLarge) || string(got) != "before" {
		t.Errorf("a body one over the limit: %d octets, %v; want the buffer as it was and ErrTooLarge", len(got), err)
	}
	endless := rpc.Stream(func(yield func(rpc.Member) bool) {
		for yield(rpc.M("a", rpc.Int(1))) {
		}
	})
	if _, err = AppendReply(nil, 1, []rpc.Value{endless}, DefaultMaxBody); !errors.Is(err, ErrTooLarge) {
		t.Errorf("an endless stream: %v, want ErrTooLarge", err)
	}
	deep := rpc.Value(rpc.Int(1))
	for range 100 {
		deep = rpc.Array{deep}
	}
	if _, err = AppendReply(nil, 1, []rpc.Value{deep}, DefaultMaxBody); !errors.Is(err, ErrTooLarge) {
		t.Errorf("100 arrays inside of each other: %v, want ErrTooLarge", err)
	}
}

// values draws any value that survives a round trip as it is.
func values(depth int) *rapid.Generator[rpc.Value] {
	name := rapid.StringMatching(`[a-z ]{1,12}`)
	leaves := []*rapid.Generator[rpc.Value]{
		rapid.Map(rapid.Int32(), func(n int32) rpc.Value { return rpc.Int(n) }),
		rapid.Map(rapid.Int64Range(-1<<50, 1<<50), func(n int64) rpc.Value { return rpc.Double(float64(n) / 1000) }),
		rapid.Map(rapid.StringMatching(`[^\x00]{0,20}`), func(s string) rpc.Value { return rpc.String(s) }),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 20), func(b []byte) rpc.Value { return rpc.Bytes(b) }),
	}
	if depth == 0 {
		return rapid.OneOf(leaves...)
	}
	inner := values(depth - 1)
	return rapid.OneOf(append(
		leaves,
		rapid.Map(rapid.SliceOfN(inner, 1, 5), func(v []rpc.Value) rpc.Value { return rpc.Array(v) }),
		rapid.Custom(func(t *rapid.T) rpc.Value {
			s := rpc.Struct{}
			for range rapid.IntRange(0, 5).Draw(t, "members") {
				s = append(s, rpc.M(name.Draw(t, "name"), inner.Draw(t, "value")))
			}
			if len(s) == 0 {
				return rpc.Struct(nil)
			}
			return s
		}),
	)...)
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(values(3), 0, 6).Draw(t, "values")
		cookie := rapid.Uint32().Draw(t, "cookie")
		b, err := AppendReply(nil, cookie, want, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		h, err := ParseHeader(b)
		if err != nil || h.Cookie != cookie || !h.Reply() || h.Size+h.Len != len(b) {
			t.Fatalf("header %+v, %v of %x", h, err, b)
		}
		d := NewDecoder(b[h.Size:])
		got, err := d.All()
		if err != nil || !sameValues(got, want) {
			t.Fatalf("came back as %#v, %v; sent %#v", got, err, want)
		}
	})
}

func sameValues(a, b []rpc.Value) bool {
	return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b)
}

// FuzzDecode reads any octets as a body: what it makes of them is written and
// read again to the same, and never takes more room than the octets allow.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		"910a636f72652e6563686f00216100", "0325610010012562002178008310", "0410012178000410024 0ffffffff8484",
		"22" + "05dc", "260 0ff", "e1027e96be9e956c", "c17fffffff616263", "0310018310", "01217a00",
	} {
		f.Add(unhexLoose(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d := NewDecoder(body)
		first, err := d.All()
		if err != nil && !errors.Is(err, rpc.ErrMore) && !errors.Is(err, rpc.ErrType) && !errors.Is(err, rpc.ErrRecord) {
			t.Fatalf("unexpected error %v", err)
		}
		if len(first) > len(body) {
			t.Fatalf("%d values out of %d octets", len(first), len(body))
		}
		var b []byte
		for _, v := range first {
			if b, err = AppendValue(b, v); err != nil {
				t.Fatalf("what was read cannot be written: %#v: %v", v, err)
			}
		}
		d = NewDecoder(b)
		second, err := d.All()
		if err != nil {
			t.Fatalf("what was written cannot be read: %x: %v", b, err)
		}
		var again []byte
		for _, v := range second {
			again, _ = AppendValue(again, v)
		}
		if !bytes.Equal(again, b) {
			t.Fatalf("written twice:\n%x\n%x", b, again)
		}
	})
}

// FuzzHeader reads any octets as a packet; a header that is taken is written
// again with the same meaning.
func FuzzHeader(f *testing.F) {
	for _, s := range []string{"a1000f01", "a10e8c5db0c04960a58bfaea", "a10f0000000f00000001", "474554202f"} {
		f.Add(unhexLoose(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		h, err := ParseHeader(in)
		if err != nil {
			return
		}
		if h.Len < 0 || h.Size < minHeader || h.Size > maxHeader || h.Size > len(in) {
			t.Fatalf("ParseHeader(%x) = %+v", in, h)
		}
		p := open(nil)
		out, err := ParseHeader(p.close(h.Type, h.Cookie))
		if err != nil || out.Type != h.Type || out.Cookie != h.Cookie {
			t.Fatalf("%+v written and read again is %+v, %v", h, out, err)
		}
	})
}

func unhexLoose(s string) []byte {
	b, _ := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	return b
}

var contact = rpc.Struct{
	rpc.M("Address", rpc.String("sip:alice@192.0.2.7:5060;transport=udp")), rpc.M("Expires", rpc.Int(3591)),
	rpc.M("Q", rpc.Double(0.7)), rpc.M("Call-ID", rpc.String("3848276298220188511@example.com")),
	rpc.M("CSeq", rpc.Int(1)), rpc.M("User-Agent", rpc.String("n/a")), rpc.M("Socket", rpc.String("udp:127.0.0.1:5060")),
}

func BenchmarkEncode(b *testing.B) {
	vals := []rpc.Value{contact}
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		out, _ = AppendReply(out[:0], 0x12345678, vals, DefaultMaxBody)
	}
}

func BenchmarkDecode(b *testing.B) {
	packet, _ := AppendReply(nil, 0x12345678, []rpc.Value{contact}, DefaultMaxBody)
	b.ReportAllocs()
	for b.Loop() {
		h, _ := ParseHeader(packet)
		d := NewDecoder(packet[h.Size:])
		if _, err := d.All(); err != nil {
			b.Fatal(err)
		}
	}
}

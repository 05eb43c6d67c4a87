package rpc

import (
	"errors"
	"iter"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// good makes tokens the sequence a client would hand on.
func good(toks iter.Seq[Token]) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		for t := range toks {
			if !yield(t, nil) {
				return
			}
		}
	}
}

func TestTokensGather(t *testing.T) {
	in := []Value{
		Int(1),
		Struct{M("a", Array{}), M("b", Struct(nil)), M("a", Null{})},
		Items{M("x", String("1")), M("x", String("2"))},
		Array{Int(1), Array{Double(2)}},
		Stream(slices2(M("AoR", String("a")), M("AoR", String("b")))), Each(slices.Values([]Value{Int(1), Int(2)})),
	}
	want := append(slices.Clone(in[:4]), Items{M("AoR", String("a")), M("AoR", String("b"))}, Array{Int(1), Int(2)})
	got, err := Gather(good(Tokens(slices.Values(in))))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Gather(Tokens) = %v\n%s", err, diff)
	}
}

func slices2(ms ...Member) iter.Seq[Member] { return slices.Values(ms) }

func TestGatherRefuses(t *testing.T) {
	broken := errors.New("the line went dead")
	for name, toks := range map[string][]Token{
		"an open list":            {{Kind: TokenList}},
		"an end alone":            {{Kind: TokenEnd}},
		"a name at the top":       {{Kind: TokenName, Name: "a"}, {Value: Int(1)}},
		"two names":               {{Kind: TokenStruct}, {Kind: TokenName, Name: "a"}, {Kind: TokenName, Name: "b"}},
		"a name without a value":  {{Kind: TokenStruct}, {Kind: TokenName, Name: "a"}, {Kind: TokenEnd}},
		"one list closed, one no": {{Kind: TokenList}, {Kind: TokenStruct}, {Kind: TokenEnd}},
	} {
		if got, err := Gather(good(slices.Values(toks))); !errors.Is(err, ErrTokens) {
			t.Errorf("%s: %v, %v; want ErrTokens", name, got, err)
		}
	}
	_, err := Gather(func(yield func(Token, error) bool) { yield(Token{}, broken) })
	if !errors.Is(err, broken) {
		t.Errorf("an error of the sequence comes out as %v", err)
	}
}

// TestTokensStop breaks off at every token: nothing is read after it.
func TestTokensStop(t *testing.T) {
	reads := 0
	counted := Stream(func(yield func(Member) bool) {
		for i := range 4 {
			reads++
			if !yield(M("n", Int(i))) {
				return
			}
		}
	})
	vals := []Value{Struct{M("list", counted)}, Int(5)}
	total := len(slices.Collect(Tokens(slices.Values(vals))))
	if total != 14 {
		t.Fatalf("%d tokens, want 14", total)
	}
	for stop := range total {
		reads = 0
		i := 0
		for range Tokens(slices.Values(vals)) {
			if i == stop {
				break
			}
			i++
		}
		if want := min(max(0, (stop-1)/2), 4); reads != want {
			t.Errorf("stopped at token %d after %d reads of the stream, want %d", stop, reads, want)
		}
	}
}

func TestSelection(t *testing.T) {
	for _, tt := range []struct {
		filter, key string
		want        bool
	}{
		{"", "alice@example.com", true},
		{"example", "alice@example.com", true},
		{"bob", "alice@example.com", false},
		{"ali*", "alice@example.com", true},
		{"example*", "alice@example.com", false},
		{"*.com", "alice@example.com", true},
		{"*example", "alice@example.com", false},
		{"*example*", "alice@example.com", true},
		{"*", "", true},
	} {
		if got := (Selection{Filter: tt.filter}).Matches(tt.key); got != tt.want {
			t.Errorf("filter %q takes %q: %v, want %v", tt.filter, tt.key, got, tt.want)
		}
	}
}

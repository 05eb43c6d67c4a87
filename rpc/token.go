package rpc

import (
	"errors"
	"iter"
)

// TokenKind says what a Token is.
type TokenKind uint8

// The kinds of tokens.
const (
	TokenValue  TokenKind = iota // a value without parts
	TokenName                    // the name of the value that follows
	TokenStruct                  // a structure begins
	TokenList                    // a list begins: Array, Items, Stream, Each
	TokenEnd                     // the structure or list that began last ends
)

// Token is one step of a reply that is written or read piece by piece. In a
// list a name belongs to the element that follows ([Items]).
type Token struct {
	Kind  TokenKind
	Name  string // of TokenName
	Value Value  // of TokenValue
}

// Tokens takes values apart. A stream is ranged over as the caller goes on.
func Tokens(vals iter.Seq[Value]) iter.Seq[Token] {
	return func(yield func(Token) bool) {
		for v := range vals {
			if !tokens(v, yield) {
				return
			}
		}
	}
}

func tokens(v Value, yield func(Token) bool) bool {
	var members iter.Seq[Member]
	begin := Token{Kind: TokenList}
	switch v := v.(type) {
	case Struct:
		begin.Kind, members = TokenStruct, all(v)
	case Items:
		members = all(v)
	case Stream:
		members = iter.Seq[Member](v)
	case Array:
		members = func(yield func(Member) bool) {
			for _, e := range v {
				if !yield(Member{Value: e}) {
					return
				}
			}
		}
	case Each:
		members = func(yield func(Member) bool) {
			for e := range v {
				if !yield(Member{Value: e}) {
					return
				}
			}
		}
	default:
		return yield(Token{Kind: TokenValue, Value: v})
	}
	if !yield(begin) {
		return false
	}
	for m := range members {
		if m.Name != "" && !yield(Token{Kind: TokenName, Name: m.Name}) || !tokens(m.Value, yield) {
			return false
		}
	}
	return yield(Token{Kind: TokenEnd})
}

func all(ms []Member) iter.Seq[Member] {
	return func(yield func(Member) bool) {
		for _, m := range ms {
			if !yield(m) {
				return
			}
		}
	}
}

// ErrTokens is a sequence of tokens that makes no values: an end without a
// begin, a name without a value.
var ErrTokens = errors.New("a reply ends in the middle of a value")

// Gather puts values together again: structures become Struct, lists Array or,
// where an element has a name, Items. An error is that of the sequence, or
// ErrTokens.
func Gather(toks iter.Seq2[Token, error]) ([]Value, error) {
	type level struct {
		kind    TokenKind
		name    string // of the level itself
		members []Member
	}
	stack := []level{{}}
	name, hasName := "", false
	for t, err := range toks {
		if err != nil {
			return nil, err
		}
		top := &stack[len(stack)-1]
		switch t.Kind {
		case TokenName:
			if hasName || len(stack) == 1 {
				return nil, ErrTokens
			}
			name, hasName = t.Name, true
			continue
		case TokenStruct, TokenList:
			stack = append(stack, level{kind: t.Kind, name: name})
		case TokenEnd:
			if len(stack) == 1 || hasName {
				return nil, ErrTokens
			}
			stack = stack[:len(stack)-1]
			up := &stack[len(stack)-1]
			up.members = append(up.members, Member{top.name, container(top.kind, top.members)})
		default:
			top.members = append(top.members, Member{name, t.Value})
		}
		name, hasName = "", false
	}
	if len(stack) != 1 || hasName {
		return nil, ErrTokens
	}
	vals := make([]Value, len(stack[0].members))
	for i, m := range stack[0].members {
		vals[i] = m.Value
	}
	return vals, nil
}

func container(kind TokenKind, ms []Member) Value {
	if kind == TokenStruct {
		return Struct(ms)
	}
	a := make(Array, len(ms))
	for i, m := range ms {
		if m.Name != "" {
			return Items(ms)
		}
		a[i] = m.Value
	}
	return a
}

package reply

import (
	"context"
	"slices"

	"sipd/rpc"
)

// Visitor takes a reply in pieces, in order, so that one of any size passes
// through bounded memory. An error that it returns ends the reply and comes
// back from whoever feeds it.
type Visitor interface {
	// Value is a value without members (never a Struct, Array, Items, Stream
	// or Each); name is "" for one that has none.
	Value(name string, v rpc.Value) error
	// Open begins a value with members, which follow up to its Close: those of
	// a structure, or with list the elements of a list. Elements may have names
	// (see rpc.Items). Where a wire does not tell Items from a Struct, list is
	// false and names may repeat.
	Open(name string, list bool) error
	// Close ends what the last Open began that is still open.
	Close() error
}

// Call calls a method and hands the reply to v: while it arrives where the
// client can, else when it is complete. After an error v may have got a part.
func Call(ctx context.Context, c rpc.Client, v Visitor, method string, args ...rpc.Value) error {
	if s, ok := c.(rpc.Streamer); ok {
		name := ""
		for t, err := range s.Stream(ctx, method, args...) {
			if err != nil {
				return err
			}
			if t.Kind == rpc.TokenName {
				name = t.Name
				continue
			}
			if err := feed(v, name, t); err != nil {
				return err
			}
			name = ""
		}
		return nil
	}
	vals, err := c.Call(ctx, method, args...)
	if err != nil {
		return err
	}
	return Walk(v, vals...)
}

// Walk hands values to v.
func Walk(v Visitor, vals ...rpc.Value) error {
	name := ""
	for t := range rpc.Tokens(slices.Values(vals)) {
		if t.Kind == rpc.TokenName {
			name = t.Name
			continue
		}
		if err := feed(v, name, t); err != nil {
			return err
		}
		name = ""
	}
	return nil
}

func feed(v Visitor, name string, t rpc.Token) error {
	switch t.Kind {
	case rpc.TokenStruct, rpc.TokenList:
		return v.Open(name, t.Kind == rpc.TokenList)
	case rpc.TokenEnd:
		return v.Close()
	}
	return v.Value(name, t.Value)
}

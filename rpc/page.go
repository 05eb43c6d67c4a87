package rpc

import (
	"context"
	"iter"
	"strings"
)

// PageMethod is the companion method by which a BinRPC client reads a reply in
// pieces; see the package's comment.
const PageMethod = "system.page"

// CodeTooLong is the code of the fault in place of a reply that its wire cannot
// carry in one piece.
const CodeTooLong = 413

// TooLong is that fault. instead says what the client can do.
func TooLong(what, instead string) *Fault {
	return Faultf(CodeTooLong, "the reply does not fit %s: %s", what, instead)
}

// Selection is what a caller wants of a long list: the parameters that
// [SelectParams] declares.
type Selection struct {
	// Filter is the text that an element's key must have in it, "" for all;
	// with a * behind it must begin with it, with a * in front end with it.
	Filter string
	// Limit is the most elements, 0 for all.
	Limit int
}

// SelectParams are the optional parameters of a method that lists a table by
// key. They stand last.
func SelectParams() []Param {
	return []Param{
		{Name: "filter", Type: TString, Convert: true, Optional: true, Help: "only keys with this text in them (TEXT* at the start, *TEXT at the end)"},
		{Name: "limit", Type: TInt, Convert: true, Optional: true, Help: "this many at most, 0 for all"},
	}
}

// ReadSelection reads the parameters of SelectParams, which begin at i.
func (c *Call) ReadSelection(i int) Selection {
	return Selection{Filter: c.Str(i), Limit: c.Int(i + 1)}
}

// Matches says whether a key passes the filter.
func (s Selection) Matches(key string) bool {
	f := s.Filter
	if f == "" {
		return true
	}
	f, prefix := strings.CutSuffix(f, "*")
	f, suffix := strings.CutPrefix(f, "*")
	switch {
	case prefix && !suffix:
		return strings.HasPrefix(key, f)
	case suffix && !prefix:
		return strings.HasSuffix(key, f)
	}
	return strings.Contains(key, f)
}

// Streamer is a client that hands a reply on while it comes.
type Streamer interface {
	Client
	// Stream calls as Call does. The sequence ends with an error, a *Fault or
	// a transport's, when not all of the reply came; tokens before it are
	// good. It may be ranged over once, and no other call may be made until
	// it has ended.
	Stream(ctx context.Context, method string, args ...Value) iter.Seq2[Token, error]
}

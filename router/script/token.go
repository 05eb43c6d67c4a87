package script

// Kind is the kind of a token.
type kind uint8

const (
	tEOF    kind = iota
	tIdent       // names and keywords
	tNumber      // 32-bit integer
	tString      // quoted
	tIP          // address literal; Text has no brackets
	tVar         // $…
	tSelect      // @…
	tEvent       // name in event_route[…]

	tLBrace
	tRBrace
	tLParen
	tRParen
	tLBracket
	tRBracket
	tSemi
	tComma
	tColon
	tDot
	tAssign
	tPlusAssign
	tEq
	tNe
	tMatch
	tLt
	tGt
	tLe
	tGe
	tPlus
	tMinus
	tStar
	tSlash
	tAndAnd
	tOrOr
	tAnd
	tOr
	tXor
	tShl
	tShr
	tNot
	tTilde
	tQuestion
)

var kindNames = [...]string{
	tEOF: "end of file", tIdent: "name", tNumber: "number", tString: "string", tIP: "address", tVar: "variable",
	tSelect: "select", tEvent: "event name",
	tLBrace: `"{"`, tRBrace: `"}"`, tLParen: `"("`, tRParen: `")"`, tLBracket: `"["`, tRBracket: `"]"`,
	tSemi: `";"`, tComma: `","`, tColon: `":"`, tDot: `"."`, tAssign: `"="`, tPlusAssign: `"+="`, tEq: `"=="`, tNe: `"!="`,
	tMatch: `"=~"`, tLt: `"<"`, tGt: `">"`, tLe: `"<="`, tGe: `">="`, tPlus: `"+"`, tMinus: `"-"`, tStar: `"*"`,
	tSlash: `"/"`, tAndAnd: `"&&"`, tOrOr: `"||"`, tAnd: `"&"`, tOr: `"|"`, tXor: `"^"`, tShl: `"<<"`, tShr: `">>"`,
	tNot: `"!"`, tTilde: `"~"`, tQuestion: `"?"`,
}

func (k kind) String() string { return kindNames[k] }

// token is one word of the configuration, after preprocessing.
type token struct {
	kind kind
	// text is the word, or a string's value.
	text string
	num  int32
	// raw marks a string in single quotes.
	raw bool
	// pos is the place of use; src[off:end] is where the text itself stands
	// (the define's text, for what came out of one).
	pos      Pos
	src      *Source
	off, end int
	flavour  Flavour
	// def is the define the token came from.
	def *Define
	// glued says that no blank stands between the token before and this one.
	glued bool
	// nl says that the token is the first of its line.
	nl bool
}

// is says whether t is that bare word.
func (t *token) is(word string) bool { return t.kind == tIdent && t.text == word }

// what names the token for an error.
func (t *token) what() string {
	switch t.kind {
	case tEOF:
		return "the end of the file"
	case tIdent, tVar, tSelect, tIP, tEvent:
		return `"` + t.text + `"`
	case tNumber:
		return "number " + t.src.Text[t.off:t.end]
	case tString:
		return "a string"
	}
	return t.kind.String()
}

// Flavour says how $name is read (script.md §3.7).
type Flavour uint8

// The flavours. MaxCompat is what holds when a configuration has no flavour line.
const (
	MaxCompat Flavour = iota
	SER
	Kamailio
)

// String is the flavour line's word.
func (f Flavour) String() string { return [...]string{"MAXCOMPAT", "SER", "KAMAILIO"}[f] }

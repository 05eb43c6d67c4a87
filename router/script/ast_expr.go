package script

// Expr is an expression: one of *[IntLit], *[StrLit], *[Var], *[Select],
// *[Binary], *[Unary], *[Cast], *[Builtin], *[Cond], *[Call], *[Name],
// *[Addr], *[AssignExpr], *[BlockExpr].
type Expr interface {
	Node
	expr()
}

// IntLit is a number or a boolean word.
type IntLit struct {
	Pos
	Value int32
	// Word is the boolean word as written, "" for digits.
	Word string
}

// StrLit is a string.
type StrLit struct {
	Pos
	Value string
	Raw   bool // in single quotes
}

// Var is "$…": a pseudo-variable or an attribute, which the flavour and the
// variables that exist decide.
type Var struct {
	Pos
	Text    string
	Flavour Flavour
}

// Select is "@…".
type Select struct {
	Pos
	Text string
}

// Op is an operator.
type Op uint8

// The operators.
const (
	OpOr Op = iota
	OpAnd
	OpBitOr
	OpBitAnd
	OpBitXor
	OpShl
	OpShr
	OpEq
	OpNe
	OpMatch
	OpStrEq
	OpStrNe
	OpIntEq
	OpIntNe
	OpLt
	OpGt
	OpLe
	OpGe
	OpAdd
	OpSub
	OpMul
	OpDiv
	OpMod
	OpNot
	OpNeg
	OpBitNot
	OpDefined
)

var opNames = [...]string{
	"||", "&&", "|", "&", "^", "<<", ">>", "==", "!=", "=~", "eq", "ne", "ieq", "ine",
	"<", ">", "<=", ">=", "+", "-", "*", "/", "mod", "!", "-", "~", "defined",
}

// String is the operator as written; and, or and not are shown as && || !.
func (o Op) String() string { return opNames[o] }

// Binary is x op y.
type Binary struct {
	Pos
	Op    Op
	OpPos Pos
	X, Y  Expr
}

// Unary is op x: ! - ~ defined.
type Unary struct {
	Pos
	Op Op
	X  Expr
}

// Cast is (int)x or (str)x.
type Cast struct {
	Pos
	Str bool
	X   Expr
}

// Builtin is strlen(x), strempty(x) or selval(cond, a, b).
type Builtin struct {
	Pos
	Name string
	Args []Expr
}

// Cond is a test with a condition keyword (script.md §13), one primary:
// method == "INVITE", src_ip == 10.0.0.0/8, myself == uri.
type Cond struct {
	Pos
	Keyword string
	Op      Op
	// Right is the operand; a *Name for myself, protocols, INET and bare words.
	Right Expr
	// Reversed marks "myself == uri", whose Keyword is "uri".
	Reversed bool
}

// Call is a function call or route(…).
type Call struct {
	Pos
	Name    string
	NamePos Pos
	Args    []Expr
	// Bare marks a call written without parentheses.
	Bare bool
}

// Name is a bare word where one may stand: a flag, INVITE in method == INVITE,
// a protocol, myself, max_len, uri:host, a route's name.
type Name struct {
	Pos
	Text string
}

// Addr is an address, a network, or a socket: 10.0.0.1, 10.0.0.0/8,
// udp:10.0.0.1:5060, host.example.net.
type Addr struct {
	Pos
	Proto string // "" when not written
	Host  string // without brackets
	// Mask is the text behind "/", "" for none.
	Mask string
	Port int // 0 when not written
}

// AssignExpr is an assignment in parentheses.
type AssignExpr struct {
	Pos
	Left, Right Expr
}

// BlockExpr is { … } as a value.
type BlockExpr struct {
	Pos
	Body []Stmt
}

func (*IntLit) expr()     {}
func (*StrLit) expr()     {}
func (*Var) expr()        {}
func (*Select) expr()     {}
func (*Binary) expr()     {}
func (*Unary) expr()      {}
func (*Cast) expr()       {}
func (*Builtin) expr()    {}
func (*Cond) expr()       {}
func (*Call) expr()       {}
func (*Name) expr()       {}
func (*Addr) expr()       {}
func (*AssignExpr) expr() {}
func (*BlockExpr) expr()  {}

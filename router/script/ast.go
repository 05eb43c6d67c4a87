package script

// Node is anything in the tree.
type Node interface {
	// Position is where the node stands, from its first octet to its last.
	Position() Pos
}

// Position makes every node that has a Pos a [Node].
func (p Pos) Position() Pos { return p }

// File is a configuration.
type File struct {
	Path string
	// Sources are the texts that were read: the configuration and its includes.
	Sources []*Source
	// Items are the statements in order.
	Items []Item
	// Defines are the names the preprocessor knew at the end, in order.
	Defines []*Define
	// Flavour is the one in force at the end.
	Flavour Flavour
	// Warnings are oddities that do not keep the configuration from working.
	Warnings ErrorList
}

// Item is a statement outside of routes: one of *[Setting], *[Listen],
// *[Alias], *[CustomVar], *[Flags], *[AVPFlags], *[LoadModule], *[LoadPath],
// *[ModParam], *[Route].
type Item interface {
	Node
	item()
}

// Setting sets a core parameter: name = value.
type Setting struct {
	Pos
	Name    string
	NamePos Pos
	Value   Const
}

// Const is a constant as settings and parameters have it.
type Const struct {
	Pos
	// Kind tells which of the fields holds.
	Kind ConstKind
	Int  int32
	// Str is a string, a bare word, or an address.
	Str string
	// Bool marks a boolean word, whose number is in Int and text in Str.
	Bool bool
	// Raw marks a string in single quotes, which does not expand variables
	// differently but is printed that way.
	Raw bool
}

// ConstKind is the kind of a constant.
type ConstKind uint8

// The kinds of constants.
const (
	ConstInt ConstKind = iota
	ConstStr
	ConstWord // a bare word: LOG_LOCAL0, epoll_lt, TCP
	ConstIP
)

// Listen is a listen line.
type Listen struct {
	Pos
	Addrs []ListenAddr
}

// ListenAddr is one address of a listen line.
type ListenAddr struct {
	Pos
	// Proto is "udp", "tcp", "tls", "sctp", "ws", "wss", or "" for all that are on.
	Proto string
	// Hosts is one address, host or interface, "*" for all; several for SCTP.
	Hosts []string
	// Port is 0 when it is not written.
	Port int
	// AdvHost and AdvPort are what "advertise" says, "" and 0 for nothing.
	AdvHost string
	AdvPort int
	// Name is the socket's name.
	Name string
	// Virtual marks an address that may be missing on this host.
	Virtual bool
}

// Alias is an alias line.
type Alias struct {
	Pos
	Names []AliasName
}

// AliasName is a name that counts as myself.
type AliasName struct {
	Pos
	Proto string // "" for any
	Host  string
	Port  int // 0 for any
}

// CustomVar declares a runtime variable: group.name = value desc "text".
type CustomVar struct {
	Pos
	Group, Name string
	// Instance is the number in group[n].name, nil without.
	Instance *int
	Value    Const
	Desc     string
}

// Flags declares names of message flags.
type Flags struct {
	Pos
	Names []FlagName
}

// FlagName is a flag with its position, -1 to take the next free one.
type FlagName struct {
	Pos
	Name string
	Bit  int
}

// AVPFlags declares names of attribute flags.
type AVPFlags struct {
	Pos
	Names []FlagName
}

// LoadModule is a loadmodule line.
type LoadModule struct {
	Pos
	Path    string
	PathPos Pos
}

// LoadPath is a loadpath or mpath line.
type LoadPath struct {
	Pos
	Path string
}

// ModParam sets a parameter of the modules whose names match.
type ModParam struct {
	Pos
	Module    string
	ModulePos Pos
	Param     string
	ParamPos  Pos
	Value     Const
}

// RouteKind is the kind of a route block.
type RouteKind uint8

// The kinds of route blocks.
const (
	RouteRequest RouteKind = iota // route, request_route
	RouteReply                    // onreply_route, reply_route
	RouteFailure
	RouteBranch
	RouteOnSend
	RouteEvent
)

var routeKindNames = [...]string{"route", "onreply_route", "failure_route", "branch_route", "onsend_route", "event_route"}

// String is the block's keyword.
func (k RouteKind) String() string { return routeKindNames[k] }

// Route is a route block.
type Route struct {
	Pos
	Kind RouteKind
	// Name is "" for the main block of a kind.
	Name    string
	NamePos Pos
	Body    []Stmt
}

func (*Setting) item()    {}
func (*Listen) item()     {}
func (*Alias) item()      {}
func (*CustomVar) item()  {}
func (*Flags) item()      {}
func (*AVPFlags) item()   {}
func (*LoadModule) item() {}
func (*LoadPath) item()   {}
func (*ModParam) item()   {}
func (*Route) item()      {}

// Stmt is a statement in a route: one of *[CallStmt], *[Assign], *[If],
// *[Switch], *[While], *[Jump], *[Empty].
type Stmt interface {
	Node
	stmt()
}

// CallStmt is a call whose code matters only to $rc and to the route's end.
type CallStmt struct {
	Pos
	Call *Call
}

// Assign is lvalue = value.
type Assign struct {
	Pos
	Left  Expr // *Var
	Right Expr
}

// If is if cond … else ….
type If struct {
	Pos
	Cond Expr
	Then []Stmt
	// Else is nil without else.
	Else []Stmt
}

// Switch is switch value { case …: … }.
type Switch struct {
	Pos
	Value Expr
	Cases []Case
}

// Case is one label of a switch and what follows it.
type Case struct {
	Pos
	Default bool
	// Regex marks case /"re":.
	Regex bool
	Label Expr // nil for default
	Body  []Stmt
}

// While is while cond ….
type While struct {
	Pos
	Cond Expr
	Body []Stmt
}

// JumpKind tells the statements that leave a block.
type JumpKind uint8

// The jumps.
const (
	JumpReturn JumpKind = iota
	JumpBreak
	JumpExit
	JumpDrop
)

// String is the keyword.
func (k JumpKind) String() string { return [...]string{"return", "break", "exit", "drop"}[k] }

// Jump is return, break, exit or drop.
type Jump struct {
	Pos
	Kind JumpKind
	// Value is nil when none is given.
	Value Expr
}

// Empty is a lone ";".
type Empty struct{ Pos }

func (*CallStmt) stmt() {}
func (*Assign) stmt()   {}
func (*If) stmt()       {}
func (*Switch) stmt()   {}
func (*While) stmt()    {}
func (*Jump) stmt()     {}
func (*Empty) stmt()    {}

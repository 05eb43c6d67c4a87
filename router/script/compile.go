package script

import (
	"strings"

	"sipd/router/run"
)

// Program is a compiled configuration. It does not change and serves any
// number of messages at once.
type Program struct {
	blocks map[blockKey]*block
	// order is the blocks in the order they were written.
	order []*block
	rep   reporter
	// maxDepth bounds routes that call routes.
	maxDepth int
	// trace is told of routes that begin and end; nil mostly.
	trace TraceFunc
}

type blockKey struct {
	kind RouteKind
	name string
}

// block is a compiled route.
type block struct {
	prog *Program
	kind RouteKind
	name string
	pos  Pos
	body []stmtFunc
	dial dialect
	// calls are the blocks that constants in this one name; dynamic says that
	// it calls a route whose name is computed.
	calls   []*block
	dynamic bool
	// uses are the calls of functions that may not stand everywhere.
	uses []use
}

// signal says how a statement ended.
type signal uint8

const (
	goOn signal = iota
	breaks
	returns
	exits
)

// stmtFunc is a compiled statement; its code is what a route that ends with it
// answers (script.md §11).
type stmtFunc func(c *run.Context) (code int, sig signal)

// runBody runs statements in order.
func runBody(c *run.Context, body []stmtFunc) (code int, sig signal) {
	code = 1
	for _, s := range body {
		if code, sig = s(c); sig != goOn {
			return code, sig
		}
	}
	return code, goOn
}

// Run executes the block as [run.Block] says. It clears c.Exited and c.Dropped
// first: whoever runs a block in the middle of another (an event route)
// keeps and restores them.
func (b *block) Run(c *run.Context) int {
	c.Exited, c.Dropped = false, false
	code, _ := b.call(c)
	return code
}

// call runs the block inside a run.
func (b *block) call(c *run.Context) (code int, ended bool) {
	if c.Depth >= b.prog.maxDepth {
		b.prog.rep.report(c, "routes call each other too deep", b.name)
		return -1, false
	}
	c.Depth++
	outer := c.RouteName
	c.RouteName = b.name
	if t := b.prog.trace; t != nil {
		t(c, &Step{Kind: StepEnter, At: b.pos, Block: b.label(), OK: true})
	}
	code, sig := runBody(c, b.body)
	if t := b.prog.trace; t != nil {
		t(c, &Step{Kind: StepLeave, At: b.pos, Block: b.label(), Code: code, OK: true})
	}
	c.RouteName = outer
	c.Depth--
	switch sig {
	case breaks:
		return 0, false
	case exits:
		return code, true
	}
	return code, false
}

// runKinds maps a block to the kind it has for modules.
func (b *block) runKind() run.Kind {
	switch b.kind {
	case RouteReply:
		if b.name == "" {
			return run.CoreReplyRoute
		}
		return run.ReplyRoute
	case RouteFailure:
		return run.FailureRoute
	case RouteBranch:
		return run.BranchRoute
	case RouteOnSend:
		return run.OnSendRoute
	case RouteEvent:
		if strings.HasPrefix(b.name, branchFailure) {
			return run.BranchFailureRoute | run.EventRoute
		}
		return run.EventRoute
	}
	return run.RequestRoute
}

// branchFailure starts the names of event routes that are branch failure
// routes; t_on_branch_failure names them without it.
const branchFailure = "tm:branch-failure:"

func keyOf(kind run.Kind, name string) blockKey {
	switch {
	case kind&run.BranchFailureRoute != 0:
		if !strings.HasPrefix(name, branchFailure) {
			name = branchFailure + name
		}
		return blockKey{RouteEvent, name}
	case kind&run.EventRoute != 0:
		return blockKey{RouteEvent, name}
	case kind&(run.ReplyRoute|run.CoreReplyRoute) != 0:
		return blockKey{RouteReply, name}
	case kind&run.FailureRoute != 0:
		return blockKey{RouteFailure, name}
	case kind&run.BranchRoute != 0:
		return blockKey{RouteBranch, name}
	case kind&run.OnSendRoute != 0:
		return blockKey{RouteOnSend, name}
	}
	return blockKey{RouteRequest, name}
}

// Block finds a block by what kind it is and its name, "" for the main block
// of a kind; nil when there is none. It is what run.Env.Block wants.
func (p *Program) Block(kind run.Kind, name string) run.Block {
	if b := p.blocks[keyOf(kind, name)]; b != nil {
		return b
	}
	return nil
}

// Events lists the names of the event routes.
func (p *Program) Events() []string {
	var names []string
	for _, b := range p.order {
		if b.kind == RouteEvent {
			names = append(names, b.name)
		}
	}
	return names
}

// Compile makes the program. It must run after Module.Init of every loaded
// module; functions of modules are compiled by them. The error is an
// [ErrorList].
func (c *Config) Compile() (*Program, error) {
	p, errs := c.compile(false)
	if len(errs) > 0 {
		return nil, errs.sort()
	}
	return p, nil
}

// compiler turns routes into closures.
type compiler struct {
	conf *Config
	prog *Program
	errs ErrorList
	// check leaves out what needs initialised modules.
	check bool
	// cur is the route being compiled.
	cur  *block
	dial dialect
	// loops and switches around the statement being compiled.
	breakable int
	// statusTexts are "100" to "699", so that status =~ allocates nothing.
	statusTexts *[700]string
	funcs       map[string]*coreFunc
	// told are the mistakes that several calls share and that one has told.
	told map[string]bool
	// fold is what constants are computed with; nothing reads it.
	fold *run.Context
}

func (c *Config) compile(check bool) (*Program, ErrorList) {
	p := &Program{blocks: make(map[blockKey]*block), maxDepth: max(c.Int("max_recursive_level"), 1), trace: c.env.Trace}
	x := &compiler{conf: c, prog: p, check: check, funcs: coreFuncs(), told: make(map[string]bool), dial: dialectOf(c.File.Flavour), fold: &run.Context{Env: new(run.Env)}}
	type part struct {
		r *Route
		b *block
	}
	var parts []part
	for _, it := range c.File.Items {
		r, ok := it.(*Route)
		if !ok {
			continue
		}
		key := blockKey{r.Kind, r.Name}
		b := p.blocks[key]
		switch {
		case b == nil:
			b = &block{prog: p, kind: r.Kind, name: r.Name, pos: r.NamePos, dial: x.dial}
			p.blocks[key] = b
			p.order = append(p.order, b)
		case r.Name != "":
			x.errs.add(r.NamePos, "%s[%s] is defined twice", r.Kind, r.Name).hint("the first stands at %s", b.pos)
			continue
		}
		parts = append(parts, part{r, b})
	}
	for _, pt := range parts {
		x.cur = pt.b
		pt.b.body = append(pt.b.body, x.stmts(pt.r.Body)...)
	}
	if p.blocks[blockKey{RouteRequest, ""}] == nil {
		end := Pos{c.File.Sources[0], len(c.File.Sources[0].Text), len(c.File.Sources[0].Text)}
		x.errs.add(end, "there is no route").hint("a configuration needs request_route { … }")
	}
	x.reachability()
	return p, x.errs
}

// position is where p stands, kept for run-time messages.
type place struct {
	file string
	line int
}

func placeOf(p Pos) place { return place{p.File(), p.Line()} }

func (p place) enter(c *run.Context) { c.File, c.Line = p.file, p.line }

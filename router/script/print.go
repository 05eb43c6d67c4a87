package script

import (
	"fmt"
	"strings"
)

// Print writes a configuration so that it parses to the same tree: one
// statement a line, every expression in parentheses, defines and includes
// resolved.
func Print(f *File) string {
	p := &printer{}
	for _, it := range f.Items {
		p.item(it)
	}
	return p.b.String()
}

type printer struct {
	b      strings.Builder
	indent int
}

func (p *printer) line(format string, a ...any) {
	p.b.WriteString(strings.Repeat("\t", p.indent))
	fmt.Fprintf(&p.b, format, a...)
	p.b.WriteByte('\n')
}

func printStr(s string, raw bool) string {
	if raw && !strings.Contains(s, "'") {
		return "'" + s + "'"
	}
	return quote(s)
}

func printConst(c Const) string {
	switch {
	case c.Bool:
		return c.Str
	case c.Kind == ConstInt:
		return itoa(c.Int)
	case c.Kind == ConstStr:
		return printStr(c.Str, c.Raw)
	case c.Kind == ConstIP:
		return printHost(c.Str)
	}
	return c.Str
}

// printHost writes a host so that it is read as one: words of the language in
// quotes that do not join with their neighbours.
func printHost(h string) string {
	if n, _ := scanIP(h + " "); n == len(h) && strings.Contains(h, ":") {
		return "[" + h + "]"
	}
	if keywords[h] || h == "virtual" || h == "ADVERTISE" {
		return "'" + h + "'"
	}
	return h
}

func (p *printer) item(it Item) {
	switch it := it.(type) {
	case *Setting:
		p.line("%s = %s", it.Name, printConst(it.Value))
	case *Listen:
		var parts []string
		for _, a := range it.Addrs {
			text := printListen(a)
			if len(parts) > 0 && a.Proto == "" {
				text = "*:" + text // so that a host that starts with a digit is one
			}
			parts = append(parts, text)
		}
		p.line("listen = %s", strings.Join(parts, " "))
	case *Alias:
		var parts []string
		for _, n := range it.Names {
			text := printSocket(n.Proto, n.Host, n.Port)
			if len(parts) > 0 && n.Proto == "" {
				text = "*:" + text
			}
			parts = append(parts, text)
		}
		p.line("alias = %s", strings.Join(parts, " "))
	case *CustomVar:
		inst, desc := "", ""
		if it.Instance != nil {
			inst = fmt.Sprintf("[%d]", *it.Instance)
		}
		if it.Desc != "" {
			desc = " desc " + quote(it.Desc)
		}
		p.line("%s%s.%s = %s%s", it.Group, inst, it.Name, printConst(it.Value), desc)
	case *Flags:
		p.line("flags %s;", printFlags(it.Names))
	case *AVPFlags:
		p.line("avpflags %s;", printFlags(it.Names))
	case *LoadModule:
		p.line("loadmodule %s", quote(it.Path))
	case *LoadPath:
		p.line("loadpath %s", quote(it.Path))
	case *ModParam:
		p.line("modparam(%s, %s, %s)", quote(it.Module), quote(it.Param), printConst(it.Value))
	case *Route:
		p.route(it)
	}
}

func printFlags(names []FlagName) string {
	var parts []string
	for _, f := range names {
		s := quote(f.Name)
		if f.Bit >= 0 {
			s += fmt.Sprintf(":%d", f.Bit)
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, ", ")
}

func printListen(a ListenAddr) string {
	var hosts []string
	for _, h := range a.Hosts {
		hosts = append(hosts, printHost(h))
	}
	s := strings.Join(hosts, ", ")
	if len(hosts) != 1 {
		s = "(" + s + ")"
	}
	if a.Proto != "" {
		s = a.Proto + ":" + s
	}
	if a.Port != 0 {
		s += fmt.Sprintf(":%d", a.Port)
	}
	if a.AdvHost != "" {
		s += " advertise " + printSocket("", a.AdvHost, a.AdvPort)
	}
	if a.Name != "" {
		s += " name " + quote(a.Name)
	}
	if a.Virtual {
		s += " virtual"
	}
	return s
}

func printSocket(proto, host string, port int) string {
	s := printHost(host)
	if proto != "" {
		s = proto + ":" + s
	}
	if port != 0 {
		s += fmt.Sprintf(":%d", port)
	}
	return s
}

func (p *printer) route(r *Route) {
	name := ""
	if r.Name != "" {
		name = "[" + r.Name + "]"
		if r.Kind != RouteEvent {
			name = "[" + quote(r.Name) + "]"
		}
	}
	p.line("%s%s {", r.Kind, name)
	p.stmts(r.Body)
	p.line("}")
}

func (p *printer) stmts(body []Stmt) {
	p.indent++
	for _, s := range body {
		p.stmt(s)
	}
	p.indent--
}

func (p *printer) stmt(s Stmt) {
	switch s := s.(type) {
	case *Empty:
		p.line(";")
	case *CallStmt:
		p.line("%s;", p.expr(s.Call))
	case *Assign:
		p.line("%s = %s;", p.expr(s.Left), p.expr(s.Right))
	case *If:
		p.line("if %s {", p.expr(s.Cond))
		p.stmts(s.Then)
		if s.Else != nil {
			p.line("} else {")
			p.stmts(s.Else)
		}
		p.line("}")
	case *While:
		p.line("while %s {", p.expr(s.Cond))
		p.stmts(s.Body)
		p.line("}")
	case *Switch:
		p.line("switch %s {", p.expr(s.Value))
		for _, c := range s.Cases {
			switch {
			case c.Default:
				p.line("default:")
			case c.Regex:
				p.line("case /%s:", p.expr(c.Label))
			default:
				p.line("case %s:", p.expr(c.Label))
			}
			p.stmts(c.Body)
		}
		p.line("}")
	case *Jump:
		if s.Value != nil {
			p.line("%s %s;", s.Kind, p.expr(s.Value))
		} else {
			p.line("%s;", s.Kind)
		}
	}
}

func (p *printer) expr(e Expr) string {
	switch e := e.(type) {
	case *IntLit:
		if e.Word != "" {
			return e.Word
		}
		return itoa(e.Value)
	case *StrLit:
		return printStr(e.Value, e.Raw)
	case *Var:
		return e.Text
	case *Select:
		return e.Text
	case *Binary:
		return "(" + p.expr(e.X) + " " + e.Op.String() + " " + p.expr(e.Y) + ")"
	case *Unary:
		if e.Op == OpDefined {
			return "(defined " + p.expr(e.X) + ")"
		}
		return "(" + e.Op.String() + "(" + p.expr(e.X) + "))"
	case *Cast:
		if e.Str {
			return "((str)" + p.expr(e.X) + ")"
		}
		return "((int)" + p.expr(e.X) + ")"
	case *Builtin:
		return e.Name + "(" + p.exprs(e.Args) + ")"
	case *Cond:
		if e.Reversed {
			return "(myself " + e.Op.String() + " " + e.Keyword + ")"
		}
		return "(" + e.Keyword + " " + e.Op.String() + " " + p.expr(e.Right) + ")"
	case *Call:
		if e.Bare {
			return e.Name
		}
		return e.Name + "(" + p.exprs(e.Args) + ")"
	case *Name:
		return e.Text
	case *Addr:
		return printAddr(e)
	case *AssignExpr:
		return "(" + p.expr(e.Left) + " = " + p.expr(e.Right) + ")"
	case *BlockExpr:
		sub := &printer{indent: p.indent}
		sub.stmts(e.Body)
		return "{\n" + sub.b.String() + strings.Repeat("\t", p.indent) + "}"
	}
	return "?"
}

func printAddr(a *Addr) string {
	h := a.Host
	if strings.Contains(h, ":") {
		h = "[" + h + "]"
	}
	if a.Proto != "" {
		h = a.Proto + ":" + h
	}
	if a.Mask != "" {
		h += "/" + a.Mask
	}
	if a.Port != 0 {
		h += fmt.Sprintf(":%d", a.Port)
	}
	return h
}

func (p *printer) exprs(list []Expr) string {
	var parts []string
	for _, e := range list {
		parts = append(parts, p.expr(e))
	}
	return strings.Join(parts, ", ")
}

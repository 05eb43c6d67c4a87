package script

import (
	"strconv"
	"strings"
)

// lint warns of what is legal and does not do what it looks like (script.md
// §23): a header that is read after a change that was not applied yet, and a
// request that is answered twice.
func (c *Config) lint() {
	for _, it := range c.File.Items {
		if r, ok := it.(*Route); ok {
			c.lintBlock(r.Body, map[string]Pos{})
		}
	}
}

// lintBlock looks at statements that run one after the other. changed are the
// headers with a pending change, in lower case, and where it was made.
func (c *Config) lintBlock(list []Stmt, changed map[string]Pos) {
	var answered Pos
	for _, s := range list {
		c.readsOf(s, changed)
		switch s := s.(type) {
		case *CallStmt:
			c.applied(s.Call, changed)
			if pos, ok := finalReply(s.Call); ok {
				if answered.IsValid() {
					c.Warnings.add(pos, "the request is answered twice").hint("the first answer stands in line %d; is an exit missing?", answered.Line())
				}
				answered = pos
			}
		case *If:
			c.selfAnswering(s)
			c.lintBlock(s.Then, copied(changed))
			c.lintBlock(s.Else, copied(changed))
		case *While:
			c.lintBlock(s.Body, copied(changed))
		case *Switch:
			for i := range s.Cases {
				c.lintBlock(s.Cases[i].Body, copied(changed))
			}
		case *Jump:
			answered = Pos{}
		}
	}
}

func copied(m map[string]Pos) map[string]Pos {
	n := make(map[string]Pos, len(m))
	for k, v := range m {
		n[k] = v
	}
	return n
}

// changers are the functions that change the header that an argument names,
// alone or as the start of a line.
var changers = map[string]bool{
	"append_hf": true, "insert_hf": true, "remove_hf": true, "remove_hf_exp": true, "subst_hf": true, "append_urihf": true,
}

// applied notes what a call leaves pending, or that nothing is pending any more.
func (c *Config) applied(e *Call, changed map[string]Pos) {
	if e.Name == "msg_apply_changes" {
		clear(changed)
		return
	}
	if !changers[e.Name] || len(e.Args) == 0 {
		return
	}
	lit, ok := e.Args[0].(*StrLit)
	if !ok {
		return
	}
	name, _, _ := strings.Cut(lit.Value, ":")
	if name = strings.ToLower(strings.TrimSpace(name)); name != "" && !strings.ContainsAny(name, "$ ^") {
		changed[name] = e.Pos
	}
}

// readsOf warns of reads of changed headers in a statement, but not in the
// blocks below it.
func (c *Config) readsOf(s Stmt, changed map[string]Pos) {
	if len(changed) == 0 {
		return
	}
	walk(s, func(n Node) {
		name, what := "", ""
		switch n := n.(type) {
		case *Var:
			if _, inner, ok := strings.Cut(n.Text, "hdr("); ok {
				name, _, _ = strings.Cut(inner, ")")
				what = "$hdr(" + name + ")"
			}
		case *Call:
			if n.Name == "is_present_hf" && len(n.Args) == 1 {
				name, _ = constText(n.Args[0])
				what = "is_present_hf"
			}
		}
		if at, ok := changed[strings.ToLower(name)]; ok && name != "" {
			c.Warnings.add(n.Position(), "%s does not see the change in line %d yet", what, at.Line()).
				hint("changes are made when the message is sent; msg_apply_changes() of textopsx makes them now")
		}
	})
}

// repliers are the functions that answer with the code of their first argument.
var repliers = map[string]bool{"sl_send_reply": true, "send_reply": true, "t_reply": true}

func finalReply(e *Call) (Pos, bool) {
	if !repliers[e.Name] || len(e.Args) == 0 {
		return Pos{}, false
	}
	text, ok := constText(e.Args[0])
	code, err := strconv.Atoi(text)
	return e.NamePos, ok && err == nil && code >= 200
}

// selfAnswering warns of if (!save(…)) sl_reply_error(): save has answered.
func (c *Config) selfAnswering(s *If) {
	not, ok := s.Cond.(*Unary)
	if !ok || not.Op != OpNot || len(s.Then) == 0 {
		return
	}
	call, ok := not.X.(*Call)
	first, isCall := s.Then[0].(*CallStmt)
	if !ok || !isCall || call.Name != "save" {
		return
	}
	if _, final := finalReply(first.Call); final || first.Call.Name == "sl_reply_error" {
		c.Warnings.add(first.Pos, "the request is answered twice").hint("save() has sent the reply itself when it fails")
	}
}

// walk calls f for the expressions of a statement; blocks below it are left
// out.
func walk(s Stmt, f func(Node)) {
	switch s := s.(type) {
	case *CallStmt:
		walkExpr(s.Call, f)
	case *Assign:
		walkExpr(s.Right, f)
	case *If:
		walkExpr(s.Cond, f)
	case *While:
		walkExpr(s.Cond, f)
	case *Switch:
		walkExpr(s.Value, f)
	case *Jump:
		walkExpr(s.Value, f)
	}
}

func walkExpr(e Expr, f func(Node)) {
	if e == nil {
		return
	}
	f(e)
	switch e := e.(type) {
	case *Binary:
		walkExpr(e.X, f)
		walkExpr(e.Y, f)
	case *Unary:
		walkExpr(e.X, f)
	case *Cast:
		walkExpr(e.X, f)
	case *Cond:
		walkExpr(e.Right, f)
	case *AssignExpr:
		walkExpr(e.Right, f)
	case *Builtin:
		for _, a := range e.Args {
			walkExpr(a, f)
		}
	case *Call:
		for _, a := range e.Args {
			walkExpr(a, f)
		}
	}
}

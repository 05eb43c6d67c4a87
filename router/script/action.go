package script

import (
	"sipd/router/module"
	"sipd/router/run"
)

// The numbers of actions that Kamailio 5.6 prints (route_struct.h).
const (
	actionJump   = 2
	actionRoute  = 5
	actionIf     = 16
	actionSwitch = 21
	actionWhile  = 23
	actionModule = 24 // and the number of arguments, at most 7
	actionAssign = 63
)

// coreActions are the numbers and words of core functions.
var coreActions = map[string]struct {
	number int
	word   string
}{
	"forward": {1, "forward"}, "log": {3, "log"}, "error": {4, "error"},
	"rewritehost": {7, "sethost"}, "rewritehostport": {8, "sethostport"}, "rewriteuser": {9, "setuser"},
	"rewriteuserpass": {10, "setuserpass"}, "rewriteport": {11, "setport"}, "rewriteuri": {12, "seturi"},
	"rewritehostporttrans": {13, "sethostporttrans"}, "userphone": {15, "setuserphone"},
	"setflag": {39, "setflag"}, "resetflag": {40, "resetflag"}, "isflagset": {41, "isflagset"},
	"len_gt": {43, "lengt"}, "prefix": {44, "prefix"}, "strip": {45, "strip"}, "strip_tail": {46, "striptail"},
	"append_branch": {47, "append_branch"}, "revert_uri": {50, "reverturi"},
	"forward_tcp": {51, "forward_tcp"}, "forward_udp": {52, "forward_udp"},
	"force_rport": {55, "force_rport"}, "add_rport": {55, "force_rport"}, "add_local_rport": {56, "add_local_rport"},
	"set_advertised_address": {57, "set_adv_addr"}, "set_advertised_port": {58, "set_adv_port"},
	"force_tcp_alias": {59, "force_tcp_alias"}, "add_tcp_alias": {59, "force_tcp_alias"},
	"force_send_socket":      {62, "force_send_socket"},
	"set_forward_no_connect": {66, "set_fwd_no_connect"}, "set_reply_no_connect": {67, "set_rpl_no_connect"},
	"set_forward_close": {68, "set_fwd_close"}, "set_reply_close": {69, "set_rpl_close"},
	"cfg_select": {70, "cfg_select"}, "cfg_reset": {71, "cfg_reset"},
}

// action describes a call.
func (x *compiler) action(e *Call) *module.Action {
	a := &module.Action{File: e.Pos.File(), Line: e.Pos.Line(), Name: e.Name}
	core, known := coreActions[e.Name]
	_, isCore := x.funcs[e.Name]
	switch {
	case e.Name == "route":
		a.Type = actionRoute
	case isCore && known:
		a.Type, a.Name = core.number, core.word
	default:
		a.Type = actionModule + min(len(e.Args), 7)
	}
	return a
}

// watchedCall tells a call before it is made. Without a hook it stays as it is.
func (x *compiler) watchedCall(e *Call, f callFunc) callFunc {
	h := x.conf.env.Hooks
	if f == nil || x.check || h == nil || h.Action == nil {
		return f
	}
	tell, a := h.Action, x.action(e)
	return func(c *run.Context) (int, bool) {
		tell(c, a)
		return f(c)
	}
}

// watched tells a statement before it is executed, and the value of an
// assignment afterwards. Calls are told by watchedCall, wherever they stand.
func (x *compiler) watched(s Stmt, f stmtFunc) stmtFunc {
	h := x.conf.env.Hooks
	if f == nil || x.check || h == nil || h.Action == nil {
		return f
	}
	pos := s.Position()
	a := &module.Action{File: pos.File(), Line: pos.Line()}
	switch s := s.(type) {
	case *Assign:
		a.Type, a.Name = actionAssign, "assign"
		f = x.assigned(s, f)
	case *If:
		a.Type, a.Name = actionIf, "if"
	case *While:
		a.Type, a.Name = actionWhile, "while"
	case *Switch:
		a.Type, a.Name = actionSwitch, "switch"
	case *Jump:
		a.Type, a.Name = actionJump, jumpWords[s.Kind]
	default:
		return f
	}
	tell := h.Action
	return func(c *run.Context) (int, signal) {
		tell(c, a)
		return f(c)
	}
}

var jumpWords = map[JumpKind]string{JumpBreak: "break", JumpReturn: "return", JumpExit: "exit", JumpDrop: "drop"}

// assigned tells a variable after its assignment.
func (x *compiler) assigned(s *Assign, f stmtFunc) stmtFunc {
	tell := x.conf.env.Hooks.Assigned
	lv, ok := s.Left.(*Var)
	if tell == nil || !ok {
		return f
	}
	v, ok := x.pvar(lv)
	if !ok {
		return f
	}
	return func(c *run.Context) (int, signal) {
		code, sig := f(c)
		if sig == goOn {
			tell(c, &v)
		}
		return code, sig
	}
}

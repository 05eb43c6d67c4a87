package tmx

import (
	"fmt"
	"strconv"
	"strings"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/tm"
)

func (x *tmx) functions() []module.Function {
	is := func(name, help string, kind run.Kind) module.Function {
		return module.Function{Name: name, Help: help, In: run.AnyRoute, New: func(module.Args) (run.Func, error) {
			return func(c *run.Context) int { return truth(c.Route&kind != 0) }, nil
		}}
	}
	str := func(names ...string) []module.Arg {
		var as []module.Arg
		for _, n := range names {
			as = append(as, module.Arg{Name: n, Type: module.ArgFormat})
		}
		return as
	}
	refused := func(name, why string, args ...module.Arg) module.Function {
		return module.Function{Name: name, Help: "refused: " + why, Args: args, In: run.AnyRoute, New: func(module.Args) (run.Func, error) {
			return nil, fmt.Errorf("%s is not known here; %s", name, why)
		}}
	}
	return []module.Function{
		is("t_is_branch_route", "true in a branch_route", run.BranchRoute),
		is("t_is_failure_route", "true in a failure_route", run.FailureRoute),
		is("t_is_reply_route", "true in an onreply_route", run.ReplyRoute|run.CoreReplyRoute),
		is("t_is_request_route", "true in the request route", run.RequestRoute),
		{Name: "t_cancel_branches", Help: "cancel branches: \"all\", \"others\" or \"this\"", Args: []module.Arg{{Name: "which", Type: module.ArgConst}}, In: run.ReplyRoute | run.FailureRoute, New: newCancelBranches},
		{Name: "t_cancel_callid", Help: "cancel the INVITE of a Call-ID and CSeq; a flag is set on it, or -1", Args: []module.Arg{
			{Name: "callid", Type: module.ArgFormat},
			{Name: "cseq", Type: module.ArgFormat},
			{Name: "flag", Type: module.ArgInt},
			{Name: "code", Type: module.ArgInt, Optional: true},
		}, In: run.AnyRoute, New: x.newCancelCall},
		{Name: "t_reply_callid", Help: "answer the request of a Call-ID and CSeq", Args: append(str("callid", "cseq"), module.Arg{Name: "code", Type: module.ArgInt}, module.Arg{Name: "reason", Type: module.ArgFormat}), In: run.AnyRoute, New: x.newReplyCall},
		{Name: "t_precheck_trans", Help: "true while another worker is at the same request", In: run.RequestRoute, New: x.newPrecheck},
		{Name: "t_flush_flags", Help: "copy the flags to the transaction", In: inTx, New: func(module.Args) (run.Func, error) {
			return func(c *run.Context) int {
				t := tm.Of(c)
				if t == nil {
					return -1
				}
				t.SetFlags(c.Flags)
				return 1
			}, nil
		}},
		refused("t_flush_xflags", "there are no extended flags; use t_flush_flags()"),
		{Name: "t_suspend", Help: "let the request, or in a reply route the reply, wait for t_continue(); makes the transaction", In: run.AnyRoute, New: func(module.Args) (run.Func, error) {
			return func(c *run.Context) int { return x.table.Suspend(c) }, nil
		}},
		{Name: "t_continue", Help: "run a route block on what is suspended: index and label are $T(id_index) and $T(id_label) of it", Args: []module.Arg{
			{Name: "index", Type: module.ArgInt},
			{Name: "label", Type: module.ArgInt},
			{Name: "route", Type: module.ArgFormat, Route: run.RequestRoute},
		}, In: run.AnyRoute, New: x.newContinue},
		{Name: "t_reuse_branch", Help: "make the branch that failed the request URI again", In: run.BranchFailureRoute | run.EventRoute, New: func(module.Args) (run.Func, error) {
			return func(c *run.Context) int {
				t := tm.Of(c)
				return truth(t != nil && c.Route == run.BranchFailureRoute && t.Reuse(c, c.Branch))
			}, nil
		}},
		{Name: "t_drop", Help: "end the transaction without a reply, and the script; the code is what it ended with, 500 without one", Args: []module.Arg{{Name: "code", Type: module.ArgInt, Optional: true}}, In: run.AnyRoute, New: newDrop},
	}
}

func truth(b bool) int {
	if b {
		return 1
	}
	return -1
}

func (x *tmx) newContinue(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		name := a.Str(c, 2)
		route := c.Env.Block(run.RequestRoute, name)
		if route == nil {
			return -1
		}
		return truth(x.table.Continue(uint32(a.Int(c, 0, 0)), uint32(a.Int(c, 1, 0)), route, name))
	}, nil
}

func newDrop(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		t := tm.Of(c)
		if t == nil {
			return -1
		}
		t.Drop(a.Int(c, 0, 500))
		return 0
	}, nil
}

func newCancelBranches(a module.Args) (run.Func, error) {
	which := strings.ToLower(a[0].Const.Text())
	if which != "all" && which != "others" && which != "this" {
		return nil, &module.ArgError{I: 0, Err: fmt.Errorf(`t_cancel_branches takes "all", "others" or "this", not %q`, which)}
	}
	return func(c *run.Context) int {
		t := tm.Of(c)
		if t == nil {
			return -1
		}
		keep, only := -1, -1
		switch which {
		case "others":
			keep = c.Branch
		case "this":
			only = c.Branch
		}
		t.CancelBranches(keep, only)
		return 1
	}, nil
}

// find is the transaction of a Call-ID and a CSeq as the script writes it: the
// number, or number and method.
func (x *tmx) find(callID, cseq string) *tm.Transaction {
	num, method, _ := strings.Cut(strings.TrimSpace(cseq), " ")
	n, err := strconv.ParseUint(num, 10, 32)
	if err != nil {
		return nil
	}
	return x.table.FindCall(callID, uint32(n), strings.TrimSpace(method))
}

func (x *tmx) newCancelCall(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		t := x.find(a.Str(c, 0), a.Str(c, 1))
		if t == nil {
			return -1
		}
		flag, code := a.Int(c, 2, -1), a.Int(c, 3, 0)
		t.Do(func(t *tm.Transaction) {
			if flag >= 0 && flag < 32 {
				t.SetFlags(t.Flags() | 1<<flag)
			}
			reason := ""
			if code >= 100 && code <= 699 {
				reason = "Reason: SIP;cause=" + strconv.Itoa(code) + "\r\n"
			}
			t.Cancel(reason)
		})
		return 1
	}, nil
}

func (x *tmx) newReplyCall(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		t := x.find(a.Str(c, 0), a.Str(c, 1))
		code := a.Int(c, 2, 0)
		if t == nil || code < 100 || code > 699 {
			return -1
		}
		return truth(t.Answer(code, a.Str(c, 3), "", "", ""))
	}, nil
}

// newPrecheck is always false: a repetition never reaches the script while its
// transaction lives, and without one there is nothing to compare with.
func (x *tmx) newPrecheck(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		if tm.Of(c) != nil {
			return -1
		}
		found, _ := x.table.Check(c)
		return truth(found == tm.Repetition)
	}, nil
}

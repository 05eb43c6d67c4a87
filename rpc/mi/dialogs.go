package mi

import (
	"context"

	"sipd/rpc"
)

// The commands of dialog.

// noDialog is how 2010 writes that no dialog has a Call-ID and tag.
var noDialog = &Reply{Code: 404, Reason: "Nu such dialog"}

// found replaces the reply when a dialog was asked for and is not there.
func found(c *rpc.Call) *Reply {
	if !c.Has(0) {
		return nil
	}
	for range c.Values() {
		return nil
	}
	return noDialog
}

// dialogs writes a node a dialog.
func dialogs(t *Tree, c *rpc.Call) {
	for v := range c.Values() {
		t.dialog(members(v))
	}
}

// dialogsInside is dialogs with the context that modules would add.
func dialogsInside(t *Tree, c *rpc.Call) {
	for v := range c.Values() {
		t.dialog(members(v))
		t.Node(1, "context", "")
	}
}

func (t *Tree) dialog(d rpc.Struct) {
	caller, callee := members(member(d, "caller")), members(member(d, "callee"))
	t.Node(0, "dialog", "", "hash", field(d, "h_entry")+":"+field(d, "h_id"))
	for _, n := range []struct {
		name, member string
		of           rpc.Struct
	}{
		{"state", "state", d},
		{"ref_count", "ref", d},
		{"timestart", "start_ts", d},
		{"timeout", "timeout", d},
		{"callid", "call-id", d},
		{"from_uri", "from_uri", d},
		{"from_tag", "tag", caller},
		{"caller_contact", "contact", caller},
		{"caller_cseq", "cseq", caller},
		{"caller_route_set", "route_set", caller},
		{"caller_bind_addr", "socket", caller},
		{"callee_bind_addr", "socket", callee},
		{"to_uri", "to_uri", d},
		{"to_tag", "tag", callee},
		{"callee_contact", "contact", callee},
		{"callee_cseq", "cseq", callee},
		{"callee_route_set", "route_set", callee},
	} {
		t.Node(1, n.name, text(member(n.of, n.member)))
	}
}

// endForm is dlg_end_dlg's: the two numbers of a dialog, and headers.
func endForm(args []string) ([]string, *Reply) {
	if len(args) < 2 {
		return nil, wrongCount
	}
	if !isAnyNumber(args[0]) || !isAnyNumber(args[1]) {
		return nil, badArgument
	}
	if len(args) > 2 && args[2] != "" {
		return args[:3], nil
	}
	return args[:2], nil
}

var endFaults = instead(map[string]string{"Dialog not found": "404 Requested Dialog not found", "": "500 Operation failed"})

// terminate is dlg_terminate_dlg: the dialog of a Call-ID, of the tag of the
// caller and of that of the callee where they are given, ends.
func (s *Server) terminate(ctx context.Context, who *rpc.Caller, args []string) *Reply {
	if len(args) < 1 || len(args) > 3 {
		return wrongCount
	}
	find, fault := s.dispatch(ctx, who, "dlg.dlg_list", args[:min(len(args), 2)])
	if fault != nil {
		return &Reply{Code: fault.Code, Reason: fault.Text}
	}
	defer find.Done()
	for v := range find.Values() {
		d := members(v)
		if len(args) == 3 && args[2] != field(members(member(d, "callee")), "tag") {
			continue
		}
		end, fault := s.dispatch(ctx, who, "dlg.end_dlg", []string{field(d, "h_entry"), field(d, "h_id")})
		if fault != nil {
			return endFaults(fault)
		}
		return &Reply{Code: 200, Reason: "OK", call: end}
	}
	return noDialog
}

// profileForm is that of the commands of profiles: a name, and a value.
func profileForm(args []string) ([]string, *Reply) {
	switch {
	case len(args) < 1 || len(args) > 2 || args[0] == "":
		return nil, wrongCount
	case len(args) == 2 && args[1] == "":
		return nil, badArgument
	}
	return args, nil
}

var profileFaults = instead(map[string]string{"Profile not found": "404 Profile not found"})

// profileSize writes how many dialogs are in a profile.
func profileSize(t *Tree, c *rpc.Call) {
	for v := range c.Values() {
		t.Node(0, "profile", "", "name", c.Str(0), "value", c.Str(1), "count", text(v))
	}
}

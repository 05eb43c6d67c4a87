package mi

import (
	"context"
	"strconv"
	"strings"

	"sipd/rpc"
)

// The commands of the daemon itself, of shared variables and of cfgutils.

// uptime writes what the elders wrote: Now, Up since, Up time.
func uptime(t *Tree, c *rpc.Call) {
	for v := range c.Values() {
		s := members(v)
		t.Node(0, "Now", text(member(s, "now")))
		t.Node(0, "Up since", text(member(s, "up_since")))
		t.Node(0, "Up time", text(member(s, "uptime"))+" [sec]")
	}
}

// version writes which program this is.
func version(t *Tree, c *rpc.Call) {
	for v := range c.Values() {
		s := members(v)
		t.Node(0, "Server", text(member(s, "version")))
		t.Node(0, "Build", strings.TrimSpace(text(member(s, "compiled"))+" "+text(member(s, "compiler"))))
		t.Node(0, "Flags", text(member(s, "flags")))
		t.Node(0, "GIT", text(member(s, "id")))
	}
}

// processes writes a node a process: its figures are attributes.
func processes(t *Tree, c *rpc.Call) {
	for v := range c.Values() {
		s := members(v)
		t.Node(0, "Process", "", "ID", text(member(s, "IDX")), "PID", text(member(s, "PID")), "Type", text(member(s, "DSC")))
	}
}

// debug reads or sets the log level: by corex where that is, else by the methods
// of cfg_rpc.
func (s *Server) debug(ctx context.Context, who *rpc.Caller, args []string) *Reply {
	method, arg := "corex.debug", args
	if _, ok := s.Registry.Lookup(method); !ok {
		method, arg = "cfg.get", []string{"core", "debug"}
	}
	if len(args) > 0 {
		if _, err := strconv.ParseInt(args[0], 10, 32); err != nil {
			return badArgument
		}
		if arg = args[:1]; method == "cfg.get" {
			method, arg = "cfg.set_now_int", []string{"core", "debug", args[0]}
		}
	}
	call, fault := s.dispatch(ctx, who, method, arg)
	if fault != nil {
		return &Reply{Code: fault.Code, Reason: fault.Text}
	}
	return &Reply{Code: 200, Reason: "OK", call: call, Lines: func(t *Tree) {
		now := ""
		if len(args) > 0 {
			now = args[0]
		} else {
			for v := range call.Values() {
				if now = text(v); now == "" {
					now = text(member(members(v), "debug"))
				}
			}
		}
		t.Node(0, "DEBUG", now)
	}}
}

// shared writes shared variables of the script.
func shared(t *Tree, c *rpc.Call) {
	one := func(v rpc.Value) {
		s := members(v)
		kind := field(s, "type")
		if kind == "int" {
			kind = "integer"
		}
		t.Node(0, "VAR", field(s, "name"), "type", kind, "value", text(member(s, "value")))
	}
	for v := range c.Values() {
		items, all := member(members(v), "items").(rpc.Struct)
		if !all {
			one(v)
			continue
		}
		for e := range elements(items) {
			one(e)
		}
	}
}

// setShared is shv_set: it changes a variable that is there.
func (s *Server) setShared(ctx context.Context, who *rpc.Caller, args []string) *Reply {
	if len(args) < 1 {
		return wrongCount
	}
	if args[0] == "" {
		return &Reply{Code: 500, Reason: "bad shv name"}
	}
	if _, fault := s.dispatch(ctx, who, "pv.shvGet", args[:1]); fault != nil {
		return sharedFaults(fault)
	}
	if len(args) < 3 {
		return wrongCount
	}
	kind := "int"
	if strings.HasPrefix(strings.ToLower(args[1]), "s") {
		kind = "str"
	}
	if _, err := strconv.ParseInt(args[2], 10, 32); kind == "int" && err != nil {
		return &Reply{Code: 500, Reason: "bad integer value"}
	}
	call, fault := s.dispatch(ctx, who, "pv.shvSet", []string{args[0], kind, args[2]})
	if fault != nil {
		return sharedFaults(fault)
	}
	return &Reply{Code: 200, Reason: "OK", call: call}
}

var sharedFaults = instead(map[string]string{"Variable not found": "404 Not found"})

// flagForm is that of commands of global flags: a bitmap that is not empty.
func flagForm(args []string) ([]string, *Reply) {
	if len(args) < 1 {
		return nil, wrongCount
	}
	if n, err := strconv.ParseUint(args[0], 0, 32); err != nil || n == 0 {
		return nil, badArgument
	}
	return args[:1], nil
}

// globalFlags writes the flags twice, hexadecimal and decimal.
func globalFlags(t *Tree, c *rpc.Call) {
	for v := range c.Values() {
		hex, decimal, _ := strings.Cut(text(v), " ")
		t.Node(0, "", hex)
		t.Node(0, "", strings.Trim(decimal, "()"))
	}
}

// percentForm is rand_set_prob's.
func percentForm(args []string) ([]string, *Reply) {
	if len(args) < 1 {
		return nil, wrongCount
	}
	if n, err := strconv.ParseUint(args[0], 10, 32); err != nil || n > 100 {
		return nil, badArgument
	}
	return args[:1], nil
}

var noHash = &Reply{Code: 404, Reason: "Functionality disabled"}

var hasHash = told(map[string]*Reply{"": noHash})

const identical = "The actual config file hash is identical to the stored one."

// sameHash replaces the reply when the configuration is not what it was.
var sameHash = told(map[string]*Reply{"Different hash": {
	Code: 400, Reason: "Error", Lines: func(t *Tree) {
		t.Node(0, "", "The actual config file hash is not identical to the stored one.")
	},
}})

var hashFileFaults = instead(map[string]string{"No hash file": "404 Functionality disabled", "": "500 Server Internal Error"})

// watchersForm is refreshWatchers': presentity, event, type of refresh.
func watchersForm(args []string) ([]string, *Reply) {
	full := append(append([]string(nil), args...), "", "", "")
	switch {
	case len(args) > 0 && full[0] == "":
		return nil, &Reply{Code: 404, Reason: "Empty presentity URI"}
	case len(args) > 1 && full[1] == "":
		return nil, &Reply{Code: 400, Reason: "Empty event parameter"}
	case len(args) > 2 && full[2] == "":
		return nil, &Reply{Code: 400, Reason: "Empty refresh type parameter"}
	case len(args) > 3:
		return nil, &Reply{Code: 400, Reason: "Too many parameters"}
	case len(args) < 3 || !isNumber(full[2]):
		return nil, &Reply{Code: 500, Reason: "command 'refreshWatchers' failed"}
	}
	return args, nil
}

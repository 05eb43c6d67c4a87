package mirpc

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"sipd/router/module"
	"sipd/rpc"
)

// TestForms calls one command by each of the methods.
func TestForms(t *testing.T) {
	m := New().(*miRPC)
	reg := rpc.NewRegistry()
	uptime := &rpc.Method{Name: "core.uptime", Handler: func(_ context.Context, c *rpc.Call) error {
		c.Add(rpc.Struct{rpc.M("now", rpc.String("Mon")), rpc.M("up_since", rpc.String("Sun")), rpc.M("uptime", rpc.Int(17))})
		return nil
	}}
	remove := &rpc.Method{Name: "ul.rm", Changes: true, Handler: func(context.Context, *rpc.Call) error {
		return &rpc.Fault{Code: 404, Text: "AOR not found"}
	}}
	if err := reg.Add(append(m.Exports().RPC, uptime, remove)...); err != nil {
		t.Fatal(err)
	}
	if err := m.Init(t.Context(), &module.Host{RPC: reg, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		method, command string
		role            rpc.Role
		want            []string
		fault           string
	}{
		{method: "mi", command: "uptime", want: []string{"Now:: Mon", "Up since:: Sun", "Up time:: 17 [sec]"}},
		{method: "mi_fifo", command: "uptime", want: []string{"200 OK\n", "Now:: Mon\n", "Up since:: Sun\n", "Up time:: 17 [sec]\n", "\n"}},
		{method: "mi_dg", command: "ul_rm location alice", want: []string{"404 AOR not found\n"}},
		{method: "mi_xmlrpc", command: "ul_rm location alice", fault: "404 AOR not found"},
		{method: "mi", command: "ul_rm location alice", role: rpc.ReadOnly, fault: "403 ul.rm changes the daemon and the role of test is read-only"},
		{method: "mi", command: "no_such", fault: "500 command not available"},
		{method: "mi", fault: "500 command parameter missing"},
	} {
		var args []rpc.Value
		for word := range strings.FieldsSeq(tt.command) {
			args = append(args, rpc.String(word))
		}
		who := rpc.Trusted("test")
		if tt.role != rpc.None {
			who.Role = tt.role
		}
		w := rpc.Wire{Kind: rpc.BinRPC, Log: slog.New(slog.DiscardHandler)}
		c, f := w.Dispatch(t.Context(), reg, who, tt.method, rpc.Values(args...))
		if (f == nil) != (tt.fault == "") || f != nil && f.Error() != tt.fault {
			t.Errorf("%s %s: fault %v, want %q", tt.method, tt.command, f, tt.fault)
			continue
		}
		if f != nil {
			continue
		}
		got := c.Reply()
		for i, want := range tt.want {
			if i >= len(got) || got[i] != rpc.String(want) {
				t.Errorf("%s %s answers %q, want %q", tt.method, tt.command, got, tt.want)
				break
			}
		}
		if len(got) != len(tt.want) {
			t.Errorf("%s %s answers %d texts, want %d", tt.method, tt.command, len(got), len(tt.want))
		}
	}
}

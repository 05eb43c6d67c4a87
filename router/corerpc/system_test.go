package corerpc

import (
	"testing"

	"sipd/rpc"
)

func TestSignature(t *testing.T) {
	c, _ := start(t, newFake(t))
	for _, tt := range []struct{ method, want string }{
		{"core.uptime", "struct {\n  struct {\n    str 'struct'\n  struct }\nstruct }"},
		{"core.kill", "struct {\n  struct {\n    str 'nil'\n  struct }\n  struct {\n    str 'nil'\n    str 'int'\n  struct }\nstruct }"},
		{"core.echo", "struct {\n  struct {\n    str 'array'\n  struct }\n  struct {\n    str 'array'\n    str 'string'\n  struct }\nstruct }"},
		{"no.such", "int 400\nstr 'command not found'"},
	} {
		if got := call(t, c, "system.methodSignature", rpc.String(tt.method)); got != tt.want {
			t.Errorf("the signature of %s is\n%s\nwant\n%s", tt.method, got, tt.want)
		}
	}
	if got := call(t, c, "system.methodSignature"); got != "int 400\nstr 'Method Name Expected'" {
		t.Errorf("without a name: %s", got)
	}
}

func TestDescribe(t *testing.T) {
	c, _ := start(t, newFake(t))
	const want = "struct {\n  avp 'name'\n  str 'core.kill'\n  avp 'help'\n  str 'Answers, then sends the server a signal (15 unless told).'\n" +
		"  avp 'list'\n  int 0\n  avp 'changes'\n  int 1\n  avp 'reply'\n  str ''\n  avp 'example'\n  str '15'\n  avp 'params'\n  struct {\n    struct {\n" +
		"      avp 'name'\n      str 'signal'\n      avp 'type'\n      str 'int'\n      avp 'optional'\n      int 1\n      avp 'convert'\n      int 0\n" +
		"      avp 'rest'\n      int 0\n      avp 'help'\n      str 'number of the signal'\n    struct }\n  struct }\nstruct }"
	if got := call(t, c, "system.describe", rpc.String("core.kill")); got != want {
		t.Errorf("core.kill is described as\n%s\nwant\n%s", got, want)
	}
	if got := call(t, c, "system.describe", rpc.String("core.kill"), rpc.String("no.such")); got != "int 400\nstr 'command not found'" {
		t.Errorf("an unknown name among others: %s", got)
	}
	all, err := c.Call(t.Context(), "system.describe")
	names, err2 := c.Call(t.Context(), "system.listMethods")
	if err != nil || err2 != nil || len(all) != len(names) {
		t.Fatalf("%d descriptions of %d methods, %v, %v", len(all), len(names), err, err2)
	}
	for i, d := range all {
		if got := member(t, d, "name"); got != names[i] {
			t.Errorf("description %d is of %v, want %v", i, got, names[i])
		}
	}
}

func TestMulticall(t *testing.T) {
	c, _ := start(t, newFake(t))
	one := func(method string, params ...rpc.Value) rpc.Value {
		return rpc.Struct{rpc.M("methodName", rpc.String(method)), rpc.M("params", rpc.Array(params))}
	}
	calls := rpc.Array{
		one("core.printi", rpc.Int(1), rpc.Int(2)), one("cnt.get", rpc.String("sl"), rpc.String("400_replies")),
		one("no.such"), one("system.multicall"), rpc.Int(5),
	}
	const want = "struct {\n  struct {\n    struct {\n      int 1\n      int 2\n    struct }\n  struct }\n  struct {\n    int 19\n  struct }\n" +
		"  struct {\n    avp 'faultCode'\n    int 500\n    avp 'faultString'\n    str 'command no.such not found'\n  struct }\n" +
		"  struct {\n    avp 'faultCode'\n    int 400\n    avp 'faultString'\n    str 'system.multicall does not call itself'\n  struct }\n" +
		"  struct {\n    avp 'faultCode'\n    int 400\n    avp 'faultString'\n    str 'a call is a structure {methodName, params}'\n  struct }\nstruct }"
	if got := call(t, c, "system.multicall", calls); got != want {
		t.Errorf("system.multicall answers\n%s\nwant\n%s", got, want)
	}
	many := make(rpc.Array, maxCalls+1)
	for i := range many {
		many[i] = rpc.Int(1)
	}
	if got := call(t, c, "system.multicall", many); got != "int 400\nstr 'system.multicall takes 1000 calls at most, not 1001'" {
		t.Errorf("too many calls: %.200s", got)
	}
	if got := call(t, c, "system.multicall", rpc.Int(1)); got != "int 400\nstr 'system.multicall wants one array of structures {methodName, params}'" {
		t.Errorf("not an array: %s", got)
	}
}

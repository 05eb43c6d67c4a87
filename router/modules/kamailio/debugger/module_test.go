package debugger

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sipd/router/module"
	"sipd/router/module/moduletest"
	"sipd/router/run"
	"sipd/rpc"
)

const request = "OPTIONS sip:a@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n" +
	"From: <sip:a@example.org>;tag=1\r\nTo: <sip:b@example.org>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"

func start(t *testing.T, params ...any) (*moduletest.Rig, *run.Context) {
	t.Helper()
	r := moduletest.New(t, New())
	for i := 0; i < len(params); i += 2 {
		r.Param("debugger", params[i].(string), params[i+1])
	}
	r.Start()
	c := r.Message(request)
	c.ID = 7
	c.Route = run.RequestRoute
	return r, c
}

var someAction = &module.Action{File: "a.cfg", Line: 3, Type: 16, Name: "if"}

func call(r *moduletest.Rig, method string, args ...rpc.Value) string {
	vals, err := r.RPCCall(method, args...)
	if err != nil {
		return err.Error()
	}
	return strings.Trim(fmt.Sprint(vals), "[]")
}

func TestTraceLine(t *testing.T) {
	r, c := start(t, "cfgtrace", 1)
	r.Host.Hooks.Action(c, someAction)
	const want = "*** cfgtrace:dbg_cfg_trace(): request_route=[DEFAULT_ROUTE] c=[a.cfg] l=3 a=16 n=if"
	if log := r.Log(); !strings.Contains(log, want) || !strings.Contains(log, "level=ERROR") {
		t.Errorf("log %q lacks %q at level ERROR", log, want)
	}
	if got := call(r, "dbg.trace", rpc.String("off")); got != "200 ok" {
		t.Errorf("dbg.trace off: %s", got)
	}
	before := r.Log()
	r.Host.Hooks.Action(c, someAction)
	if r.Log() != before {
		t.Errorf("the trace goes on after dbg.trace off: %q", r.Log())
	}
}

func TestTraceFormatPrefixAndLevel(t *testing.T) {
	r, c := start(t, "cfgtrace", 1, "cfgtrace_format", 1, "log_prefix", "trace: ", "log_level", 2, "log_level_name", "exec")
	c.Route, c.RouteName = run.FailureRoute, "BUSY"
	r.Host.Hooks.Action(c, someAction)
	const want = `level=INFO msg="trace: dbg_cfg_trace(): failure_route=[BUSY] l=3 a=16 n=if" level_name=exec`
	if log := r.Log(); !strings.Contains(log, want) {
		t.Errorf("log %q lacks %q", log, want)
	}
}

func TestFaults(t *testing.T) {
	r, _ := start(t)
	s := func(x string) rpc.Value { return rpc.String(x) }
	for _, tt := range []struct {
		method string
		args   []rpc.Value
		want   string
	}{
		{"dbg.bp", []rpc.Value{s("list")}, "500 Unknown inner command"},
		{"dbg.bp", []rpc.Value{s("next")}, "500 Missing pid parameter"},
		{"dbg.bp", []rpc.Value{s("next"), rpc.Int(1)}, "500 No such pid"},
		{"dbg.bp", []rpc.Value{s("next"), rpc.Int(os.Getpid())}, "500 No such pid"},
		{"dbg.bp", []rpc.Value{s("on"), rpc.Int(1)}, "500 No such pid"},
		{"dbg.trace", []rpc.Value{s("list")}, "500 Unknown trace command"},
		{"dbg.set_mod_level", []rpc.Value{s("tm"), rpc.Int(1)}, "500 cannot store parameter"},
		{"dbg.get_mod_facility", []rpc.Value{s("tm")}, "LOG_DAEMON"},
		{"dbg.reset_msgid", nil, "500 reset_msgid is 0. Set it to 1 to enable."},
	} {
		if got := call(r, tt.method, tt.args...); got != tt.want {
			t.Errorf("%s%v = %q, want %q", tt.method, tt.args, got, tt.want)
		}
	}
}

// TestBreakpointCommands steps a message through two actions.
func TestBreakpointCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, c := start(t)
		r.SetVar("$var(x)", 5)
		bp := func(cmd string, more ...rpc.Value) string {
			return call(r, "dbg.bp", append([]rpc.Value{rpc.String(cmd)}, more...)...)
		}
		id := rpc.Int(c.ID)
		if got := bp("on"); got != "200 ok" {
			t.Fatalf("on: %s", got)
		}
		passed := 0
		go func() {
			for range 3 {
				r.Host.Hooks.Action(c, someAction)
				passed++
			}
		}()
		synctest.Wait()
		other := *c
		other.ID = 8
		r.Host.Hooks.Action(&other, someAction) // passes: one message at most is held
		ls, err := r.RPCCall("dbg.ls")
		if err != nil || len(ls) != 2 {
			t.Fatalf("dbg.ls = %v, %v; want the process and the message", ls, err)
		}
		for _, step := range []struct {
			cmd    string
			more   []rpc.Value
			want   string
			passed int
		}{
			{"show", []rpc.Value{id}, "at bkp [a.cfg:3] a=16 n=if", 0},
			{"eval", []rpc.Value{id, rpc.String("$var(x)")}, "$var(x) : t=int v=5", 0},
			{"eval", []rpc.Value{id, rpc.String("$rm")}, "$rm : t=str v=OPTIONS", 0},
			{"eval", []rpc.Value{id, rpc.String("$var(y)x")}, `500 invalid pv param: "x" stands behind the variable`, 0},
			{"eval", []rpc.Value{id}, "500 pv param missing", 0},
			{"log", []rpc.Value{id, rpc.String("$ci")}, "200 ok", 0},
			{"keep", []rpc.Value{id}, "200 ok", 0},
			{"next", []rpc.Value{id}, "exec [a.cfg:3] a=16 n=if", 1},
			{"move", []rpc.Value{id}, "200 ok", 3},
			{"show", []rpc.Value{id}, "500 No such pid", 3},
		} {
			if got := bp(step.cmd, step.more...); got != step.want {
				t.Errorf("dbg.bp %s %v = %q, want %q", step.cmd, step.more, got, step.want)
			}
			synctest.Wait()
			if passed != step.passed {
				t.Fatalf("after %s the message passed %d actions, want %d", step.cmd, passed, step.passed)
			}
		}
		if log := r.Log(); !strings.Contains(log, "breakpoint eval: $ci : t=str v=1") {
			t.Errorf("dbg.bp log wrote nothing: %q", log)
		}
	})
}

// TestBreakpointIsBounded: nobody sends a command; the message goes on by
// itself and the breakpoints are off.
func TestBreakpointIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, c := start(t, "breakpoint", 1)
		began := time.Now()
		for range 3 {
			r.Host.Hooks.Action(c, someAction)
		}
		if d := time.Since(began); d != 20*time.Second {
			t.Errorf("three actions took %v, want one wait of 20s", d)
		}
		if log := r.Log(); !strings.Contains(log, "breakpoints are off") {
			t.Errorf("no word of it in the log: %q", log)
		}
	})
}

// TestOffLetsGo: dbg.bp off frees the message at once.
func TestOffLetsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, c := start(t, "breakpoint", 1)
		gone := false
		go func() {
			r.Host.Hooks.Action(c, someAction)
			gone = true
		}()
		synctest.Wait()
		if gone {
			t.Fatal("the message did not stop")
		}
		call(r, "dbg.bp", rpc.String("off"))
		synctest.Wait()
		if !gone {
			t.Error("dbg.bp off left the message where it was")
		}
	})
}

func TestDump(t *testing.T) {
	r, _ := start(t)
	for _, name := range []string{"$var(x)", "$var(none)", "$rm"} {
		r.Var(name)
	}
	r.SetVar("$var(x)", 1)
	r.SetVar("$avp(a)", 2)
	r.SetVar("$avp(a)", "<3>")
	for mask, want := range map[int]string{
		4:  `{"$var(none)":0,"$var(x)":1}`,
		2:  `{"$avp(a)":["<3>",2]}`,
		16: `{"$rm":"OPTIONS"}`,
		31: `"$var(x)":1}`,
	} {
		before := len(r.Log())
		r.Call("dbg_pv_dump", mask, "L_INFO")
		log := strings.ReplaceAll(r.Log()[before:], `\"`, `"`)
		if !strings.Contains(log, "level=INFO") || !strings.Contains(log, want) {
			t.Errorf("dbg_pv_dump(%d) logged %q, want %s", mask, log, want)
		}
	}
	if _, err := r.Compile("dbg_pv_dump", 31, "LOUD"); err == nil {
		t.Error("the level LOUD was taken")
	}
}

func TestSIPMessage(t *testing.T) {
	r, c := start(t)
	end := strings.Index(c.Msg.Raw(), "Content-Length")
	c.Msg.Edits.Insert(end, "P-Hint: mine\r\n")
	callID := strings.Index(c.Msg.Raw(), "Call-ID")
	if err := c.Msg.Edits.Delete(callID, callID+len("Call-ID: 1\r\n")); err != nil {
		t.Fatal(err)
	}
	r.Call("dbg_sip_msg", "L_ERR")
	log := r.Log()
	for _, want := range []string{"CONFIG LINE", "OPTIONS sip:a@example.org SIP/2.0", `P-Hint: mine"`, `- Call-ID: 1"`, "END OF SIP message debug"} {
		if !strings.Contains(log, want) {
			t.Errorf("dbg_sip_msg's log lacks %q:\n%s", want, log)
		}
	}
}

func TestResetMessageNumber(t *testing.T) {
	r, c := start(t, "reset_msgid", 1)
	number := r.Host.Hooks.PreRequest[0]
	if number(c); c.ID != 7 {
		t.Errorf("message 7 became %d", c.ID)
	}
	call(r, "dbg.reset_msgid")
	for want := range uint64(2) {
		c.ID = 8 + want
		if number(c); c.ID != want+1 {
			t.Errorf("message %d became %d, want %d", 8+want, c.ID, want+1)
		}
	}
}

func TestParameters(t *testing.T) {
	for name, value := range map[string]any{
		"cfgtest": 1, "mod_level": "tm", "mod_facility": "=x", "log_level": 9,
	} {
		if err := moduletest.New(t, New()).TryParam("debugger", name, value); err == nil {
			t.Errorf("%s=%v was taken", name, value)
		}
	}
	r := moduletest.New(t, New()).Param("debugger", "mod_level", "tm=3")
	if err := r.TryStart(); err == nil || !strings.Contains(err.Error(), "mod_hash_size") {
		t.Errorf("mod_level without mod_hash_size: %v", err)
	}
}

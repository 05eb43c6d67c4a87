package tm_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"sipd/router/livetest"
)

const uacConfig = `
tcp_accept_no_cl=yes
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "xhttp.so"
loadmodule "ctl.so"
loadmodule "jsonrpcs.so"
modparam("ctl", "binrpc", "unix:DIR/ctl.sock")
modparam("jsonrpcs", "transport", 1)
modparam("tm", "fr_timer", 600)
request_route { t_newtran(); }
event_route[xhttp:request] { jsonrpc_dispatch(); }
event_route[tm:local-request] {
	append_hf("X-Event: $rm\r\n");
	if ($rU == "drop") drop;
}
`

// kamcmd runs the real kamcmd on a daemon.
func kamcmd(t *testing.T, d *livetest.Daemon, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("kamcmd")
	if err != nil {
		t.Skip("skipped: kamcmd is not installed")
	}
	for i := range args[1:] {
		args[1+i] = "s:" + args[1+i] // text, whatever it looks like
	}
	out, err := exec.CommandContext(t.Context(), path, append([]string{"-s", "unix:" + d.Dir + "/ctl.sock"}, args...)...).CombinedOutput()
	if err != nil {
		t.Logf("kamcmd %v: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

// TestUACFaults holds the faults of tm.t_uac_start and its like against a real
// Kamailio.
func TestUACFaults(t *testing.T) {
	livetest.Each(t, uacConfig, func(t *testing.T, d *livetest.Daemon) {
		to := "sip:a@" + d.Addr
		from := "From: <sip:rpc@example.test>\r\n"
		both := from + "To: <sip:a@example.test>\r\n"
		for _, tt := range []struct {
			args []string
			want string
		}{
			{nil, "400 - too few parameters (0/5)"},
			{[]string{"OPTIONS"}, "400 - too few parameters (-1/5)"},
			{[]string{"OPTIONS", to, ".", "."}, "400 - too few parameters (-4/5)"},
			{[]string{"", to, ".", ".", both, ""}, "400 - Empty method"},
			{[]string{"OPTIONS", "nowhere", ".", ".", both, ""}, `400 - Invalid request uri "nowhere"`},
			{[]string{"OPTIONS", to, "bad hop", ".", both, ""}, `400 - Invalid next-hop uri "bad hop"`},
			{[]string{"OPTIONS", to, ".", "foo:bar:baz:1", both, ""}, `400 - Invalid send socket "foo:bar:baz:1"`},
			{[]string{"OPTIONS", to, ".", "(127.0.0.1)", both, ""}, `400 - Invalid send socket "(127.0.0.1)"`},
			{[]string{"OPTIONS", to, ".", "udp:127.0.0.1:5", both, ""}, `400 - No local socket for "udp:127.0.0.1:5"`},
			{[]string{"OPTIONS", to, ".", ".", "garbage", ""}, "400 - Invalid headers"},
			{[]string{"OPTIONS", to, ".", ".", "", ""}, "400 - Invalid headers"},
			{[]string{"OPTIONS", to, ".", ".", from, ""}, "400 - To missing"},
			{[]string{"OPTIONS", to, ".", ".", "To: <sip:a@b>\r\n", ""}, "400 - From missing"},
			{[]string{"OPTIONS", to, ".", ".", both + "CSeq: 5 INVITE\r\n", ""}, "400 - CSeq method mismatch"},
			{[]string{"OPTIONS", to, ".", ".", both + "CSeq: x OPTIONS\r\n", ""}, "400 - Non-numerical CSeq"},
			{[]string{"MESSAGE", to, ".", ".", both, "hello"}, "400 - Content-Type missing"},
			{[]string{"MESSAGE", to, ".", ".", both + "Content-Type: text/plain\r\nContent-Length: 5\r\n", "hello"}, "400 - Content-Length disallowed"},
			{[]string{"OPTIONS", "sip:nobody.invalid", ".", ".", both, ""}, "500 - I'm terribly sorry, server error occurred (7/RPC/UAC)"},
			{[]string{"OPTIONS", "sip:drop@" + d.Addr, ".", ".", both, ""}, "500 - No error (0/RPC/UAC)"},
		} {
			for _, method := range []string{"tm.t_uac_start", "tm.t_uac_wait_block"} {
				if got := kamcmd(t, d, append([]string{method}, tt.args...)...); got != "error: "+tt.want {
					t.Errorf("%s %q: %s\nwant error: %s", method, tt.args, got, tt.want)
				}
			}
		}
		if got := kamcmd(t, d, "tm.t_uac_wait", "OPTIONS", to, ".", ".", both); got != "error: 600 - Reply wait/async mode not supported by this rpc transport" {
			t.Errorf("tm.t_uac_wait over BinRPC: %s", got)
		}
	})
}

// TestReplyFaults does so for the methods that answer and cancel transactions.
func TestReplyFaults(t *testing.T) {
	livetest.Each(t, uacConfig, func(t *testing.T, d *livetest.Daemon) {
		for _, tt := range []struct{ call, want string }{
			{"tm.reply_callid", "400 - Reply code expected"},
			{"tm.cancel", "400 - Callid and CSeq expected as parameters"},
			{"tm.cancel a", "400 - Callid and CSeq expected as parameters"},
			{"tm.cancel a b", "400 - Transaction not found"},
		} {
			if got := kamcmd(t, d, strings.Fields(tt.call)...); got != "error: "+tt.want {
				t.Errorf("%s: %s\nwant error: %s", tt.call, got, tt.want)
			}
		}
		for _, tt := range []struct{ id, want string }{
			{"x", "400 - Invalid transaction ID"},
			{"x:1", "400 - Invalid transaction ID"},
			{"1", "400 - Invalid transaction ID"},
			{"1:y", "400 - Invalid transaction ID"},
			{"70000:5", "481 - No such transaction"},
		} {
			body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tm.reply","params":[200,"OK","%s","tag","",""]}`, tt.id)
			if got := jsonCall(t, d, body); got != "fault "+tt.want {
				t.Errorf("tm.reply of %s: %s, want fault %s", tt.id, got, tt.want)
			}
		}
		for _, tt := range []struct{ params, want string }{
			{`200`, "400 - Reason phrase expected"},
			{`200,"OK"`, "400 - Transaction ID expected"},
			{`200,"OK","1:2"`, "400 - To tag expected"},
		} {
			body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tm.reply","params":[%s]}`, tt.params)
			if got := jsonCall(t, d, body); got != "fault "+tt.want {
				t.Errorf("tm.reply of %s: %s, want fault %s", tt.params, got, tt.want)
			}
		}
	})
}

// jsonCall is a call over HTTP on the SIP port: the result as it came, without
// blanks outside of strings, or "fault CODE - TEXT".
func jsonCall(t *testing.T, d *livetest.Daemon, body string) string {
	t.Helper()
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Post("http://"+d.Addr+"/RPC", "application/json", strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
		return ""
	}
	var r struct {
		Result json.RawMessage
		Error  *struct {
			Code    int
			Message string
		}
	}
	if err := json.Unmarshal(b, &r); err != nil {
		t.Errorf("%v in %s", err, b)
	}
	if r.Error != nil {
		return fmt.Sprintf("fault %d - %s", r.Error.Code, r.Error.Message)
	}
	var v any
	if err := json.Unmarshal(r.Result, &v); err != nil {
		t.Errorf("%v in %s", err, b)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Error(err)
	}
	return string(out)
}

var (
	randomTag    = regexp.MustCompile(`(From:[^\r\n]*;tag=)[^\r\n]*`)
	randomCallID = regexp.MustCompile(`Call-ID: [^\r\n]*`)
	randomBranch = regexp.MustCompile(`branch=z9hG4bK[^\r\n;]*`)
	anyAgent     = regexp.MustCompile(`User-Agent: [^\r\n]*`)
)

// masked is a message without what differs each time.
func masked(s string, d *livetest.Daemon, p *livetest.Peer) string {
	s = randomTag.ReplaceAllString(s, "${1}TAG")
	s = randomCallID.ReplaceAllString(s, "Call-ID: ID")
	s = randomBranch.ReplaceAllString(s, "branch=BRANCH")
	s = anyAgent.ReplaceAllString(s, "User-Agent: AGENT")
	return strings.NewReplacer("\r\n", "\n", d.Addr, "ADDR", p.Addr(), "ME").Replace(s)
}

// sent runs a call in the background and gives the request that it sends, and
// what it answers when that is asked for.
func sent(t *testing.T, p *livetest.Peer, call func() string) (request string, answer func() string) {
	t.Helper()
	done := make(chan string, 1)
	go func() { done <- call() }()
	return p.Recv(), func() string { return <-done }
}

// TestUACSends compares what is sent and what is answered.
func TestUACSends(t *testing.T) {
	livetest.Each(t, uacConfig, func(t *testing.T, d *livetest.Daemon) {
		p := d.Peer(t)
		headers := "From: <sip:rpc@example.test>\r\nTo: <sip:uas@example.test>\r\n"
		request, answer := sent(t, p, func() string {
			return kamcmd(t, d, "tm.t_uac_wait_block", "MESSAGE", "sip:uas@"+p.Addr(), ".", "udp:"+d.Addr,
				headers+"CSeq: 77 MESSAGE\r\nContact: <sip:me@!!>\r\nContent-Type: text/plain\r\nMax-Forwards: 5\r\n", "hello")
		})
		want := `MESSAGE sip:uas@ME SIP/2.0
Via: SIP/2.0/UDP ADDR;branch=BRANCH
To: <sip:uas@example.test>
From: <sip:rpc@example.test>;tag=TAG
CSeq: 77 MESSAGE
Call-ID: ID
Content-Length: 5
User-Agent: AGENT
Contact: <sip:me@ADDR>
Content-Type: text/plain
Max-Forwards: 5
X-Event: MESSAGE

hello`
		if got := masked(request, d, p); got != want {
			t.Errorf("sent\n%s\nwant\n%s", got, want)
		}
		p.Reply(request, 202, "Accepted")
		if got := answer(); got != "{\n\tcode: 202\n\ttext: Accepted\n}" {
			t.Errorf("answered %s", got)
		}
		got := kamcmd(t, d, "tm.t_uac_wait_block", "OPTIONS", "sip:uas@"+p.Addr(), ".", ".", headers, "")
		if got != "{\n\tcode: 408\n\ttext: Request Timeout\n}" {
			t.Errorf("without an answer: %s", got)
		}
	})
}

// TestUACWait compares the whole answer of tm.t_uac_wait, which waits over HTTP.
func TestUACWait(t *testing.T) {
	livetest.Each(t, uacConfig, func(t *testing.T, d *livetest.Daemon) {
		for _, tt := range []struct {
			method string
			code   int
			extra  []string
			want   string // without the head of the reply
		}{
			{"OPTIONS", 200, []string{"Contact: <sip:uas@ME>"}, `[200,"OK","sip:uas@ME","sip:uas@ME","",`},
			{"OPTIONS", 404, []string{"Contact: <sip:uas@ME>"}, `[404,"OK",`},
			{"OPTIONS", 200, nil, `[200,"OK","","","",`},
			{
				"SUBSCRIBE", 200,
				[]string{"Contact: <sip:uas@ME>", "Record-Route: <sip:10.1.1.1;lr>,<sip:10.1.1.2;lr>"},
				`[200,"OK","sip:uas@ME","sip:10.1.1.2;lr","Route: <sip:10.1.1.2;lr>, <sip:10.1.1.1;lr>",`,
			},
			{"OPTIONS", 0, nil, `[408,"Request Timeout","","","",""]`},
		} {
			p := d.Peer(t)
			params, err := json.Marshal([]string{tt.method, "sip:uas@" + p.Addr(), ".", ".", "From: <sip:rpc@example.test>\r\nTo: <sip:uas@example.test>\r\n"})
			if err != nil {
				t.Fatal(err)
			}
			request, answer := sent(t, p, func() string {
				return jsonCall(t, d, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tm.t_uac_wait","params":%s}`, params))
			})
			if tt.code != 0 {
				p.Reply(request, tt.code, "OK", tt.extra...)
			}
			got := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", p.Addr(), "ME").Replace(answer())
			if !strings.HasPrefix(got, tt.want) {
				t.Errorf("%s answered %d: %s\nwant %s", tt.method, tt.code, got, tt.want)
			}
			if tt.code != 0 && (!strings.HasPrefix(got[len(tt.want):], `"Via: SIP/2.0/UDP `+d.Addr) || !strings.HasSuffix(got, `\r\n\r\n"]`)) {
				t.Errorf("the reply's head is %s", got[len(tt.want):])
			}
		}
	})
}

// TestUACInvite: the INVITE of tm.t_uac_wait_block is acknowledged and is in
// tm.list while it rings; tm.cancel ends it.
func TestUACInvite(t *testing.T) {
	livetest.Each(t, uacConfig, func(t *testing.T, d *livetest.Daemon) {
		p := d.Peer(t)
		headers := "From: <sip:rpc@example.test>\r\nTo: <sip:uas@example.test>\r\nCall-ID: mine@here\r\n"
		invite := func() string {
			return kamcmd(t, d, "tm.t_uac_wait_block", "INVITE", "sip:uas@"+p.Addr(), ".", ".", headers, "")
		}
		request, answer := sent(t, p, invite)
		p.Reply(request, 180, "Ringing")
		p.Reply(request, 200, "OK", "Contact: <sip:other@ME>")
		if ack := p.Want("ACK sip:other@"); livetest.Value(ack, "CSeq") != "10 ACK" {
			t.Errorf("acknowledged with\n%s", ack)
		}
		if got := answer(); got != "{\n\tcode: 200\n\ttext: OK\n}" {
			t.Errorf("answered %s", got)
		}
		headers = strings.Replace(headers, "mine", "second", 1)
		kamcmd(t, d, "tm.t_uac_start", "INVITE", "sip:uas@"+p.Addr(), ".", ".", headers, "")
		request = p.Want("INVITE ")
		p.Reply(request, 180, "Ringing")
		list := ""
		for !strings.Contains(list, "second@here") {
			list = kamcmd(t, d, "tm.list")
		}
		for _, want := range []string{"method: INVITE", "to: To: <sip:uas@example.test>", "callid: Call-ID: second@here", "uas_request: no"} {
			if !strings.Contains(list, want) {
				t.Errorf("tm.list shows\n%s\nwithout %q", list, want)
			}
		}
		if !d.Ours {
			return // a real 5.6.3 does not find requests of its own by Call-ID
		}
		if got := kamcmd(t, d, "tm.cancel", "second@here", "10 INVITE"); got != "" {
			t.Errorf("tm.cancel: %s", got)
		}
		cancel := p.Want("CANCEL ")
		p.Reply(cancel, 200, "OK")
		p.Reply(request, 487, "Request Terminated")
		p.Want("ACK ")
	})
}

// TestUACForms are the forms that a 5.6.3 does not have yet.
func TestUACForms(t *testing.T) {
	d := livetest.Start(t, uacConfig)
	p := d.Peer(t)
	params := func(first ...string) string {
		b, err := json.Marshal(append(first, ".", ".", "From: <sip:a@b>\r\nTo: <sip:c@d>\r\nContent-Type: text/plain\r\nRoute: <sip:"+p.Addr()+";lr>\r\n", "68 65 6c6C6f"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	call := func(method, params string) func() string {
		return func() string {
			return jsonCall(t, d, `{"jsonrpc":"2.0","id":1,"method":"`+method+`","params":`+params+`}`)
		}
	}
	for _, tt := range []struct{ method, params, want string }{
		{"tm.t_uac_wait_block_hex", params("MESSAGE", "sip:uas@10.0.0.1"), `{"code":200,"text":"OK"}`},
		{"tm.t_uac_wait_block_noack_hex", params("INVITE", "sip:uas@10.0.0.1"), `{"code":200,"text":"OK"}`},
		{"tm.t_uac_attrs", params("mode=block;rpflags=1;fr_timeout=60000;unknown=x", "MESSAGE", "sip:uas@10.0.0.1"), `{"code":200,"text":"OK"}`},
		{"tm.t_uac_attrs", params("rpflags=1", "MESSAGE", "sip:uas@10.0.0.1"), "{}"},
		{"tm.t_uac_wait_hex", params("MESSAGE", "sip:uas@10.0.0.1"), `[200,"OK","","","",`},
	} {
		request, answer := sent(t, p, call(tt.method, tt.params)) // as its Route says
		if !strings.HasSuffix(request, "\r\n\r\nhello") || strings.Count(request, "Route:") != 1 {
			t.Errorf("%s sent\n%s", tt.method, request)
		}
		p.Reply(request, 200, "OK")
		if got := answer(); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s answered %s, want %s", tt.method, got, tt.want)
		}
	}
	for _, tt := range []struct{ method, params, want string }{
		{"tm.t_uac_start_hex", strings.Replace(params("MESSAGE", "sip:uas@10.0.0.1"), "68 65", "68 6", 1), "fault 400 - Invalid hexa body"},
		{"tm.t_uac_attrs", `["mode=wait","OPTIONS"]`, "fault 400 - too few parameters (-2/5)"},
		{"tm.t_uac_start", params("CANCEL", "sip:uas@10.0.0.1"), "fault 400 - the request cannot be sent: a CANCEL goes out through the transaction of its INVITE"},
		{"tm.t_uac_wait_block", params("ACK", "sip:uas@10.0.0.1"), "fault 500 - No response"},
		{"tm.t_uac_start", `["OPTIONS","sip:a@b",".",".","From: garbage\r\nTo: <sip:c@d>\r\n"]`, "fault 400 - Error in From"},
		{"tm.t_uac_start", `["OPTIONS","sip:a@b",".",".","From: <sip:c@d>\r\nTo: garbage\r\n"]`, "fault 400 - Error in To"},
		{"tm.t_uac_start", `["OPTIONS","sip:a@b",".",".","From: <sip:c@d>\r\nTo: <sip:c@d>\r\nVia: x\r\n"]`, "fault 400 - Via disallowed"},
	} {
		if got := call(tt.method, tt.params)(); got != tt.want {
			t.Errorf("%s %s: %s\nwant %s", tt.method, tt.params, got, tt.want)
		}
	}
}

package mi

import (
	"strconv"
	"strings"

	"sipd/rpc"
)

// The commands of transactions, whose arguments and answers differ from those of
// today's methods.

// replyForm is t_reply's: code, reason, index:label, To-tag, headers ("." for
// none), body.
func replyForm(args []string) ([]string, *Reply) {
	if len(args) < 5 || len(args) > 6 {
		return nil, wrongCount
	}
	if n, err := strconv.ParseUint(args[0], 10, 16); err != nil || n >= 700 {
		return nil, &Reply{Code: 400, Reason: "Invalid reply code"}
	}
	index, label, ok := strings.Cut(args[2], ":")
	switch {
	case !ok:
		return nil, &Reply{Code: 400, Reason: "Invalid trans_id"}
	case !isNumber(index):
		return nil, &Reply{Code: 400, Reason: "Invalid index in trans_id"}
	case !isNumber(label):
		return nil, &Reply{Code: 400, Reason: "Invalid label in trans_id"}
	}
	full := append(append([]string(nil), args...), "")[:6]
	if full[4] == "." {
		full[4] = ""
	}
	return full, nil
}

var replyFaults = map[string]string{"No such transaction": "404 Transaction not found"}

// uacForm is t_uac_dlg's: method, request URI, next hop, socket, headers (each
// "." for none), body. Headers may have lone line feeds.
func uacForm(args []string) ([]string, *Reply) {
	if len(args) < 5 || len(args) > 6 {
		return nil, wrongCount
	}
	full := append([]string(nil), args...)
	if full[4] == "." {
		return nil, &Reply{Code: 400, Reason: "To missing"}
	}
	return full, nil
}

// uacFault: what the arguments lack is the status; a request that was not sent
// is told in a node, as a reply would be.
func uacFault(f *rpc.Fault) *Reply {
	if text, ok := strings.CutSuffix(f.Text, "/RPC/UAC)"); ok {
		line := strconv.Itoa(f.Code) + " " + text + "/MI/UAC)"
		return &Reply{Code: 200, Reason: "OK", Lines: func(t *Tree) { t.Node(0, "", line) }}
	}
	return instead(map[string]string{
		"Invalid request uri":  "400 Invalid RURI",
		"Invalid next-hop uri": "400 Invalid NEXTHOP",
		"Invalid send socket":  "404 Invalid local socket",
		"No local socket":      "404 Local socket not found",
		"Invalid headers":      "400 Bad headers",
		"Non-numerical CSeq":   "400 Bad CSeq number",
	})(f)
}

// uacDialog writes the answer of t_uac_dlg: code and reason, remote target, next
// hop, routes (each "." for none), and the reply from its first header on, whose
// lines stand as they came.
func uacDialog(t *Tree, c *rpc.Call) {
	var vals []string
	for v := range c.Values() {
		vals = append(vals, text(v))
	}
	if len(vals) < 3 {
		return
	}
	t.Node(0, "", vals[0]+" "+vals[1])
	hooks := [3]string{}
	if len(vals) == 6 {
		copy(hooks[:], vals[2:5])
	}
	for _, h := range hooks {
		if h == "" {
			h = "."
		}
		t.Node(0, "", h)
	}
	reply := vals[len(vals)-1]
	if reply == "" {
		reply = "."
	}
	t.W.WriteString(reply + "\n")
}

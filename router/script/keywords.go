package script

// keywords are the words that have a meaning of their own: a define cannot
// replace them. What more cannot name a route stands in reserved.
var keywords = map[string]bool{
	"if": true, "else": true, "switch": true, "case": true, "default": true, "while": true,
	"break": true, "return": true, "exit": true, "drop": true,
	"and": true, "or": true, "not": true, "eq": true, "ne": true, "ieq": true, "ine": true, "mod": true,
	"defined": true, "strlen": true, "strempty": true, "selval": true,
	"route": true, "request_route": true, "onreply_route": true, "reply_route": true, "failure_route": true,
	"branch_route": true, "onsend_route": true, "event_route": true,
	"loadmodule": true, "loadpath": true, "mpath": true, "modparam": true, "include_file": true, "import_file": true,
	"listen": true, "alias": true, "flags": true, "bool": true, "avpflags": true,
	"method": true, "uri": true, "status": true, "from_uri": true, "to_uri": true, "src_ip": true, "dst_ip": true,
	"snd_ip": true, "to_ip": true, "src_port": true, "dst_port": true, "snd_port": true, "to_port": true,
	"proto": true, "snd_proto": true, "af": true, "snd_af": true, "myself": true, "max_len": true,
	"msg:len": true, "uri:host": true, "uri:port": true,
	"yes": true, "true": true, "on": true, "enable": true, "no": true, "false": true, "off": true, "disable": true,
	"udp": true, "UDP": true, "tcp": true, "TCP": true, "tls": true, "TLS": true, "sctp": true, "SCTP": true,
	"inet": true, "INET": true, "inet6": true, "INET6": true, "advertise": true, "name": true,
	"desc": true, "descr": true, "description": true, "forward": true, "log": true,
}

// boolWords are plain integers everywhere.
var boolWords = map[string]int32{
	"yes": 1, "true": 1, "on": 1, "enable": 1,
	"no": 0, "false": 0, "off": 0, "disable": 0,
}

// protoWords are the protocols where one is expected. The elders know upper
// and lower case, not mixed.
var protoWords = map[string]string{
	"udp": "udp", "UDP": "udp", "tcp": "tcp", "TCP": "tcp", "tls": "tls", "TLS": "tls", "sctp": "sctp", "SCTP": "sctp",
	"ws": "ws", "WS": "ws", "wss": "wss", "WSS": "wss",
}

// routeKeywords open a route block.
var routeKeywords = map[string]bool{
	"route": true, "request_route": true, "onreply_route": true, "reply_route": true, "failure_route": true,
	"branch_route": true, "onsend_route": true, "event_route": true,
}

// bareCalls are the core functions that old configurations call without
// parentheses.
var bareCalls = map[string]bool{
	"append_branch": true, "revert_uri": true, "force_rport": true, "add_rport": true, "add_local_rport": true,
	"force_tcp_alias": true, "add_tcp_alias": true, "set_forward_no_connect": true, "set_reply_no_connect": true,
	"set_forward_close": true, "set_reply_close": true, "userphone": true, "forward": true,
}

// condKeywords are the primaries of script.md §13.
type condKind uint8

const (
	condNone condKind = iota
	condStr           // method, uri, from_uri, to_uri: text
	condIP
	condInt
	condProto
	condSelf
)

var condKeywords = map[string]condKind{
	"method": condStr, "uri": condStr, "status": condStr, "from_uri": condStr, "to_uri": condStr,
	"src_ip": condIP, "dst_ip": condIP, "snd_ip": condIP, "to_ip": condIP,
	"src_port": condInt, "dst_port": condInt, "snd_port": condInt, "to_port": condInt, "msg:len": condInt,
	"af": condInt, "snd_af": condInt, "proto": condProto, "snd_proto": condProto, "myself": condSelf,
}

package corerpc

import (
	"context"

	"sipd/rpc"
)

// blocklist is the methods of the list of destinations that failed, under both
// of its names. sipd keeps none, so they answer as a server whose list is
// switched off, which is the elders' default.
func blocklist() []*rpc.Method {
	off := func(context.Context, *rpc.Call) error {
		return &rpc.Fault{Code: 500, Text: "dst blocklist support disabled"}
	}
	var methods []*rpc.Method
	for _, group := range []string{"dst_blacklist", "dst_blocklist"} {
		for _, m := range []struct{ name, help string }{
			{"add", "Adds a destination"},
			{"debug", "Lists the destinations as values"},
			{"delete_all", "Empties the list"},
			{"mem_info", "Tells the octets used and allowed"},
			{"view", "Lists the destinations"},
		} {
			methods = append(methods, &rpc.Method{
				Name: group + "." + m.name, Handler: off, Changes: m.name == "add" || m.name == "delete_all",
				Help: m.help + ": always a fault, because this server keeps no list of destinations that failed.",
			})
		}
	}
	return methods
}

package serctl

import (
	"strings"
	"sync"
)

// words are the commands with their abbreviations: each word, and each
// beginning of it of at least so many letters.
var words = sync.OnceValue(func() map[string]string {
	return abbreviations([]struct {
		command, word string
		least         int
	}{
		{"add", "add", 1},
		{"alias", "alias", 2},
		{"attrs", "attributes", 10},
		{"attrs", "attribs", 7},
		{"attrs", "attrib", 6},
		{"attrs", "attrs", 5},
		{"attrs", "attr", 4},
		{"attrs", "at", 2},
		{"canonical", "canonical", 1},
		{"disable", "disable", 1},
		{"domain", "domain", 2},
		{"enable", "enable", 1},
		{"flush", "flush", 1},
		{"help", "help", 1},
		{"change", "change", 2},
		{"change", "C", 1},
		{"kill", "kill", 1},
		{"load", "load", 3},
		{"load", "ld", 2},
		{"methods", "list_methods", 6},
		{"methods", "lm", 2},
		{"methods", "methods", 1},
		{"list_tls", "list_tls", 6},
		{"list_tls", "tls", 1},
		{"show", "list", 1},
		{"show", "ls", 2},
		{"show", "show", 1},
		{"password", "password", 2},
		{"password", "pwd", 3},
		{"password", "pw", 2},
		{"ps", "ps", 2},
		{"publish", "publish", 3},
		{"purge", "purge", 1},
		{"reload", "reload", 2},
		{"rm", "rm", 1},
		{"set", "set", 2},
		{"stat", "status", 2},
		{"update", "update", 2},
		{"uptime", "uptime", 3},
		{"user", "user", 1},
		{"usrloc", "usrloc", 3},
		{"usrloc", "uloc", 4},
		{"usrloc", "ul", 2},
		{"usrloc", "loc", 3},
		{"version", "version", 1},
	})
})

func abbreviations(list []struct {
	command, word string
	least         int
},
) map[string]string {
	out := make(map[string]string)
	for _, e := range list {
		for n := e.least; n <= len(e.word); n++ {
			if w := e.word[:n]; !strings.HasSuffix(w, "_") && out[w] == "" {
				out[w] = e.command
			}
		}
	}
	// Where two could be meant, the elder's choice.
	for w, command := range map[string]string{"c": "canonical", "ca": "canonical", "ch": "change", "upd": "update", "upt": "uptime", "up": "update", "s": "show", "st": "stat", "se": "set", "pu": "purge", "pub": "publish", "l": "show", "loa": "load", "loc": "usrloc"} {
		out[w] = command
	}
	return out
}

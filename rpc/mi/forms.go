package mi

import (
	"strconv"
	"strings"

	"sipd/rpc"
)

// What 2010 answers when the arguments are wrong.
var (
	wrongCount  = &Reply{Code: 400, Reason: "Too few or too many arguments"}
	badArgument = &Reply{Code: 400, Reason: "Bad parameter"}
)

// count is the form of a command that takes least to most arguments.
func count(least, most int) func([]string) ([]string, *Reply) {
	return func(args []string) ([]string, *Reply) {
		if len(args) < least || len(args) > most {
			return nil, wrongCount
		}
		return args, nil
	}
}

// atLeastOne is the form of a command that takes any number of arguments but
// none.
func atLeastOne(args []string) ([]string, *Reply) {
	if len(args) == 0 {
		return nil, wrongCount
	}
	return args, nil
}

// noInput is the form of a command that reads no arguments.
func noInput([]string) ([]string, *Reply) { return nil, nil }

// instead replaces faults: by the beginning of their text, the status line; ""
// is what all others are.
func instead(status map[string]string) func(*rpc.Fault) *Reply {
	return func(f *rpc.Fault) *Reply {
		line, ok := status[""]
		for text, l := range status {
			if text != "" && strings.HasPrefix(f.Text, text) {
				line, ok = l, true
			}
		}
		if !ok || f.Code == 401 || f.Code == 403 { // of who may not call
			return &Reply{Code: f.Code, Reason: f.Text}
		}
		code, reason, _ := strings.Cut(line, " ")
		n, _ := strconv.Atoi(code) // the table's own
		return &Reply{Code: n, Reason: reason}
	}
}

// isNumber says whether a text is a number without a sign, of 32 bits.
func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 32)
	return err == nil
}

// isAnyNumber is isNumber for what may be hexadecimal or octal, too.
func isAnyNumber(s string) bool {
	_, err := strconv.ParseUint(s, 0, 32)
	return err == nil
}

// nothing writes no nodes: the status says it all.
func nothing(*Tree, *rpc.Call) {}

// says writes one line.
func says(line string) func(*Tree, *rpc.Call) {
	return func(t *Tree, _ *rpc.Call) { t.Node(0, "", line) }
}

// lines writes each value on a line, without its name.
func lines(t *Tree, c *rpc.Call) {
	for v := range c.Values() {
		t.Node(0, "", text(v))
	}
}

// otherwise replaces the reply of a call that answered nothing.
func otherwise(code int, reason string) func(*rpc.Call) *Reply {
	return func(c *rpc.Call) *Reply {
		for range c.Values() {
			return nil
		}
		return &Reply{Code: code, Reason: reason}
	}
}

// told is the reply for each text that a method answers.
func told(replies map[string]*Reply) func(*rpc.Call) *Reply {
	return func(c *rpc.Call) *Reply {
		for v := range c.Values() {
			return replies[text(v)]
		}
		return nil
	}
}

func members(v rpc.Value) rpc.Struct {
	s, _ := v.(rpc.Struct)
	return s
}

// member is what stands under a name, Null when nothing does.
func member(s rpc.Struct, name string) rpc.Value {
	for _, m := range s {
		if m.Name == name {
			return m.Value
		}
	}
	return rpc.Null{}
}

// field is the text of a member; the text NULL is none.
func field(s rpc.Struct, name string) string {
	if v := text(member(s, name)); v != "NULL" {
		return v
	}
	return ""
}

// elements ranges over a list of any kind.
func elements(v rpc.Value) func(func(rpc.Value) bool) {
	return func(yield func(rpc.Value) bool) {
		switch v := v.(type) {
		case rpc.Array:
			for _, e := range v {
				if !yield(e) {
					return
				}
			}
		case rpc.Each:
			v(yield)
		case rpc.Struct:
			inner(v, yield)
		case rpc.Items:
			inner(rpc.Struct(v), yield)
		case rpc.Stream:
			for m := range v {
				if !yield(m.Value) {
					return
				}
			}
		}
	}
}

func inner(s rpc.Struct, yield func(rpc.Value) bool) {
	for _, m := range s {
		if !yield(m.Value) {
			return
		}
	}
}

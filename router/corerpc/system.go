package corerpc

import (
	"context"
	"slices"
	"strings"

	"sipd/rpc"
)

// system is the methods system.*: which methods there are.
func (s *Source) system() []*rpc.Method {
	name := []rpc.Param{{Name: "method", Type: rpc.TString, Help: "the method's name"}}
	expected := &rpc.Fault{Code: 400, Text: "Method Name Expected"}
	return []*rpc.Method{
		{
			Name: "system.listMethods", Help: "Lists the methods of this server.", List: true, Reply: "string",
			Handler: func(_ context.Context, c *rpc.Call) error {
				for _, n := range s.Registry.Names() {
					c.Add(rpc.String(n))
				}
				return nil
			},
		},
		{
			Name: "system.methodHelp", Help: "Says what a method does.", Params: name, Reply: "string",
			Example: "core.uptime", BadParams: expected, Handler: s.methodHelp,
		},
		{
			Name:   "system.methodSignature",
			Help:   "Tells the types of a method's reply and parameters: a list for each number of parameters it takes.",
			Params: name, Reply: "array of array of string: reply, parameters", Example: "ul.lookup",
			BadParams: expected, Handler: s.methodSignature,
		},
		{
			Name: "system.describe", List: true,
			Help:   "Tells everything about methods: parameters with names and types, reply, example, whether they change state.",
			Params: []rpc.Param{{Name: "method", Type: rpc.TString, Optional: true, Rest: true, Help: "names; none: all methods"}},
			Reply: "struct {name: string, help: string, list: bool, changes: bool, reply: string, example: string, " +
				"params: array of struct {name: string, type: string, optional: bool, convert: bool, rest: bool, help: string}}",
			Example: "ul.lookup", Handler: s.describe,
		},
		{
			Name: "system.multicall", Help: "Calls several methods one after another.",
			Params:  []rpc.Param{{Name: "calls", Type: rpc.TAny, Help: "array of struct {methodName: string, params: array}"}},
			Reply:   "array: for each call an array of its reply, or struct {faultCode: int, faultString: string}",
			Handler: s.multicall,
		},
	}
}

// method looks up the method that a call names.
func (s *Source) method(name string) (*rpc.Method, error) {
	m, ok := s.Registry.Lookup(name)
	if !ok {
		return nil, &rpc.Fault{Code: 400, Text: "command not found"}
	}
	return m, nil
}

func (s *Source) methodHelp(_ context.Context, c *rpc.Call) error {
	m, err := s.method(c.Str(0))
	if err != nil {
		return err
	}
	help := m.Help
	if help == "" {
		help = "undocumented"
	}
	c.Add(rpc.String(help))
	return nil
}

// methodSignature answers as the introspection of XML-RPC has it: the elders
// answer a fault ("Not Implemented Yet") to everything. A parameter that
// repeats shows once.
func (s *Source) methodSignature(_ context.Context, c *rpc.Call) error {
	m, err := s.method(c.Str(0))
	if err != nil {
		return err
	}
	signature := rpc.Array{rpc.String(replyType(m))}
	all := rpc.Array{}
	for _, p := range m.Params {
		if p.Optional {
			all = append(all, slices.Clone(signature))
		}
		signature = append(signature, rpc.String(p.Type.String()))
	}
	c.Add(append(all, signature))
	return nil
}

// replyType is the type of what comes back, in the words of XML-RPC.
func replyType(m *rpc.Method) string {
	if m.List {
		return "array"
	}
	word, _, _ := strings.Cut(m.Reply, " ")
	switch word = strings.TrimRight(word, ",:;"); word {
	case "":
		return "nil"
	case "text":
		return "string"
	case "values":
		return "array"
	}
	return word
}

func (s *Source) describe(_ context.Context, c *rpc.Call) error {
	var methods []*rpc.Method
	for i := range c.Len() {
		m, err := s.method(c.Str(i))
		if err != nil {
			return err
		}
		methods = append(methods, m)
	}
	if c.Len() == 0 {
		for _, n := range s.Registry.Names() {
			if m, ok := s.Registry.Lookup(n); ok {
				methods = append(methods, m)
			}
		}
	}
	c.Add(rpc.Each(func(yield func(rpc.Value) bool) {
		for _, m := range methods {
			if !yield(describe(m)) {
				return
			}
		}
	}))
	return nil
}

func describe(m *rpc.Method) rpc.Struct {
	params := rpc.Array{}
	for i, p := range m.Params {
		params = append(params, rpc.Struct{
			rpc.M("name", rpc.String(p.Name)), rpc.M("type", rpc.String(p.Type.String())),
			rpc.M("optional", rpc.Bool(m.Optional(i))), rpc.M("convert", rpc.Bool(p.Convert)),
			rpc.M("rest", rpc.Bool(p.Rest)), rpc.M("help", rpc.String(p.Help)),
		})
	}
	return rpc.Struct{
		rpc.M("name", rpc.String(m.Name)), rpc.M("help", rpc.String(m.Help)), rpc.M("list", rpc.Bool(m.List)),
		rpc.M("changes", rpc.Bool(m.Changes)), rpc.M("reply", rpc.String(m.Reply)),
		rpc.M("example", rpc.String(m.Example)), rpc.M("params", params),
	}
}

// maxCalls bounds one system.multicall.
const maxCalls = 1000

// multicall answers for each call an array with its reply, or a structure with
// the fault, in order.
func (s *Source) multicall(ctx context.Context, c *rpc.Call) error {
	calls, ok := c.Arg(0).(rpc.Array)
	if !ok {
		return &rpc.Fault{Code: 400, Text: "system.multicall wants one array of structures {methodName, params}"}
	}
	if len(calls) > maxCalls {
		return rpc.Faultf(400, "system.multicall takes %d calls at most, not %d", maxCalls, len(calls))
	}
	replies := make(rpc.Array, 0, len(calls))
	for _, one := range calls {
		if err := ctx.Err(); err != nil {
			return err
		}
		reply, fault := s.oneOf(ctx, c, one)
		if fault != nil {
			reply = rpc.Struct{rpc.M("faultCode", rpc.Int(fault.Code)), rpc.M("faultString", rpc.String(fault.Text))}
		}
		replies = append(replies, reply)
	}
	c.Add(replies)
	return nil
}

// oneOf runs one call of a multicall.
func (s *Source) oneOf(ctx context.Context, c *rpc.Call, one rpc.Value) (rpc.Value, *rpc.Fault) {
	members, ok := one.(rpc.Struct)
	if !ok {
		return nil, &rpc.Fault{Code: 400, Text: "a call is a structure {methodName, params}"}
	}
	var method rpc.String
	var params rpc.Array
	for _, m := range members {
		switch v := m.Value.(type) {
		case rpc.String:
			if m.Name == "methodName" {
				method = v
			}
		case rpc.Array:
			if m.Name == "params" {
				params = v
			}
		}
	}
	if method == "system.multicall" {
		return nil, &rpc.Fault{Code: 400, Text: "system.multicall does not call itself"}
	}
	sub, fault := c.Sub(ctx, s.Registry, string(method), rpc.Values(params...))
	if fault != nil {
		return nil, fault
	}
	vals := slices.Collect(sub.Values())
	if sub.Method.List {
		return rpc.Array{rpc.Array(vals)}, nil
	}
	return rpc.Array(vals), nil
}

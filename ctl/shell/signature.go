package shell

import (
	"context"
	_ "embed"
	"fmt"
	"math"
	"strings"

	"sipd/ctl/plain"
	"sipd/ctl/shell/reply"
	"sipd/rpc"
)

// known are the parameters of methods of Kamailio and SER, which do not tell
// them: a method a line, then name:type of each parameter, with ? when it may
// be missing; ... when the last repeats. Types: s text, d whole number, f
// number, a whatever was written.
//
//go:embed known.txt
var known string

// param is one parameter of a method as far as it matters to what is sent.
type param struct {
	name     string
	kind     byte // s, d, f, a
	optional bool
	help     string // "" where the daemon tells none
}

// signature is what is known of a method's parameters.
type signature struct {
	params        []param
	rest          bool   // the last one repeats
	help, example string // of the method, where the daemon tells
}

// lines are what help says of a method.
func (g *signature) lines(method string) []string {
	lines := []string{method + g.usage()}
	width := 0
	for _, p := range g.params {
		width = max(width, len(p.name))
	}
	for _, p := range g.params {
		if p.help != "" {
			lines = append(lines, fmt.Sprintf("  %-*s  %s", width, p.name, p.help))
		}
	}
	if g.example != "" {
		lines = append(lines, "example: "+method+" "+g.example)
	}
	return lines
}

// at is the kind of parameter i, 'a' for none that is known.
func (g *signature) at(i int) byte {
	switch n := len(g.params); {
	case i < n:
		return g.params[i].kind
	case g.rest && n > 0:
		return g.params[n-1].kind
	}
	return 'a'
}

// usage is the parameters as help shows them.
func (g *signature) usage() string {
	var b strings.Builder
	for i, p := range g.params {
		text := p.name
		if text == "" {
			text = map[byte]string{'s': "text", 'd': "number", 'f': "number", 'a': "value"}[p.kind]
		}
		if g.rest && i == len(g.params)-1 {
			text += "..."
		}
		if p.optional {
			text = "[" + text + "]"
		}
		b.WriteString(" " + text)
	}
	return b.String()
}

// lookupKnown finds a method in the table.
func lookupKnown(method string) (signature, bool) {
	_, line, ok := strings.Cut("\n"+known, "\n"+method+" ")
	if !ok || method == "" || strings.ContainsAny(method, " \n") {
		return signature{}, false
	}
	line, _, _ = strings.Cut(line, "\n")
	return parseSignature(line), true
}

func parseSignature(line string) signature {
	line, rest := strings.CutSuffix(line, "...")
	g := signature{rest: rest}
	for f := range strings.FieldsSeq(line) {
		f, optional := strings.CutSuffix(f, "?")
		name, kind, _ := strings.Cut(f, ":")
		if kind == "" {
			kind = "a"
		}
		g.params = append(g.params, param{name: name, kind: kind[0], optional: optional})
	}
	return g
}

// typeKinds are the names that daemons have for types: sipd's and XML-RPC's.
var typeKinds = map[string]byte{
	"int": 'd', "i4": 'd', "i8": 'd', "bool": 'd', "boolean": 'd', "time": 'd', "dateTime.iso8601": 'd',
	"double": 'f', "string": 's',
}

// kindOf is the kind of a named type.
func kindOf(name string) byte {
	if k, ok := typeKinds[name]; ok {
		return k
	}
	return 'a'
}

// signatureOf asks the daemon for a method's parameters: sipd describes them,
// others may have the signatures of XML-RPC. A daemon that tells neither, as no
// Kamailio does, is answered by the table.
func (s *Shell) signatureOf(ctx context.Context, method string) (signature, bool) {
	if g, ok := s.signatures[method]; ok {
		return g, true
	}
	g, ok := s.described(ctx, method)
	if !ok {
		g, ok = s.askSignature(ctx, method)
	}
	if !ok {
		g, ok = lookupKnown(method)
	}
	if ok {
		if s.signatures == nil {
			s.signatures = map[string]signature{}
		}
		s.signatures[method] = g
	}
	return g, ok
}

// described reads the answer of system.describe.
func (s *Shell) described(ctx context.Context, method string) (signature, bool) {
	vals, err := s.call(ctx, "system.describe", rpc.String(method))
	if err != nil || len(vals) != 1 {
		return signature{}, false
	}
	about, ok := vals[0].(rpc.Struct)
	params, isList := member(about, "params").(rpc.Array)
	if empty, isStruct := member(about, "params").(rpc.Struct); isStruct && len(empty) == 0 {
		isList = true // an empty list looks so on BinRPC
	}
	if !ok || !isList {
		return signature{}, false
	}
	g := signature{help: text(about, "help"), example: text(about, "example")}
	for _, v := range params {
		p, _ := v.(rpc.Struct)
		g.params = append(g.params, param{name: text(p, "name"), kind: kindOf(text(p, "type")), optional: truth(p, "optional"), help: text(p, "help")})
		g.rest = truth(p, "rest")
	}
	return g, true
}

func member(s rpc.Struct, name string) rpc.Value {
	for _, m := range s {
		if m.Name == name {
			return m.Value
		}
	}
	return nil
}

func text(s rpc.Struct, name string) string { return reply.Text(member(s, name)) }
func truth(s rpc.Struct, name string) bool  { return text(s, name) == "1" }

// askSignature reads the answer of system.methodSignature: a list whose first
// element is the reply's type, or several such lists, of which the longest
// counts.
func (s *Shell) askSignature(ctx context.Context, method string) (signature, bool) {
	vals, err := s.call(ctx, "system.methodSignature", rpc.String(method))
	if err != nil || len(vals) == 0 {
		return signature{}, false
	}
	types := longest(vals)
	if len(types) == 0 {
		return signature{}, false
	}
	table, _ := lookupKnown(method) // has names
	var g signature
	for i, t := range types[1:] {
		p := param{kind: kindOf(t)}
		if i < len(table.params) {
			p.name, p.optional = table.params[i].name, table.params[i].optional
		}
		g.params = append(g.params, p)
	}
	g.rest = table.rest && len(table.params) == len(g.params)
	return g, true
}

// longest is the longest list of texts in vals, which may be one itself.
func longest(vals []rpc.Value) []string {
	var best, own []string
	for _, v := range vals {
		switch v := v.(type) {
		case rpc.String:
			own = append(own, string(v))
		case rpc.Array:
			if l := longest(v); len(l) > len(best) {
				best = l
			}
		}
	}
	if len(own) > len(best) {
		return own
	}
	return best
}

// numeric says whether an argument could be meant as text or as a number.
func numeric(w Word) bool {
	if w.Quoted || w.Text == "" {
		return w.Text == "" && !w.Quoted
	}
	_, whole := strtol(w.Text)
	_, number := strtod(w.Text)
	return whole || number
}

// arguments types the arguments of a call. Only where one could be either
// number or text is the method's signature asked for.
func (s *Shell) arguments(ctx context.Context, method string, words []Word) ([]rpc.Value, error) {
	vals := make([]rpc.Value, len(words))
	var g signature
	for _, w := range words {
		if numeric(w) {
			g, _ = s.signatureOf(ctx, method)
			break
		}
	}
	for i, w := range words {
		v, err := typed(w, g.at(i))
		if err != nil {
			return nil, err
		}
		vals[i] = v
	}
	return vals, nil
}

// typed makes the value of an argument where kind is wanted: prefixes and
// quotes go before it.
func typed(w Word, kind byte) (rpc.Value, error) {
	if !numeric(w) {
		return value(w)
	}
	switch kind {
	case 's':
		return rpc.String(w.Text), nil
	case 'f':
		if f, ok := strtod(w.Text); ok {
			return rpc.Double(f), nil
		}
	}
	return value(w)
}

// value types an argument as kamcmd does, with i: and d: beside s:, and
// refuses what would be cut.
func value(w Word) (rpc.Value, error) {
	if w.Quoted {
		return rpc.String(w.Text), nil
	}
	if s, ok := strings.CutPrefix(w.Text, "i:"); ok {
		n, ok := strtol(s)
		if !ok {
			return nil, UsageError(fmt.Sprintf("%s: not a whole number", plain.Clean(w.Text)))
		}
		return rpc.Int(n), nil
	}
	if s, ok := strings.CutPrefix(w.Text, "d:"); ok {
		f, ok := strtod(s)
		if !ok {
			return nil, UsageError(fmt.Sprintf("%s: not a number", plain.Clean(w.Text)))
		}
		return rpc.Double(f), nil
	}
	if n, ok := strtol(w.Text); ok && (n > math.MaxInt32 || n < math.MinInt32) {
		return nil, UsageError(fmt.Sprintf("%s does not fit the 32 bits of a control number; s:%s sends it as text, i:%s as a number all the same", w.Text, w.Text, w.Text))
	}
	return elderValue(w.Text), nil
}

package shell

import (
	"context"
	"slices"
	"strings"

	"sipd/rpc"
)

// names is what completion knows of the daemon: asked once, when the first
// completion is wanted.
type names struct {
	methods  []string
	vars     map[string][]string // cfg group to variables
	counters map[string][]string // counter group to counters
}

// load asks the daemon for names. What it does not tell is not completed.
func (s *Shell) load(ctx context.Context) *names {
	n := &names{vars: map[string][]string{}, counters: map[string][]string{}}
	n.methods, _ = s.ask(ctx, "system.listMethods")
	lines, _ := s.ask(ctx, "cfg.list")
	for _, l := range lines {
		if group, name, ok := strings.Cut(l, ": "); ok {
			n.vars[group] = append(n.vars[group], name)
		}
	}
	groups, _ := s.ask(ctx, "cnt.grps_list")
	for _, g := range groups {
		n.counters[g], _ = s.ask(ctx, "cnt.var_list", rpc.String(g))
	}
	return n
}

// ask calls a method whose reply is a list of texts.
func (s *Shell) ask(ctx context.Context, method string, args ...rpc.Value) ([]string, error) {
	vals, err := s.call(ctx, method, args...)
	if err != nil {
		return nil, err
	}
	texts := make([]string, 0, len(vals))
	for _, v := range vals {
		if t, ok := v.(rpc.String); ok {
			texts = append(texts, string(t))
		}
	}
	return texts, nil
}

// Complete proposes words for the one that ends at the end of line: head is
// the line before that word, and each candidate the whole word with a blank
// behind it. Methods, aliases and own commands complete in the first place and
// after help; a group and then a variable after cfg.* methods; a group and
// then a counter after cnt.* methods; then what [sources] has: tables,
// addresses of record, destinations, values. A word with blanks or quotes in
// it is quoted.
func (s *Shell) Complete(ctx context.Context, line string) (head string, candidates []string) {
	if s.names == nil {
		s.names = s.load(ctx)
	}
	start := strings.LastIndexAny(line, " \t") + 1
	head, word := line[:start], line[start:]
	before := commandWords(strings.Fields(head))
	list := s.names.candidates(s.Persona, before)
	if len(before) > 0 && !s.Persona.Elder {
		if a, ok := s.Persona.alias(before[0]); ok {
			before[0] = a.Method
		}
		list = append(list, s.values(ctx, before, word)...)
	}
	for _, name := range list {
		if strings.HasPrefix(name, word) {
			candidates = append(candidates, quoted(name)+" ")
		}
	}
	slices.Sort(candidates)
	return head, slices.Compact(candidates)
}

// commandWords takes watch and its options off.
func commandWords(words []string) []string {
	if len(words) == 0 || words[0] != "watch" {
		return words
	}
	words = words[1:]
	for len(words) > 1 && strings.HasPrefix(words[0], "-") {
		words = words[2:]
	}
	return words
}

// quoted is a word as it must be typed.
func quoted(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t'\"\\") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// candidates are the words that may follow those before.
func (n *names) candidates(p *Persona, before []string) []string {
	if len(before) == 0 || len(before) == 1 && (before[0] == "help" || before[0] == "?") {
		list := slices.Clone(n.methods)
		for _, a := range p.Aliases {
			list = append(list, a.Name)
		}
		for _, b := range p.builtins() {
			list = append(list, b.name)
		}
		return list
	}
	groups := n.groups(before[0])
	switch {
	case len(before) == 1:
		list := make([]string, 0, len(groups))
		for g := range groups {
			list = append(list, g)
		}
		return list
	case len(before) == 2:
		group, _, _ := strings.Cut(before[1], "[") // tm[1] is an instance of tm
		return groups[group]
	}
	return nil
}

// groups are the groups whose names a method takes first, with what it takes
// then; nil for others.
func (n *names) groups(method string) map[string][]string {
	room, verb, _ := strings.Cut(method, ".")
	switch {
	case room == "cfg" && slices.Contains([]string{"list", "reset", "diff"}, verb):
		return onlyGroups(n.vars)
	case room == "cfg" && !slices.Contains([]string{"commit", "rollback"}, verb):
		return n.vars
	case room == "cnt" && (verb == "var_list" || verb == "grp_get_all"):
		return onlyGroups(n.counters)
	case room == "cnt" && verb != "grps_list":
		return n.counters
	}
	return nil
}

func onlyGroups(m map[string][]string) map[string][]string {
	out := make(map[string][]string, len(m))
	for g := range m {
		out[g] = nil
	}
	return out
}

package script

import (
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// The limits of script.md §22.
const (
	MaxIncludes    = 10  // includes inside includes
	MaxDefines     = 512 // defines of a configuration
	MaxConditions  = 256 // #!ifdef inside #!ifdef
	MaxNesting     = 200 // blocks inside blocks, parentheses inside parentheses
	MaxTokens      = 1 << 19
	maxExpansions  = 64 // defines inside defines
	maxSelectParts = 32
)

// Define is a name that the preprocessor knows.
type Define struct {
	Name string
	// Value is the text that replaces the name, "" for none.
	Value string
	// Pos is where it was defined; no source when it came from the command
	// line or was there from the start.
	Pos Pos

	src    *Source
	active bool
}

// cond is an open #!ifdef.
type cond struct {
	pos     Pos
	holds   bool // this branch is read
	outer   bool // the text around it is read
	hasElse bool
}

// preproc produces the tokens of a configuration: it follows includes,
// evaluates conditionals, and replaces defines.
type preproc struct {
	lexer
	read    ReadFunc
	opts    *Options
	sources []*Source
	stack   []*frame
	conds   []cond
	defines map[string]*Define
	order   []*Define
	substs  []*subst
	toks    []token
	files   int
	full    bool
}

// directives by their word (aliases share a meaning).
var directives = map[string]string{
	"define": "define", "def": "define", "trydefine": "trydef", "trydef": "trydef", "redefine": "redef", "redef": "redef",
	"ifdef": "ifdef", "ifndef": "ifndef", "else": "else", "endif": "endif",
	"subst": "subst", "substdef": "substdef", "substdefs": "substdefs",
	"defenv": "defenv", "defenvs": "defenvs", "trydefenv": "trydefenv", "trydefenvs": "trydefenvs",
	"ifexp": "ifexp", "defexp": "defexp", "defexps": "defexp",
	"SER": "flavour", "KAMAILIO": "flavour", "OPENSER": "flavour", "MAXCOMPAT": "flavour", "ALL": "flavour",
}

var flavourWords = map[string]Flavour{
	"SER": SER, "KAMAILIO": Kamailio, "OPENSER": Kamailio, "MAXCOMPAT": MaxCompat, "ALL": MaxCompat,
}

// directiveAt is the directive's word that starts at s[i], "" when there is
// none and the "#!" is a comment.
func directiveAt(s string, i int) string {
	j := i
	for j < len(s) && (isLetter(s[j]) || isDigit(s[j])) {
		j++
	}
	w := s[i:j]
	m, ok := directives[w]
	if !ok {
		return ""
	}
	if m == "flavour" && strings.Trim(s[j:lineEnd(s, j)], " \t\r\u00a0") != "" {
		return ""
	}
	return w
}

func lineEnd(s string, i int) int {
	if n := strings.IndexByte(s[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(s)
}

// run reads the whole configuration into p.toks, which ends with an end token.
func (p *preproc) run(main *Source) {
	p.push(&frame{src: main})
	for len(p.stack) > 0 && !p.full {
		f := p.stack[len(p.stack)-1]
		var t token
		switch p.scan(f, &t) {
		case gotDirective:
			p.directive(f)
		case gotEnd:
			p.pop(f)
		case gotToken:
			p.token(f, t)
		}
	}
	end := len(main.Text)
	p.toks = append(p.toks, token{kind: tEOF, pos: Pos{main, end, end}, src: main, off: end, end: end, nl: true})
}

// start defines what exists before the first line.
func (p *preproc) start() {
	for _, name := range p.opts.Predefined {
		p.predefine(name)
	}
	for _, d := range p.opts.Defines {
		name, value, _ := strings.Cut(d, "=")
		p.add(&Define{Name: name, Value: value})
	}
}

func (p *preproc) push(f *frame) {
	f.conds = len(p.conds)
	p.stack = append(p.stack, f)
	if f.def != nil {
		f.def.active = true
	} else {
		p.files++
	}
}

func (p *preproc) pop(f *frame) {
	p.stack = p.stack[:len(p.stack)-1]
	if f.def != nil {
		f.def.active = false
		return
	}
	p.files--
	for len(p.conds) > f.conds {
		c := p.conds[len(p.conds)-1]
		p.conds = p.conds[:len(p.conds)-1]
		p.errs.add(c.pos, "conditional is not closed").hint(`it needs "#!endif"`)
	}
}

// token keeps one token, or does what it asks for: a define's name is
// replaced, a file included.
func (p *preproc) token(f *frame, t token) {
	if len(p.toks) >= MaxTokens {
		p.errs.add(t.pos, "configuration has more than %d words", MaxTokens)
		p.full = true
		return
	}
	switch t.kind {
	case tIdent:
		if p.expand(f, &t) {
			return
		}
	case tString:
		if n := len(p.toks); n > 0 {
			last := &p.toks[n-1]
			if last.is("include_file") || last.is("import_file") {
				p.include(last, t)
				return
			}
			if last.kind == tString && !last.raw && !t.raw {
				last.text += t.text
				last.pos = last.pos.to(t.pos)
				if last.src == t.src {
					last.end = t.end
				}
				return
			}
			if last.is("loadmodule") || last.kind == tLParen && n > 1 && p.toks[n-2].is("loadmodule") {
				p.predefine("MOD_" + moduleName(t.text))
			}
		}
	}
	p.toks = append(p.toks, t)
}

func moduleName(path string) string {
	return strings.TrimSuffix(path[strings.LastIndexByte(path, '/')+1:], ".so")
}

// expand replaces a define's name by its value.
func (p *preproc) expand(f *frame, t *token) bool {
	d := p.defines[t.text]
	if d == nil || keywords[t.text] || d.active {
		return false
	}
	if d.Value == "" {
		return true
	}
	if len(p.stack)-p.files >= maxExpansions {
		p.errs.add(t.pos, "defines use each other more than %d deep", maxExpansions)
		return true
	}
	if d.src == nil {
		d.src = &Source{Name: "value of " + d.Name, Text: d.Value, From: d.Pos}
	}
	p.push(&frame{src: d.src, use: t.pos, def: d})
	return true
}

// include opens the file that an include_file or import_file line names.
func (p *preproc) include(word *token, t token) {
	optional := word.is("import_file")
	p.toks = p.toks[:len(p.toks)-1]
	if p.files > MaxIncludes {
		p.errs.add(t.pos, "files include each other more than %d deep", MaxIncludes)
		return
	}
	path, text, err := p.open(t.text, t.src.Name)
	if err != nil {
		if !optional || !errors.Is(err, fs.ErrNotExist) {
			e := p.errs.add(t.pos, "cannot include %q: %v", t.text, err)
			if errors.Is(err, fs.ErrNotExist) {
				e.Msg = "cannot include " + quote(t.text) + ": there is no such file"
				e.hint("import_file passes over files that are missing")
			}
		}
		return
	}
	p.push(&frame{src: p.source(path, text, t.pos)})
}

// open reads a file as the elders look for it: from the working directory,
// then from the folder of the file that names it.
func (p *preproc) open(name, from string) (path, text string, err error) {
	if text, err = p.read(name); err == nil || filepath.IsAbs(name) || !errors.Is(err, fs.ErrNotExist) {
		return name, text, err
	}
	beside := filepath.Join(filepath.Dir(from), name)
	if beside == name {
		return name, text, err
	}
	text, err = p.read(beside)
	return beside, text, err
}

func (p *preproc) source(name, text string, from Pos) *Source {
	s := &Source{Name: name, Text: text, From: from, index: len(p.sources)}
	p.sources = append(p.sources, s)
	return s
}

// predefine adds a define without value, as -A and loadmodule do.
func (p *preproc) predefine(name string) {
	if p.defines[name] == nil {
		p.add(&Define{Name: name})
	}
}

func (p *preproc) add(d *Define) {
	if old := p.defines[d.Name]; old != nil {
		i := slices.Index(p.order, old)
		p.order[i] = d
	} else {
		p.order = append(p.order, d)
	}
	p.defines[d.Name] = d
}

// defineNames are the names in use, sorted, for suggestions.
func (p *preproc) defineNames() []string {
	return slices.Sorted(maps.Keys(p.defines))
}

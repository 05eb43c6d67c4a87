package avpops

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/regex"
	"sipd/router/run"
)

// operand is the value in an operation: a constant or a variable.
type operand struct {
	op    string
	value run.Value
	v     pv.Var // set when Get is
	flags map[byte]bool
}

// valuesOf are the values of a variable: all of an attribute, newest first, the
// one of another, an undefined one as an empty text. False for an attribute
// without a value.
func valuesOf(c *run.Context, v pv.Var) ([]run.Value, bool) {
	if v.Attr != nil {
		name, ok := attr{v}.name(c)
		if !ok {
			return nil, false
		}
		out := values(c, name)
		return out, len(out) > 0
	}
	x := v.Get(c)
	if x.IsNull() {
		x = run.Str("")
	}
	return []run.Value{x}, true
}

func (o *operand) values(c *run.Context) ([]run.Value, bool) {
	if o.v.Get == nil {
		return []run.Value{o.value}, true
	}
	return valuesOf(c, o.v)
}

// operand reads "op/value/flags".
func (m *avpops) operand(text, ops, letters string) (*operand, error) {
	op, rest, ok := strings.Cut(text, "/")
	op = strings.ToLower(op)
	if !ok || op == "" || !strings.Contains(" "+ops+" ", " "+op+" ") {
		return nil, fmt.Errorf("%q is not OPERATION/VALUE/FLAGS; the operations are %s", text, ops)
	}
	value, fl, _ := strings.Cut(rest, "/")
	o := &operand{op: op}
	var err error
	if o.flags, err = flags(fl, letters); err != nil {
		return nil, err
	}
	switch {
	case value == "":
		return nil, fmt.Errorf("the value is missing in %q", text)
	case strings.HasPrefix(value, "$"):
		if strings.HasPrefix(value, "$xavp") && strings.Contains(value, "[*]") {
			return nil, errAll
		}
		o.v, err = m.variable(value)
		return o, err
	case len(value) > 1 && value[1] == ':':
		return o, o.typed(value)
	}
	o.value = run.Str(value)
	return o, nil
}

var errAll = errors.New("all values of an xavp, [*], cannot be asked for here; name one")

// typed reads i:5, i:0x1f or s:text.
func (o *operand) typed(value string) error {
	text := value[2:]
	switch value[0] {
	case 's', 'S':
		o.value = run.Str(text)
	case 'i', 'I':
		n, err := strconv.ParseInt(text, 0, 64)
		if err != nil || n != int64(int32(n)) && n != int64(uint32(n)) {
			return fmt.Errorf("%q is not a number", text)
		}
		o.value = run.Int(int(int32(n)))
	default:
		return fmt.Errorf("unknown type %c: there are i: for numbers and s: for texts", value[0])
	}
	if text == "" {
		return fmt.Errorf("the value is missing behind %s", value)
	}
	return nil
}

// newCheck compiles avp_check("$avp(x)", "eq/value/gi").
func (m *avpops) newCheck(a module.Args) (run.Func, error) {
	if strings.HasPrefix(a[0].Text, "$xavp") && strings.Contains(a[0].Text, "[*]") {
		return nil, at(0, errAll)
	}
	src, err := m.variable(a[0].Text)
	if err != nil {
		return nil, at(0, err)
	}
	o, err := m.operand(a[1].Text, "eq ne lt le gt ge re fm and or xor", "gi")
	if err != nil {
		return nil, at(1, err)
	}
	test, err := o.test()
	if err != nil {
		return nil, at(1, err)
	}
	return func(c *run.Context) int {
		list, ok := valuesOf(c, src)
		if !ok {
			return -1
		}
		if !o.flags['g'] {
			list = list[:1]
		}
		for _, v := range list {
			others, ok := o.values(c)
			if !ok {
				return -1
			}
			for _, w := range others {
				if v.IsStr() == w.IsStr() && test(v, w) {
					return 1
				}
			}
		}
		return -1
	}, nil
}

// test answers what compares two values of one type.
func (o *operand) test() (func(v, w run.Value) bool, error) {
	var match func(text, pattern string) bool
	switch o.op {
	case "re":
		last := regex.Last[*regex.Regexp]{Make: func(p string) (*regex.Regexp, error) { return regex.Compile(p, regex.IgnoreCase|regex.Newline) }}
		match = func(text, pattern string) bool {
			re, err := last.Get(pattern)
			return err == nil && re.Match(text)
		}
		if o.v.Get == nil && o.value.IsStr() {
			if _, err := last.Get(o.value.Text()); err != nil {
				return nil, err
			}
		}
	case "fm":
		last := regex.Last[*regexp.Regexp]{Make: func(p string) (*regexp.Regexp, error) { return glob(p), nil }}
		match = func(text, pattern string) bool {
			g, _ := last.Get(pattern) // no pattern is wrong
			return g.MatchString(text)
		}
		if o.v.Get == nil && o.value.IsInt() {
			return nil, errors.New("fm compares texts, not numbers")
		}
	}
	return func(v, w run.Value) bool {
		if v.IsInt() {
			return compareInts(o.op, v.Int(), w.Int())
		}
		if match != nil {
			return match(v.Text(), w.Text())
		}
		return compareTexts(o.op, v.Text(), w.Text(), o.flags['i'])
	}, nil
}

func compareInts(op string, a, b int) bool {
	switch op {
	case "eq":
		return a == b
	case "ne":
		return a != b
	case "lt":
		return a < b
	case "le":
		return a <= b
	case "gt":
		return a > b
	case "ge":
		return a >= b
	case "and":
		return a&b != 0
	case "or":
		return a|b != 0
	case "xor":
		return a^b != 0
	}
	return false
}

// compareTexts compares; greater and less do not look at case, as in Kamailio.
func compareTexts(op, a, b string, fold bool) bool {
	same := a == b
	if fold {
		same = strings.EqualFold(a, b)
	}
	order := strings.Compare(strings.ToLower(a), strings.ToLower(b))
	switch op {
	case "eq":
		return same
	case "ne":
		return !same
	case "lt":
		return order < 0
	case "le":
		return order <= 0
	case "gt":
		return order > 0
	case "ge":
		return order >= 0
	}
	return false
}

// glob compiles a pattern of the shell: * ? [a-z] [!a] and backslashes.
// Case counts, with the flag i too: so it is in Kamailio on Linux.
func glob(p string) *regexp.Regexp {
	b := []byte("(?s)^")
	for i := 0; i < len(p); i++ {
		switch c := p[i]; c {
		case '*':
			b = append(b, ".*"...)
		case '?':
			b = append(b, '.')
		case '[':
			if end := bracketEnd(p, i); end > 0 {
				b, i = appendBracket(b, p[i+1:end]), end
				continue
			}
			b = append(b, `\[`...)
		default:
			if c == '\\' && i+1 < len(p) {
				i++
			}
			b = append(b, regexp.QuoteMeta(p[i:i+1])...)
		}
	}
	re, err := regexp.Compile(string(append(b, '$')))
	if err != nil { // a range in the wrong order: nothing matches
		return regexp.MustCompile(`[^\x00-\x{10FFFF}]`)
	}
	return re
}

// bracketEnd is where the bracket at i is closed; 0 when it is not.
func bracketEnd(p string, i int) int {
	from := i + 2
	if from <= len(p) && (p[i+1:from] == "!" || p[i+1:from] == "^") {
		from++
	}
	if from > len(p) {
		return 0
	}
	n := strings.IndexByte(p[from:], ']')
	if n < 0 {
		return 0
	}
	return from + n
}

func appendBracket(b []byte, in string) []byte {
	b = append(b, '[')
	if in[0] == '!' || in[0] == '^' {
		b, in = append(b, '^'), in[1:]
	}
	for i := range len(in) {
		if strings.IndexByte(`\[]^&~`, in[i]) >= 0 {
			b = append(b, '\\')
		}
		b = append(b, in[i])
	}
	return append(b, ']')
}

package textopsx

import (
	"strings"

	"sipd/router/sip"
)

// param is where a parameter of a value stands, or where it would go.
type param struct {
	found bool
	// value is from the end of the name to the end of what it is set to;
	// whole has the separators too.
	value, whole sip.Span
	// sep goes before a parameter that is added at whole.Start.
	sep string
}

// paramsFrom is where the parameters of a name-addr or URI begin: behind the
// name, quoted or not, and what stands in <>.
func paramsFrom(raw string, v sip.Span) int {
	quoted, angle := false, false
	for i := v.Start; i < v.End; i++ {
		switch b := raw[i]; {
		case b == '"' && (!quoted || raw[i-1] != '\\'):
			quoted = !quoted
		case quoted:
		case b == '<':
			angle = true
		case b == '>':
			angle = false
		case b == ';' && !angle:
			return i
		}
	}
	return v.End
}

// setTo reads what a parameter is set to, from behind its name: "=value" or
// ="value". It answers where it ends.
func setTo(raw string, i, end int, separator byte) int {
	j := blanks(raw, i, end)
	if j >= end || raw[j] != '=' {
		return i
	}
	i = blanks(raw, j+1, end)
	if i < end && raw[i] == '"' {
		if n := strings.IndexByte(raw[i+1:end], '"'); n >= 0 {
			return i + n + 2
		}
		return end
	}
	for i < end && !isBlank(raw[i]) && raw[i] != separator {
		i++
	}
	return i
}

// findParam looks for ;name=value in raw[i:end].
func findParam(raw string, i, end int, name string) param {
	for {
		start := i
		if i = blanks(raw, i, end); i >= end || raw[i] != ';' {
			return param{whole: sip.Span{Start: start, End: start}, sep: ";"}
		}
		from := blanks(raw, i+1, end)
		for i = from; i < end && !isBlank(raw[i]) && raw[i] != '=' && raw[i] != ';'; {
			i++
		}
		to := i
		i = setTo(raw, i, end, ';')
		if strings.EqualFold(raw[from:to], name) {
			return param{found: true, value: sip.Span{Start: to, End: i}, whole: sip.Span{Start: start, End: i}}
		}
	}
}

// findListed looks in raw[i:end] for name=value in a list with commas, as
// headers of digest authentication have it: SCHEME name=value, name="value".
func findListed(raw string, i, end int, name string) param {
	sep := ""
	for i < end {
		start := i
		i = blanks(raw, i, end)
		comma := i < end && raw[i] == ','
		if comma {
			i = blanks(raw, i+1, end)
		}
		from := i
		for i < end && isWord(raw[i]) {
			i++
		}
		if from == i {
			i++ // what belongs to no parameter
			continue
		}
		if sep == "" {
			sep = " "
		}
		to := i
		i = setTo(raw, i, end, ',')
		if i > to {
			sep = ","
		}
		if i == to || !strings.EqualFold(raw[from:to], name) {
			i = blanks(raw, i, end)
			continue
		}
		whole := i
		if next := blanks(raw, i, end); !comma && next < end && raw[next] == ',' {
			whole = next + 1
		}
		return param{found: true, value: sip.Span{Start: to, End: i}, whole: sip.Span{Start: start, End: whole}}
	}
	return param{whole: sip.Span{Start: end, End: end}, sep: sep}
}

// assign sets the parameter to a text, and adds it where it is missing.
func (p *param) assign(m *sip.Message, name, text string) bool {
	if text != "" {
		text = "=" + text
	}
	if p.found {
		return m.Edits.Replace(p.value.Start, p.value.End, text) == nil
	}
	m.Edits.Insert(p.whole.Start, p.sep+name+text)
	return true
}

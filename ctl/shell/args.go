package shell

import (
	"fmt"
	"strconv"
	"strings"

	"sipd/rpc"
)

// Word is a word of a command. Quoted ones are text, whatever they look like.
type Word struct {
	Text   string
	Quoted bool
}

// Words makes words of a program's arguments, which the caller's shell has
// already taken out of their quotes.
func Words(args []string) []Word {
	words := make([]Word, len(args))
	for i, a := range args {
		words[i].Text = a
	}
	return words
}

// Split cuts a line into words as a POSIX shell does: at blanks; quotes '…'
// and "…" keep blanks, a backslash keeps the next character (inside "…" only
// in front of " and \). It knows no variables and no wildcards. Errors:
// UsageError for a quote that is not closed.
func Split(line string) ([]Word, error) {
	var (
		words []Word
		cur   []byte
		in    bool // a word
		q     byte // the open quote, 0 for none
		text  bool // the word had quotes
	)
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case q == 0 && (c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			if in {
				words = append(words, Word{string(cur), text})
			}
			cur, in, text = cur[:0], false, false
		case q == 0 && (c == '\'' || c == '"'):
			q, in, text = c, true, true
		case c == q && q != 0:
			q = 0
		case c == '\\' && q != '\'' && i+1 < len(line) && (q == 0 || line[i+1] == '"' || line[i+1] == '\\'):
			i++
			cur, in = append(cur, line[i]), true
		default:
			cur, in = append(cur, c), true
		}
	}
	if q != 0 {
		return nil, UsageError(fmt.Sprintf("the quote %c is not closed", q))
	}
	if in {
		words = append(words, Word{string(cur), text})
	}
	return words, nil
}

// elderValue types an argument as kamcmd does: s: makes text; all of it a
// number by strtol is an integer, cut to 32 bits; by strtod a double; empty is
// 0; the rest is text.
func elderValue(text string) rpc.Value {
	if s, ok := strings.CutPrefix(text, "s:"); ok {
		return rpc.String(s)
	}
	if text == "" {
		return rpc.Int(0)
	}
	if n, ok := strtol(text); ok {
		return rpc.Int(int32(n))
	}
	if f, ok := strtod(text); ok {
		return rpc.Double(f)
	}
	return rpc.String(text)
}

// strtol reads all of s as C's strtol does with base 10: blanks in front and a
// sign are fine, what is too large becomes the largest.
func strtol(s string) (int64, bool) {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	digits := strings.TrimLeft(s, "+-")
	if digits == "" || len(s)-len(digits) > 1 || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	n, _ := strconv.ParseInt(s, 10, 64) // out of range: the nearest
	return n, true
}

// strtod reads all of s as C's strtod does: decimal, hexadecimal, inf, nan.
func strtod(s string) (float64, bool) {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	if s == "" || strings.Contains(s, "_") {
		return 0, false
	}
	low := strings.ToLower(s)
	if strings.HasPrefix(strings.TrimLeft(low, "+-"), "0x") && !strings.Contains(low, "p") {
		s += "p0" // Go insists on the exponent
	}
	f, err := strconv.ParseFloat(s, 64)
	if ne, ok := err.(*strconv.NumError); ok && ne.Err == strconv.ErrRange {
		return f, true
	}
	return f, err == nil
}

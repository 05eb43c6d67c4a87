package regex

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	engine "sipd/router/regex"
)

const maxFile = 64 << 20

// group is the lines of one [n] of the file.
type group struct {
	text  []byte
	lines []line
}

type line struct{ number, start int } // start in the group's text

// readGroups reads a file of groups and compiles each: ((line)|(line)). The
// numbers in the brackets do not count, the order does. Errors name file and line.
func readGroups(path string, maxGroups, maxSize int, f engine.PCREFlags) ([]*engine.PCRE, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: the file is over %d octets", path, maxFile)
	}
	groups, at, err := parseGroups(data, maxGroups, maxSize)
	if err != nil {
		return nil, fmt.Errorf("%s:%d: %w", path, at, err)
	}
	list := make([]*engine.PCRE, len(groups))
	for i := range groups {
		if list[i], at, err = groups[i].compile(f); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, at, err)
		}
	}
	return list, nil
}

// parseGroups answers the groups, or the line of the error.
func parseGroups(data []byte, maxGroups, maxSize int) ([]group, int, error) {
	var groups []group
	n := 0
	for text := range bytes.Lines(data) {
		n++
		text = bytes.TrimSuffix(text, []byte("\n"))
		if len(text) == 0 || text[0] == '#' || bytes.IndexByte([]byte(" \t\v\f\r"), text[0]) >= 0 {
			continue
		}
		if text[0] == '[' {
			if len(groups) == maxGroups {
				return nil, n, fmt.Errorf("there are more than %d groups; raise max_groups", maxGroups)
			}
			groups = append(groups, group{})
			continue
		}
		if len(groups) == 0 {
			return nil, n, errors.New("a regular expression before the first group; put a line [0] before it")
		}
		if !groups[len(groups)-1].add(text, n, maxSize) {
			return nil, n, fmt.Errorf("the group is over %d octets; raise group_max_size, or make two groups of it", maxSize)
		}
	}
	if len(groups) == 0 {
		return nil, max(n, 1), errors.New("there is no group in the file; put a line [0] at its start")
	}
	return groups, 0, nil
}

// add takes a line in; false when the group gets too large.
func (g *group) add(text []byte, number, maxSize int) bool {
	sep := "|("
	if len(g.lines) == 0 {
		sep = "(("
	}
	if len(g.text)+len(text)+1 >= maxSize-4 {
		return false
	}
	g.text = append(g.text, sep...)
	g.lines = append(g.lines, line{number, len(g.text)})
	g.text = append(append(g.text, text...), ')')
	return true
}

// compile answers the expression, or the line of the error.
func (g *group) compile(f engine.PCREFlags) (*engine.PCRE, int, error) {
	text := "^$" // an empty group matches an empty text
	if len(g.lines) > 0 {
		text = string(g.text) + ")"
	}
	re, err := engine.CompilePCRE(text, f)
	if err == nil {
		return re, 0, nil
	}
	at := 1
	var e *engine.Error
	if errors.As(err, &e) {
		for _, l := range g.lines {
			if l.start <= e.Off || at == 1 {
				at = l.number
			}
		}
	}
	return nil, at, err
}

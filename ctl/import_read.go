package ctl

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// record is one line of a file: its cells by column.
type record struct {
	line int
	cell map[string]string
	err  error // it could not be read
}

// words are a cell that holds a list.
func (r record) words(name string) []string { return strings.Fields(r.cell[name]) }

// readCSV gives a function for the next record, io.EOF at the end. A record
// that has another number of cells is one with an error; a mistake in the
// quoting, after which nobody knows where the next record begins, is a
// *lineError.
func readCSV(r io.Reader, columns []string, must int) func() (record, error) {
	c := csv.NewReader(bufio.NewReaderSize(r, 1<<16))
	c.FieldsPerRecord = -1
	c.ReuseRecord = true
	var head []string
	return func() (record, error) {
		if head == nil {
			h, err := c.Read()
			if errors.Is(err, io.EOF) {
				return record{}, errors.New("the file is empty; its first line names the columns: " + strings.Join(columns[:2], ","))
			}
			if err != nil {
				return record{}, err
			}
			head = slices.Clone(h)
			head[0] = strings.TrimPrefix(head[0], "\ufeff")
			if err := columnsOf(head, columns, must); err != nil {
				return record{}, err
			}
		}
		rec, err := c.Read()
		if e, ok := errors.AsType[*csv.ParseError](err); ok {
			return record{}, &lineError{e.Line, e.Err}
		}
		if err != nil {
			return record{}, err
		}
		line, _ := c.FieldPos(0)
		out := record{line: line, cell: make(map[string]string, len(head))}
		if len(rec) != len(head) {
			out.err = fmt.Errorf("has %d cells, the first line %d", len(rec), len(head))
			return out, nil
		}
		for i, h := range head {
			out.cell[h] = strings.Clone(rec[i])
		}
		return out, nil
	}
}

// longestLine is how long a line of JSON may be.
const longestLine = 1 << 20

// readJSONL gives a function for the next record. A line that is no object of
// these members is a record with an error.
func readJSONL(r io.Reader, columns []string) func() (record, error) {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 1<<16), longestLine)
	line := 0
	return func() (record, error) {
		for s.Scan() {
			line++
			text := bytes.TrimSpace(s.Bytes())
			if len(text) == 0 {
				continue
			}
			out := record{line: line}
			out.cell, out.err = jsonCells(text, columns)
			return out, nil
		}
		if errors.Is(s.Err(), bufio.ErrTooLong) {
			return record{}, &lineError{line + 1, fmt.Errorf("is longer than %d bytes", longestLine)}
		}
		if s.Err() != nil {
			return record{}, s.Err()
		}
		return record{}, io.EOF
	}
}

// jsonCells reads an object. Lists of texts become words; lists of objects stay
// JSON; members that export prints and import does not take are passed over.
func jsonCells(text []byte, columns []string) (map[string]string, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, fmt.Errorf("is no JSON object: %v", err)
	}
	out := make(map[string]string, len(members))
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(columns, name) {
			return nil, fmt.Errorf("%q is no member; there are %s", name, strings.Join(columns, ", "))
		}
		raw := members[name]
		var s string
		var list []string
		switch {
		case string(raw) == "null":
		case json.Unmarshal(raw, &s) == nil:
			out[name] = s
		case json.Unmarshal(raw, &list) == nil:
			for _, w := range list {
				if strings.ContainsAny(w, " \t\r\n") {
					return nil, fmt.Errorf("%s: %q has a blank", name, w)
				}
			}
			out[name] = strings.Join(list, " ")
		default: // numbers, true, false, lists of objects
			out[name] = string(raw)
		}
	}
	return out, nil
}

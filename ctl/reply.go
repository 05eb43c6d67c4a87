package ctl

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"sipd/ctl/output"
	"sipd/rpc"
)

// object is a struct of a reply: members in order, names may repeat.
type object []output.Field

// MarshalJSON keeps the order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	err := output.Record(&b, output.JSONL, o...)
	return bytes.TrimSpace(b.Bytes()), err
}

func (o object) get(name string) any {
	for _, f := range o {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return nil
}

// plain turns a value of the wire into what output prints: int64, float64,
// string, bool, nil, object and []any.
func plain(v rpc.Value) any {
	switch v := v.(type) {
	case rpc.Int:
		return int64(v)
	case rpc.Time:
		return int64(v)
	case rpc.Double:
		return float64(v)
	case rpc.String:
		return string(v)
	case rpc.Text:
		return string(v)
	case rpc.Bytes:
		return string(v)
	case rpc.Bool:
		return bool(v)
	case rpc.Array:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = plain(e)
		}
		return out
	case rpc.Struct:
		return members(v)
	case rpc.Items:
		return members(v)
	case rpc.Stream:
		var m []rpc.Member
		for e := range v {
			m = append(m, e)
		}
		return members(m)
	}
	return nil
}

// members are an object, or a list where no member has a name.
func members(ms []rpc.Member) any {
	if !slices.ContainsFunc(ms, func(m rpc.Member) bool { return m.Name != "" }) {
		out := make([]any, len(ms))
		for i, m := range ms {
			out[i] = plain(m.Value)
		}
		return out
	}
	out := make(object, len(ms))
	for i, m := range ms {
		out[i] = output.F(m.Name, plain(m.Value))
	}
	return out
}

// printReply prints what a server answered: objects that are alike as rows, one
// object as a record, anything deeper on a screen as an indented text.
func (a *App) printReply(vals []rpc.Value) error {
	all := make([]any, len(vals))
	for i, v := range vals {
		all[i] = plain(v)
	}
	if len(all) == 1 {
		if list, ok := all[0].([]any); ok {
			all = list
		}
	}
	if rows, columns, ok := flat(all); ok {
		if len(rows) == 1 {
			return output.Record(a.Out, a.set.output, rows[0]...)
		}
		w := output.New(a.Out, a.set.output, columns...)
		for _, r := range rows {
			cells := make([]any, len(columns))
			for i, c := range columns {
				cells[i] = r.get(c)
			}
			if err := w.Row(cells...); err != nil {
				return err
			}
		}
		return w.Close()
	}
	if !a.set.output.Screen() {
		w := output.New(a.Out, a.set.output, "value")
		for _, v := range all {
			if o, ok := v.(object); ok && a.set.output.Nested() {
				if err := output.Record(a.Out, a.set.output, o...); err != nil {
					return err
				}
				continue
			}
			if err := w.Row(v); err != nil {
				return err
			}
		}
		if len(all) == 1 {
			if _, ok := all[0].(object); ok && a.set.output.Nested() {
				return nil
			}
		}
		return w.Close()
	}
	var b strings.Builder
	for _, v := range all {
		indent(&b, "", v, 0)
	}
	_, err := fmt.Fprint(a.Out, b.String())
	return err
}

// flat tells whether every value is an object of scalars, and the columns.
func flat(all []any) (rows []object, columns []string, ok bool) {
	for _, v := range all {
		o, is := v.(object)
		if !is {
			return nil, nil, false
		}
		for i, f := range o {
			switch f.Value.(type) {
			case object, []any:
				return nil, nil, false
			}
			if slices.ContainsFunc(o[:i], func(x output.Field) bool { return x.Name == f.Name }) {
				return nil, nil, false
			}
			if !slices.Contains(columns, f.Name) {
				columns = append(columns, f.Name)
			}
		}
		rows = append(rows, o)
	}
	return rows, columns, len(rows) > 0
}

// indent prints a value of any depth, two blanks for each level.
func indent(b *strings.Builder, name string, v any, depth int) {
	head := strings.Repeat("  ", depth)
	if name != "" {
		head += output.Clean(name) + ":"
	}
	switch v := v.(type) {
	case object:
		if name != "" {
			fmt.Fprintln(b, head)
			depth++
		}
		for _, f := range v {
			indent(b, f.Name, f.Value, depth)
		}
	case []any:
		if name != "" {
			fmt.Fprintln(b, head)
			depth++
		}
		for i, e := range v {
			if i > 0 {
				if _, deep := e.(object); deep {
					b.WriteByte('\n')
				}
			}
			indent(b, "", e, depth)
		}
	default:
		if name != "" {
			head += " "
		}
		fmt.Fprintln(b, head+output.Clean(output.Text(v)))
	}
}

// named finds every object that stands under a name, at any depth.
func named(v any, name string, found func(object)) {
	switch v := v.(type) {
	case object:
		for _, f := range v {
			if o, ok := f.Value.(object); ok && strings.EqualFold(f.Name, name) {
				found(o)
			}
			named(f.Value, name, found)
		}
	case []any:
		for _, e := range v {
			named(e, name, found)
		}
	}
}

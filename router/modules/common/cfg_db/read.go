package cfgdb

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"sipd/router/cfg"
	"sipd/rpc"
)

// The columns that the elders' module reads.
var (
	translationColumns = []string{
		"group_name", "cfg_table", "cfg_table_group_name_field", "cfg_table_name_field", "cfg_table_value_field",
	}
	customColumns = []string{"group_name", "name", "value_type", "min_value", "max_value", "description"}
)

// anyGroup and defaults are group names of the translation table that mean all
// groups, and what stands for empty fields.
const (
	anyGroup = "*"
	defaults = "<default>"
)

// source is where values of a group stand: a table and its columns.
type source struct{ table, group, name, value string }

// or fills empty fields from another.
func (s source) or(d source) source {
	pick := func(a, b string) string {
		if a == "" {
			return b
		}
		return a
	}
	return source{pick(s.table, d.table), pick(s.group, d.group), pick(s.name, d.name), pick(s.value, d.value)}
}

// value is a variable's, as the database has it.
type value struct {
	group, name, table string
	value              rpc.Value
}

// declare makes the variables of the custom table known.
func (m *cfgDB) declare(ctx context.Context) error {
	q := m.conn.Select(m.custom, customColumns, nil, "")
	defer q.Close()
	return q.Each(ctx, nil, func(scan func(...any) error) error {
		var group, name, kind string
		var low, high *int
		var help *string
		if err := scan(&group, &name, &kind, &low, &high, &help); err != nil {
			return err
		}
		var v cfg.Var
		switch kind {
		case "i":
			v = &cfg.Int{Min: deref(low), Max: deref(high), Help: deref(help)}
		case "s":
			v = &cfg.Str{Help: deref(help)}
		default:
			return fmt.Errorf("table %s of %s: variable %s.%s has the value_type %q; i (number) and s (text) are known",
				m.custom, m.conn.Source(), group, name, kind)
		}
		if err := m.store.DeclareCustom(group, name, v); err != nil {
			return fmt.Errorf("table %s of %s: %w", m.custom, m.conn.Source(), err)
		}
		return nil
	})
}

func deref[T any](p *T) (zero T) {
	if p == nil {
		return zero
	}
	return *p
}

// read finds the value of each declared variable: the tables of its group in
// order, then those of all groups; the first that has it counts.
func (m *cfgDB) read(ctx context.Context) ([]value, error) {
	sources, err := m.sources(ctx)
	if err != nil {
		return nil, err
	}
	var out []value
	groups := make(map[string][]string)
	for _, l := range m.store.List("") {
		groups[l.Group] = append(groups[l.Group], l.Var.Name())
	}
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		found := make(map[string]value)
		for _, s := range slices.Concat(sources[group], sources[anyGroup]) {
			if err := m.table(ctx, s, group, found); err != nil {
				return nil, err
			}
		}
		for _, name := range groups[group] {
			if v, ok := found[name]; ok {
				out = append(out, v)
			}
		}
	}
	return out, nil
}

// sources reads the translation table.
func (m *cfgDB) sources(ctx context.Context) (map[string][]source, error) {
	q := m.conn.Select(m.translation, translationColumns, nil, "")
	defer q.Close()
	out := make(map[string][]source)
	err := q.Each(ctx, nil, func(scan func(...any) error) error {
		var group string
		var f [4]*string
		if err := scan(&group, &f[0], &f[1], &f[2], &f[3]); err != nil {
			return err
		}
		out[group] = append(out[group], source{deref(f[0]), deref(f[1]), deref(f[2]), deref(f[3])})
		return nil
	})
	if err != nil {
		return nil, err
	}
	fallback := source{"cfg_var", "group_name", "name", "value"}
	if d := out[defaults]; len(d) > 0 {
		fallback = d[0].or(fallback)
	}
	for _, list := range out {
		for i := range list {
			list[i] = list[i].or(fallback)
		}
	}
	return out, nil
}

// table adds the values of a group that one table has and no earlier one had.
func (m *cfgDB) table(ctx context.Context, s source, group string, found map[string]value) error {
	q := m.conn.Select(s.table, []string{s.name, s.value}, []string{s.group}, "")
	defer q.Close()
	return q.Each(ctx, []any{group}, func(scan func(...any) error) error {
		var name string
		var raw any
		if err := scan(&name, &raw); err != nil {
			return err
		}
		if _, have := found[name]; have || raw == nil {
			return nil
		}
		found[name] = value{group, name, s.table, fromColumn(raw)}
		return nil
	})
}

// fromColumn makes a value of a column: the type of the column decides.
func fromColumn(raw any) rpc.Value {
	switch v := raw.(type) {
	case int64:
		return rpc.Int(v)
	case bool:
		return rpc.Bool(v)
	case []byte:
		return rpc.String(v)
	case string:
		return rpc.String(v)
	}
	return rpc.String(fmt.Sprint(raw))
}

func show(v rpc.Value) string { return fmt.Sprint(v) }

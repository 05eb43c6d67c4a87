package mtree

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sipd/db"
	"sipd/router/dbx"
)

// spec is a modparam mtree.
type spec struct {
	name, table string
	cols        []string
	kind, multi int
}

// addSpec reads "name=t;dbtable=routes;type=0;multi=1;cols='a,b'".
func (m *mtree) addSpec(text string) error {
	s := new(spec)
	for part := range strings.SplitSeq(strings.TrimSuffix(text, ";"), ";") {
		key, value, _ := strings.Cut(part, "=")
		value = strings.Trim(strings.TrimSpace(value), `'"`)
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "name":
			s.name = value
		case "dbtable":
			s.table = value
		case "cols":
			s.cols = strings.Split(value, ",")
			if len(s.cols) < 2 || len(s.cols) > 8 {
				return errors.New("cols names the column of the prefix and 1 to 7 of values")
			}
		case "type":
			if len(value) != 1 || value < "0" || value > "2" {
				return fmt.Errorf("unknown type %q; there are 0 text, 1 destinations and 2 numbers", value)
			}
			s.kind = int(value[0] - '0')
		case "multi":
			if value != "0" && value != "1" {
				return fmt.Errorf("multi is 0 or 1, not %q", value)
			}
			s.multi = int(value[0] - '0')
		default:
			return fmt.Errorf("unknown part %q; there are name, dbtable, type, multi and cols", key)
		}
	}
	if s.name == "" || s.table == "" {
		return errors.New("a tree needs name= and dbtable=")
	}
	if slices.ContainsFunc(m.specs, func(o *spec) bool { return o.name == s.name }) {
		return fmt.Errorf("there are two trees of the name %s", s.name)
	}
	m.specs = append(m.specs, s)
	return nil
}

// loadAll loads the trees whose names begin so and puts them into use; the others
// stay as they are. Those of db_table are loaded together.
func (m *mtree) loadAll(ctx context.Context, begin string) error {
	m.loading.Lock()
	defer m.loading.Unlock()
	var list []*tree
	if len(m.specs) == 0 {
		var err error
		if list, err = m.loadTable(ctx); err != nil {
			return err
		}
	}
	for _, s := range m.specs {
		if old := m.tree(s.name); old != nil && !strings.HasPrefix(s.name, begin) {
			list = append(list, old)
			continue
		}
		t, err := m.load(ctx, s)
		if err != nil {
			return err
		}
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b *tree) int { return strings.Compare(a.name, b.name) })
	m.trees.Store(&list)
	return nil
}

func (m *mtree) load(ctx context.Context, s *spec) (*tree, error) {
	t := &tree{name: s.name, kind: s.kind, reloads: 1, loaded: time.Now().Unix()}
	if old := m.tree(s.name); old != nil {
		t.reloads = old.reloads + 1
	}
	columns := s.cols
	if columns == nil {
		columns = []string{m.prefixCol, m.valueCol}
	}
	var keys []string
	var args []any
	if s.multi == 1 {
		keys, args = []string{m.nameCol}, []any{s.name}
	}
	if err := m.conn.Require(ctx, db.Kamailio, dbx.Table{Name: s.table, Columns: slices.Concat(columns, keys)}); err != nil || m.conn.DB == nil {
		return t, err
	}
	q := m.conn.Select(s.table, columns, keys, "")
	defer q.Close()
	return t, q.Each(ctx, args, func(scan func(...any) error) error {
		cells, dest := make([]*string, len(columns)), make([]any, len(columns))
		for i := range cells {
			dest[i] = &cells[i]
		}
		if err := scan(dest...); err != nil {
			return err
		}
		if cells[0] == nil {
			return nil
		}
		return t.add(m.chars, *cells[0], pack(cells[1:]), m.ignore != 0, m.allow != 0)
	})
}

// pack makes one text of several columns, a * of what is NULL among them.
func pack(cells []*string) string {
	if len(cells) == 1 && cells[0] == nil {
		return ""
	}
	out := make([]string, len(cells))
	for i, c := range cells {
		if out[i] = "*"; c != nil {
			out[i] = *c
		}
	}
	return strings.Join(out, ",")
}

// loadTable loads the trees of db_table.
func (m *mtree) loadTable(ctx context.Context) ([]*tree, error) {
	columns := []string{m.nameCol, m.prefixCol, m.valueCol}
	if err := m.conn.Require(ctx, db.Kamailio, dbx.Table{Name: m.table, Columns: columns}); err != nil || m.conn.DB == nil {
		return nil, err
	}
	byName, now := make(map[string]*tree), time.Now().Unix()
	var list []*tree
	q := m.conn.Select(m.table, columns, nil, "ORDER BY "+m.conn.Quote(m.nameCol))
	defer q.Close()
	err := q.Each(ctx, nil, func(scan func(...any) error) error {
		var name, prefix, value db.Text
		if err := scan(&name, &prefix, &value); err != nil {
			return err
		}
		if name == "" || prefix == "" || value == "" {
			return nil
		}
		t := byName[string(name)]
		if t == nil {
			t = &tree{name: string(name), kind: m.kind, loaded: now}
			byName[t.name] = t
			list = append(list, t)
		}
		return t.add(m.chars, string(prefix), string(value), m.ignore != 0, m.allow != 0)
	})
	return list, err
}

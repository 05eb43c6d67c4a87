package htable

import (
	"context"
	"fmt"
	"strconv"

	"sipd/db"
	"sipd/router/run"
)

// columnsOf are those that a table is read from.
func (h *htable) columnsOf(t *table) []string {
	if t.columns != nil {
		return t.columns
	}
	list := []string{h.nameCol, h.typeCol, h.vtypeCol, h.valueCol}
	if h.withExpires(t) {
		list = append(list, h.expiresCol)
	}
	return list
}

func (h *htable) withExpires(t *table) bool { return h.dbExpires && t.autoexpire > 0 }

func (h *htable) require(t *table) error { return h.conn.RequireColumns(t.dbTable, h.columnsOf(t)...) }

// load reads a table from the database.
func (h *htable) load(ctx context.Context, t *table) error {
	if h.conn.DB == nil {
		return nil
	}
	tail := ""
	if t.columns == nil {
		tail = "ORDER BY " + h.conn.Quote(h.nameCol)
	}
	s := h.conn.Select(t.dbTable, h.columnsOf(t), nil, tail)
	defer s.Close()
	if t.columns != nil {
		return h.loadPacked(ctx, t, s)
	}
	arrays := make(map[string]int)
	err := s.Each(ctx, nil, func(scan func(...any) error) error {
		var name, value db.Text
		var ktype, vtype int
		var expires int64
		dest := []any{&name, &ktype, &vtype, &value}
		if h.withExpires(t) {
			dest = append(dest, &expires)
		}
		if err := scan(dest...); err != nil {
			return err
		}
		key := string(name)
		if ktype == 1 { // an array: name[0], name[1], … and its size
			n := arrays[key]
			arrays[key]++
			key = fmt.Sprintf("%s[%d]", key, n)
		}
		v := run.Str(string(value))
		if vtype == 1 {
			n, err := strconv.Atoi(string(value))
			if err != nil {
				return fmt.Errorf("%s: the value of %s is not the number that its type says: %q", t.dbTable, name, value)
			}
			v = run.Int(n)
		}
		if expires > 0 && expires <= t.now() {
			return nil
		}
		if expires == 0 && !h.dbExpires {
			expires = t.fresh()
		}
		t.put(key, v, expires)
		return nil
	})
	for name, n := range arrays {
		t.put(name+h.arraySuffix, run.Int(n), t.fresh())
	}
	return err
}

// loadPacked reads tables with cols: several columns become one text.
func (h *htable) loadPacked(ctx context.Context, t *table, s *db.Stmt) error {
	return s.Each(ctx, nil, func(scan func(...any) error) error {
		values := make([]*string, len(t.columns))
		dest := make([]any, len(values))
		for i := range values {
			dest[i] = &values[i]
		}
		if err := scan(dest...); err != nil {
			return err
		}
		if values[0] == nil {
			return fmt.Errorf("%s: a row has no key in %s", t.dbTable, t.columns[0])
		}
		packed := ""
		for i, v := range values[1:] {
			if i > 0 {
				packed += t.delimiter
			}
			if v == nil {
				packed += t.nullValue
			} else {
				packed += *v
			}
		}
		t.put(*values[0], run.Str(packed), t.fresh())
		return nil
	})
}

// canWrite says why a table is not written.
func (h *htable) canWrite(t *table) error {
	switch {
	case h.conn == nil || h.conn.DB == nil:
		return fault("No htable db_url")
	case t.dbTable == "":
		return fault("No htable dbtable")
	case t.columns != nil:
		return fault("a table with cols is not written")
	}
	return nil
}

// store replaces the rows of a table by its items.
func (h *htable) store(ctx context.Context, t *table) error {
	if err := h.canWrite(t); err != nil {
		return err
	}
	columns := h.columnsOf(t)
	marks := "?, ?, ?, ?"
	if h.withExpires(t) {
		marks += ", ?"
	}
	insert := "INSERT INTO " + h.conn.Quote(t.dbTable) + " (" + h.conn.QuoteAll(columns) + ") VALUES (" + marks + ")"
	return h.conn.Tx(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, "DELETE FROM "+h.conn.Quote(t.dbTable)); err != nil {
			return err
		}
		for _, e := range t.entries(nil) {
			vtype := 0
			if e.value.IsInt() {
				vtype = 1
			}
			args := []any{e.key, 0, vtype, e.value.Text()}
			if h.withExpires(t) {
				args = append(args, e.expires)
			}
			if _, err := tx.Exec(ctx, insert, args...); err != nil {
				return err
			}
		}
		return nil
	})
}

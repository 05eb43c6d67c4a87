package dbtest

import (
	"testing"

	"sipd/db"
)

func TestMain(m *testing.M) { Main(m) }

// TestEach: every engine gives a database that takes a row and gives it back.
func TestEach(t *testing.T) {
	Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		const want = "a'b\"c\\d`e; -- ř"
		err := d.Tx(ctx, func(tx *db.Tx) error {
			if err := tx.Do(ctx, "CREATE TABLE x (v VARCHAR(64))"); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "INSERT INTO x (v) VALUES (?)", want)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if err := d.Query("SELECT v FROM x WHERE v = ?").Get(ctx, []any{want}, &got); err != nil || got != want {
			t.Errorf("read back %q, %v; want %q", got, err, want)
		}
	})
}

package schema

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sipd/db"
)

// ErrObstacle is a plan with something in its way.
var ErrObstacle = errors.New("something is in the way")

// Run executes the plan; progress, if any, hears of each step before it. On
// SQLite and PostgreSQL all is one transaction: it is done whole or not at all.
// MySQL commits each statement: interrupted, the database is half-way, nothing
// is lost, and a new plan is the rest of the way. An error says which statement
// it was. Open d with [db.Patient]: a change of a large table takes its time.
func (p *Plan) Run(ctx context.Context, d *db.DB, progress func(Step)) error {
	if len(p.Obstacles) > 0 {
		return fmt.Errorf("%w: %s", ErrObstacle, strings.Join(p.Obstacles, "; "))
	}
	if len(p.Steps) == 0 {
		return nil
	}
	each := func(do func(string) error) error {
		for i, s := range p.Steps {
			if progress != nil {
				progress(s)
			}
			if err := do(s.SQL); err != nil {
				return fmt.Errorf("step %d of %d (%s: %s): %w", i+1, len(p.Steps), s.Table, s.What, err)
			}
		}
		return nil
	}
	if d.Engine == db.MySQL {
		return each(func(sql string) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			_, err := d.Writer().ExecContext(ctx, sql)
			return d.Wrap(err)
		})
	}
	return d.Tx(ctx, func(tx *db.Tx) error {
		return each(func(sql string) error { return tx.Do(ctx, sql) })
	})
}

package kamctl

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"sipd/db"
	"sipd/schema"
)

func (k *control) acc(ctx context.Context, args []string) error {
	if len(args) < 2 {
		k.error("acc - too few parameters")
		k.help("acc")
		return failed
	}
	if err := k.needEngine(); err != nil {
		return err
	}
	table := k.rc.table("ACC_TABLE", "acc")
	switch args = args[1:]; args[0] {
	case "initdb":
		return k.accInit(ctx)
	case "showdb":
		return k.show(ctx, query{table: table})
	case "recent":
		return k.accRecent(ctx, args, table)
	}
	k.help("acc")
	return failed
}

// accColumns are what the default configuration of Kamailio writes beside the
// standard columns.
var accColumns = []struct {
	name string
	size int
}{{"src_user", 64}, {"src_domain", 128}, {"src_ip", 64}, {"dst_ouser", 64}, {"dst_user", 64}, {"dst_domain", 128}}

// accInit adds the columns that are missing, to both tables or to none where
// the engine can undo it.
func (k *control) accInit(ctx context.Context) error {
	d, err := k.writer(ctx)
	if err != nil {
		return err
	}
	found, err := schema.Inspect(ctx, d)
	if err != nil {
		return err
	}
	err = d.Tx(ctx, func(tx *db.Tx) error {
		for _, table := range []string{"acc", "missed_calls"} {
			for _, c := range accColumns {
				if found.Has(table, c.name) {
					continue
				}
				ddl := fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s VARCHAR(%d) NOT NULL DEFAULT ''", table, c.name, c.size)
				k.traced(ddl+";", true)
				if err := tx.Do(ctx, ddl); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return k.sqlError(err, "error - acc db init")
	}
	k.echo("ok - acc db init")
	return nil
}

// accRecent shows the records of the last seconds. The elder compares the date
// column with a Unix time, which finds nothing on any engine.
func (k *control) accRecent(ctx context.Context, args []string, table string) error {
	seconds, err := strconv.ParseUint(argOr(args, 1, "300"), 10, 31)
	if err != nil {
		k.error("acc - '%s' is no number of seconds", args[1])
		return failed
	}
	d, err := k.reader(ctx)
	if err != nil {
		return err
	}
	since := time.Now().Add(-time.Duration(seconds) * time.Second)
	k.traced(fmt.Sprintf("select * from %s where time >= '%s';", table, since.Format(time.DateTime)), false)
	return k.printer(false).Query(ctx, d, "SELECT * FROM "+d.Quote(table)+" WHERE "+moment(d.Dialect, "time")+" >= ?", d.Time(since, time.Local))
}

// moment is a date column as something to compare with db.Dialect.Time: in
// SQLite some writers put text where others put Julian days.
func moment(d db.Dialect, column string) string {
	if d.Engine == db.SQLite {
		return "(CASE typeof(" + column + ") WHEN 'text' THEN julianday(" + column + ") ELSE " + column + " END)"
	}
	return column
}

// locationClean removes stored contacts that expired long ago. Permanent ones,
// whose date is the beginning of time, stay; the elder removes them too.
func (k *control) locationClean(ctx context.Context, args []string, table string) error {
	if err := k.needEngine(); err != nil {
		return err
	}
	seconds, err := strconv.ParseUint(argOr(args, 1, "3600"), 10, 31)
	if err != nil {
		k.error("'%s' is no number of seconds", args[1])
		return failed
	}
	d, err := k.writer(ctx)
	if err != nil {
		return err
	}
	before, start := time.Now().Add(-time.Duration(seconds)*time.Second), time.Unix(48*3600, 0)
	k.traced(fmt.Sprintf("delete from %s where expires < '%s';", table, before.Format(time.DateTime)), true)
	err = d.Tx(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, "DELETE FROM "+d.Quote(table)+" WHERE "+moment(d.Dialect, "expires")+" < ? AND "+moment(d.Dialect, "expires")+" > ?",
			d.Time(before, time.Local), d.Time(start, time.Local))
		return err
	})
	if err != nil {
		return k.sqlError(err, "usrloc - SQL Error")
	}
	return nil
}

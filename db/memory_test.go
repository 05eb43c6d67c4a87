package db

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// TestMemoryShared: many read and write one database at once, and nobody fails.
func TestMemoryShared(t *testing.T) {
	d, err := OpenMemory(t.Context(), Memory{Source: "memory"})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Keeper().Exec("CREATE TABLE t (id INTEGER, v TEXT)"); err != nil {
		t.Fatal(err)
	}
	insert, count := d.Command("INSERT INTO t VALUES (?, ?)"), d.Query("SELECT count(*) FROM t WHERE id = ?")
	const workers, rounds = 8, 200
	var wg sync.WaitGroup
	errs := make(chan error, 3*workers)
	fail := func(what string, err error) {
		select {
		case errs <- fmt.Errorf("%s: %w", what, err):
		default:
		}
	}
	for w := range workers {
		wg.Go(func() {
			for i := range rounds {
				if _, err := insert.Exec(context.Background(), w, "x"); err != nil {
					fail("insert", err)
				}
				var n int
				if err := count.Get(context.Background(), []any{w}, &n); err != nil || n != i+1 {
					fail(fmt.Sprintf("%d of %d rows", n, i+1), err)
				}
				err := d.Tx(context.Background(), func(tx *Tx) error {
					return tx.Get(context.Background(), &n, "SELECT count(*) FROM t")
				})
				if err != nil {
					fail("transaction", err)
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
}

func TestMemoryHooks(t *testing.T) {
	var before, closing int
	d, err := OpenMemory(t.Context(), Memory{
		Source: "text:/x", UnixTime: true, Before: func() { before++ },
		Closing: func() error { closing++; return errors.New("odd") },
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Keeper().Exec("CREATE TABLE t (at INTEGER)"); err != nil || before != 0 {
		t.Errorf("the keeper calls Before %d times, %v", before, err)
	}
	at := time.Unix(1700000000, 0)
	if _, err := d.Command("INSERT INTO t VALUES (?)").Exec(t.Context(), d.Time(at, time.UTC)); err != nil || before != 1 {
		t.Errorf("before a statement: %d, %v", before, err)
	}
	if err := d.Tx(t.Context(), func(*Tx) error { return nil }); err != nil || before != 2 {
		t.Errorf("before a transaction: %d, %v", before, err)
	}
	var got Time
	if err := d.Reader().QueryRow("SELECT at FROM t").Scan(&got); err != nil || before != 3 || !got.Time.Equal(at) {
		t.Errorf("before a query: %d, %v %v", before, err, got)
	}
	other, err := OpenMemory(t.Context(), Memory{Source: "other"})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.Writer().Exec("INSERT INTO t VALUES (1)"); err == nil {
		t.Error("two databases are one")
	}
	if err := d.Close(); err == nil || err.Error() != "odd" || closing != 1 {
		t.Errorf("close: %v, %d", err, closing)
	}
}

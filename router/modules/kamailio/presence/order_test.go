package presence

import (
	"strings"
	"sync"
	"testing"
)

// TestOrder: what belongs to one dialog is never done twice at a time, and all of
// it is done.
func TestOrder(t *testing.T) {
	var o order
	const workers, each = 4, mostWaiting / 4
	busy, done := 0, 0 // guarded by the order alone: the race detector looks
	var wg, jobs sync.WaitGroup
	jobs.Add(workers * each)
	for range workers {
		wg.Go(func() {
			for range each {
				o.do(dialog{callID: "a"}, func() {
					defer jobs.Done()
					if busy++; busy != 1 {
						t.Errorf("%d at a time", busy)
					}
					busy--
					done++
				})
			}
		})
	}
	wg.Wait()
	jobs.Wait()
	if o.do(dialog{callID: "a"}, func() {}); done != workers*each || len(o.waiting) != 0 {
		t.Errorf("%d done, want %d; %d dialogs are left", done, workers*each, len(o.waiting))
	}
}

// TestOrderBound: too many that wait push the oldest out.
func TestOrderBound(t *testing.T) {
	var o order
	var got []int
	o.do(dialog{}, func() {
		for i := range mostWaiting + 3 {
			o.do(dialog{}, func() { got = append(got, i) })
		}
	})
	if len(got) != mostWaiting || got[0] != 3 {
		t.Errorf("%d done, the first is %v", len(got), got[:1])
	}
}

// TestOrderPanic: a panic leaves the dialog free.
func TestOrderPanic(t *testing.T) {
	var o order
	func() {
		defer func() { _ = recover() }()
		o.do(dialog{}, func() { panic("x") })
	}()
	ran := false
	if o.do(dialog{}, func() { ran = true }); !ran {
		t.Error("the dialog is still taken")
	}
}

func TestTags(t *testing.T) {
	tags := newTags()
	first := tags.first()
	next, err := tags.next(first)
	if err != nil || next == first || next[len(next)-2:] != ".1" {
		t.Errorf("%s, then %s, %v", first, next, err)
	}
	for _, bad := range []string{"", "nonsense", "a.b", "a.-1", "a.99999999999"} {
		if n, err := tags.next(bad); err == nil {
			t.Errorf("%q is followed by %q", bad, n)
		}
	}
}

// FuzzTag: a tag that is followed by another is followed by a chain of them.
func FuzzTag(f *testing.F) {
	for _, s := range []string{"a.1795593832.29542.1.0", "nonsense", "a.", ".2147483646", "x.1.2"} {
		f.Add(s)
	}
	tags := newTags()
	f.Fuzz(func(t *testing.T, s string) {
		next, err := tags.next(s)
		if err != nil {
			return
		}
		if len(next) > 128 {
			t.Fatalf("%q is followed by %q, which the table cannot hold", s, next)
		}
		if strings.HasSuffix(s, ".2147483647") {
			return // the last one
		}
		if _, err := tags.next(next); err != nil {
			t.Fatalf("%q is followed by %q: %v", s, next, err)
		}
	})
}

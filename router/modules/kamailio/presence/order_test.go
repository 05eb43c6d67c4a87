package presence

import (
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

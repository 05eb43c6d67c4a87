package script

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"sipd/router/run"
)

// reporter tells run-time mistakes: each place at most once a second, with the
// number of those that were not told.
type reporter struct {
	mu sync.Mutex
	// mu guards the field below.
	last map[place]told
}

type told struct {
	at     time.Time
	silent int
}

// report logs a mistake at the place that c is at. It is no hot path: whoever
// gets here has something to mend.
func (r *reporter) report(c *run.Context, what, detail string) {
	log := c.Env.Log
	if log == nil {
		return
	}
	at := place{c.File, c.Line}
	now := time.Now()
	r.mu.Lock()
	if r.last == nil {
		r.last = make(map[place]told)
	}
	t, seen := r.last[at]
	if seen && now.Sub(t.at) < time.Second {
		t.silent++
		r.last[at] = t
		r.mu.Unlock()
		return
	}
	r.last[at] = told{at: now}
	r.mu.Unlock()
	attrs := []slog.Attr{
		slog.String("what", what), slog.String("detail", detail),
		slog.String("file", c.File), slog.Int("line", c.Line), slog.String("route", c.RouteName),
	}
	if c.Msg != nil {
		attrs = append(attrs, slog.String("call_id", c.Msg.CallID()))
	}
	if t.silent > 0 {
		attrs = append(attrs, slog.Int("not_told", t.silent))
	}
	log.LogAttrs(context.Background(), slog.LevelError, "script error", attrs...)
}

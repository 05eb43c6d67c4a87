package dispatcher

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"sipd/router/tm"
)

// The values of ds_probing_mode.
const (
	probeFlagged = iota
	probeAll
	probeInactive
	probeOnlyFlagged
)

// Serve pings, looks names up again and ends the counts of old calls.
func (d *dispatcher) Serve(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			if d.pingInterval > 0 && n%d.pingInterval == 0 && d.pinging.Load() {
				d.pingAll(now)
			}
			if d.calls != nil && n%d.checkInterval == 0 {
				for _, c := range d.calls.ended(now) {
					d.release(c)
				}
			}
			if d.dnsMode&dnsTimer != 0 && n%d.dnsInterval == 0 {
				d.lookAgain(ctx)
			}
		}
	}
}

// pingAll sends a request to each destination that is to be pinged.
func (d *dispatcher) pingAll(now time.Time) {
	for _, s := range d.sets.Load().order {
		for _, x := range s.dests {
			s.mu.Lock()
			flags := x.flags
			wanted := d.pinged(flags)
			if wanted {
				x.pingedAt = now
			}
			s.mu.Unlock()
			if wanted {
				d.ping(s, x)
			}
		}
	}
}

func (d *dispatcher) pinged(flags int) bool {
	if flags&disabled != 0 {
		return false
	}
	switch d.probingMode {
	case probeAll:
		return true
	case probeInactive:
		return flags&(probing|inactive) == probing|inactive
	}
	return flags&probing != 0
}

// ping sends one request and takes what comes of it.
func (d *dispatcher) ping(s *set, x *dest) {
	from, next := d.pingFrom, d.outbound
	if x.attrs.pingFrom != "" {
		from = x.attrs.pingFrom
	}
	if x.attrs.outbound != "" {
		next = x.attrs.outbound
	}
	_, err := d.send(&tm.Request{
		Method: d.pingMethod, URI: x.uri, NextHop: next, Socket: x.sock, From: "<" + from + ">", To: "<" + x.uri + ">",
		Done: func(r *tm.Response) {
			d.ponged(s, x, event{r.Code, r.Reason, r.Msg != nil})
		},
	})
	if err != nil {
		d.host.Log.LogAttrs(context.Background(), slog.LevelError, "destination cannot be pinged", slog.String("module", "dispatcher"),
			slog.String("dst", x.uri), slog.Any("err", err))
		d.failed(s, x, event{code: 500, reason: "Sending keepalive failed"})
	}
}

// ponged is told how a ping ended.
func (d *dispatcher) ponged(s *set, x *dest, e event) {
	if d.latencyStats {
		s.mu.Lock()
		s.measured(x, int(time.Since(x.pingedAt)/time.Millisecond), e.code, float64(d.alpha)/1000)
		s.mu.Unlock()
	}
	state := d.stateOf(s.id, x.uri)
	if d.probingMode == probeOnlyFlagged && state&probing == 0 {
		return
	}
	if e.code/100 != 2 && !d.codes.Load().has(e.code) {
		d.failed(s, x, e)
		return
	}
	to := 0
	if d.probingMode == probeAll || d.probingMode == probeOnlyFlagged && state&probing != 0 {
		to = probing
	}
	if state&disabled == 0 {
		d.report(nil, s.id, x.uri, to, e)
	}
}

func (d *dispatcher) failed(s *set, x *dest, e event) {
	state := trying
	if d.probingMode != probeFlagged {
		state |= probing
	}
	if d.stateOf(s.id, x.uri)&disabled == 0 {
		d.report(nil, s.id, x.uri, state, e)
	}
}

// lookAgain looks the names of all destinations up again; one that has no
// address keeps the old one.
func (d *dispatcher) lookAgain(ctx context.Context) {
	for _, s := range d.sets.Load().order {
		for _, x := range s.dests {
			s.mu.Lock()
			left := x.flags&noLookup != 0
			s.mu.Unlock()
			if left || ctx.Err() != nil {
				continue
			}
			at, err := d.lookup(ctx, x.host, x.written)
			if err != nil {
				d.host.Log.LogAttrs(ctx, slog.LevelError, "destination not found", slog.String("module", "dispatcher"), slog.String("dst", x.uri), slog.Any("err", err))
				continue
			}
			s.mu.Lock()
			x.at, x.seenAt = at, time.Now()
			s.mu.Unlock()
		}
	}
}

// codes are further replies that mean life: codes, and classes below 10.
type codes []int

func (l *codes) has(code int) bool {
	if l == nil {
		return false
	}
	for _, c := range *l {
		if c == code || c == code/100 {
			return true
		}
	}
	return false
}

// parseCodes reads "code=403;code=488;class=3".
func parseCodes(s string) (codes, error) {
	var list codes
	for part := range strings.SplitSeq(strings.TrimSpace(s), ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, err := strconv.Atoi(strings.TrimSpace(value))
		name = strings.ToLower(strings.TrimSpace(name))
		switch {
		case err == nil && name == "code" && n >= 100 && n < 700, err == nil && name == "class" && n >= 1 && n < 7:
			list = append(list, n)
		default:
			return nil, fmt.Errorf("%q: want code=NNN and class=N, with semicolons between", part)
		}
	}
	return list, nil
}

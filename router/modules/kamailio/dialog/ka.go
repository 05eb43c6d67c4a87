package dialog

import (
	"context"
	"log/slog"
	"time"

	"sipd/router/tm"
)

// keepAlive asks the parties of calls whether they are still there, each
// ka_timer seconds.
func (m *mod) keepAlive(ctx context.Context) {
	tick := time.NewTicker(time.Duration(m.kaTimer) * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			m.askAll(now)
		}
	}
}

// askAll sends an OPTIONS to each party whose time has come.
func (m *mod) askAll(now time.Time) {
	for _, d := range m.t.all() {
		d.mu.Lock()
		flags := d.iflags & (ifKASrc | ifKADst)
		due := flags != 0 && d.state == confirmed && !d.nextKA.IsZero() && !now.Before(d.nextKA)
		if flags != 0 && d.state == confirmed && (due || d.nextKA.IsZero()) {
			d.nextKA = now.Add(time.Duration(m.kaInterval) * time.Second)
		}
		d.mu.Unlock()
		if due && flags&ifKASrc != 0 {
			m.ask(d, caller)
		}
		if due && flags&ifKADst != 0 {
			m.ask(d, callee)
		}
	}
}

// ask sends one party an OPTIONS in the dialog. Its CSeq is not above the last
// one's, as with Kamailio: who knows the call refuses it, who does not says 481.
func (m *mod) ask(d *dialog, to side) {
	d.mu.Lock()
	if m.filterMode&onlyLocal != 0 && d.legs[to].socket == "" {
		d.mu.Unlock()
		return
	}
	td, next, err := m.inDialog(d, to)
	d.mu.Unlock()
	if err == nil {
		if td.Seq > 1 {
			td.Seq--
		}
		td.Seq-- // Request counts it up
		r := td.Request("OPTIONS")
		if r.NextHop = next; r.CSeq == 0 {
			r.CSeq = 1
		}
		if to == callee {
			r.Headers = m.calleeHdrs
		}
		r.Done = func(x *tm.Response) { m.asked(d, to, x.Code) }
		err = m.send(r)
	}
	if err != nil {
		m.log.LogAttrs(context.Background(), slog.LevelWarn, "keep-alive not sent", slog.String("module", "dialog"),
			slog.String("call_id", d.callID), slog.Any("err", err))
	}
}

// asked notes the answer: when ka_failed_limit of them say that the party is
// gone, the call has ten seconds more.
func (m *mod) asked(d *dialog, who side, code int) {
	d.mu.Lock()
	if d.state != confirmed {
		d.mu.Unlock()
		return
	}
	if code != 408 && code != 481 {
		d.failedKA[who] = 0
		d.mu.Unlock()
		return
	}
	d.failedKA[who]++
	over := d.failedKA[who] >= m.kaLimit
	if over {
		d.expires, d.lifetime = time.Now().Add(10*time.Second), 10
		d.changed()
	}
	d.mu.Unlock()
	if over {
		m.save(d)
	}
}

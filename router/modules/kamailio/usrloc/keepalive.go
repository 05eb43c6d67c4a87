package usrloc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
	"sipd/router/usrloc"
)

// Bits of ka_mode.
const (
	kaAll = 1 << iota
	kaNAT
	kaUDP
)

const (
	kaQuiet = 255 // the ka_loglevel that logs nothing
	// graceTime is for how many seconds a contact stays that does not answer, as
	// with Kamailio.
	graceTime = 10
)

// initKeepalive readies the pings of ka_mode. Their pinger outlives a reload.
func (m *mod) initKeepalive(h *module.Host, old *usrloc.Pinger) (err error) {
	if m.kaMode == 0 {
		if m.kaTimeout > 0 {
			return errors.New("ka_timeout waits for replies to keep-alives; set ka_mode too")
		}
		return nil
	}
	if m.dbMode == int(usrloc.Direct) {
		return errors.New("ka_mode notes who answers in memory, which db_mode 3 has not; leave it 0, or use another db_mode")
	}
	if m.kaMode&kaNAT != 0 && m.natFlag < 0 {
		return errors.New("ka_mode 2 is for contacts behind NAT; set nat_bflag, their flag")
	}
	if m.kaLoglevel != kaQuiet && m.kaLogmsg != "" {
		if m.kaFormat, err = h.Vars.ParseFormat(m.kaLogmsg, pv.Kamailio); err != nil {
			return fmt.Errorf("ka_logmsg: %w", err)
		}
	}
	if m.pinger = old; m.pinger == nil {
		m.pinger = usrloc.NewPinger("ulka")
		m.pinger.Transport, m.pinger.Method, m.pinger.From = h.Env.Transport, m.kaMethod, m.kaFrom
	}
	h.Hooks.PreReply = append(h.Hooks.PreReply, m.pingReply)
	return nil
}

// pingReply swallows the replies to pings, and notes whose phone sent them.
func (m *mod) pingReply(c *run.Context) bool {
	now := time.Now()
	a, own := m.pinger.Read(c.Msg, now)
	if !own {
		return true
	}
	if !m.all.Heard(a, now) || m.kaLoglevel == kaQuiet {
		return false
	}
	level, ctx := run.LogLevel(m.kaLoglevel), context.Background()
	if !m.host.Log.Enabled(ctx, level) {
		return false
	}
	more := ""
	if m.kaFormat != nil {
		more = m.kaFormat.Eval(c)
	}
	m.host.Log.LogAttrs(ctx, level, fmt.Sprintf("keepalive roundtrip: %d.%06d sec - ruid [%s]%s",
		a.Trip/time.Second, a.Trip%time.Second/time.Microsecond, a.RUID, more))
	return false
}

// keepAlive pings the contacts of a table.
func (m *mod) keepAlive(ctx context.Context, t *usrloc.Table, now int64) {
	for r := range t.All() {
		for _, c := range r.Contacts {
			if ctx.Err() != nil {
				return
			}
			if !m.kept(c, now) {
				continue
			}
			err := error(nil)
			if m.kaTimeout > 0 && c.LastKeepalive()+int64(m.kaTimeout) < now {
				err = t.Shorten(ctx, c, now+graceTime)
			} else {
				err = m.ping(ctx, t, c)
			}
			if err != nil {
				m.host.Log.LogAttrs(ctx, slog.LevelDebug, "contact not pinged", slog.String("module", "usrloc"), slog.String("contact", c.URI()), slog.Any("err", err))
			}
		}
	}
}

// kept says whether a contact is pinged.
func (m *mod) kept(c *usrloc.Contact, now int64) bool {
	return c.Valid(now) && (m.kaMode&kaNAT == 0 || c.CFlags()&(1<<m.natFlag) != 0) &&
		(m.kaFilter&1 == 0 || c.ServerID() == m.host.Env.ServerID)
}

func (m *mod) ping(ctx context.Context, t *usrloc.Table, c *usrloc.Contact) error {
	to := c.Received()
	if to == "" {
		to = c.URI()
		if c.Path() != "" {
			first, _ := sip.CutList(c.Path())
			na, err := sip.ParseNameAddr(first)
			if err != nil {
				return err
			}
			to = na.URI
		}
	}
	d, err := m.pinger.Way(ctx, t, c, to)
	if err != nil || m.kaMode&kaUDP != 0 && d.Proto != transport.UDP {
		return err
	}
	aor := "sip:" + c.AOR()
	if !strings.Contains(aor, "@") {
		aor += "@" + m.kaDomain
	}
	return m.pinger.Ping(c, d, aor, true)
}

// dropLost ends the contacts whose connection is gone.
func (m *mod) dropLost(ctx context.Context, t *usrloc.Table, now int64) {
	for r := range t.All() {
		for _, c := range r.Contacts {
			if c.Conn() > 0 && c.ServerID() == m.host.Env.ServerID && c.Valid(now) && !m.host.Env.Transport.ConnOpen(uint64(c.Conn())) {
				_ = t.Shorten(ctx, c, now) // swept next, and the store told of it
			}
		}
	}
}

// over closes the connection of a contact that ended (close_expired_tcp).
func (m *mod) over(_ string, c *usrloc.Contact) {
	if m.closeTCP && c.Conn() > 0 && c.ServerID() == m.host.Env.ServerID && m.host.Env.Transport != nil {
		m.host.Env.Transport.CloseConn(uint64(c.Conn()))
	}
}

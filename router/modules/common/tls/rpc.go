package tls

import (
	"context"
	"log/slog"
	"time"

	"sipd/router/transport"
	"sipd/rpc"
)

func (m *mod) conns() []transport.ConnInfo {
	if m.transport == nil {
		return nil
	}
	var list []transport.ConnInfo
	for _, c := range m.transport.Conns() {
		if c.Proto == transport.TLS {
			list = append(list, c)
		}
	}
	return list
}

func (m *mod) info(_ context.Context, c *rpc.Call) error {
	queued, list := 0, m.conns()
	for _, k := range list {
		queued += k.Queued
	}
	limit := 0
	if m.transport != nil {
		limit = m.transport.MaxTLS()
	}
	c.Add(rpc.Struct{
		rpc.M("max_connections", rpc.Int(limit)),
		rpc.M("opened_connections", rpc.Int(len(list))),
		rpc.M("clear_text_write_queued_bytes", rpc.Int(queued)),
	})
	return nil
}

func (m *mod) list(_ context.Context, c *rpc.Call) error {
	for _, k := range m.conns() {
		cipher, state := "unknown", "handshake"
		if s, ok := m.transport.TLSState(k.ID); ok {
			cipher, state = describe(s.CipherSuite), "established"
		}
		c.Add(rpc.Struct{
			rpc.M("id", rpc.Int(k.ID)),
			rpc.M("timeout", rpc.Int(k.Timeout/time.Second)),
			rpc.M("src_ip", rpc.String(k.Src.Addr().String())),
			rpc.M("src_port", rpc.Int(k.Src.Port())),
			rpc.M("dst_ip", rpc.String(k.Dst.Addr().String())),
			rpc.M("dst_port", rpc.Int(k.Dst.Port())),
			rpc.M("cipher", rpc.String(cipher)),
			rpc.M("ct_wq_size", rpc.Int(k.Queued)),
			rpc.M("enc_rd_buf", rpc.Int(0)),
			rpc.M("flags", rpc.Int(k.Refs-1)),
			rpc.M("state", rpc.String(state)),
		})
	}
	return nil
}

// orNull is how the elders show a text that was not set.
func orNull(s string) rpc.Value {
	if s == "" {
		return rpc.String("<null string>")
	}
	return rpc.String(s)
}

func number(b bool) rpc.Value {
	if b {
		return rpc.Int(1)
	}
	return rpc.Int(0)
}

func (m *mod) options(_ context.Context, c *rpc.Call) error {
	d, u := &m.def, &m.unused
	c.Add(rpc.Struct{
		rpc.M("force_run", number(u.forceRun)),
		rpc.M("method", rpc.String(d.method)),
		rpc.M("verify_certificate", number(d.verify)),
		rpc.M("verify_depth", rpc.Int(d.depth)),
		rpc.M("require_certificate", number(d.require)),
		rpc.M("verify_client", rpc.String(d.verifyClient)),
		rpc.M("private_key", orNull(m.path(d.key))),
		rpc.M("ca_list", orNull(m.path(d.caList))),
		rpc.M("certificate", orNull(m.path(d.cert))),
		rpc.M("cipher_list", orNull(d.ciphers)),
		rpc.M("session_cache", number(u.sessionCache)),
		rpc.M("session_id", orNull(u.sessionID)),
		rpc.M("config", orNull(m.path(m.config))),
		rpc.M("log", rpc.Int(u.log)),
		rpc.M("debug", rpc.Int(u.debug)),
		rpc.M("connection_timeout", rpc.Int(m.connectionTimeout)),
		rpc.M("disable_compression", number(u.noCompression)),
		rpc.M("ssl_release_buffers", rpc.Int(u.releaseBuffers)),
		rpc.M("ssl_freelist_max", rpc.Int(u.freelistMax)),
		rpc.M("ssl_max_send_fragment", rpc.Int(u.maxFragment)),
		rpc.M("ssl_read_ahead", number(u.readAhead)),
		rpc.M("send_close_notify", number(u.closeNotify)),
		rpc.M("low_mem_threshold1", rpc.Int(u.lowMem1)),
		rpc.M("low_mem_threshold2", rpc.Int(u.lowMem2)),
		rpc.M("ct_wq_max", rpc.Int(u.ctWqMax)),
		rpc.M("con_ct_wq_max", rpc.Int(u.conCtWqMax)),
		rpc.M("ct_wq_blk_size", rpc.Int(u.ctWqBlkSize)),
	})
	return nil
}

// reload exchanges the profiles; connections that are open keep theirs.
func (m *mod) reload(ctx context.Context, c *rpc.Call) error {
	if m.config == "" {
		return rpc.Faultf(500, "No TLS configuration file configured")
	}
	if err := m.load(); err != nil {
		m.log.LogAttrs(ctx, slog.LevelError, "TLS profiles not exchanged: the old ones stay", slog.Any("err", err))
		return rpc.Faultf(500, "Error while loading TLS configuration file (%v); the old one stays in use", err)
	}
	c.Add(rpc.String("Ok. TLS configuration reloaded."))
	return nil
}

func (m *mod) kill(_ context.Context, c *rpc.Call) error {
	id := c.Int(0)
	if m.transport == nil {
		return rpc.Faultf(500, "no TLS connection %d", id)
	}
	if _, ok := m.transport.TLSState(uint64(id)); !ok || !m.transport.CloseConn(uint64(id)) {
		return rpc.Faultf(500, "no TLS connection %d", id)
	}
	c.Add(rpc.String("OK"))
	return nil
}

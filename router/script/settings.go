package script

import (
	"fmt"
	"strconv"
	"strings"

	"sipd/router/cfg"
	"sipd/router/run"
	"sipd/router/transport"
	"sipd/rpc"
)

// settingType is what a core parameter takes.
type settingType uint8

const (
	setInt settingType = iota
	setBool
	setStr   // string, address or bare word
	setProto // UDP, TCP, …, or its number
)

// setting is a core parameter (script.md §5).
type setting struct {
	// names are the spellings; the first is the one that Config knows it by.
	names    string
	typ      settingType
	def      string
	min, max int // both 0: no bounds
	// live is group.name of the runtime variable that it starts, "" for none.
	live string
	note settingNote
}

// settingNote says what becomes of a parameter.
type settingNote uint8

const (
	used    settingNote = iota
	ignored             // accepted; nothing here depends on it
	old                 // accepted with a warning: a module does it now
)

const core = "core."

// coreSettings are the core parameters of all generations.
var coreSettings = []setting{
	// Processes, logging, memory.
	{names: "debug", def: "0", live: core + "debug"},
	{names: "fork", typ: setBool, def: "1"},
	{names: "log_stderror", typ: setBool, def: "0"},
	{names: "log_facility", typ: setStr, def: "LOG_DAEMON", live: core + "log_facility"},
	{names: "log_name", typ: setStr},
	{names: "log_prefix", typ: setStr},
	{names: "log_prefix_mode", min: 0, max: 1},
	{names: "log_engine_type log_engine_data log_color", typ: setStr, note: ignored},
	{names: "children", def: "8", min: 1, max: 4096},
	{names: "socket_workers", min: 0, max: 4096},
	{names: "tcp_children", min: 0, max: 4096},
	{names: "memdbg mem_dbg", def: "3", live: core + "memdbg"},
	{names: "memlog mem_log", def: "3", live: core + "memlog"},
	{names: "mem_summary", def: "3", live: core + "mem_summary"},
	{names: "mem_safety", live: core + "mem_safety"},
	{names: "mem_join", live: core + "mem_join"},
	{names: "mem_status_mode", live: core + "mem_status_mode"},
	{names: "shm shm_mem shm_mem_size", note: ignored},
	{names: "shm_force_alloc", note: ignored},
	{names: "mlock_pages", note: ignored},
	{names: "real_time", note: ignored},
	{names: "rt_prio", note: ignored},
	{names: "rt_policy", note: ignored},
	{names: "rt_timer1_prio rt_timer1_policy rt_timer2_prio rt_timer2_policy rt_stimer_prio rt_stimer_policy rt_ftimer_prio rt_ftimer_policy", note: ignored},
	{names: "user uid", typ: setStr},
	{names: "group gid", typ: setStr},
	{names: "chroot", typ: setStr},
	{names: "workdir wdir", typ: setStr},
	{names: "disable_core_dump", typ: setBool},
	{names: "open_files_limit", min: 0, max: 1 << 30},
	{names: "exit_timeout ser_kill_timeout", def: "60", min: 0, max: 86400},
	{names: "server_id", def: "0"},
	{names: "server_domain", typ: setStr},
	{names: "statistics", typ: setStr, note: ignored},
	{names: "maxbuffer", def: "262144", min: 0, max: 1 << 30},
	{names: "sql_buffer_size", note: ignored},
	{names: "mhomed", typ: setBool, def: "0"},
	{names: "max_while_loops", def: "100", min: 0, max: 1<<31 - 1, live: core + "max_while_loops"},
	{names: "max_branches", def: "12", min: 1, max: 31},
	{names: "max_recursive_level", def: "256", min: 1, max: 4096},
	{names: "modinit_delay", note: ignored},
	{names: "onsend_route_reply", typ: setBool, def: "0"},
	{names: "corelog", live: core + "corelog"},
	{names: "latency_log", live: core + "latency_log"},
	{names: "latency_cfg_log", live: core + "latency_cfg_log"},
	{names: "latency_limit_db", live: core + "latency_limit_db"},
	{names: "latency_limit_action", live: core + "latency_limit_action"},
	{names: "latency_limit_cfg", live: core + "latency_limit_cfg"},
	{names: "pv_buffer_size pv_buffer_slots pv_cache_limit pv_cache_action", note: ignored},
	{names: "msg_time timer_sanity_check uri_host_extra_chars hdr_name_extra_chars", typ: setStr, note: ignored},
	{names: "sip_parser_log", live: core + "sip_parser_log"},
	{names: "sip_parser_log_oneline", live: core + "sip_parser_log_oneline"},
	{names: "sip_parser_mode verbose_startup kemi.onsend_route_callback pmtu_discovery", note: ignored},
	{names: "xavp_via_params xavp_via_fields xavp_via_reply_params version_table dns_cache_file", typ: setStr, note: ignored},

	// SIP.
	{names: "port", def: "5060", min: 1, max: 65535},
	{names: "check_via", typ: setBool, def: "0"},
	{names: "dns", typ: setBool, def: "0"},
	{names: "rev_dns", typ: setBool, def: "0"},
	{names: "phone2tel", typ: setBool, def: "1"},
	{names: "syn_branch", typ: setBool, def: "1"},
	{names: "sip_warning", typ: setBool, def: "0"},
	{names: "server_signature", typ: setBool, def: "1"},
	{names: "server_header", typ: setStr},
	{names: "user_agent_header", typ: setStr},
	{names: "reply_to_via", typ: setBool, def: "0"},
	{names: "force_rport", typ: setBool, def: "0", live: core + "force_rport"},
	{names: "advertised_address", typ: setStr},
	{names: "advertised_port", min: 0, max: 65535},
	{names: "udp_mtu", def: "0", min: 0, max: 65535, live: core + "udp_mtu"},
	{names: "udp_mtu_try_proto", typ: setProto, live: core + "udp_mtu_try_proto"},
	{names: "udp4_raw", live: core + "udp4_raw"},
	{names: "udp4_raw_mtu", live: core + "udp4_raw_mtu"},
	{names: "udp4_raw_ttl", live: core + "udp4_raw_ttl"},
	{names: "mcast_loopback", typ: setBool, note: ignored},
	{names: "mcast_ttl", note: ignored},
	{names: "mcast", typ: setStr, note: ignored},
	{names: "tos", typ: setStr},
	{names: "auto_aliases", typ: setBool, def: "1"},
	{names: "auto_bind_ipv6", typ: setBool, def: "0"},
	{names: "stun_refresh_interval", note: ignored},
	{names: "stun_allow_stun", note: ignored},
	{names: "stun_allow_fp", note: ignored},
	{names: "ip_free_bind", note: ignored},
	{names: "bind_ipv6_link_local", note: ignored},
	{names: "async_workers", note: ignored},
	{names: "rundir run_dir", typ: setStr},
	{names: "rpc_credentials", typ: setStr},
	{names: "rpc_certificate", typ: setStr},
	{names: "rpc_private_key", typ: setStr},
	{names: "rpc_ca_list", typ: setStr},
	{names: "fifo", typ: setStr},
	{names: "fifo_mode", def: "432"},
	{names: "fifo_dir", typ: setStr},
	{names: "stat", typ: setStr, note: ignored},

	// TCP, TLS, SCTP.
	{names: "disable_tcp", typ: setBool, def: "0"},
	{names: "tcp_accept_aliases", typ: setBool, live: "tcp.accept_aliases"},
	{names: "tcp_accept_no_cl", typ: setBool, live: "tcp.accept_no_cl"},
	{names: "tcp_accept_hep3 tcp_accept_haproxy tcp_clone_rcvbuf tcp_accept_unique tcp_connection_match", note: ignored},
	{names: "tcp_connection_lifetime", def: "120", live: "tcp.connection_lifetime"},
	{names: "tcp_max_connections", def: "2048", live: "tcp.max_connections"},
	{names: "tls_max_connections", def: "2048", live: "tcp.max_tls_connections"},
	{names: "tcp_connect_timeout", def: "10", live: "tcp.connect_timeout"},
	{names: "tcp_send_timeout", def: "10", live: "tcp.send_timeout"},
	{names: "tcp_no_connect", typ: setBool, live: "tcp.no_connect"},
	{names: "tcp_poll_method", typ: setStr, note: ignored},
	{names: "tcp_poll_size tcp_main_pkg", note: ignored},
	{names: "tcp_async tcp_buf_write", typ: setBool, live: "tcp.async"},
	{names: "tcp_connect_wait", typ: setBool, live: "tcp.connect_wait"},
	{names: "tcp_conn_wq_max", live: "tcp.conn_wq_max"},
	{names: "tcp_wq_max", live: "tcp.wq_max"},
	{names: "tcp_rd_buf_size", live: "tcp.rd_buf_size"},
	{names: "tcp_wq_blk_size", live: "tcp.wq_blk_size"},
	{names: "tcp_fd_cache", typ: setBool, live: "tcp.fd_cache"},
	{names: "tcp_defer_accept", live: "tcp.defer_accept"},
	{names: "tcp_delayed_ack", typ: setBool, live: "tcp.delayed_ack"},
	{names: "tcp_syncnt", live: "tcp.syncnt"},
	{names: "tcp_linger2", live: "tcp.linger2"},
	{names: "tcp_keepalive", typ: setBool, live: "tcp.keepalive"},
	{names: "tcp_keepidle", live: "tcp.keepidle"},
	{names: "tcp_keepintvl", live: "tcp.keepintvl"},
	{names: "tcp_keepcnt", live: "tcp.keepcnt"},
	{names: "tcp_crlf_ping", typ: setBool, live: "tcp.crlf_ping"},
	{names: "tcp_reuse_port", typ: setBool, live: "tcp.reuse_port"},
	{names: "tcp_wait_data", live: "tcp.wait_data_ms"},
	{names: "tcp_source_ipv4", typ: setStr},
	{names: "tcp_source_ipv6", typ: setStr},
	{names: "enable_tls tls_enable", typ: setBool, def: "0"},
	{names: "disable_tls tls_disable", typ: setBool},
	{names: "tls_port_no", def: "5061", min: 1, max: 65535},
	{names: "tls_method tls_certificate tls_private_key tls_ca_list", typ: setStr, note: old},
	{names: "tls_verify tls_require_certificate tls_handshake_timeout tls_send_timeout tlslog", note: old},
	{names: "enable_sctp", typ: setBool, def: "0"},
	{names: "disable_sctp", typ: setBool},
	{names: "sctp_children sctp_socket_rcvbuf sctp_socket_sndbuf sctp_autoclose sctp_send_ttl sctp_send_retries sctp_assoc_tracking " +
		"sctp_assoc_reuse sctp_max_assocs sctp_srto_initial sctp_srto_max sctp_srto_min sctp_asocmaxrxt sctp_init_max_attempts " +
		"sctp_init_max_timeo sctp_hbinterval sctp_pathmaxrxt sctp_sack_delay sctp_sack_freq sctp_max_burst", note: ignored},

	// DNS and the list of failed destinations.
	{names: "dns_try_ipv6", typ: setBool, def: "1", live: core + "dns_try_ipv6"},
	{names: "dns_try_naptr", typ: setBool, def: "0", live: core + "dns_try_naptr"},
	{names: "dns_srv_lb dns_srv_loadbalancing", typ: setBool, live: core + "dns_srv_lb"},
	{names: "dns_udp_pref dns_udp_preference", def: "30", live: core + "dns_udp_pref"},
	{names: "dns_tcp_pref dns_tcp_preference", def: "20", live: core + "dns_tcp_pref"},
	{names: "dns_tls_pref dns_tls_preference", def: "10", live: core + "dns_tls_pref"},
	{names: "dns_sctp_pref dns_sctp_preference", def: "20", live: core + "dns_sctp_pref"},
	{names: "dns_retr_time", live: core + "dns_retr_time"},
	{names: "dns_retr_no", live: core + "dns_retr_no"},
	{names: "dns_slow_query_ms", live: core + "dns_slow_query_ms"},
	{names: "dns_servers_no", live: core + "dns_servers_no"},
	{names: "dns_use_search_list", typ: setBool, live: core + "dns_use_search_list"},
	{names: "dns_search_full_match", typ: setBool, live: core + "dns_search_full_match"},
	{names: "dns_naptr_ignore_rfc", typ: setBool, live: core + "dns_naptr_ignore_rfc"},
	{names: "dns_cache_init", typ: setBool, def: "1"},
	{names: "use_dns_cache", typ: setBool, def: "1", live: core + "use_dns_cache"},
	{names: "use_dns_failover", typ: setBool, def: "0", live: core + "use_dns_failover"},
	{names: "dns_cache_flags", live: core + "dns_cache_flags"},
	{names: "dns_cache_negative_ttl", live: core + "dns_cache_negative_ttl"},
	{names: "dns_cache_min_ttl", live: core + "dns_cache_min_ttl"},
	{names: "dns_cache_max_ttl", live: core + "dns_cache_max_ttl"},
	{names: "dns_cache_mem", live: core + "dns_cache_mem"},
	{names: "dns_cache_gc_interval", note: ignored},
	{names: "dns_cache_del_nonexp dns_cache_delete_nonexpired", typ: setBool, live: core + "dns_cache_del_nonexp"},
	{names: "dns_cache_rec_pref", live: core + "dns_cache_rec_pref"},
	{names: "dst_blacklist_init dst_blocklist_init", typ: setBool, note: ignored},
	{names: "use_dst_blacklist use_dst_blocklist", typ: setBool, live: core + "use_dst_blocklist"},
	{names: "dst_blacklist_expire dst_blacklist_ttl dst_blocklist_expire dst_blocklist_ttl", live: core + "dst_blocklist_expire"},
	{names: "dst_blacklist_mem dst_blocklist_mem", live: core + "dst_blocklist_mem"},
	{names: "dst_blacklist_gc_interval dst_blocklist_gc_interval", note: ignored},
	{names: "dst_blacklist_udp_imask dst_blocklist_udp_imask", live: core + "dst_blocklist_udp_imask"},
	{names: "dst_blacklist_tcp_imask dst_blocklist_tcp_imask", live: core + "dst_blocklist_tcp_imask"},
	{names: "dst_blacklist_tls_imask dst_blocklist_tls_imask", live: core + "dst_blocklist_tls_imask"},
	{names: "dst_blacklist_sctp_imask dst_blocklist_sctp_imask", live: core + "dst_blocklist_sctp_imask"},
}

// wrongSettings are names that configurations carry and that never existed.
var wrongSettings = map[string]string{"disable_core": "disable_core_dump", "open_fd_limit": "open_files_limit"}

// eachIs says whether a line of coreSettings lists parameters of their own
// rather than spellings of one: those that nothing depends on.
func (s *setting) separate() bool { return s.note != used }

// findSetting finds a parameter by any of its names; name is the one that
// Config keeps it under.
func findSetting(word string) (s *setting, name string) {
	for i := range coreSettings {
		s := &coreSettings[i]
		for n := range strings.FieldsSeq(s.names) {
			if n != word {
				continue
			}
			if s.separate() {
				return s, word
			}
			first, _, _ := strings.Cut(s.names, " ")
			return s, first
		}
	}
	return nil, ""
}

// settingNames lists every spelling, for suggestions.
func settingNames() []string {
	var names []string
	for i := range coreSettings {
		names = append(names, strings.Fields(coreSettings[i].names)...)
	}
	return names
}

// value converts a constant to what the parameter takes.
func (s *setting) value(c Const) (run.Value, error) {
	switch s.typ {
	case setStr:
		if c.Kind == ConstInt && !c.Bool {
			return run.Str(itoa(c.Int)), nil
		}
		return run.Str(c.Str), nil
	case setProto:
		if c.Kind == ConstWord || c.Kind == ConstStr {
			p, ok := transport.ParseProto(c.Str)
			if !ok {
				return run.Null, fmt.Errorf("wants a protocol (UDP, TCP, TLS, SCTP), not %q", c.Str)
			}
			return run.Int(int(p)), nil
		}
	}
	if c.Kind != ConstInt {
		n, err := strconv.ParseInt(c.Str, 10, 32)
		if err != nil {
			if s.typ == setBool {
				return run.Null, fmt.Errorf("wants yes or no, not %q", c.Str)
			}
			return run.Null, fmt.Errorf("wants a number, not %q", c.Str)
		}
		c.Int = int32(n)
	}
	if s.typ == setBool && c.Int != 0 {
		c.Int = 1
	}
	if n := int(c.Int); (s.min != 0 || s.max != 0) && (n < s.min || n > s.max) {
		return run.Null, fmt.Errorf("%d is out of range %d..%d", n, s.min, s.max)
	}
	return run.Int(int(c.Int)), nil
}

// start gives a runtime variable the value that it starts with.
func (s *setting) start(store *cfg.Store, v run.Value) error {
	group, name, _ := strings.Cut(s.live, ".")
	if _, ok := store.Lookup(group, name); !ok {
		return nil // the daemon does not have it
	}
	if v.IsStr() {
		return store.Init(cfg.Ref{Group: group}, name, rpc.String(v.Text()))
	}
	return store.Init(cfg.Ref{Group: group}, name, rpc.Int(v.Int()))
}

// def as a value.
func (s *setting) defValue() run.Value {
	if s.def == "" && s.typ != setStr {
		return run.Null
	}
	if s.typ == setStr {
		return run.Str(s.def)
	}
	n, _ := strconv.Atoi(s.def)
	return run.Int(n)
}

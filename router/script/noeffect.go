package script

import "strings"

// noEffect are the core parameters that are accepted and change nothing here,
// by the reason. What depends on nothing that this daemon has (memory pools,
// processes) is passed over in silence; a [missing] one is told where it is set
// to what this daemon does not do.
var noEffect = []struct {
	names   string
	why     string
	missing bool
	// does is the value that describes what this daemon does, "" for none: set
	// to it, a missing parameter is not worth a word.
	does string
}{
	{
		names: "shm shm_mem shm_mem_size shm_force_alloc mlock_pages memdbg mem_dbg memlog mem_log mem_summary mem_safety mem_join mem_status_mode " +
			"sql_buffer_size pv_buffer_size pv_buffer_slots pv_cache_limit pv_cache_action tcp_main_pkg tcp_wq_blk_size",
		why: "memory is taken as needed, there are no pools",
	},
	{
		names: "fork real_time rt_prio rt_policy rt_timer1_prio rt_timer1_policy rt_timer2_prio rt_timer2_policy rt_stimer_prio rt_stimer_policy " +
			"rt_ftimer_prio rt_ftimer_policy modinit_delay timer_sanity_check tcp_poll_method tcp_poll_size tcp_fd_cache tcp_async tcp_buf_write " +
			"tcp_connect_wait tcp_clone_rcvbuf async_workers maxbuffer disable_core_dump verbose_startup statistics stat kemi.onsend_route_callback",
		why: "there is one process, and its run-time system sees to this",
	},
	{
		names: "log_engine_type log_engine_data log_color corelog sip_parser_log sip_parser_log_oneline msg_time",
		why:   "the log has one form, and each line its level",
	},
	{
		names: "enable_sctp disable_sctp sctp_children sctp_socket_rcvbuf sctp_socket_sndbuf sctp_autoclose sctp_send_ttl sctp_send_retries sctp_assoc_tracking " +
			"sctp_assoc_reuse sctp_max_assocs sctp_srto_initial sctp_srto_max sctp_srto_min sctp_asocmaxrxt sctp_init_max_attempts sctp_init_max_timeo " +
			"sctp_hbinterval sctp_pathmaxrxt sctp_sack_delay sctp_sack_freq sctp_max_burst dns_sctp_pref dns_sctp_preference",
		why: "there is no SCTP",
	},
	{
		names: "tls_method tls_certificate tls_private_key tls_ca_list tls_verify tls_require_certificate tls_handshake_timeout tls_send_timeout tlslog",
		why:   "module tls does it",
	},

	{names: "exit_timeout ser_kill_timeout", why: "a stop waits for the messages under way"},
	{names: "dns rev_dns", why: "names of Via are not looked up; received is added where the address differs", missing: true, does: "0"},
	{names: "phone2tel", why: "a URI with user=phone stays a sip URI"},
	{names: "syn_branch", why: "branches are always hashes"},
	{names: "sip_warning", why: "replies carry no Warning", missing: true, does: "0"},
	{names: "reply_to_via", why: "replies go to the address the request came from (RFC 3581), or to its Via", missing: true, does: "0"},
	{names: "onsend_route_reply", why: "onsend_route runs for requests only", missing: true, does: "0"},
	{
		names: "tos pmtu_discovery ip_free_bind bind_ipv6_link_local mcast mcast_loopback mcast_ttl auto_bind_ipv6 udp4_raw udp4_raw_mtu udp4_raw_ttl",
		why:   "this socket option is left to the system", missing: true, does: "0",
	},
	{names: "tcp_source_ipv4 tcp_source_ipv6", why: "the system chooses the source of connections; use set_send_socket()", missing: true},
	{names: "tcp_accept_hep3 tcp_accept_haproxy tcp_accept_unique tcp_connection_match tcp_wait_data", why: "connections speak SIP and HTTP, and are found by their addresses", missing: true, does: "0"},
	{names: "stun_refresh_interval stun_allow_stun stun_allow_fp", why: "there is no STUN server"},
	{names: "use_dst_blacklist use_dst_blocklist", why: "there is no list of failed destinations", missing: true, does: "0"},
	{names: "dst_blacklist_init dst_blocklist_init dst_blacklist_expire dst_blacklist_ttl dst_blocklist_expire dst_blocklist_ttl dst_blacklist_mem " +
		"dst_blocklist_mem dst_blacklist_gc_interval dst_blocklist_gc_interval dst_blacklist_udp_imask dst_blocklist_udp_imask " +
		"dst_blacklist_tcp_imask dst_blocklist_tcp_imask dst_blacklist_tls_imask dst_blocklist_tls_imask dst_blacklist_sctp_imask " +
		"dst_blocklist_sctp_imask", why: "there is no list of failed destinations"},
	{
		names: "dns_cache_init dns_cache_gc_interval dns_cache_del_nonexp dns_cache_delete_nonexpired dns_cache_rec_pref dns_search_full_match",
		why:   "the cache of names keeps answers for their time and needs no care",
	},
	{names: "uri_host_extra_chars hdr_name_extra_chars sip_parser_mode", why: "the parser keeps to RFC 3261", missing: true, does: "0"},
	{names: "latency_limit_db latency_limit_action latency_limit_cfg latency_log latency_cfg_log", why: "module debugger measures", missing: true, does: "0"},
	{
		names: "server_domain socket_workers xavp_via_params xavp_via_fields xavp_via_reply_params version_table dns_cache_file",
		why:   "nothing here reads it", missing: true,
	},
}

// without finds why a parameter changes nothing.
func without(name string) (why string, tell bool, does string) {
	for _, n := range noEffect {
		for w := range strings.FieldsSeq(n.names) {
			if w == name {
				return n.why, n.missing, n.does
			}
		}
	}
	return "", false, ""
}

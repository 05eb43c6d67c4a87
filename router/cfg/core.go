package cfg

import (
	"errors"
	"strings"
)

// Core is the group "core": what every daemon has, whatever it loads. The
// names, defaults and ranges are those of Kamailio 5.6.3. Variables of features
// that sipd does not have (private and shared memory pools, raw sockets, the
// block list) are accepted, keep what is set, and change nothing.
type Core struct {
	Debug                 Int
	LogFacility           Int
	Memdbg                Int
	UseDstBlocklist       Int
	DstBlocklistExpire    Int
	DstBlocklistMem       Int
	DstBlocklistUDPIMask  Int
	DstBlocklistTCPIMask  Int
	DstBlocklistTLSIMask  Int
	DstBlocklistSCTPIMask Int
	DNSTryIPv6            Int
	DNSTryNAPTR           Int
	DNSUDPPref            Int
	DNSTCPPref            Int
	DNSTLSPref            Int
	DNSSCTPPref           Int
	DNSRetrTime           Int
	DNSSlowQueryMS        Int
	DNSRetrNo             Int
	DNSServersNo          Int
	DNSUseSearchList      Int
	DNSSearchFullMatch    Int
	DNSReinit             Int
	DNSNAPTRIgnoreRFC     Int
	UseDNSCache           Int
	DNSCacheFlags         Int
	UseDNSFailover        Int
	DNSSRVLB              Int
	DNSCacheNegativeTTL   Int
	DNSCacheMinTTL        Int
	DNSCacheMaxTTL        Int
	DNSCacheMem           Int
	DNSCacheDelNonexp     Int
	DNSCacheRecPref       Int
	MemDumpPkg            Int
	MemDumpShm            Int
	MaxWhileLoops         Int
	UDPMTU                Int
	UDPMTUTryProto        Int
	UDP4Raw               Int
	UDP4RawMTU            Int
	UDP4RawTTL            Int
	ForceRport            Int
	Memlog                Int
	MemSummary            Int
	MemSafety             Int
	MemJoin               Int
	MemStatusMode         Int
	SIPParserLogOneline   Int
	SIPParserLog          Int
	Corelog               Int
	LatencyCfgLog         Int
	LatencyLog            Int
	LatencyLimitDB        Int
	LatencyLimitAction    Int
	LatencyLimitCfg       Int
	PVCacheLimit          Int
	PVCacheAction         Int
}

// TCP is the group "tcp": connections of the SIP transports.
type TCP struct {
	ConnectTimeout     Int
	SendTimeout        Int
	ConnectionLifetime Int
	MaxConnections     Int
	MaxTLSConnections  Int
	NoConnect          Int
	FDCache            Int
	Async              Int
	ConnectWait        Int
	ConnWQMax          Int
	WQMax              Int
	DeferAccept        Int
	DelayedAck         Int
	Syncnt             Int
	Linger2            Int
	Keepalive          Int
	Keepidle           Int
	Keepintvl          Int
	Keepcnt            Int
	CRLFPing           Int
	AcceptAliases      Int
	AliasFlags         Int
	NewConnAliasFlags  Int
	AcceptNoCL         Int
	ReusePort          Int
	WaitDataMS         Int
	RdBufSize          Int
	WQBlkSize          Int
}

// named is one line of a table of variables.
type named struct {
	name string
	to   *Int
	def  Int
}

func declareAll(s *Store, group string, vars []named) error {
	var errs []error
	for _, v := range vars {
		changed := v.to.Changed // set by the owner of the feature before declaring
		check := v.to.Check
		*v.to = v.def
		v.to.Changed, v.to.Check = changed, check
		errs = append(errs, s.Declare(group, v.name, v.to))
	}
	return errors.Join(errs...)
}

// Declare adds the group "core" to s, in the order cfg.list shows. Check
// and Changed of the fields, set before by who owns a feature, are kept.
func (c *Core) Declare(s *Store) error {
	return declareAll(s, "core", []named{
		{"debug", &c.Debug, Int{Flags: Atomic, Help: "log level of the server; messages above it are dropped"}},
		{"log_facility", &c.LogFacility, Int{Default: 3, Flags: Hidden, Help: "syslog facility by name (given as a string such as LOG_LOCAL0)", ByName: facility}},
		{"memdbg", &c.Memdbg, Int{Default: 4, Flags: Atomic, Help: "level used for messages of the memory debugger"}},
		{"use_dst_blocklist", &c.UseDstBlocklist, Int{Min: 0, Max: 1, Flags: Hidden, Help: "avoid destinations that failed"}},
		{"dst_blocklist_expire", &c.DstBlocklistExpire, Int{Default: 60, Help: "seconds on the block list"}},
		{"dst_blocklist_mem", &c.DstBlocklistMem, Int{Default: 250, Flags: Hidden, Help: "KiB for the block list"}},
		{"dst_blocklist_udp_imask", &c.DstBlocklistUDPIMask, Int{Help: "error kinds not counted for UDP"}},
		{"dst_blocklist_tcp_imask", &c.DstBlocklistTCPIMask, Int{Help: "error kinds not counted for TCP"}},
		{"dst_blocklist_tls_imask", &c.DstBlocklistTLSIMask, Int{Help: "error kinds not counted for TLS"}},
		{"dst_blocklist_sctp_imask", &c.DstBlocklistSCTPIMask, Int{Help: "error kinds not counted for SCTP"}},
		{"dns_try_ipv6", &c.DNSTryIPv6, Int{Default: 1, Min: 0, Max: 1, Flags: Hidden, Help: "also ask AAAA"}},
		{"dns_try_naptr", &c.DNSTryNAPTR, Int{Min: 0, Max: 1, Help: "also ask NAPTR"}},
		{"dns_udp_pref", &c.DNSUDPPref, Int{Default: 30, Help: "NAPTR weight of UDP, -1 never"}},
		{"dns_tcp_pref", &c.DNSTCPPref, Int{Default: 20, Help: "NAPTR weight of TCP"}},
		{"dns_tls_pref", &c.DNSTLSPref, Int{Default: 10, Help: "NAPTR weight of TLS"}},
		{"dns_sctp_pref", &c.DNSSCTPPref, Int{Default: 20, Help: "NAPTR weight of SCTP"}},
		{"dns_retr_time", &c.DNSRetrTime, Int{Default: -1, Help: "seconds before asking again, -1 as resolv.conf"}},
		{"dns_slow_query_ms", &c.DNSSlowQueryMS, Int{Help: "milliseconds after which a lookup is logged as slow"}},
		{"dns_retr_no", &c.DNSRetrNo, Int{Default: -1, Help: "times to ask again"}},
		{"dns_servers_no", &c.DNSServersNo, Int{Default: -1, Help: "how many name servers of resolv.conf to use"}},
		{"dns_use_search_list", &c.DNSUseSearchList, Int{Default: 1, Min: 0, Max: 1, Help: "use the search list"}},
		{"dns_search_full_match", &c.DNSSearchFullMatch, Int{Default: 1, Min: 0, Max: 1, Help: "answer names must fit the search list"}},
		{"dns_reinit", &c.DNSReinit, Int{Min: 1, Max: 1, Flags: Hidden, Help: "write 1: read resolv.conf again"}},
		{"dns_naptr_ignore_rfc", &c.DNSNAPTRIgnoreRFC, Int{Default: 1, Help: "do not honour the NAPTR order field"}},
		{"use_dns_cache", &c.UseDNSCache, Int{Default: 1, Min: 0, Max: 1, Flags: Hidden, Help: "keep answers"}},
		{"dns_cache_flags", &c.DNSCacheFlags, Int{Min: 0, Max: 4, Help: "1 IPv4 only, 2 IPv6 only, 4 prefer IPv6"}},
		{"use_dns_failover", &c.UseDNSFailover, Int{Min: 0, Max: 1, Flags: Hidden, Help: "try the next address on failure (needs the cache)"}},
		{"dns_srv_lb", &c.DNSSRVLB, Int{Min: 0, Max: 1, Help: "spread over SRV records by weight"}},
		{"dns_cache_negative_ttl", &c.DNSCacheNegativeTTL, Int{Default: 60, Help: "seconds to remember 'not found', 0 never"}},
		{"dns_cache_min_ttl", &c.DNSCacheMinTTL, Int{Help: "least seconds to keep"}},
		{"dns_cache_max_ttl", &c.DNSCacheMaxTTL, Int{Default: -1, Help: "most seconds to keep, -1 no limit"}},
		{"dns_cache_mem", &c.DNSCacheMem, Int{Default: 500, Flags: Hidden, Help: "KiB for the cache"}},
		{"dns_cache_del_nonexp", &c.DNSCacheDelNonexp, Int{Min: 0, Max: 1, Help: "drop live entries when full"}},
		{"dns_cache_rec_pref", &c.DNSCacheRecPref, Int{Min: 0, Max: 3, Help: "same record twice: 0 no check, 1 keep old, 2 keep new, 3 keep longer"}},
		{"mem_dump_pkg", &c.MemDumpPkg, Int{Help: "write: pid whose private memory is dumped to the log"}},
		{"mem_dump_shm", &c.MemDumpShm, Int{Flags: Hidden, Help: "write: dump shared memory to the log"}},
		{"max_while_loops", &c.MaxWhileLoops, Int{Default: 100, Flags: Atomic, Help: "turns a script while loop may take"}},
		{"udp_mtu", &c.UDPMTU, Int{Min: 0, Max: 65535, Flags: Atomic, Help: "size above which another transport is tried, 0 off"}},
		{"udp_mtu_try_proto", &c.UDPMTUTryProto, Int{Min: 1, Max: 4, Help: "that transport: 1 UDP, 2 TCP, 3 TLS, 4 SCTP"}},
		{"udp4_raw", &c.UDP4Raw, Int{Min: -1, Max: 1, Flags: Atomic | Hidden, Help: "raw sockets for UDP sending: 1, 0, or -1 when possible"}},
		{"udp4_raw_mtu", &c.UDP4RawMTU, Int{Default: 1500, Min: 28, Max: 65535, Flags: Atomic, Help: "MTU for raw sending"}},
		{"udp4_raw_ttl", &c.UDP4RawTTL, Int{Default: -1, Min: -1, Max: 255, Flags: Atomic | Hidden, Help: "TTL for raw sending, -1 as the system"}},
		{"force_rport", &c.ForceRport, Int{Min: 0, Max: 1, Help: "treat each request as if it had rport"}},
		{"memlog", &c.Memlog, Int{Default: 4, Flags: Atomic, Help: "level used for memory status and sums"}},
		{"mem_summary", &c.MemSummary, Int{Default: 12, Min: 0, Max: 31, Flags: Atomic, Help: "bits: what is logged about memory at exit (1 pkg blocks, 2 shm blocks, 4 pkg sums, 8 shm sums, 16 short form)"}},
		{"mem_safety", &c.MemSafety, Int{Default: 1, Flags: Atomic, Help: "how careful free() is"}},
		{"mem_join", &c.MemJoin, Int{Default: 1, Flags: Atomic, Help: "join free fragments"}},
		{"mem_status_mode", &c.MemStatusMode, Int{Flags: Atomic, Help: "0 free fragments only, 1 all, in memory dumps"}},
		{"sip_parser_log_oneline", &c.SIPParserLogOneline, Int{Flags: Atomic, Help: "print the bad message on one line"}},
		{"sip_parser_log", &c.SIPParserLog, Int{Default: -1, Flags: Atomic, Help: "level for parse errors"}},
		{"corelog", &c.Corelog, Int{Default: -1, Flags: Atomic, Help: "level used for minor core errors"}},
		{"latency_cfg_log", &c.LatencyCfgLog, Int{Default: 3, Flags: Atomic, Help: "level for route timing lines"}},
		{"latency_log", &c.LatencyLog, Int{Default: -1, Flags: Atomic, Help: "level for slow action warnings"}},
		{"latency_limit_db", &c.LatencyLimitDB, Int{Flags: Atomic, Help: "milliseconds after which a database call is reported"}},
		{"latency_limit_action", &c.LatencyLimitAction, Int{Flags: Atomic, Help: "milliseconds after which one script action is reported"}},
		{"latency_limit_cfg", &c.LatencyLimitCfg, Int{Flags: Atomic, Help: "milliseconds after which a script run is reported"}},
		{"pv_cache_limit", &c.PVCacheLimit, Int{Default: 2048, Flags: Atomic, Help: "cache size that triggers pv_cache_action"}},
		{"pv_cache_action", &c.PVCacheAction, Int{Flags: Atomic, Help: "0 warn only, 1 drop the cache"}},
	})
}

// Declare adds the group "tcp" to s, in the order cfg.list shows. Check
// and Changed of the fields, set before by who owns a feature, are kept.
func (t *TCP) Declare(s *Store) error {
	return declareAll(s, "tcp", []named{
		{"connect_timeout", &t.ConnectTimeout, Int{Default: 10, Min: -1, Max: 134217727, Flags: Atomic | Hidden, Help: "seconds to connect, blocking mode only"}},
		{"send_timeout", &t.SendTimeout, Int{Default: 10, Min: -1, Max: 2147483647, Flags: Atomic | Hidden, Help: "seconds for a send"}},
		{"connection_lifetime", &t.ConnectionLifetime, Int{Default: 120, Min: -1, Max: 2147483647, Flags: Atomic | Hidden, Help: "idle seconds before close"}},
		{"max_connections", &t.MaxConnections, Int{Default: 2048, Min: 0, Max: 2147483647, Flags: Atomic | Hidden, Help: "most TCP connections (soft)"}},
		{"max_tls_connections", &t.MaxTLSConnections, Int{Default: 2048, Min: 0, Max: 2147483647, Flags: Atomic | Hidden, Help: "most TLS connections (soft)"}},
		{"no_connect", &t.NoConnect, Int{Min: 0, Max: 1, Flags: Atomic, Help: "never open connections"}},
		{"fd_cache", &t.FDCache, Int{Default: 1, Min: 0, Max: 1, Flags: ReadOnly, Help: "per process cache of descriptors"}},
		{"async", &t.Async, Int{Default: 1, Min: 0, Max: 1, Flags: ReadOnly, Help: "writes and connects without blocking"}},
		{"connect_wait", &t.ConnectWait, Int{Default: 1, Min: 0, Max: 1, Flags: ReadOnly, Help: "one connect at a time per target"}},
		{"conn_wq_max", &t.ConnWQMax, Int{Default: 32768, Min: 0, Max: 1048576, Flags: Atomic, Help: "octets queued per connection"}},
		{"wq_max", &t.WQMax, Int{Default: 10485760, Min: 0, Max: 1073741824, Flags: Atomic, Help: "octets queued in all"}},
		{"defer_accept", &t.DeferAccept, Int{Min: 0, Max: 3600, Flags: ReadOnly, Help: "accept only when data is there"}},
		{"delayed_ack", &t.DelayedAck, Int{Default: 1, Min: 0, Max: 1, Flags: Atomic, Help: "first ACK rides on data"}},
		{"syncnt", &t.Syncnt, Int{Min: 0, Max: 1024, Flags: Atomic, Help: "SYN resends, 0 system"}},
		{"linger2", &t.Linger2, Int{Min: 0, Max: 3600, Flags: Atomic, Help: "seconds in FIN_WAIT2, 0 system"}},
		{"keepalive", &t.Keepalive, Int{Default: 1, Min: 0, Max: 1, Flags: Atomic, Help: "socket keepalive"}},
		{"keepidle", &t.Keepidle, Int{Min: 0, Max: 86400, Flags: Atomic, Help: "idle seconds before keepalive, 0 system"}},
		{"keepintvl", &t.Keepintvl, Int{Min: 0, Max: 86400, Flags: Atomic, Help: "seconds between probes"}},
		{"keepcnt", &t.Keepcnt, Int{Min: 0, Max: 1024, Flags: Atomic, Help: "failed probes allowed"}},
		{"crlf_ping", &t.CRLFPing, Int{Default: 1, Min: 0, Max: 1, Flags: Atomic, Help: "answer CRLF pings"}},
		{"accept_aliases", &t.AcceptAliases, Int{Min: 0, Max: 1, Flags: Atomic, Help: "honour alias on Via"}},
		{"alias_flags", &t.AliasFlags, Int{Default: 1, Min: 0, Max: 2, Flags: Atomic, Help: "1 force add, 2 replace"}},
		{"new_conn_alias_flags", &t.NewConnAliasFlags, Int{Default: 2, Min: 0, Max: 2, Flags: Atomic, Help: "the same for new connections"}},
		{"accept_no_cl", &t.AcceptNoCL, Int{Min: 0, Max: 1, Flags: Atomic, Help: "messages without Content-Length allowed"}},
		{"reuse_port", &t.ReusePort, Int{Min: 0, Max: 1, Flags: Atomic, Help: "reuse the local port"}},
		{"wait_data_ms", &t.WaitDataMS, Int{Default: 5000, Min: 0, Max: 7200000, Flags: Atomic, Help: "ms to wait for first data"}},
		{"rd_buf_size", &t.RdBufSize, Int{Default: 16384, Min: 512, Max: 16777216, Flags: Atomic, Help: "read buffer (also the limit for HTTP requests)"}},
		{"wq_blk_size", &t.WQBlkSize, Int{Default: 2100, Min: 1, Max: 65535, Flags: Atomic, Help: "write queue block size"}},
	})
}

// facilities are the syslog facilities by name, without LOG_.
var facilities = [...]string{
	"KERN", "USER", "MAIL", "DAEMON", "AUTH", "SYSLOG", "LPR", "NEWS", "UUCP", "CRON", "AUTHPRIV", "FTP",
	16: "LOCAL0", "LOCAL1", "LOCAL2", "LOCAL3", "LOCAL4", "LOCAL5", "LOCAL6", "LOCAL7",
}

// facility reads a syslog facility such as LOG_LOCAL0.
func facility(word string) (int, error) {
	name, ok := strings.CutPrefix(word, "LOG_")
	for i, f := range facilities {
		if ok && f != "" && f == name {
			return i, nil
		}
	}
	return 0, errors.New("no such log facility")
}

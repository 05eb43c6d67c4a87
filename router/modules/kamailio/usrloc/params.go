package usrloc

import "sipd/router/module"

// columns are the names of the table's columns.
type columns struct {
	user, domain, contact, expires, q, callID, cseq, methods, flags, cflags            string
	userAgent, received, socket, path, ruid, instance, regID, serverID, conn, ka, part string
}

var defaultColumns = columns{
	user: "username", domain: "domain", contact: "contact", expires: "expires", q: "q", callID: "callid",
	cseq: "cseq", methods: "methods", flags: "flags", cflags: "cflags", userAgent: "user_agent",
	received: "received", socket: "socket", path: "path", ruid: "ruid", instance: "instance", regID: "reg_id",
	serverID: "server_id", conn: "connection_id", ka: "keepalive", part: "partition",
}

func (m *mod) params() []module.Param {
	c := &m.cols
	list := []module.Param{
		{Name: "db_mode", Help: "0 memory, 1 write through, 2 write back by timer, 4 only read at start", Value: &m.dbMode, Min: 0, Max: 4},
		{Name: "db_url", Help: "database of the contacts", Value: &m.dbURL},
		{Name: "db_load", Help: "1 reads the contacts at start", Value: &m.dbLoad},
		{Name: "use_domain", Help: "1 keys contacts by user@domain", Value: &m.useDomain},
		{Name: "timer_interval", Help: "seconds between two runs of the timer", Value: &m.interval, Min: 1, Max: 86400},
		{Name: "matching_mode", Help: "0 contact, 1 and Call-ID, 2 and Path, 3 Call-ID alone", Value: &m.matching, Min: 0, Max: 3},
		{Name: "desc_time_order", Help: "1 orders contacts newest first instead of by q", Value: &m.newestFirst},
		{Name: "nat_bflag", Help: "branch flag of contacts behind NAT, -1 for none", Value: &m.natFlag, Min: -1, Max: 31},
		{Name: "cseq_delay", Help: "seconds in which the same CSeq is a repetition", Value: &m.cseqDelay, Min: 0, Max: 86400},
		{Name: "hash_size", Help: "slots shown in listings, as a power of two", Value: &m.hashSize, Min: 0, Max: 24},
		{Name: "preload", Help: "table to read at start that registrar does not name", Value: &m.preload},
		{Name: "version_table", Help: "0 does not check the table's version", Value: &m.versionTable},
		{Name: "expires_type", Help: "1: times are numbers in the database", Value: &m.expiresType, Min: 0, Max: 1},
		{Name: "skip_remote_socket", Help: "1 leaves out rows of sockets that are not ours", Value: &m.skipRemote},
		{Name: "server_id_filter", Help: "1 reads and cleans only rows of this server_id", Value: &m.serverFilter},
		{Name: "db_clean_tcp", Help: "1 deletes rows of stream connections at start", Value: &m.cleanTCP},
		{Name: "db_timer_clean", Help: "1 deletes ended rows by the timer", Value: &m.timerClean},
		{Name: "fetch_rows", Help: "accepted; rows are read as a stream", Value: &m.fetchRows, Min: 1, Max: 1 << 30},
		{Name: "db_insert_update", Help: "accepted; an insert always replaces a row of the same ruid", Value: &m.insertUpdate},
		{Name: "db_update_as_insert", Help: "accepted; a missing row is always inserted", Value: &m.updateAsInsert},
		{Name: "db_check_update", Help: "accepted; a missing row is always inserted", Value: &m.checkUpdate},
		{Name: "db_insert_null", Help: "accepted; absent values are always written as NULL", Value: &m.insertNull},
		{Name: "db_ops_ruid", Help: "accepted; rows are always found by their ruid", Value: &m.opsRUID},
		{Name: "db_raw_fetch_type", Help: "0; others are refused", Value: &m.rawFetch},
		{Name: "rm_expired_delay", Help: "seconds that the row of an ended contact stays, with db_mode 3", Value: &m.rmDelay},
		{Name: "timer_procs", Help: "accepted; the timer has its own thread always", Value: &m.timerProcs},
		{Name: "load_rank", Help: "accepted; contacts are read before the daemon listens", Value: &m.loadRank},
		{Name: "handle_lost_tcp", Help: "1: contacts end with the connection that they came over", Value: &m.lostTCP},
		{Name: "close_expired_tcp", Help: "1: the connection of a contact that ended is closed", Value: &m.closeTCP},
		{Name: "xavp_contact", Help: "empty; others are refused", Value: &m.xavpContact},
		{Name: "ka_mode", Help: "pings each timer_interval: sum of 1 all contacts, 2 only those behind NAT, 4 only those over UDP; 0 for none", Value: &m.kaMode, Max: 7},
		{Name: "ka_method", Help: "method of these pings", Value: &m.kaMethod},
		{Name: "ka_from", Help: "From URI of these pings", Value: &m.kaFrom},
		{Name: "ka_domain", Help: "domain of their To without use_domain", Value: &m.kaDomain},
		{Name: "ka_filter", Help: "1: only contacts that this server_id registered", Value: &m.kaFilter, Max: 1},
		{Name: "ka_timeout", Help: "seconds after which a contact that does not answer these pings ends; 0 for never", Value: &m.kaTimeout, Max: 86400},
		{Name: "ka_loglevel", Help: "level of a line for each answer, -5 to 3; 255 for none", Value: &m.kaLoglevel, Min: -5, Max: 255},
		{Name: "ka_logmsg", Help: "what stands behind it, with variables", Value: &m.kaLogmsg},
	}
	for _, col := range []struct {
		name string
		at   *string
	}{
		{"user", &c.user},
		{"domain", &c.domain},
		{"contact", &c.contact},
		{"expires", &c.expires},
		{"q", &c.q},
		{"callid", &c.callID},
		{"cseq", &c.cseq},
		{"methods", &c.methods},
		{"flags", &c.flags},
		{"cflags", &c.cflags},
		{"user_agent", &c.userAgent},
		{"received", &c.received},
		{"socket", &c.socket},
		{"path", &c.path},
		{"ruid", &c.ruid},
		{"instance", &c.instance},
		{"reg_id", &c.regID},
		{"server_id", &c.serverID},
		{"connection_id", &c.conn},
		{"keepalive", &c.ka},
		{"partition", &c.part},
	} {
		list = append(list, module.Param{Name: col.name + "_column", Help: "column of that name", Value: col.at})
	}
	return list
}

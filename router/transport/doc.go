// Package transport owns the daemon's sockets: it receives messages, sends
// them, and finds out where a URI's host is (RFC 3261 §18, RFC 3263).
//
// # Datagrams
//
// Each UDP socket has a number of workers (the elders' children) that run the
// handler, and with it the script, to its end. Normally one of them, the
// leader, both reads and handles; the others are parked and cost nothing. The
// leader reads with non-blocking system calls until the socket is empty and
// only then waits in the runtime's poller, so under load there is one system
// call for each datagram and no wake-up of another goroutine.
//
// A script may block, on a database for example. Three things keep that from
// stalling the socket: handlers that turn out to be slow make the leader hand
// the reading over before it handles (udpSocket.slow); a monitor takes the
// reading away from a leader that has not come back for a tick; and it lets
// further workers help while datagrams pile up in the kernel. With all workers
// blocked the kernel's buffer is the queue, as with the elders.
//
// # Streams
//
// Each connection has a goroutine that reads; whole messages go to the handler
// (Options.TCP.Workers bounds how many at once). Writes never wait: what the
// kernel does not take at once goes to a bounded queue that a second goroutine,
// alive only while there is something to do, writes. Connecting happens there
// too. A connection is known by its number, by its peer's address, and by
// aliases (RFC 5923).
//
// Locking: tcpTable.mu before conn.mu; neither is held over I/O that can wait.
package transport

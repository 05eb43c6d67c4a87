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
// Measured as CPU time for a datagram of 400 octets there and back, a bare echo,
// medians on two cores that had other work as well:
//
//	window                                        64    16     1
//	8 goroutines in ReadFromUDPAddrPort          7.5   8.3    18 us
//	1 goroutine in ReadFromUDPAddrPort           5.7   6.4    18 us
//	8 workers of this package                    5.1   5.5    11 us
//
// Goroutines that read one socket wake each other for each datagram, through
// the lock that package net holds around a read. SO_REUSEPORT was not taken: the
// kernel binds a flow to one socket, so a script that blocks stalls the flows
// of its socket, and another program of the same user could listen on the port
// beside us without an error. Threads that block in recvfrom cost twice as much
// as the poller; recvmmsg and sendmmsg gain a tenth at window 64, lose at small
// ones, and hold replies back until a batch is done.
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

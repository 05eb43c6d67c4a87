// Package tm keeps transactions (RFC 3261 §17, RFC 6026): it absorbs and
// answers repetitions, forks requests, collects replies, picks the best, and
// cancels, times out and acknowledges what needs it.
//
// A transaction has one owner at a time: the run of the script that created it,
// a reply, a timer, a CANCEL. Whatever comes while it is owned waits in its
// queue and is done by the owner before it lets go, so neither the script nor a
// send ever happens under a lock, and there is no goroutine per transaction.
//
// Locks: a transaction's mu may be held when a shard's mu is taken, never the
// other way round. Both are held for a few instructions.
package tm

// Package sip reads, edits and prints SIP messages (RFC 3261). It does no I/O
// and knows nothing of the rest of the daemon.
//
// A message is one immutable string as received plus an index of where its
// headers stand. [Message.Parse] makes the index in one pass and allocates
// nothing when the Message is reused; every accessor answers a substring, which
// is free and safe to keep (whoever keeps one for long clones it, so that it
// does not pin the whole message). Typed views (Via, From, CSeq, …) are parsed
// on demand and cached, so a Message belongs to one goroutine at a time.
//
// Changes are [Edits]: a list of places, what to leave out and what to put
// there. They are applied once, when [Message.AppendTo] prints the message; what
// nobody touched is copied byte for byte.
package sip

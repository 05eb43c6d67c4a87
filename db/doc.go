// Package db opens the databases of the SIP server and says what an operator
// means by its content. It is the room of everyone who reads or writes rows:
//
//   - [Open] takes a URL (sqlite:PATH, mysql://…, postgres://…) and gives a
//     [DB]: pools, a [Dialect], transactions with retry, prepared statements
//     with deadlines.
//   - [Classify] turns drivers' errors into a few conditions that callers
//     match with errors.Is.
//   - [Directory] is the interface of provisioning: domains, users, aliases,
//     attributes, groups. serdb and kamdb implement it; package directory
//     (sipd/db/directory) chooses between them.
//
// Tables and columns are not known here but in package schema.
package db

// Package script is the configuration language of SER and Kamailio.
//
// [Parse] reads a configuration: preprocessor (preproc.go, directive.go,
// subst.go), words (lexer.go), tree (parser_*.go into ast*.go). It tells every
// mistake of all files in one run, each with its place.
package script

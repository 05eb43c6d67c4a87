// Package script is the configuration language of SER and Kamailio.
//
//	file, err := script.Parse(read, path, opts)  // text to tree
//	conf, err := script.Load(file, env)          // modules, parameters, checks
//	…                                            // the router runs Module.Init
//	prog, err := conf.Compile()                  // tree to closures
//	prog.Block(run.RequestRoute, "").Run(ctx)    // for each message
//
// [Parse] reads a configuration: preprocessor (preproc.go, directive.go,
// subst.go), words (lexer.go), tree (parser_*.go into ast*.go). [Load] executes
// what stands outside of routes in order (load.go, settings.go) and checks all
// routes; it needs no Init of a module, so that it serves "sipd -c". [Config.Compile]
// makes closures (compile*.go, core_*.go): whatever is constant is computed
// then, and nothing of what a message runs through allocates unless it builds
// text. Each step tells every mistake it finds, with its place ([ErrorList]).
package script

// Command sipctl provisions a SIP server. Its tree of commands is package ctl;
// called by the name of an elder, as kamctl or ser_ctl, it is that elder
// (package ctl/elder).
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"sipd/ctl"
	"sipd/ctl/elder"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var code int
	if elder.Is(os.Args[0]) {
		code = elder.Run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr, ctl.Defaults{})
	} else {
		code = ctl.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	}
	stop()
	os.Exit(code)
}

// Command sipctl provisions a SIP server. Its tree of commands is package ctl.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"sipd/ctl"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := ctl.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

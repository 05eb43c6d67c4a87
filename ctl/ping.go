package ctl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sipd/ctl/output"
	"sipd/rpc"
)

const pingShort = "Let the running server send a SIP request: OPTIONS, or another"

func (a *App) pingCommand() *cobra.Command {
	q := sipRequest{method: "OPTIONS"}
	c := &cobra.Command{
		Use: "ping URI", Short: pingShort, Args: want(1, 1),
		Long: `Lets the running server send a request to a SIP URI and says what came back and
how long it took. Exit code 1 when nothing came, or a failure other than "not
allowed": whoever answers is alive.`,
		Example: "  sipctl ping sip:alice@example.com\n  sipctl ping --check-sync sip:alice@192.0.2.5",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := isURI("uri", args[0]); err != nil {
				return err
			}
			q.uri = args[0]
			return a.ping(cmd.Context(), q)
		},
	}
	c.Flags().StringVar(&q.method, "method", q.method, "`method` of the request")
	c.Flags().StringVar(&q.nextHop, "next-hop", ".", "`URI` to send it to; . is where the request goes by itself")
	c.Flags().StringVar(&q.socket, "socket", ".", "`socket` to send it from; . is any")
	c.Flags().StringVar(&q.from, "from", "sip:sipctl@localhost", "`URI` in From")
	c.Flags().BoolVar(&q.checkSync, "check-sync", false, "a NOTIFY that makes a phone read its configuration again")
	return c
}

type sipRequest struct {
	method, uri, nextHop, socket, from string
	checkSync                          bool
}

func (a *App) ping(ctx context.Context, q sipRequest) error {
	headers := fmt.Sprintf("From: <%s>\r\nTo: <%s>\r\n", q.from, q.uri)
	method := "tm.t_uac_wait_block"
	if q.checkSync {
		q.method, method = "NOTIFY", "tm.t_uac_start"
		headers += "Event: check-sync\r\n"
	}
	headers += "Contact: <" + q.from + ">\r\n"
	args := []rpc.Value{rpc.String(q.method), rpc.String(q.uri), rpc.String(q.nextHop), rpc.String(q.socket), rpc.String(headers)}
	if a.opt.dryRun {
		return a.askAll(ctx, method, args...)
	}
	server := a.servers()[0]
	began := time.Now()
	vals, err := a.ask(ctx, server, method, args...)
	if err != nil {
		return err
	}
	took := time.Since(began)
	if q.checkSync {
		return a.say("asked %s to read its configuration again", q.uri)
	}
	code, text := pingReply(vals)
	if err := output.Record(a.Out, a.set.output, output.F("uri", q.uri), output.F("code", code), output.F("text", text),
		output.F("ms", round(took.Seconds()*1000))); err != nil {
		return err
	}
	if code == 408 || code >= 500 {
		return errors.New("no sign of life from " + q.uri)
	}
	return nil
}

// pingReply reads code and text, which come as a struct or one after the other.
func pingReply(vals []rpc.Value) (int64, string) {
	var code any
	var text any
	if len(vals) > 0 {
		if o, ok := plain(vals[0]).(object); ok {
			code, text = o.get("code"), o.get("text")
		} else if len(vals) > 1 {
			code, text = plain(vals[0]), plain(vals[1])
		}
	}
	n, _ := code.(int64) // 0: an answer of a form that nobody knows
	if s, ok := code.(string); ok {
		_, _ = fmt.Sscan(s, &n)
	}
	return n, output.Text(text)
}

package ctl

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"sipd/ctl/output"
	"sipd/rpc"
)

const monitorShort = "Watch the figures of the running server"

func (a *App) monitorCommand() *cobra.Command {
	var every time.Duration
	c := &cobra.Command{
		Use: "monitor [NAME...]", Short: monitorShort, Args: want(0, -1),
		Long: `Shows statistics with their change a second until control-C: all, GROUP: or
single ones. Without a terminal it prints them once, as "server stats" does.`,
		Example: "  sipctl monitor core: usrloc:\n  sipctl monitor --every 5s",
		RunE: func(cmd *cobra.Command, names []string) error {
			if every < 100*time.Millisecond {
				return usagef(cmd, "--every is at least 100ms")
			}
			if len(names) == 0 {
				names = []string{"all"}
			}
			f, ok := a.Out.(*os.File)
			if !ok || !isTerminal(f) || !a.set.output.Screen() {
				return a.serverStats(cmd.Context(), names)
			}
			return a.monitor(cmd.Context(), f, names, every)
		},
	}
	c.Flags().DurationVar(&every, "every", 2*time.Second, "ask again after this `time`")
	return c
}

// What a terminal is told: the other screen and back, home, clear below.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	homeClear   = "\x1b[H\x1b[J"
)

// monitor draws a frame again and again until ctx ends, which is how it is
// meant to end.
func (a *App) monitor(ctx context.Context, f *os.File, names []string, every time.Duration) error {
	server := a.servers()[0]
	var args []rpc.Value
	for _, n := range names {
		args = append(args, rpc.String(n))
	}
	before, err := a.ask(ctx, server, "stats.get_statistics", args...)
	if err != nil {
		return err
	}
	fmt.Fprint(f, enterScreen)
	defer fmt.Fprint(f, leaveScreen)
	tick := time.NewTicker(every)
	defer tick.Stop()
	last := statistics(before)
	at := time.Now()
	fmt.Fprint(f, homeClear, frame(server, at, nil, last, 0, height(f)))
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		vals, err := a.ask(ctx, server, "stats.get_statistics", args...)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			fmt.Fprint(f, homeClear, output.Clean(err.Error()))
			continue
		}
		now, next := time.Now(), statistics(vals)
		fmt.Fprint(f, homeClear, frame(server, now, last, next, now.Sub(at), height(f)))
		last, at = next, now
	}
}

// height is how many lines the terminal has.
func height(f *os.File) int {
	_, h, err := term.GetSize(int(f.Fd()))
	if err != nil || h < 5 {
		return 24
	}
	return h
}

// frame is one picture: what changes first, then the rest as far as it fits.
func frame(server string, at time.Time, last, now []statistic, passed time.Duration, lines int) string {
	old := make(map[string]int64, len(last))
	for _, s := range last {
		if n, ok := s.value.(int64); ok {
			old[s.group+":"+s.name] = n
		}
	}
	var moving, still []string
	for _, s := range now {
		name := s.group + ":" + s.name
		n, number := s.value.(int64)
		before, known := old[name]
		if number && known && n != before && passed > 0 {
			moving = append(moving, fmt.Sprintf("%-40s %14d %+12.1f/s", output.Clean(name), n, float64(n-before)/passed.Seconds()))
			continue
		}
		still = append(still, fmt.Sprintf("%-40s %14s", output.Clean(name), output.Clean(output.Text(s.value))))
	}
	rows := append(moving, still...)
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  control-C ends\r\n\r\n", output.Clean(server), at.Format(time.TimeOnly))
	room := max(1, lines-4)
	for i, r := range rows {
		if i == room {
			fmt.Fprintf(&b, "and %d more\r\n", len(rows)-room)
			break
		}
		b.WriteString(r + "\r\n")
	}
	return b.String()
}

package kamctl

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"
)

// monitor prints what the daemon is doing, again and again, or as often as its
// argument says.
func (k *control) monitor(ctx context.Context, args []string) error {
	if err := k.needControl(); err != nil {
		return err
	}
	loops := -1
	if n := arg(args, 1); n != "" {
		var err error
		if loops, err = strconv.Atoi(n); err != nil || loops < 0 {
			k.error("monitor - '%s' is no number of cycles", n)
			return failed
		}
	}
	period, err := strconv.ParseFloat(k.rc.get("WATCH_PERIOD", "2"), 64)
	if err != nil || period <= 0 {
		k.error("monitor - WATCH_PERIOD '%s' is no number of seconds", k.rc.get("WATCH_PERIOD", ""))
		return failed
	}
	for n := 1; n != loops+1; n++ {
		if k.terminal {
			fmt.Fprint(k.Out, "\x1b[H\x1b[2J")
		}
		if err := k.cycle(ctx, n); err != nil {
			return err
		}
		if n == loops {
			return nil
		}
		select {
		case <-ctx.Done():
			fmt.Fprintln(k.Out, "monitor ^C-ed")
			return failed
		case <-time.After(time.Duration(period * float64(time.Second))):
		}
	}
	return nil
}

// monitorParts are the statistics of a cycle: a title and what is asked for.
var monitorParts = []struct {
	title string
	names []string
}{
	{"Transaction Statistics: ", []string{"UAS_transactions", "UAC_transactions", "active_transactions", "inuse_transactions"}},
	{"Stateless Server Statistics: ", []string{"sent_replies", "sent_err_replies"}},
	{"UsrLoc Statistics: ", []string{"usrloc:"}},
	{"Core Statistics: ", []string{"rcv_requests", "fwd_requests", "rcv_replies", "fwd_replies"}},
	{"Shared Memory Statistics: ", []string{"shmem:"}},
}

func (k *control) cycle(ctx context.Context, n int) error {
	ask := func(method string, args ...string) (string, error) {
		r, err := k.call(ctx, method, args...)
		if err != nil {
			_ = k.unreachable(err)
			return "", failed // the elder ends with 1 here
		}
		return layout(r.text), nil
	}
	version, err := ask("core.version")
	if err != nil {
		return err
	}
	k.echo("[cycle #: %d; if constant make sure server lives]", n)
	k.echo("Kamailio Runtime Details: ")
	for _, line := range linesWith(version, "result") {
		if parts := strings.Split(line, `"`); len(parts) > 3 {
			fmt.Fprintln(k.Out, k.safe(parts[3]))
		}
	}
	uptime, err := ask("core.uptime")
	if err != nil {
		return err
	}
	for _, line := range linesWith(uptime, "now", "up_since", "uptime") {
		fmt.Fprintln(k.Out, k.safe(unquoted.Replace(line)))
	}
	for _, p := range monitorParts {
		fmt.Fprintln(k.Out)
		k.echo("%s", p.title)
		text, err := ask("stats.get_statistics", p.names...)
		if err != nil {
			return err
		}
		var cells []string
		for _, line := range linesWith(text, "=") {
			cells = append(cells, unquoted.Replace(line))
		}
		fmt.Fprint(k.Out, k.safe(inColumns(cells, k.width())))
	}
	return nil
}

var unquoted = strings.NewReplacer(`"`, "", ",", "")

// linesWith are the lines that contain one of the words.
func linesWith(text string, words ...string) []string {
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		for _, w := range words {
			if strings.Contains(line, w) {
				out = append(out, line)
				break
			}
		}
	}
	return out
}

// width is that of the terminal, or what COLUMNS says, or 80.
func (k *control) width() int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	if f, ok := k.Out.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w
		}
	}
	return 80
}

// inColumns fills columns from top to bottom, as column(1) does: each as wide
// as the widest cell and the tab behind it.
func inColumns(cells []string, width int) string {
	widest := 0
	for _, c := range cells {
		widest = max(widest, len(c))
	}
	step := (widest + 8) &^ 7
	columns := max(width/step, 1)
	rows := (len(cells) + columns - 1) / columns
	var b strings.Builder
	for r := range rows {
		for c := r; c < len(cells); c += rows {
			b.WriteString(cells[c])
			if c+rows < len(cells) {
				b.WriteString(strings.Repeat("\t", (step-len(cells[c])+7)/8))
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

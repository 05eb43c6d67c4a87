package ctl

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"
)

// counter is a number that two goroutines know.
type counter struct{ atomic.Int64 }

func (c *counter) add(n int64) { c.Add(n) }

// progress shows how far a long work is: a bar on a terminal, elsewhere a line
// every few seconds, nothing with --quiet or for what is done at once.
type progress struct {
	bytes counter // read so far
	what  string
	size  int64 // of the file, -1 when nobody knows
	err   io.Writer
	bar   *progressbar.ProgressBar
	began time.Time
	told  time.Time
	quiet bool
}

const (
	tellEvery = 5 * time.Second
	showAfter = 500 * time.Millisecond // what is done sooner needs no bar
)

func (a *App) newProgress(what string, size int64) *progress {
	return &progress{what: what, size: size, err: a.Err, quiet: a.opt.quiet, began: time.Now(), told: time.Now()}
}

// records tells that so many are done.
func (p *progress) records(n int) {
	if p.quiet || time.Since(p.began) < showAfter {
		return
	}
	if f, ok := p.err.(*os.File); ok && isTerminal(f) {
		if p.bar == nil {
			p.bar = progressbar.NewOptions64(p.size, progressbar.OptionSetWriter(p.err), progressbar.OptionSetDescription(p.what),
				progressbar.OptionShowBytes(false), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
		}
		p.bar.Describe(fmt.Sprintf("%s: %d", p.what, n))
		_ = p.bar.Set64(p.bytes.Load()) // a terminal that went away is no matter
		return
	}
	if time.Since(p.told) >= tellEvery {
		p.told = time.Now()
		fmt.Fprintf(p.err, "%s: %d so far, %.0f a second\n", p.what, n, float64(n)/time.Since(p.began).Seconds())
	}
}

// done takes the bar away.
func (p *progress) done() {
	if p.bar != nil {
		_ = p.bar.Finish() // as above
		p.bar = nil
	}
}

package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"sipd/ctl/plain"
)

// Watch says how command watch repeats.
type Watch struct {
	// Interval is the time between two calls, 0 for two seconds.
	Interval time.Duration
	// Count is how many calls are made; 0 is no end at a terminal and one
	// call elsewhere.
	Count int
}

const defaultInterval = 2 * time.Second

// watchCommand repeats a command: watch [-n SECONDS] [--count N] COMMAND... At a
// terminal each frame takes the place of the one before, and what changed is
// marked. A fault or a lost connection is a frame too.
func (s *Shell) watchCommand(ctx context.Context, words []Word) error {
	w, words, err := s.watchOptions(words)
	if err != nil {
		return err
	}
	if w.Count == 0 && !s.Terminal {
		w.Count = 1
	}
	if w.Interval == 0 {
		w.Interval = defaultInterval
	}
	f := frames{shell: s, every: w.Interval, words: words}
	tick := time.NewTicker(w.Interval)
	defer tick.Stop()
	for n := 1; ; n++ {
		err := f.next(ctx)
		if n == w.Count || ctx.Err() != nil {
			return err
		}
		if _, usage := errors.AsType[UsageError](err); usage {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *Shell) watchOptions(words []Word) (Watch, []Word, error) {
	w := s.Watch
	for len(words) > 0 && !words[0].Quoted && strings.HasPrefix(words[0].Text, "-") {
		name, value := words[0].Text, ""
		if len(words) > 1 {
			value = words[1].Text
		}
		switch name {
		case "-n", "--interval":
			d, err := ParseSeconds(value)
			if err != nil || d <= 0 {
				return w, nil, UsageError(fmt.Sprintf("watch %s wants the time between two calls, as 2, 0.5 or 500ms, not %q", name, value))
			}
			w.Interval = d
		case "--count":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 {
				return w, nil, UsageError(fmt.Sprintf("watch --count wants the number of calls, not %q", value))
			}
			w.Count = n
		default:
			return w, nil, UsageError(fmt.Sprintf("watch has no option %s; it has -n SECONDS and --count N", plain.Clean(name)))
		}
		words = words[2:]
	}
	switch {
	case len(words) == 0:
		return w, nil, UsageError("watch what? watch [-n SECONDS] [--count N] METHOD [ARGUMENT...]")
	case words[0].Text == "watch":
		return w, nil, UsageError("watch does not watch itself")
	}
	return w, words, nil
}

// ParseSeconds reads a time: 5s, 500ms, or a number of seconds.
func ParseSeconds(v string) (time.Duration, error) {
	if d, err := time.ParseDuration(v); err == nil {
		return d, nil
	}
	d, err := time.ParseDuration(v + "s")
	if err != nil {
		return 0, fmt.Errorf("%q is no time; write 5s, 500ms or a number of seconds", v)
	}
	return d, nil
}

// frames draws the replies of one command one after another.
type frames struct {
	shell *Shell
	every time.Duration
	words []Word
	last  []string // lines of the frame before
	drawn bool
}

// next runs the command once and draws its frame.
func (f *frames) next(ctx context.Context) error {
	s := f.shell
	if !s.Terminal {
		return s.Run(ctx, f.words)
	}
	var out bytes.Buffer
	inner := *s
	inner.Out, inner.Err, inner.Pager = &out, &out, ""
	err := inner.Run(ctx, f.words)
	s.signatures, s.names = inner.signatures, inner.names
	if ctx.Err() != nil {
		return err
	}
	if err != nil {
		inner.Report(err)
	}
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	f.draw(lines)
	f.last, f.drawn = lines, true
	return err
}

// What terminals understand, all of them since the VT100.
const (
	clearScreen = "\x1b[H\x1b[2J"
	reverse     = "\x1b[7m"
	plainAgain  = "\x1b[0m"
)

// draw shows a frame, at most as many lines as the screen has.
func (f *frames) draw(lines []string) {
	var b strings.Builder
	rows, cols := 1<<30, 1<<30
	if file, ok := f.shell.Out.(*os.File); ok {
		if w, h, err := term.GetSize(int(file.Fd())); err == nil && w > 0 && h > 2 {
			rows, cols = h-3, w
		}
	}
	texts := make([]string, len(f.words))
	for i, w := range f.words {
		texts[i] = plain.Clean(w.Text)
	}
	fmt.Fprintf(&b, "%severy %v: %s    %s\n\n", clearScreen, f.every, strings.Join(texts, " "), time.Now().Format(time.DateTime))
	for i, line := range lines {
		if i >= rows {
			fmt.Fprintf(&b, "… %d lines more", len(lines)-i)
			break
		}
		line = cut(line, cols)
		if f.drawn && (i >= len(f.last) || f.last[i] != lines[i]) {
			old := ""
			if i < len(f.last) {
				old = cut(f.last[i], cols)
			}
			line = mark(old, line)
		}
		b.WriteString(line + "\n")
	}
	io.WriteString(f.shell.Out, b.String())
}

// cut shortens a line to the screen's width; tabs count as one.
func cut(line string, cols int) string {
	if r := []rune(line); len(r) > cols {
		return string(r[:cols])
	}
	return line
}

// mark marks the words of line that differ from those of old in their places.
func mark(old, line string) string {
	was := strings.SplitAfter(old, " ")
	parts := strings.SplitAfter(line, " ")
	var b strings.Builder
	for i, p := range parts {
		text := strings.TrimSpace(p)
		if text == "" || i < len(was) && strings.TrimSpace(was[i]) == text {
			b.WriteString(p)
			continue
		}
		at := strings.Index(p, text)
		b.WriteString(p[:at] + reverse + text + plainAgain + p[at+len(text):])
	}
	return b.String()
}

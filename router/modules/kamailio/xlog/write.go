package xlog

import (
	"context"
	"log/slog"
	"strconv"
	"strings"

	"sipd/router/module"
	"sipd/router/run"
)

// writer writes the lines of one call.
type writer struct {
	attr []slog.Attr // the word before the text: "<script>"
	text string      // a prefix of another form
	max  int
	line bool
	long bool // long_format
}

func (x *xlog) writer(line bool) *writer {
	w := &writer{max: x.bufSize, line: line, long: x.longFormat != 0}
	if word, ok := strings.CutSuffix(x.prefix, ": "); ok && word != "" {
		w.attr = []slog.Attr{slog.String("module", word)}
	} else {
		w.text = x.prefix
	}
	return w
}

// write logs one line and answers 1. The text goes to the log handler as it
// is; the handler escapes control characters, so that no header of a peer can
// begin a line of its own.
func (w *writer) write(c *run.Context, level slog.Level, format module.Expr) int {
	ctx := context.Background()
	if !c.Env.Log.Enabled(ctx, level) {
		return 1
	}
	text := format.Eval(c).Text()
	if w.text != "" || w.line {
		text = w.text + w.place(c) + text
	}
	if len(text) > w.max {
		text = strings.Clone(text[:w.max]) + "…"
	}
	c.Logger().LogAttrs(ctx, level, text, w.attr...)
	return 1
}

// place is "line:" of the call, as xlogl prints it, with long_format
// "file:line:".
func (w *writer) place(c *run.Context) string {
	switch {
	case !w.line:
		return ""
	case w.long:
		return c.File + ":" + strconv.Itoa(c.Line) + ":"
	}
	return strconv.Itoa(c.Line) + ":"
}

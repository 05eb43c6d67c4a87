package run

import (
	"context"
	"log/slog"
)

// PrefixKey is the attribute that carries log_prefix to the log's handler.
const PrefixKey = "prefix"

// prefixed adds the prefix of a run to the lines that are written.
type prefixed struct {
	slog.Handler
	c *Context
}

// Handle writes a line.
func (h prefixed) Handle(ctx context.Context, r slog.Record) error {
	if p := h.c.logPrefix(); p != "" {
		r = r.Clone()
		r.AddAttrs(slog.String(PrefixKey, p))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs adds attributes to each line.
func (h prefixed) WithAttrs(as []slog.Attr) slog.Handler {
	return prefixed{h.Handler.WithAttrs(as), h.c}
}

// WithGroup begins a group.
func (h prefixed) WithGroup(name string) slog.Handler {
	return prefixed{h.Handler.WithGroup(name), h.c}
}

// logPrefix is the prefix now. A line about what its variables lack has none.
func (c *Context) logPrefix() string {
	if c.inPrefix || c.Msg == nil {
		return ""
	}
	if c.prefix != "" && c.Env.LogPrefixOnce {
		return c.prefix
	}
	c.inPrefix = true
	defer func() { c.inPrefix = false }()
	c.prefix = c.Env.LogPrefix(c)
	return c.prefix
}

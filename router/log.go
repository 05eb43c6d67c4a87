package router

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"log/syslog"
	"os"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"sipd/router/run"
)

// threshold turns a slog level into the elders' scale, on which core.debug is
// set: -5 alert … -1 error, 0 warning, 1 notice, 2 info, 3 debug. A line is
// written when its level is not above core.debug.
func threshold(l slog.Level) int {
	switch {
	case l >= run.LevelAlert:
		return -5
	case l >= run.LevelBug:
		return -4
	case l >= run.LevelCrit:
		return -2
	case l >= slog.LevelError:
		return -1
	case l >= slog.LevelWarn:
		return 0
	case l >= run.LevelNotice:
		return 1
	case l >= slog.LevelInfo:
		return 2
	}
	return 3
}

// LevelName is a level's name in log lines: ALERT to DEBUG.
func LevelName(l slog.Level) string {
	switch {
	case l >= run.LevelAlert:
		return "ALERT"
	case l >= run.LevelBug:
		return "BUG"
	case l >= run.LevelCrit:
		return "CRITICAL"
	case l >= slog.LevelError:
		return "ERROR"
	case l >= slog.LevelWarn:
		return "WARNING"
	case l >= run.LevelNotice:
		return "NOTICE"
	case l >= slog.LevelInfo:
		return "INFO"
	}
	return "DEBUG"
}

// logHandler writes lines as readers of Kamailio's log expect them:
//
//	sipd[4711]: ERROR: tm: message key=value
//
// The attribute "module" becomes the word behind the level, log_prefix stands
// before that. Values with
// blanks or control characters are quoted, so that no peer can forge a line.
type logHandler struct {
	debug  func() int // the current threshold
	out    *logOutput
	prefix string // attributes of With, already written out
	module string
	rules  *moduleLog // of single modules; nil for none
}

// logOutput is where lines go: a stream or syslog.
type logOutput struct {
	mu sync.Mutex
	// mu guards the fields below.
	w      io.Writer
	syslog *syslog.Writer
	name   string
	buf    []byte
}

// NewLogger makes the daemon's logger. w is where lines go; debug answers the
// current core.debug at each line.
func NewLogger(w io.Writer, name string, debug func() int) *slog.Logger {
	return slog.New(&logHandler{
		debug: debug,
		out:   &logOutput{w: w, name: fmt.Sprintf("%s[%d]: ", name, os.Getpid())},
	})
}

// NewSyslogger makes a logger that writes to the local syslog under a facility
// ("LOG_DAEMON", "local0").
func NewSyslogger(facility, name string, debug func() int) (*slog.Logger, error) {
	f, ok := facilities[strings.ToLower(strings.TrimPrefix(strings.ToUpper(facility), "LOG_"))]
	if !ok {
		return nil, fmt.Errorf("unknown syslog facility %q", facility)
	}
	w, err := syslog.New(f|syslog.LOG_INFO, name)
	if err != nil {
		return nil, fmt.Errorf("syslog: %w; log to stderr with -E or log_stderror=yes", err)
	}
	return slog.New(&logHandler{debug: debug, out: &logOutput{syslog: w}}), nil
}

// checkFacility says whether syslog has a facility of that name.
func checkFacility(name string) error {
	if _, ok := facilities[strings.ToLower(strings.TrimPrefix(strings.ToUpper(name), "LOG_"))]; !ok {
		return fmt.Errorf("unknown syslog facility %q", name)
	}
	return nil
}

var facilities = map[string]syslog.Priority{
	"kern": syslog.LOG_KERN, "user": syslog.LOG_USER, "mail": syslog.LOG_MAIL,
	"daemon": syslog.LOG_DAEMON, "auth": syslog.LOG_AUTH, "syslog": syslog.LOG_SYSLOG,
	"lpr": syslog.LOG_LPR, "news": syslog.LOG_NEWS, "uucp": syslog.LOG_UUCP,
	"cron": syslog.LOG_CRON, "authpriv": syslog.LOG_AUTHPRIV, "ftp": syslog.LOG_FTP,
	"local0": syslog.LOG_LOCAL0, "local1": syslog.LOG_LOCAL1, "local2": syslog.LOG_LOCAL2,
	"local3": syslog.LOG_LOCAL3, "local4": syslog.LOG_LOCAL4, "local5": syslog.LOG_LOCAL5,
	"local6": syslog.LOG_LOCAL6, "local7": syslog.LOG_LOCAL7,
}

func (h *logHandler) Enabled(_ context.Context, l slog.Level) bool {
	if h.rules != nil {
		if n, ok := h.rules.level(h.module); ok {
			return threshold(l) <= n
		}
	}
	return threshold(l) <= h.debug()
}

func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	module, word, prefix, attrs := h.module, LevelName(r.Level), "", []byte(h.prefix)
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "module":
			module = a.Value.String()
		case run.PrefixKey:
			prefix = a.Value.String()
		case "level_name": // what the line says instead of its level
			word = a.Value.String()
		default:
			attrs = appendAttr(attrs, "", a)
		}
		return true
	})
	o := h.out
	if h.rules != nil {
		o = h.rules.output(module, o)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	b := append(o.buf[:0], o.name...)
	b = append(b, word...)
	b = append(b, ": "...)
	b = appendPlain(b, prefix)
	if module != "" {
		b = append(b, module...)
		b = append(b, ": "...)
	}
	b = appendPlain(b, r.Message)
	b = append(b, attrs...)
	b = append(b, '\n')
	o.buf = b
	if o.syslog != nil {
		return writeSyslog(o.syslog, r.Level, string(b))
	}
	_, err := o.w.Write(b)
	return err
}

func writeSyslog(w *syslog.Writer, l slog.Level, line string) error {
	switch {
	case l >= run.LevelAlert:
		return w.Alert(line)
	case l >= run.LevelCrit:
		return w.Crit(line)
	case l >= slog.LevelError:
		return w.Err(line)
	case l >= slog.LevelWarn:
		return w.Warning(line)
	case l >= run.LevelNotice:
		return w.Notice(line)
	case l >= slog.LevelInfo:
		return w.Info(line)
	}
	return w.Debug(line)
}

func (h *logHandler) WithAttrs(as []slog.Attr) slog.Handler {
	n := *h
	b := []byte(h.prefix)
	for _, a := range as {
		if a.Key == "module" {
			n.module = a.Value.String()
		} else {
			b = appendAttr(b, "", a)
		}
	}
	n.prefix = string(b)
	return &n
}

// WithGroup is not used by the daemon; group names are dropped.
func (h *logHandler) WithGroup(string) slog.Handler { return h }

func appendAttr(b []byte, group string, a slog.Attr) []byte {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		for _, m := range v.Group() {
			b = appendAttr(b, group+a.Key+".", m)
		}
		return b
	}
	b = append(b, ' ')
	b = append(b, group...)
	b = append(b, a.Key...)
	b = append(b, '=')
	s := v.String()
	if needsQuote(s) {
		return strconv.AppendQuote(b, s)
	}
	return append(b, s...)
}

func needsQuote(s string) bool {
	if s == "" {
		return true
	}
	for _, r := range s {
		if r <= ' ' || r == '"' || r == '=' || r == utf8.RuneError || !unicode.IsPrint(r) {
			return true
		}
	}
	return false
}

// appendPlain writes a message, with control characters escaped: xlog hands
// over text that peers had a say in.
func appendPlain(b []byte, s string) []byte {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			b = fmt.Appendf(b, `\x%02x`, s[i])
		case r == '\t' || unicode.IsPrint(r):
			b = append(b, s[i:i+n]...)
		case r == '\n' && i == len(s)-1:
			// the line end that scripts put behind their own text
		default:
			q := strconv.QuoteRuneToASCII(r)
			b = append(b, q[1:len(q)-1]...)
		}
		i += n
	}
	return b
}

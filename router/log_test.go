package router

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"sipd/router/run"
)

func TestLoggerThreshold(t *testing.T) {
	for _, tt := range []struct {
		debug int
		level slog.Level
		want  bool
	}{
		{3, slog.LevelDebug, true},
		{2, slog.LevelDebug, false},
		{2, slog.LevelInfo, true},
		{1, run.LevelNotice, true},
		{0, run.LevelNotice, false},
		{0, slog.LevelWarn, true},
		{-1, slog.LevelError, true},
		{-2, slog.LevelError, false},
		{-5, run.LevelAlert, true},
		{-5, run.LevelBug, false},
	} {
		var buf bytes.Buffer
		NewLogger(&buf, "sipd", func() int { return tt.debug }).Log(t.Context(), tt.level, "x")
		if got := buf.Len() > 0; got != tt.want {
			t.Errorf("level %v at debug=%d: written=%v, want %v", tt.level, tt.debug, got, tt.want)
		}
	}
}

func TestLoggerLine(t *testing.T) {
	var buf bytes.Buffer
	l := NewLogger(&buf, "sipd", func() int { return 3 }).With("module", "tm", "shard", 3)
	l.Warn("reply dropped", "why", "no Via", "src", "127.0.0.1:5060", "ua", "a\nsipd[1]: ERROR: forged")
	_, line, _ := strings.Cut(buf.String(), ": ")
	const want = `WARNING: tm: reply dropped shard=3 why="no Via" src=127.0.0.1:5060 ua="a\nsipd[1]: ERROR: forged"` + "\n"
	if line != want {
		t.Errorf("line is\n%q, want\n%q", line, want)
	}
}

func TestLoggerMessageForgesNoLine(t *testing.T) {
	var buf bytes.Buffer
	NewLogger(&buf, "sipd", func() int { return 3 }).Error("one\r\ntwo\x1b[31m\xff end\n", "module", "<script>")
	_, line, _ := strings.Cut(buf.String(), ": ")
	if want := "ERROR: <script>: one\\r\\ntwo\\x1b[31m\\xff end\n"; line != want {
		t.Errorf("line is %q, want %q", line, want)
	}
}

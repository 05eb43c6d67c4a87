package run

import (
	"log/slog"
	"testing"
)

// TestLogLevel: the scale goes down as slog's goes up, and has no gaps.
func TestLogLevel(t *testing.T) {
	last := LevelAlert
	for n := -7; n <= 5; n++ {
		l := LogLevel(n)
		if l > last {
			t.Errorf("level %d is %v, above %v", n, l, last)
		}
		last = l
	}
	for n, want := range map[int]slog.Level{-6: LevelAlert, -4: LevelBug, -3: LevelCrit, -1: slog.LevelError, 1: LevelNotice, 4: slog.LevelDebug} {
		if got := LogLevel(n); got != want {
			t.Errorf("level %d is %v, want %v", n, got, want)
		}
	}
}

package run

import "log/slog"

// The elders' log levels between and above those of slog.
const (
	LevelNotice = slog.Level(2)
	LevelCrit   = slog.Level(12)
	LevelBug    = slog.Level(14)
	LevelAlert  = slog.Level(16)
)

// LogLevel turns a level of core.debug's scale into slog's: -5 alert, -4 bug, -3
// and -2 critical, -1 error, 0 warning, 1 notice, 2 info, 3 and more debug.
func LogLevel(n int) slog.Level {
	switch {
	case n <= -5:
		return LevelAlert
	case n == -4:
		return LevelBug
	case n <= -2:
		return LevelCrit
	case n == -1:
		return slog.LevelError
	case n == 0:
		return slog.LevelWarn
	case n == 1:
		return LevelNotice
	case n == 2:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

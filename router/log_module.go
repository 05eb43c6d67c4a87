package router

import (
	"errors"
	"fmt"
	"log/slog"
	"log/syslog"
	"strings"
	"sync/atomic"
)

// moduleLog is levels and facilities of single modules. The zero value has
// none, and costs a line of the log two loads.
type moduleLog struct {
	levels  atomic.Pointer[map[string]int]
	outputs atomic.Pointer[map[string]*logOutput]
	r       *Router
}

// ruled makes a logger follow the rules of modules.
func (m *moduleLog) ruled(log *slog.Logger) *slog.Logger {
	h, ok := log.Handler().(*logHandler)
	if !ok {
		return log
	}
	n := *h
	n.rules = m
	return slog.New(&n)
}

// moduleName is the name by which a rule finds a module's lines.
func moduleName(module string) string {
	if module == "" || module == "transport" {
		return "core"
	}
	return module
}

func (m *moduleLog) level(module string) (int, bool) {
	levels := m.levels.Load()
	if levels == nil {
		return 0, false
	}
	n, ok := (*levels)[moduleName(module)]
	return n, ok
}

func (m *moduleLog) output(module string, def *logOutput) *logOutput {
	if outputs := m.outputs.Load(); outputs != nil {
		if o := (*outputs)[moduleName(module)]; o != nil {
			return o
		}
	}
	return def
}

// SetLevels replaces all levels of modules.
func (m *moduleLog) SetLevels(levels map[string]int) {
	if len(levels) == 0 {
		m.levels.Store(nil)
		return
	}
	m.levels.Store(&levels)
}

// SetFacilities replaces all facilities of modules. Without syslog they are
// checked and change nothing.
func (m *moduleLog) SetFacilities(names map[string]string) error {
	outputs := make(map[string]*logOutput, len(names))
	var errs []error
	for module, facility := range names {
		if err := checkFacility(facility); err != nil {
			errs = append(errs, fmt.Errorf("module %s: %w", module, err))
			continue
		}
		if !m.r.syslog {
			continue
		}
		f := facilities[strings.ToLower(strings.TrimPrefix(strings.ToUpper(facility), "LOG_"))]
		w, err := syslog.New(f|syslog.LOG_INFO, m.r.logName())
		if err != nil {
			errs = append(errs, fmt.Errorf("module %s: syslog: %w", module, err))
			continue
		}
		outputs[module] = &logOutput{syslog: w}
	}
	old := m.outputs.Swap(nil)
	if len(outputs) > 0 {
		m.outputs.Store(&outputs)
	}
	if old != nil {
		for _, o := range *old {
			errs = append(errs, o.close())
		}
	}
	return errors.Join(errs...)
}

// close ends the connection to syslog, behind a line that is being written.
func (o *logOutput) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.syslog.Close() // a late line opens it again
}

// CheckFacility says whether syslog has a facility of that name.
func (m *moduleLog) CheckFacility(name string) error { return checkFacility(name) }

// Level is core.debug of now.
func (m *moduleLog) Level() int { return int(m.r.debug.Load()) }

// Facility is the daemon's own, LOG_DAEMON and its like.
func (m *moduleLog) Facility() string {
	name := strings.ToUpper(m.r.conf.Str("log_facility"))
	if name != "" && !strings.HasPrefix(name, "LOG_") {
		name = "LOG_" + name
	}
	if name == "" {
		name = "LOG_DAEMON"
	}
	return name
}

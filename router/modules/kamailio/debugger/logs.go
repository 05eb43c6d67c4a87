package debugger

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"

	"sipd/router/module"
	"sipd/rpc"
)

// moduleLogs keeps levels and facilities of single modules and gives them to
// the log while they are turned on.
type moduleLogs struct {
	mu sync.Mutex
	// mu guards the fields below.
	log                    module.ModuleLog
	size                   int // mod_hash_size
	levelsOn, facilitiesOn bool
	levels                 map[string]int
	facilities             map[string]string
}

// pair reads MODULE=VALUE.
func pair(text string) (name, value string, err error) {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return "", "", fmt.Errorf("%q: write MODULE=VALUE", text)
	}
	return name, value, nil
}

func (l *moduleLogs) levelParam(text string) error {
	name, value, err := pair(text)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return fmt.Errorf("%q: the level is a number, -5 to 3", text)
	}
	l.put(name, n)
	return nil
}

func (l *moduleLogs) facilityParam(text string) error {
	name, value, err := pair(text)
	if err == nil {
		l.putFacility(name, value)
	}
	return err
}

func (l *moduleLogs) put(name string, n int) {
	l.levels = maps.Clone(l.levels)
	if l.levels == nil {
		l.levels = make(map[string]int)
	}
	l.levels[name] = n
}

func (l *moduleLogs) putFacility(name, value string) {
	l.facilities = maps.Clone(l.facilities)
	if l.facilities == nil {
		l.facilities = make(map[string]string)
	}
	l.facilities[name] = value
}

// start gives what the parameters set to the log.
func (l *moduleLogs) start(log module.ModuleLog, size, levelMode, facilityMode int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log, l.size, l.levelsOn, l.facilitiesOn = log, size, levelMode != 0, facilityMode != 0
	if size == 0 && len(l.levels)+len(l.facilities) > 0 {
		return fmt.Errorf(`mod_level and mod_facility count for nothing without modparam("debugger", "mod_hash_size", 5)`)
	}
	return l.apply()
}

// apply is called with mu held.
func (l *moduleLogs) apply() error {
	if l.log == nil {
		return nil
	}
	var levels map[string]int
	var facilities map[string]string
	if l.levelsOn && l.size > 0 {
		levels = l.levels
	}
	if l.facilitiesOn && l.size > 0 {
		facilities = l.facilities
	}
	l.log.SetLevels(levels)
	return l.log.SetFacilities(facilities)
}

// mode turns levels or facilities on or off.
func (l *moduleLogs) mode(what *bool, now int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*what = now != 0
	_ = l.apply() // facilities were checked when they were set
}

var errNotStored = &rpc.Fault{Code: 500, Text: "cannot store parameter"}

func (l *moduleLogs) setLevel(name string, n int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size == 0 {
		return errNotStored
	}
	l.put(name, n)
	return l.apply()
}

func (l *moduleLogs) setFacility(name, facility string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.log != nil {
		if err := l.log.CheckFacility(facility); err != nil {
			return &rpc.Fault{Code: 500, Text: "facility not found"}
		}
	}
	if l.size == 0 {
		return errNotStored
	}
	l.putFacility(name, facility)
	return l.apply()
}

// level is the level that a module's lines are compared with.
func (l *moduleLogs) level(name string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n, ok := l.levels[name]; ok && l.levelsOn && l.size > 0 {
		return n
	}
	if l.log == nil {
		return 0
	}
	return l.log.Level()
}

func (l *moduleLogs) facility(name string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f, ok := l.facilities[name]; ok && l.facilitiesOn && l.size > 0 {
		return f
	}
	if l.log == nil {
		return "LOG_DAEMON"
	}
	return l.log.Facility()
}

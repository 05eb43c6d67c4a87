// Package debugger is the module that shows a script at work: a log line for
// each action, breakpoints at which a message waits for commands, the
// variables and the message of the moment, and log levels of single modules.
package debugger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"sipd/router/cfg"
	"sipd/router/module"
	"sipd/router/run"
)

type debugger struct {
	// Parameters.
	cfgtrace, format, breakpoint, level int
	levelName, facility, prefix         string
	logAssign, resetID, pkgCheck        int
	stepUsleep, stepLoops               int
	hashSize, levelMode, facilityMode   cfg.Int

	host   *module.Host
	log    *slog.Logger // to the facility of log_facility
	trace  atomic.Bool
	stop   stopper
	logs   moduleLogs
	seen   seen
	baseID atomic.Uint64
	anew   atomic.Bool // the next message is number 1
}

// New makes the module.
func New() module.Module {
	d := &debugger{
		level: -1, prefix: "*** cfgtrace:", stepUsleep: 100000, stepLoops: 200,
		hashSize:     cfg.Int{Flags: cfg.ReadOnly, Help: "power of two as size of internal hash table to store levels per module"},
		levelMode:    cfg.Int{Max: 1, Flags: cfg.Atomic | cfg.Hidden, Help: "Enable or disable per module log level (0 - disabled, 1 - enabled)"},
		facilityMode: cfg.Int{Max: 1, Flags: cfg.Atomic | cfg.Hidden, Help: "Enable or disable per module log facility (0 - disabled, 1 - enabled)"},
	}
	d.levelMode.Changed = func(_, now int) { d.logs.mode(&d.logs.levelsOn, now) }
	d.facilityMode.Changed = func(_, now int) { d.logs.mode(&d.logs.facilitiesOn, now) }
	return d
}

// Exports lists what the module brings.
func (d *debugger) Exports() *module.Exports {
	return &module.Exports{
		Name:   "debugger",
		Help:   "traces the script, stops it at breakpoints, log levels of modules",
		Params: d.params(),
		Functions: []module.Function{
			{
				Name: "dbg_breakpoint", Help: "mark a line for a breakpoint; as in Kamailio it does not stop by itself",
				Args: []module.Arg{{Name: "mode", Type: module.ArgInt}}, In: run.AnyRoute, New: newBreakpoint,
			},
			{
				Name: "dbg_pv_dump", Help: "log the variables as JSON", In: run.AnyRoute, New: d.newDump,
				Args: []module.Arg{{Name: "mask", Type: module.ArgInt, Optional: true}, {Name: "level", Type: module.ArgConst}},
			},
			{
				Name: "dbg_sip_msg", Help: "log the message as it would be sent now, and the changes made so far",
				In: run.RequestRoute | run.ReplyRoute | run.CoreReplyRoute, New: d.newMessage,
				Args: []module.Arg{{Name: "level", Type: module.ArgConst, Optional: true}, {Name: "facility", Type: module.ArgConst}},
			},
		},
		RPC: d.methods(),
	}
}

func (d *debugger) params() []module.Param {
	return []module.Param{
		{Name: "cfgtrace", Help: "1 logs each action of the script from the start on", Value: &d.cfgtrace, Max: 1},
		{Name: "cfgtrace_format", Help: "1 leaves the file's name out of these lines", Value: &d.format, Max: 1},
		{Name: "breakpoint", Help: "1 stops at each action from the start on", Value: &d.breakpoint, Max: 1},
		{Name: "log_level", Help: "level of the module's lines, on the scale of core.debug", Value: &d.level, Min: -5, Max: 3},
		{Name: "log_level_name", Help: "word for the level in these lines", Value: &d.levelName},
		{Name: "log_facility", Help: "syslog facility of these lines", Value: &d.facility},
		{Name: "log_prefix", Help: "text before these lines", Value: &d.prefix},
		{Name: "log_assign", Help: "1 logs each assignment", Value: &d.logAssign, Max: 1},
		{Name: "step_usleep", Help: "with step_loops: how long a message waits at a breakpoint, microseconds", Value: &d.stepUsleep, Min: 1, Max: 10_000_000},
		{Name: "step_loops", Help: "with step_usleep: how often it waits that long", Value: &d.stepLoops, Min: 1, Max: 100_000},
		{Name: "mod_hash_size", Help: "above 0: levels and facilities of modules can be set", Value: &d.hashSize, Group: "dbg"},
		{Name: "mod_level_mode", Help: "1: levels of modules count", Value: &d.levelMode, Group: "dbg"},
		{Name: "mod_level", Help: "MODULE=LEVEL; repeatable; the core is module core", Value: d.logs.levelParam},
		{Name: "mod_facility_mode", Help: "1: facilities of modules count", Value: &d.facilityMode, Group: "dbg"},
		{Name: "mod_facility", Help: "MODULE=FACILITY; repeatable", Value: d.logs.facilityParam},
		{Name: "reset_msgid", Help: "1: dbg.reset_msgid may number the messages anew", Value: &d.resetID, Max: 1},
		{Name: "cfgpkgcheck", Help: "read and not used: there is no memory pool to check", Value: &d.pkgCheck, Max: 1},
		{Name: "cfgtest", Help: "must be 0: test scripts with sipd routetest", Value: func(n int) error {
			if n != 0 {
				return errors.New("module cfgt is not there; write route tests instead: sipd routetest --help")
			}
			return nil
		}},
	}
}

// Init sets the hooks.
func (d *debugger) Init(_ context.Context, h *module.Host) error {
	d.host, d.log = h, h.Env.Log
	if d.facility != "" && h.LogTo != nil {
		log, err := h.LogTo(d.facility)
		if err != nil {
			return fmt.Errorf("log_facility: %w", err)
		}
		d.log = log
	}
	d.trace.Store(d.cfgtrace == 1)
	d.stop.init(d, time.Duration(d.stepUsleep)*time.Microsecond*time.Duration(d.stepLoops), d.breakpoint == 1 && !h.Dry)
	now := h.Cfg.Snapshot()
	if err := d.logs.start(h.ModuleLog, d.hashSize.Get(now), d.levelMode.Get(now), d.facilityMode.Get(now)); err != nil {
		return err
	}
	h.Vars.Seen = d.seen.note
	h.Hooks.Action = d.action
	if d.logAssign != 0 {
		h.Hooks.Assigned = d.assigned
	}
	if d.resetID == 1 {
		h.Hooks.PreRequest = append(h.Hooks.PreRequest, d.number)
		h.Hooks.PreReply = append(h.Hooks.PreReply, d.number)
	}
	h.Hooks.PostScript = append(h.Hooks.PostScript, d.stop.ended)
	return nil
}

// number counts messages from the last dbg.reset_msgid on.
func (d *debugger) number(c *run.Context) bool {
	if d.anew.CompareAndSwap(true, false) {
		d.baseID.Store(c.ID - 1)
	}
	if base := d.baseID.Load(); c.ID > base {
		c.ID -= base
	}
	return true
}

func newBreakpoint(a module.Args) (run.Func, error) {
	if a[0].IsConst {
		if n, err := strconv.Atoi(a[0].Const.Text()); err != nil || n < 0 || n > 1 {
			return nil, &module.ArgError{I: 0, Err: fmt.Errorf("mode is 0 or 1, not %s", a[0].Const.Text())}
		}
	}
	return func(*run.Context) int { return 1 }, nil
}

// levels are the elders' names of log levels, told apart by the third letter
// as they do it.
var levels = map[byte]int{'A': -5, 'B': -4, 'C': -3, 'E': -1, 'W': 0, 'N': 1, 'I': 2, 'D': 3}

// levelArg reads argument i, a level's name; def when it is missing.
func levelArg(a module.Args, i int, def slog.Level) (slog.Level, error) {
	if !a.Has(i) {
		return def, nil
	}
	text := a[i].Text
	if len(text) > 2 && strings.HasPrefix(text, "L_") {
		if n, ok := levels[text[2]]; ok {
			return run.LogLevel(n), nil
		}
	}
	return 0, &module.ArgError{I: i, Err: fmt.Errorf("log level %q: there are L_ALERT L_BUG L_CRIT L_ERR L_WARN L_NOTICE L_INFO L_DBG", text)}
}

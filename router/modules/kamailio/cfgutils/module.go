// Package cfgutils is the module of what scripts need beside SIP: chance,
// pauses, locks between messages, flags that all messages share, routes that may
// be missing, and the checksum of a file.
package cfgutils

import (
	"context"
	"fmt"
	"sync/atomic"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/stat"
	"sipd/rpc"
)

type cfgutils struct {
	initialProb, initialFlags, lockBits int
	hashFile                            string

	host   *module.Host
	memory stat.MemoryReader
	hash   string // of hashFile at the start, "" without one

	prob  atomic.Int32  // percent
	flags atomic.Uint32 // the global flags
	locks lockSet
	done  chan struct{} // closed when the configuration's service ends
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &cfgutils{initialProb: 10, done: make(chan struct{})}
}

// Exports lists what the module brings.
func (u *cfgutils) Exports() *module.Exports {
	return &module.Exports{
		Name: "cfgutils",
		Help: "chance, pauses, locks, global flags, optional routes, a file's checksum",
		Params: []module.Param{
			{Name: "initial_probability", Help: "how often rand_event is true at first, percent", Value: &u.initialProb, Max: 100},
			{Name: "initial_gflags", Help: "global flags at first, a bitmap", Value: &u.initialFlags},
			{Name: "hash_file", Help: "file whose MD5 sum is kept at the start and compared on request", Value: &u.hashFile},
			{Name: "lock_set_size", Help: "there are 2 to the power of this many locks; 0: none", Value: &u.lockBits, Max: maxLockBits},
		},
		Functions: u.functions(),
		Vars:      []pv.Def{{Name: "RANDOM", Help: "a random number, 0 to 2147483647", Simple: random}},
		RPC:       u.methods(),
	}
}

// Init sets the start values and takes the file's checksum.
func (u *cfgutils) Init(_ context.Context, h *module.Host) (err error) {
	u.host = h
	u.prob.Store(int32(u.initialProb))
	u.flags.Store(uint32(u.initialFlags))
	if u.lockBits > 0 {
		u.locks = newLockSet(u.lockBits)
	}
	if u.hashFile != "" {
		if u.hash, err = u.sum(); err != nil {
			return fmt.Errorf("hash_file: %w", err)
		}
	}
	return nil
}

// Serve ends pauses and waits for locks when the service ends.
func (u *cfgutils) Serve(ctx context.Context) error {
	<-ctx.Done()
	close(u.done)
	return nil
}

func (u *cfgutils) functions() []module.Function {
	plain := func(name, help string, f run.Func) module.Function {
		return module.Function{
			Name: name, Help: help, In: run.AnyRoute,
			New: func(module.Args) (run.Func, error) { return f, nil },
		}
	}
	with := func(name, help string, build func(module.Args) (run.Func, error), args ...module.Arg) module.Function {
		return module.Function{Name: name, Help: help, In: run.AnyRoute, Args: args, New: build}
	}
	key := module.Arg{Name: "key", Type: module.ArgFormat}
	route := module.Arg{Name: "route", Type: module.ArgFormat}
	flag := module.Arg{Name: "flag", Type: module.ArgInt}
	wait := module.Arg{Name: "time", Type: module.ArgInt}
	return []module.Function{
		with("rand_set_prob", "set how often rand_event is true, percent", u.newSetProb, module.Arg{Name: "percent", Type: module.ArgInt}),
		plain("rand_reset_prob", "set initial_probability again", u.resetProb),
		plain("rand_get_prob", "answer the percentage as return code", u.getProb),
		plain("rand_event", "true as often as the percentage says", u.event),
		with("sleep", "wait seconds", u.newPause(secondUnit), wait),
		with("usleep", "wait microseconds", u.newPause(microUnit), wait),
		plain("abort", "end the script, with a line in the log", u.abort),
		plain("pkg_status", "log that there is no private memory", u.privateMemory),
		plain("pkg_summary", "log that there is no private memory", u.privateMemory),
		plain("shm_status", "log how much memory is in use", u.memoryStatus),
		plain("shm_summary", "log which functions hold the memory in use", u.memorySummary),
		with("set_gflag", "set a global flag", flagFunc(func(bit uint32) bool { u.flags.Or(bit); return true }), flag),
		with("reset_gflag", "clear a global flag", flagFunc(func(bit uint32) bool { u.flags.And(^bit); return true }), flag),
		with("is_gflag", "true when a global flag is set", flagFunc(func(bit uint32) bool { return u.flags.Load()&bit != 0 }), flag),
		with("lock", "take the lock of a key, wait for it", u.newLock(u.take), key),
		with("unlock", "give the lock of a key back", u.newLock(u.release), key),
		with("trylock", "take the lock of a key; false when it is taken", u.newLock(u.tryTake), key),
		with("core_hash", "answer the hash of two texts as return code", newCoreHash,
			module.Arg{Name: "text", Type: module.ArgFormat}, module.Arg{Name: "more", Type: module.ArgFormat}, module.Arg{Name: "size", Type: module.ArgInt}),
		with("check_route_exists", "true when there is a request route of this name", u.newRouteExists, route),
		with("route_if_exists", "run a request route if there is one of this name", u.newRouteIfExists, route),
	}
}

func (u *cfgutils) methods() []*rpc.Method {
	mask := []rpc.Param{{Name: "mask", Type: rpc.TInt, Optional: true, Help: "the flags, a bitmap"}}
	return append(u.chanceMethods(), []*rpc.Method{
		{Name: "cfgutils.is_gflag", Help: "Tells whether all global flags of a bitmap are set.", Params: mask, Reply: `string: "TRUE" or "FALSE"`, Example: "5", Handler: u.rpcIsFlag},
		{Name: "cfgutils.set_gflag", Help: "Sets the global flags of a bitmap.", Params: mask, Changes: true, Example: "5", Handler: u.rpcFlags(func(m uint32) { u.flags.Or(m) })},
		{Name: "cfgutils.reset_gflag", Help: "Clears the global flags of a bitmap.", Params: mask, Changes: true, Example: "5", Handler: u.rpcFlags(func(m uint32) { u.flags.And(^m) })},
		{Name: "cfgutils.get_gflags", Help: "Shows the global flags.", Reply: `string: "0xHEX (DECIMAL)"`, Handler: u.rpcGetFlags},
		{Name: "cfgutils.get_config_hash", Help: "Shows the MD5 sum that hash_file had at the start.", Reply: "string, empty without hash_file", Handler: u.rpcGetHash},
		{Name: "cfgutils.check_config_hash", Help: "Compares hash_file with what it was at the start.", Reply: `string: "Identical hash" or "Different hash"`, Handler: u.rpcCheckHash},
	}...)
}

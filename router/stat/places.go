package stat

import (
	"math"
	"path"
	"runtime"
	"strings"
)

// Place is where in the program live memory was allocated.
type Place struct {
	// Module is the module's name, "core" for the rest of the program.
	Module string
	// Function and Line are the innermost of the program's own.
	Function string
	Line     int
	// Bytes and Objects are in use, estimated from the runtime's samples.
	Bytes, Objects int64
}

// Places lists where the live memory was allocated, largest first where the
// runtime says so. The runtime samples one allocation in 512 KiB: small users
// may be missing, large ones are near the truth.
func Places() []Place {
	n, _ := runtime.MemProfile(nil, false)
	var records []runtime.MemProfileRecord
	for {
		records = make([]runtime.MemProfileRecord, n+64)
		var ok bool
		if n, ok = runtime.MemProfile(records, false); ok {
			records = records[:n]
			break
		}
	}
	var out []Place
	index := make(map[Place]int)
	for i := range records {
		r := &records[i]
		bytes, objects := scale(r.InUseBytes(), r.InUseObjects())
		if bytes == 0 {
			continue
		}
		p := place(r.Stack())
		at, seen := index[p]
		if !seen {
			at = len(out)
			index[p] = at
			out = append(out, p)
		}
		out[at].Bytes += bytes
		out[at].Objects += objects
	}
	return out
}

// scale turns a sample into an estimate: an allocation of n octets is sampled
// with the probability 1-e^(-n/rate).
func scale(bytes, objects int64) (int64, int64) {
	if bytes <= 0 || objects <= 0 {
		return 0, 0
	}
	rate := float64(runtime.MemProfileRate)
	if rate <= 1 {
		return bytes, objects
	}
	f := 1 / (1 - math.Exp(-float64(bytes)/float64(objects)/rate))
	return int64(float64(bytes) * f), int64(float64(objects) * f)
}

// place finds the innermost function of this program on a stack.
func place(stack []uintptr) Place {
	const own, modules = "sipd/", "sipd/router/modules/"
	frames := runtime.CallersFrames(stack)
	for {
		f, more := frames.Next()
		if strings.HasPrefix(f.Function, own) || strings.HasPrefix(f.Function, "main.") {
			p := Place{Module: "core", Line: f.Line}
			pkg, function, _ := strings.Cut(path.Base(f.Function), ".")
			p.Function = function
			if strings.HasPrefix(f.Function, modules) {
				p.Module = pkg
			}
			return p
		}
		if !more {
			return Place{Module: "core", Function: "runtime"}
		}
	}
}

package stat

import (
	"runtime/metrics"
	"sync/atomic"
)

// MemoryReader reads the process's memory. sipd has no pool of its own: what
// Kamailio calls shared memory is the Go heap here. The zero value is ready.
type MemoryReader struct {
	highest atomic.Int64
}

// Read takes the figures of now, some microseconds' work.
func (m *MemoryReader) Read() Memory {
	s := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(s)
	objects, unused := int64(s[0].Value.Uint64()), int64(s[1].Value.Uint64())
	free := int64(s[2].Value.Uint64())
	total := int64(s[3].Value.Uint64() - s[4].Value.Uint64())
	used := total - free - unused
	for {
		high := m.highest.Load()
		if used <= high || m.highest.CompareAndSwap(high, used) {
			break
		}
	}
	return Memory{
		Total: total, Free: free + unused, Used: objects, RealUsed: used, MaxUsed: m.highest.Load(),
		// The runtime does not say in how many pieces its free memory lies.
		Fragments: 0,
	}
}

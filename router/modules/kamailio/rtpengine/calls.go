package rtpengine

import (
	"sync"
	"time"
)

// calls remembers which relay has a call's media.
type calls struct {
	keep time.Duration

	mu sync.Mutex
	// mu guards the fields below.
	byID  map[string]entry
	swept time.Time
}

type entry struct {
	node *node
	ends time.Time
}

// get is the relay of a call, nil when it has none.
func (c *calls) get(id string, now time.Time) *node {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byID[id]
	if !ok || now.After(e.ends) {
		return nil
	}
	return e.node
}

// put notes the relay of a call. Once a minute what has ended is dropped.
func (c *calls) put(id string, n *node, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID == nil {
		c.byID = make(map[string]entry)
	}
	c.byID[id] = entry{n, now.Add(c.keep)}
	if now.Sub(c.swept) < time.Minute {
		return
	}
	c.swept = now
	for k, e := range c.byID {
		if now.After(e.ends) {
			delete(c.byID, k)
		}
	}
}

func (c *calls) drop(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byID, id)
}

func (c *calls) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.byID)
}

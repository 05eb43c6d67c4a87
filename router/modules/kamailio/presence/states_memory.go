package presence

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
)

// memoryStates are published states in memory.
type memoryStates struct {
	fold bool // users are compared without case

	mu sync.Mutex
	// of are the states of a user and event, in the order they came; mu guards it.
	of map[stateKey][]*published
}

func newMemoryStates(fold bool) *memoryStates {
	return &memoryStates{fold: fold, of: make(map[stateKey][]*published)}
}

// group is the key of all states of a user and event.
func (m *memoryStates) group(k stateKey) stateKey {
	k.etag = ""
	if m.fold {
		k.user, k.domain = strings.ToLower(k.user), strings.ToLower(k.domain)
	}
	return k
}

// at is the index of a state in its group; the caller holds mu.
func (m *memoryStates) at(k stateKey) int {
	return slices.IndexFunc(m.of[m.group(k)], func(p *published) bool { return p.etag == k.etag })
}

// clone has no piece of the message that brought it.
func (p *published) clone() published {
	c := *p
	for _, s := range []*string{&c.user, &c.domain, &c.event, &c.etag, &c.sender, &c.ruid, &c.body} {
		*s = strings.Clone(*s)
	}
	return c
}

func (m *memoryStates) add(_ context.Context, p *published) error {
	kept := p.clone()
	g := m.group(p.stateKey)
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := m.at(p.stateKey); i >= 0 {
		m.of[g][i] = &kept
		return nil
	}
	m.of[g] = append(m.of[g], &kept)
	return nil
}

func (m *memoryStates) get(_ context.Context, k stateKey) (*published, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := m.at(k); i >= 0 {
		c := *m.of[m.group(k)][i]
		return &c, nil
	}
	return nil, nil
}

func (m *memoryStates) update(_ context.Context, k stateKey, p *published) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.at(k)
	if i < 0 {
		return false, nil
	}
	kept, n := m.of[m.group(k)][i], p.clone()
	p = &n
	kept.etag, kept.expires, kept.received, kept.priority = p.etag, p.expires, p.received, p.priority
	if p.sender != "" {
		kept.sender = p.sender
	}
	if p.body != "" {
		kept.body = p.body
	}
	return true, nil
}

func (m *memoryStates) remove(_ context.Context, k stateKey) error {
	g := m.group(k)
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := m.at(k); i >= 0 {
		m.of[g] = slices.Delete(m.of[g], i, i+1)
	}
	if len(m.of[g]) == 0 {
		delete(m.of, g)
	}
	return nil
}

func (m *memoryStates) list(_ context.Context, user, domain, event string, after int64) ([]*published, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []*published
	for _, p := range m.of[m.group(stateKey{user: user, domain: domain, event: event})] {
		if p.expires == hardState || p.expires > after {
			c := *p
			list = append(list, &c)
		}
	}
	slices.SortStableFunc(list, func(a, b *published) int {
		return cmp.Or(cmp.Compare(a.received, b.received), cmp.Compare(a.priority, b.priority))
	})
	return list, nil
}

func (m *memoryStates) ended(_ context.Context, before int64) ([]*published, error) {
	return m.some(func(p *published) bool { return p.expires != hardState && p.expires < before }), nil
}

// some are copies of the states that match.
func (m *memoryStates) some(match func(*published) bool) []*published {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []*published
	for _, group := range m.of {
		for _, p := range group {
			if match(p) {
				c := *p
				list = append(list, &c)
			}
		}
	}
	return list
}

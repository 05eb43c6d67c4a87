package presence

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// hardState is the expiry of a state that stays until it is removed.
const hardState = -1

// stateKey is what a published state is found by.
type stateKey struct{ user, domain, event, etag string }

// published is a state that somebody published.
type published struct {
	stateKey

	sender, ruid, body string
	expires            int64 // seconds since 1970, or hardState
	received           int64
	priority           int
}

// stateStore keeps published states. It is safe for concurrent use.
type stateStore interface {
	// add keeps a state, in place of one with the same key.
	add(ctx context.Context, p *published) error
	// get answers nil when there is no such state.
	get(ctx context.Context, k stateKey) (*published, error)
	// update changes the state of a key: its tag, its times, its sender when it
	// has one, and its body when it has one. false: there is none.
	update(ctx context.Context, k stateKey, p *published) (bool, error)
	remove(ctx context.Context, k stateKey) error
	// list are the states of a user that ended after a second, or all that have
	// not been removed when it is 0: the newest, or the first in order, last.
	list(ctx context.Context, user, domain, event string, after int64) ([]*published, error)
	// ended are the states that ended before a second.
	ended(ctx context.Context, before int64) ([]*published, error)
}

// tags makes entity tags and identifiers.
type tags struct {
	prefix  string
	counter *atomic.Uint64
	pid     int
}

func newTags() tags {
	return tags{prefix: "a." + strconv.FormatInt(time.Now().Unix(), 10), counter: new(atomic.Uint64), pid: os.Getpid()}
}

// first is the tag of a new state.
func (t tags) first() string { return t.nth(0) }

func (t tags) nth(n uint64) string {
	return fmt.Sprintf("%s.%d.%d.%d", t.prefix, t.pid, t.counter.Add(1), n)
}

// ruid names a state for good.
func (t tags) ruid() string {
	return fmt.Sprintf("pres-%s-%x-%x", strings.TrimPrefix(t.prefix, "a."), t.pid, t.counter.Add(1))
}

var errTag = errors.New("the entity tag is none of ours")

// next is the tag that follows another: the number at its end goes up.
func (t tags) next(tag string) (string, error) {
	i := strings.LastIndexByte(tag, '.')
	if i < 0 {
		return "", errTag
	}
	n, err := strconv.ParseUint(tag[i+1:], 10, 31)
	if err != nil {
		return "", errTag
	}
	return t.nth(n + 1), nil
}

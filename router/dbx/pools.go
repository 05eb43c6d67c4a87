package dbx

import (
	"context"
	"errors"
	"sync"

	"sipd/db"
	"sipd/router/module"
)

// Pools are the open databases of one db_* module, each opened once however
// many modules use it. Options says how a database is opened; it is asked with
// the URL when that happens, after all parameters are set. Opener opens what
// [db.Open] does not know; it may be nil.
type Pools struct {
	Options func(url string) []db.Option
	Opener  func(ctx context.Context, url string) (*db.DB, error)

	mu sync.Mutex // guards the fields below, and is held while one opens
	// open are the pools by URL.
	open   map[string]*pool
	errors int64 // of those that are closed
}

type pool struct {
	db    *db.DB
	users int
}

// OpenDB implements [Driver].
func (p *Pools) OpenDB(ctx context.Context, url string) (*db.DB, func() error, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if x := p.open[url]; x != nil {
		x.users++
		return x.db, p.closer(url, x), nil
	}
	d, err := p.openNew(ctx, url)
	if err != nil {
		return nil, nil, err
	}
	if p.open == nil {
		p.open = make(map[string]*pool)
	}
	x := &pool{db: d, users: 1}
	p.open[url] = x
	return d, p.closer(url, x), nil
}

func (p *Pools) openNew(ctx context.Context, url string) (*db.DB, error) {
	if p.Opener != nil {
		return p.Opener(ctx, url)
	}
	var opts []db.Option
	if p.Options != nil {
		opts = p.Options(url)
	}
	return db.Open(ctx, url, opts...)
}

// closer gives one use of x back, once.
func (p *Pools) closer(url string, x *pool) func() error {
	var once sync.Once
	return func() (err error) {
		once.Do(func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			if x.users--; x.users > 0 || p.open[url] != x {
				return
			}
			delete(p.open, url)
			p.errors += x.db.Errors()
			err = x.db.Close()
		})
		return err
	}
}

// Succeed gives the pools of the configuration before, at a reload: what is open
// stays open, and is opened by the options given where it is opened anew. old
// is Host.Old, p what the module has when there is none.
func (p *Pools) Succeed(old module.Module, options func(url string) []db.Option) (pools *Pools, tookOver bool) {
	h, ok := old.(interface{ pools() *Pools })
	if !ok {
		return p, false
	}
	pools = h.pools()
	pools.mu.Lock()
	defer pools.mu.Unlock()
	pools.Options, pools.Opener = options, p.Opener
	return pools, true
}

func (p *Pools) pools() *Pools { return p }

// Len is how many databases are open.
func (p *Pools) Len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open)
}

// Errors is how many errors the databases answered: a statistic.
func (p *Pools) Errors() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.errors
	for _, x := range p.open {
		n += x.db.Errors()
	}
	return n
}

// Close closes what the modules left open. It implements module.Closer.
func (p *Pools) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, x := range p.open {
		errs = append(errs, x.db.Close())
	}
	clear(p.open)
	return errors.Join(errs...)
}

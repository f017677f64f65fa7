package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/definitions"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// knownDefinitions caches definitions for decisions, and the versions that are broken. Which version is the latest may
// change; the transaction of a start detects that.
type knownDefinitions struct {
	store Store
	now   func() time.Time

	cache  *definitions.Cache
	mu     sync.RWMutex
	broken map[missingDefinition]*brokenDefinition
	latest map[string]*saga.Definition // by name; the newest that this process knows
}

// missingDefinition names a version that is not cached. It is an error, so that a decision, which does no I/O, can ask
// for the version.
type missingDefinition struct {
	name    string
	version int
}

func (p *missingDefinition) Error() string {
	return fmt.Sprintf("definition %s version %d is not loaded", p.name, p.version)
}

// brokenDefinition is a version that is unreadable or missing. It affects its own sagas only, and is read again after a
// pause because its row may be repaired.
type brokenDefinition struct {
	fault error // wraps record.ErrUnreadable
	until time.Time
	wait  time.Duration
}

const (
	firstBrokenWait = time.Second
	maxBrokenWait   = time.Minute
	maxBroken       = 10_000
)

func newKnownDefinitions(store Store, now func() time.Time) *knownDefinitions {
	return &knownDefinitions{
		store: store, now: now, cache: definitions.NewCache(store.Definition, 0),
		broken: make(map[missingDefinition]*brokenDefinition), latest: make(map[string]*saga.Definition),
	}
}

// get returns a cached definition. The error is a *missingDefinition if it is not cached, and wraps
// record.ErrUnreadable if it was unreadable a moment ago.
func (p *knownDefinitions) get(name string, version int) (*saga.Definition, error) {
	if def := p.cache.Cached(name, version); def != nil {
		return def, nil
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	wanted := missingDefinition{name: name, version: version}
	if broken, found := p.broken[wanted]; found && p.now().Before(broken.until) {
		return nil, broken.fault
	}
	return nil, &wanted
}

// load caches a definition, or the fact that it is unreadable. It returns an error only if the store does not answer.
func (p *knownDefinitions) load(ctx context.Context, wanted *missingDefinition) error {
	def, err := p.store.Definition(ctx, wanted.name, wanted.version)
	switch {
	case err == nil:
		p.put(def)
	case errors.Is(err, record.ErrDefinitionNotFound):
		p.setBroken(*wanted, fmt.Errorf("%w: definition %s version %d is missing", record.ErrUnreadable, wanted.name, wanted.version))
	case errors.Is(err, record.ErrUnreadable):
		p.setBroken(*wanted, err)
	default:
		return err
	}
	return nil
}

func (p *knownDefinitions) setBroken(which missingDefinition, fault error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	broken := p.broken[which]
	if broken == nil {
		if len(p.broken) >= maxBroken {
			clear(p.broken)
		}
		broken = &brokenDefinition{}
		p.broken[which] = broken
	}
	broken.fault = fault
	broken.wait = min(max(2*broken.wait, firstBrokenWait), maxBrokenWait)
	broken.until = p.now().Add(broken.wait)
}

func (p *knownDefinitions) brokenCount() int {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return len(p.broken)
}

// forget drops a latest version whose row is missing, so that the next start reads it again.
func (p *knownDefinitions) forget(name string, version int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if latest := p.latest[name]; latest != nil && latest.Version == version {
		delete(p.latest, name)
	}
}

func (p *knownDefinitions) put(def *saga.Definition) {
	p.cache.Put(def)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.broken, missingDefinition{name: def.Name, version: def.Version})
	if latest := p.latest[def.Name]; latest != nil && latest.Version < def.Version {
		p.latest[def.Name] = def
	}
}

// seen returns the latest version that this process knows, or nil.
func (p *knownDefinitions) seen(name string) *saga.Definition {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.latest[name]
}

// look reads the latest version from the store.
func (p *knownDefinitions) look(ctx context.Context, name string) (*saga.Definition, error) {
	found, err := p.store.LatestDefinition(ctx, name)
	if err != nil {
		return nil, err
	}
	p.put(found.Definition)
	p.mu.Lock()
	defer p.mu.Unlock()
	if latest := p.latest[name]; latest == nil || latest.Version < found.Version {
		p.latest[name] = found.Definition
	}
	return p.latest[name], nil
}

// find returns a version of a definition. Version 0 means the latest, which may be a moment old.
func (p *knownDefinitions) find(ctx context.Context, name string, version int) (*saga.Definition, error) {
	if version == 0 {
		if latest := p.seen(name); latest != nil {
			return latest, nil
		}
		return p.look(ctx, name)
	}
	if def, err := p.get(name, version); err == nil {
		return def, nil
	}
	def, err := p.store.Definition(ctx, name, version)
	if err != nil {
		return nil, err
	}
	p.put(def)
	return def, nil
}

// RegisterDefinition stores a definition, as a new version unless it equals the latest. It also declares the queues of
// the definition, so that no command is lost before its first worker starts.
func (e *Engine) RegisterDefinition(
	ctx context.Context, def *saga.Definition,
) (registered record.RegisteredDefinition, created bool, err error) {
	registered, created, err = e.config.Store.PutDefinition(ctx, def)
	if err != nil {
		return record.RegisteredDefinition{}, false, fmt.Errorf("register definition %s: %w", def.Name, err)
	}
	e.definitions.put(registered.Definition)
	for _, warning := range def.Warnings() {
		e.config.Logger.Warn("definition has a warning", "definition", def.Name, "at", warning.Pointer, "warning", warning.Message)
	}
	if e.config.Queues == nil {
		return registered, created, nil
	}
	if err := e.config.Queues.DeclareQueues(ctx, def.Queues()); err != nil {
		// The broker is down. Queues remembers them, and the definition stays registered.
		e.config.Logger.Warn("queues are not declared yet", "definition", def.Name, "error", err)
	}
	return registered, created, nil
}

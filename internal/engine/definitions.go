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
	store    Store
	compiler saga.Compiler
	now      func() time.Time

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

func (d *missingDefinition) Error() string {
	return fmt.Sprintf("definition %s version %d is not loaded", d.name, d.version)
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

func newKnownDefinitions(store Store, compiler saga.Compiler, now func() time.Time) *knownDefinitions {
	return &knownDefinitions{
		store: store, compiler: compiler, now: now, cache: definitions.NewCache(store.Definition, 0),
		broken: make(map[missingDefinition]*brokenDefinition), latest: make(map[string]*saga.Definition),
	}
}

// get returns a cached definition. The error is a *missingDefinition if it is not cached, and wraps
// record.ErrUnreadable if it was unreadable a moment ago.
func (d *knownDefinitions) get(name string, version int) (*saga.Definition, error) {
	if def := d.cache.Cached(name, version); def != nil {
		return def, nil
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	wanted := missingDefinition{name: name, version: version}
	if broken, found := d.broken[wanted]; found && d.now().Before(broken.until) {
		return nil, broken.fault
	}
	return nil, &wanted
}

// load caches a definition, or the fact that it is unreadable. It returns an error only if the store does not answer.
func (d *knownDefinitions) load(ctx context.Context, wanted *missingDefinition) error {
	def, err := d.store.Definition(ctx, wanted.name, wanted.version)
	switch {
	case err == nil:
		if fault := d.put(def); fault != nil {
			d.setBroken(*wanted, fault)
		}
	case errors.Is(err, record.ErrDefinitionNotFound):
		d.setBroken(*wanted, fmt.Errorf("%w: definition %s version %d is missing", record.ErrUnreadable, wanted.name, wanted.version))
	case errors.Is(err, record.ErrUnreadable):
		d.setBroken(*wanted, err)
	default:
		return err
	}
	return nil
}

// read returns a definition, which it caches. Errors: record.ErrUnreadable.
func (d *knownDefinitions) read(ctx context.Context, name string, version int) (*saga.Definition, error) {
	def, err := d.get(name, version)
	var missing *missingDefinition
	if !errors.As(err, &missing) {
		return def, err
	}
	if err := d.load(ctx, missing); err != nil {
		return nil, err
	}
	return d.get(name, version)
}

func (d *knownDefinitions) setBroken(which missingDefinition, fault error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	broken := d.broken[which]
	if broken == nil {
		if len(d.broken) >= maxBroken {
			clear(d.broken)
		}
		broken = &brokenDefinition{}
		d.broken[which] = broken
	}
	broken.fault = fault
	broken.wait = min(max(2*broken.wait, firstBrokenWait), maxBrokenWait)
	broken.until = d.now().Add(broken.wait)
}

func (d *knownDefinitions) brokenCount() int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return len(d.broken)
}

// forget drops a latest version whose row is missing, so that the next start reads it again.
func (d *knownDefinitions) forget(name string, version int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if latest := d.latest[name]; latest != nil && latest.Version == version {
		delete(d.latest, name)
	}
}

// compile compiles the conditions and schemas of a definition. The error is of type saga.Faults.
func (d *knownDefinitions) compile(def *saga.Definition) error {
	if d.compiler == nil {
		return nil
	}
	return def.Compile(d.compiler)
}

// put compiles and caches a definition that was stored. An error wraps record.ErrUnreadable: another version of the program
// may know more of the languages of conditions and schemas.
func (d *knownDefinitions) put(def *saga.Definition) error {
	if err := d.compile(def); err != nil {
		return fmt.Errorf("%w: definition %s version %d: %w", record.ErrUnreadable, def.Name, def.Version, err)
	}
	d.cache.Put(def)
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.broken, missingDefinition{name: def.Name, version: def.Version})
	if latest := d.latest[def.Name]; latest != nil && latest.Version < def.Version {
		d.latest[def.Name] = def
	}
	return nil
}

// seen returns the latest version that this process knows, or nil.
func (d *knownDefinitions) seen(name string) *saga.Definition {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.latest[name]
}

// look reads the latest version from the store.
func (d *knownDefinitions) look(ctx context.Context, name string) (*saga.Definition, error) {
	found, err := d.store.LatestDefinition(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := d.put(found.Definition); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if latest := d.latest[name]; latest == nil || latest.Version < found.Version {
		d.latest[name] = found.Definition
	}
	return d.latest[name], nil
}

// find returns a version of a definition. Version 0 means the latest, which may be a moment old.
func (d *knownDefinitions) find(ctx context.Context, name string, version int) (*saga.Definition, error) {
	if version == 0 {
		if latest := d.seen(name); latest != nil {
			return latest, nil
		}
		return d.look(ctx, name)
	}
	if def, err := d.get(name, version); err == nil {
		return def, nil
	}
	def, err := d.store.Definition(ctx, name, version)
	if err != nil {
		return nil, err
	}
	if err := d.put(def); err != nil {
		return nil, err
	}
	return def, nil
}

// RegisterDefinition stores a definition, as a new version unless it equals the latest. It also declares the queues of
// the definition, so that no command is lost before its first worker starts.
func (e *Engine) RegisterDefinition(
	ctx context.Context, def *saga.Definition,
) (registered record.RegisteredDefinition, created bool, err error) {
	if err := e.definitions.compile(def); err != nil {
		return record.RegisteredDefinition{}, false, err
	}
	if faults := def.Refusals(); len(faults) > 0 {
		return record.RegisteredDefinition{}, false, faults
	}
	if err := e.checkChildren(ctx, def); err != nil {
		return record.RegisteredDefinition{}, false, err
	}
	registered, created, err = e.config.Store.PutDefinition(ctx, def)
	if err != nil {
		return record.RegisteredDefinition{}, false, fmt.Errorf("register definition %s: %w", def.Name, err)
	}
	if err := e.definitions.put(registered.Definition); err != nil {
		return record.RegisteredDefinition{}, false, err
	}
	for _, warning := range def.Warnings() {
		e.config.Logger.Warn("definition has a warning", "definition", def.Name, "at", warning.Pointer, "warning", warning.Message)
	}
	if e.config.Queues == nil {
		return registered, created, nil
	}
	if err := e.config.Queues.DeclareQueues(ctx, def.Queues()); err != nil {
		// The broker is down or refuses them. Queues remembers them, and the definition stays registered.
		e.config.Logger.Warn("queues are not declared as they should be", "definition", def.Name, "error", err)
	}
	return registered, created, nil
}

package store

import (
	"container/list"
	"sync"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

const (
	cacheBytes   = 32 << 20 // approximate size of the cached instances
	instanceCost = 2 << 10  // bytes of an instance besides its documents
	maxBackoff   = 1 << 10
)

// instanceCache holds the unfinished sagas that this process has committed, with the fences of their rows, so that a
// batch need not read them first. Decisions on cached instances are written only if the rows are still at the cached
// version.
//
// When replicas share the work, caches become stale. After a batch that was decided on a stale instance, the next
// batches skip the cache: more each time, until a batch hits.
type instanceCache struct {
	mu      sync.Mutex
	byID    map[string]*list.Element // of *cached
	order   list.List                // the most recently changed comes first
	bytes   int
	backoff int // number of batches that skip the cache after the next miss
	skip    int // number of batches that still skip it
}

type cached struct {
	fenced
	cost int
}

// fenced is a saga with the fence of its row.
type fenced struct {
	instance saga.Instance
	fence    fence
}

// fence identifies one version of a row. Each write of this program draws a new random token. A revision may repeat,
// and so may a transaction id, after a failover that lost them. An edit by hand, or by a program that does not know the
// token, changes the transaction.
type fence struct {
	token       int64
	transaction uint32 // xmin
}

func newInstanceCache() *instanceCache { return &instanceCache{byID: make(map[string]*list.Element)} }

// get returns the cached ones of the sagas with these ids, and the ids of the others. It returns false if they are too large
// for one batch, or if the cache is skipped. The caller must not change them.
func (c *instanceCache) get(ids []string) (found sagas, missing []string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.skip > 0 && len(ids) > 0 {
		c.skip--
		return sagas{}, nil, false
	}
	found, bytes := newSagas(len(ids)), 0
	for _, id := range ids {
		element := c.byID[id]
		if element == nil {
			missing = append(missing, id)
			continue
		}
		entry := element.Value.(*cached) //nolint:forcetypeassert // the list holds nothing else
		if bytes += entry.cost; bytes > loadBytes && len(ids) > fewSagas {
			return sagas{}, nil, false
		}
		found.add(entry.fenced)
	}
	return found, missing, true
}

func (c *instanceCache) recordHit() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.backoff = 0
}

// recordMiss records that an instance was stale.
func (c *instanceCache) recordMiss() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.backoff = min(2*c.backoff+8, maxBackoff)
	c.skip = c.backoff
}

// keep caches committed sagas.
func (c *instanceCache) keep(committed []saga.Instance, fence fence) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range committed {
		c.keepOne(&committed[i], fence)
	}
	c.shrink()
}

// keepLoaded caches sagas that were read.
func (c *instanceCache) keepLoaded(loaded sagas) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range loaded.instances {
		in := loaded.instances[id]
		c.keepOne(&in, loaded.fences[id])
	}
	c.shrink()
}

func (c *instanceCache) keepOne(in *saga.Instance, fence fence) {
	c.drop(in.ID)
	if in.Status.Terminal() {
		return
	}
	kept, err := record.Kept(*in)
	if err != nil {
		return // impossible for a committed saga; it is read instead
	}
	entry := &cached{fenced: fenced{instance: kept, fence: fence}, cost: cost(&kept)}
	c.byID[in.ID] = c.order.PushFront(entry)
	c.bytes += entry.cost
}

func (c *instanceCache) shrink() {
	for c.bytes > cacheBytes {
		c.drop(c.order.Back().Value.(*cached).instance.ID) //nolint:forcetypeassert // the list holds nothing else
	}
}

// evict drops sagas whose state is uncertain.
func (c *instanceCache) evict(ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		c.drop(id)
	}
}

// clear drops everything: the database may have lost commits.
func (c *instanceCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.byID)
	c.order.Init()
	c.bytes = 0
}

func (c *instanceCache) drop(id string) {
	element := c.byID[id]
	if element == nil {
		return
	}
	delete(c.byID, id)
	c.bytes -= c.order.Remove(element).(*cached).cost //nolint:forcetypeassert // the list holds nothing else
}

func cost(in *saga.Instance) int {
	bytes := instanceCost + len(in.Data)
	for i := range in.Steps {
		bytes += len(in.Steps[i].Output)
	}
	return bytes
}

// sagas are the instances of a batch, with the fences that its writes check.
type sagas struct {
	instances map[string]saga.Instance
	fences    map[string]fence
}

func newSagas(n int) sagas {
	return sagas{instances: make(map[string]saga.Instance, n), fences: make(map[string]fence, n)}
}

func (s sagas) add(f fenced) {
	s.instances[f.instance.ID], s.fences[f.instance.ID] = f.instance, f.fence
}

package store

import (
	"container/list"
	"sync"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/record"
)

const (
	knownBytes   = 32 << 20 // of instances that are remembered, about
	instanceCost = 2 << 10  // bytes of an instance besides its documents
	maxDoubt     = 1 << 10
)

// known remembers unfinished sagas as this process has committed them last, so that they need not be read before each
// change. It is a cache and no more: whatever is decided on it is written only if the rows are still as remembered.
//
// Where replicas share the work, each goes on where another has stopped, and memories are old. So after a batch whose
// memory was old some go without, more each time, until one comes off.
type known struct {
	mu    sync.Mutex
	byID  map[string]*list.Element // of *remembered
	order list.List                // the one that was changed last comes first
	bytes int
	doubt int // how many batches go without after the next one whose memory is old
	pass  int // how many still do
}

type remembered struct {
	instance saga.Instance
	cost     int
}

func newKnown() *known { return &known{byID: make(map[string]*list.Element)} }

// recall returns the sagas of these ids, or false where one of them is not remembered or memory is not to be relied on.
// They are to be looked at only: a transition changes nothing of what it is given.
func (k *known) recall(ids []string) (map[string]saga.Instance, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pass > 0 && len(ids) > 0 {
		k.pass--
		return nil, false
	}
	found := make(map[string]saga.Instance, len(ids))
	for _, id := range ids {
		element := k.byID[id]
		if element == nil {
			return nil, false
		}
		found[id] = element.Value.(*remembered).instance //nolint:forcetypeassert // the list holds nothing else
	}
	return found, true
}

// proved says whether what was recalled was still so.
func (k *known) proved(right bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if right {
		k.doubt = 0
		return
	}
	k.doubt = min(2*k.doubt+8, maxDoubt)
	k.pass = k.doubt
}

// keep remembers sagas as they were committed.
func (k *known) keep(committed []saga.Instance) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range committed {
		k.keepOne(&committed[i])
	}
	for k.bytes > knownBytes {
		k.drop(k.order.Back().Value.(*remembered).instance.ID) //nolint:forcetypeassert // as above
	}
}

func (k *known) keepOne(in *saga.Instance) {
	k.drop(in.ID)
	if in.Status.Terminal() {
		return
	}
	kept, err := record.Kept(*in)
	if err != nil {
		return // it was committed, so this cannot be; without memory it is read
	}
	entry := &remembered{instance: kept, cost: cost(&kept)}
	k.byID[in.ID] = k.order.PushFront(entry)
	k.bytes += entry.cost
}

// forget lets go of sagas of which it is not known how they stand.
func (k *known) forget(ids []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, id := range ids {
		k.drop(id)
	}
}

func (k *known) drop(id string) {
	element := k.byID[id]
	if element == nil {
		return
	}
	delete(k.byID, id)
	k.bytes -= k.order.Remove(element).(*remembered).cost //nolint:forcetypeassert // as above
}

func cost(in *saga.Instance) int {
	bytes := instanceCost + len(in.Data)
	for i := range in.Steps {
		bytes += len(in.Steps[i].Output)
	}
	return bytes
}

package system

import (
	"context"
	"fmt"
	"sync"
)

// Waiters are those who wait for the end of a saga in this process.
type Waiters struct {
	mu   sync.Mutex
	byID map[string]chan End
}

// NewWaiters returns an empty set.
func NewWaiters() *Waiters { return &Waiters{byID: make(map[string]chan End)} }

// Expect announces that somebody will wait for the saga. It comes before the saga's start.
func (w *Waiters) Expect(id string) <-chan End {
	end := make(chan End, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.byID[id] = end
	return end
}

// Tell tells the one who waits for the saga that it has ended.
func (w *Waiters) Tell(id string, end End) {
	w.mu.Lock()
	waiting := w.byID[id]
	delete(w.byID, id)
	w.mu.Unlock()
	if waiting != nil {
		waiting <- end
	}
}

// Await waits for what Expect announced, as long as the system is alive.
func Await(ctx, alive context.Context, end <-chan End) (End, error) {
	select {
	case e := <-end:
		return e, nil
	case <-ctx.Done():
		return "", fmt.Errorf("await the end of a saga: %w", context.Cause(ctx))
	case <-alive.Done():
		return "", fmt.Errorf("await the end of a saga: %w", context.Cause(alive))
	}
}

package system

import (
	"context"
	"fmt"
	"sync"
)

// Waiters notifies the goroutines that wait for the end of a saga.
type Waiters struct {
	mu   sync.Mutex
	byID map[string]chan End
}

// NewWaiters returns an empty set.
func NewWaiters() *Waiters { return &Waiters{byID: make(map[string]chan End)} }

// Expect registers a waiter for a saga. It must be called before the saga starts.
func (w *Waiters) Expect(id string) <-chan End {
	end := make(chan End, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.byID[id] = end
	return end
}

// Tell notifies the saga's waiter, if there is one, of its end.
func (w *Waiters) Tell(id string, end End) {
	w.mu.Lock()
	waiting := w.byID[id]
	delete(w.byID, id)
	w.mu.Unlock()
	if waiting != nil {
		waiting <- end
	}
}

// Await waits for the end of a saga. It returns an error when ctx or alive, the system's context, ends.
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

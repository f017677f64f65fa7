package roofline

import "context"

// largest is the maximum size of a batch.
const largest = 512

// gather waits for one item and returns it with all others that wait, in the space of batch. It returns an empty batch when
// the channel is closed or ctx ends.
func gather[T any](ctx context.Context, from <-chan T, batch []T) []T {
	batch = batch[:0]
	select {
	case first, more := <-from:
		if !more {
			return batch
		}
		batch = append(batch, first)
	case <-ctx.Done():
		return batch
	}
	for len(batch) < largest {
		select {
		case next, more := <-from:
			if !more {
				return batch
			}
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

// pass sends a batch unless ctx ends.
func pass[T any](ctx context.Context, to chan<- T, batch T) {
	select {
	case to <- batch:
	case <-ctx.Done():
	}
}

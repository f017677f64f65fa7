package roofline

import "context"

// largest is the size of a batch at most; what waits beyond it is the next one's.
const largest = 512

// gather takes what is waiting, at least one. It returns nothing when there will be nothing more.
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

// pass hands a batch on, unless the work ends meanwhile.
func pass[T any](ctx context.Context, to chan<- T, batch T) {
	select {
	case to <- batch:
	case <-ctx.Done():
	}
}

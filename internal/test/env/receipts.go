package env

import (
	"context"
	"sync"
)

// Receipts publishes commands by a broker's method Publish and waits until each has its receipt.
func Receipts[C, R any](ctx context.Context, publish func(context.Context, []C, func(int, R)), commands []C) []R {
	receipts := make([]R, len(commands))
	var open sync.WaitGroup
	open.Add(len(commands))
	publish(ctx, commands, func(i int, receipt R) {
		receipts[i] = receipt
		open.Done()
	})
	open.Wait()
	return receipts
}

package roofline

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestABatchHasAllWaitingItems(t *testing.T) {
	waiting := make(chan int, 2*largest)
	waiting <- 0
	assert.Len(t, gather(t.Context(), waiting, nil), 1, "a single item does not wait for others")
	for i := range largest + 3 {
		waiting <- i
	}
	assert.Len(t, gather(t.Context(), waiting, nil), largest)
	assert.Len(t, gather(t.Context(), waiting, nil), 3)
}

func TestABatchIsEmptyOnlyAtTheEnd(t *testing.T) {
	closed := make(chan int)
	close(closed)
	assert.Empty(t, gather(t.Context(), closed, nil))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Empty(t, gather(ctx, make(chan int), nil))
}

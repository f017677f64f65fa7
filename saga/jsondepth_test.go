package saga_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Brackets in strings do not nest.
func TestJSONDepth(t *testing.T) {
	t.Parallel()
	for text, wanted := range map[string]int{
		`7`: 0, `"[["`: 0, `[]`: 1, `{"a":[{}]}`: 3, `[[],[]]`: 2, `["\"[[["]`: 1, `{"{\\":["["]}`: 2,
	} {
		assert.Equal(t, wanted, saga.JSONDepth([]byte(text)), text)
	}
}

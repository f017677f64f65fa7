package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestATableCutsLongData(t *testing.T) {
	t.Parallel()
	assert.Equal(t, `{"a":1}`, shortened(`{"a":1}`))
	long := shortened(strings.Repeat("ü", 600_000))
	assert.Less(t, len(long), 2*mostShown)
	assert.Contains(t, long, "1191808 bytes more: --output json has all")
}

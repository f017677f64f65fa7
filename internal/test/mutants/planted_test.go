package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The run of all planted defects takes a quarter of an hour. That each still has its place is seen at once.
func TestEveryPlantedDefectHasItsPlace(t *testing.T) {
	t.Parallel()
	names := make(map[string]bool)
	for _, m := range mutants() {
		text, err := os.ReadFile(filepath.Join("..", "..", "..", m.file))
		require.NoError(t, err, m.name)
		assert.Equal(t, 1, strings.Count(string(text), m.old), "%s: how often its place stands in %s", m.name, m.file)
		assert.False(t, names[m.name], "%s: two defects of one name", m.name)
		names[m.name] = true
	}
}

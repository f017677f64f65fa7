package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Running all planted defects takes a quarter of an hour. This test checks at once that each text to replace still exists.
func TestEveryPlantedDefectFitsItsFile(t *testing.T) {
	t.Parallel()
	names := make(map[string]bool)
	for _, m := range mutants() {
		text, err := os.ReadFile(filepath.Join("..", "..", "..", m.file))
		require.NoError(t, err, m.name)
		assert.Equal(t, 1, strings.Count(string(text), m.old), "%s: occurrences of the text in %s", m.name, m.file)
		assert.False(t, names[m.name], "%s: two defects have this name", m.name)
		names[m.name] = true
	}
}

package definitions_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/definitions"
	"github.com/saga-orchestrator/orchestrator/saga"
)

func TestACacheReadsAVersionOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		open  func(definitions.Read) *definitions.Cache
		fails bool
		reads int
	}{
		"a definition":              {func(r definitions.Read) *definitions.Cache { return definitions.NewCache(r, 0) }, false, 2},
		"an error is not kept":      {func(r definitions.Read) *definitions.Cache { return definitions.NewCache(r, 0) }, true, 6},
		"a memo keeps an error too": {definitions.NewMemo, true, 2},
		"a full cache is cleared":   {func(r definitions.Read) *definitions.Cache { return definitions.NewCache(r, 1) }, false, 6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reads := 0
			cache := c.open(func(_ context.Context, name string, version int) (*saga.Definition, error) {
				if reads++; c.fails {
					return nil, errors.New("unreadable")
				}
				return &saga.Definition{Name: name, Version: version}, nil
			})
			for range 3 {
				for version := 1; version <= 2; version++ {
					found, err := cache.Get(t.Context(), "order", version)
					require.Equal(t, c.fails, err != nil)
					require.True(t, c.fails || found == cache.Cached("order", version))
				}
			}
			require.Equal(t, c.reads, reads)
		})
	}
}

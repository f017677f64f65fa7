package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestARetentionMayBeInDays(t *testing.T) {
	t.Parallel()
	for text, wanted := range map[string]time.Duration{"720h": 720 * time.Hour, "30d": 720 * time.Hour, "1s": time.Second, "0": -1, "0d": -1} {
		var r retention
		require.NoError(t, r.UnmarshalText([]byte(text)), text)
		assert.Equal(t, wanted, r.config(), text)
	}
	for _, text := range []string{"", "d", "-1h", "-1d", "1ms", "1.5d", "30", "99999999999d", "36501d", "30days"} {
		var r retention
		assert.ErrorContains(t, r.UnmarshalText([]byte(text)), "30d", text)
	}
}

package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/server"
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

func TestEveryDurationMayBeInDays(t *testing.T) {
	t.Parallel()
	var o overdueAfter
	require.NoError(t, o.UnmarshalText([]byte("2d")))
	assert.Equal(t, 48*time.Hour, time.Duration(o))
	var i retentionInterval
	require.NoError(t, i.UnmarshalText([]byte("1d")))
	var p positiveDuration
	require.NoError(t, p.UnmarshalText([]byte("7d")))
	for _, text := range []string{"d", "-1d", "1.5d", "0d", "1d1h", "99999999999d", "366d"} {
		assert.Error(t, p.UnmarshalText([]byte(text)), text)
	}
}

func TestTheLimitsOfQueueHealthAreChecked(t *testing.T) {
	t.Parallel()
	for text, valid := range map[string]bool{"1s": true, "30s": true, "1h": true, "999ms": false, "1h1ms": false, "0": false, "-1s": false, "": false} {
		var i healthInterval
		assert.Equal(t, valid, i.UnmarshalText([]byte(text)) == nil, text)
	}
	for text, valid := range map[string]bool{"1s": true, "5m": true, "2d": true, "999ms": false, "0": false, "-1s": false, "365d": true, "366d": false, "5": false} {
		var a alertAge
		assert.Equal(t, valid, a.UnmarshalText([]byte(text)) == nil, text)
	}
	var config server.Config
	healthFlags{AlertDepth: 0, AlertDeadLetters: 7}.apply(&config)
	assert.Equal(t, []int{-1, 7}, []int{config.AlertDepth, config.AlertDeadLetters}, "0 is a limit, not the default")
}

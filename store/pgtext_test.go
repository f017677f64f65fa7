package store

import (
	"encoding/json"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	env "github.com/saga-orchestrator/orchestrator/internal/test/env"
)

// Postgres stores JSON that its own functions refuse. What sound lets pass, they read; what they read, it lets pass.
func TestSoundJSONIsWhatPostgresReads(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), env.Database(t))
	require.NoError(t, err)
	for text, wanted := range map[string]bool{
		`{"a": 1}`: true, `{"a": "\u00e9"}`: true, `{"a": "\ud83d\ude00"}`: true, `{"a": "\uD83D\uDE00\ud83d\ude00"}`: true,
		`{"a": "\u0000"}`: false, `{"\u0000": 1}`: false, `{"a": "x\\u0000"}`: true, `{"a": "\\\u0000"}`: false, `{"a": "\\\\u0000"}`: true,
		`{"a": "\ud83d"}`: false, `{"a": "\ud83dx"}`: false, `{"a": "\ude00"}`: false, `{"a": "\ud83d\ud83d\ude00"}`: false,
		`{"a": "\ud83d\ude00\ude00"}`: false, `{"a": "\ude00\ud83d"}`: false, `{"a": "\ud83d\\ude00"}`: false, `{"a": "\\ud83d"}`: true,
		`{"a": "\ud83d\n\ude00"}`: false,
	} {
		require.True(t, json.Valid([]byte(text)), text)
		var passes bool
		require.NoError(t, conn.QueryRow(t.Context(), `select `+sound("j")+` from (select $1::text::json as j) x`, text).Scan(&passes), text)
		assert.Equal(t, wanted, passes, text)
		var read *string
		err := conn.QueryRow(t.Context(), `select $1::text::json -> 'b' ->> 'c'`, text).Scan(&read)
		assert.Equal(t, wanted, err == nil, "%s: %v", text, err)
	}
}

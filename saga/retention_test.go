package saga_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

const singleStep = `"steps":[{"name":"a","command":"q.a"}]}`

func TestRetentionIsEqualInGoAndInJSON(t *testing.T) {
	t.Parallel()
	built, err := saga.New("order").Step("a", "q.a").Retain(saga.Retention{
		Completed: saga.RetentionRule{Age: saga.Duration(30 * 24 * time.Hour), Count: 1000}, Undone: saga.RetentionRule{Age: saga.Forever, Count: 1},
	}).Build()
	require.NoError(t, err)
	parsed, err := saga.ParseDefinition("order", 0, []byte(`{"retention":{"completed":{"age":"30d","count":1000},"undone":{"age":"0","count":1}},`+singleStep))
	require.NoError(t, err)
	require.Equal(t, parsed, built)
	canonical, err := parsed.MarshalJSON()
	require.NoError(t, err)
	assert.Contains(t, string(canonical), `"retention":{"completed":{"age":"720h0m0s","count":1000},"undone":{"age":"0","count":1}}`)
	for _, read := range []func(string, int, []byte) (*saga.Definition, error){saga.ParseDefinition, saga.ReadDefinition} {
		again, err := read("order", 0, canonical)
		require.NoError(t, err)
		require.Equal(t, parsed, again)
	}
}

func TestADefinitionWithoutRetentionKeepsItsHash(t *testing.T) {
	t.Parallel()
	plain, err := saga.ParseDefinition("order", 0, []byte(`{`+singleStep))
	require.NoError(t, err)
	canonical, err := plain.MarshalJSON()
	require.NoError(t, err)
	assert.NotContains(t, string(canonical), "retention")
	for _, empty := range []string{`null`, `{}`, `{"completed":{},"undone":null}`} {
		same, err := saga.ParseDefinition("order", 0, []byte(`{"retention":`+empty+`,`+singleStep))
		require.NoError(t, err)
		assert.Equal(t, hash(t, plain), hash(t, same), empty)
	}
}

func TestFaultsOfARetentionHavePointers(t *testing.T) {
	t.Parallel()
	for retention, wanted := range map[string][]string{
		`1`:             {"/retention"},
		`{"failed":{}}`: {"/retention/failed"},
		`{"completed":{"age":"x","count":0},"undone":{"age":5,"count":"7"}}`:           {"/retention/completed/age", "/retention/completed/count", "/retention/undone/age", "/retention/undone/count"},
		`{"completed":{"age":"999ms","count":1000001},"undone":{"age":"36501d"}}`:      {"/retention/completed/age", "/retention/completed/count", "/retention/undone/age"},
		`{"completed":{"age":"-1h","ages":"1h"},"undone":{"age":"-30d","count":-1}}`:   {"/retention/completed/ages", "/retention/completed/age", "/retention/undone/age", "/retention/undone/count"},
		`{"completed":{"age":"1s","count":1000000},"undone":{"age":"36500d"}}`:         nil,
		`{"completed":{"age":"0s","count":1},"undone":{"age":"876000h","count":null}}`: nil,
	} {
		_, err := saga.ParseDefinition("order", 0, []byte(`{"retention":`+retention+`,`+singleStep))
		if wanted == nil {
			require.NoError(t, err, retention)
			continue
		}
		require.ElementsMatch(t, wanted, pointers(t, err), retention)
	}
	_, err := saga.New("order").Step("a", "q.a").Retain(saga.Retention{
		Completed: saga.RetentionRule{Age: -2, Count: -1}, Undone: saga.RetentionRule{Age: 1, Count: 1_000_001},
	}).Build()
	require.ElementsMatch(t, []string{
		"/retention/completed/age", "/retention/completed/count", "/retention/undone/age", "/retention/undone/count",
	}, pointers(t, err))
}

func TestAStoredRetentionThatCannotBeReadKeepsEverything(t *testing.T) {
	t.Parallel()
	for _, stored := range []string{`7`, `{"completed":{"age":"soon"}}`, `{"undone":{"count":-1}}`} {
		read, err := saga.ReadDefinition("order", 1, []byte(`{"retention":`+stored+`,`+singleStep))
		require.NoError(t, err)
		assert.Equal(t, saga.RetentionRule{Age: saga.Forever}, read.Retention.Completed)
		assert.Equal(t, saga.RetentionRule{Age: saga.Forever}, read.Retention.Undone)
	}
}

package condition_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A decision is made again from the same data, and must come out the same: the members of an object have an order.
func TestTheMembersOfAnObjectAreVisitedInOneOrder(t *testing.T) {
	t.Parallel()
	members := make(map[string]int)
	for i := range 200 {
		members[fmt.Sprintf("m%03d", i)] = i
	}
	data, err := json.Marshal(map[string]any{"m": members, "o": map[string]any{"m": members}})
	require.NoError(t, err)
	for _, expression := range []string{
		`data.m.map(k, k)[0] == "m000"`,
		`data.o.m.map(k, k)[199] == "m199"`,
		`data.map(k, k)[1] == "o"`,
		`{"z": 1, "a": 2, 7: 3, "m": 4, true: 5}.map(k, string(k)) == ["true", "7", "a", "m", "z"]`,
		`[data.m][0].filter(k, data.m[k] > 5)[0] == "m006"`,
	} {
		compiled, err := compiler(t).Compile(expression)
		require.NoError(t, err)
		for range 20 {
			holds, err := compiled.Holds(data)
			require.NoError(t, err, expression)
			assert.True(t, holds, expression)
		}
	}
}

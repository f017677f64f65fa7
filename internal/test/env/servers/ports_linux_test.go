package servers

import (
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A port that was found free is not found again, though no server listens on it yet.
func TestAFreePortIsReserved(t *testing.T) {
	t.Parallel()
	port, err := FreePort()
	require.NoError(t, err)
	assert.False(t, reserve(port))
	found, err := exec.Command("grep", "-c", "@saga-test-port-"+strconv.Itoa(port), "/proc/net/unix").Output()
	require.NoError(t, err)
	assert.Equal(t, "1\n", string(found), "other processes see that")
}

package naive

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestASagaGoesForwardAndEnds(t *testing.T) {
	commands, status := drive(t, "")
	assert.Equal(t, []string{"inventory.reserve", "payments.charge", "orders.confirm"}, commands)
	assert.Equal(t, "completed", status)
}

func TestASagaCompensatesInReverseOrderAfterAFailure(t *testing.T) {
	commands, status := drive(t, "orders.confirm")
	assert.Equal(t, []string{"inventory.reserve", "payments.charge", "orders.confirm", "payments.refund", "inventory.release"}, commands)
	assert.Equal(t, "compensated", status)
}

func TestAReplyWithoutACommandIsRefused(t *testing.T) {
	for _, id := range []string{"", "s", "s/0", "s/x/execute", "s/3/execute", "s/-1/execute"} {
		_, err := onReply(id, reply{Succeeded: true})
		assert.Error(t, err, "%q", id)
	}
}

// drive answers one command after the other. It returns their names and the saga's last status.
func drive(t *testing.T, failing string) (commands []string, status string) {
	t.Helper()
	for next := execute("s", 0); next != nil; {
		commands = append(commands, next.name)
		m, err := onReply(next.id, reply{Succeeded: next.name != failing})
		require.NoError(t, err)
		next, status = m.next, m.status
	}
	return commands, status
}

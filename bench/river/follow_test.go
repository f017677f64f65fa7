package river

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/saga-orchestrator/orchestrator/bench/system"
)

func TestTheNextCommandOrEnd(t *testing.T) {
	for _, c := range []struct {
		command   string
		succeeded bool
		next      string
		end       system.End
	}{
		{"inventory.reserve", true, "payments.charge", ""},
		{"payments.charge", true, "orders.confirm", ""},
		{"orders.confirm", true, "", system.Completed},
		{"orders.confirm", false, "payments.refund", ""},
		{"payments.refund", true, "inventory.release", ""},
		{"inventory.release", true, "", system.Compensated},
	} {
		next, end := follow(c.command, c.succeeded)
		assert.Equal(t, c.next, next, "after %s", c.command)
		assert.Equal(t, c.end, end, "after %s", c.command)
	}
}

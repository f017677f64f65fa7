package memory

import (
	"slices"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// kept returns the row of an instance.
func kept(in saga.Instance) (sagaRow, error) {
	in, err := record.Kept(in)
	return sagaRow{Instance: in}, err
}

func cloneCommand(c wire.Command) wire.Command {
	c.Body = slices.Clone(c.Body)
	return c
}

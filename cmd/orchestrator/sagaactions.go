package main

import (
	"context"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
)

// target is the saga that an action is for.
type target struct {
	ID         string `arg:"" help:"Id of the saga."`
	IfRevision int64  `help:"Act only if the saga is still at this revision."`
}

// must is the reason of an action that needs one.
type must struct {
	Reason string `required:"" help:"Why; it goes into the saga's history."`
}

// may is the reason of an action that needs none.
type may struct {
	Reason string `help:"Why; it goes into the saga's history."`
}

// act does something to the saga and shows what became of it.
func (c *sagasCommand) act(ctx context.Context, out *streams, t target, do func(context.Context, *client.Client) (resource.Saga, error)) error {
	if t.IfRevision > 0 {
		ctx = client.AtRevision(ctx, t.IfRevision)
	}
	after, err := do(ctx, c.client())
	if err != nil {
		return err
	}
	return c.showSaga(after, out)
}

type sagasRetry struct {
	target `embed:""`
	may    `embed:""`
	Step   string `help:"The used-up step; default: all that are."`
}

// Run retries.
func (c *sagasRetry) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	return group.act(ctx, out, c.target, func(ctx context.Context, orchestrator *client.Client) (resource.Saga, error) {
		return orchestrator.Retry(ctx, c.ID, c.Step, c.Reason)
	})
}

type sagasSkip struct {
	target     `embed:""`
	must       `embed:""`
	Step       string `required:"" help:"The used-up step."`
	WithOutput string `help:"What the step would have put into the saga's data: a JSON object, @FILE, or -."`
}

// Run skips.
func (c *sagasSkip) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	output, err := document(c.WithOutput, out.in)
	if err != nil {
		return err
	}
	return group.act(ctx, out, c.target, func(ctx context.Context, orchestrator *client.Client) (resource.Saga, error) {
		return orchestrator.Skip(ctx, c.ID, c.Step, output, c.Reason)
	})
}

type sagasCompensate struct {
	target `embed:""`
	must   `embed:""`
	Step   string `help:"After a late effect: the step to undo."`
}

// Run compensates.
func (c *sagasCompensate) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	return group.act(ctx, out, c.target, func(ctx context.Context, orchestrator *client.Client) (resource.Saga, error) {
		return orchestrator.Compensate(ctx, c.ID, c.Step, c.Reason)
	})
}

type sagasAbandon struct {
	target `embed:""`
	must   `embed:""`
}

// Run abandons.
func (c *sagasAbandon) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	return group.act(ctx, out, c.target, func(ctx context.Context, orchestrator *client.Client) (resource.Saga, error) {
		return orchestrator.Abandon(ctx, c.ID, c.Reason)
	})
}

type sagasAcknowledge struct {
	target `embed:""`
	must   `embed:""`
}

// Run acknowledges.
func (c *sagasAcknowledge) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	return group.act(ctx, out, c.target, func(ctx context.Context, orchestrator *client.Client) (resource.Saga, error) {
		return orchestrator.Acknowledge(ctx, c.ID, c.Reason)
	})
}

type sagasPause struct {
	target `embed:""`
	may    `embed:""`
}

// Run pauses.
func (c *sagasPause) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	return group.act(ctx, out, c.target, func(ctx context.Context, orchestrator *client.Client) (resource.Saga, error) {
		return orchestrator.Pause(ctx, c.ID, c.Reason)
	})
}

type sagasResume struct {
	target `embed:""`
	may    `embed:""`
}

// Run resumes.
func (c *sagasResume) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	return group.act(ctx, out, c.target, func(ctx context.Context, orchestrator *client.Client) (resource.Saga, error) {
		return orchestrator.Resume(ctx, c.ID, c.Reason)
	})
}

type sagasPatchData struct {
	target `embed:""`
	must   `embed:""`
	Patch  string `arg:"" help:"The JSON merge patch: an object, @FILE, or -. A member that is null is removed."`
}

// Run patches.
func (c *sagasPatchData) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	patch, err := document(c.Patch, out.in)
	if err != nil {
		return err
	}
	if patch == nil {
		return usage("the patch is empty")
	}
	return group.act(ctx, out, c.target, func(ctx context.Context, orchestrator *client.Client) (resource.Saga, error) {
		return orchestrator.PatchData(ctx, c.ID, patch, c.Reason)
	})
}

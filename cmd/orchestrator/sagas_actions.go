package main

import (
	"context"
	"encoding/json"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
)

// target is the saga that an action is for, or the filter of many.
type target struct {
	bulkFlags  `embed:""`
	ID         string `arg:"" optional:"" help:"Id of the saga."`
	IfRevision int64  `help:"Act only if the saga is still at this revision."`
}

// requiredReason is the reason of an action that requires one.
type requiredReason struct {
	Reason string `required:"" help:"Reason, recorded in the saga's history."`
}

// optionalReason is the reason of an action that does not require one.
type optionalReason struct {
	Reason string `help:"Reason, recorded in the saga's history."`
}

// action is a method expression of client.Client, with its name in a bulk action.
type action struct {
	name  string
	do    func(*client.Client, context.Context, string, client.ActionOptions) (resource.Saga, error)
	patch json.RawMessage // of patch_data and rewind
}

// act performs the action and shows the saga that results, or what became of many.
func (c *sagasCommand) act(ctx context.Context, out *streams, a action, t target, options client.ActionOptions) error {
	many, err := t.chosen(t.ID)
	if err != nil {
		return err
	}
	if many && t.IfRevision != 0 {
		return usage("--if-revision is for one saga")
	}
	if many {
		return c.actOnMany(ctx, out, t.bulkFlags, resource.BulkRequest{
			Action: a.name, Step: options.Step, Output: options.Output, Reason: options.Reason, Patch: a.patch, To: options.To,
		})
	}
	options.Revision = t.IfRevision
	after, err := a.do(c.client(), ctx, t.ID, options)
	if err != nil {
		return err
	}
	return c.showSaga(after, out)
}

type sagasRetry struct {
	target         `embed:""`
	optionalReason `embed:""`
	Step           string `help:"The exhausted step; default: all exhausted steps."`
}

// Run retries.
func (c *sagasRetry) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	return group.act(ctx, out, action{name: "retry", do: (*client.Client).Retry}, c.target, client.ActionOptions{Step: c.Step, Reason: c.Reason})
}

type sagasSkip struct {
	target         `embed:""`
	requiredReason `embed:""`
	Step           string `required:"" help:"The exhausted step."`
	WithOutput     string `help:"Output of the step, merged into the saga's data: a JSON object, @FILE, or - for standard input."`
}

// Run skips.
func (c *sagasSkip) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	output, err := document("--with-output", c.WithOutput, out.in)
	if err != nil {
		return err
	}
	options := client.ActionOptions{Step: c.Step, Output: output, Reason: c.Reason}
	return group.act(ctx, out, action{name: "skip", do: (*client.Client).Skip}, c.target, options)
}

type sagasCompensate struct {
	target         `embed:""`
	requiredReason `embed:""`
	Step           string `help:"After a late effect: the step to compensate."`
}

// Run compensates.
func (c *sagasCompensate) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	return group.act(ctx, out, action{name: "compensate", do: (*client.Client).Compensate}, c.target, client.ActionOptions{Step: c.Step, Reason: c.Reason})
}

type sagasAbandon struct {
	target         `embed:""`
	requiredReason `embed:""`
}

// Run abandons.
func (c *sagasAbandon) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	return group.act(ctx, out, action{name: "abandon", do: (*client.Client).Abandon}, c.target, client.ActionOptions{Reason: c.Reason})
}

type sagasAcknowledge struct {
	target         `embed:""`
	requiredReason `embed:""`
}

// Run acknowledges.
func (c *sagasAcknowledge) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	return group.act(ctx, out, action{name: "acknowledge", do: (*client.Client).Acknowledge}, c.target, client.ActionOptions{Reason: c.Reason})
}

type sagasPause struct {
	target         `embed:""`
	optionalReason `embed:""`
}

// Run pauses.
func (c *sagasPause) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	return group.act(ctx, out, action{name: "pause", do: (*client.Client).Pause}, c.target, client.ActionOptions{Reason: c.Reason})
}

type sagasResume struct {
	target         `embed:""`
	optionalReason `embed:""`
}

// Run resumes.
func (c *sagasResume) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	return group.act(ctx, out, action{name: "resume", do: (*client.Client).Resume}, c.target, client.ActionOptions{Reason: c.Reason})
}

type sagasRewind struct {
	target         `embed:""`
	requiredReason `embed:""`
	To             string `required:"" help:"The step to go back to: it and every step after it are compensated and run again."`
	Patch          string `help:"A JSON merge patch of the data for the way forward: an object, @FILE, or - for standard input."`
}

// Run rewinds.
func (c *sagasRewind) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	patch, err := document("--patch", c.Patch, out.in)
	if err != nil {
		return err
	}
	options := client.ActionOptions{To: c.To, Patch: patch, Reason: c.Reason}
	return group.act(ctx, out, action{name: "rewind", do: (*client.Client).Rewind, patch: patch}, c.target, options)
}

type sagasPatchData struct {
	bulkFlags      `embed:""`
	IfRevision     int64 `help:"Act only if the saga is still at this revision."`
	requiredReason `embed:""`
	Arguments      []string `arg:"" name:"id|patch" help:"Id of the saga, unless --filter is given, and then the JSON merge patch: an object, @FILE, or - for standard input. A null member removes the member."`
}

// Run patches.
func (c *sagasPatchData) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	one := target{bulkFlags: c.bulkFlags, IfRevision: c.IfRevision}
	given := c.Arguments[len(c.Arguments)-1]
	switch len(c.Arguments) {
	case 1: // a filter instead of the id
	case 2:
		one.ID = c.Arguments[0]
	default:
		return usage("give an ID and one patch, or --filter and one patch")
	}
	if _, err := one.chosen(one.ID); err != nil {
		return err
	}
	patch, err := document("patch", given, out.in)
	if err != nil {
		return err
	}
	if patch == nil {
		return usage("the patch is empty")
	}
	do := func(o *client.Client, ctx context.Context, id string, options client.ActionOptions) (resource.Saga, error) {
		return o.PatchData(ctx, id, patch, options)
	}
	a := action{name: "patch_data", do: do, patch: patch}
	return group.act(ctx, out, a, one, client.ActionOptions{Reason: c.Reason})
}

type sagasSignal struct {
	ID             string `arg:"" help:"Id of the saga."`
	Name           string `arg:"" help:"The signal, as a step of the definition names it."`
	WithOutput     string `xor:"with" help:"Output of the step that waits: a JSON object, @FILE, or - for standard input."`
	ErrorCode      string `xor:"with" help:"Fail the step with this code instead."`
	ErrorMessage   string `help:"Message of the error."`
	IdempotencyKey string `help:"Makes the call safe to repeat."`
}

// Run gives a signal.
func (c *sagasSignal) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	output, err := document("--with-output", c.WithOutput, out.in)
	if err != nil {
		return err
	}
	options := client.SignalOptions{Output: output, IdempotencyKey: c.IdempotencyKey}
	switch {
	case c.ErrorCode != "":
		options.Error = &resource.SignalError{Code: c.ErrorCode, Message: c.ErrorMessage}
	case c.ErrorMessage != "":
		return usage("--error-message needs --error-code")
	}
	after, err := group.client().Signal(ctx, c.ID, c.Name, options)
	if err != nil {
		return err
	}
	return group.showSaga(after, out)
}

package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// sagasCommand is `orchestrator sagas`.
type sagasCommand struct {
	remote `embed:""`

	Start   sagasStart   `cmd:"" help:"Start a saga."`
	List    sagasList    `cmd:"" help:"List sagas, newest first."`
	Show    sagasShow    `cmd:"" help:"Show a saga and its steps."`
	Why     sagasWhy     `cmd:"" help:"Say why a saga is not further."`
	Watch   sagasWatch   `cmd:"" help:"Follow a saga until it ends."`
	History sagasHistory `cmd:"" help:"Show what happened to a saga."`

	Retry       sagasRetry       `cmd:"" help:"Try again what is used up, with fresh attempts."`
	Skip        sagasSkip        `cmd:"" help:"Count a used-up step or compensation as done."`
	Compensate  sagasCompensate  `cmd:"" help:"Cancel a saga that has not passed its pivot, or undo a late effect."`
	Abandon     sagasAbandon     `cmd:"" help:"Close a saga as it stands."`
	Acknowledge sagasAcknowledge `cmd:"" help:"Say that a late effect has been dealt with."`
	Pause       sagasPause       `cmd:"" help:"Stop dispatching."`
	Resume      sagasResume      `cmd:"" help:"Go on after a pause."`
	PatchData   sagasPatchData   `cmd:"" help:"Change the data of a stuck or paused saga by a JSON merge patch."`
}

type sagasStart struct {
	Definition     string            `arg:"" help:"Name of the definition."`
	Version        versionNumber     `help:"Version of the definition; default: the latest."`
	Data           string            `help:"The saga's data: a JSON object, @FILE, or - for standard input."`
	BusinessKey    string            `help:"Business key, in use by at most one unfinished saga of the definition."`
	IdempotencyKey string            `help:"The same key with the same request gives the same saga."`
	Label          map[string]string `mapsep:"none" help:"Label k=v; repeatable."`
	Priority       priority          `help:"0 to 9."`
	StartAt        time.Time         `help:"When to start, such as 2026-11-23T10:00:00Z; default: at once."`
	Deadline       positiveDuration  `help:"How long the saga may take before its pivot."`
	Wait           positiveDuration  `help:"Wait until the saga has ended or needs a person, at most so long (up to 60s)."`
}

// Run starts the saga and shows it.
func (c *sagasStart) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	data, err := document(c.Data, out.in)
	if err != nil {
		return err
	}
	started, err := group.client().Start(ctx, client.StartRequest{
		Definition: c.Definition, Version: int(c.Version), Key: c.BusinessKey, Data: data, Priority: uint8(c.Priority),
		Labels: c.Label, StartAt: c.StartAt, Deadline: time.Duration(c.Deadline),
		IdempotencyKey: c.IdempotencyKey, Wait: time.Duration(c.Wait),
	})
	if err != nil {
		return err
	}
	return group.showSaga(started, out)
}

type sagasList struct {
	Definition      *string           `help:"Only of this definition."`
	Version         *versionNumber    `help:"Only of this version of it."`
	Status          []string          `enum:"scheduled,running,compensating,stuck,paused,completed,compensated,abandoned" help:"Only with one of these statuses; repeatable."`
	BusinessKey     *string           `help:"Only with this business key."`
	Label           map[string]string `mapsep:"none" help:"Only with this label k=v; repeatable."`
	CreatedAfter    *time.Time        `help:"Only those created after this time."`
	CreatedBefore   *time.Time        `help:"Only those created before this time."`
	Attention       bool              `help:"Only those that need a person."`
	AttentionReason []string          `enum:"compensation_exhausted,pivot_unknown,retries_exhausted,late_effect,deadline_exceeded,overdue" help:"Only those that need one for this reason; repeatable."`
	Limit           pageSize          `default:"50" help:"How many at most, up to 500."`
	Cursor          string            `help:"Cursor of the page."`
}

// Run lists one page.
func (c *sagasList) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	filter := client.Filter{
		Definition: c.Definition, Version: (*int)(c.Version), Key: c.BusinessKey, Labels: c.Label,
		CreatedAfter: c.CreatedAfter, CreatedBefore: c.CreatedBefore, NeedsAttention: c.Attention,
	}
	for _, status := range c.Status {
		filter.Statuses = append(filter.Statuses, saga.Status(status))
	}
	for _, reason := range c.AttentionReason {
		filter.AttentionReasons = append(filter.AttentionReasons, saga.AttentionReason(reason))
	}
	list, err := group.client().Sagas(ctx, filter, client.Page{Limit: int(c.Limit), Cursor: c.Cursor})
	if err != nil {
		return err
	}
	p := group.printer(out)
	defer out.more(p, list.NextCursor)
	return p.show(list, func(table *tabwriter.Writer) {
		row(table, "SAGA", "DEFINITION", "STATUS", "KEY", "CREATED", "NEEDS A PERSON")
		for _, s := range list.Items {
			attention := ""
			if s.Attention != nil {
				attention = string(s.Attention.Reason)
			}
			row(table, s.ID, fmt.Sprintf("%s/%d", s.Definition, s.Version), s.Status, s.Key, p.ago(s.CreatedAt), attention)
		}
	})
}

type sagasShow struct {
	ID string `arg:"" help:"Id of the saga."`
}

// Run shows the saga.
func (c *sagasShow) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	found, err := group.client().Saga(ctx, c.ID)
	if err != nil {
		return err
	}
	return group.showSaga(found, out)
}

// showSaga writes one saga with its steps.
func (c *sagasCommand) showSaga(s resource.Saga, out *streams) error {
	p := c.printer(out)
	return p.show(s, func(table *tabwriter.Writer) {
		row(table, "saga", s.ID)
		row(table, "definition", fmt.Sprintf("%s, version %d", s.Definition, s.Version))
		row(table, "status", fmt.Sprintf("%s (revision %d)", s.Status, s.Revision))
		if s.Key != "" {
			row(table, "key", s.Key)
		}
		row(table, "created", p.ago(s.CreatedAt))
		if s.Unreadable != "" {
			row(table, "unreadable", s.Unreadable)
		}
		if s.Failure != nil {
			row(table, "failure", failure(*s.Failure))
		}
		if s.Attention != nil {
			row(table, "attention", fmt.Sprintf("%s, since %s: %s", s.Attention.Reason, p.ago(s.Attention.Since), s.Attention.Message))
		}
		row(table, "data", string(s.Data))
		row(table, "may be done", words(s.AllowedActions))
		fmt.Fprintln(table)
		row(table, "STEP", "STATUS", "ATTEMPTS", "UNDO ATTEMPTS", "STARTED", "ERROR")
		for _, step := range s.Steps {
			failed := ""
			if step.Error != nil {
				failed = step.Error.Code + ": " + step.Error.Message
			}
			row(table, step.Name, step.Status, step.Attempts, step.CompensationAttempts, p.agoOf(step.StartedAt), failed)
		}
	})
}

// failure says why a saga went back, and which step made it, if one did.
func failure(f resource.Failure) string {
	text := f.Code + ": " + f.Message
	if f.Step != "" {
		text = fmt.Sprintf("step %s: %s", f.Step, text)
	}
	return text
}

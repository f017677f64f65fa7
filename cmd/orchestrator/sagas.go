package main

import (
	"context"
	"fmt"
	"strings"
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
	Why     sagasWhy     `cmd:"" help:"Explain what a saga is waiting for."`
	Watch   sagasWatch   `cmd:"" help:"Show each state of a saga until it ends."`
	History sagasHistory `cmd:"" help:"Show the history of a saga."`

	Retry       sagasRetry       `cmd:"" help:"Give exhausted steps new attempts."`
	Skip        sagasSkip        `cmd:"" help:"Mark an exhausted step or compensation as done."`
	Compensate  sagasCompensate  `cmd:"" help:"Cancel a saga that has not passed its pivot, or compensate a late effect."`
	Abandon     sagasAbandon     `cmd:"" help:"End a saga in its present state."`
	Acknowledge sagasAcknowledge `cmd:"" help:"Record that a late effect has been handled."`
	Pause       sagasPause       `cmd:"" help:"Stop the dispatch of commands."`
	Resume      sagasResume      `cmd:"" help:"Continue a paused saga."`
	Rewind      sagasRewind      `cmd:"" help:"Compensate back to a step, then go forward again from it."`
	Signal      sagasSignal      `cmd:"" help:"Give a saga a signal that one of its steps waits for."`
	PatchData   sagasPatchData   `cmd:"" help:"Change the data of a stuck or paused saga by a JSON merge patch."`
}

type sagasStart struct {
	Definition     string            `arg:"" help:"Name of the definition."`
	Version        versionNumber     `help:"Version of the definition; default: the latest."`
	Data           string            `help:"The saga's data: a JSON object, @FILE, or - for standard input."`
	BusinessKey    string            `help:"Business key, held by at most one unfinished saga of the definition."`
	IdempotencyKey string            `help:"Makes the start safe to repeat: the same key with the same request returns the same saga."`
	Label          map[string]string `mapsep:"none" help:"Label name=value; repeatable."`
	Priority       priority          `help:"Priority of the saga's commands in their queues, 0 to 9."`
	StartAt        time.Time         `help:"When to start, such as 2026-11-23T10:00:00Z; default: now."`
	Deadline       positiveDuration  `help:"Time limit of the part before the pivot."`
	Wait           positiveDuration  `help:"Wait until the saga has ended or needs an operator, for at most this long (up to 60s)."`
}

// Run starts the saga and shows it.
func (c *sagasStart) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	data, err := document("--data", c.Data, out.in)
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
	Definition      *string           `help:"Only sagas of this definition."`
	Version         *versionNumber    `help:"Only sagas of this version of the definition."`
	Status          []string          `enum:"scheduled,running,compensating,stuck,paused,completed,compensated,abandoned" help:"Only sagas with this status; repeatable."`
	BusinessKey     *string           `help:"Only sagas with this business key."`
	Label           map[string]string `mapsep:"none" help:"Only sagas with this label name=value; repeatable."`
	CreatedAfter    *time.Time        `help:"Only sagas created after this time."`
	CreatedBefore   *time.Time        `help:"Only sagas created before this time."`
	Attention       bool              `help:"Only sagas that need an operator."`
	AttentionReason []string          `enum:"compensation_exhausted,pivot_unknown,retries_exhausted,step_failed,late_effect,deadline_exceeded,overdue,invalid_output" help:"Only sagas that need an operator for this reason; repeatable."`
	Step            *string           `help:"Only sagas that need an operator at this step; -: sagas without one."`
	ErrorCode       *string           `help:"Only sagas whose step that needs an operator has this error code; -: sagas without one."`
	Parent          *string           `help:"Only child sagas of this saga."`
	Limit           pageSize          `default:"50" help:"Maximum number of items, up to 500."`
	Cursor          string            `help:"Cursor of the page, from the previous one."`
}

// Run lists one page.
func (c *sagasList) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	filter := client.Filter{
		Definition: c.Definition, Version: (*int)(c.Version), Key: c.BusinessKey, Labels: c.Label,
		CreatedAfter: c.CreatedAfter, CreatedBefore: c.CreatedBefore, NeedsAttention: c.Attention,
		Step: c.Step, ErrorCode: c.ErrorCode, Parent: c.Parent,
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
		row(table, "SAGA", "DEFINITION", "STATUS", "KEY", "CREATED", "ATTENTION")
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

// showSaga writes a saga with its steps.
func (c *sagasCommand) showSaga(s resource.Saga, out *streams) error {
	p := c.printer(out)
	return p.show(s, func(table *tabwriter.Writer) {
		row(table, "saga", s.ID)
		row(table, "definition", fmt.Sprintf("%s, version %d", s.Definition, s.Version))
		row(table, "status", fmt.Sprintf("%s (revision %d)", s.Status, s.Revision))
		if s.RewindingTo != "" {
			row(table, "rewinding", "to "+string(s.RewindingTo))
		}
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
		row(table, "actions", words(s.AllowedActions))
		fmt.Fprintln(table)
		row(table, "STEP", "STATUS", "ATTEMPTS", "COMPENSATIONS", "STARTED", "ERROR")
		for _, step := range s.Steps {
			failed := ""
			if step.Error != nil {
				failed = step.Error.Code + ": " + step.Error.Message
			}
			row(table, step.Name, step.Status, step.Attempts, step.CompensationAttempts, p.agoOf(step.StartedAt), failed)
		}
	})
}

// mostShown is how many bytes of one value a table shows.
const mostShown = 8 << 10

// shortened cuts a text for a table.
func shortened(text string) string {
	if len(text) <= mostShown {
		return text
	}
	return fmt.Sprintf("%s… and %d bytes more: --output json has all", strings.ToValidUTF8(text[:mostShown], ""), len(text)-mostShown)
}

// failure formats the reason why a saga compensates.
func failure(f resource.Failure) string {
	text := f.Code + ": " + f.Message
	if f.Step != "" {
		text = fmt.Sprintf("step %s: %s", f.Step, text)
	}
	return text
}

package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
)

// deadLettersCommand is `orchestrator dead-letters`.
type deadLettersCommand struct {
	remote `embed:""`

	List deadLettersList `cmd:"" help:"List dead letters, newest first."`
	Show deadLettersShow `cmd:"" help:"Show a dead letter with its content."`

	Redrive deadLettersRedrive `cmd:"" help:"Send a dead letter to where it was going, or all that match a filter."`
	Discard deadLettersDiscard `cmd:"" help:"Delete a dead letter, or all that match a filter."`
}

type deadLettersList struct {
	Queue          *string    `help:"Only those that were going to this queue."`
	Reason         *string    `help:"Only those with this reason."`
	Source         *string    `enum:"command,reply,start" help:"Only commands, replies or starts."`
	Saga           *string    `help:"Only those of this saga."`
	ReceivedAfter  *time.Time `help:"Only those received after this time, such as 2026-11-23T10:00:00Z."`
	ReceivedBefore *time.Time `help:"Only those received before this time."`
	Limit          pageSize   `default:"50" help:"Maximum number of items, up to 500."`
	Cursor         string     `help:"Cursor of the page, from the previous one."`
}

// Run lists one page.
func (c *deadLettersList) Run(ctx context.Context, group *deadLettersCommand, out *streams) error {
	filter := client.DeadLetterFilter{
		Queue: c.Queue, Reason: c.Reason, Source: c.Source, Saga: c.Saga, ReceivedAfter: c.ReceivedAfter, ReceivedBefore: c.ReceivedBefore,
	}
	list, err := group.client().FindDeadLetters(ctx, filter, client.Page{Limit: int(c.Limit), Cursor: c.Cursor})
	if err != nil {
		return err
	}
	p := group.printer(out)
	defer out.more(p, list.NextCursor)
	return p.show(list, func(table *tabwriter.Writer) {
		row(table, "ID", "RECEIVED", "FROM", "QUEUE", "REASON", "SAGA", "BYTES", "MESSAGE")
		for _, l := range list.Items {
			row(table, l.ID, p.ago(l.ReceivedAt), l.Source, l.Queue, l.Reason, l.SagaID, l.Size, l.Message)
		}
	})
}

type deadLettersShow struct {
	ID string `arg:"" help:"Id of the dead letter."`
}

// Run shows one dead letter.
func (c *deadLettersShow) Run(ctx context.Context, group *deadLettersCommand, out *streams) error {
	l, err := group.client().DeadLetter(ctx, c.ID)
	if err != nil {
		return err
	}
	p := group.printer(out)
	return p.show(l, func(table *tabwriter.Writer) {
		row(table, "dead letter", l.ID)
		row(table, "received", p.ago(l.ReceivedAt))
		row(table, "from", fmt.Sprintf("%s, queue %s", l.Source, l.Queue))
		row(table, "reason", fmt.Sprintf("%s: %s", l.Reason, l.Message))
		row(table, "saga", l.SagaID)
		row(table, "command", l.CommandID)
		row(table, "headers", string(l.Headers))
		if l.Text != "" || l.Size == 0 {
			row(table, "body", l.Text)
			return
		}
		row(table, "body", fmt.Sprintf("%d bytes, not text", l.Size))
		fmt.Fprintln(table, hex.Dump(l.Body[:min(len(l.Body), 1024)]))
	})
}

// letterReason is the reason of an action on dead letters, which have no history.
type letterReason struct {
	Reason string `help:"Reason, recorded in the audit log; required with --filter."`
}

type deadLettersRedrive struct {
	bulkFlags    `embed:""`
	letterReason `embed:""`
	ID           string `arg:"" optional:"" help:"Id of the dead letter."`
}

// Run redrives.
func (c *deadLettersRedrive) Run(ctx context.Context, group *deadLettersCommand, out *streams) error {
	many, err := c.chosen(c.ID)
	if err != nil {
		return err
	}
	if many {
		return group.actOnMany(ctx, out, c.bulkFlags, "redrive", c.Reason)
	}
	redriven, err := group.client().Redrive(ctx, c.ID, c.Reason)
	if err != nil {
		return err
	}
	return group.printer(out).show(redriven, func(table *tabwriter.Writer) {
		fmt.Fprintf(table, "dead letter %s was sent to %s\n", plain(redriven.ID), plain(redriven.RedrivenTo))
	})
}

type deadLettersDiscard struct {
	bulkFlags    `embed:""`
	letterReason `embed:""`
	ID           string `arg:"" optional:"" help:"Id of the dead letter."`
}

// Run discards.
func (c *deadLettersDiscard) Run(ctx context.Context, group *deadLettersCommand, out *streams) error {
	many, err := c.chosen(c.ID)
	if err != nil {
		return err
	}
	if many {
		return group.actOnMany(ctx, out, c.bulkFlags, "discard", c.Reason)
	}
	if err := group.client().Discard(ctx, c.ID); err != nil {
		return err
	}
	return group.printer(out).show(map[string]string{"discarded": c.ID}, func(table *tabwriter.Writer) {
		fmt.Fprintf(table, "dead letter %s was discarded\n", plain(c.ID))
	})
}

// actOnMany redrives or discards all dead letters that match the filter.
func (g *deadLettersCommand) actOnMany(ctx context.Context, out *streams, flags bulkFlags, action, reason string) error {
	filter, err := flags.filter(letterFilters())
	if err != nil {
		return err
	}
	if reason == "" {
		return usage("--filter needs --reason")
	}
	request := resource.LetterBulkRequest{
		Action: action, Filter: filter, Reason: reason, Rate: float64(flags.Rate), Canary: int(flags.Canary), StopAfter: int(flags.StopAfter),
	}
	if flags.DryRun {
		report, err := g.client().DryRunOnDeadLetters(ctx, request)
		if err != nil {
			return err
		}
		return g.showDryRun(out, report)
	}
	started, err := g.client().ActOnDeadLetters(ctx, request, flags.options()...)
	if err != nil {
		return err
	}
	return g.follow(ctx, out, started)
}

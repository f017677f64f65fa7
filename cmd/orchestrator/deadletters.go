package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"text/tabwriter"

	"github.com/saga-orchestrator/orchestrator/client"
)

// deadLettersCommand is `orchestrator dead-letters`.
type deadLettersCommand struct {
	remote `embed:""`

	List deadLettersList `cmd:"" help:"List dead letters, newest first."`
	Show deadLettersShow `cmd:"" help:"Show a dead letter with its content."`
}

type deadLettersList struct {
	Limit  pageSize `default:"50" help:"Maximum number of items, up to 500."`
	Cursor string   `help:"Cursor of the page, from the previous one."`
}

// Run lists one page.
func (c *deadLettersList) Run(ctx context.Context, group *deadLettersCommand, out *streams) error {
	list, err := group.client().DeadLetters(ctx, client.Page{Limit: int(c.Limit), Cursor: c.Cursor})
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

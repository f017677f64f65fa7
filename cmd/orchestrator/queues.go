package main

import (
	"context"
	"text/tabwriter"
)

// queuesCommand is `orchestrator queues`.
type queuesCommand struct {
	remote `embed:""`
}

// Run lists the worker queues.
func (c *queuesCommand) Run(ctx context.Context, out *streams) error {
	list, err := c.client().Queues(ctx)
	if err != nil {
		return err
	}
	p := c.printer(out)
	return p.show(list, func(table *tabwriter.Writer) {
		row(table, "QUEUE", "EXISTS", "WAITING", "CONSUMERS", "COMMANDS OUT", "OLDEST", "UNPUBLISHED")
		for _, q := range list.Items {
			exists := "?"
			if q.Exists != nil {
				exists = map[bool]string{true: "yes", false: "NO"}[*q.Exists]
			}
			row(table, q.Name, exists, count(q.Depth), count(q.Consumers),
				count(q.CommandsOut), p.agoOf(q.Oldest), count(q.Unpublished))
		}
	})
}

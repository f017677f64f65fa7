package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/saga-orchestrator/orchestrator/client"
)

// stuckCommand is `orchestrator stuck`.
type stuckCommand struct {
	remote `embed:""`

	Definition *string  `help:"Only sagas of this definition."`
	Limit      pageSize `default:"50" help:"Maximum number of items, up to 500."`
	Cursor     string   `help:"Cursor of the page, from the previous one."`
	Groups     bool     `help:"Show groups of sagas with the same reason, step and error, largest first."`
}

// Run lists sagas that need an operator.
func (c *stuckCommand) Run(ctx context.Context, out *streams) error {
	if c.Groups {
		return c.groups(ctx, out)
	}
	filter := client.Filter{Definition: c.Definition, NeedsAttention: true}
	list, err := c.client().Sagas(ctx, filter, client.Page{Limit: int(c.Limit), Cursor: c.Cursor})
	if err != nil {
		return err
	}
	p := c.printer(out)
	defer out.more(p, list.NextCursor)
	return p.show(list, func(table *tabwriter.Writer) {
		if len(list.Items) == 0 {
			fmt.Fprintln(table, "no saga needs an operator")
			return
		}
		row(table, "SAGA", "DEFINITION", "KEY", "STATUS", "SINCE", "STEP", "REASON", "ACTIONS", "MESSAGE")
		for _, s := range list.Items {
			if s.Attention != nil {
				row(table, s.ID, s.Definition, s.Key, s.Status, p.ago(s.Attention.Since), s.Attention.Step, s.Attention.Reason,
					words(s.AllowedActions), s.Attention.Message)
			}
		}
	})
}

// groups shows the groups, each with the filter that selects it in bulk.
func (c *stuckCommand) groups(ctx context.Context, out *streams) error {
	definition := ""
	if c.Definition != nil {
		definition = *c.Definition
	}
	found, err := c.client().Groups(ctx, definition)
	if err != nil {
		return err
	}
	p := c.printer(out)
	return p.show(found, func(table *tabwriter.Writer) {
		if len(found.Items) == 0 {
			fmt.Fprintln(table, "no saga needs an operator")
			return
		}
		row(table, "SAGAS", "DEFINITION", "REASON", "STEP", "ERROR", "OLDEST", "EXAMPLE", "FILTER")
		for _, g := range found.Items {
			oldest := ""
			if g.Oldest != nil {
				oldest = p.ago(*g.Oldest)
			}
			row(table, g.Count, g.Definition, g.Reason, g.Step, g.ErrorCode, oldest, g.Example, fmt.Sprintf(
				"definition=%s,attention_reason=%s,step=%s,error_code=%s", g.Definition, g.Reason, filterValue(g.Filter.Step), filterValue(g.Filter.ErrorCode)))
		}
	})
}

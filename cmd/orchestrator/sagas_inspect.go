package main

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
)

type sagasWhy struct {
	ID string `arg:"" help:"Id of the saga."`
}

// Run explains what the saga is waiting for.
func (c *sagasWhy) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	why, err := group.client().Why(ctx, c.ID)
	if err != nil {
		return err
	}
	p := group.printer(out)
	return p.show(why, func(table *tabwriter.Writer) {
		row(table, "cause", why.Cause)
		fmt.Fprintf(table, "\t%s\n", plain(why.Message))
		if why.Step != nil {
			row(table, "step", *why.Step)
		}
		row(table, "since", p.agoOf(why.Since))
		if next := why.NextAutomatic; next != nil {
			row(table, "next", fmt.Sprintf("%s, %s", next.What, p.when(next.At)))
		}
		row(table, "actions", words(why.AllowedActions))
		if outbox := why.Evidence.Outbox; outbox != nil && why.Evidence.Step != nil {
			row(table, "command", fmt.Sprintf("%s %s", why.Evidence.Step.CommandID, outbox.State))
		}
		if queue := why.Evidence.Queue; queue != nil {
			row(table, "queue", fmt.Sprintf("%s, %s waiting, %s consumers", queue.Name, count(queue.Depth), count(queue.Consumers)))
		}
	})
}

// when formats the time until t.
func (p printer) when(t *resource.Time) string {
	if t == nil {
		return "at an unknown time"
	}
	if t.Before(p.now) {
		return "now"
	}
	return "in " + rough(t.Sub(p.now))
}

type sagasHistory struct {
	ID     string   `arg:"" help:"Id of the saga."`
	Limit  pageSize `default:"500" help:"Maximum number of entries, up to 500."`
	Cursor string   `help:"Cursor of the page, from the previous one."`
}

// Run shows the history.
func (c *sagasHistory) Run(ctx context.Context, group *sagasCommand, out *streams) error {
	list, err := group.client().HistoryPage(ctx, c.ID, client.Page{Limit: int(c.Limit), Cursor: c.Cursor})
	if err != nil {
		return err
	}
	p := group.printer(out)
	defer out.more(p, list.NextCursor)
	return p.show(list, func(table *tabwriter.Writer) {
		row(table, "SEQ", "AT", "EVENT", "STEP", "ATTEMPT", "BY", "DETAIL")
		for _, e := range list.Items {
			attempt := ""
			if e.Attempt > 0 {
				attempt = fmt.Sprint(e.Attempt)
			}
			row(table, e.Seq, e.At.Local().Format("15:04:05.000"), e.Type, e.Step, attempt, e.Actor, detail(e))
		}
	})
}

func detail(e resource.HistoryEntry) string {
	if len(e.Detail) == 0 {
		return ""
	}
	text, err := json.Marshal(e.Detail)
	if err != nil {
		return ""
	}
	return string(text)
}

package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
)

// bulkFlags make an action one on many targets.
type bulkFlags struct {
	Filter    []string  `sep:"none" placeholder:"NAME=VALUE,..." help:"Act on all that match instead of on one ID, such as definition=order,status=stuck. The names are those of the REST API's list filters. Filters of several flags must all match. In a value, write \\, for a comma, \\\\ for a backslash, and \\t, \\n, \\r or \\uXXXX for what cannot be typed."`
	DryRun    bool      `help:"With --filter: report what would be done, and do nothing."`
	Rate      bulkRate  `help:"With --filter: at most this many per second."`
	Canary    bulkCount `help:"With --filter: wait after this many until actions continue."`
	StopAfter bulkCount `help:"With --filter: stop after this many that were refused or failed."`

	IdempotencyKey string `help:"With --filter: makes the call safe to repeat: the same key with the same request returns the same bulk action."`
}

// chosen reports whether the action is on many targets. Exactly one of an ID and a filter must be given.
func (f bulkFlags) chosen(id string) (bool, error) {
	switch {
	case id == "" && len(f.Filter) == 0:
		return false, usage("give an ID, or --filter")
	case id != "" && len(f.Filter) > 0:
		return false, usage("give an ID or --filter, not both")
	case len(f.Filter) == 0 && (f.DryRun || f.Rate != 0 || f.Canary != 0 || f.StopAfter != 0 || f.IdempotencyKey != ""):
		return false, usage("--dry-run, --rate, --canary, --stop-after and --idempotency-key need --filter")
	default:
		return len(f.Filter) > 0, nil
	}
}

// options returns the options of the call that starts a bulk action.
func (f bulkFlags) options() (options []client.BulkOption) {
	if f.IdempotencyKey != "" {
		options = append(options, client.WithIdempotencyKey(f.IdempotencyKey))
	}
	return options
}

// actOnMany performs an action on all sagas that match the filter.
func (c *sagasCommand) actOnMany(ctx context.Context, out *streams, flags bulkFlags, request resource.BulkRequest) error {
	filter, err := flags.filter(sagaFilters())
	if err != nil {
		return err
	}
	if request.Reason == "" {
		return usage("--filter needs --reason")
	}
	request.Filter, request.Rate, request.Canary, request.StopAfter = filter, float64(flags.Rate), int(flags.Canary), int(flags.StopAfter)
	if flags.DryRun {
		report, err := c.client().DryRunOnSagas(ctx, request)
		if err != nil {
			return err
		}
		return c.showDryRun(out, report)
	}
	action, err := c.client().ActOnSagas(ctx, request, flags.options()...)
	if err != nil {
		return err
	}
	return c.follow(ctx, out, action)
}

// follow shows the progress of a bulk action until it no longer runs, and then its counts. A bulk action of which targets
// failed, or that was stopped or cancelled, is an error. The orchestrator may restart meanwhile: the action goes on then.
func (r *remote) follow(ctx context.Context, out *streams, action resource.BulkAction) error {
	bar := newProgress(out, 0, 0)
	for action.Status == "running" {
		if bar.terminal {
			bar.counts(action)
		}
		id := action.ID
		err := patiently(ctx, r.patience, func() (err error) {
			action, err = r.client().BulkAction(ctx, id, time.Second)
			return err
		})
		if err != nil {
			bar.clear()
			return fmt.Errorf("bulk action %s goes on without this command, which lost it: %w; orchestrator actions show %s shows its progress",
				id, err, id)
		}
	}
	bar.clear()
	if err := r.showBulk(out, action); err != nil {
		return err
	}
	if action.Status == "waiting" {
		fmt.Fprintf(out.err, "it waits after its canary: orchestrator actions continue %s\n", plain(action.ID))
	}
	if action.Failed > 0 || action.Done == 0 && action.Refused > 0 || action.Status == "stopped" || action.Status == "cancelled" {
		return fmt.Errorf("bulk action %s is %s: %d refused, %d failed, %d remaining; orchestrator actions items %s shows why",
			action.ID, action.Status, action.Refused, action.Failed, action.Remaining, action.ID)
	}
	return nil
}

func (r *remote) showBulk(out *streams, a resource.BulkAction) error {
	p := r.printer(out)
	return p.show(a, func(table *tabwriter.Writer) {
		row(table, "bulk action", a.ID)
		row(table, "action", a.Action+" on "+strings.ReplaceAll(a.On, "_", " "))
		row(table, "status", a.Status)
		row(table, "filter", string(a.Filter))
		showParameters(table, a)
		row(table, "reason", a.Reason)
		row(table, "by", fmt.Sprintf("%s, %s", a.Actor, p.ago(a.CreatedAt)))
		row(table, "matched", a.Matched)
		row(table, "done", a.Done)
		row(table, "refused", a.Refused)
		row(table, "failed", a.Failed)
		row(table, "remaining", a.Remaining)
	})
}

// showParameters shows those that were given.
func showParameters(table *tabwriter.Writer, a resource.BulkAction) {
	for _, given := range [][2]string{{"step", a.Step}, {"to", a.To}, {"output", string(a.Output)}, {"patch", string(a.Patch)}} {
		if given[1] != "" {
			row(table, given[0], given[1])
		}
	}
	if a.Rate > 0 {
		row(table, "rate", fmt.Sprintf("at most %g a second", a.Rate))
	}
	if a.Canary > 0 {
		row(table, "canary", fmt.Sprintf("waits after %d", a.Canary))
	}
	if a.StopAfter > 0 {
		row(table, "stop after", fmt.Sprintf("%d refused or failed", a.StopAfter))
	}
}

func (r *remote) showDryRun(out *streams, report resource.DryRun) error {
	return r.printer(out).show(report, func(table *tabwriter.Writer) {
		fmt.Fprintf(table, "%d match, the action applies to %d, and would be refused for %d\n", report.Matched, report.Applicable, report.Refused)
		if len(report.Items) == 0 {
			return
		}
		row(table, "ID", "STATUS", "WOULD", "REFUSED")
		for _, item := range report.Items {
			row(table, item.ID, item.Status, item.Would, item.Refused)
		}
	})
}

// actionsCommand is `orchestrator actions`.
type actionsCommand struct {
	remote `embed:""`

	List     actionsList     `cmd:"" help:"List bulk actions, newest first."`
	Show     actionsShow     `cmd:"" help:"Show a bulk action with its progress."`
	Items    actionsItems    `cmd:"" help:"Show the outcome for each target."`
	Continue actionsContinue `cmd:"" help:"Resume a bulk action that waits after its canary or has stopped."`
	Cancel   actionsCancel   `cmd:"" help:"End a bulk action. Targets that are done stay done."`
}

type actionsList struct {
	Limit  pageSize `default:"50" help:"Maximum number of items, up to 500."`
	Cursor string   `help:"Cursor of the page, from the previous one."`
}

// Run lists one page.
func (c *actionsList) Run(ctx context.Context, group *actionsCommand, out *streams) error {
	list, err := group.client().BulkActions(ctx, client.Page{Limit: int(c.Limit), Cursor: c.Cursor})
	if err != nil {
		return err
	}
	p := group.printer(out)
	defer out.more(p, list.NextCursor)
	return p.show(list, func(table *tabwriter.Writer) {
		row(table, "ID", "ACTION", "ON", "STATUS", "MATCHED", "DONE", "REFUSED", "FAILED", "REMAINING", "BY", "CREATED", "REASON")
		for _, a := range list.Items {
			row(table, a.ID, a.Action, a.On, a.Status, a.Matched, a.Done, a.Refused, a.Failed, a.Remaining, a.Actor, p.ago(a.CreatedAt), a.Reason)
		}
	})
}

type actionsShow struct {
	ID string `arg:"" help:"Id of the bulk action."`
}

// Run shows one bulk action.
func (c *actionsShow) Run(ctx context.Context, group *actionsCommand, out *streams) error {
	action, err := group.client().BulkAction(ctx, c.ID, 0)
	if err != nil {
		return err
	}
	return group.showBulk(out, action)
}

type actionsItems struct {
	ID      string   `arg:"" help:"Id of the bulk action."`
	Outcome string   `enum:",done,refused,failed" default:"" help:"Only targets with this outcome: done, refused or failed."`
	Limit   pageSize `default:"50" help:"Maximum number of items, up to 500."`
	Cursor  string   `help:"Cursor of the page, from the previous one."`
}

// Run lists one page.
func (c *actionsItems) Run(ctx context.Context, group *actionsCommand, out *streams) error {
	list, err := group.client().BulkItems(ctx, c.ID, c.Outcome, client.Page{Limit: int(c.Limit), Cursor: c.Cursor})
	if err != nil {
		return err
	}
	p := group.printer(out)
	defer out.more(p, list.NextCursor)
	return p.show(list, func(table *tabwriter.Writer) {
		row(table, "ID", "OUTCOME", "MESSAGE")
		for _, item := range list.Items {
			row(table, item.ID, item.Outcome, item.Message)
		}
	})
}

type actionsContinue struct {
	ID string `arg:"" help:"Id of the bulk action."`
}

// Run continues, and shows the progress.
func (c *actionsContinue) Run(ctx context.Context, group *actionsCommand, out *streams) error {
	action, err := group.client().ContinueBulkAction(ctx, c.ID)
	if err != nil {
		return err
	}
	return group.follow(ctx, out, action)
}

type actionsCancel struct {
	ID string `arg:"" help:"Id of the bulk action."`
}

// Run cancels.
func (c *actionsCancel) Run(ctx context.Context, group *actionsCommand, out *streams) error {
	action, err := group.client().CancelBulkAction(ctx, c.ID)
	if err != nil {
		return err
	}
	return group.showBulk(out, action)
}

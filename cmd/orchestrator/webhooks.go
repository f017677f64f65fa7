package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// webhooksCommand is `orchestrator webhooks`.
type webhooksCommand struct {
	remote `embed:""`

	List   webhooksList   `cmd:"" default:"withargs" help:"List webhooks with what waits for them and the last error."`
	Put    webhooksPut    `cmd:"" help:"Store a webhook: an HTTP address that receives events. The secret of a new one is shown once."`
	Delete webhooksDelete `cmd:"" help:"Delete a webhook. Its waiting deliveries are dropped."`
	Test   webhooksTest   `cmd:"" help:"Send a test event to a webhook, once."`
}

type webhooksList struct{}

// Run lists the webhooks.
func (c *webhooksList) Run(ctx context.Context, group *webhooksCommand, out *streams) error {
	list, err := group.client().Webhooks(ctx)
	if err != nil {
		return err
	}
	p := group.printer(out)
	return p.show(list, func(table *tabwriter.Writer) { webhookRows(p, table, list.Items...) })
}

func webhookRows(p printer, table *tabwriter.Writer, hooks ...resource.Webhook) {
	row(table, "NAME", "URL", "EVENTS", "WAITING", "OLDEST", "LAST ATTEMPT", "LAST ERROR")
	for _, hook := range hooks {
		row(table, hook.Name, hook.URL, strings.Join(hook.Events, ","), fmt.Sprint(hook.Waiting), p.agoOf(hook.Oldest),
			p.agoOf(hook.LastAt), string(hook.LastError))
	}
}

type webhooksPut struct {
	Name   string   `arg:"" help:"Name of the webhook: lower-case letters, digits and hyphens."`
	URL    string   `required:"" help:"An http or https address."`
	Events []string `required:"" placeholder:"TYPE,..." help:"Types of events, such as saga.stuck,saga.attention,queue.unhealthy,dead_letter.added."`
	Secret string   `env:"WEBHOOK_SECRET" placeholder:"whsec_..." help:"Signs the deliveries; default: a random one, or the one that is there."`
}

// Run stores a webhook. Standard output has only the secret, for scripts.
func (c *webhooksPut) Run(ctx context.Context, group *webhooksCommand, out *streams) error {
	hook := resource.NewWebhook{URL: c.URL, Events: c.Events}
	if c.Secret != "" {
		hook.Secret = &c.Secret
	}
	kept, err := group.client().PutWebhook(ctx, c.Name, hook)
	if err != nil {
		return err
	}
	p := group.printer(out)
	if !p.json && kept.Secret != "" {
		fmt.Fprintf(out.err, "webhook %s; its secret cannot be shown again:\n", plain(kept.Name))
	}
	return p.show(kept, func(table *tabwriter.Writer) {
		if kept.Secret != "" {
			fmt.Fprintln(table, plain(kept.Secret))
		}
	})
}

type webhooksDelete struct {
	Name string `arg:"" help:"Name of the webhook."`
}

// Run deletes a webhook.
func (c *webhooksDelete) Run(ctx context.Context, group *webhooksCommand, out *streams) error {
	if err := group.client().DeleteWebhook(ctx, c.Name); err != nil {
		return err
	}
	p := group.printer(out)
	if !p.json { // standard output stays empty, as it always was
		return nil
	}
	return p.show(map[string]string{"deleted": c.Name}, nil)
}

type webhooksTest struct {
	Name string `arg:"" help:"Name of the webhook."`
}

// Run sends a test event. It fails if the event was not taken.
func (c *webhooksTest) Run(ctx context.Context, group *webhooksCommand, out *streams) error {
	result, err := group.client().TestWebhook(ctx, c.Name)
	if err != nil {
		return err
	}
	if !result.Delivered {
		return errors.New("the webhook did not take the event: " + string(result.Error))
	}
	return group.printer(out).show(result, func(table *tabwriter.Writer) { fmt.Fprintln(table, "delivered") })
}

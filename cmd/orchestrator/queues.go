package main

import (
	"context"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// queuesCommand is `orchestrator queues`.
type queuesCommand struct {
	remote `embed:""`

	List queuesList `cmd:"" default:"withargs" help:"List worker queues with their depth, consumers, commands out and settings."`
	Set  queuesSet  `cmd:"" help:"Pause, cap or throttle a worker queue. What exceeds the settings waits in the outbox, by priority, then by age."`
}

type queuesList struct{}

// Run lists the worker queues.
func (c *queuesList) Run(ctx context.Context, group *queuesCommand, out *streams) error {
	list, err := group.client().Queues(ctx)
	if err != nil {
		return err
	}
	p := group.printer(out)
	return p.show(list, func(table *tabwriter.Writer) { queueRows(p, table, list.Items...) })
}

func queueRows(p printer, table *tabwriter.Writer, queues ...resource.Queue) {
	row(table, "QUEUE", "EXISTS", "WAITING", "CONSUMERS", "COMMANDS OUT", "OLDEST", "UNPUBLISHED", "HELD BACK", "PAUSED", "MAX OUT", "RATE", "HEALTH")
	for _, q := range queues {
		exists := "?"
		if q.Exists != nil {
			exists = map[bool]string{true: "yes", false: "NO"}[*q.Exists]
		}
		most, rate := "-", "-"
		if q.MaxOut != nil {
			most = strconv.Itoa(*q.MaxOut)
		}
		if q.Rate != nil {
			rate = strconv.FormatFloat(*q.Rate, 'g', -1, 64) + "/s"
		}
		row(table, q.Name, exists, count(q.Depth), count(q.Consumers), count(q.CommandsOut), p.agoOf(q.Oldest), count(q.Unpublished),
			count(q.HeldBack), map[bool]string{true: "PAUSED", false: "no"}[q.Paused], most, rate, queueHealth(q.Health))
	}
}

// queueHealth shows the health in a cell.
func queueHealth(health resource.QueueHealth) string {
	if health.Status == record.QueueHealthy {
		return health.Status
	}
	return strings.ToUpper(health.Status) + ": " + strings.Join(health.Reasons, " ")
}

type queuesSet struct {
	Queue  string `arg:"" help:"Name of the worker queue."`
	Paused bool   `xor:"pause" help:"Let no command leave the outbox, compensations included."`
	Resume bool   `xor:"pause" help:"End the pause."`
	MaxOut string `placeholder:"N|none" help:"Execute commands that may be out at a time, over all replicas, or none."`
	Rate   string `placeholder:"R|none" help:"Execute commands that may leave in a second, over all replicas, or none."`
}

// Run changes the settings.
func (c *queuesSet) Run(ctx context.Context, group *queuesCommand, out *streams) error {
	var settings client.QueueSettings
	if c.Paused || c.Resume {
		settings.Paused = &c.Paused
	}
	if c.MaxOut != "" {
		most, err := strconv.Atoi(orZero(c.MaxOut))
		if err != nil || c.MaxOut != none && (most < 1 || most > record.MaxQueueOut) {
			return usage("--max-out must be a whole number from 1 to %d, or none", record.MaxQueueOut)
		}
		settings.MaxOut = &most
	}
	if c.Rate != "" {
		rate, err := strconv.ParseFloat(orZero(c.Rate), 64)
		if err != nil || c.Rate != none && !(rate >= record.MinQueueRate && rate <= record.MaxQueueRate) {
			return usage("--rate must be a number from %v to %d, or none", record.MinQueueRate, record.MaxQueueRate)
		}
		settings.Rate = &rate
	}
	if settings == (client.QueueSettings{}) {
		return usage("give --paused, --resume, --max-out or --rate")
	}
	after, err := group.client().SetQueue(ctx, c.Queue, settings)
	if err != nil {
		return err
	}
	p := group.printer(out)
	return p.show(after, func(table *tabwriter.Writer) { queueRows(p, table, after) })
}

// none takes a setting away.
const none = "none"

func orZero(given string) string {
	if given == none {
		return "0"
	}
	return given
}

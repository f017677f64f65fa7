package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/internal/workercheck"
)

// workerCommand groups the commands for those who write workers.
type workerCommand struct {
	Check workerCheckCommand `cmd:"" help:"Check a running worker of any language: duplicates, a compensation that comes first, and other deliveries that break workers. It disturbs no saga."`
}

// workerCheckCommand is `orchestrator worker check`.
type workerCheckCommand struct {
	Queue        string           `required:"" help:"The worker queue, as definitions name it."`
	Command      string           `required:"" help:"Name of the command to send."`
	Compensation string           `help:"Name of its compensation. Without it, the points about compensations are not tried."`
	Data         string           `default:"{}" help:"Data of the commands, which the command must accept: a JSON object, @FILE, or - for standard input."`
	Timeout      positiveDuration `default:"10s" help:"How long to wait for each reply."`
	brokerFlags  `embed:""`
	AMQPPrefix   string `name:"amqp-prefix" default:"saga" env:"AMQP_PREFIX" help:"Prefix of all names on RabbitMQ."`
	Output       string `default:"table" enum:"table,json" help:"table or json."`
}

// AfterApply reads the URL from a file.
func (c *workerCheckCommand) AfterApply() error { return readFiles(&c.brokerFlags) }

// Run checks the worker, and fails if one point does.
func (c *workerCheckCommand) Run(ctx context.Context, out *streams) error {
	if c.AMQPURL == "" {
		return usage("--amqp-url must be set, or a file that has it")
	}
	if err := (rabbit.Config{URL: c.AMQPURL, Prefix: c.AMQPPrefix}).Validate(); err != nil {
		return usageError{err}
	}
	data, err := document("--data", c.Data, out.in)
	if err != nil {
		return usageError{err}
	}
	options := workercheck.Options{
		URL: c.AMQPURL, Prefix: c.AMQPPrefix, Queue: c.Queue, Command: c.Command, Compensation: c.Compensation,
		Data: data, Timeout: time.Duration(c.Timeout),
	}
	if err := options.Validate(); err != nil {
		return usageError{err}
	}
	report, err := workercheck.Run(ctx, options)
	if err != nil {
		return err
	}
	p := printer{out: out.out, json: c.Output == "json", now: time.Now()}
	err = p.show(report, func(table *tabwriter.Writer) {
		row(table, "POINT", "VERDICT", "SEEN", "WHAT TO DO")
		for _, v := range report.Verdicts {
			row(table, v.Point, v.Grade, v.Seen, v.Advice)
		}
	})
	if failed := report.Count(workercheck.Fail); err == nil && failed > 0 {
		err = fmt.Errorf("%d of %d points failed", failed, len(report.Verdicts))
	}
	return err
}

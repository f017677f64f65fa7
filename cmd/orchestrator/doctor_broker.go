package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
)

// broker checks RabbitMQ and the queues. It leaves nothing behind.
func (d *diagnosis) broker(ctx context.Context, config rabbit.Config) {
	url, prefix := config.URL, config.Prefix
	if err := config.Validate(); err != nil {
		d.add("broker", "fail", "correct the setting", "%s", err)
		return
	}
	conn, err := amqp.DialConfig(url, amqp.Config{Dial: rabbit.Dial(ctx, doctorPatience)})
	if err != nil {
		d.add("broker", "fail", "check --amqp-url, and that RabbitMQ runs and accepts this user", "cannot connect: %s", refusal(err))
		return
	}
	defer conn.Close()
	version, _ := conn.Properties["version"].(string)
	d.add("broker", "ok", "", "RabbitMQ %s", version)
	if !atLeast(version, 3, 12) {
		for _, warning := range d.steps {
			d.add("consumer timeout", "warn", "set consumer_timeout in rabbitmq.conf above the timeout of the step", "%s %s", warning.Pointer, warning.Message)
		}
	}
	look := func(queue string) (found amqp.Queue, err error) {
		channel, err := conn.Channel() // a missing queue closes it
		if err != nil {
			return found, err
		}
		defer channel.Close()
		return channel.QueueDeclarePassive(queue, true, false, false, false, nil)
	}
	config.Installation = d.installation
	d.owner(ctx, config)
	d.probe(ctx, conn, prefix)
	d.deadLettering(ctx, config)
	d.properties(ctx, config)
	d.ownQueues(prefix, look)
	for _, queue := range d.queues {
		if ctx.Err() != nil {
			return
		}
		d.workerQueue(queue, prefix+".commands."+queue, look)
	}
}

// owner checks that no other installation uses the prefix.
func (d *diagnosis) owner(ctx context.Context, config rabbit.Config) {
	if config.Installation == "" { // the database did not say
		return
	}
	switch err := rabbit.CheckOwnership(ctx, config); {
	case err == nil:
		d.add("prefix", "ok", "", "%s belongs to no other installation", config.Prefix)
	case errors.Is(err, rabbit.ErrForeign):
		d.add("prefix", "fail", "choose another --amqp-prefix, or delete the queue "+config.Prefix+".installation if that installation is gone",
			"%s belongs to another installation", config.Prefix)
	default:
		d.add("prefix", "warn", "see the checks before this one", "its owner cannot be checked: %s", refusal(err))
	}
}

// deadLettering checks that the broker dead-letters messages of quorum queues.
func (d *diagnosis) deadLettering(ctx context.Context, config rabbit.Config) {
	switch err := rabbit.CheckDeadLettering(ctx, config); {
	case err == nil:
		d.add("dead-lettering", "ok", "", "declares quorum queues that dead-letter")
	case errors.Is(err, rabbit.ErrNoDeadLettering):
		d.add("dead-lettering", "fail", "follow docs/operations.md#deadletteringstopped before RabbitMQ restarts: queues may not come back",
			"RabbitMQ dead-letters no messages of quorum queues any more")
	default:
		d.add("dead-lettering", "warn", "see the checks before this one", "cannot be checked: %s", refusal(err))
	}
}

// properties checks that exchanges and queues are as an orchestrator declares them.
func (d *diagnosis) properties(ctx context.Context, config rabbit.Config) {
	mismatched, err := rabbit.CheckProperties(ctx, config, d.queues)
	for _, name := range mismatched {
		d.add("properties of "+name, "warn", "if serve has another --queue-type, give it here too; otherwise delete it while no replica runs, a queue once it "+
			"is empty, and start one, which declares it", "exists with other properties than declared, and is used as it is")
	}
	switch {
	case err != nil:
		d.add("properties", "warn", "see the other checks", "cannot be checked: %s", refusal(err))
	case len(mismatched) == 0:
		d.add("properties", "ok", "", "no exchange and no queue exists with other properties than declared")
	}
}

// ownQueues checks that a replica consumes the orchestrator's own queues.
func (d *diagnosis) ownQueues(prefix string, look func(string) (amqp.Queue, error)) {
	for _, name := range []string{prefix + ".replies", prefix + ".start", prefix + ".dead"} {
		found, err := look(name)
		switch {
		case isLocked(err):
			d.add("queue "+name, "fail", unlock, "%s", refusal(err))
		case err != nil:
			d.add("queue "+name, "fail", "start orchestrator serve, which declares it, or check the prefix and the rights", "%s", refusal(err))
		default:
			d.add("queue "+name, statusIf(found.Consumers == 0, "warn"), "start orchestrator serve: nothing consumes it",
				"%d messages, %d consumers", found.Messages, found.Consumers)
		}
	}
}

// unlock is the advice for a queue that another connection has declared as exclusive.
const unlock = "close the connection that has locked it (rabbitmqctl list_queues name owner_pid), which deletes it, and let its program not declare it; " +
	"orchestrator serve then declares it"

// workerQueue checks that a worker consumes a queue.
func (d *diagnosis) workerQueue(queue, name string, look func(string) (amqp.Queue, error)) {
	found, err := look(name)
	if err != nil {
		advice := "register the definition again, which declares it"
		if isLocked(err) {
			advice = unlock
		}
		d.add("queue "+queue, "fail", advice, "%s", refusal(err))
		return
	}
	d.add("queue "+queue, statusIf(found.Consumers == 0, "warn"), "start a worker for it", "%d commands, %d consumers", found.Messages, found.Consumers)
}

func isLocked(err error) bool {
	said, is := errors.AsType[*amqp.Error](err)
	return is && said.Code == amqp.ResourceLocked
}

// refusal returns the broker's reason, which never holds the URL.
func refusal(err error) string {
	if said, is := errors.AsType[*amqp.Error](err); is {
		return said.Reason
	}
	return fmt.Sprint(err)
}

// atLeast reports whether a version is major.minor or later.
func atLeast(version string, major, minor int) bool {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	a, err := strconv.Atoi(first)
	if err != nil {
		return false
	}
	b, err := strconv.Atoi(second)
	return a > major || err == nil && a == major && b >= minor
}

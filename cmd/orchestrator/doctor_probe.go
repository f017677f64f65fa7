package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// largestCommand is about the size of the largest command: data, an output, and what is around them.
const largestCommand = 2*saga.MaxDataBytes + 64<<10

// confirmPatience is how long the broker may take to confirm a message before it counts as blocked.
const confirmPatience = 5 * time.Second

// probe sends a message of the largest size through a queue that the broker deletes with the connection. It finds missing
// rights, limits of the broker, and a broker that takes no messages.
func (d *diagnosis) probe(ctx context.Context, conn *amqp.Connection, prefix string) {
	blocked := conn.NotifyBlocked(make(chan amqp.Blocking, 1))
	channel, err := conn.Channel()
	if err != nil {
		d.add("broker rights", "fail", "raise channel_max, or the limits of this user", "cannot open a channel: %s", refusal(err))
		return
	}
	defer channel.Close()
	queue := prefix + ".doctor-" + rand.Text()
	if _, err = channel.QueueDeclare(queue, false, true, true, false, nil); err != nil {
		d.add("broker rights", "fail", "allow this user to configure, write and read "+prefix+".*, and raise the queue limit of the virtual host if it is reached",
			"cannot declare a queue: %s", refusal(err))
		return
	}
	status, advice, found := d.sendThrough(ctx, channel, queue, blocked)
	if status == "" {
		d.add("broker rights", "ok", "", "may declare, publish and consume %s.*", prefix)
		d.add("broker limits", "ok", "", "takes messages of %d KiB; %d channels, frames of %d KiB",
			largestCommand>>10, conn.Config.ChannelMax, conn.Config.FrameSize>>10)
		return
	}
	d.add("broker limits", status, advice, "%s", found)
}

// sendThrough returns an empty status if a message of the largest size comes through.
func (d *diagnosis) sendThrough(
	ctx context.Context, channel *amqp.Channel, queue string, blocked <-chan amqp.Blocking,
) (status, advice, found string) {
	closed := channel.NotifyClose(make(chan *amqp.Error, 1))
	if err := channel.Confirm(false); err != nil {
		return "fail", "allow publisher confirms", refusal(err)
	}
	waiting, err := channel.PublishWithDeferredConfirm("", queue, true, false, amqp.Publishing{Body: make([]byte, largestCommand)})
	if err != nil {
		return "fail", "allow this user to write to the default exchange", "cannot publish: " + refusal(err)
	}
	timer := time.NewTimer(confirmPatience)
	defer timer.Stop()
	select {
	case <-waiting.Done():
		if !waiting.Acked() {
			return "fail", "see the log of RabbitMQ", "the broker refused a message"
		}
	case reason := <-closed:
		return "fail", "raise max_message_size in rabbitmq.conf above the largest command", fmt.Sprintf("a message of %d KiB: %s", largestCommand>>10, reason.Reason)
	case reason := <-blocked:
		return "fail", "free memory or disk space of the broker: it takes no messages until then", "blocked: " + reason.Reason
	case <-timer.C:
		return "warn", "look for alarms: rabbitmq-diagnostics alarms", "no confirm within " + confirmPatience.String()
	case <-ctx.Done():
		return "warn", "run it again", "interrupted"
	}
	if _, taken, err := channel.Get(queue, true); err != nil || !taken {
		return "fail", "allow this user to read its queues", fmt.Sprintf("cannot consume: %v", err)
	}
	return "", "", ""
}

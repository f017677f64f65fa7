package workercheck

import (
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	// copies is the number of concurrent deliveries of one command.
	copies = 4
	// settling is how long a worker may take to do what it should not.
	settling = 2 * time.Second
)

// alive sends a command of a new saga and reports whether the worker answers.
func (c *check) alive(ctx context.Context) *answer {
	id := c.newSaga()
	a := c.ask(ctx, c.execute(id, 1))
	c.noteEffect(id, a)
	return a
}

// staleDeadline sends a command whose deadline has passed. The worker may drop it or answer it.
func (c *check) staleDeadline(ctx context.Context) Verdict {
	id := c.newSaga()
	m := c.execute(id, 1)
	m.Headers[wire.HeaderDeadline] = time.Now().Add(-time.Hour).UTC().Format(time.RFC3339Nano)
	if err := c.send(ctx, m); err != nil {
		return graded(Fail, "", "%s", err)
	}
	if next := c.alive(ctx); !next.valid() {
		return graded(Fail, "drop a command whose saga-deadline has passed, and go on", "the next command: %s", next)
	}
	c.await(ctx, min(settling, c.Timeout), func() bool { return len(c.got[m.CorrelationID]) > 0 })
	a := c.answerTo(m, 0)
	c.noteEffect(id, a)
	switch {
	case !a.came:
		return pass("dropped, and the next command was answered")
	case !a.valid():
		return graded(Fail, manual+"Replies", "%s", a)
	}
	return pass("answered: %s", a)
}

// poison sends a command that cannot be read.
func (c *check) poison(ctx context.Context) Verdict {
	m := c.execute(c.newSaga(), 1)
	m.Body = []byte(`{"data": {"cut": `)
	if err := c.send(ctx, m); err != nil {
		return graded(Fail, "", "%s", err)
	}
	if next := c.alive(ctx); !next.valid() {
		return graded(Fail, "reject a message that cannot be read, without requeue, and go on", "the next command: %s", next)
	}
	c.await(ctx, min(settling, c.Timeout), func() bool { return c.died[m.MessageID] != "" || len(c.got[m.CorrelationID]) > 0 })
	a := c.answerTo(m, 0)
	const loops = "never requeue a message that cannot be read: it comes again at once"
	switch {
	case c.died[m.MessageID] == "delivery_limit":
		return graded(Fail, loops, "it was requeued until the broker gave up on it")
	case len(c.got[m.CorrelationID]) > 1 || c.stays(ctx):
		return graded(Fail, loops, "it stays in the queue")
	case c.died[m.MessageID] != "":
		return pass("it became a dead letter (%s), and the next command was answered", c.died[m.MessageID])
	case a.succeeded():
		return graded(Unclear, "do not answer succeeded to a command that cannot be read", "%s", a)
	case a.came && !a.failed():
		return graded(Fail, manual+"Replies", "%s", a)
	case a.came:
		return pass("%s, and the next command was answered", a)
	}
	return pass("dropped, and the next command was answered")
}

// stays reports whether messages are in the worker's queue all the time. Other commands may wait there for a while.
func (c *check) stays(ctx context.Context) bool {
	return !c.await(ctx, settling, func() bool {
		found, err := c.inspect()
		return err != nil || found.Messages == 0
	})
}

// twoAtOnce sends the deliveries of one effect without a pause.
func (c *check) twoAtOnce(ctx context.Context) Verdict {
	id := c.newSaga()
	var all []wire.Message
	for i := range copies {
		all = append(all, c.execute(id, 1+i%2))
	}
	if err := c.send(ctx, all...); err != nil {
		return graded(Fail, "", "%s", err)
	}
	count := func() int { return len(c.got[all[0].CorrelationID]) + len(c.got[all[1].CorrelationID]) }
	c.await(ctx, c.Timeout, func() bool { return count() >= copies })
	var success *answer
	for _, m := range all[:2] {
		for _, d := range c.got[m.CorrelationID] {
			a := readAnswer(m, d)
			c.noteEffect(id, a)
			switch {
			case !a.valid():
				return graded(Fail, manual+"Replies", "%s", a)
			case a.succeeded() && success != nil && !a.same(success):
				return graded(Fail, "let the second delivery wait for the first, as a row that both insert does", "%s, and also: %s", success, a)
			case a.succeeded():
				success = a
			}
		}
	}
	switch {
	case count() == 0:
		return graded(Fail, "answer each delivery", "no reply to %d deliveries within %s", copies, c.Timeout)
	case success == nil:
		return graded(Unclear, "give --data that the command accepts", "%d deliveries, none succeeded", copies)
	case count() < copies:
		return graded(Warn, "answer each delivery: a reply may get lost", "%d equal replies to %d deliveries", count(), copies)
	}
	return pass("%d deliveries, equal replies; a second effect would not be seen", copies)
}

// replyBeforeAcknowledgement gives a command a reply queue that is full at first. A worker that waits for the broker's confirm
// sees that its reply was refused, and replies again.
func (c *check) replyBeforeAcknowledgement(ctx context.Context) Verdict {
	const advice = "publish the reply with confirms, and acknowledge the command after the confirm"
	full, err := c.channel.QueueDeclare("", false, true, true, false, amqp.Table{"x-max-length": int64(1), "x-overflow": "reject-publish"})
	if err != nil {
		return graded(Unclear, advice, "the broker declares no queue with a limit: %s", err)
	}
	confirm, err := c.channel.PublishWithDeferredConfirmWithContext(ctx, "", full.Name, false, false, amqp.Publishing{Body: []byte("full")})
	if err != nil || !confirm.Wait() {
		return graded(Unclear, advice, "the broker does not fill the queue")
	}
	id := c.newSaga()
	m := c.execute(id, 1)
	m.ReplyTo = full.Name
	if err := c.send(ctx, m); err != nil {
		return graded(Unclear, advice, "%s", err)
	}
	c.await(ctx, min(settling, c.Timeout), func() bool { return c.died[m.MessageID] != "" })
	a := &answer{}
	c.await(ctx, c.Timeout, func() bool { // the first message that is taken makes room
		d, found, err := c.channel.Get(full.Name, true)
		if found && d.CorrelationId == m.CorrelationID {
			a = readAnswer(m, d)
		}
		return err != nil || a.came || c.died[m.MessageID] != ""
	})
	c.noteEffect(id, a)
	found, err := c.inspect()
	switch {
	case a.valid():
		return pass("a reply that the broker refused at first was sent again")
	case err != nil || found.Consumers == 0:
		return graded(Unclear, advice, "the worker ended when the broker refused its reply")
	case c.died[m.MessageID] != "":
		return graded(Warn, advice+"; pause before a command comes again", "the command became a dead letter (%s)", c.died[m.MessageID])
	}
	return graded(Warn, advice, "a reply that the broker refused was lost: the attempt would time out")
}

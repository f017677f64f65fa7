package workercheck

import (
	"context"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// The advice refers to this page.
const manual = "see docs/protocol.md: "

func pass(seen string, arguments ...any) Verdict {
	return Verdict{Grade: Pass, Seen: fmt.Sprintf(seen, arguments...)}
}

func graded(grade Grade, advice, seen string, arguments ...any) Verdict {
	return Verdict{Grade: grade, Seen: fmt.Sprintf(seen, arguments...), Advice: advice}
}

// replies sends the first command.
func (c *check) replies(ctx context.Context) Verdict {
	a := c.ask(ctx, c.execute(c.main, 1))
	c.noteEffect(c.main, a)
	switch {
	case a.valid():
		c.first = a
	case !a.came && len(c.strays) > 0:
		return graded(Fail, "copy correlation_id from the command to the reply", "a reply with the correlation_id %q", cut(c.strays[0].CorrelationId))
	case !a.came:
		return graded(Fail, "publish a reply to reply_to, through the default exchange, with the command's correlation_id",
			"%s within %s", a, c.Timeout)
	default:
		return graded(Fail, manual+"Replies", "%s", a)
	}
	if a.failed() {
		return graded(Unclear, "give --data that the command accepts: the other points need a success", "%s", a)
	}
	return pass("%s", a)
}

// properties looks at the message of the first reply.
func (c *check) properties(context.Context) Verdict {
	d := c.first.delivery
	switch {
	case d.DeliveryMode != amqp.Persistent:
		return graded(Warn, "set delivery_mode to 2: a restart of the broker loses the reply, and the attempt times out", "the reply is not persistent")
	case d.ContentType != wire.ContentType:
		return graded(Warn, "set content_type to "+wire.ContentType, "the content_type is %q", cut(d.ContentType))
	}
	return pass("persistent, %s", d.ContentType)
}

// again sends a command that repeats the first one.
func (c *check) again(ctx context.Context, attempt int, advice string) Verdict {
	a := c.ask(ctx, c.execute(c.main, attempt))
	switch {
	case !a.valid():
		return graded(Fail, "send the stored reply again: the first one may have been lost", "%s", a)
	case c.first.failed():
		return graded(Unclear, "give --data that the command accepts", "%s, after %s", a, c.first)
	case !a.same(c.first):
		return graded(Fail, advice, "%s, but the first was: %s", a, c.first)
	}
	return pass("the same reply; a second effect would not be seen")
}

func (c *check) duplicate(ctx context.Context) Verdict {
	return c.again(ctx, 1, "store the reply under saga-idempotency-key in the transaction of the work, and send it again; the barrier does that")
}

func (c *check) anotherAttempt(ctx context.Context) Verdict {
	return c.again(ctx, 2, "take saga-idempotency-key as the key, not message_id: all attempts at one effect share it")
}

func (c *check) compensation(ctx context.Context) Verdict {
	m := c.compensate(c.main, c.first.reply.Output)
	a := c.ask(ctx, m)
	if !a.succeeded() {
		return graded(Fail, "a compensation must succeed in the end, else its saga gets stuck", "%s", a)
	}
	delete(c.effects, c.main)
	b := c.ask(ctx, m)
	if !b.same(a) {
		return graded(Fail, "answer a repeated compensation with the stored reply", "%s, and when repeated: %s", a, b)
	}
	return pass("%s, and the same when repeated", a)
}

const lateAdvice = "refuse a command whose compensation was handled: the barrier leaves a mark for it"

// lateRedelivery sends the first command again, after its compensation.
func (c *check) lateRedelivery(ctx context.Context) Verdict {
	a := c.ask(ctx, c.execute(c.main, 1))
	switch {
	case a.failed():
		return pass("refused: %s", a)
	case !a.came && a.problem == nil && c.consumed(ctx):
		return graded(Unclear, lateAdvice, "no reply within %s: if the worker drops it, that is right", c.Timeout)
	case !a.valid():
		return graded(Fail, lateAdvice, "%s", a)
	case c.first.failed():
		return graded(Unclear, "give --data that the command accepts", "%s", a)
	case a.same(c.first):
		return graded(Unclear, lateAdvice, "the first reply again: right if it was stored, wrong if the work was done again")
	}
	c.late++
	return graded(Fail, lateAdvice, "%s, but the first was: %s", a, c.first)
}

// compensationFirst sends a compensation before its command.
func (c *check) compensationFirst(ctx context.Context) Verdict {
	id := c.newSaga()
	a := c.ask(ctx, c.compensate(id, nil))
	if !a.succeeded() {
		return graded(Fail, "answer succeeded if there is nothing to compensate: the command may never have arrived", "the compensation: %s", a)
	}
	for _, attempt := range []int{1, 2} {
		late := c.ask(ctx, c.execute(id, attempt))
		switch {
		case late.succeeded():
			c.late++
			return graded(Fail, lateAdvice, "the compensation succeeded, and then the command did, too")
		case !late.came && late.problem == nil && c.consumed(ctx):
			return graded(Unclear, lateAdvice, "no reply to the command within %s: if the worker drops it, that is right", c.Timeout)
		case !late.failed():
			return graded(Fail, lateAdvice, "the command afterwards: %s", late)
		}
	}
	return pass("the compensation succeeded, and the command was refused")
}
